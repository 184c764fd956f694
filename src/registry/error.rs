//! Why a model was not published, promoted, fetched or exported.

mod remedy;

use std::fmt;
use std::path::PathBuf;

use crate::bundle::BundleError;
use crate::keys::KeyError;
use crate::sealed::{OpenError, SealError};
use crate::signed::{SignatureError, TrustError};
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
    /// The trust policy that a secret holds cannot be read.
    #[error("the trust policy in the secret {secret} cannot be read")]
    Policy {
        /// Its name or ARN.
        secret: String,
        /// Why.
        source: PolicyError,
    },
    /// A recovery key is one of the registry's own.
    #[error("the recovery key {kek} is the sealing key itself, or a version of its secret")]
    SameKey {
        /// Its name.
        kek: String,
    },
    /// What is to be sealed again is sealed under the key that would seal it.
    #[error("{model} was sealed under the key {kek}, which is the current one")]
    NoNewKey {
        /// `NAME:VERSION`.
        model: String,
        /// Its name.
        kek: String,
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

/// Why a policy cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The secret.
    #[error(transparent)]
    Secret(#[from] KeyError),
    /// What it holds.
    #[error(transparent)]
    Form(#[from] TrustError),
}

/// Names the object a store's failure is about.
pub(super) fn at(stage: Stage, object: &str) -> impl FnOnce(StoreError) -> RegistryError + use<> {
    let object = object.to_owned();
    move |source| RegistryError::Store { stage, object, source }
}
