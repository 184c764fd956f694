//! The one reader of arguments and environment: clap's types, turned into the modules' own configuration.

pub mod aws;
mod checked;
pub mod compare;
#[cfg(feature = "completions")]
pub mod completions;
pub mod doctor;
pub mod export;
pub mod fetch;
pub mod healthcheck;
pub mod history;
pub mod key;
pub mod model;
pub mod platform;
pub mod predict;
pub mod promote;
pub mod publish;
pub mod registry;
pub mod rotate;
mod sandbox;
pub mod seal;
pub mod serve;
pub mod sign;
pub mod trust;
pub mod upkeep;

use std::ffi::OsString;

use clap::{Parser, Subcommand};
use tracing::level_filters::LevelFilter;

use crate::telemetry;

pub use checked::SettingsError;

/// The log of every verb but `serve`: warnings, for people.
pub const LOG_OF_VERBS: telemetry::Config =
    telemetry::Config { format: telemetry::Format::Text, level: LevelFilter::WARN };

const EXAMPLES: &str = "\
Examples:
  strongroom key new -o kek                                     make a sealing key
  strongroom publish DIR --registry models --key file:kek       seal a model directory into a registry
  strongroom promote NAME:VERSION --alias live --registry models
  strongroom serve --model NAME --registry models --key file:kek
  curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' localhost:8080/invocations

Without a verb strongroom serves, configured by the environment; that is how a container runs it.
`strongroom VERB --help` tells a verb's options and the environment variables that stand for them.";

/// Serves proprietary ONNX models without ever leaving them readable at rest.
#[derive(Debug, Parser)]
#[command(name = "strongroom", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a sealed model on the SageMaker contract: /ping and /invocations
    Serve(Box<serve::ServeArgs>),
    /// Ask a server on this machine whether it is ready: exit code 0, or 1 and why not
    Healthcheck(healthcheck::HealthcheckArgs),
    /// Tell what this machine gives to a server, and what is in its way
    Doctor(Box<doctor::DoctorArgs>),
    /// Seal a file
    Seal(seal::SealArgs),
    /// Open a sealed file
    Open(seal::OpenArgs),
    /// Show a sealed file's header, without a key
    Inspect(seal::InspectArgs),
    /// Make sealing keys
    Key(key::Key),
    /// Check a model directory, seal it and register it as a version
    Publish(publish::PublishArgs),
    /// Move an alias to a version
    Promote(promote::PromoteArgs),
    /// Move an alias back to the version it pointed to before
    #[cfg(feature = "upkeep")]
    Rollback(promote::RollbackArgs),
    /// Show what happened in a registry, and verify it
    #[cfg(feature = "upkeep")]
    Log(history::LogArgs),
    /// List models, versions and where aliases point
    #[cfg(feature = "upkeep")]
    List(history::ListArgs),
    /// Show one version
    #[cfg(feature = "upkeep")]
    Show(history::ShowArgs),
    /// Open a version and write its files, in plain, to a directory
    #[cfg(feature = "upkeep")]
    Fetch(fetch::FetchArgs),
    /// Read everything in a registry and name what is wrong with it
    #[cfg(feature = "upkeep")]
    Fsck(upkeep::FsckArgs),
    /// List the objects that no version needs, and delete them
    #[cfg(feature = "upkeep")]
    Gc(upkeep::GcArgs),
    /// Move every model to a new sealing key, without touching what is sealed
    #[cfg(feature = "upkeep")]
    Rotate(Box<rotate::RotateArgs>),
    /// Seal versions again under new keys, after a sealing key was read by somebody else
    #[cfg(feature = "upkeep")]
    Reseal(Box<rotate::ResealArgs>),
    /// Make a version unreadable for ever, by deleting its keys
    #[cfg(feature = "upkeep")]
    Erase(upkeep::EraseArgs),
    /// Sign a registry from before there were signatures
    #[cfg(feature = "upkeep")]
    Migrate(upkeep::MigrateArgs),
    /// Write a completion script for a shell
    #[cfg(feature = "completions")]
    Completions(completions::CompletionsArgs),
    /// Sign a model directory, in the format of OpenSSF Model Signing
    #[cfg(feature = "upkeep")]
    Sign(sign::SignArgs),
    /// Verify a model directory's signatures
    #[cfg(feature = "upkeep")]
    Verify(sign::VerifyArgs),
    /// Write a trust policy: who may sign models, and who may publish them
    #[cfg(feature = "upkeep")]
    Trust(trust::TrustPolicyArgs),
    /// Write a sealed version as SageMaker mounts it: a directory or a model.tar.gz
    Export(export::ExportArgs),
    /// Run a model on files, as the server would
    Predict(predict::PredictArgs),
    /// Tell whether two photos show the same person
    Compare(compare::CompareArgs),
}

impl Arguments {
    /// Reads the process' arguments; none at all means `serve`.
    ///
    /// # Errors
    /// Not a failure only: `--help` and `--version` come this way too.
    pub fn read() -> Result<Self, clap::Error> {
        let mut arguments: Vec<OsString> = std::env::args_os().collect();
        if arguments.len() <= 1 {
            arguments = vec!["strongroom".into(), "serve".into()];
        }
        Self::try_parse_from(arguments)
    }
}
