//! How a sealing key is named on the command line and in the environment.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::KeyError;

/// Longest name or ARN of a secret (API reference of GetSecretValue, `SecretId`).
const MAX_SECRET_ID: usize = 2048;

/// Where a sealing key is kept: `file:PATH`, `secretsmanager:NAME-or-ARN`, a bare ARN, or a [`VaultPlace`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// A file of mode 0600.
    File(PathBuf),
    /// Name or ARN of a secret.
    SecretsManager(String),
    /// In HashiCorp Vault.
    Vault(VaultPlace),
}

/// Where in Vault a sealing key is kept: `vault:kv/MOUNT/PATH`, or `vault:transit/MOUNT/NAME?file=PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultPlace {
    /// A secret of the KV engine, version 2, whose `key` is the key in base64.
    Kv {
        /// Where the engine is mounted, without `/`.
        mount: String,
        /// Of the secret.
        path: String,
    },
    /// A file with a key that a key of the transit engine wrapped.
    Transit {
        /// Where the engine is mounted, without `/`.
        mount: String,
        /// Of the transit key.
        name: String,
        /// The wrapped key.
        file: PathBuf,
    },
}

impl VaultPlace {
    fn read(text: &str) -> Option<Self> {
        let (engine, rest) = text.split_once('/')?;
        let (mount, rest) = rest.split_once('/')?;
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c));
        match engine {
            "kv" if is_word(mount) && rest.split('/').all(is_word) => {
                Some(Self::Kv { mount: mount.to_owned(), path: rest.to_owned() })
            }
            "transit" => {
                let (name, file) = rest.split_once("?file=")?;
                let named = is_word(mount) && is_word(name) && !file.is_empty();
                named.then(|| Self::Transit { mount: mount.to_owned(), name: name.to_owned(), file: file.into() })
            }
            _ => None,
        }
    }
}

impl fmt::Display for VaultPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kv { mount, path } => write!(f, "vault:kv/{mount}/{path}"),
            Self::Transit { mount, name, file } => write!(f, "vault:transit/{mount}/{name}?file={}", file.display()),
        }
    }
}

impl KeySource {
    /// Whether the AWS SDK's configuration is needed to use it.
    pub fn is_on_aws(&self) -> bool {
        matches!(self, Self::SecretsManager(_))
    }
}

impl FromStr for KeySource {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let source = match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Some(Self::File(path.into())),
            Some(("secretsmanager", id)) if is_secret_id(id) => Some(Self::SecretsManager(id.to_owned())),
            Some(("vault", place)) => VaultPlace::read(place).map(Self::Vault),
            Some(("arn", _)) if is_secret_arn(text) => Some(Self::SecretsManager(text.to_owned())),
            Some(_) | None => None,
        };
        // Not quoted: it may be a key that somebody pasted.
        source.ok_or(KeyError::Source)
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::SecretsManager(id) => write!(f, "secretsmanager:{id}"),
            Self::Vault(place) => write!(f, "{place}"),
        }
    }
}

fn is_secret_id(id: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"/_+=.@-".contains(&c);
    is_secret_arn(id) || ((1..=512).contains(&id.len()) && id.bytes().all(allowed))
}

/// `arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX`.
fn is_secret_arn(text: &str) -> bool {
    let parts: Vec<_> = text.splitn(7, ':').collect();
    text.len() <= MAX_SECRET_ID
        && matches!(parts[..], ["arn", _, "secretsmanager", region, _, "secret", name] if !region.is_empty() && !name.is_empty())
        && text.bytes().all(|c| c.is_ascii_graphic())
}
