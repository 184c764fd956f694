//! From data key and message id to the frame key and the commitment (`framework/algorithm-suites.md`, suite 0x0478).

use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::error::Unspecified;
use ring::hkdf::{HKDF_SHA512, KeyType, Prk, Salt};
use zeroize::Zeroizing;

use super::memory::Wiped;

/// AES-256-GCM, HKDF-SHA-512, key commitment, no signature.
pub(super) const SUITE: u16 = 0x0478;

/// What one message is sealed with.
pub(super) struct MessageKeys {
    /// Header tag and frames.
    pub(super) key: Wiped<LessSafeKey>,
    /// Stands in the header; two data keys cannot share it.
    pub(super) commitment: [u8; 32],
}

pub(super) fn derive(data_key: &[u8; 32], message_id: &[u8; 32]) -> Result<MessageKeys, Unspecified> {
    let prk = Salt::new(HKDF_SHA512, message_id).extract(data_key);
    let mut key = Zeroizing::new([0; 32]);
    expand(&prk, &[&SUITE.to_be_bytes(), b"DERIVEKEY"], &mut key)?;
    let mut commitment = [0; 32];
    expand(&prk, &[b"COMMITKEY"], &mut commitment)?;
    Ok(MessageKeys { key: gcm_key(&key)?, commitment })
}

pub(super) fn gcm_key(bytes: &[u8; 32]) -> Result<Wiped<LessSafeKey>, Unspecified> {
    Ok(Wiped::new(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes)?)))
}

struct Len32;

impl KeyType for Len32 {
    fn len(&self) -> usize {
        32
    }
}

fn expand(prk: &Prk, label: &[&[u8]], out: &mut [u8; 32]) -> Result<(), Unspecified> {
    prk.expand(label, Len32)?.fill(out)
}
