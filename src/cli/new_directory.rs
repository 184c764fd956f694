//! A directory that appears whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::new_file::{directory, sync_folder, temporary_name};

/// Who may read a new directory, whatever the mask says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// What reads it later may run as another user.
    Everyone,
    /// It holds what is to stay secret.
    OwnerAlone,
}

impl Readers {
    fn folder_mode(self) -> u32 {
        match self {
            Self::Everyone => 0o755,
            Self::OwnerAlone => 0o700,
        }
    }

    fn file_mode(self) -> u32 {
        match self {
            Self::Everyone => 0o644,
            Self::OwnerAlone => 0o600,
        }
    }
}

/// A directory in the making beside its place. Dropped, it is gone; killed, it stays under a name of its own.
pub(super) struct NewDirectory {
    readers: Readers,
    temporary: PathBuf,
    target: PathBuf,
    /// Whether it has its place.
    kept: bool,
    /// The file that is being written.
    file: Option<File>,
    /// Every folder in it, outermost first.
    folders: Vec<PathBuf>,
}

impl NewDirectory {
    /// Begins a directory that is to become `target`, which is not there yet, or is an empty directory.
    pub(super) fn create(target: &Path, readers: Readers) -> anyhow::Result<Self> {
        if target.symlink_metadata().is_ok() && !is_empty_directory(target) {
            bail!("{} exists already and is no empty directory: name another one, or remove it", target.display());
        }
        let temporary = temporary_name(target);
        make_folder(&temporary, readers).with_context(|| format!("{} cannot be made", target.display()))?;
        let folders = vec![temporary.clone()];
        Ok(Self { readers, temporary, target: target.to_owned(), kept: false, file: None, folders })
    }

    /// Begins the file `path`, relative to the directory; the one before it is complete.
    pub(super) fn begin(&mut self, path: &str) -> io::Result<()> {
        self.end_file()?;
        let place = self.temporary.join(path);
        self.make_folders_of(&place)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(self.readers.file_mode()).open(&place)?;
        file.set_permissions(Permissions::from_mode(self.readers.file_mode()))?;
        self.file = Some(file);
        Ok(())
    }

    /// Gives the whole directory its name.
    pub(super) fn keep(mut self) -> anyhow::Result<()> {
        self.place().with_context(|| format!("{} cannot be made", self.target.display()))?;
        self.kept = true;
        let synced = sync_folder(directory(&self.target));
        synced.with_context(|| format!("{} is made, but may not outlive a power cut", self.target.display()))
    }

    fn place(&mut self) -> io::Result<()> {
        self.end_file()?;
        self.folders.iter().try_for_each(|folder| sync_folder(folder))?;
        // Replaces nothing but an empty directory: the system refuses anything else.
        fs::rename(&self.temporary, &self.target)
    }

    fn make_folders_of(&mut self, place: &Path) -> io::Result<()> {
        let missing: Vec<PathBuf> =
            place.ancestors().skip(1).take_while(|folder| !folder.exists()).map(Path::to_owned).collect();
        for folder in missing.into_iter().rev() {
            make_folder(&folder, self.readers)?;
            self.folders.push(folder);
        }
        Ok(())
    }

    fn end_file(&mut self) -> io::Result<()> {
        self.file.take().map_or(Ok(()), |file| file.sync_all())
    }
}

impl Write for NewDirectory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(bytes),
            None => Err(io::Error::other("no file was begun")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for NewDirectory {
    fn drop(&mut self) {
        if !self.kept {
            let _ = fs::remove_dir_all(&self.temporary);
        }
    }
}

/// The mask may take bits from what is asked for at first.
fn make_folder(path: &Path, readers: Readers) -> io::Result<()> {
    DirBuilder::new().mode(readers.folder_mode()).create(path)?;
    fs::set_permissions(path, Permissions::from_mode(readers.folder_mode()))
}

fn is_empty_directory(path: &Path) -> bool {
    let is_directory = path.symlink_metadata().is_ok_and(|about| about.is_dir());
    is_directory && fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}
