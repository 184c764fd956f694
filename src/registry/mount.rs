//! A model in a directory that was mounted for us: an export, opened as a registry's version is, or a plain bundle where
//! that is allowed.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use futures_util::FutureExt;
use tokio::task::spawn_blocking;

use super::directory::{self, unreadable};
use super::error::Stage;
use super::statement::{Entry, MAX_ENTRY_LEN, Register};
use super::{Authority, Fetched, MAX_FILES, Registry, RegistryError, fetch, layout, read_directory};
use crate::bundle::{Bundle, Files, MANIFEST_FILES};
use crate::keys::Keys;
use crate::sealed::digest::{Sha256, sha256_hex};
use crate::store::Store;

/// Reads the model in the directory `path`: opened with `keys` where it is sealed; where it is a plain bundle, only with
/// `allow_unsealed`.
///
/// # Errors
/// [`RegistryError::NoModel`], [`RegistryError::NoKey`], [`RegistryError::Unsealed`], [`RegistryError::Bundle`]; and as
/// for [`Registry::fetch`].
pub async fn fetch_mount(
    path: &Path,
    keys: Option<&Keys>,
    authority: &Authority,
    allow_unsealed: bool,
) -> Result<Fetched, RegistryError> {
    let owned = path.to_owned();
    match spawn_blocking(move || look(&owned)).await?? {
        Mounted::Sealed(entry) => {
            let keys = keys.ok_or_else(|| RegistryError::NoKey { path: path.to_owned() })?.clone();
            let registry = Registry { store: Store::directory(path), keys, authority: authority.clone() };
            fetch::open(&registry, *entry).boxed().await
        }
        Mounted::Plain if allow_unsealed => {
            let owned = path.to_owned();
            spawn_blocking(move || read_plain(&owned)).await?
        }
        Mounted::Plain => Err(RegistryError::Unsealed { path: path.to_owned() }),
    }
}

/// How many bytes the model in the directory `path` is, before it is read: those of its sealed files, or of its plain
/// ones. Blocks.
///
/// # Errors
/// [`RegistryError::NoModel`], or the directory cannot be read or holds more than a version may.
pub fn mount_len(path: &Path) -> Result<u64, RegistryError> {
    match look(path)? {
        // What lies there counts, not what the entry names: the entry is not authentic yet.
        Mounted::Sealed(_) => blobs_len(&path.join(layout::BLOBS)),
        Mounted::Plain => directory::directory_len(path),
    }
}

/// Whether the directory `path` holds a sealed model, as [`fetch_mount`] sees it.
pub fn is_sealed_mount(path: &Path) -> bool {
    path.join(layout::ENTRY).symlink_metadata().is_ok()
}

pub(super) enum Mounted {
    Sealed(Box<Entry<Register>>),
    Plain,
}

/// What the directory holds; a register entry stands above a manifest.
pub(super) fn look(path: &Path) -> Result<Mounted, RegistryError> {
    match found(fs::metadata(path)).map_err(unreadable(path))? {
        None => return Err(no_model(path, "there is no such directory")),
        Some(about) if !about.is_dir() => return Err(no_model(path, "it is not a directory")),
        Some(_) => {}
    }
    if let Some(entry) = read_entry(path)? {
        no_links(path, &entry.event)?;
        return Ok(Mounted::Sealed(Box::new(entry)));
    }
    match MANIFEST_FILES.iter().any(|name| path.join(name).exists()) {
        true => Ok(Mounted::Plain),
        false => Err(no_model(path, "it holds no entry.json, and neither model.toml nor config.json")),
    }
}

fn read_entry(root: &Path) -> Result<Option<Entry<Register>>, RegistryError> {
    let place = root.join(layout::ENTRY);
    match found(place.symlink_metadata()).map_err(unreadable(&place))? {
        None => return Ok(None),
        Some(about) if !about.is_file() => return Err(no_model(root, "entry.json is not a regular file")),
        Some(_) => {}
    }
    let mut bytes = Vec::new();
    let file = File::open(&place).map_err(unreadable(&place))?;
    file.take(MAX_ENTRY_LEN + 1).read_to_end(&mut bytes).map_err(unreadable(&place))?;
    let object = place.display().to_string();
    let damaged = |reason| RegistryError::Damaged { stage: Stage::Log, object, reason };
    let register = Entry::read(bytes.into()).and_then(|entry| {
        entry.as_register().ok_or_else(|| "is a promote entry, expected the register entry of a version".into())
    });
    register.map(Some).map_err(damaged)
}

/// The store does not follow a link under an object's own name; here it is seen to that no folder above it is one.
fn no_links(root: &Path, register: &Register) -> Result<(), RegistryError> {
    let keys = [layout::blob(&register.file_index), layout::keyslot(&register.artifact, &register.kek)];
    for folder in keys.iter().flat_map(|key| Path::new(key).ancestors().skip(1)) {
        let folder = root.join(folder);
        match found(folder.symlink_metadata()).map_err(unreadable(&folder))? {
            Some(about) if !about.is_dir() => return Err(no_model(&folder, "it is a link or a file")),
            // What is missing is named when it is needed.
            Some(_) | None => {}
        }
    }
    Ok(())
}

fn blobs_len(folder: &Path) -> Result<u64, RegistryError> {
    let mut total = 0_u64;
    for (count, entry) in fs::read_dir(folder).map_err(unreadable(folder))?.enumerate() {
        // The list of files is a sealed file too.
        if count > MAX_FILES {
            return Err(no_model(folder, "it holds more files than a version may"));
        }
        let about = entry.and_then(|entry| entry.metadata()).map_err(unreadable(folder))?;
        total = total.saturating_add(if about.is_file() { about.len() } else { 0 });
    }
    Ok(total)
}

/// Blocks.
fn read_plain(path: &Path) -> Result<Fetched, RegistryError> {
    let files = read_directory(path)?;
    let bundle = Bundle::from_files(files.clone());
    let bundle = bundle.map_err(|source| RegistryError::Bundle { path: path.to_owned(), source })?;
    let (name, version) = (bundle.manifest().name.clone(), bundle.manifest().version.clone());
    let digest = listing_digest(&files);
    tracing::info!(model = name, version, digest, files = files.len(), "unsealed model read");
    Ok(Fetched { files, name, version, digest, sealed: false, signed: false })
}

/// SHA-256 of what `sha256sum` prints for the files, sorted by path, so that anybody can work it out again.
fn listing_digest(files: &Files) -> String {
    let mut hash = Sha256::new();
    for (path, bytes) in files {
        hash.update(format!("{}  {path}\n", sha256_hex(bytes)).as_bytes());
    }
    hash.finish_hex()
}

/// Nothing being there is an answer.
fn found(looked: io::Result<Metadata>) -> io::Result<Option<Metadata>> {
    match looked {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        looked => looked.map(Some),
    }
}

fn no_model(path: &Path, reason: &'static str) -> RegistryError {
    RegistryError::NoModel { path: path.to_owned(), reason }
}
