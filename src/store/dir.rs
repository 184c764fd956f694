//! A directory: each object is a file. Reads are of one open descriptor; an object is written beside its place and
//! then linked (create: fails when there is one) or renamed (swap, under a lock) into it.

mod temporary;
mod version;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use rustix::fs::OFlags;

use super::{ETag, MAX_LISTED, Object, StoreError, blocking, key};
pub(super) use temporary::Temporary;
use version::version;

#[derive(Debug, Clone)]
pub(super) struct Dir(Arc<Root>);

#[derive(Debug)]
struct Root {
    path: PathBuf,
}

impl Dir {
    pub(super) fn new(root: &Path) -> Self {
        Self(Arc::new(Root { path: root.to_owned() }))
    }

    pub(super) fn path(&self) -> String {
        self.0.path.display().to_string()
    }

    pub(super) async fn head(&self, key: &str) -> Result<Object, StoreError> {
        self.run(key, |root, key| Ok(root.open(key)?.object)).await
    }

    pub(super) async fn get(&self, key: &str, limit: u64) -> Result<(Bytes, ETag), StoreError> {
        self.run(key, move |root, key| root.get(key, limit)).await
    }

    pub(super) async fn read_range(&self, key: &str, range: Range<u64>, etag: &ETag) -> Result<Bytes, StoreError> {
        let etag = etag.clone();
        self.run(key, move |root, key| root.read_range(key, range, &etag)).await
    }

    pub(super) async fn create(&self, key: &str, body: Bytes) -> Result<bool, StoreError> {
        self.run(key, move |root, key| root.create(key, |file| file.write_all(&body))).await
    }

    pub(super) async fn draft(&self) -> Result<Temporary, StoreError> {
        self.run("", |root, key| {
            let failed = |error| root.unwritten(key, error);
            root.make_folders(&missing_folders(&root.path.join("object"))).map_err(failed)?;
            Temporary::new(&root.path).map_err(failed)
        })
        .await
    }

    pub(super) async fn create_from(&self, key: &str, temporary: Temporary) -> Result<bool, StoreError> {
        self.run(key, move |root, key| root.create_from(key, &temporary)).await
    }

    pub(super) async fn swap(&self, key: &str, expected: Option<&ETag>, body: Bytes) -> Result<ETag, StoreError> {
        let expected = expected.cloned();
        self.run(key, move |root, key| match expected {
            Some(expected) => root.replace(key, &expected, &body),
            None => root.create_new(key, &body),
        })
        .await
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<(String, SystemTime)>, StoreError> {
        self.run(prefix, |root, prefix| root.list(prefix)).await
    }

    pub(super) async fn delete_all(&self, prefix: &str) -> Result<usize, StoreError> {
        self.run(prefix, |root, prefix| root.delete_all(prefix)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(&Root, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (root, key) = (Arc::clone(&self.0), key.to_owned());
        blocking(move || work(&root, &key)).await
    }
}

/// An object's file and what it was when it was opened.
struct Opened {
    file: File,
    object: Object,
}

impl Root {
    fn open(&self, key: &str) -> Result<Opened, StoreError> {
        let failed = |error| self.failed(key, error);
        // NONBLOCK: a named pipe under the key must not hang us. A symbolic link under the key is not followed.
        let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(self.path.join(key)).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(StoreError::NotFound { object: self.object(key) });
        }
        Ok(Opened { file, object: Object { len: metadata.len(), etag: version(&metadata) } })
    }

    fn get(&self, key: &str, limit: u64) -> Result<(Bytes, ETag), StoreError> {
        let Opened { file, object } = self.open(key)?;
        let mut body = Vec::new();
        // One byte more than allowed shows that there is more, also where the file grew since it was measured.
        (&file).take(limit.saturating_add(1)).read_to_end(&mut body).map_err(|error| self.failed(key, error))?;
        let len = object.len.max(body.len() as u64);
        if len > limit {
            return Err(StoreError::TooLarge { object: self.object(key), len, limit });
        }
        self.unchanged(key, &file, &object.etag)?;
        Ok((body.into(), object.etag))
    }

    fn read_range(&self, key: &str, range: Range<u64>, etag: &ETag) -> Result<Bytes, StoreError> {
        let Opened { file, object } = self.open(key)?;
        if object.etag != *etag {
            return Err(StoreError::Changed { object: self.object(key) });
        }
        let beyond = || StoreError::OutOfRange { object: self.object(key), end: range.end };
        let len = usize::try_from(range.end.saturating_sub(range.start)).map_err(|_| beyond())?;
        if range.end > object.len {
            return Err(beyond());
        }
        let mut part = vec![0; len];
        file.read_exact_at(&mut part, range.start).map_err(|error| self.failed(key, error))?;
        self.unchanged(key, &file, etag)?;
        Ok(part.into())
    }

    /// We never write to an object's file again; whoever did so behind our back is found out here.
    fn unchanged(&self, key: &str, file: &File, etag: &ETag) -> Result<(), StoreError> {
        let metadata = file.metadata().map_err(|error| self.failed(key, error))?;
        match version(&metadata) == *etag {
            true => Ok(()),
            false => Err(StoreError::Changed { object: self.object(key) }),
        }
    }

    fn create(&self, key: &str, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<bool, StoreError> {
        let place = self.path.join(key);
        if place.symlink_metadata().is_ok() {
            return Ok(false);
        }
        let missing = missing_folders(&place);
        let temporary = Temporary::filled(&self.path, fill).map_err(|error| self.unwritten(key, error))?;
        self.make_object(key, &missing, &temporary)
    }

    fn create_from(&self, key: &str, temporary: &Temporary) -> Result<bool, StoreError> {
        let missing = missing_folders(&self.path.join(key));
        temporary.sync().map_err(|error| self.unwritten(key, error))?;
        self.make_object(key, &missing, temporary)
    }

    fn make_object(&self, key: &str, missing: &[PathBuf], temporary: &Temporary) -> Result<bool, StoreError> {
        let failed = |error| self.unwritten(key, error);
        let place = self.path.join(key);
        self.make_folders(missing).map_err(failed)?;
        match temporary.link(&place) {
            Ok(()) => sync_directory(&place).map(|()| true).map_err(failed),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    fn create_new(&self, key: &str, body: &[u8]) -> Result<ETag, StoreError> {
        let mut etag = None;
        let fill = |file: &mut File| {
            file.write_all(body)?;
            etag = Some(version(&file.metadata()?));
            Ok(())
        };
        match (self.create(key, fill)?, etag) {
            (true, Some(etag)) => Ok(etag),
            (true | false, _) => Err(StoreError::Conflict { object: self.object(key) }),
        }
    }

    fn replace(&self, key: &str, expected: &ETag, body: &[u8]) -> Result<ETag, StoreError> {
        let failed = |error| self.unwritten(key, error);
        let place = self.path.join(key);
        let conflict = || StoreError::Conflict { object: self.object(key) };
        // Looked at before the lock file is made: nothing is left in a store for a key that is not there.
        match self.open(key) {
            Ok(opened) if opened.object.etag == *expected => {}
            Ok(_) | Err(StoreError::NotFound { .. }) => return Err(conflict()),
            Err(error) => return Err(error),
        }
        let _lock = version::lock(&place).map_err(failed)?;
        let before = self.open(key)?;
        if before.object.etag != *expected {
            return Err(conflict());
        }
        let before = before.file.metadata().map_err(failed)?;
        let temporary = Temporary::filled(&self.path, |file| {
            file.write_all(body)?;
            version::succeed(file, &before)
        })
        .map_err(failed)?;
        let etag = temporary.version().map_err(failed)?;
        temporary.rename(&place).map_err(failed)?;
        sync_directory(&place).map_err(failed)?;
        Ok(etag)
    }

    fn delete_all(&self, prefix: &str) -> Result<usize, StoreError> {
        let keys = self.list(prefix)?;
        for (key, _) in &keys {
            let place = self.path.join(key);
            match fs::remove_file(&place) {
                Ok(()) => sync_directory(&place).map_err(|error| self.unwritten(key, error))?,
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(self.unwritten(key, error)),
            }
        }
        Ok(keys.len())
    }

    fn list(&self, prefix: &str) -> Result<Vec<(String, SystemTime)>, StoreError> {
        if !self.path.is_dir() {
            return Err(self.no_store());
        }
        let mut keys = Vec::new();
        let mut folders = vec![prefix.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"))];
        while let Some(folder) = folders.pop() {
            self.list_folder(&folder, prefix, (&mut keys, &mut folders))
                .map_err(|error| self.failed(&folder, error))?;
            if keys.len() > MAX_LISTED || folders.len() > MAX_LISTED {
                return Err(StoreError::TooMany { store: self.path.display().to_string(), limit: MAX_LISTED });
            }
        }
        keys.sort_unstable();
        Ok(keys)
    }

    /// Adds what `folder` (empty, or ending in `/`) holds to the keys and the folders still to be listed.
    fn list_folder(
        &self,
        folder: &str,
        prefix: &str,
        (keys, folders): (&mut Vec<(String, SystemTime)>, &mut Vec<String>),
    ) -> io::Result<()> {
        let entries = match fs::read_dir(self.path.join(folder)) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(()),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            let key = match entry.file_name().into_string() {
                Ok(name) => format!("{folder}{name}"),
                Err(_) => continue,
            };
            if key::wrong(&key).is_some() {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_file() && key.starts_with(prefix) {
                match entry.metadata().and_then(|about| about.modified()) {
                    Ok(written) => keys.push((key, written)),
                    // Deleted by somebody else meanwhile.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            } else if kind.is_dir() && (key.starts_with(prefix) || prefix.starts_with(&key)) {
                folders.push(format!("{key}/"));
            }
        }
        Ok(())
    }

    /// Makes folders, the innermost first in the list, and syncs the ones they are entries of: a folder is there after a
    /// power cut only if the one above it was synced.
    fn make_folders(&self, missing: &[PathBuf]) -> io::Result<()> {
        let Some(innermost) = missing.first() else { return Ok(()) };
        fs::create_dir_all(innermost)?;
        missing.iter().try_for_each(|folder| match sync_directory(folder) {
            // Above the root, who may add an entry need not be one who may read.
            Err(error) if error.kind() == ErrorKind::PermissionDenied && !self.holds(folder) => Ok(()),
            outcome => outcome,
        })
    }

    /// Whether `folder` is an entry below the root.
    fn holds(&self, folder: &Path) -> bool {
        folder != self.path && folder.starts_with(&self.path)
    }

    fn no_store(&self) -> StoreError {
        let store = self.path.display().to_string();
        match self.path.exists() {
            true => StoreError::NotADirectory { store },
            false => StoreError::NoStore { store },
        }
    }

    fn failed(&self, key: &str, error: io::Error) -> StoreError {
        let object = self.object(key);
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory if !self.path.is_dir() => self.no_store(),
            ErrorKind::NotFound | ErrorKind::NotADirectory => StoreError::NotFound { object },
            ErrorKind::PermissionDenied => StoreError::Denied { object, source: error.into() },
            ErrorKind::UnexpectedEof => StoreError::Changed { object },
            _ if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                StoreError::NotFound { object }
            }
            _ => StoreError::Failed { object, source: error.into() },
        }
    }

    /// What is missing while an object is written is no object.
    fn unwritten(&self, key: &str, error: io::Error) -> StoreError {
        let object = self.object(key);
        match error.kind() {
            ErrorKind::PermissionDenied => StoreError::Denied { object, source: error.into() },
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists if !self.path.is_dir() => self.no_store(),
            _ => StoreError::Failed { object, source: error.into() },
        }
    }

    fn object(&self, key: &str) -> String {
        self.path.join(key).display().to_string()
    }
}

/// The folders that `place` will need, the innermost first.
fn missing_folders(place: &Path) -> Vec<PathBuf> {
    let above = place.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    above.take_while(|folder| !folder.is_dir()).map(Path::to_owned).collect()
}

/// Makes the entry of `place` in its folder survive a power cut.
fn sync_directory(place: &Path) -> io::Result<()> {
    place.parent().map_or(Ok(()), |folder| match folder.as_os_str().is_empty() {
        true => File::open(".")?.sync_all(),
        false => File::open(folder)?.sync_all(),
    })
}
