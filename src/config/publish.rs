//! The arguments of `strongroom publish`.

use std::path::PathBuf;

use clap::Args;

use super::checked::{Checked, SettingsError};
use super::model::ModelStoreArgs;
use super::registry::RetentionArgs;
use super::sign::OptionalSignersArgs;
use crate::keys::KeySource;
use crate::registry::AliasName;

/// Check a model directory, seal it and register it as a version
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  strongroom publish face-analyzer/ --registry s3://bucket/models --key secretsmanager:models/kek --alias live
  strongroom publish face-analyzer/ --registry models --key file:kek --recovery-key file:/media/safe/recovery
  strongroom publish face-analyzer/ --registry models --key file:kek --provenance run.json --provenance slsa.intoto.jsonl

The bundle is loaded and passes its self-test first, which takes the memory that serving it takes. Publishing the same files
again succeeds, and adds a recovery key that is not there yet.")]
pub struct PublishArgs {
    /// The model directory: ONNX files with model.toml, or a Hugging Face export
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    #[command(flatten)]
    /// The registry and its key.
    pub store: ModelStoreArgs,
    #[command(flatten)]
    /// Who signs the entry.
    pub signers: OptionalSignersArgs,
    #[command(flatten)]
    /// How long what is written stays.
    pub retention: RetentionArgs,
    /// A second key under which the model opens, too, should the sealing key be lost; keep it elsewhere
    #[arg(long, env = "STRONGROOM_RECOVERY_KEY", value_name = "KEY", hide_env_values = true)]
    recovery_key: Option<Checked<KeySource>>,
    /// A document about the model, whose digest the log is to say: training run, dataset, evaluation, SLSA or in-toto file
    #[arg(long, value_name = "FILE")]
    pub provenance: Vec<PathBuf>,
    /// Move this alias to the version afterwards
    #[arg(long, value_name = "ALIAS")]
    pub alias: Option<AliasName>,
    /// Answer with JSON
    #[arg(long)]
    pub json: bool,
}

impl PublishArgs {
    /// The recovery key, if one is named.
    ///
    /// # Errors
    /// It is named wrongly.
    pub fn recovery_key(&self) -> Result<Option<KeySource>, SettingsError> {
        recovery_key(self.recovery_key.as_ref())
    }
}

/// A key that stands in for another one.
pub(super) fn recovery_key(key: Option<&Checked<KeySource>>) -> Result<Option<KeySource>, SettingsError> {
    key.map(|key| key.value("STRONGROOM_RECOVERY_KEY (--recovery-key)")).transpose()
}
