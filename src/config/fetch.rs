//! The arguments of `strongroom fetch`.

use std::path::PathBuf;

use clap::Args;

use super::model::ModelStoreArgs;
use crate::registry::ModelRef;

/// Open a version and write its files, in plain, to a directory
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example:
  strongroom fetch face-analyzer:1.0.0 --registry s3://bucket/models --key secretsmanager:models/kek -o face-analyzer

What is written is readable to you alone (mode 0700), and no longer sealed: it is for working on a model. To serve one
without a registry, use `strongroom export`, which opens nothing.")]
pub struct FetchArgs {
    /// The version: NAME:VERSION, NAME@sha256:HEX or NAME[:ALIAS]
    #[arg(value_name = "MODEL")]
    pub model: ModelRef,
    /// The directory to make, new or empty
    #[arg(short, long, value_name = "DIR")]
    pub output: PathBuf,
    #[command(flatten)]
    /// The registry and its key.
    pub store: ModelStoreArgs,
    /// Answer with JSON
    #[arg(long)]
    pub json: bool,
}
