//! A file that appears whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{AtFlags, CWD, OFlags, RenameFlags, linkat, renameat_with};
use rustix::io::Errno;

/// A file of mode 0600 in the making. Dropped, it is gone; killed, it is gone too where the file system has files without
/// names (`O_TMPFILE`), and else stays under a name of its own.
pub(super) struct NewFile {
    file: File,
    /// Its name until it is kept; `None` while it has none.
    temporary: Option<PathBuf>,
    target: PathBuf,
    force: bool,
}

impl NewFile {
    /// Begins a file that is to become `target`; with `force` in the place of what bears that name.
    pub(super) fn create(target: &Path, force: bool) -> anyhow::Result<Self> {
        if !force && target.symlink_metadata().is_ok() {
            bail!("{} exists already: name another file, or replace it with --force", target.display());
        }
        let created = unnamed(directory(target)).map(|file| (file, None)).or_else(|_| named(target));
        let (file, temporary) = created.with_context(|| format!("{} cannot be made", target.display()))?;
        Ok(Self { file, temporary, target: target.to_owned(), force })
    }

    /// Gives the whole file its name.
    pub(super) fn keep(mut self) -> anyhow::Result<()> {
        self.place().with_context(|| format!("{} cannot be made", self.target.display()))?;
        self.temporary = None;
        let synced = sync_folder(directory(&self.target));
        synced.with_context(|| format!("{} is made, but may not outlive a power cut", self.target.display()))
    }

    fn place(&mut self) -> std::io::Result<()> {
        self.file.sync_all()?;
        let temporary = match &self.temporary {
            Some(path) => path.clone(),
            None => {
                let path = temporary_name(&self.target);
                linkat(CWD, proc_path(&self.file), CWD, &path, AtFlags::SYMLINK_FOLLOW)?;
                self.temporary.insert(path).clone()
            }
        };
        if self.force {
            return std::fs::rename(temporary, &self.target);
        }
        match renameat_with(CWD, &temporary, CWD, &self.target, RenameFlags::NOREPLACE) {
            // Not every file system knows this flag; a second name is refused where there is one, too.
            Err(Errno::INVAL | Errno::NOSYS) => {
                std::fs::hard_link(&temporary, &self.target)?;
                std::fs::remove_file(temporary)
            }
            outcome => Ok(outcome?),
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.file.write(buf)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(path) = &self.temporary {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn unnamed(directory: &Path) -> std::io::Result<File> {
    let flags = OFlags::TMPFILE.bits().cast_signed();
    let file = OpenOptions::new().write(true).mode(0o600).custom_flags(flags).open(directory)?;
    // Only through /proc does it get a name.
    proc_path(&file).symlink_metadata()?;
    Ok(file)
}

fn named(target: &Path) -> std::io::Result<(File, Option<PathBuf>)> {
    let path = temporary_name(target);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    Ok((file, Some(path)))
}

fn proc_path(file: &File) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Makes a new entry of the folder outlive a power cut. Who may write to a folder but not read it cannot ask for that.
pub(super) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(()),
        outcome => outcome,
    }
}

/// A name that nothing bears yet, in the same folder.
pub(super) fn temporary_name(target: &Path) -> PathBuf {
    directory(target).join(format!(".strongroom-{}", uuid::Uuid::new_v4()))
}

/// The folder that `target` is an entry of.
pub(super) fn directory(target: &Path) -> &Path {
    match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    }
}
