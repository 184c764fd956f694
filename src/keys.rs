//! Key-encryption keys (KEKs) by id: a key file, AWS Secrets Manager.

use std::path::PathBuf;
use std::str::FromStr;

use crate::sealed::SealingKey;

/// Namespace of KEKs in the files they seal.
pub const KEK_NAMESPACE: &str = "strongroom/kek";

/// Where a sealing key is kept: `file:PATH`, `secretsmanager:NAME-or-ARN` or a bare ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file of mode 0600.
    File(PathBuf),
    /// Name or ARN of a secret.
    SecretsManager(String),
}

impl FromStr for KeySource {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let _ = text;
        todo!()
    }
}

/// A KEK and the name it bears in the files it seals (Secrets Manager's VersionId, or the key file's id).
pub struct Kek {
    /// Key name within [`KEK_NAMESPACE`].
    pub name: String,
    /// The key.
    pub key: SealingKey,
}

/// The KEKs of one source, fetched by name and kept.
pub struct Keys(());

impl Keys {
    /// `aws` is asked for only when the source is in AWS (the closure loads the SDK's configuration).
    pub async fn open(source: &KeySource, aws: &aws_config::SdkConfig) -> Result<Self, KeyError> {
        let _ = (source, aws);
        todo!()
    }
    /// The KEK to seal with.
    pub async fn current(&self) -> Result<Kek, KeyError> {
        todo!()
    }
    /// The KEK that bears `name`; AWSCURRENT and AWSPREVIOUS are tried when no version bears it.
    pub async fn by_name(&self, name: &str) -> Result<Kek, KeyError> {
        let _ = name;
        todo!()
    }
}

/// Why a key is not had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {}
