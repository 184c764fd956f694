//! One file per verb.

pub mod key;
pub mod promote;
pub mod publish;

use std::process::ExitCode;

/// Parses the arguments, runs the verb, prints the error chain and answers with the exit code.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
