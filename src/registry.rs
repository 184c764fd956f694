//! Models by name: versions, aliases, publish, promote, fetch. Where bytes, keys and format meet.

use std::path::Path;
use std::str::FromStr;

use crate::bundle::Files;
use crate::keys::Keys;
use crate::store::Store;

/// Which version of which model: `NAME[:ALIAS]` (default `live`), `NAME:VERSION` or `NAME@sha256:HEX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRef {
    /// The model's name.
    pub name: String,
    /// Which of its versions.
    pub selector: Selector,
}

/// The part behind the model's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Movable; does not begin with a digit.
    Alias(String),
    /// Immutable; begins with a digit.
    Version(String),
    /// Hex digest of the register entry.
    Digest(String),
}

impl FromStr for ModelRef {
    type Err = RegistryError;
    fn from_str(text: &str) -> Result<Self, RegistryError> {
        let _ = text;
        todo!()
    }
}

/// A version opened in memory.
pub struct Fetched {
    /// The plaintext files.
    pub files: Files,
    /// The model's name.
    pub name: String,
    /// The version.
    pub version: String,
    /// Hex SHA-256 of the register entry.
    pub digest: String,
    /// Whether somebody's signature was verified (never, until the registry issue).
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
    /// Resolves `model`, fetches its blobs in parallel and opens them in memory.
    pub async fn fetch(&self, model: &ModelRef) -> Result<Fetched, RegistryError> {
        let _ = model;
        todo!()
    }
}

/// The files of a plain bundle directory, bounded in number and size; nothing outside `path` is followed.
pub fn read_directory(path: &Path) -> Result<Files, RegistryError> {
    let _ = path;
    todo!()
}

/// Why a model was not published, promoted or fetched.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {}
