//! The arguments of `strongroom doctor`.

use clap::Args;

use super::serve::ServeArgs;

const HELP: &str = "\
It takes the settings of `strongroom serve`, from the same options and variables, puts the same sandbox on, and asks from
inside what a server will need. Nothing is written and no port is opened. In a container:
  docker run --rm --env-file settings IMAGE doctor

Exit codes: 0 nothing is in the way, 1 something is, 2 the settings are wrong.";

/// Tell what this machine gives to a server, and what is in its way
#[derive(Debug, Clone, Args)]
#[command(after_help = HELP)]
pub struct DoctorArgs {
    /// What would be served.
    #[command(flatten)]
    pub serve: ServeArgs,
    /// Answer with JSON
    #[arg(long)]
    pub json: bool,
}
