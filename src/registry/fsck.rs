//! Reads everything in a registry and names what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};

use super::error::Stage;
use super::log::Log;
use super::statement::{Entry, Event, Register};
use super::{Registry, RegistryError, alias, blob, fetch, keyslot, layout};

/// Sealed files that are read at the same time.
const READS_IN_FLIGHT: usize = 4;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The object's key.
    pub object: String,
    /// What was expected and found.
    pub problem: String,
    /// What helps.
    pub remedy: String,
}

/// What came of reading everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checkup {
    /// Log entries that were read.
    pub entries: usize,
    /// Versions that were opened.
    pub versions: usize,
    /// Sealed files that were read, all their bytes.
    pub files: usize,
    /// Of those files.
    pub bytes: u64,
    /// What is wrong, by object.
    pub faults: Vec<Fault>,
    /// Sealed files and keyslots that no version names: what a killed publish leaves.
    pub unnamed: Vec<String>,
}

/// Reads every log entry, alias object, keyslot and sealed file, and compares each with what names it; with a trust policy
/// every signature too. `progress` is told of bytes as they are read.
///
/// # Errors
/// The store or the key service does not answer. What is wrong with the registry is in the answer.
pub(super) async fn fsck(registry: &Registry, progress: &(dyn Fn(u64) + Sync)) -> Result<Checkup, RegistryError> {
    let mut checkup = Checkup::default();
    let keys = registry.store.list("").await.map_err(super::error::at(Stage::Log, layout::LOG))?;
    let log = match Log::read(&registry.store, &registry.authority).await {
        Ok(log) => log,
        Err(error) => {
            // What follows from the log cannot be known.
            checkup.faults.push(fault_of(error, layout::LOG)?);
            return Ok(checkup);
        }
    };
    checkup.entries = log.entries().len();
    for entry in log.entries() {
        if let Err(error) = registry.authority.publishers(entry) {
            checkup.faults.push(fault_of(error, &layout::log_entry(entry.index))?);
        }
    }
    check_aliases(registry, &log, &keys, &mut checkup).await?;
    check_versions(registry, &log, &mut checkup).await?;
    check_files(registry, &log, &keys, &mut checkup, progress).await?;
    checkup.unnamed = unnamed(&log, &keys);
    checkup.faults.sort_by(|a, b| a.object.cmp(&b.object));
    Ok(checkup)
}

/// Each is a copy of its newest entry, and there is none that the log does not know.
async fn check_aliases(
    registry: &Registry,
    log: &Log<'_>,
    keys: &[String],
    checkup: &mut Checkup,
) -> Result<(), RegistryError> {
    let mut expected: BTreeMap<String, (&str, &str)> = BTreeMap::new();
    for entry in log.entries() {
        if let Event::Promote(promote) = &entry.event {
            expected.insert(layout::alias(&promote.model, &promote.alias), (&promote.model, &promote.alias));
        }
    }
    for (key, (model, name)) in &expected {
        let Some(newest) = log.promoted(model, name) else { continue };
        let repair = "promote to the model again, which copies the newest entry";
        match alias::read(&registry.store, model, name).await {
            Ok(Some(entry)) if entry.digest == newest.digest => {}
            Ok(Some(_)) => checkup.fault(key, "it is no copy of its newest log entry", repair),
            Ok(None) => checkup.fault(key, "it is missing", repair),
            Err(error) => {
                let Fault { object, problem, .. } = fault_of(error, key)?;
                checkup.fault(&object, &problem, repair);
            }
        }
    }
    for key in keys.iter().filter(|key| key.starts_with("aliases/") && !expected.contains_key(*key)) {
        checkup.fault(key, "the log knows no such alias", "delete it, or find out who wrote it");
    }
    Ok(())
}

/// Every version's list of files opens, and is of that version.
async fn check_versions(registry: &Registry, log: &Log<'_>, checkup: &mut Checkup) -> Result<(), RegistryError> {
    for entry in registered(log) {
        let Some(register) = entry.as_register() else { continue };
        if log.erased(&register.event.artifact).is_some() {
            check_erased(registry, &register, checkup).await?;
            continue;
        }
        match fetch::check(registry, &register).await {
            Ok(_) => checkup.versions += 1,
            Err(error) => checkup.faults.push(fault_of(error, &layout::keyslots(&register.event.artifact))?),
        }
    }
    Ok(())
}

/// Of what was erased no keyslot may be left.
async fn check_erased(
    registry: &Registry,
    register: &Entry<Register>,
    checkup: &mut Checkup,
) -> Result<(), RegistryError> {
    let left = keyslot::names(&registry.store, &register.event).await?;
    let version = format!("{}:{}", register.event.model, register.event.version);
    for name in left {
        let object = layout::keyslot(&register.event.artifact, &name);
        let remedy = format!("erase it again: strongroom erase {version} --yes");
        checkup.fault(&object, &format!("the log says that {version} was erased, and this opens it"), &remedy);
    }
    Ok(())
}

/// Every sealed file has the digest that is its name.
async fn check_files(
    registry: &Registry,
    log: &Log<'_>,
    keys: &[String],
    checkup: &mut Checkup,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(), RegistryError> {
    let named = needed(log);
    let there: BTreeSet<&String> = keys.iter().collect();
    let lost = "restore it from the bucket's versions, or publish the model under a new version";
    let (present, missing): (Vec<_>, Vec<_>) = named.into_iter().partition(|key| there.contains(key));
    for key in missing {
        checkup.fault(&key, "it is missing", lost);
    }
    let reads = stream::iter(present).map(|key| async move {
        let digest = blob::digest(&registry.store, &key, progress).await;
        (key, digest)
    });
    let mut reads = reads.buffer_unordered(READS_IN_FLIGHT);
    while let Some((key, read)) = reads.next().await {
        match read {
            Ok((digest, len)) => {
                checkup.files += 1;
                checkup.bytes = checkup.bytes.saturating_add(len);
                if layout::blob(&digest) != key {
                    checkup.fault(&key, &format!("its bytes have the digest {digest}, expected its name"), lost);
                }
            }
            Err(error) => checkup.faults.push(fault_of(error, &key)?),
        }
    }
    Ok(())
}

fn registered<'a>(log: &'a Log<'_>) -> impl Iterator<Item = &'a Entry> {
    log.entries().iter().filter(|entry| matches!(entry.event, Event::Register(_)))
}

/// The register entries of versions that were not erased, whoever signed them.
fn kept<'a>(log: &'a Log<'_>) -> impl Iterator<Item = &'a Register> {
    log.entries().iter().filter_map(|entry| match &entry.event {
        Event::Register(register) if log.erased(&register.artifact).is_none() => Some(register),
        Event::Register(_) | Event::Promote(_) | Event::Erase(_) | Event::Rekey(_) => None,
    })
}

/// The sealed files that versions need.
fn needed(log: &Log<'_>) -> BTreeSet<String> {
    kept(log).flat_map(|register| register.blobs.iter().map(|digest| layout::blob(digest))).collect()
}

/// Sealed files and keyslots that no version needs: those of no version at all, and the files of erased ones.
pub(super) fn unnamed(log: &Log<'_>, keys: &[String]) -> Vec<String> {
    let (files, slots) = (needed(log), registered(log));
    let slots: BTreeSet<String> = slots
        .filter_map(|entry| match &entry.event {
            Event::Register(register) => Some(layout::keyslots(&register.artifact)),
            Event::Promote(_) | Event::Erase(_) | Event::Rekey(_) => None,
        })
        .collect();
    let is_unnamed = |key: &&String| match (key.starts_with(layout::BLOBS), key.starts_with("keyslots/")) {
        (true, _) => !files.contains(*key),
        (_, true) => !key.rsplit_once('/').is_some_and(|(artifact, _)| slots.contains(&format!("{artifact}/"))),
        (false, false) => false,
    };
    keys.iter().filter(is_unnamed).cloned().collect()
}

impl Checkup {
    fn fault(&mut self, object: &str, problem: &str, remedy: &str) {
        self.faults.push(Fault { object: object.to_owned(), problem: problem.to_owned(), remedy: remedy.to_owned() });
    }
}

/// What is wrong with an object; what is wrong with a service is no fault of the registry.
fn fault_of(error: RegistryError, otherwise: &str) -> Result<Fault, RegistryError> {
    use crate::store::StoreError::{NotFound, OutOfRange, TooLarge};
    let object = match &error {
        RegistryError::Damaged { object, .. }
        | RegistryError::Open { object, .. }
        | RegistryError::WrongKey { object, .. }
        | RegistryError::Unsigned { object }
        | RegistryError::NotTrusted { object, .. }
        | RegistryError::Store { object, source: NotFound { .. } | OutOfRange { .. } | TooLarge { .. }, .. } => {
            object.clone()
        }
        RegistryError::NoVersion { .. } | RegistryError::NoAlias { .. } => otherwise.to_owned(),
        _ => return Err(error),
    };
    let remedy = error.remedy().unwrap_or_default();
    Ok(Fault { object, problem: chain(&error), remedy })
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
