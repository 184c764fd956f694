//! Keyslots in the store: which KEK opens an artifact, and the artifact key it gives.

use bytes::Bytes;

use super::artifact::Artifact;
use super::error::{Stage, at};
use super::statement::Register;
use super::{Registry, RegistryError, layout};
use crate::keys::{KEK_NAMESPACE, Kek, KeyError};
use crate::sealed::{KeyName, MAX_HEADER_LEN, open_keyslot, seal_keyslot};
use crate::store::{Store, StoreError};

/// More keyslots of one artifact are not tried: rotation leaves two, or a few where nobody cleans up.
const MAX_KEYSLOTS: usize = 16;

/// Seals the artifact's key under the current KEK; answers with the KEK's name.
pub(super) async fn create(registry: &Registry, artifact: &Artifact) -> Result<String, RegistryError> {
    let kek = registry.keys.current().await?;
    create_under(&registry.store, artifact, &kek).await?;
    Ok(kek.name.clone())
}

/// Seals the artifact's key under `kek`, unless that was done; answers with how many bytes were written.
pub(super) async fn create_under(store: &Store, artifact: &Artifact, kek: &Kek) -> Result<u64, RegistryError> {
    let key = layout::keyslot(&artifact.id, &kek.name);
    if !layout::is_kek_name(&kek.name) {
        return Err(damaged(&key, "the sealing key's name cannot stand in an object key".into()));
    }
    let sealed = seal_keyslot(&kek_name(kek), &kek.key, &artifact.id, &artifact.key)?;
    let len = sealed.len() as u64;
    // An object of that name is an earlier attempt of this very write.
    let created = store.create(&key, sealed.into()).await.map_err(at(Stage::Keyslot, &key))?;
    Ok(if created { len } else { 0 })
}

/// Opens the artifact's key: under the KEK it was first sealed under, under the current one, or under one of another
/// keyslot while a rotation is under way. The first failure is told when none does it.
pub(super) async fn open(registry: &Registry, register: &Register) -> Result<Artifact, RegistryError> {
    let mut failure = None;
    if let Some(artifact) = unless_hopeless(open_named(registry, register, &register.kek).await, &mut failure)? {
        return Ok(artifact);
    }
    if let Some(artifact) = unless_hopeless(open_current(registry, register).await, &mut failure)? {
        return Ok(artifact);
    }
    let mut names = names(&registry.store, register).await?;
    names.truncate(MAX_KEYSLOTS);
    for name in names.iter().filter(|name| **name != register.kek) {
        if let Some(artifact) = unless_hopeless(open_named(registry, register, name).await, &mut failure)? {
            return Ok(artifact);
        }
    }
    match failure {
        Some(error) => Err(error),
        None => Err(no_keyslot(register, registry.keys.current().await?.name.clone(), &names)),
    }
}

async fn open_named(registry: &Registry, register: &Register, name: &str) -> Result<Option<Artifact>, RegistryError> {
    match registry.keys.by_name(name).await {
        Ok(kek) if kek.name == *name => open_under(registry, register, &kek).await,
        Ok(_) | Err(KeyError::OtherKey { .. } | KeyError::Unknown { .. }) => Ok(None),
        Err(source) => Err(source.into()),
    }
}

async fn open_current(registry: &Registry, register: &Register) -> Result<Option<Artifact>, RegistryError> {
    let kek = registry.keys.current().await?;
    open_under(registry, register, &kek).await
}

/// Keeps the first failure, unless it is one of a service: another key would come to the same end, only later.
fn unless_hopeless(
    opened: Result<Option<Artifact>, RegistryError>,
    failure: &mut Option<RegistryError>,
) -> Result<Option<Artifact>, RegistryError> {
    use KeyError::{Empty, Form, Missing};
    match opened {
        Err(
            error @ (RegistryError::Key { source: Empty { .. } | Form { .. } | Missing { .. } }
            | RegistryError::Open { .. }),
        ) => {
            failure.get_or_insert(error);
            Ok(None)
        }
        outcome => outcome,
    }
}

/// `None`: there is no keyslot for this KEK.
pub(super) async fn open_under(
    registry: &Registry,
    register: &Register,
    kek: &Kek,
) -> Result<Option<Artifact>, RegistryError> {
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
pub(super) async fn names(store: &Store, register: &Register) -> Result<Vec<String>, RegistryError> {
    let prefix = layout::keyslots(&register.artifact);
    let keys = store.list(&prefix).await.map_err(at(Stage::Keyslot, &prefix))?;
    let names = keys.iter().filter_map(|key| key.strip_prefix(&prefix)).filter(|name| layout::is_kek_name(name));
    Ok(names.map(str::to_owned).collect())
}

fn no_keyslot(register: &Register, key: String, names: &[String]) -> RegistryError {
    if names.is_empty() {
        return missing(register);
    }
    let object = layout::keyslots(&register.artifact);
    RegistryError::WrongKey { object, key, found: names.join(", ") }
}

/// The artifact has no keyslot at all.
pub(super) fn missing(register: &Register) -> RegistryError {
    let object = layout::keyslots(&register.artifact);
    damaged(&object, format!("missing; the model was sealed under {}", register.kek))
}

fn kek_name(kek: &Kek) -> KeyName {
    KeyName { namespace: KEK_NAMESPACE.into(), name: kek.name.clone() }
}

fn damaged(object: &str, reason: String) -> RegistryError {
    RegistryError::Damaged { stage: Stage::Keyslot, object: object.into(), reason }
}
