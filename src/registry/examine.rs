//! Whether a version could be served, found out without fetching all of it.

use std::path::Path;

use super::mount::{Mounted, look};
use super::reference::Selector;
use super::statement::{Entry, Register};
use super::{Authority, ModelRef, Registry, RegistryError, fetch, keyslot};
use crate::keys::Keys;
use crate::store::Store;

/// A version whose keyslot and list of files were opened and whose signatures were verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// Of its files, opened, in bytes.
    pub len: u64,
    /// When the newest of its entries was written, as its writer says.
    pub written: String,
    /// Whether a key that is none of the registry's own opens it, too; `None` where keyslots cannot be listed.
    pub recovery: Option<bool>,
}

pub(super) async fn examine(registry: &Registry, model: &ModelRef) -> Result<Examined, RegistryError> {
    let (entry, moved) = match &model.selector {
        Selector::Alias(alias) => {
            let newest = fetch::newest_move(registry, &model.name, alias.as_str(), 0).await?;
            (fetch::registered(&registry.store, &newest.event).await?, newest.created)
        }
        Selector::Version(_) | Selector::Digest(_) => {
            let entry = fetch::resolve(&registry.store, &registry.authority, model).await?;
            (entry, String::new())
        }
    };
    let examined = examine_entry(registry, &entry).await?;
    Ok(Examined { written: examined.written.max(moved), ..examined })
}

/// `None`: a plain bundle, which is allowed.
pub(super) async fn examine_mount(
    path: &Path,
    keys: Option<&Keys>,
    authority: &Authority,
    allow_unsealed: bool,
) -> Result<Option<Examined>, RegistryError> {
    match look(path)? {
        Mounted::Sealed(entry) => {
            let keys = keys.ok_or_else(|| RegistryError::NoKey { path: path.to_owned() })?.clone();
            let registry = Registry { store: Store::directory(path), keys, authority: authority.clone() };
            examine_entry(&registry, &entry).await.map(Some)
        }
        Mounted::Plain if allow_unsealed => Ok(None),
        Mounted::Plain => Err(RegistryError::Unsealed { path: path.to_owned() }),
    }
}

async fn examine_entry(registry: &Registry, entry: &Entry<Register>) -> Result<Examined, RegistryError> {
    registry.authority.publishers(entry)?;
    let index = fetch::check(registry, entry).await?;
    let recovery = match keyslot::names(&registry.store, &entry.event).await {
        Ok(names) => Some(any_foreign(registry, &names).await?),
        Err(_) => None,
    };
    let len = index.files.iter().map(|file| file.len).sum();
    Ok(Examined { name: index.model, version: index.version, len, written: entry.created.clone(), recovery })
}

async fn any_foreign(registry: &Registry, names: &[String]) -> Result<bool, RegistryError> {
    for name in names {
        if !registry.keys.knows(name).await? {
            return Ok(true);
        }
    }
    Ok(false)
}
