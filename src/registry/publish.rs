//! A directory becomes a published version: keyslot, sealed files, log entry. The last one is the commit point; whatever
//! happens before it leaves objects that nothing names.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::artifact::{Artifact, Purpose};
use super::content::{Content, Plain};
use super::error::{Stage, at};
use super::file_index::{FileIndex, IndexedFile, check_bounds};
use super::log::{ATTEMPTS, Appended, Log};
use super::provenance::{Provenance, check_provenance};
use super::reference::{check_name, check_version, checked};
use super::statement::{Entry, Event, Register};
use super::{Registry, RegistryError, alias, blob, fetch, keyslot, layout, timestamp};
use crate::keys::{Kek, Keys};
use crate::signed::is_signature_file;
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

/// More of a file is in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The file's path within the bundle.
    pub path: &'a str,
    /// How many bytes more; of all files together about as many as they have.
    pub bytes: u64,
}

/// What is published.
#[derive(Debug, Clone)]
pub struct Release<'a> {
    /// The model's name.
    pub name: &'a str,
    /// The version.
    pub version: &'a str,
    /// Its files.
    pub content: &'a Content,
    /// Where it comes from.
    pub provenance: &'a [Provenance],
    /// Keys under which it opens, too, should the registry's own be lost: kept elsewhere.
    pub recovery: Option<&'a Keys>,
}

impl<'a> Release<'a> {
    /// Without provenance, and without a recovery key.
    pub fn new(name: &'a str, version: &'a str, content: &'a Content) -> Self {
        Self { name, version, content, provenance: &[], recovery: None }
    }
}

pub(super) async fn publish(
    registry: &Registry,
    release: &Release<'_>,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Published, RegistryError> {
    checked(release.name, check_name)?;
    checked(release.version, check_version)?;
    let sizes = release.content.iter().map(|(path, plain)| (path, plain.len));
    check_bounds(sizes).map_err(|reason| RegistryError::Bounds { reason })?;
    check_provenance(release.provenance).map_err(|reason| RegistryError::Bounds { reason })?;
    registry.authority.check_writer()?;
    let recovery = recovery_kek(registry, release).await?;
    check_authors(registry, release).await?;
    let mut log = Log::read_or_begin(&registry.store, &registry.authority).await?;
    alias::repair(&mut log, release.name).await?;
    if let Some(entry) = log.registered(release.name, release.version) {
        return same_or_refused(registry, &log, release, &entry, recovery.as_deref()).await;
    }
    let register = seal_all(registry, release, recovery.as_deref(), progress).await?;
    commit(registry, release, &mut log, register, recovery.as_deref()).await
}

/// Another one than the key that it is to stand in for.
async fn recovery_kek(registry: &Registry, release: &Release<'_>) -> Result<Option<Arc<Kek>>, RegistryError> {
    let Some(keys) = release.recovery else { return Ok(None) };
    let kek = keys.current().await?;
    match registry.keys.knows(&kek.name).await? {
        true => Err(RegistryError::SameKey { kek: kek.name.clone() }),
        false => Ok(Some(kek)),
    }
}

/// Where the trust policy asks for authors, nothing is published that they did not sign: it would not be served.
async fn check_authors(registry: &Registry, release: &Release<'_>) -> Result<(), RegistryError> {
    if !registry.authority.trust.as_ref().is_some_and(|trust| trust.asks_for_authors()) {
        return Ok(());
    }
    let (authority, content) = (registry.authority.clone(), release.content.clone());
    let model = format!("{}:{}", release.name, release.version);
    let checked = spawn_blocking(move || {
        let signatures = content.read(is_signature_file)?;
        let digests = content.iter().map(|(path, plain)| (path, plain.sha256.as_str()));
        authority.authors(&model, &signatures, digests, &timestamp::now()).map(drop)
    });
    checked.await?
}

/// Appends the register entry. Who published the same version meanwhile, was first.
async fn commit(
    registry: &Registry,
    release: &Release<'_>,
    log: &mut Log<'_>,
    register: Register,
    recovery: Option<&Kek>,
) -> Result<Published, RegistryError> {
    for _ in 0..ATTEMPTS {
        if let Some(entry) = log.registered(release.name, release.version) {
            return same_or_refused(registry, log, release, &entry, recovery).await;
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
    recovery: Option<&Kek>,
) -> Result<Published, RegistryError> {
    let (index, _) = match log.erased(&entry.event.artifact) {
        Some(index) => {
            let model = format!("{}:{}", release.name, release.version);
            return Err(RegistryError::Erased { model, index });
        }
        None => fetch::file_index(registry, &entry.event).await?,
    };
    if !index.lists(release.content) || entry.event.provenance != release.provenance {
        return Err(RegistryError::Immutable { model: format!("{}:{}", release.name, release.version) });
    }
    all_there(registry, entry).await?;
    // It was published without this key, or the publish was stopped, or somebody else's was first: it opens under it, too.
    if let Some(kek) = recovery {
        let artifact = keyslot::open(registry, &entry.event).await?;
        keyslot::create_under(&registry.store, &artifact, kek).await?;
    }
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
    recovery: Option<&Kek>,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Register, RegistryError> {
    let artifact = Arc::new(Artifact::new()?);
    let kek = keyslot::create(registry, &artifact).await?;
    if let Some(recovery) = recovery {
        keyslot::create_under(&registry.store, &artifact, recovery).await?;
    }
    let files = seal_files(registry, release.content, &artifact, progress).await?;
    let mut blobs: Vec<String> = files.iter().map(|file| file.blob.clone()).collect();
    let index = FileIndex { model: release.name.into(), version: release.version.into(), files };
    let bytes = index.write().map_err(|reason| RegistryError::Bounds { reason })?;
    let bytes = Plain::in_memory(bytes.into());
    let file_index = put_sealed(registry, &artifact, Purpose::FileIndex, &bytes, &|_| ()).await?;
    blobs.push(file_index.clone());
    blobs.sort();
    let (model, version) = (index.model, index.version);
    let (artifact, provenance) = (artifact.id.clone(), release.provenance.to_vec());
    Ok(Register { model, version, artifact, kek, file_index, provenance, blobs })
}

async fn seal_files(
    registry: &Registry,
    content: &Content,
    artifact: &Arc<Artifact>,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Vec<IndexedFile>, RegistryError> {
    let files: Vec<_> = content.iter().map(|(path, plain)| (path.to_owned(), plain.clone())).collect();
    let sealing = stream::iter(files.into_iter().enumerate()).map(|(place, (path, plain))| async move {
        let progress = |bytes| progress(Progress { path: &path, bytes });
        let blob = put_sealed(registry, artifact, Purpose::File(place), &plain, &progress).await?;
        Ok::<_, RegistryError>(IndexedFile { path, sha256: plain.sha256, len: plain.len, blob })
    });
    sealing.buffered(FILES_IN_FLIGHT).try_collect().await
}

/// Seals `plain` and puts it into the store; answers with the sealed file's digest.
async fn put_sealed(
    registry: &Registry,
    artifact: &Arc<Artifact>,
    purpose: Purpose,
    plain: &Plain,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<String, RegistryError> {
    let stage = purpose.stage();
    let draft = registry.store.draft().await.map_err(at(stage, layout::BLOBS))?;
    // What is sealed into the store itself is there with that.
    let in_store = draft.is_in_store();
    let (artifact, plain) = (Arc::clone(artifact), plain.clone());
    let (tell, mut told) = mpsc::unbounded_channel();
    let sealing = spawn_blocking(move || {
        // Nobody listens when the publish was given up.
        let digest = blob::seal(&plain, draft.file(), &artifact, &purpose, |bytes| {
            let _ = tell.send(bytes);
        })?;
        Ok::<_, RegistryError>((digest, draft))
    });
    while let Some(bytes) = told.recv().await {
        if in_store {
            progress(bytes);
        }
    }
    let (digest, draft) = sealing.await??;
    let key = layout::blob(&digest);
    // An object of that name is there only if an earlier attempt of ours arrived: the name is its content's digest.
    draft.create_retained(&key, progress).await.map_err(at(stage, &key))?;
    tracing::info!(%stage, blob = digest, "sealed file written");
    Ok(digest)
}
