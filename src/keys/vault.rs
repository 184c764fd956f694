//! HashiCorp Vault, and what speaks its API: a KEK in a secret of the KV engine, version 2, or one in a file that the transit
//! engine unwraps. Its name is made of the key, as a key file's is: the same key is the same KEK, wherever it is kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use vaultrs::api::kv2::requests::SetSecretRequestOptions;
use vaultrs::api::transit::requests::DataKeyType;
use vaultrs::client::{VaultClient, VaultClientSettingsBuilder};
use vaultrs::error::ClientError;
use vaultrs::{kv2, transit};
use zeroize::Zeroizing;

use super::{Kek, KeyError, KeySource, VaultPlace, form};
use crate::sealed::SealingKey;
use crate::secret_file;

/// A call is given up after that.
const PATIENCE: Duration = Duration::from_secs(20);
/// Older versions of a secret are not looked through.
const MAX_VERSIONS: u64 = 16;
/// A wrapped key is never longer, in bytes.
const MAX_WRAPPED_LEN: usize = 4_096;

/// One place in Vault. What was fetched is kept, the newest first.
pub(super) struct Vault {
    client: VaultClient,
    place: VaultPlace,
    fetched: Mutex<Vec<Arc<Kek>>>,
}

// The client holds the token.
impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Vault {
    /// By `VAULT_ADDR`, `VAULT_TOKEN` and `VAULT_CACERT`, as Vault's own tool has them; `VAULT_SKIP_VERIFY` is not heard.
    pub(super) fn new(place: &VaultPlace) -> Result<Self, KeyError> {
        // Another one that stands already is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let settings = VaultClientSettingsBuilder::default().verify(true).timeout(Some(PATIENCE)).build();
        let settings = settings.map_err(|_| KeyError::VaultSetting { name: "VAULT_ADDR" })?;
        let client = VaultClient::new(settings).map_err(|source| failed(place, source))?;
        Ok(Self { client, place: place.clone(), fetched: Mutex::default() })
    }

    pub(super) async fn current(&self) -> Result<Arc<Kek>, KeyError> {
        if let Some(kek) = lock(&self.fetched).first() {
            return Ok(Arc::clone(kek));
        }
        let value = match &self.place {
            VaultPlace::Kv { mount, path } => {
                let value: Value = kv2::read(&self.client, mount, path).await.map_err(|error| self.failed(error))?;
                Zeroizing::new(value.to_string().into_bytes())
            }
            VaultPlace::Transit { mount, name, file } => {
                let wrapped = secret_file::read(file, MAX_WRAPPED_LEN)?;
                let wrapped = std::str::from_utf8(&wrapped).map_err(|_| self.empty())?;
                let opened = transit::data::decrypt(&self.client, mount, name, wrapped.trim(), None).await;
                let plain = Zeroizing::new(opened.map_err(|error| self.failed(error))?.plaintext);
                Zeroizing::new(STANDARD.decode(plain.as_bytes()).map_err(|_| self.empty())?)
            }
        };
        self.keep(&value)
    }

    /// A secret's older versions are looked through, the newest first; what was wrapped has none.
    pub(super) async fn by_name(&self, name: &str) -> Result<Arc<Kek>, KeyError> {
        let current = self.current().await?;
        if let Some(kek) = lock(&self.fetched).iter().find(|kek| kek.name == name) {
            return Ok(Arc::clone(kek));
        }
        let VaultPlace::Kv { mount, path } = &self.place else { return Ok(current) };
        let about = kv2::read_metadata(&self.client, mount, path).await.map_err(|error| self.failed(error))?;
        let oldest = about.current_version.saturating_sub(MAX_VERSIONS).max(1);
        for version in (oldest..about.current_version).rev() {
            let read: Result<Value, _> = kv2::read_version(&self.client, mount, path, version).await;
            // Deleted, or destroyed; or no key.
            let Ok(value) = read else { continue };
            let kek = self.keep(&Zeroizing::new(value.to_string().into_bytes()));
            if let Ok(kek) = kek
                && kek.name == name
            {
                return Ok(kek);
            }
        }
        Err(KeyError::Unknown { name: name.chars().take(128).collect() })
    }

    fn keep(&self, value: &[u8]) -> Result<Arc<Kek>, KeyError> {
        let source_name = KeySource::Vault(self.place.clone()).to_string();
        let form::Value { key, min_index } =
            form::value(value).map_err(|source| KeyError::Form { source_name, source })?;
        let kek = Arc::new(Kek { name: key.id(), key, min_index });
        lock(&self.fetched).push(Arc::clone(&kek));
        Ok(kek)
    }

    pub(super) fn no_successor(&self) -> KeyError {
        KeyError::NoSuccessorInVault { place: self.place.to_string() }
    }

    fn failed(&self, error: ClientError) -> KeyError {
        failed(&self.place, error)
    }

    fn empty(&self) -> KeyError {
        KeyError::VaultMissing { place: self.place.to_string() }
    }
}

/// Keeps `key` in a new secret of the KV engine; or has the transit engine make one, whose wrapped form goes into a new file.
pub(super) async fn create(place: &VaultPlace, key: SealingKey) -> Result<Arc<Kek>, KeyError> {
    let vault = Vault::new(place)?;
    match place {
        VaultPlace::Kv { mount, path } => {
            let text = Zeroizing::new(STANDARD.encode(key.expose()));
            // 0: only where there is none.
            let only_new = SetSecretRequestOptions { cas: 0 };
            let secret = json!({ "key": *text });
            let made = kv2::set_with_options(&vault.client, mount, path, &secret, only_new).await;
            made.map_err(|error| match error {
                ClientError::APIError { code: 400, .. } => KeyError::Exists { place: place.to_string() },
                other => failed(place, other),
            })?;
            Ok(Arc::new(Kek { name: key.id(), key, min_index: 0 }))
        }
        VaultPlace::Transit { mount, name, file } => {
            let made = transit::generate::data_key(&vault.client, mount, name, DataKeyType::Wrapped, None).await;
            let wrapped = made.map_err(|error| failed(place, error))?.ciphertext;
            let line = format!("{wrapped}\n");
            secret_file::create(file, line.as_bytes())?;
            vault.current().await
        }
    }
}

fn failed(place: &VaultPlace, error: ClientError) -> KeyError {
    let place = place.to_string();
    let status = match &error {
        ClientError::APIError { code, .. }
        // What does not explain itself as Vault does, as what stands before it.
        | ClientError::RestClientError { source: rustify::errors::ClientError::ServerResponseError { code, .. } } => *code,
        _ => 0,
    };
    match status {
        403 => KeyError::VaultDenied { place, source: error.into() },
        404 => KeyError::VaultMissing { place },
        _ => KeyError::Vault { place, source: error.into() },
    }
}

/// A list is whole at any time, also when a thread that held the lock panicked.
fn lock(fetched: &Mutex<Vec<Arc<Kek>>>) -> MutexGuard<'_, Vec<Arc<Kek>>> {
    fetched.lock().unwrap_or_else(PoisonError::into_inner)
}
