//! How a signing key is named on the command line and in the environment.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::SignerError;

/// Longest id, alias or ARN of a KMS key (API reference of Sign, `KeyId`).
const MAX_KMS_ID: usize = 2048;

/// Where a signing key is kept: `file:PATH`, `kms:` and a key's id, ARN or `alias/NAME`, or a PKCS#11 URI (RFC 7512).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignerSource {
    /// A file of mode 0600, PKCS#8 in PEM.
    File(PathBuf),
    /// A key of AWS KMS, which it never leaves.
    Kms(String),
    /// A key of a security module, which it never leaves: its PKCS#11 URI.
    Pkcs11(String),
}

impl SignerSource {
    /// Whether the AWS SDK's configuration is needed to use it.
    pub fn is_on_aws(&self) -> bool {
        matches!(self, Self::Kms(_))
    }
}

impl FromStr for SignerSource {
    type Err = SignerError;

    fn from_str(text: &str) -> Result<Self, SignerError> {
        let is_id = |id: &str| (1..=MAX_KMS_ID).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_graphic());
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            Some(("kms", id)) if is_id(id) => Ok(Self::Kms(id.to_owned())),
            Some(("pkcs11", _)) if is_id(text) => Ok(Self::Pkcs11(text.to_owned())),
            // Not quoted: it may be a key that somebody pasted.
            Some(_) | None => Err(SignerError::Source),
        }
    }
}

impl fmt::Display for SignerSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Kms(id) => write!(f, "kms:{id}"),
            Self::Pkcs11(uri) => write!(f, "{uri}"),
        }
    }
}
