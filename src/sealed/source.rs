//! Where sealed bytes are read from.

use std::fs::File;
use std::io::{Error, ErrorKind, IoSliceMut, Result};

/// Bytes at offsets: a file, a buffer.
pub trait Source: Sync {
    /// Fills all of `bufs` with the bytes from `offset` on.
    ///
    /// # Errors
    /// `UnexpectedEof` when the source ends before; whatever reading it gives.
    fn read_exact_at(&self, offset: u64, bufs: &mut [IoSliceMut<'_>]) -> Result<()>;
}

impl<S: Source + ?Sized> Source for &S {
    fn read_exact_at(&self, offset: u64, bufs: &mut [IoSliceMut<'_>]) -> Result<()> {
        (**self).read_exact_at(offset, bufs)
    }
}

impl Source for [u8] {
    fn read_exact_at(&self, offset: u64, bufs: &mut [IoSliceMut<'_>]) -> Result<()> {
        let start = usize::try_from(offset).map_err(|_| ErrorKind::UnexpectedEof)?;
        let mut rest = self.get(start..).ok_or(ErrorKind::UnexpectedEof)?;
        for buf in bufs {
            let (head, tail) = rest.split_at_checked(buf.len()).ok_or(ErrorKind::UnexpectedEof)?;
            buf.copy_from_slice(head);
            rest = tail;
        }
        Ok(())
    }
}

impl Source for File {
    fn read_exact_at(&self, mut offset: u64, bufs: &mut [IoSliceMut<'_>]) -> Result<()> {
        let mut rest = bufs;
        IoSliceMut::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let read = match rustix::io::preadv(self, rest, offset) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => return Err(Error::from(errno)),
            };
            offset = offset.saturating_add(read as u64);
            IoSliceMut::advance_slices(&mut rest, read);
        }
        Ok(())
    }
}

/// A stretch of a source that is in memory already.
pub(super) struct Stretch<'a> {
    /// Its place in the whole.
    pub(super) start: u64,
    /// Its bytes.
    pub(super) bytes: &'a [u8],
}

impl Source for Stretch<'_> {
    fn read_exact_at(&self, offset: u64, bufs: &mut [IoSliceMut<'_>]) -> Result<()> {
        self.bytes.read_exact_at(offset.checked_sub(self.start).ok_or(ErrorKind::UnexpectedEof)?, bufs)
    }
}
