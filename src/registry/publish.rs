//! A directory becomes a published version: keyslot, sealed files, log entry. The last one is the commit point; whatever
//! happens before it leaves objects that nothing names.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::task::spawn_blocking;

use super::artifact::{Artifact, Purpose};
use super::blob::{self, SealedFile};
use super::error::{Stage, at};
use super::file_index::{FileIndex, IndexedFile, check_bounds};
use super::log::{ATTEMPTS, Appended, Log};
use super::reference::{check_name, check_version, checked};
use super::statement::{Entry, Event, Register};
use super::{Registry, RegistryError, alias, fetch, keyslot, layout, timestamp};
use crate::bundle::Files;
use crate::sealed::digest::sha256_hex;
use crate::store::StoreError;

/// Files that are sealed and written at the same time.
const FILES_IN_FLIGHT: usize = 2;
/// Objects that are looked for at the same time.
const LOOKS_IN_FLIGHT: usize = 16;

/// A version in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// Hex SHA-256 of its register entry.
    pub digest: String,
    /// That entry's place in the log.
    pub index: u64,
    /// Whether it was there before, with the same content.
    pub already: bool,
}

/// One file is sealed and in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file's path within the bundle.
    pub path: &'a str,
    /// Its length in bytes.
    pub len: u64,
}

/// Names a version and its content.
pub(super) struct Release<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) files: &'a Files,
}

pub(super) async fn publish(
    registry: &Registry,
    release: &Release<'_>,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Published, RegistryError> {
    checked(release.name, check_name)?;
    checked(release.version, check_version)?;
    let sizes = release.files.iter().map(|(path, bytes)| (path.as_str(), bytes.len() as u64));
    check_bounds(sizes).map_err(|reason| RegistryError::Bounds { reason })?;
    registry.authority.check_writer()?;
    check_authors(registry, release).await?;
    let mut log = Log::read_or_begin(&registry.store, &registry.authority).await?;
    alias::repair(&mut log, release.name).await?;
    if let Some(entry) = log.registered(release.name, release.version) {
        return same_or_refused(registry, &log, release, &entry).await;
    }
    let register = seal_all(registry, release, progress).await?;
    commit(registry, release, &mut log, register).await
}

/// Where the trust policy asks for authors, nothing is published that they did not sign: it would not be served.
async fn check_authors(registry: &Registry, release: &Release<'_>) -> Result<(), RegistryError> {
    if !registry.authority.trust.as_ref().is_some_and(|trust| trust.asks_for_authors()) {
        return Ok(());
    }
    let (authority, files) = (registry.authority.clone(), release.files.clone());
    let model = format!("{}:{}", release.name, release.version);
    let checked = spawn_blocking(move || {
        let digests: Vec<_> = files.iter().map(|(path, bytes)| (path.as_str(), sha256_hex(bytes))).collect();
        let digests = digests.iter().map(|(path, digest)| (*path, digest.as_str()));
        authority.authors(&model, &files, digests, &timestamp::now()).map(drop)
    });
    checked.await?
}

/// Appends the register entry. Who published the same version meanwhile, was first.
async fn commit(
    registry: &Registry,
    release: &Release<'_>,
    log: &mut Log<'_>,
    register: Register,
) -> Result<Published, RegistryError> {
    for _ in 0..ATTEMPTS {
        if let Some(entry) = log.registered(release.name, release.version) {
            return same_or_refused(registry, log, release, &entry).await;
        }
        match log.try_append(Event::Register(register.clone())).await? {
            Appended::Entry(entry) => return Ok(published(release, entry.index, entry.digest.clone(), false)),
            Appended::Lost => {}
        }
    }
    Err(RegistryError::Contended { stage: Stage::Log, object: layout::LOG.into(), attempts: ATTEMPTS })
}

/// Publishing again what is there is no error; publishing something else under its name is.
async fn same_or_refused(
    registry: &Registry,
    log: &Log<'_>,
    release: &Release<'_>,
    entry: &Entry<Register>,
) -> Result<Published, RegistryError> {
    let (index, _) = match log.erased(&entry.event.artifact) {
        Some(index) => {
            let model = format!("{}:{}", release.name, release.version);
            return Err(RegistryError::Erased { model, index });
        }
        None => fetch::file_index(registry, &entry.event).await?,
    };
    let files = release.files.clone();
    if !spawn_blocking(move || index.lists(&files)).await? {
        return Err(RegistryError::Immutable { model: format!("{}:{}", release.name, release.version) });
    }
    all_there(registry, entry).await?;
    Ok(published(release, entry.index, entry.digest.clone(), true))
}

/// Nobody is told that a version is there when one of its sealed files is gone.
async fn all_there(registry: &Registry, entry: &Entry<Register>) -> Result<(), RegistryError> {
    let looks = stream::iter(entry.event.blobs.clone()).map(|digest| async move {
        let key = layout::blob(&digest);
        registry.store.head(&key).await.map(drop).map_err(|error| match error {
            StoreError::NotFound { .. } => {
                let reason = format!("missing, though {} names it", layout::log_entry(entry.index));
                RegistryError::Damaged { stage: Stage::Blob, object: key, reason }
            }
            source => at(Stage::Blob, &key)(source),
        })
    });
    looks.buffer_unordered(LOOKS_IN_FLIGHT).try_collect().await
}

fn published(release: &Release<'_>, index: u64, digest: String, already: bool) -> Published {
    Published { name: release.name.into(), version: release.version.into(), digest, index, already }
}

/// Seals everything under a fresh artifact key. The keyslot goes first: it is small, and if the key or the store refuses
/// us, we know before gigabytes are sealed.
async fn seal_all(
    registry: &Registry,
    release: &Release<'_>,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Register, RegistryError> {
    let artifact = Arc::new(Artifact::new()?);
    let kek = keyslot::create(registry, &artifact).await?;
    let files = seal_files(registry, release.files, &artifact, progress).await?;
    let mut blobs: Vec<String> = files.iter().map(|file| file.blob.clone()).collect();
    let index = FileIndex { model: release.name.into(), version: release.version.into(), files };
    let bytes = index.write().map_err(|reason| RegistryError::Bounds { reason })?;
    let file_index = put_sealed(registry, &artifact, Purpose::FileIndex, bytes.into()).await?;
    blobs.push(file_index.clone());
    blobs.sort();
    let (model, version) = (index.model, index.version);
    Ok(Register { model, version, artifact: artifact.id.clone(), kek, file_index, blobs })
}

async fn seal_files(
    registry: &Registry,
    files: &Files,
    artifact: &Arc<Artifact>,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Vec<IndexedFile>, RegistryError> {
    let files: Vec<_> = files.clone().into_iter().enumerate().collect();
    let sealing = stream::iter(files).map(|(place, (path, plain))| async move {
        let (len, hashed) = (plain.len() as u64, plain.clone());
        let blob = put_sealed(registry, artifact, Purpose::File(place), plain).await?;
        let sha256 = spawn_blocking(move || sha256_hex(&hashed)).await?;
        progress(Progress { path: &path, len });
        Ok::<_, RegistryError>(IndexedFile { path, sha256, len, blob })
    });
    sealing.buffered(FILES_IN_FLIGHT).try_collect().await
}

/// Seals `plain` and puts it into the store; answers with the sealed file's digest.
async fn put_sealed(
    registry: &Registry,
    artifact: &Arc<Artifact>,
    purpose: Purpose,
    plain: Bytes,
) -> Result<String, RegistryError> {
    let (artifact, stage) = (Arc::clone(artifact), purpose.stage());
    let SealedFile { file, digest } = spawn_blocking(move || blob::seal(&plain, &artifact, &purpose)).await??;
    let key = layout::blob(&digest);
    // An object of that name is there only if an earlier attempt of ours arrived: the name is its content's digest.
    registry.store.create_retained_from_file(&key, file.path()).await.map_err(at(stage, &key))?;
    tracing::info!(%stage, blob = digest, "sealed file written");
    Ok(digest)
}
