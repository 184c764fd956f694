//! The arguments of `strongroom publish`.

use std::path::PathBuf;

use clap::Args;

use super::model::ModelStoreArgs;
use super::registry::RetentionArgs;
use super::sign::OptionalSignersArgs;
use crate::registry::AliasName;

/// Check a model directory, seal it and register it as a version
#[derive(Debug, Clone, Args)]
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
    /// Move this alias to the version afterwards
    #[arg(long, value_name = "ALIAS")]
    pub alias: Option<AliasName>,
    /// Answer with JSON
    #[arg(long)]
    pub json: bool,
}
