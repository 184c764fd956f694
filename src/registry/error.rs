//! Why a model was not published, promoted, fetched or exported.

use std::fmt;
use std::path::PathBuf;

use crate::bundle::BundleError;
use crate::keys::KeyError;
use crate::sealed::{OpenError, SealError};
use crate::signed::SignatureError;
use crate::signer::SignerError;
use crate::store::StoreError;

/// What kind of object a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// `aliases/`: where an alias points.
    Alias,
    /// `log/`: what happened, in order.
    Log,
    /// `keyslots/`: an artifact's key under a KEK.
    Keyslot,
    /// The sealed list of a version's files.
    FileIndex,
    /// A sealed file.
    Blob,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alias => "alias",
            Self::Log => "log entry",
            Self::Keyslot => "keyslot",
            Self::FileIndex => "file index",
            Self::Blob => "sealed file",
        })
    }
}

/// Why a model was not published, promoted, fetched or exported: the stage, the object, and the cause as `source`.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A model, version or alias is not named by the rules.
    #[error("malformed model name {found:?}: {reason}")]
    BadReference {
        /// As given, cut to 120 characters.
        found: String,
        /// The rule.
        reason: &'static str,
    },
    /// A file of the bundle directory cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the bundle directory is none a bundle may hold.
    #[error("{} cannot be in a bundle: {reason}", path.display())]
    Unfit {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// More or larger files than a version may hold, or one with a path that names no file below the bundle.
    #[error("the files cannot be a version: {reason}")]
    Bounds {
        /// What was expected and found.
        reason: String,
    },
    /// No alias of that name.
    #[error("model {model} has no alias {alias}")]
    NoAlias {
        /// The model.
        model: String,
        /// The alias.
        alias: String,
    },
    /// No version of that name or digest.
    #[error("the registry has no version {model}")]
    NoVersion {
        /// As asked for.
        model: String,
    },
    /// The version is there with other content.
    #[error("version {model} is published already, with other content; versions are immutable")]
    Immutable {
        /// `NAME:VERSION`.
        model: String,
    },
    /// The store failed.
    #[error("{stage} {object} cannot be read or written")]
    Store {
        /// Kind of object.
        stage: Stage,
        /// Its key.
        object: String,
        /// Why.
        source: StoreError,
    },
    /// The KEK is not had.
    #[error("the sealing key cannot be had")]
    Key {
        /// Why.
        #[from]
        source: KeyError,
    },
    /// No keyslot for the key at hand.
    #[error("keyslot {object}: the key {key} does not open this model, which is sealed under {found}")]
    WrongKey {
        /// Where the keyslots are.
        object: String,
        /// Name of the KEK at hand.
        key: String,
        /// Names of the KEKs that would open it.
        found: String,
    },
    /// Sealed bytes are not authentic.
    #[error("{stage} {object} cannot be opened")]
    Open {
        /// Kind of object.
        stage: Stage,
        /// Its key.
        object: String,
        /// Why.
        source: OpenError,
    },
    /// An object is not what the one that names it says.
    #[error("{stage} {object}: {reason}")]
    Damaged {
        /// Kind of object.
        stage: Stage,
        /// Its key.
        object: String,
        /// What was expected and found.
        reason: String,
    },
    /// Sealing failed.
    #[error("sealing a file failed")]
    Seal {
        /// Why.
        #[from]
        source: SealError,
    },
    /// The local copy of a sealed file failed.
    #[error("a sealed file cannot be written to the temporary directory")]
    Scratch {
        /// Why.
        #[from]
        source: std::io::Error,
    },
    /// Others wrote all the time.
    #[error("{stage} {object}: other writers were first {attempts} times")]
    Contended {
        /// Kind of object.
        stage: Stage,
        /// Its key.
        object: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// The log says that an alias moved, its object does not yet.
    #[error("{alias} was moved, in the log as entry {index}, but its alias object did not follow yet")]
    Lagging {
        /// `NAME:ALIAS`.
        alias: String,
        /// The promote entry's place in the log.
        index: u64,
        /// Why the object was not replaced.
        source: Box<RegistryError>,
    },
    /// Nobody signed it, and the trust policy asks for that.
    #[error("{object} is not signed")]
    Unsigned {
        /// The entry, or the version.
        object: String,
    },
    /// Its signatures do not count.
    #[error("{object} is not trusted")]
    NotTrusted {
        /// The entry, or the version.
        object: String,
        /// Why.
        source: SignatureError,
    },
    /// An alias points to where it may not any longer.
    #[error("{alias} points to what log entry {index} says, expected none before {floor}")]
    BelowFloor {
        /// `NAME:ALIAS`.
        alias: String,
        /// Of the entry that the alias object is a copy of.
        index: u64,
        /// The smallest index that is accepted.
        floor: u64,
    },
    /// A key does not sign.
    #[error("the log entry cannot be signed")]
    Signer {
        /// Why.
        #[from]
        source: SignerError,
    },
    /// Somebody else moved the alias while it was to be rolled back.
    #[error("{alias} was moved to {version} meanwhile, by log entry {index}; nothing was rolled back")]
    Moved {
        /// `NAME:ALIAS`.
        alias: String,
        /// Where it points now.
        version: String,
        /// Of the entry that says so.
        index: u64,
    },
    /// The version's key was destroyed.
    #[error("version {model} was erased, by log entry {index}")]
    Erased {
        /// `NAME:VERSION`.
        model: String,
        /// Of the entry that says so.
        index: u64,
    },
    /// A KEK cannot be given up.
    #[error("the key {kek} is still needed for {model}")]
    Retiring {
        /// Its name.
        kek: String,
        /// What needs it.
        model: String,
    },
    /// What is to be erased is what an alias points to.
    #[error("version {model} is what {alias} points to")]
    InUse {
        /// `NAME:VERSION`.
        model: String,
        /// `NAME:ALIAS`.
        alias: String,
    },
    /// There is nothing to roll back to.
    #[error("{alias} has not moved: there is nothing to roll back to")]
    NothingBefore {
        /// `NAME:ALIAS`.
        alias: String,
    },
    /// A mounted directory is not there, or is neither an export nor a bundle.
    #[error("{} is no mounted model: {reason}", path.display())]
    NoModel {
        /// The directory, or the part of it that is wrong.
        path: PathBuf,
        /// What was found.
        reason: &'static str,
    },
    /// A mounted model is sealed, and no key is set.
    #[error("{} holds a sealed model, and no key is set that opens it", path.display())]
    NoKey {
        /// The directory.
        path: PathBuf,
    },
    /// A mounted model is not sealed, and only sealed ones are allowed.
    #[error("{} holds an unsealed model, expected a sealed one", path.display())]
    Unsealed {
        /// The directory.
        path: PathBuf,
    },
    /// A mounted plain directory is no bundle.
    #[error("{} is no bundle", path.display())]
    Bundle {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: BundleError,
    },
    /// A worker ended without an answer.
    #[error("a worker thread ended early")]
    Worker {
        /// Why.
        #[from]
        source: tokio::task::JoinError,
    },
}

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
            Self::Open { source, .. } => source.remedy().or_else(|| self.remedy_text()),
            Self::NotTrusted { source, .. } => Some(source.remedy().to_owned()),
            Self::Signer { source } => source.remedy(),
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
            | Self::Bundle { .. }
            | Self::Worker { .. } => return None,
        };
        Some(text.to_owned())
    }
}

/// Names the object a store's failure is about.
pub(super) fn at(stage: Stage, object: &str) -> impl FnOnce(StoreError) -> RegistryError + use<> {
    let object = object.to_owned();
    move |source| RegistryError::Store { stage, object, source }
}
