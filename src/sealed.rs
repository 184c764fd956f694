//! Sealed files: AWS Encryption SDK messages v2, suite 0x0478, framed, raw-AES keyring. Pure, sync, no I/O, no clock.

use std::collections::BTreeMap;
use std::io::{IoSliceMut, Write};
use std::ops::Range;

/// Length of a frame's plaintext in what we seal, in bytes.
pub const FRAME_LEN: u32 = 1 << 20;
/// More header than this is never read, in bytes.
pub const MAX_HEADER_LEN: usize = 64 * 1024;

/// A 256-bit wrapping key. Wipes on drop, locked in memory where allowed, prints as `SealingKey(..)`, does not clone.
pub struct SealingKey(());

impl SealingKey {
    /// From the system's random number generator.
    pub fn generate() -> Result<Self, SealError> {
        todo!()
    }
    /// Takes 32 bytes; the caller wipes its own copy (`zeroize::Zeroizing`).
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let _ = bytes;
        todo!()
    }
    /// First 32 hex digits of HMAC-SHA-256(key, "strongroom key id"): the key name of a key file.
    pub fn id(&self) -> String {
        todo!()
    }
    /// The raw bytes, for writing a key file or a secret.
    pub fn expose(&self) -> &[u8; 32] {
        todo!()
    }
}

/// Which wrapping key sealed a file: the provider id and key name of its encrypted data key. Public.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName {
    /// Provider id; not `aws-kms`.
    pub namespace: String,
    /// Key name.
    pub name: String,
}

/// Public, authenticated pairs in a header.
pub type EncryptionContext = BTreeMap<String, String>;

/// Seals what is written to it into `out`, frame by frame.
pub struct Sealer<W: Write>(W);

impl<W: Write> Sealer<W> {
    /// Writes the header. A fresh data key and message id from the system's generator each time.
    pub fn new(out: W, key: &SealingKey, name: &KeyName, context: &EncryptionContext) -> Result<Self, SealError> {
        let _ = (out, key, name, context);
        todo!()
    }
    /// Writes the final frame (empty on exact multiples of the frame length) and hands `out` back, flushed.
    pub fn finish(self) -> Result<W, SealError> {
        todo!()
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        let _ = buf;
        todo!()
    }
    fn flush(&mut self) -> std::io::Result<()> {
        todo!()
    }
}

/// Bytes at offsets: a file, a buffer.
pub trait Source: Sync {
    /// Fills all of `bufs` with the bytes from `offset` on.
    fn read_exact_at(&self, offset: u64, bufs: &mut [IoSliceMut<'_>]) -> std::io::Result<()>;
}

/// A parsed header, bounded but not yet authenticated. Good for choosing a key and for `inspect`.
#[derive(Debug, Clone)]
pub struct Header(());

impl Header {
    /// Parses the first bytes of a sealed file (give it up to [`MAX_HEADER_LEN`] of them).
    pub fn parse(prefix: &[u8]) -> Result<Self, OpenError> {
        let _ = prefix;
        todo!()
    }
    /// Names of the keys that can open it.
    pub fn key_names(&self) -> Vec<KeyName> {
        todo!()
    }
    /// Public, not yet authenticated.
    pub fn context(&self) -> &EncryptionContext {
        todo!()
    }
    /// Unwraps the data key, checks commitment, header tag and the size equation, in that order, before any frame.
    /// `required` are pairs that must be in the context (authenticated even where the message does not store them).
    pub fn authenticate(
        self,
        name: &KeyName,
        key: &SealingKey,
        sealed_len: u64,
        required: &EncryptionContext,
    ) -> Result<Opening, OpenError> {
        let _ = (name, key, sealed_len, required);
        todo!()
    }
}

/// A file whose header is authentic and whose size fits: its frames may be opened, in any order.
pub struct Opening(());

impl Opening {
    /// In bytes.
    pub fn plaintext_len(&self) -> u64 {
        todo!()
    }
    /// Whole frames, `frames` of them at a time (the last part is what remains; always at least one part).
    pub fn parts(&self, frames: usize) -> Vec<Part> {
        let _ = frames;
        todo!()
    }
    /// Opens one part from memory: `sealed` is exactly `part.sealed`, `plain` exactly `part.plain` long.
    pub fn open_part(&self, part: &Part, sealed: &[u8], plain: &mut [u8]) -> Result<(), OpenError> {
        let _ = (part, sealed, plain);
        todo!()
    }
    /// Opens everything from `source` on `threads` threads, in place, straight to its final position in `plain`.
    pub fn open_all(&self, source: &dyn Source, plain: &mut [u8], threads: usize) -> Result<(), OpenError> {
        let _ = (source, plain, threads);
        todo!()
    }
}

/// Consecutive frames of a sealed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Their bytes in the sealed file.
    pub sealed: Range<u64>,
    /// Their plaintext's place.
    pub plain: Range<u64>,
}

/// Why a file was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {}

/// Why a file was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {}
