//! The arguments of `strongroom promote` and `strongroom rollback`.

use clap::Args;

use super::checked::SettingsError;
use super::registry::{RetentionArgs, StoreArgs};
use super::sign::OptionalSignersArgs;
use crate::registry::{AliasName, ModelRef, RegistryError, Selector};

/// Move an alias to a version
#[derive(Debug, Clone, Args)]
pub struct PromoteArgs {
    /// The version: NAME:VERSION or NAME@sha256:HEX, or another alias that points to it, NAME:ALIAS
    #[arg(value_name = "MODEL")]
    pub model: ModelRef,
    /// The alias to move
    #[arg(long, value_name = "ALIAS")]
    pub alias: AliasName,
    #[command(flatten)]
    /// The registry.
    pub store: StoreArgs,
    #[command(flatten)]
    /// Who signs the entry.
    pub signers: OptionalSignersArgs,
    #[command(flatten)]
    /// How long what is written stays.
    pub retention: RetentionArgs,
    /// Answer with JSON
    #[arg(long)]
    pub json: bool,
}

/// Move an alias back to the version it pointed to before
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  strongroom rollback face-analyzer --registry s3://bucket/models --signing-key kms:alias/models
  strongroom rollback face-analyzer:canary --registry models

A new log entry says so: what was rolled back stays in the log, and a container sees the index rise. Rolled back twice, an
alias is where it was. To another version than the one before, use `strongroom promote`.")]
pub struct RollbackArgs {
    /// The alias: NAME[:ALIAS] (default alias `live`)
    #[arg(value_name = "NAME[:ALIAS]")]
    alias: ModelRef,
    #[command(flatten)]
    /// The registry.
    pub store: StoreArgs,
    #[command(flatten)]
    /// Who signs the entry.
    pub signers: OptionalSignersArgs,
    #[command(flatten)]
    /// How long what is written stays.
    pub retention: RetentionArgs,
    /// Answer with JSON
    #[arg(long)]
    pub json: bool,
}

impl RollbackArgs {
    /// Which model's, and which alias.
    ///
    /// # Errors
    /// A version is named.
    pub fn alias(&self) -> Result<(&str, AliasName), SettingsError> {
        let alias = match &self.alias.selector {
            Selector::Alias(alias) => alias.as_str(),
            Selector::Version(_) | Selector::Digest(_) => {
                let problem = format!("{} names a version; an alias is rolled back: NAME[:ALIAS]", self.alias);
                return Err(SettingsError::of(problem));
            }
        };
        let alias = alias.parse().map_err(|error: RegistryError| SettingsError::of(error.to_string()))?;
        Ok((&self.alias.name, alias))
    }
}
