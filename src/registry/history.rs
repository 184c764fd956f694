//! What happened in a registry, told: every log entry with what it says and who signed it.

use std::collections::BTreeSet;

use super::error::Stage;
use super::log::Log;
use super::statement::{Entry, EntryRef, Erase, Event, Promote, Register, Rekey};
use super::{Authority, ModelRef, Provenance, RegistryError, alias, keyslot, layout};
use crate::signed::Signer;
use crate::store::Store;

/// One log entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the log.
    pub index: u64,
    /// When it was written, as its writer says.
    pub created: String,
    /// Hex SHA-256 of its bytes.
    pub digest: String,
    /// What it says.
    pub change: Change,
    /// What its signatures are worth.
    pub standing: Standing,
}

/// What a log entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A version came to be.
    Registered {
        /// The model.
        model: String,
        /// Its version.
        version: String,
        /// Id of the artifact: the name of the key that its files are sealed under.
        artifact: String,
        /// How many sealed files it has, the list of them included.
        files: usize,
    },
    /// An alias was moved.
    Moved {
        /// The model.
        model: String,
        /// What was moved.
        alias: String,
        /// Where to.
        version: String,
        /// Where from.
        previous: Option<String>,
        /// Whether it was rolled back.
        back: bool,
    },
    /// Every version has a keyslot under another KEK.
    Rotated {
        /// Name of the KEK.
        kek: String,
        /// How many artifacts open under it.
        artifacts: u64,
    },
    /// A version's keyslots were deleted.
    Erased {
        /// The model.
        model: String,
        /// The version.
        version: String,
    },
}

impl Change {
    /// The model that it is about; `None` where it is about all of them.
    pub fn model(&self) -> Option<&str> {
        match self {
            Self::Registered { model, .. } | Self::Moved { model, .. } | Self::Erased { model, .. } => Some(model),
            Self::Rotated { .. } => None,
        }
    }
}

/// What an entry's signatures are worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has none.
    Unsigned,
    /// It has some, and there is no policy to verify them by.
    Unverified,
    /// Signed by those who are trusted.
    SignedBy(Vec<Signer>),
    /// It does not count by the policy, for this reason.
    Refused(String),
}

impl Standing {
    fn of(authority: &Authority, entry: &Entry) -> Self {
        match (entry.signed, &authority.trust) {
            (false, None) => Self::Unsigned,
            (true, None) => Self::Unverified,
            (_, Some(_)) => match authority.publishers(entry) {
                Ok(signers) => Self::SignedBy(signers),
                Err(RegistryError::NotTrusted { source, .. }) => Self::Refused(source.to_string()),
                Err(_) => Self::Refused("it is not signed".to_owned()),
            },
        }
    }

    /// Whether readers with the same policy go by the entry.
    pub fn counts(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }
}

/// One version, as [`find_version`] found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// The entry that registers it.
    pub record: Record,
    /// The aliases that point to it.
    pub aliases: Vec<String>,
    /// Names of the KEKs that open it.
    pub keks: Vec<String>,
    /// Documents that say where it comes from.
    pub provenance: Vec<Provenance>,
}

/// What there is to know of the version that `model` names, without a key.
///
/// # Errors
/// There is no such version, or the store.
pub async fn find_version(store: &Store, authority: &Authority, model: &ModelRef) -> Result<Version, RegistryError> {
    let log = Log::read(store, authority).await?;
    let register = log.resolve(model)?;
    let keks = keyslot::names(store, &register.event).await?;
    let (name, version) = (register.event.model.clone(), register.event.version.clone());
    let points_here =
        |alias: &String| log.promoted(&name, alias).is_some_and(|entry| entry.event.register.sha256 == register.digest);
    let aliases = log.aliases(&name).into_iter().filter(points_here).collect();
    let here = |entry: &&Entry| entry.index == register.index;
    let record = log.entries().iter().find(here).map(|entry| record(authority, entry));
    let record = record.ok_or_else(|| RegistryError::NoVersion { model: model.to_string() })?;
    Ok(Version { name, version, record, aliases, keks, provenance: register.event.provenance.clone() })
}

/// Everything that happened, oldest first; the chain is checked on the way.
///
/// # Errors
/// An entry is missing, damaged or does not follow the one before it; the store.
pub async fn history(store: &Store, authority: &Authority) -> Result<Vec<Record>, RegistryError> {
    let log = Log::read(store, authority).await?;
    Ok(log.entries().iter().map(|entry| record(authority, entry)).collect())
}

/// As [`history`], and everything in it has to hold: with a trust policy each entry is signed by those whom it names, no
/// entry says that it was written before the one before it, every move is to a version that was registered, and every
/// alias object is a copy of its newest entry.
///
/// # Errors
/// The first that does not hold, and the store.
pub async fn verify_log(store: &Store, authority: &Authority) -> Result<Vec<Record>, RegistryError> {
    let log = Log::read(store, authority).await?;
    let mut before = "";
    let mut aliases = BTreeSet::new();
    for entry in log.entries() {
        authority.publishers(entry)?;
        if entry.created.as_str() < before {
            let reason = format!("was written at {}, before the entry before it ({before})", entry.created);
            return Err(broken(entry, reason));
        }
        before = &entry.created;
        match &entry.event {
            Event::Promote(Promote { model, alias, version, register, .. }) => {
                check_named(log.entries(), entry, (model, version, register), |_| true)?;
                aliases.insert((model.clone(), alias.clone()));
            }
            Event::Erase(Erase { model, version, register, artifact }) => {
                let same = |registered: &Register| registered.artifact == *artifact;
                check_named(log.entries(), entry, (model, version, register), same)?;
            }
            Event::Register(_) | Event::Rekey(_) => {}
        }
    }
    for (model, name) in &aliases {
        let newest = log.promoted(model, name).map(|entry| entry.digest);
        let object = alias::read(store, model, name).await?.map(|entry| entry.digest);
        if object != newest {
            let reason = "is no copy of its newest log entry; the next promote to the model repairs it".to_owned();
            return Err(RegistryError::Damaged { stage: Stage::Alias, object: layout::alias(model, name), reason });
        }
    }
    Ok(log.entries().iter().map(|entry| record(authority, entry)).collect())
}

/// Whether an entry names the one that registers the version it is about.
fn check_named(
    entries: &[Entry],
    entry: &Entry,
    (model, version, register): (&String, &String, &EntryRef),
    also: impl Fn(&Register) -> bool,
) -> Result<(), RegistryError> {
    let named = usize::try_from(register.index).ok().and_then(|index| entries.get(index));
    let registers = |found: &&Entry| {
        let is_it =
            |registered: &Register| registered.model == *model && registered.version == *version && also(registered);
        let before = found.index < entry.index && found.digest == register.sha256;
        before && matches!(&found.event, Event::Register(registered) if is_it(registered))
    };
    match named.filter(registers) {
        Some(_) => Ok(()),
        None => Err(broken(entry, format!("is about {model}:{version}, which the entry it names does not register"))),
    }
}

fn broken(entry: &Entry, reason: String) -> RegistryError {
    RegistryError::Damaged { stage: Stage::Log, object: layout::log_entry(entry.index), reason }
}

fn record(authority: &Authority, entry: &Entry) -> Record {
    let change = match entry.event.clone() {
        Event::Register(Register { model, version, artifact, blobs, .. }) => {
            Change::Registered { model, version, artifact, files: blobs.len() }
        }
        Event::Promote(Promote { model, alias, version, previous, back, .. }) => {
            Change::Moved { model, alias, version, previous, back }
        }
        Event::Erase(Erase { model, version, .. }) => Change::Erased { model, version },
        Event::Rekey(Rekey { kek, artifacts, .. }) => Change::Rotated { kek, artifacts },
    };
    let standing = Standing::of(authority, entry);
    Record { index: entry.index, created: entry.created.clone(), digest: entry.digest.clone(), change, standing }
}
