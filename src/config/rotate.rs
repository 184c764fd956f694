//! The arguments of `strongroom rotate`.

use clap::Args;

use super::checked::{Checked, SettingsError};
use super::model::ModelStoreArgs;
use super::publish::recovery_key;
use super::registry::RetentionArgs;
use super::sign::OptionalSignersArgs;
use super::upkeep::a_version;
use crate::keys::KeySource;
use crate::registry::ModelRef;

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

A key that somebody else has read is not mended by this: they may have opened keyslots before. See `strongroom reseal`.")]
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

/// Seal versions again under new keys, after a sealing key was read by somebody else
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  strongroom rotate --registry s3://bucket/models --key secretsmanager:models/kek                      first: a new key
  strongroom reseal face-analyzer:1.2.0 --registry s3://bucket/models --key secretsmanager:models/kek
  strongroom reseal --all --registry s3://bucket/models --key secretsmanager:models/kek

Whoever read a sealing key may have opened keyslots, so a rotation is not enough. Each version is fetched, sealed under a key of
its own that nobody has seen, registered as another version with the same files (1.2.0 becomes 1.2.0+reseal.1), the aliases
are moved there, and the old version is erased. Stopped at any point, run it again. Afterwards `strongroom rotate --retire`
gives up the old key and `strongroom gc --delete` the old sealed files.")]
pub struct ResealArgs {
    /// The version: NAME:VERSION or NAME@sha256:HEX
    #[arg(value_name = "MODEL", required_unless_present = "all", conflicts_with = "all")]
    model: Option<ModelRef>,
    /// Every version that was sealed under another key than the current one
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    /// The registry and its key.
    pub store: ModelStoreArgs,
    /// A second key under which the versions open, too; keep it elsewhere
    #[arg(long, env = "STRONGROOM_RECOVERY_KEY", value_name = "KEY", hide_env_values = true)]
    recovery_key: Option<Checked<KeySource>>,
    #[command(flatten)]
    /// Who signs the entries.
    pub signers: OptionalSignersArgs,
    #[command(flatten)]
    /// How long what is written stays.
    pub retention: RetentionArgs,
    /// Answer with JSON, an object a version
    #[arg(long)]
    pub json: bool,
}

impl ResealArgs {
    /// The version; `None`: all.
    ///
    /// # Errors
    /// An alias is named, which may move between the question and the deed.
    pub fn version(&self) -> Result<Option<&ModelRef>, SettingsError> {
        self.model.as_ref().map(|model| a_version(model, "sealed again")).transpose()
    }

    /// The recovery key, if one is named.
    ///
    /// # Errors
    /// It is named wrongly.
    pub fn recovery_key(&self) -> Result<Option<KeySource>, SettingsError> {
        recovery_key(self.recovery_key.as_ref())
    }
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
