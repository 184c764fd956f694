//! Models by name: versions, aliases, publish, promote, fetch, export. Where bytes, keys and format meet.
//!
//! A bundle's files are sealed under an artifact key, which a keyslot holds sealed under a KEK. A log says which artifact
//! is which version and where aliases point; its entries are in-toto Statements, signed where there is a signing key.
//! `docs/FORMAT.md` describes every object.

mod alias;
mod artifact;
mod authority;
mod blob;
mod content;
mod directory;
mod erase;
mod error;
mod examine;
mod export;
mod fetch;
mod file_index;
mod follow;
mod fsck;
mod garbage;
mod history;
mod keyslot;
mod layout;
mod log;
mod migrate;
mod mount;
mod promote;
mod provenance;
mod publish;
mod reference;
mod reseal;
mod rotate;
mod statement;
mod timestamp;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt;

use crate::bundle::Files;
use crate::keys::{KeySource, Keys};
use crate::store::{Location, Store};

pub use artifact::ARTIFACT_NAMESPACE;
pub use authority::Authority;
pub use content::Content;
pub use directory::{digests, read_directory};
pub use erase::Erased;
pub use error::{PolicyError, RegistryError, Stage};
pub use examine::Examined;
pub use export::{Copying, Export, ExportedObject};
pub use file_index::{MAX_FILES, MAX_PATH_LEN, MAX_TOTAL_LEN};
pub use follow::{Follower, Move};
pub use fsck::{Checkup, Fault};
pub use garbage::Unneeded;
pub use history::{Change, Record, Standing, Version, find_version, history, verify_log};
pub use migrate::Migrated;
pub use mount::{fetch_mount, is_sealed_mount, mount_len};
pub use promote::Promoted;
pub use provenance::Provenance;
pub use publish::{Progress, Published, Release};
pub use reference::{AliasName, DEFAULT_ALIAS, MAX_NAME_LEN, ModelRef, Selector};
pub use reseal::Resealed;
pub use rotate::{Hanging, Rotated};
pub use timestamp::now;

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
    /// Whether the signatures that a trust policy asks for were verified. Without a policy it is `false`, and users are told.
    pub signed: bool,
}

/// The models of one store, opened with the keys of one source.
pub struct Registry {
    /// Where the objects are.
    pub store: Store,
    /// The KEKs.
    pub keys: Keys,
    /// Who is trusted, and who signs.
    pub authority: Authority,
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
        let (store, keys) = (Store::open(location, aws), Keys::open(key, aws).await?);
        Ok(Self { store, keys, authority: Authority::default() })
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

    /// Whether `model` could be served, found out without fetching all of it: its entries, its keyslot, its list of files, its
    /// signatures.
    ///
    /// # Errors
    /// What `fetch` would fail with, as far as that is seen.
    pub async fn examine(&self, model: &ModelRef) -> Result<Examined, RegistryError> {
        examine::examine(self, model).boxed().await
    }

    /// Watches the alias `alias` of `model`.
    pub fn follow(self, model: &str, alias: &AliasName) -> Follower {
        Follower::new(self, model, alias)
    }

    /// Seals the content of `release` and registers it. The caller has checked that it is a bundle that
    /// loads and passes its self-test. `progress` is told of what is in the store. What is on disk is held in memory in a
    /// few pieces at a time.
    ///
    /// Publishing the same files as the same version again succeeds and writes nothing. Interrupted at any moment it
    /// leaves the registry as it was, with objects in it that nothing names.
    ///
    /// # Errors
    /// [`RegistryError::Immutable`] when the version is there with other content; bounds; the store, the key service.
    pub async fn publish(
        &self,
        release: &Release<'_>,
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<Published, RegistryError> {
        publish::publish(self, release, progress).boxed().await
    }

    /// Seals a version again, under a new artifact key and the current KEK, as another version with the same files; moves the
    /// aliases there; erases the old one. For a KEK that somebody else has read: rotate first. Interrupted at any moment it
    /// leaves one of the two served, and may be repeated.
    ///
    /// # Errors
    /// [`RegistryError::NoNewKey`]; as for `fetch`, `publish`, `promote` and `erase`.
    pub async fn reseal(
        &self,
        model: &ModelRef,
        recovery: Option<&Keys>,
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<Resealed, RegistryError> {
        reseal::reseal(self, model, recovery, progress).boxed().await
    }

    /// The versions that were first sealed under another KEK than the current one, as `NAME:VERSION`: what `reseal` is for.
    ///
    /// # Errors
    /// The log cannot be read, or the current KEK is not had.
    pub async fn sealed_before(&self) -> Result<Vec<ModelRef>, RegistryError> {
        reseal::sealed_before(self).boxed().await
    }

    /// Gives every version a keyslot under the next KEK of the registry's secret, or the one of `to`, which seals from then
    /// on; no sealed file is touched. `progress` is told how many of how many are done. Interrupted at any moment every
    /// version opens, and the rotation may be run again.
    ///
    /// # Errors
    /// A version does not open, the key service or the store refuses. [`crate::keys::KeyError::NoSuccessor`]: a key file.
    pub async fn rotate(
        &self,
        to: Option<&Keys>,
        progress: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Rotated, RegistryError> {
        rotate::rotate(self, to, progress).boxed().await
    }

    /// What hangs on which KEK.
    ///
    /// # Errors
    /// The store.
    pub async fn key_status(&self) -> Result<BTreeMap<String, Hanging>, RegistryError> {
        rotate::status(self).boxed().await
    }

    /// Deletes every keyslot under the KEK `name`, if each version opens under the current one.
    ///
    /// # Errors
    /// [`RegistryError::Retiring`]: one does not. The store, the key service.
    pub async fn retire_key(&self, name: &str) -> Result<usize, RegistryError> {
        rotate::retire(self, name).boxed().await
    }

    /// Reads everything there is, and answers with what is wrong with it. `progress` is told of bytes as they are read.
    ///
    /// # Errors
    /// The store or the key service does not answer.
    pub async fn fsck(&self, progress: &(dyn Fn(u64) + Sync)) -> Result<Checkup, RegistryError> {
        fsck::fsck(self, progress).boxed().await
    }

    /// Moves the alias `alias` of the model to the version that `model` names. Interrupted between the log entry and the
    /// alias object, the next writer completes it.
    ///
    /// # Errors
    /// No such version, or the store.
    pub async fn promote(&self, model: &ModelRef, alias: &str) -> Result<Promoted, RegistryError> {
        promote(&self.store, &self.authority, model, &alias.parse()?).await
    }
}

/// As [`Registry::examine`], of what is mounted at `path`; `None`: a plain bundle, and that is allowed.
///
/// # Errors
/// What [`fetch_mount`] would fail with, as far as that is seen.
pub async fn examine_mount(
    path: &Path,
    keys: Option<&Keys>,
    authority: &Authority,
    allow_unsealed: bool,
) -> Result<Option<Examined>, RegistryError> {
    examine::examine_mount(path, keys, authority, allow_unsealed).boxed().await
}

/// Makes a version unreadable for ever: the log says so, then every keyslot of it is deleted, with all earlier versions of
/// those objects. No alias may point to it. Interrupted, it may be repeated.
///
/// # Errors
/// No such version, [`RegistryError::InUse`], or the store.
pub async fn erase(store: &Store, authority: &Authority, model: &ModelRef) -> Result<Erased, RegistryError> {
    erase::erase(store, authority, model).boxed().await
}

/// What [`erase`] would do.
///
/// # Errors
/// As for `erase`.
pub async fn plan_erase(store: &Store, authority: &Authority, model: &ModelRef) -> Result<Erased, RegistryError> {
    erase::plan(store, authority, model).boxed().await
}

/// The objects that no version needs and that are `grace` old.
///
/// # Errors
/// The log cannot be read, or the store.
pub async fn unneeded(store: &Store, authority: &Authority, grace: Duration) -> Result<Vec<Unneeded>, RegistryError> {
    garbage::list(store, authority, grace).boxed().await
}

/// Deletes an object that [`unneeded`] answered with, and its earlier versions.
///
/// # Errors
/// The store: it may be retained.
pub async fn delete(store: &Store, object: &Unneeded) -> Result<(), RegistryError> {
    garbage::delete(store, object).boxed().await
}

/// Says in signed entries what only unsigned ones say: every version and every alias. What was sealed stays as it is; the
/// digest that names a version is another, for it is the one of its register entry.
///
/// # Errors
/// The log cannot be read or written, or the policy does not name the keys that sign.
pub async fn migrate(store: &Store, authority: &Authority) -> Result<Migrated, RegistryError> {
    migrate::migrate(store, authority).boxed().await
}

/// As [`Registry::promote`], which needs no key.
///
/// # Errors
/// No such version, or the store. [`RegistryError::Lagging`]: the move is in the log, the alias object did not follow.
pub async fn promote(
    store: &Store,
    authority: &Authority,
    model: &ModelRef,
    alias: &AliasName,
) -> Result<Promoted, RegistryError> {
    promote::promote(store, authority, model, alias).boxed().await
}

/// Moves the alias `alias` of `model` back to the version that it pointed to before its newest move: a new entry, so that
/// the log says so.
///
/// # Errors
/// No such alias, it never moved ([`RegistryError::NothingBefore`]), somebody else moves it now ([`RegistryError::Moved`]),
/// or the store; [`RegistryError::Lagging`] as for [`promote`].
pub async fn roll_back(
    store: &Store,
    authority: &Authority,
    model: &str,
    alias: &AliasName,
) -> Result<Promoted, RegistryError> {
    promote::roll_back(store, authority, model, alias).boxed().await
}
