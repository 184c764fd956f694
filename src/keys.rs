//! Key-encryption keys (KEKs) by id: a key file, AWS Secrets Manager, HashiCorp Vault.

mod error;
mod file;
mod form;
mod secrets_manager;
mod source;
#[cfg(feature = "vault")]
mod vault;

use std::path::Path;
use std::sync::Arc;

use aws_config::SdkConfig;
use zeroize::Zeroizing;

use crate::sealed::SealingKey;

pub use error::{Cause, FormError, KeyError};
pub use source::{KeySource, VaultPlace};

/// Namespace of KEKs in the files they seal.
pub const KEK_NAMESPACE: &str = "strongroom/kek";

/// A KEK and the name it bears in the files it seals (Secrets Manager's VersionId, or the key file's id).
#[derive(Debug)]
pub struct Kek {
    /// Key name within [`KEK_NAMESPACE`].
    pub name: String,
    /// The key.
    pub key: SealingKey,
    /// The index of the log entry before which no alias may point, where the secret says one; else 0.
    pub min_index: u64,
}

/// The KEKs of one source, each fetched once and kept. A clone shares them: no key is copied.
#[derive(Debug, Clone)]
pub struct Keys(Arc<Backend>);

#[derive(Debug)]
enum Backend {
    File(file::KeyFile),
    Secret(Box<secrets_manager::Secret>),
    #[cfg(feature = "vault")]
    Vault(Box<vault::Vault>),
}

impl Keys {
    /// Reads a key file; of a secret nothing is fetched yet. `aws` is not looked at for a file.
    ///
    /// # Errors
    /// The key file is not there, is open to others, or holds no key.
    pub async fn open(source: &KeySource, aws: &SdkConfig) -> Result<Self, KeyError> {
        Ok(Self(Arc::new(match source {
            KeySource::File(path) => Backend::File(file::KeyFile::open(path).await?),
            KeySource::SecretsManager(id) => Backend::Secret(Box::new(secrets_manager::Secret::new(id, aws))),
            #[cfg(feature = "vault")]
            KeySource::Vault(place) => Backend::Vault(Box::new(vault::Vault::new(place)?)),
            #[cfg(not(feature = "vault"))]
            KeySource::Vault(_) => return Err(KeyError::NotBuiltIn { what: "Vault", feature: "vault" }),
        })))
    }

    /// Reads a key file, now: before the process may read it no more. Blocks.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn read_file(path: &Path) -> Result<Self, KeyError> {
        Ok(Self(Arc::new(Backend::File(file::KeyFile::read(path)?))))
    }

    /// The KEK to seal with: the file's, or the secret's AWSCURRENT version as it was when first asked for.
    ///
    /// # Errors
    /// The secret is missing, denied, of a wrong form, or the service does not answer.
    pub async fn current(&self) -> Result<Arc<Kek>, KeyError> {
        match &*self.0 {
            Backend::File(file) => Ok(file.kek()),
            Backend::Secret(secret) => secret.current().await,
            #[cfg(feature = "vault")]
            Backend::Vault(vault) => vault.current().await,
        }
    }

    /// Whether `name` is that of one of these KEKs.
    ///
    /// # Errors
    /// As for `current`.
    pub async fn knows(&self, name: &str) -> Result<bool, KeyError> {
        match self.by_name(name).await {
            Ok(kek) => Ok(kek.name == name),
            Err(KeyError::OtherKey { .. } | KeyError::Unknown { .. } | KeyError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The index of the log entry before which no alias may point, by the current value; 0 where it says none, or is no key.
    ///
    /// # Errors
    /// The secret is denied, or the service does not answer.
    pub async fn min_index(&self) -> Result<u64, KeyError> {
        match self.current().await {
            Ok(kek) => Ok(kek.min_index),
            // As for opening: a value that is no key does not close what others open.
            Err(KeyError::Missing { .. } | KeyError::Empty { .. } | KeyError::Form { .. }) => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// The KEK that bears `name`: the first of [`Self::candidates`].
    ///
    /// # Errors
    /// As for `candidates`.
    pub async fn by_name(&self, name: &str) -> Result<Arc<Kek>, KeyError> {
        let unknown = || KeyError::Unknown { name: name.chars().take(128).collect() };
        self.candidates(name).await?.into_iter().next().ok_or_else(unknown)
    }

    /// The KEKs to open a file with that was sealed under the key name `name`, best first: the one that bears the
    /// name; where a secret has no such version (it was sealed under a name of somebody's own), AWSCURRENT and then
    /// AWSPREVIOUS. A key file has one key: a name of another key file is refused. Never empty.
    ///
    /// # Errors
    /// [`KeyError::OtherKey`] from a key file, else as for `current`.
    pub async fn candidates(&self, name: &str) -> Result<Vec<Arc<Kek>>, KeyError> {
        match &*self.0 {
            Backend::File(file) => Ok(vec![file.by_name(name)?]),
            Backend::Secret(secret) => secret.candidates(name).await,
            #[cfg(feature = "vault")]
            Backend::Vault(vault) => Ok(vec![vault.by_name(name).await?]),
        }
    }
}

impl Keys {
    /// The KEK that will be current after the rotation that this call begins or resumes; of a secret alone.
    ///
    /// # Errors
    /// [`KeyError::NoSuccessor`] of a key file; [`KeyError::ActionDenied`]; as for `current`.
    pub async fn successor(&self) -> Result<Arc<Kek>, KeyError> {
        match &*self.0 {
            Backend::File(file) => Err(file.no_successor()),
            Backend::Secret(secret) => secret.successor().await,
            #[cfg(feature = "vault")]
            Backend::Vault(vault) => Err(vault.no_successor()),
        }
    }

    /// Makes the KEK `name` the current one of a secret; a key file's is.
    ///
    /// # Errors
    /// As for `successor`.
    pub async fn make_current(&self, name: &str) -> Result<(), KeyError> {
        match &*self.0 {
            Backend::File(_) => Ok(()),
            Backend::Secret(secret) => secret.make_current(name).await,
            #[cfg(feature = "vault")]
            Backend::Vault(_) => Ok(()),
        }
    }

    /// Ends the rotation to the KEK `name`.
    ///
    /// # Errors
    /// As for `successor`.
    pub async fn settle(&self, name: &str) -> Result<(), KeyError> {
        match &*self.0 {
            Backend::File(_) => Ok(()),
            Backend::Secret(secret) => secret.settle(name).await,
            #[cfg(feature = "vault")]
            Backend::Vault(_) => Ok(()),
        }
    }

    /// Gives up the KEK `name`, under which nothing is sealed any more: a secret may forget it.
    ///
    /// # Errors
    /// As for `successor`.
    pub async fn release(&self, name: &str) -> Result<(), KeyError> {
        match &*self.0 {
            Backend::File(_) => Ok(()),
            Backend::Secret(secret) => secret.release(name).await,
            #[cfg(feature = "vault")]
            Backend::Vault(_) => Ok(()),
        }
    }
}

/// What the current version of the secret `id` holds, whatever that is.
///
/// # Errors
/// The secret is missing, denied or empty, or the service does not answer.
pub async fn secret_value(id: &str, aws: &SdkConfig) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    secrets_manager::value(id, aws).await
}

/// Makes a new KEK and keeps it at `place`: a new file of mode 0600, or a new secret's first version.
///
/// # Errors
/// There is something at `place` already (it is left as it is), or it cannot be written.
pub async fn create(place: &KeySource, aws: &SdkConfig) -> Result<Arc<Kek>, KeyError> {
    let key = SealingKey::generate().map_err(|source| KeyError::Random { source: source.into() })?;
    let name = match place {
        KeySource::File(path) => file::write(path, &key).await?,
        KeySource::SecretsManager(id) => secrets_manager::create(id, &key, aws).await?,
        #[cfg(feature = "vault")]
        KeySource::Vault(place) => return vault::create(place, key).await,
        #[cfg(not(feature = "vault"))]
        KeySource::Vault(_) => return Err(KeyError::NotBuiltIn { what: "Vault", feature: "vault" }),
    };
    Ok(Arc::new(Kek { name, key, min_index: 0 }))
}
