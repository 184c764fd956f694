//! An alias moves to a version: log entry first, alias object second.

use super::error::Stage;
use super::log::{ATTEMPTS, Appended, Log};
use super::statement::{Entry, EntryRef, Event, Promote, Register};
use super::{AliasName, ModelRef, RegistryError, alias, layout};
use crate::store::Store;

/// Where an alias points now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promoted {
    /// The model's name.
    pub name: String,
    /// The alias.
    pub alias: String,
    /// The version it points to.
    pub version: String,
    /// Hex SHA-256 of that version's register entry.
    pub digest: String,
    /// The promote entry's place in the log.
    pub index: u64,
    /// The version it pointed to before.
    pub previous: Option<String>,
    /// Whether it pointed there before.
    pub already: bool,
}

pub(super) async fn promote(store: &Store, model: &ModelRef, to: &AliasName) -> Result<Promoted, RegistryError> {
    let to = to.as_str();
    let mut log = Log::read(store).await?;
    let register = log.resolve(model)?;
    for _ in 0..ATTEMPTS {
        let present = log.promoted(&model.name, to);
        if let Some(entry) = present.as_ref().filter(|entry| entry.event.register.sha256 == register.digest) {
            return settle(&mut log, entry, true).await;
        }
        let event = moved(&register, to, present.map(|entry| entry.event.version));
        match log.try_append(Event::Promote(event)).await? {
            Appended::Entry(entry) => match entry.as_promote() {
                Some(entry) => return settle(&mut log, &entry, false).await,
                None => continue,
            },
            Appended::Lost => {}
        }
    }
    Err(RegistryError::Contended { stage: Stage::Log, object: layout::LOG.into(), attempts: ATTEMPTS })
}

fn moved(register: &Entry<Register>, to: &str, previous: Option<String>) -> Promote {
    let (model, version) = (register.event.model.clone(), register.event.version.clone());
    let register = EntryRef { index: register.index, sha256: register.digest.clone() };
    Promote { model, alias: to.into(), version, register, previous }
}

/// Brings this alias forward, and every other one of the model that a stopped writer left behind.
async fn settle(log: &mut Log<'_>, entry: &Entry<Promote>, already: bool) -> Result<Promoted, RegistryError> {
    let Promote { model: name, alias, version, register, previous } = entry.event.clone();
    let index = entry.index;
    let lagging = |source| RegistryError::Lagging { alias: format!("{name}:{alias}"), index, source: Box::new(source) };
    alias::bring_forward(log, &name, &alias).await.map_err(lagging)?;
    alias::repair(log, &name).await?;
    Ok(Promoted { name, alias, version, digest: register.sha256, index, previous, already })
}
