//! A version's objects, to be copied to where they will be mounted. Nothing is opened, so no key is needed.

use std::ops::Range;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt, TryStreamExt};

use super::error::{Stage, at};
use super::statement::Register;
use super::{Authority, ModelRef, RegistryError, fetch, keyslot, layout};
use crate::sealed::MAX_HEADER_LEN;
use crate::sealed::digest::Sha256;
use crate::store::{ETag, Store, StoreError};

/// Bytes that are fetched at once, which S3 serves at full speed: 8 MiB.
const PART_LEN: u64 = 8 << 20;
/// Parts that are in memory at the same time: 64 MiB.
const PARTS_IN_FLIGHT: usize = 8;
/// Objects that are looked at at the same time.
const LOOKS_IN_FLIGHT: usize = 16;
/// Rotation leaves a few keyslots; a version with more than this was not made by us.
const MAX_KEYSLOTS: usize = 1_000;

/// A version as it is mounted: its register entry, its keyslots and its sealed files, and nothing else.
pub struct Export {
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// Hex SHA-256 of the register entry.
    pub digest: String,
    /// Sorted by key.
    pub objects: Vec<ExportedObject>,
    store: Store,
}

/// One object of an export.
pub struct ExportedObject {
    /// Its key, which is that of the registry but for the entry's: `entry.json`.
    pub key: String,
    /// In bytes.
    pub len: u64,
    content: Content,
}

enum Content {
    /// The register entry, which was read to find the others.
    Entry(Bytes),
    /// In the store, as it was when it was looked at.
    Stored { stage: Stage, etag: ETag, digest: Option<String> },
}

impl Export {
    /// Resolves `model` and looks at every object of the version; none is copied yet.
    ///
    /// # Errors
    /// No such version, an object of it is missing, or the store.
    pub async fn find(store: &Store, authority: &Authority, model: &ModelRef) -> Result<Self, RegistryError> {
        find(store, authority, model).boxed().await
    }

    /// Of all objects together, in bytes.
    pub fn total_len(&self) -> u64 {
        self.objects.iter().map(|object| object.len).fold(0, u64::saturating_add)
    }

    /// Begins to copy one of the objects.
    pub fn copy<'a>(&'a self, object: &'a ExportedObject) -> Copying<'a> {
        let parts = match &object.content {
            Content::Entry(bytes) => stream::iter([Ok(bytes.clone())]).boxed(),
            Content::Stored { stage, etag, .. } => {
                let read = move |range| async move {
                    self.store.read_range(&object.key, range, etag).await.map_err(at(*stage, &object.key))
                };
                stream::iter(parts(object.len)).map(read).buffered(PARTS_IN_FLIGHT).boxed()
            }
        };
        Copying { object, parts, hash: Sha256::new() }
    }
}

/// An object on its way out, in order, a bounded part at a time.
pub struct Copying<'a> {
    object: &'a ExportedObject,
    parts: BoxStream<'a, Result<Bytes, RegistryError>>,
    hash: Sha256,
}

impl Copying<'_> {
    /// The next bytes; `None` at the end, and only when all of them are what the object's name says. Until then what was
    /// copied is not to be believed.
    ///
    /// # Errors
    /// The store, or the object changed meanwhile. [`RegistryError::Damaged`]: a sealed file's digest is not its name.
    pub async fn next(&mut self) -> Result<Option<Bytes>, RegistryError> {
        match self.parts.try_next().await? {
            Some(part) => {
                self.hash.update(&part);
                Ok(Some(part))
            }
            None => self.check().map(|()| None),
        }
    }

    fn check(&mut self) -> Result<(), RegistryError> {
        let Content::Stored { stage, digest: Some(expected), .. } = &self.object.content else { return Ok(()) };
        let found = std::mem::take(&mut self.hash).finish_hex();
        if found == *expected {
            return Ok(());
        }
        let reason = format!("its bytes have the digest {found}, expected its name");
        Err(RegistryError::Damaged { stage: *stage, object: self.object.key.clone(), reason })
    }
}

async fn find(store: &Store, authority: &Authority, model: &ModelRef) -> Result<Export, RegistryError> {
    let entry = fetch::resolve(store, authority, model).await?;
    authority.publishers(&entry)?;
    let mut objects = look_at_all(store, named(store, &entry.event).await?).await?;
    let (key, len) = (layout::ENTRY.to_owned(), entry.bytes.len() as u64);
    objects.push(ExportedObject { key, len, content: Content::Entry(entry.bytes) });
    objects.sort_by(|a, b| a.key.cmp(&b.key));
    let (name, version, digest) = (entry.event.model, entry.event.version, entry.digest);
    Ok(Export { name, version, digest, objects, store: store.clone() })
}

/// An object that a version needs, before it was looked at.
struct Named {
    stage: Stage,
    key: String,
    digest: Option<String>,
}

async fn named(store: &Store, register: &Register) -> Result<Vec<Named>, RegistryError> {
    let keks = keyslot::names(store, register).await?;
    if keks.is_empty() {
        return Err(keyslot::missing(register));
    }
    if keks.len() > MAX_KEYSLOTS {
        let (stage, object) = (Stage::Keyslot, layout::keyslots(&register.artifact));
        let reason = format!("{} keyslots, expected at most {MAX_KEYSLOTS}", keks.len());
        return Err(RegistryError::Damaged { stage, object, reason });
    }
    let keyslots = keks.iter().map(|kek| layout::keyslot(&register.artifact, kek));
    let keyslots = keyslots.map(|key| Named { stage: Stage::Keyslot, key, digest: None });
    let mut digests = register.blobs.clone();
    digests.sort_unstable();
    digests.dedup();
    let blobs = digests.into_iter().map(|digest| {
        let stage = if digest == register.file_index { Stage::FileIndex } else { Stage::Blob };
        Named { stage, key: layout::blob(&digest), digest: Some(digest) }
    });
    Ok(keyslots.chain(blobs).collect())
}

async fn look_at_all(store: &Store, named: Vec<Named>) -> Result<Vec<ExportedObject>, RegistryError> {
    let looks = stream::iter(named).map(|Named { stage, key, digest }| async move {
        let object = store.head(&key).await.map_err(at(stage, &key))?;
        let limit = MAX_HEADER_LEN as u64;
        if stage == Stage::Keyslot && object.len > limit {
            let source = StoreError::TooLarge { object: key.clone(), len: object.len, limit };
            return Err(at(stage, &key)(source));
        }
        Ok(ExportedObject { key, len: object.len, content: Content::Stored { stage, etag: object.etag, digest } })
    });
    looks.buffered(LOOKS_IN_FLIGHT).try_collect().await
}

/// The ranges of an object of `len` bytes, none where it is empty.
fn parts(len: u64) -> impl Iterator<Item = Range<u64>> {
    (0..len.div_ceil(PART_LEN)).map(move |part| part * PART_LEN..len.min((part + 1) * PART_LEN))
}
