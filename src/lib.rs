//! Strongroom serves proprietary ONNX models without ever leaving them readable at rest.
//!
//! The crate is one library with a thin `main.rs`. Modules stand on floors; an import goes to a lower floor only, and
//! `tests/architecture.rs` fails when one does not:
//!
//! ```text
//! 7 cli        one file per verb
//! 6 serve      composition root: confine, bind, fetch, open, load, self-test, ready, drain
//! 5 config     the one reader of arguments and environment
//! 4 http       the SageMaker contract, the only place that knows actix
//! 2 predict    one request through one model, and the self-test
//! 2 registry   versions and aliases: publish, fetch, promote
//! 1 model      ONNX to a running model, the only folder that names tract
//! 1 keys       key-encryption keys by id
//! 1 signer     private keys that sign
//! 1 store      bytes by key
//! 0 sealed     AWS Encryption SDK message v2
//! 0 signed     signatures and who is trusted
//! 0 bundle     the model directory
//! 0 secret_file  files that only their owner may read
//! 0 sandbox    what the process gives up
//! 0 telemetry  log set-up, metric and field names
//! ```

#![warn(missing_docs, unreachable_pub)]
// A test may stop at what it did not expect; the program answers with an error, and speaks through `cli` alone.
#![warn(clippy::expect_used, clippy::panic, clippy::todo, clippy::unimplemented, clippy::unwrap_used)]
#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod bundle;
pub mod cli;
pub mod config;
pub mod http;
pub mod keys;
pub mod model;
pub mod predict;
pub mod registry;
pub mod sandbox;
pub mod sealed;
pub mod secret_file;
pub mod serve;
pub mod signed;
pub mod signer;
pub mod store;
pub mod telemetry;
