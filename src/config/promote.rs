//! The arguments of `strongroom promote`.

use clap::Args;

use super::registry::{RetentionArgs, StoreArgs};
use crate::registry::{AliasName, ModelRef};

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
    /// How long what is written stays.
    pub retention: RetentionArgs,
    /// Answer with JSON
    #[arg(long)]
    pub json: bool,
}
