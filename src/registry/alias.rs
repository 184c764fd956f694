//! Alias objects: copies of log entries, brought forward to the newest one.

use bytes::Bytes;

use super::error::{Stage, at};
use super::log::{ATTEMPTS, Log};
use super::statement::{Entry, MAX_ENTRY_LEN, Promote};
use super::{RegistryError, layout};
use crate::store::{ETag, Store, StoreError};

/// What an alias object says, or `None` where there is none.
pub(super) async fn read(store: &Store, model: &str, alias: &str) -> Result<Option<Entry<Promote>>, RegistryError> {
    let key = layout::alias(model, alias);
    match store.get(&key, MAX_ENTRY_LEN).await {
        Ok((body, _)) => parse(body, &key, model, alias).map(Some),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(source) => Err(at(Stage::Alias, &key)(source)),
    }
}

/// Whether the alias object is a copy of `entry`; where it cannot be read it is none.
pub(super) async fn follows(store: &Store, entry: &Entry<Promote>) -> bool {
    let read = read(store, &entry.event.model, &entry.event.alias).await;
    matches!(read, Ok(Some(present)) if present.digest == entry.digest)
}

/// Makes the alias object a copy of the alias's newest log entry.
///
/// The log alone is believed. An object that claims a place behind what was read of the log is a reason to read on, since
/// its writer may be ahead of us; whatever is no copy of the newest entry then is replaced, also where it cannot be read.
pub(super) async fn bring_forward(log: &mut Log<'_>, model: &str, alias: &str) -> Result<(), RegistryError> {
    let key = layout::alias(model, alias);
    for _ in 0..ATTEMPTS {
        let present = look(log.store(), &key).await?;
        if present.as_ref().is_some_and(|present| present.index.is_some_and(|index| index >= log.len())) {
            log.read_on().await?;
        }
        let Some(newest) = log.promoted(model, alias) else { return Ok(()) };
        if present.as_ref().is_some_and(|present| present.body == newest.bytes) {
            return Ok(());
        }
        match log.store().swap(&key, present.as_ref().map(|present| &present.etag), newest.bytes).await {
            Ok(_) => return Ok(()),
            // Another writer, or our own attempt whose answer was lost: reading again tells.
            Err(StoreError::Conflict { .. }) => {}
            Err(source) => return Err(at(Stage::Alias, &key)(source)),
        }
    }
    Err(RegistryError::Contended { stage: Stage::Alias, object: key, attempts: ATTEMPTS })
}

/// Brings forward every alias of `model` that lags behind the log because its writer was stopped in between.
pub(super) async fn repair(log: &mut Log<'_>, model: &str) -> Result<(), RegistryError> {
    for alias in log.aliases(model) {
        bring_forward(log, model, &alias).await?;
    }
    Ok(())
}

/// An alias object as a writer sees it: something to be replaced.
struct Present {
    /// Empty where it is too large to be an entry.
    body: Bytes,
    etag: ETag,
    /// Where in the log it claims to stand, if it is an entry at all.
    index: Option<u64>,
}

async fn look(store: &Store, key: &str) -> Result<Option<Present>, RegistryError> {
    match store.get(key, MAX_ENTRY_LEN).await {
        Ok((body, etag)) => {
            let index = Entry::read(body.clone()).ok().map(|entry| entry.index);
            Ok(Some(Present { body, etag, index }))
        }
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(StoreError::TooLarge { .. }) => oversized(store, key).await,
        Err(source) => Err(at(Stage::Alias, key)(source)),
    }
}

/// What is too large to be read has a version all the same. Should another writer have put things right meanwhile, what
/// is found is his, and read.
async fn oversized(store: &Store, key: &str) -> Result<Option<Present>, RegistryError> {
    let object = match store.head(key).await {
        Ok(object) => object,
        Err(StoreError::NotFound { .. }) => return Ok(None),
        Err(source) => return Err(at(Stage::Alias, key)(source)),
    };
    if object.len > MAX_ENTRY_LEN {
        return Ok(Some(Present { body: Bytes::new(), etag: object.etag, index: None }));
    }
    let (body, etag) = store.get(key, MAX_ENTRY_LEN).await.map_err(at(Stage::Alias, key))?;
    let index = Entry::read(body.clone()).ok().map(|entry| entry.index);
    Ok(Some(Present { body, etag, index }))
}

fn parse(body: Bytes, key: &str, model: &str, alias: &str) -> Result<Entry<Promote>, RegistryError> {
    let damaged = |reason| RegistryError::Damaged { stage: Stage::Alias, object: key.into(), reason };
    let promote = Entry::read(body).map_err(damaged)?.as_promote();
    let promote = promote.ok_or_else(|| damaged("is no promote entry".into()))?;
    if promote.event.model != model || promote.event.alias != alias {
        let found = format!("{}:{}", promote.event.model, promote.event.alias);
        return Err(damaged(format!("is the entry of {found}, expected {model}:{alias}")));
    }
    Ok(promote)
}
