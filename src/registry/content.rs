//! What is published: files in memory, or on disk, from where they are read while they are sealed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::RegistryError;
use super::directory::unreadable;
use crate::bundle::Files;
use crate::sealed::digest::{Sha256, sha256_hex};

/// Plaintext is hashed and sealed in pieces of this many bytes.
const PIECE: usize = 1 << 20;

/// The plaintext files of a version by path, with their digests.
#[derive(Debug, Clone)]
pub struct Content(BTreeMap<String, Plain>);

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    /// In bytes.
    pub(super) len: u64,
    /// Hex SHA-256.
    pub(super) sha256: String,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Memory(Bytes),
    Disk(PathBuf),
}

impl Content {
    /// Files that stay in memory; hashes them. Blocks.
    pub fn in_memory(files: &Files) -> Self {
        Self::of(files, |_, bytes| Place::Memory(bytes.clone()))
    }

    /// The files of `directory` that were read into `files`; hashes those, and reads them again when they are sealed: one that
    /// is another by then refuses the publish. Blocks.
    pub fn on_disk(directory: &Path, files: &Files) -> Self {
        Self::of(files, |path, _| Place::Disk(directory.join(path)))
    }

    fn of(files: &Files, place: impl Fn(&str, &Bytes) -> Place) -> Self {
        let plain = |(path, bytes): (&String, &Bytes)| {
            let (len, sha256) = (bytes.len() as u64, sha256_hex(bytes));
            (path.clone(), Plain { len, sha256, place: place(path, bytes) })
        };
        Self(files.iter().map(plain).collect())
    }

    /// Of all files together, in bytes.
    pub fn total_len(&self) -> u64 {
        self.0.values().map(|plain| plain.len).sum()
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Plain)> + Clone {
        self.0.iter().map(|(path, plain)| (path.as_str(), plain))
    }

    /// The files whose paths `wanted` likes, in memory. Blocks.
    pub(super) fn read(&self, wanted: impl Fn(&str) -> bool) -> Result<Files, RegistryError> {
        let wanted = self.0.iter().filter(|(path, _)| wanted(path));
        wanted.map(|(path, plain)| Ok((path.clone(), plain.whole()?))).collect()
    }
}

impl Plain {
    pub(super) fn in_memory(bytes: Bytes) -> Self {
        Self { len: bytes.len() as u64, sha256: sha256_hex(&bytes), place: Place::Memory(bytes) }
    }

    fn whole(&self) -> Result<Bytes, RegistryError> {
        match &self.place {
            Place::Memory(bytes) => Ok(bytes.clone()),
            Place::Disk(_) => {
                let mut whole = Vec::new();
                self.read(|piece| {
                    whole.extend_from_slice(&piece);
                    true
                })?;
                Ok(whole.into())
            }
        }
    }

    /// Hands all of it to `take`, piece by piece, until that answers `false`; at the end it has the digest that it had.
    pub(super) fn read(&self, mut take: impl FnMut(Bytes) -> bool) -> Result<(), RegistryError> {
        let path = match &self.place {
            Place::Memory(bytes) => {
                let mut pieces = (0..bytes.len()).step_by(PIECE);
                pieces.all(|start| take(bytes.slice(start..bytes.len().min(start + PIECE))));
                return Ok(());
            }
            Place::Disk(path) => path,
        };
        let mut file = File::open(path).map_err(unreadable(path))?.take(self.len.saturating_add(1));
        let (mut hash, mut read) = (Sha256::new(), 0);
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            file.by_ref().take(PIECE as u64).read_to_end(&mut piece).map_err(unreadable(path))?;
            if piece.is_empty() {
                break;
            }
            hash.update(&piece);
            read += piece.len() as u64;
            if !take(piece.into()) {
                return Ok(());
            }
        }
        match read == self.len && hash.finish_hex() == self.sha256 {
            true => Ok(()),
            false => Err(unreadable(path)(io::Error::other("it changed while it was published: publish again"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changes_after_it_was_checked_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.onnx");
        let bytes: Bytes = vec![7; PIECE + 1].into();
        let content = Content::on_disk(directory.path(), &Files::from([("model.onnx".to_owned(), bytes.clone())]));
        std::fs::write(&path, &bytes).unwrap();
        assert!(content.read(|_| true).unwrap()["model.onnx"] == bytes);
        for other in [&bytes[1..], &[bytes.as_ref(), b"x"].concat(), &[&bytes[1..], b"x"].concat()] {
            std::fs::write(&path, other).unwrap();
            assert!(matches!(content.read(|_| true), Err(RegistryError::Unreadable { .. })));
        }
    }
}
