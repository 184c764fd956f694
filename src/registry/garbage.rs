//! What no version needs: listed, and deleted when it has lain long enough.

use std::time::{Duration, SystemTime};

use super::error::{Stage, at};
use super::log::Log;
use super::{Authority, RegistryError, fsck, layout};
use crate::store::Store;

/// An object that no version needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unneeded {
    /// Its key.
    pub key: String,
    /// How long ago it was written.
    pub age: Duration,
}

/// Objects that no version needs and that were written `grace` ago or earlier: what killed publishes left, and the sealed
/// files of erased versions. A publish that is under way has written its files, and not yet its entry.
pub(super) async fn list(
    store: &Store,
    authority: &Authority,
    grace: Duration,
) -> Result<Vec<Unneeded>, RegistryError> {
    let now = SystemTime::now();
    // Listed before the log is read: what is registered meanwhile is needed.
    let listed = store.list_dated("").await.map_err(at(Stage::Log, layout::LOG))?;
    let log = Log::read(store, authority).await?;
    let keys: Vec<String> = listed.iter().map(|(key, _)| key.clone()).collect();
    let unnamed: std::collections::BTreeSet<String> = fsck::unnamed(&log, &keys).into_iter().collect();
    let aged = listed.into_iter().filter(|(key, _)| unnamed.contains(key)).map(|(key, written)| {
        // What is from the future is not old.
        Unneeded { key, age: now.duration_since(written).unwrap_or_default() }
    });
    Ok(aged.filter(|object| object.age >= grace).collect())
}

/// Deletes one of them.
pub(super) async fn delete(store: &Store, object: &Unneeded) -> Result<(), RegistryError> {
    store.delete_all(&object.key).await.map(drop).map_err(at(Stage::Blob, &object.key))
}
