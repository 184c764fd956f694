//! Bytes by key: an S3 bucket or a directory, with the same promises. Objects are created once or swapped by ETag.
//!
//! Both kinds promise: an object appears whole or not at all; of several writers who create or swap at the same time
//! exactly one wins, also across processes; a pinned read is of one version or an error. They differ in one thing: a
//! bucket is made by its owner, a directory by the first object created in it.

mod dir;
mod draft;
mod error;
mod key;
mod location;
mod retention;
mod s3;

use std::future::Future;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use bytes::Bytes;

pub use draft::Draft;
pub use error::{Cause, StoreError};
pub use location::Location;
pub use retention::{Retention, RetentionMode};

/// One version of one object: opaque, never a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(pub String);

/// Size and version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// In bytes.
    pub len: u64,
    /// Its version.
    pub etag: ETag,
}

/// A bucket or a directory. Cheap to clone.
///
/// Keys are `/`-separated, at most 512 bytes, of segments of `A-Z a-z 0-9 . _ - + = @` that do not begin with a dot.
#[derive(Debug, Clone)]
pub struct Store {
    backend: Backend,
    /// Calls that are left until it answers no more; `None`: without end.
    calls: Option<Arc<AtomicUsize>>,
}

#[derive(Debug, Clone)]
enum Backend {
    Dir(dir::Dir),
    S3(s3::Bucket),
}

impl Store {
    /// Touches nothing yet. `aws` is not looked at for a directory.
    pub fn open(location: &Location, aws: &aws_config::SdkConfig) -> Self {
        match location {
            Location::Dir(root) => Self::directory(root),
            Location::S3 { bucket, prefix } => Self::of(Backend::S3(s3::Bucket::new(bucket, prefix, aws))),
        }
    }

    /// The store in a directory. Touches nothing yet.
    pub fn directory(root: &Path) -> Self {
        Self::of(Backend::Dir(dir::Dir::new(root)))
    }

    fn of(backend: Backend) -> Self {
        Self { backend, calls: None }
    }

    /// Retains what [`Self::create_retained`] writes and [`Self::draft`]s become from now on.
    ///
    /// # Errors
    /// [`StoreError::NoRetention`]: it is a directory.
    pub fn retaining(self, retention: Retention) -> Result<Self, StoreError> {
        match self.backend {
            Backend::Dir(dir) => Err(StoreError::NoRetention { store: dir.path() }),
            Backend::S3(bucket) => Ok(Self { backend: Backend::S3(bucket.retaining(retention)), ..self }),
        }
    }

    /// The same store for a program that dies after so many more calls, of this store and all its clones: what a test sees
    /// of a kill at that moment. Every later call fails, and does nothing.
    pub fn dying_after(self, calls: usize) -> Self {
        Self { calls: Some(Arc::new(AtomicUsize::new(calls))), ..self }
    }

    fn check_alive(&self) -> Result<(), StoreError> {
        let Some(calls) = &self.calls else { return Ok(()) };
        let left = calls.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map(drop).map_err(|_| StoreError::Stopped)
    }

    /// Size and version of the object under `key`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::NoStore`], or it cannot be read.
    pub async fn head(&self, key: &str) -> Result<Object, StoreError> {
        key::check(key)?;
        self.check_alive()?;
        match &self.backend {
            Backend::Dir(dir) => dir.head(key).await,
            Backend::S3(bucket) => bucket.head(key).await,
        }
    }

    /// A small object whole.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`] when it is larger than `limit` bytes (no more than that is read), and as for `head`.
    pub async fn get(&self, key: &str, limit: u64) -> Result<(Bytes, ETag), StoreError> {
        key::check(key)?;
        self.check_alive()?;
        match &self.backend {
            Backend::Dir(dir) => dir.get(key, limit).await,
            Backend::S3(bucket) => bucket.get(key, limit).await,
        }
    }

    /// One range of the version `etag`, retried where the transfer breaks off; exactly as long as asked for.
    ///
    /// # Errors
    /// [`StoreError::Changed`] when the object is another version now, [`StoreError::OutOfRange`] when it ends before
    /// the range does, and as for `head`.
    pub async fn read_range(&self, key: &str, range: Range<u64>, etag: &ETag) -> Result<Bytes, StoreError> {
        key::check(key)?;
        self.check_alive()?;
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        match &self.backend {
            Backend::Dir(dir) => dir.read_range(key, range, etag).await,
            Backend::S3(bucket) => bucket.read_range(key, range, etag).await,
        }
    }

    /// Creates an object from memory, deletable at any time; `false` when there is one under `key` already. (Over a
    /// network, `false` may also mean that our own first attempt arrived and its answer was lost: whoever must know
    /// compares the content.)
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn create(&self, key: &str, body: Bytes) -> Result<bool, StoreError> {
        key::check(key)?;
        self.check_alive()?;
        match &self.backend {
            Backend::Dir(dir) => dir.create(key, body).await,
            Backend::S3(bucket) => bucket.create(key, body).await,
        }
    }

    /// As [`Self::create`], but the object is kept from deletion as long as the store retains.
    ///
    /// # Errors
    /// It cannot be written. [`StoreError::NoObjectLock`]: it cannot be retained.
    pub async fn create_retained(&self, key: &str, body: Bytes) -> Result<bool, StoreError> {
        key::check(key)?;
        self.check_alive()?;
        match &self.backend {
            Backend::Dir(dir) => dir.create(key, body).await,
            Backend::S3(bucket) => bucket.create_retained(key, body).await,
        }
    }

    /// A file to be filled with what becomes an object: in the store where it is a directory, else in the temporary directory.
    ///
    /// # Errors
    /// It cannot be made ([`StoreError::Source`] in the temporary directory).
    pub async fn draft(&self) -> Result<Draft, StoreError> {
        Draft::new(self).await
    }

    /// Replaces the version `expected` (`None`: creates) and answers with the new version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the object is another version by now, or there is none (`None`: when there is
    /// one). Over a network a lost answer may show as a conflict with oneself: read again before giving up.
    pub async fn swap(&self, key: &str, expected: Option<&ETag>, body: Bytes) -> Result<ETag, StoreError> {
        key::check(key)?;
        self.check_alive()?;
        match &self.backend {
            Backend::Dir(dir) => dir.swap(key, expected, body).await,
            Backend::S3(bucket) => bucket.swap(key, expected, body).await,
        }
    }

    /// Keys that begin with `prefix` (of bytes, not of segments; empty: all), sorted. What is not an object key (see
    /// [`Store`]) is not listed.
    ///
    /// # Errors
    /// [`StoreError::NoStore`], more than a million keys, or it cannot be listed.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.list_dated(prefix).await?.into_iter().map(|(key, _)| key).collect())
    }

    /// As [`Self::list`], with when each object was written.
    ///
    /// # Errors
    /// As for `list`.
    pub async fn list_dated(&self, prefix: &str) -> Result<Vec<(String, SystemTime)>, StoreError> {
        key::check_prefix(prefix)?;
        self.check_alive()?;
        match &self.backend {
            Backend::Dir(dir) => dir.list(prefix).await,
            Backend::S3(bucket) => bucket.list(prefix).await,
        }
    }

    /// Deletes every object whose key begins with `prefix`, which is not empty, and, in a bucket that keeps them, all their
    /// earlier versions. What is not there is no error. Answers with how many were deleted, versions counted each.
    ///
    /// # Errors
    /// One cannot be deleted: those before it are.
    pub async fn delete_all(&self, prefix: &str) -> Result<usize, StoreError> {
        key::check_prefix(prefix)?;
        self.check_alive()?;
        if prefix.is_empty() {
            return Err(StoreError::Key { key: String::new(), reason: "everything is not deleted at once" });
        }
        match &self.backend {
            Backend::Dir(dir) => dir.delete_all(prefix).await,
            Backend::S3(bucket) => bucket.delete_all(prefix).await,
        }
    }
}

/// Length of a part that S3 serves at full throughput, in bytes: what S3 clients settle on.
const PART_LEN: u64 = 8 << 20;
/// More keys than this are not listed: a bound on memory, far above what a registry holds.
const MAX_LISTED: usize = 1_000_000;

/// Runs blocking file work away from the I/O threads.
async fn blocking<T, F>(work: F) -> Result<T, StoreError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, StoreError> + Send + 'static,
{
    joined(tokio::task::spawn_blocking(work)).await
}

/// The answer of a task of ours: its panic is ours.
async fn joined<T>(
    task: impl Future<Output = Result<Result<T, StoreError>, tokio::task::JoinError>>,
) -> Result<T, StoreError> {
    match task.await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(StoreError::Stopped),
        },
    }
}
