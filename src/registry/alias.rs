//! Alias objects: copies of log entries, brought forward to the newest one.

use bytes::Bytes;

use super::error::{Stage, at};
use super::log::{ATTEMPTS, Log};
use super::statement::{Entry, MAX_ENTRY_LEN, Promote};
use super::{RegistryError, layout};
use crate::store::{ETag, Store, StoreError};

/// What an alias object says, or `None` where there is none.
pub(super) async fn read(store: &Store, model: &str, alias: &str) -> Result<Option<Entry<Promote>>, RegistryError> {
    Ok(read_tagged(store, model, alias).await?.map(|(entry, _)| entry))
}

/// Makes the alias object a copy of `entry`, unless it is a newer one already.
pub(super) async fn bring_forward(store: &Store, entry: &Entry<Promote>) -> Result<(), RegistryError> {
    let key = layout::alias(&entry.event.model, &entry.event.alias);
    for _ in 0..ATTEMPTS {
        let present = read_tagged(store, &entry.event.model, &entry.event.alias).await?;
        if present.as_ref().is_some_and(|(present, _)| present.index >= entry.index) {
            return Ok(());
        }
        match store.swap(&key, present.as_ref().map(|(_, etag)| etag), entry.bytes.clone()).await {
            Ok(_) => return Ok(()),
            // Another writer, or our own attempt whose answer was lost: reading again tells.
            Err(StoreError::Conflict { .. }) => {}
            Err(source) => return Err(at(Stage::Alias, &key)(source)),
        }
    }
    Err(RegistryError::Contended { stage: Stage::Alias, object: key, attempts: ATTEMPTS })
}

/// Brings forward every alias of `model` that lags behind the log because its writer was stopped in between.
pub(super) async fn repair(store: &Store, log: &Log<'_>, model: &str) -> Result<(), RegistryError> {
    for alias in log.aliases(model) {
        if let Some(entry) = log.promoted(model, &alias) {
            bring_forward(store, &entry).await?;
        }
    }
    Ok(())
}

async fn read_tagged(store: &Store, model: &str, alias: &str) -> Result<Option<(Entry<Promote>, ETag)>, RegistryError> {
    let key = layout::alias(model, alias);
    match store.get(&key, MAX_ENTRY_LEN).await {
        Ok((body, etag)) => Ok(Some((parse(body, &key, model, alias)?, etag))),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(source) => Err(at(Stage::Alias, &key)(source)),
    }
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
