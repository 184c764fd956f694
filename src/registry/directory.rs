//! A plain bundle directory, read into memory.
//!
//! What counts: regular files, by their path below the directory. What does not: anything whose name begins with a dot
//! (`.git`, `.cache`, editors' droppings), at any depth. A symbolic link is read when it leads to a regular file inside
//! the directory; one that leads outside is refused rather than followed, as the caches of some model hubs have them: such
//! a directory is copied with its links resolved first. Links to directories, pipes, sockets and devices are refused.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::RegistryError;
use super::file_index::{MAX_FILES, MAX_TOTAL_LEN, check_bounds};
use crate::bundle::Files;
use crate::sealed::digest::Sha256;

/// Directories are nested at most this deep.
const MAX_DEPTH: usize = 16;
/// Files are hashed in pieces of this many bytes.
const PIECE: usize = 1 << 20;

/// Reads the directory `path`. Blocks.
///
/// # Errors
/// It cannot be read, holds more than a version may (1,000 files, 64 GiB), or something that no bundle may hold.
pub fn read_directory(path: &Path) -> Result<Files, RegistryError> {
    let mut files = Files::new();
    let mut room = MAX_TOTAL_LEN;
    walk(path, &mut |place, name| {
        let bytes = read_bounded(place, room).map_err(unreadable(place))?;
        room = room.saturating_sub(bytes.len() as u64);
        files.insert(name, bytes.into());
        Ok(())
    })?;
    let sizes = files.iter().map(|(path, bytes)| (path.as_str(), bytes.len() as u64));
    check_bounds(sizes).map_err(|reason| RegistryError::Bounds { reason: format!("{}: {reason}", path.display()) })?;
    Ok(files)
}

/// The hex SHA-256 of every file that [`read_directory`] would read, by path; no file is held in memory. Blocks.
///
/// # Errors
/// As [`read_directory`].
pub fn digests(path: &Path) -> Result<BTreeMap<String, String>, RegistryError> {
    let (mut digests, mut sizes) = (BTreeMap::new(), Vec::new());
    walk(path, &mut |place, name| {
        let (digest, len) = digest(place).map_err(unreadable(place))?;
        sizes.push((name.clone(), len));
        digests.insert(name, digest);
        Ok(())
    })?;
    let sizes = sizes.iter().map(|(path, len)| (path.as_str(), *len));
    check_bounds(sizes).map_err(|reason| RegistryError::Bounds { reason: format!("{}: {reason}", path.display()) })?;
    Ok(digests)
}

fn digest(place: &Path) -> io::Result<(String, u64)> {
    let (mut hash, mut len) = (Sha256::new(), 0_u64);
    let mut file = File::open(place)?;
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok((hash.finish_hex(), len)),
            read => {
                hash.update(&piece[..read]);
                len = len.saturating_add(read as u64);
            }
        }
    }
}

/// How many bytes [`read_directory`] would read. Blocks.
pub(super) fn directory_len(path: &Path) -> Result<u64, RegistryError> {
    let mut total = 0_u64;
    walk(path, &mut |place, _| {
        total = total.saturating_add(fs::metadata(place).map_err(unreadable(place))?.len());
        Ok(())
    })?;
    Ok(total)
}

/// What is done with a bundle's file: where it is, and its path below the directory.
type Visit<'a> = &'a mut dyn FnMut(&Path, String) -> Result<(), RegistryError>;

fn walk(path: &Path, visit: Visit<'_>) -> Result<(), RegistryError> {
    let root = path.canonicalize().map_err(unreadable(path))?;
    Walk { root: root.clone(), count: 0, visit }.directory(&root, "", 0)
}

struct Walk<'a> {
    root: PathBuf,
    count: usize,
    visit: Visit<'a>,
}

impl Walk<'_> {
    fn directory(&mut self, path: &Path, prefix: &str, depth: usize) -> Result<(), RegistryError> {
        if depth > MAX_DEPTH {
            return Err(unfit(path, "directories are nested more than 16 deep"));
        }
        for entry in fs::read_dir(path).map_err(unreadable(path))? {
            let entry = entry.map_err(unreadable(path))?;
            let name = entry.file_name();
            let name = name.to_str().ok_or_else(|| unfit(&entry.path(), "its name is not UTF-8"))?;
            if name.starts_with('.') {
                tracing::debug!(path = %entry.path().display(), "hidden, not part of the bundle");
                continue;
            }
            self.entry(&entry.path(), format!("{prefix}{name}"), depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, name: String, depth: usize) -> Result<(), RegistryError> {
        let kind = fs::symlink_metadata(path).map_err(unreadable(path))?.file_type();
        if kind.is_dir() {
            return self.directory(path, &format!("{name}/"), depth + 1);
        }
        if kind.is_symlink() {
            let target = path.canonicalize().map_err(unreadable(path))?;
            if !target.starts_with(&self.root) {
                return Err(unfit(path, "it is a link that leads out of the directory"));
            }
            return self.file(&target, name);
        }
        self.file(path, name)
    }

    fn file(&mut self, path: &Path, name: String) -> Result<(), RegistryError> {
        // Looked at before it is opened: opening a pipe waits for its writer.
        if !fs::metadata(path).map_err(unreadable(path))?.is_file() {
            return Err(unfit(path, "it is no regular file"));
        }
        if self.count == MAX_FILES {
            return Err(unfit(path, "there are more than 1,000 files"));
        }
        self.count += 1;
        (self.visit)(path, name)
    }
}

/// The size may change between looking and reading: what is read is bounded, whatever was seen.
fn read_bounded(path: &Path, room: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let seen = file.metadata()?.len();
    let too_large = || io::Error::new(io::ErrorKind::FileTooLarge, "the directory holds more than 64 GiB");
    if seen > room {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(seen).map_err(|_| too_large())?);
    file.take(room.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > room { Err(too_large()) } else { Ok(bytes) }
}

pub(super) fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> RegistryError + use<> {
    let path = path.to_owned();
    move |source| RegistryError::Unreadable { path, source }
}

fn unfit(path: &Path, reason: &'static str) -> RegistryError {
    RegistryError::Unfit { path: path.to_owned(), reason }
}
