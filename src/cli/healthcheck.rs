//! `strongroom healthcheck`: whether a server on this machine is ready.

use std::io::{Read as _, Write as _};

use anyhow::{Context, bail};

use crate::config::healthcheck::HealthcheckArgs;

/// As much of an answer as is shown.
const MOST_SHOWN: u64 = 512;

/// Runs the verb.
///
/// # Errors
/// Nothing answers, or it answers that it is not ready.
pub fn run(args: &HealthcheckArgs) -> anyhow::Result<()> {
    let url = format!("http://{}/ping", args.address()?);
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(args.timeout()))
        .http_status_as_error(false)
        // The environment's proxy is for the world outside.
        .proxy(None)
        .build();
    let mut answer =
        ureq::Agent::new_with_config(config).get(&url).call().with_context(|| format!("no answer from {url}"))?;
    let status = answer.status();
    if !status.is_success() {
        let mut body = Vec::new();
        // What comes of it is shown, whatever ends it.
        let _ = answer.body_mut().as_reader().take(MOST_SHOWN).read_to_end(&mut body);
        bail!("{url} answered {status}: {}", String::from_utf8_lossy(&body).escape_debug());
    }
    writeln!(std::io::stdout(), "ready")?;
    Ok(())
}
