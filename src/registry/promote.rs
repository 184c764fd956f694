//! An alias moves to a version: log entry first, alias object second.

use super::error::Stage;
use super::log::{ATTEMPTS, Appended, Log};
use super::statement::{Entry, EntryRef, Event, Promote, Register};
use super::{AliasName, Authority, ModelRef, RegistryError, alias, layout};
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

pub(super) async fn promote(
    store: &Store,
    authority: &Authority,
    model: &ModelRef,
    to: &AliasName,
) -> Result<Promoted, RegistryError> {
    let to = to.as_str();
    let mut log = Log::read(store, authority).await?;
    let register = log.resolve(model)?;
    for _ in 0..ATTEMPTS {
        let present = log.promoted(&model.name, to);
        if let Some(entry) = present.as_ref().filter(|entry| entry.event.register.sha256 == register.digest) {
            return settle(&mut log, entry, true).await;
        }
        let event = moved(&register, to, present.map(|entry| entry.event.version), false);
        if let Some(entry) = append(&mut log, event).await? {
            return settle(&mut log, &entry, false).await;
        }
    }
    Err(contended())
}

/// Moves the alias back to where its newest entry says that it pointed before. Another writer who was first is told of, not
/// undone: where the alias points then is not what was to be rolled back.
pub(super) async fn roll_back(
    store: &Store,
    authority: &Authority,
    model: &str,
    which: &AliasName,
) -> Result<Promoted, RegistryError> {
    let which = which.as_str();
    let mut log = Log::read(store, authority).await?;
    let no_alias = || RegistryError::NoAlias { model: model.into(), alias: which.into() };
    let present = log.promoted(model, which).ok_or_else(no_alias)?;
    // Stopped between the log and the alias object, it is completed, and not undone.
    if present.event.back && !alias::follows(store, &present).await {
        return settle(&mut log, &present, false).await;
    }
    let nothing = || RegistryError::NothingBefore { alias: format!("{model}:{which}") };
    let previous = present.event.previous.clone().ok_or_else(nothing)?;
    let register = log.resolve(&ModelRef::version(model, &previous)?)?;
    for _ in 0..ATTEMPTS {
        let newest = log.promoted(model, which).ok_or_else(no_alias)?;
        if newest.digest != present.digest {
            let (alias, version, index) = (format!("{model}:{which}"), newest.event.version, newest.index);
            return Err(RegistryError::Moved { alias, version, index });
        }
        let event = moved(&register, which, Some(newest.event.version), true);
        if let Some(entry) = append(&mut log, event).await? {
            return settle(&mut log, &entry, false).await;
        }
    }
    Err(contended())
}

/// Moves the alias to `model` if it points to the version `from` still; `None`: somebody moved it, and that holds.
pub(super) async fn succeed(
    store: &Store,
    authority: &Authority,
    model: &ModelRef,
    which: &str,
    from: &str,
) -> Result<Option<Promoted>, RegistryError> {
    let mut log = Log::read(store, authority).await?;
    let register = log.resolve(model)?;
    for _ in 0..ATTEMPTS {
        let present = log.promoted(&model.name, which);
        if present.as_ref().is_none_or(|entry| entry.event.version != from) {
            return Ok(None);
        }
        let event = moved(&register, which, Some(from.to_owned()), false);
        if let Some(entry) = append(&mut log, event).await? {
            return settle(&mut log, &entry, false).await.map(Some);
        }
    }
    Err(contended())
}

/// `None`: another writer was first.
async fn append(log: &mut Log<'_>, event: Promote) -> Result<Option<Entry<Promote>>, RegistryError> {
    match log.try_append(Event::Promote(event)).await? {
        Appended::Entry(entry) => Ok(entry.as_promote()),
        Appended::Lost => Ok(None),
    }
}

fn contended() -> RegistryError {
    RegistryError::Contended { stage: Stage::Log, object: layout::LOG.into(), attempts: ATTEMPTS }
}

fn moved(register: &Entry<Register>, to: &str, previous: Option<String>, back: bool) -> Promote {
    let (model, version) = (register.event.model.clone(), register.event.version.clone());
    let register = EntryRef { index: register.index, sha256: register.digest.clone() };
    Promote { model, alias: to.into(), version, register, previous, back }
}

/// Brings this alias forward, and every other one of the model that a stopped writer left behind.
async fn settle(log: &mut Log<'_>, entry: &Entry<Promote>, already: bool) -> Result<Promoted, RegistryError> {
    let Promote { model: name, alias, version, register, previous, back: _ } = entry.event.clone();
    let index = entry.index;
    let lagging = |source| RegistryError::Lagging { alias: format!("{name}:{alias}"), index, source: Box::new(source) };
    alias::bring_forward(log, &name, &alias).await.map_err(lagging)?;
    // What was asked for is done; other aliases that lag are the next writer's as well.
    if let Err(error) = alias::repair(log, &name).await {
        tracing::warn!(model = name, %error, "another alias of the model still lags behind the log");
    }
    Ok(Promoted { name, alias, version, digest: register.sha256, index, previous, already })
}
