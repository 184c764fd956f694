//! The arguments of `strongroom fsck`, `strongroom gc`, `strongroom erase` and `strongroom migrate`.

use std::time::Duration;

use clap::Args;

use super::checked::SettingsError;
use super::model::ModelStoreArgs;
use super::registry::{RetentionArgs, StoreArgs};
use super::sign::{OptionalSignersArgs, SignersArgs};
use super::trust::Trusted;
use crate::registry::{ModelRef, Selector};

/// Read everything in a registry and name what is wrong with it
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example:
  strongroom fsck --registry s3://bucket/models --key secretsmanager:models/kek --trust trust.json

Every log entry, alias object, keyslot and sealed file is read and compared with what names it. Exit code 1 means that
something is wrong; each fault is told with what helps. Nothing is written.")]
pub struct FsckArgs {
    #[command(flatten)]
    /// The registry and its key.
    pub store: ModelStoreArgs,
    /// Answer with JSON
    #[arg(long)]
    pub json: bool,
}

/// Sign a registry from before there were signatures
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Example:
  strongroom migrate --registry s3://bucket/models --signing-key kms:alias/models --trust trust.json

Look at `strongroom list` and `strongroom log` first: who signs, vouches for every version and alias that is there. Each is
written once more, in an entry that is signed; sealed files and keyslots stay as they are. Digests that name versions
(NAME@sha256:HEX) change with their entries. It may be run again.")]
pub struct MigrateArgs {
    #[command(flatten)]
    /// The registry, and who is trusted.
    pub store: StoreArgs,
    #[command(flatten)]
    /// Who signs.
    pub signers: SignersArgs,
    #[command(flatten)]
    /// How long what is written stays.
    pub retention: RetentionArgs,
    /// Answer with JSON
    #[arg(long)]
    pub json: bool,
}

impl MigrateArgs {
    /// Who is trusted: it tells what is signed already.
    ///
    /// # Errors
    /// There is no policy, or it cannot be read.
    pub fn trusted(&self) -> Result<Trusted, SettingsError> {
        let trusted = self.store.trust.check()?;
        let missing =
            || SettingsError::of("STRONGROOM_TRUST (--trust) is not set: it tells what is signed already".to_owned());
        if trusted.is_set() { Ok(trusted) } else { Err(missing()) }
    }
}

/// List the objects that no version needs, and delete them
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  strongroom gc --registry s3://bucket/models --trust trust.json
  strongroom gc --registry models --grace-days 30 --delete

They are what killed publishes leave, and the sealed files of erased versions. A publish that is under way has objects that no
version names yet: leave it more days than a publish takes.")]
pub struct GcArgs {
    #[command(flatten)]
    /// The registry.
    pub store: StoreArgs,
    /// Leave what was written in the last so many days
    #[arg(long, value_name = "DAYS", default_value = "7", value_parser = clap::value_parser!(u32).range(0..=36_500))]
    grace_days: u32,
    /// Delete them, with all their earlier versions
    #[arg(long)]
    pub delete: bool,
    /// Answer with JSON, an object a line
    #[arg(long)]
    pub json: bool,
}

impl GcArgs {
    /// How old an object has to be.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(u64::from(self.grace_days) * 86_400)
    }
}

/// Make a version unreadable for ever, by deleting its keys
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  strongroom erase face-analyzer:0.9.0 --registry s3://bucket/models          say what would be done
  strongroom erase face-analyzer:0.9.0 --registry s3://bucket/models --yes

The log says so first, then every keyslot of the version is deleted, with all earlier versions that the bucket keeps of them
(s3:ListBucketVersions and s3:DeleteObjectVersion). No alias may point to the version. The sealed files stay until `strongroom
gc --delete`, and nothing opens them. Stopped in between, run it again.")]
pub struct EraseArgs {
    /// The version: NAME:VERSION or NAME@sha256:HEX
    #[arg(value_name = "MODEL")]
    model: ModelRef,
    #[command(flatten)]
    /// The registry.
    pub store: StoreArgs,
    #[command(flatten)]
    /// Who signs the entry.
    pub signers: OptionalSignersArgs,
    #[command(flatten)]
    /// How long what is written stays.
    pub retention: RetentionArgs,
    /// Do it: it cannot be undone
    #[arg(long)]
    pub yes: bool,
    /// Answer with JSON
    #[arg(long)]
    pub json: bool,
}

impl EraseArgs {
    /// The version.
    ///
    /// # Errors
    /// An alias is named, which may move between the question and the deed.
    pub fn version(&self) -> Result<&ModelRef, SettingsError> {
        a_version(&self.model, "erased")
    }
}

/// `model`, unless it is an alias, of which nothing is `done`.
pub(super) fn a_version<'a>(model: &'a ModelRef, done: &str) -> Result<&'a ModelRef, SettingsError> {
    match &model.selector {
        Selector::Version(_) | Selector::Digest(_) => Ok(model),
        Selector::Alias(_) => {
            let problem = format!("{model} names an alias; a version is {done}: NAME:VERSION or NAME@sha256:HEX");
            Err(SettingsError::of(problem))
        }
    }
}
