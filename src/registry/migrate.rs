//! A registry from before there were signatures becomes a signed one: every version and every alias once more, in entries
//! that are signed. Nothing is sealed again, and the old entries stay.

use super::error::Stage;
use super::log::{ATTEMPTS, Appended, Log};
use super::statement::{Event, Promote, Register};
use super::{Authority, ModelRef, RegistryError, layout, promote};
use crate::store::Store;

/// What was registered and promoted once more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrated {
    /// `NAME:VERSION`, with the hex SHA-256 of the new register entry.
    pub versions: Vec<(String, String)>,
    /// `NAME:ALIAS`.
    pub aliases: Vec<String>,
}

/// Repeats in signed entries what only unsigned ones say; what counts already is left alone, so it may be run again.
pub(super) async fn migrate(store: &Store, authority: &Authority) -> Result<Migrated, RegistryError> {
    authority.check_writer()?;
    let anybody = Authority::default();
    let before = Log::read(store, &anybody).await?;
    let mut log = Log::read(store, authority).await?;
    let mut migrated = Migrated::default();
    let (mut versions, mut aliases) = (Vec::new(), Vec::new());
    for entry in before.entries() {
        match &entry.event {
            Event::Register(Register { model, version, .. }) => versions.push((model.clone(), version.clone())),
            Event::Promote(Promote { model, alias, .. }) => aliases.push((model.clone(), alias.clone())),
            Event::Erase(_) | Event::Rekey(_) => {}
        }
    }
    for (model, version) in distinct(versions) {
        // The first registration held, whoever made it.
        let Some(old) = before.registered(&model, &version) else { continue };
        if log.registered(&model, &version).is_none() {
            let digest = register(&mut log, &old.event).await?;
            migrated.versions.push((format!("{model}:{version}"), digest));
        }
    }
    for (model, alias) in distinct(aliases) {
        let Some(old) = before.promoted(&model, &alias) else { continue };
        if log.promoted(&model, &alias).is_none() {
            let to = ModelRef::version(&model, &old.event.version)?;
            promote::promote(store, authority, &to, &alias.parse()?).await?;
            migrated.aliases.push(format!("{model}:{alias}"));
        }
    }
    Ok(migrated)
}

async fn register(log: &mut Log<'_>, register: &Register) -> Result<String, RegistryError> {
    for _ in 0..ATTEMPTS {
        if let Some(entry) = log.registered(&register.model, &register.version) {
            return Ok(entry.digest);
        }
        if let Appended::Entry(entry) = log.try_append(Event::Register(register.clone())).await? {
            return Ok(entry.digest.clone());
        }
    }
    Err(RegistryError::Contended { stage: Stage::Log, object: layout::LOG.into(), attempts: ATTEMPTS })
}

/// In the order they first came in.
fn distinct(names: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut seen = std::collections::BTreeSet::new();
    names.into_iter().filter(|name| seen.insert(name.clone())).collect()
}
