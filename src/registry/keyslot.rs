//! Keyslots in the store: which KEK opens an artifact, and the artifact key it gives.

use bytes::Bytes;

use super::artifact::Artifact;
use super::error::{Stage, at};
use super::statement::Register;
use super::{Registry, RegistryError, layout};
use crate::keys::{KEK_NAMESPACE, Kek, KeyError};
use crate::sealed::{KeyName, MAX_HEADER_LEN, open_keyslot, seal_keyslot};
use crate::store::StoreError;

/// More keyslots of one artifact are not tried: rotation leaves two, or a few where nobody cleans up.
const MAX_KEYSLOTS: usize = 16;

/// Seals the artifact's key under the current KEK; answers with the KEK's name.
pub(super) async fn create(registry: &Registry, artifact: &Artifact) -> Result<String, RegistryError> {
    let kek = registry.keys.current().await?;
    let key = layout::keyslot(&artifact.id, &kek.name);
    if !layout::is_kek_name(&kek.name) {
        return Err(damaged(&key, "the sealing key's name cannot stand in an object key".into()));
    }
    let sealed = seal_keyslot(&kek_name(&kek), &kek.key, &artifact.id, &artifact.key)?;
    // The artifact's id is fresh, so an object of that name is an earlier attempt of this very write.
    registry.store.create(&key, sealed.into()).await.map_err(at(Stage::Keyslot, &key))?;
    Ok(kek.name.clone())
}

/// Opens the artifact's key: under the current KEK, or under the one of an older keyslot while a rotation is under way.
pub(super) async fn open(registry: &Registry, register: &Register) -> Result<Artifact, RegistryError> {
    let current = registry.keys.current().await?;
    if let Some(artifact) = open_under(registry, register, &current).await? {
        return Ok(artifact);
    }
    let names = names(registry, register).await?;
    for name in &names {
        let kek = registry.keys.by_name(name).await;
        match kek {
            Ok(kek) if kek.name == *name => {
                if let Some(artifact) = open_under(registry, register, &kek).await? {
                    return Ok(artifact);
                }
            }
            Ok(_) => {}
            Err(KeyError::OtherKey { .. } | KeyError::Unknown { .. }) => {}
            Err(source) => return Err(source.into()),
        }
    }
    Err(no_keyslot(register, current.name.clone(), &names))
}

/// `None`: there is no keyslot for this KEK.
async fn open_under(registry: &Registry, register: &Register, kek: &Kek) -> Result<Option<Artifact>, RegistryError> {
    let id = &register.artifact;
    let key = layout::keyslot(id, &kek.name);
    let Some(sealed) = read(registry, &key).await? else { return Ok(None) };
    let opened = open_keyslot(&sealed, &kek_name(kek), &kek.key, id);
    let opened = opened.map_err(|source| RegistryError::Open { stage: Stage::Keyslot, object: key, source })?;
    Ok(Some(Artifact { id: id.clone(), key: opened }))
}

async fn read(registry: &Registry, key: &str) -> Result<Option<Bytes>, RegistryError> {
    match registry.store.get(key, MAX_HEADER_LEN as u64).await {
        Ok((sealed, _)) => Ok(Some(sealed)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(source) => Err(at(Stage::Keyslot, key)(source)),
    }
}

/// Names of the KEKs that have a keyslot of the artifact.
async fn names(registry: &Registry, register: &Register) -> Result<Vec<String>, RegistryError> {
    let prefix = layout::keyslots(&register.artifact);
    let keys = registry.store.list(&prefix).await.map_err(at(Stage::Keyslot, &prefix))?;
    let names = keys.iter().filter_map(|key| key.strip_prefix(&prefix)).filter(|name| layout::is_kek_name(name));
    Ok(names.take(MAX_KEYSLOTS).map(str::to_owned).collect())
}

fn no_keyslot(register: &Register, key: String, names: &[String]) -> RegistryError {
    let object = layout::keyslots(&register.artifact);
    if names.is_empty() {
        return damaged(&object, format!("missing; the model was sealed under {}", register.kek));
    }
    RegistryError::WrongKey { object, key, found: names.join(", ") }
}

fn kek_name(kek: &Kek) -> KeyName {
    KeyName { namespace: KEK_NAMESPACE.into(), name: kek.name.clone() }
}

fn damaged(object: &str, reason: String) -> RegistryError {
    RegistryError::Damaged { stage: Stage::Keyslot, object: object.into(), reason }
}
