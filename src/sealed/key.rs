//! Wrapping keys and their names.

use std::fmt;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::error::SealError;
use super::memory::KeyMemory;

/// A 256-bit wrapping key. Wipes on drop, locked in memory where allowed, prints as `SealingKey(..)`, does not clone.
///
/// That is this copy. What cannot be wiped: the round keys that `ring` expands it to while it is in use, and the buffers
/// in which the AWS SDK and its TLS received it. They lie in memory that is not dumped until it is used again.
pub struct SealingKey(KeyMemory);

impl SealingKey {
    /// From the system's random number generator.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn generate() -> Result<Self, SealError> {
        let mut memory = KeyMemory::zeroed();
        SystemRandom::new().fill(memory.bytes_mut()).map_err(|_| SealError::Random)?;
        Ok(Self(memory))
    }

    /// Takes 32 bytes; the caller wipes its own copy (`zeroize::Zeroizing`).
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut memory = KeyMemory::zeroed();
        memory.bytes_mut().copy_from_slice(bytes);
        Self(memory)
    }

    /// First 32 hex digits of HMAC-SHA-256(key, "strongroom key id"): the key name of a key file.
    pub fn id(&self) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.expose());
        let tag = hmac::sign(&key, b"strongroom key id");
        let mut id = hex::encode(tag);
        id.truncate(32);
        id
    }

    /// The raw bytes, for writing a key file or a secret.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.bytes()
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(..)")
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

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of namespace {}", quoted(&self.name), quoted(&self.namespace))
    }
}

/// A stranger's text in a message: escaped, and not longer than a reader's patience.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 200;
    let short: String = text.chars().take(MOST).collect();
    let dots = if short.len() < text.len() { "..." } else { "" };
    format!("{short:?}{dots}")
}
