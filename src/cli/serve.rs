//! `strongroom serve`: a sealed model on the SageMaker contract.

use crate::config::platform::Platform;
use crate::config::serve::ServeArgs;
use crate::{serve, telemetry};

/// Runs the verb.
///
/// # Errors
/// Settings are wrong, or serving failed, which has been logged then.
pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let config = args.check(&Platform::read())?;
    telemetry::start(config.log);
    Ok(serve::run(config).await?)
}
