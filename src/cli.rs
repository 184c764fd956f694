//! One file per verb: runs it. Here errors become lines for people, and exit codes.

pub mod compare;
#[cfg(feature = "completions")]
pub mod completions;
pub mod doctor;
pub mod erase;
pub mod export;
pub mod fetch;
pub mod fsck;
pub mod gc;
pub mod healthcheck;
pub mod inspect;
pub mod key;
pub mod list;
pub mod log;
pub mod migrate;
mod new_directory;
mod new_file;
pub mod open;
mod open_model;
pub mod predict;
pub mod promote;
pub mod publish;
mod report;
pub mod reseal;
pub mod rotate;
pub mod seal;
pub mod serve;
pub mod show;
pub mod sign;
mod tar_gz;
pub mod trust;
pub mod verify;

use std::process::ExitCode;

use crate::config::{Arguments, Command};

/// Wrong arguments or settings, as clap has it.
const USAGE: u8 = 2;

/// Parses the arguments, runs the verb, prints the error chain and answers with the exit code: 0, 1, or 2 for wrong
/// arguments and settings.
pub fn main() -> ExitCode {
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(error) => return report::usage(&error),
    };
    match dispatch(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report::failure(&error),
    }
}

fn dispatch(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(args) => serve::run(*args),
        Command::Healthcheck(args) => healthcheck::run(&args),
        Command::Doctor(args) => doctor::run(*args),
        Command::Seal(args) => verb(seal::run(&args)),
        Command::Open(args) => verb(open::run(&args)),
        Command::Inspect(args) => verb(inspect::run(&args)),
        Command::Key(args) => verb(key::run(args)),
        Command::Publish(args) => verb(publish::run(args)),
        Command::Promote(args) => verb(promote::run(args)),
        #[cfg(feature = "upkeep")]
        Command::Rollback(args) => verb(promote::roll_back(args)),
        #[cfg(feature = "upkeep")]
        Command::Log(args) => verb(log::run(args)),
        #[cfg(feature = "upkeep")]
        Command::List(args) => verb(list::run(args)),
        #[cfg(feature = "upkeep")]
        Command::Show(args) => verb(show::run(args)),
        #[cfg(feature = "upkeep")]
        Command::Fetch(args) => verb(fetch::run(args)),
        #[cfg(feature = "upkeep")]
        Command::Fsck(args) => verb(fsck::run(args)),
        #[cfg(feature = "upkeep")]
        Command::Gc(args) => verb(gc::run(args)),
        #[cfg(feature = "upkeep")]
        Command::Erase(args) => verb(erase::run(args)),
        #[cfg(feature = "upkeep")]
        Command::Rotate(args) => verb(rotate::run(*args)),
        #[cfg(feature = "upkeep")]
        Command::Reseal(args) => verb(reseal::run(*args)),
        #[cfg(feature = "upkeep")]
        Command::Migrate(args) => verb(migrate::run(args)),
        #[cfg(feature = "completions")]
        Command::Completions(args) => verb(completions::run(args)),
        #[cfg(feature = "upkeep")]
        Command::Sign(args) => verb(sign::run(args)),
        #[cfg(feature = "upkeep")]
        Command::Verify(args) => verb(verify::run(args)),
        #[cfg(feature = "upkeep")]
        Command::Trust(args) => verb(trust::run(args)),
        Command::Export(args) => verb(export::run(args)),
        Command::Predict(args) => verb(predict::run(args)),
        Command::Compare(args) => verb(compare::run(args)),
    }
}

/// What the verbs have around them that hold keys and do not serve: warnings for people, and no dumps.
fn verb(run: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    crate::telemetry::start(crate::config::LOG_OF_VERBS);
    crate::sandbox::forbid_dumps()?;
    block_on(run)
}

/// Runs a verb on threads that are started now.
fn block_on(run: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let outcome = runtime.block_on(run);
    // A verb that was told to stop does not wait for CPU work that nobody needs any more.
    runtime.shutdown_background();
    outcome
}
