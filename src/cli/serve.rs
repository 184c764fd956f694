//! `strongroom serve`: a sealed model on the SageMaker contract.

use futures_util::TryFutureExt;

use super::block_on;
use crate::config::platform::Platform;
use crate::config::serve::ServeArgs;
use crate::{serve, telemetry};

/// Runs the verb.
///
/// # Errors
/// Settings are wrong, or serving failed, which has been logged then.
pub fn run(args: ServeArgs) -> anyhow::Result<()> {
    let config = args.check(&Platform::read())?;
    telemetry::start(config.log);
    // Threads inherit the sandbox of the one that starts them: before the runtime starts any.
    let confined = serve::confine(config)?;
    block_on(serve::run(confined).map_err(Into::into))
}
