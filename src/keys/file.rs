//! A key file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Kek, KeyError, KeySource, form};
use crate::sealed::SealingKey;
use crate::secret_file;

/// The one key of a file, read once.
#[derive(Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
    kek: Arc<Kek>,
}

impl KeyFile {
    pub(super) async fn open(path: &Path) -> Result<Self, KeyError> {
        let path = path.to_owned();
        blocking(move || Self::read(&path)).await
    }

    pub(super) fn read(path: &Path) -> Result<Self, KeyError> {
        let form::Value { key, min_index } = read(path)?;
        let kek = Arc::new(Kek { name: key.id(), key, min_index });
        Ok(Self { path: path.to_owned(), kek })
    }

    pub(super) fn kek(&self) -> Arc<Kek> {
        Arc::clone(&self.kek)
    }

    pub(super) fn no_successor(&self) -> KeyError {
        KeyError::NoSuccessor { path: self.path.clone() }
    }

    pub(super) fn by_name(&self, name: &str) -> Result<Arc<Kek>, KeyError> {
        match self.kek.name == name {
            true => Ok(self.kek()),
            false => Err(KeyError::OtherKey {
                path: self.path.clone(),
                found: self.kek.name.clone(),
                name: name.chars().take(128).collect(),
            }),
        }
    }
}

/// Writes `key` as 32 raw bytes into a new file of mode 0600 and answers with its id.
pub(super) async fn write(path: &Path, key: &SealingKey) -> Result<String, KeyError> {
    let (path, bytes) = (path.to_owned(), Zeroizing::new(*key.expose()));
    blocking(move || Ok(secret_file::create(&path, bytes.as_slice())?)).await?;
    Ok(key.id())
}

fn read(path: &Path) -> Result<form::Value, KeyError> {
    let value = secret_file::read(path, form::MAX_LEN)?;
    form::value(&value)
        .map_err(|source| KeyError::Form { source_name: KeySource::File(path.to_owned()).to_string(), source })
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeyError> + Send + 'static,
) -> Result<T, KeyError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(KeyError::Stopped),
        },
    }
}
