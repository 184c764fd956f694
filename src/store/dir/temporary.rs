//! Files on their way to become objects.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::ETag;
use super::version::version;

/// The folder for them in a store's root. Its name begins with a dot, so that nothing in it is an object.
const FOLDER: &str = ".tmp";
/// A file that nobody holds the lock of may be one whose maker has not come to lock it yet; not when it is this old.
const ABANDONED_AFTER: Duration = Duration::from_secs(3600);

/// A file of the store that is removed on drop unless it became an object. Locked while it lives.
#[derive(Debug)]
pub(in crate::store) struct Temporary {
    file: File,
    path: PathBuf,
}

impl Temporary {
    /// A new file in the store at `root`, filled by `fill` and synced.
    pub(super) fn filled(root: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Self> {
        let mut temporary = Self::new(root)?;
        fill(&mut temporary.file)?;
        temporary.sync()?;
        Ok(temporary)
    }

    /// An empty file in the store at `root`.
    pub(super) fn new(root: &Path) -> io::Result<Self> {
        let folder = root.join(FOLDER);
        fs::create_dir_all(&folder)?;
        remove_abandoned(&folder);
        let path = folder.join(uuid::Uuid::new_v4().to_string());
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        let temporary = Self { file, path };
        temporary.file.lock()?;
        Ok(temporary)
    }

    pub(in crate::store) fn file(&self) -> &File {
        &self.file
    }

    /// To be called before it becomes an object.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    pub(super) fn version(&self) -> io::Result<ETag> {
        Ok(version(&self.file.metadata()?))
    }

    /// Makes it the object at `place`, unless there is one.
    pub(super) fn link(&self, place: &Path) -> io::Result<()> {
        fs::hard_link(&self.path, place)
    }

    /// Makes it the object at `place`, in the place of the one there.
    pub(super) fn rename(&self, place: &Path) -> io::Result<()> {
        fs::rename(&self.path, place)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove. What cannot be removed now is abandoned later.
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes what killed processes left. Best effort: the write at hand does not depend on it.
fn remove_abandoned(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if let Err(error) = remove_if_abandoned(&path)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::debug!(file = %path.display(), %error, "left-over file not removed");
        }
    }
}

fn remove_if_abandoned(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    let age = metadata.modified()?.elapsed().unwrap_or_default();
    if !metadata.is_file() || age < ABANDONED_AFTER {
        return Ok(());
    }
    match File::open(path)?.try_lock() {
        Ok(()) => fs::remove_file(path),
        Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
