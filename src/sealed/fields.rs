//! A header's fields, one after the other, never beyond its end.

use super::error::OpenError;

/// The bytes not read yet.
pub(super) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many bytes are not read yet.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], OpenError> {
        let (head, tail) = self.0.split_at_checked(len).ok_or(OpenError::HeaderTruncated)?;
        self.0 = tail;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], OpenError> {
        let (head, tail) = self.0.split_first_chunk().ok_or(OpenError::HeaderTruncated)?;
        self.0 = tail;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, OpenError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16, OpenError> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, OpenError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    /// A 16-bit length and that many bytes.
    pub(super) fn sized(&mut self) -> Result<&'a [u8], OpenError> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }
}
