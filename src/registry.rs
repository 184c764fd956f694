//! Models by name: versions, aliases, publish, promote, fetch, export. Where bytes, keys and format meet.
//!
//! A bundle's files are sealed under an artifact key, which a keyslot holds sealed under a KEK. A log says which artifact
//! is which version and where aliases point; its entries are in-toto Statements, unsigned so far. `docs/REGISTRY.md`
//! describes every object.

mod alias;
mod artifact;
mod blob;
mod directory;
mod error;
mod export;
mod fetch;
mod file_index;
mod keyslot;
mod layout;
mod log;
mod mount;
mod promote;
mod publish;
mod reference;
mod statement;
mod timestamp;

use futures_util::FutureExt;

use crate::bundle::Files;
use crate::keys::{KeySource, Keys};
use crate::store::{Location, Store};

pub use artifact::ARTIFACT_NAMESPACE;
pub use directory::read_directory;
pub use error::{RegistryError, Stage};
pub use export::{Copying, Export, ExportedObject};
pub use file_index::{MAX_FILES, MAX_PATH_LEN, MAX_TOTAL_LEN};
pub use mount::{fetch_mount, is_sealed_mount, mount_len};
pub use promote::Promoted;
pub use publish::{Progress, Published};
pub use reference::{AliasName, DEFAULT_ALIAS, MAX_NAME_LEN, ModelRef, Selector};

/// A version opened in memory.
pub struct Fetched {
    /// The plaintext files.
    pub files: Files,
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// Hex SHA-256 of the register entry; of an unsealed model, of what `sha256sum` prints for its files, sorted by path.
    pub digest: String,
    /// Whether the files were sealed. Only a mounted model may be plain, and only where that is allowed.
    pub sealed: bool,
    /// Whether somebody's signature was verified. Entries bear none yet, so it is `false` and users are told.
    pub signed: bool,
}

/// The models of one store, opened with the keys of one source.
pub struct Registry {
    /// Where the objects are.
    pub store: Store,
    /// The KEKs.
    pub keys: Keys,
}

impl Registry {
    /// Opens the key source; the store is touched by what is done with it. `aws` is looked at only for what is in AWS.
    ///
    /// # Errors
    /// [`RegistryError::Key`]: the key source cannot be opened.
    pub async fn open(
        location: &Location,
        key: &KeySource,
        aws: &aws_config::SdkConfig,
    ) -> Result<Self, RegistryError> {
        Ok(Self { store: Store::open(location, aws), keys: Keys::open(key, aws).await? })
    }

    /// Resolves `model`, fetches its sealed files in parallel and opens them in memory. Every file's digest is compared
    /// with the authentic file index before it is answered with.
    ///
    /// # Errors
    /// Names the stage and the object: no such model, the wrong key, an object missing or tampered with, the store or
    /// the key service refusing.
    pub async fn fetch(&self, model: &ModelRef) -> Result<Fetched, RegistryError> {
        // Boxed, here and below: the future is large and nested deep, which its callers should not have to know; and
        // `boxed` demands that any thread may do the work.
        fetch::fetch(self, model).boxed().await
    }

    /// Seals `files` and registers them as `version` of the model `name`. The caller has checked that they are a bundle
    /// that loads and passes its self-test. `progress` is called after each file.
    ///
    /// Publishing the same files as the same version again succeeds and writes nothing. Interrupted at any moment it
    /// leaves the registry as it was, with objects in it that nothing names.
    ///
    /// # Errors
    /// [`RegistryError::Immutable`] when the version is there with other content; bounds; the store, the key service.
    pub async fn publish(
        &self,
        name: &str,
        version: &str,
        files: &Files,
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<Published, RegistryError> {
        let release = publish::Release { name, version, files };
        publish::publish(self, &release, progress).boxed().await
    }

    /// Moves the alias `alias` of the model to the version that `model` names. Interrupted between the log entry and the
    /// alias object, the next writer completes it.
    ///
    /// # Errors
    /// No such version, or the store.
    pub async fn promote(&self, model: &ModelRef, alias: &str) -> Result<Promoted, RegistryError> {
        promote(&self.store, model, &alias.parse()?).await
    }
}

/// As [`Registry::promote`], which needs no key.
///
/// # Errors
/// No such version, or the store. [`RegistryError::Lagging`]: the move is in the log, the alias object did not follow.
pub async fn promote(store: &Store, model: &ModelRef, alias: &AliasName) -> Result<Promoted, RegistryError> {
    promote::promote(store, model, alias).boxed().await
}
