//! A sealed version becomes files in memory: alias, register entry, keyslot, file index, sealed files.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::try_join;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::artifact::Purpose;
use super::blob::{Len, Opener};
use super::error::Stage;
use super::file_index::{FileIndex, IndexedFile, MAX_INDEX_LEN};
use super::log::{self, Log};
use super::reference::Selector;
use super::statement::{Entry, Promote, Register};
use super::{Authority, Fetched, ModelRef, Registry, RegistryError, alias, keyslot, layout};
use crate::bundle::Files;
use crate::signed::{Signer, is_signature_file};
use crate::store::Store;

/// Files that are fetched at the same time; what they have in memory is bounded over all of them.
const FILES_IN_FLIGHT: usize = 4;

pub(super) async fn fetch(registry: &Registry, model: &ModelRef) -> Result<Fetched, RegistryError> {
    let entry = match &model.selector {
        Selector::Alias(alias) => {
            let promote = newest_move(registry, &model.name, alias.as_str(), 0).await?;
            registered(&registry.store, &promote.event).await?
        }
        Selector::Version(_) | Selector::Digest(_) => resolve(&registry.store, &registry.authority, model).await?,
    };
    open(registry, entry).await
}

/// The newest move of an alias, refused where it is older than `seen`, or than the authority or the secret allow.
pub(super) async fn newest_move(
    registry: &Registry,
    model: &str,
    alias: &str,
    seen: u64,
) -> Result<Entry<Promote>, RegistryError> {
    let floor = async { Ok(registry.keys.min_index().await?) };
    let promote = read_alias(&registry.store, &registry.authority, model, alias);
    let (promote, of_secret) = try_join(promote, floor).await?;
    let floor = seen.max(registry.authority.min_index).max(of_secret);
    match promote.index < floor {
        true => Err(RegistryError::BelowFloor { alias: format!("{model}:{alias}"), index: promote.index, floor }),
        false => Ok(promote),
    }
}

/// Opens the version that `entry` registers.
pub(super) async fn open(registry: &Registry, entry: Entry<Register>) -> Result<Fetched, RegistryError> {
    let began = Instant::now();
    let publishers = registry.authority.publishers(&entry)?;
    let (index, opener) = file_index(registry, &entry.event).await?;
    let listed = index.files.clone();
    let files = open_files(&opener, index.files.into_iter().enumerate().collect()).await?;
    let model = format!("{}:{}", entry.event.model, entry.event.version);
    // The digests are those that were compared with the opened files.
    let digests = listed.iter().map(|file| (file.path.as_str(), file.sha256.as_str()));
    let authors = registry.authority.authors(&model, &files, digests, &entry.created)?;
    let signed = registry.authority.trust.is_some();
    let bytes: usize = files.values().map(bytes::Bytes::len).sum();
    let seconds = began.elapsed().as_secs_f64();
    let (name, version) = (entry.event.model, entry.event.version);
    tracing::info!(
        model = name,
        version,
        digest = entry.digest,
        files = files.len(),
        bytes,
        seconds,
        publishers = names(&publishers),
        authors = names(&authors),
        "model fetched"
    );
    Ok(Fetched { files, name, version, digest: entry.digest, sealed: true, signed })
}

/// Opens a version's list of files, and answers with what opens the files themselves.
pub(super) async fn file_index(registry: &Registry, register: &Register) -> Result<(FileIndex, Opener), RegistryError> {
    let artifact = Arc::new(keyslot::open(registry, register).await?);
    let opener = Opener::new(registry.store.clone(), artifact);
    let (key, purpose) = (layout::blob(&register.file_index), Purpose::FileIndex);
    let opened = opener.open(&register.file_index, &purpose, Len::AtMost(MAX_INDEX_LEN)).await?;
    let index = FileIndex::read(&opened.plain).map_err(|reason| purpose.damaged(&key, reason))?;
    // The list is authentic, the entry that names it is not: the list says which version this is.
    if index.model != register.model || index.version != register.version {
        let found = format!("{}:{}", index.model, index.version);
        let expected = format!("{}:{}", register.model, register.version);
        return Err(purpose.damaged(&key, format!("lists the files of {found}, expected {expected}")));
    }
    Ok((index, opener))
}

/// Whether the version that `entry` registers could be served, without fetching all of it: its keyslot and list of files
/// open, and its authors signed it. Answers with that list.
pub(super) async fn check(registry: &Registry, entry: &Entry<Register>) -> Result<FileIndex, RegistryError> {
    let (index, opener) = file_index(registry, &entry.event).await?;
    let model = format!("{}:{}", entry.event.model, entry.event.version);
    let listed = index.files.clone();
    let signatures = listed.clone().into_iter().enumerate().filter(|(_, file)| is_signature_file(&file.path));
    let signatures = open_files(&opener, signatures.collect()).await?;
    let digests = listed.iter().map(|file| (file.path.as_str(), file.sha256.as_str()));
    registry.authority.authors(&model, &signatures, digests, &entry.created)?;
    Ok(index)
}

fn names(signers: &[Signer]) -> String {
    signers.iter().map(|signer| signer.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// An alias is read from its object alone, so that serving needs no look at the whole log.
pub(super) async fn resolve(
    store: &Store,
    authority: &Authority,
    model: &ModelRef,
) -> Result<Entry<Register>, RegistryError> {
    match &model.selector {
        Selector::Alias(alias) => {
            registered(store, &read_alias(store, authority, &model.name, alias.as_str()).await?.event).await
        }
        Selector::Version(_) | Selector::Digest(_) => Log::read(store, authority).await?.resolve(model),
    }
}

async fn read_alias(
    store: &Store,
    authority: &Authority,
    model: &str,
    alias: &str,
) -> Result<Entry<Promote>, RegistryError> {
    let promote = alias::read(store, model, alias).await?;
    let no_alias = || RegistryError::NoAlias { model: model.into(), alias: alias.into() };
    let promote = promote.ok_or_else(no_alias)?;
    authority.publishers(&promote)?;
    Ok(promote)
}

/// The register entry that a move names.
pub(super) async fn registered(store: &Store, promote: &Promote) -> Result<Entry<Register>, RegistryError> {
    let entry = log::entry(store, promote.register.index).await?;
    let damaged = |reason| RegistryError::Damaged {
        stage: Stage::Log,
        object: layout::log_entry(promote.register.index),
        reason,
    };
    if entry.digest != promote.register.sha256 {
        let reason = format!("has the digest {}, the alias names {}", entry.digest, promote.register.sha256);
        return Err(damaged(reason));
    }
    let register = entry.as_register().ok_or_else(|| damaged("is no register entry".into()))?;
    if register.event.model != promote.model || register.event.version != promote.version {
        return Err(damaged(format!("is not of {}:{}", promote.model, promote.version)));
    }
    Ok(register)
}

/// `files` by their places in the list.
async fn open_files(opener: &Opener, files: Vec<(usize, IndexedFile)>) -> Result<Files, RegistryError> {
    let opening = stream::iter(files).map(|(place, file)| async move {
        let purpose = Purpose::File(place);
        let opened = opener.open(&file.blob, &purpose, Len::Exactly(file.len)).await?;
        if opened.sha256 != file.sha256 {
            let reason = format!("its plaintext has the digest {}, expected {}", opened.sha256, file.sha256);
            return Err(purpose.damaged(&layout::blob(&file.blob), reason));
        }
        Ok((file.path, opened.plain))
    });
    opening.buffer_unordered(FILES_IN_FLIGHT).try_collect().await
}
