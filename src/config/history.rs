//! The arguments of `strongroom log`, `strongroom list` and `strongroom show`.

use clap::{Args, Subcommand};

use super::checked::SettingsError;
use super::registry::{OptionalStoreArgs, StoreArgs};
use crate::registry::ModelRef;

/// Show what happened in a registry: who registered and moved what, and when
#[derive(Debug, Clone, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  strongroom log --registry s3://bucket/models --trust trust.json
  strongroom log face-analyzer --registry models --json
  strongroom log verify --registry models --trust trust.json

With a trust policy each line says who signed the entry. `log verify` walks the whole log and ends with 1 at the first entry
or alias object that does not hold."
)]
pub struct LogArgs {
    /// What to do instead.
    #[command(subcommand)]
    pub verb: Option<LogVerb>,
    /// Only what is about this model
    #[arg(value_name = "NAME")]
    pub model: Option<String>,
    #[command(flatten)]
    store: OptionalStoreArgs,
    /// Answer with JSON, an object a line
    #[arg(long)]
    pub json: bool,
}

impl LogArgs {
    /// The registry.
    ///
    /// # Errors
    /// None is named.
    pub fn store(&self) -> Result<StoreArgs, SettingsError> {
        self.store.clone().check()
    }
}

/// What `strongroom log` can do beside showing.
#[derive(Debug, Clone, Subcommand)]
pub enum LogVerb {
    /// Check the whole log: chain, times, signatures, alias objects
    Verify(LogVerifyArgs),
}

/// The arguments of `strongroom log verify`.
#[derive(Debug, Clone, Args)]
pub struct LogVerifyArgs {
    #[command(flatten)]
    /// The registry, and who is trusted.
    pub store: StoreArgs,
    /// Answer with JSON
    #[arg(long)]
    pub json: bool,
}

/// List models, versions and where aliases point
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example:
  strongroom list --registry s3://bucket/models --trust trust.json")]
pub struct ListArgs {
    #[command(flatten)]
    /// The registry.
    pub store: StoreArgs,
    /// Answer with JSON, an object a line
    #[arg(long)]
    pub json: bool,
}

/// Show one version: what it is, who published it, which aliases point to it
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example:
  strongroom show face-analyzer:live --registry s3://bucket/models --trust trust.json")]
pub struct ShowArgs {
    /// The version: NAME:VERSION, NAME@sha256:HEX or NAME[:ALIAS]
    #[arg(value_name = "MODEL")]
    pub model: ModelRef,
    #[command(flatten)]
    /// The registry.
    pub store: StoreArgs,
    /// Answer with JSON
    #[arg(long)]
    pub json: bool,
}
