//! A tar archive, compressed by gzip: the same files give the same bytes, whoever makes it and whenever.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

/// What everything in a tar archive is padded to, in bytes.
const BLOCK: u64 = 512;

/// An archive in the making. No owner, no time, modes 0644 and 0755, no links; folders stand before what is in them.
pub(super) struct TarGz<W: Write> {
    /// Sealed bytes do not compress: they are only wrapped.
    out: GzEncoder<W>,
    /// What the file that is being written will need behind it.
    padding: usize,
    folders: BTreeSet<String>,
}

impl<W: Write> TarGz<W> {
    /// Begins an archive.
    pub(super) fn new(out: W) -> Self {
        Self { out: GzEncoder::new(out, Compression::none()), padding: 0, folders: BTreeSet::new() }
    }

    /// Begins the file `path` of `len` bytes, which are written next; the one before it is complete.
    pub(super) fn begin(&mut self, path: &str, len: u64) -> io::Result<()> {
        self.end_file()?;
        let folders: Vec<_> = Path::new(path).ancestors().skip(1).filter_map(Path::to_str).collect();
        for folder in folders.into_iter().rev().filter(|folder| !folder.is_empty()) {
            if self.folders.insert(folder.to_owned()) {
                self.out.write_all(header(&format!("{folder}/"), EntryType::Directory, 0)?.as_bytes())?;
            }
        }
        self.out.write_all(header(path, EntryType::Regular, len)?.as_bytes())?;
        self.padding = ((BLOCK - len % BLOCK) % BLOCK) as usize;
        Ok(())
    }

    /// Ends the archive.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.end_file()?;
        // Two empty blocks are the end.
        self.out.write_all(&[0; 2 * BLOCK as usize])?;
        self.out.finish()
    }

    fn end_file(&mut self) -> io::Result<()> {
        let padding = std::mem::take(&mut self.padding);
        self.out.write_all(&[0; BLOCK as usize][..padding])
    }
}

impl<W: Write> Write for TarGz<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// POSIX ustar, where a path of more than 100 bytes is parted at a `/`.
fn header(path: &str, kind: EntryType, len: u64) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(path)?;
    header.set_entry_type(kind);
    header.set_mode(if kind.is_dir() { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(len);
    header.set_cksum();
    Ok(header)
}
