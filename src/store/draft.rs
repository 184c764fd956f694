//! Objects in the making.

use std::fs::File;

use tempfile::NamedTempFile;

use super::dir::{Dir, Temporary};
use super::s3::Bucket;
use super::{Backend, Store, StoreError, blocking, key};

/// A file on its way to become an object: nobody's until then, and gone when it is dropped. Sealed bytes only.
#[derive(Debug)]
pub struct Draft {
    store: Store,
    place: Place,
}

/// Where it is filled.
#[derive(Debug)]
enum Place {
    /// In the store itself: it becomes an object without being written again.
    Dir(Dir, Temporary),
    /// On this machine, from where it is sent.
    S3(Bucket, NamedTempFile),
}

impl Draft {
    pub(super) async fn new(store: &Store) -> Result<Self, StoreError> {
        let place = match &store.backend {
            Backend::Dir(dir) => Place::Dir(dir.clone(), dir.draft().await?),
            Backend::S3(bucket) => {
                let failed = |source| StoreError::Source { path: std::env::temp_dir(), source };
                let made = blocking(move || NamedTempFile::with_prefix("strongroom-sealed-").map_err(failed)).await?;
                Place::S3(bucket.clone(), made)
            }
        };
        Ok(Self { store: store.clone(), place })
    }

    /// To be filled.
    pub fn file(&self) -> &File {
        match &self.place {
            Place::Dir(_, temporary) => temporary.file(),
            Place::S3(_, file) => file.as_file(),
        }
    }

    /// Whether what is written to it is in the store already.
    pub fn is_in_store(&self) -> bool {
        matches!(self.place, Place::Dir(..))
    }

    /// As [`Store::create_retained`]; over a network in parts where it is large, and `sent` is told of each that has arrived.
    ///
    /// # Errors
    /// The draft cannot be read ([`StoreError::Source`]), and as for `create_retained`.
    pub async fn create_retained(self, key: &str, sent: &(dyn Fn(u64) + Sync)) -> Result<bool, StoreError> {
        key::check(key)?;
        self.store.check_alive()?;
        match self.place {
            Place::Dir(dir, temporary) => dir.create_from(key, temporary).await,
            Place::S3(bucket, file) => bucket.create_retained_from(key, file.path(), sent).await,
        }
    }
}
