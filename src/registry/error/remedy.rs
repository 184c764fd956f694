//! What helps against each error.

use super::{PolicyError, RegistryError};
use crate::store::StoreError;

impl RegistryError {
    /// What the user can do about it.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Store { source, .. } => source.remedy().map(Into::into).or_else(|| self.remedy_text()),
            Self::Lagging { source, .. } => {
                let first = source.remedy().map(|remedy| format!("{remedy}; then ")).unwrap_or_default();
                Some(format!("{first}run the same promote again; any publish or promote of the model completes it"))
            }
            Self::Key { source } => source.remedy(),
            Self::Bundle { source, .. } => source.remedy().map(Into::into),
            Self::NotTrusted { source, .. } => Some(source.remedy().to_owned()),
            Self::Signer { source } => source.remedy(),
            Self::Policy { source: PolicyError::Secret(source), .. } => source.remedy(),
            Self::Policy { source: PolicyError::Form(_), .. } => {
                Some("put what `strongroom trust` writes into the secret".to_owned())
            }
            Self::WrongKey { found, .. } => Some(format!(
                "give --key or STRONGROOM_KEY the key file whose key is {found}, or the secret that has that version"
            )),
            Self::BadReference { .. }
            | Self::Unreadable { .. }
            | Self::Unfit { .. }
            | Self::Bounds { .. }
            | Self::NoAlias { .. }
            | Self::NoVersion { .. }
            | Self::Immutable { .. }
            | Self::Damaged { .. }
            | Self::Open { .. }
            | Self::Seal { .. }
            | Self::Scratch { .. }
            | Self::Contended { .. }
            | Self::NoModel { .. }
            | Self::NoKey { .. }
            | Self::Unsealed { .. }
            | Self::Unsigned { .. }
            | Self::BelowFloor { .. }
            | Self::NothingBefore { .. }
            | Self::Moved { .. }
            | Self::Erased { .. }
            | Self::InUse { .. }
            | Self::Retiring { .. }
            | Self::SameKey { .. }
            | Self::NoNewKey { .. }
            | Self::Worker { .. } => self.remedy_text(),
        }
    }

    fn remedy_text(&self) -> Option<String> {
        let text = match self {
            Self::BadReference { .. } => "write NAME, NAME:ALIAS, NAME:VERSION or NAME@sha256:HEX",
            Self::Unfit { .. } => "leave it out, or copy the directory with its links resolved: cp -rL DIR COPY",
            Self::NoAlias { .. } => {
                "check the name; publish the model where it is new: strongroom publish DIR --alias ALIAS, or promote a version: strongroom promote NAME:VERSION --alias ALIAS"
            }
            Self::NoVersion { .. } => "publish it: strongroom publish DIR",
            Self::Immutable { .. } => "raise `version` in model.toml and publish again",
            Self::Store {
                source: StoreError::NotFound { .. } | StoreError::OutOfRange { .. } | StoreError::TooLarge { .. },
                ..
            }
            | Self::Open { .. }
            | Self::Damaged { .. } => {
                "the object is missing or was altered: export a mounted model again; in a registry restore the object from \
                 the bucket's versions, or publish the model under a new version and promote that"
            }
            Self::Scratch { .. } => "make room in the temporary directory, or set TMPDIR to another one",
            Self::Contended { .. } => "try again",
            Self::Unsigned { .. } => {
                "sign it: `strongroom sign DIR` for a model, --signing-key for what is written to a registry; `strongroom migrate` \
                 signs a registry from before there were signatures"
            }
            Self::BelowFloor { .. } => {
                "somebody may have put back an old alias object: compare with `strongroom log`; promote again, or lower \
                 STRONGROOM_MIN_INDEX"
            }
            Self::Erased { .. } => "publish the model again, under a new version",
            Self::Retiring { .. } => "rotate first: strongroom rotate",
            Self::SameKey { .. } => {
                "name a key that is kept elsewhere: strongroom key new -o FILE makes one; the file is for a safe"
            }
            Self::NoNewKey { .. } => "rotate first, so that there is a new key: strongroom rotate; then do it again",
            Self::InUse { .. } => "move the alias first: strongroom promote NAME:VERSION --alias ALIAS",
            Self::Moved { .. } => "look with `strongroom log`, and roll back again if that is still wanted",
            Self::NothingBefore { .. } => {
                "name the version that is wanted: strongroom promote NAME:VERSION --alias ALIAS"
            }
            Self::NoModel { .. } => {
                "mount what `strongroom export` wrote, without links: entry.json, keyslots/ and blobs/ at the top"
            }
            Self::NoKey { .. } => {
                "set STRONGROOM_KEY (--key) to file:PATH, secretsmanager:NAME-or-ARN or a secret's ARN"
            }
            Self::Unsealed { .. } => {
                "mount a sealed one, which `strongroom export` writes; or, for a model that needs no secrecy, set \
                 STRONGROOM_ALLOW_UNSEALED=true"
            }
            Self::Unreadable { .. }
            | Self::Bounds { .. }
            | Self::Store { .. }
            | Self::Key { .. }
            | Self::WrongKey { .. }
            | Self::Seal { .. }
            | Self::Lagging { .. }
            | Self::NotTrusted { .. }
            | Self::Signer { .. }
            | Self::Policy { .. }
            | Self::Bundle { .. }
            | Self::Worker { .. } => return None,
        };
        Some(text.to_owned())
    }
}
