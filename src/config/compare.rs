//! The arguments of `strongroom compare`.

use std::path::PathBuf;

use clap::Args;

use super::model::{ModelSource, ModelStoreArgs};

/// Tell whether two photos show the same person
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// A photo
    #[arg(value_name = "A")]
    pub first: PathBuf,
    /// Another photo
    #[arg(value_name = "B")]
    pub second: PathBuf,
    /// NAME[:ALIAS], NAME:VERSION or NAME@sha256:HEX of a registry, or a path with a `/` in it to a plain bundle or an
    /// exported model
    #[arg(long, env = "STRONGROOM_MODEL", value_name = "MODEL")]
    pub model: ModelSource,
    #[command(flatten)]
    /// Where a registered model is.
    pub store: ModelStoreArgs,
    /// Answer with JSON, as the server would
    #[arg(long)]
    pub json: bool,
}
