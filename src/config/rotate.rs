//! The arguments of `strongroom rotate`.

use clap::Args;

use super::checked::{Checked, SettingsError};
use super::model::ModelStoreArgs;
use super::registry::RetentionArgs;
use super::sign::OptionalSignersArgs;
use crate::keys::KeySource;

/// Move every model to a new sealing key, without touching what is sealed
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  strongroom rotate --registry s3://bucket/models --key secretsmanager:models/kek
  strongroom rotate --registry models --key file:old --new-key file:new
  strongroom rotate --status --registry models --key file:new
  strongroom rotate --retire OLD --registry models --key file:new

Of each model some 360 bytes are written, a keyslot under the new key; then that is the one that seals, and the log says so. Servers go
on with the old key until they start anew. Stopped at any point, run it again. Later, when --status says that nothing hangs
on the old key alone and no server uses it, --retire deletes its keyslots.

A key that somebody else has read is not mended by this: they may have opened keyslots before. Publish such models again.")]
pub struct RotateArgs {
    #[command(flatten)]
    /// The registry and its key.
    pub store: ModelStoreArgs,
    /// The new sealing key, where it is not the next version of the same secret
    #[arg(long, value_name = "KEY")]
    new_key: Option<Checked<KeySource>>,
    /// Say what would be done, and do nothing
    #[arg(long, conflicts_with_all = ["status", "retire"])]
    pub dry_run: bool,
    /// Say what hangs on which key
    #[arg(long, conflicts_with = "retire")]
    pub status: bool,
    /// Delete the keyslots under the key of this name
    #[arg(long, value_name = "NAME")]
    pub retire: Option<String>,
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

impl RotateArgs {
    /// The new sealing key.
    ///
    /// # Errors
    /// It is named wrongly.
    pub fn new_key(&self) -> Result<Option<KeySource>, SettingsError> {
        self.new_key.as_ref().map(|key| key.value("--new-key")).transpose()
    }
}
