//! The end of a version: the log says so, then its keyslots are deleted, and with them the only keys to its sealed files.

use super::error::{Stage, at};
use super::log::{ATTEMPTS, Appended, Log};
use super::reference::Selector;
use super::statement::{Entry, EntryRef, Erase, Event, Register};
use super::{Authority, ModelRef, RegistryError, layout};
use crate::store::Store;

/// A version that nothing opens any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// The erase entry's place in the log.
    pub index: u64,
    /// Keyslots that were deleted, earlier versions of theirs counted each; 0 where they were gone already.
    pub keyslots: usize,
    /// Sealed files that are left, and that nothing opens.
    pub files: usize,
}

/// What would be erased: as [`erase`] finds it, before it does anything.
pub(super) async fn plan(store: &Store, authority: &Authority, model: &ModelRef) -> Result<Erased, RegistryError> {
    let log = Log::read(store, authority).await?;
    let register = find(&log, model)?;
    let prefix = layout::keyslots(&register.event.artifact);
    let keyslots = store.list(&prefix).await.map_err(at(Stage::Keyslot, &prefix))?.len();
    Ok(erased(&register, log.erased(&register.event.artifact).unwrap_or_else(|| log.len()), keyslots))
}

/// Repeatable at any point: an entry that is there already is not written again, and keyslots that are gone stay gone.
pub(super) async fn erase(store: &Store, authority: &Authority, model: &ModelRef) -> Result<Erased, RegistryError> {
    let mut log = Log::read(store, authority).await?;
    let register = find(&log, model)?;
    let index = record(&mut log, &register).await?;
    let prefix = layout::keyslots(&register.event.artifact);
    let keyslots = store.delete_all(&prefix).await.map_err(at(Stage::Keyslot, &prefix))?;
    let left = store.list(&prefix).await.map_err(at(Stage::Keyslot, &prefix))?;
    if let Some(left) = left.into_iter().next() {
        let reason = "it was written while the version was erased; erase it again".to_owned();
        return Err(RegistryError::Damaged { stage: Stage::Keyslot, object: left, reason });
    }
    Ok(erased(&register, index, keyslots))
}

/// The version, erased or not, unless an alias points to it.
fn find(log: &Log<'_>, model: &ModelRef) -> Result<Entry<Register>, RegistryError> {
    let found = match &model.selector {
        Selector::Version(version) => log.registered(&model.name, version),
        Selector::Digest(digest) => log.registered_as(&model.name, digest),
        // An alias may move between the question and the deed.
        Selector::Alias(_) => None,
    };
    let register = found.ok_or_else(|| RegistryError::NoVersion { model: model.to_string() })?;
    let Register { model: name, version, .. } = &register.event;
    let points_here = |alias: &String| log.promoted(name, alias).is_some_and(|entry| entry.event.version == *version);
    match log.aliases(name).into_iter().find(points_here) {
        Some(alias) => {
            Err(RegistryError::InUse { model: format!("{name}:{version}"), alias: format!("{name}:{alias}") })
        }
        None => Ok(register),
    }
}

async fn record(log: &mut Log<'_>, register: &Entry<Register>) -> Result<u64, RegistryError> {
    let Register { model, version, artifact, .. } = register.event.clone();
    let named = EntryRef { index: register.index, sha256: register.digest.clone() };
    let event = Event::Erase(Erase { model, version, artifact, register: named });
    for _ in 0..ATTEMPTS {
        if let Some(index) = log.erased(&register.event.artifact) {
            return Ok(index);
        }
        // Whoever was first may have promoted this very version.
        find(log, &ModelRef::version(&register.event.model, &register.event.version)?)?;
        if let Appended::Entry(entry) = log.try_append(event.clone()).await? {
            return Ok(entry.index);
        }
    }
    Err(RegistryError::Contended { stage: Stage::Log, object: layout::LOG.into(), attempts: ATTEMPTS })
}

fn erased(register: &Entry<Register>, index: u64, keyslots: usize) -> Erased {
    let Register { model, version, blobs, .. } = &register.event;
    Erased { name: model.clone(), version: version.clone(), index, keyslots, files: blobs.len() }
}
