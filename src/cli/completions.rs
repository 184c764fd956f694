//! `strongroom completions SHELL`: what a shell needs to complete our arguments.

use std::io::Write as _;

use crate::config::completions::CompletionsArgs;

/// Runs the verb.
///
/// # Errors
/// Nobody reads it.
pub async fn run(args: CompletionsArgs) -> anyhow::Result<()> {
    Ok(std::io::stdout().lock().write_all(&args.script())?)
}
