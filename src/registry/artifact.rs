//! An artifact: a bundle sealed under a key of its own, the artifact key, which keyslots hold under KEKs.

use super::RegistryError;
use super::error::Stage;
use crate::sealed::{EncryptionContext, KeyName, SealingKey};

/// Namespace of artifact keys in the files they seal.
pub const ARTIFACT_NAMESPACE: &str = "strongroom/artifact";

/// An artifact's id and key.
pub(super) struct Artifact {
    /// 32 hex digits at random; the key's name too.
    pub(super) id: String,
    /// Seals all of the artifact's files, and nothing else.
    pub(super) key: SealingKey,
}

impl Artifact {
    /// A fresh id and a fresh key.
    pub(super) fn new() -> Result<Self, RegistryError> {
        Ok(Self { id: uuid::Uuid::new_v4().simple().to_string(), key: SealingKey::generate()? })
    }

    /// The name its key bears in the files it seals.
    pub(super) fn key_name(&self) -> KeyName {
        KeyName { namespace: ARTIFACT_NAMESPACE.into(), name: self.id.clone() }
    }
}

/// What one of an artifact's sealed files is. Stands in its header, authenticated: no sealed file passes for another.
///
/// Headers are public, so a file is named by its place in the file index, not by its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The list of files.
    FileIndex,
    /// The file at this place of the list, from 0.
    File(usize),
}

impl Purpose {
    /// The whole encryption context of such a file of the artifact `id`.
    pub(super) fn context(&self, id: &str) -> EncryptionContext {
        let mut pairs = vec![("artifact", id.to_owned())];
        match self {
            Self::FileIndex => pairs.push(("purpose", "file-index".into())),
            Self::File(place) => pairs.extend([("purpose", "model-file".into()), ("file", place.to_string())]),
        }
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// For errors.
    pub(super) fn stage(&self) -> Stage {
        match self {
            Self::FileIndex => Stage::FileIndex,
            Self::File(_) => Stage::Blob,
        }
    }

    /// A refusal of the object `key`.
    pub(super) fn damaged(&self, key: &str, reason: String) -> RegistryError {
        RegistryError::Damaged { stage: self.stage(), object: key.into(), reason }
    }
}
