//! Sealed files: AWS Encryption SDK messages v2, suite 0x0478, framed, raw-AES keyring. Sync, no clock, no I/O
//! but what a caller's [`Source`] and `Write` do.
//!
//! The order of types is the safe order. [`Header::parse`] bounds what a stranger wrote; [`Header::authenticate`] unwraps
//! the data key, checks commitment, header tag and size, in that order; only the [`Opening`] it answers with opens frames.
//! A header is never rewritten: wrapping the data key anew would use one AES-GCM nonce twice. Keys rotate in keyslots.
//!
//! Follows awslabs/aws-encryption-sdk-specification: `data-format/message-header.md` ([`Header`]), `message-body.md`
//! ([`Layout`]), `framework/raw-aes-keyring.md` and `framework/algorithm-suites.md` (key derivation).

mod context;
mod derive;
pub mod digest;
mod edk;
mod error;
mod fields;
mod frame;
mod header;
mod key;
mod keyslot;
mod memory;
mod reader;
mod source;
mod writer;

pub use context::EncryptionContext;
pub use error::{OpenError, SealError};
pub use frame::{Layout, Part};
pub use header::Header;
pub use key::{KeyName, SealingKey};
pub use keyslot::{open_keyslot, seal_keyslot};
pub use reader::Opening;
pub use source::Source;
pub use writer::Sealer;

/// Length of a frame's plaintext in what we seal, in bytes.
pub const FRAME_LEN: u32 = 1 << 20;
/// More header than this is never read, in bytes.
pub const MAX_HEADER_LEN: usize = 64 * 1024;
