//! Keyslots: an artifact key sealed under a KEK. Rotation rewrites these, never the files of the artifact.

use std::io::Write;

use zeroize::Zeroizing;

use super::context::EncryptionContext;
use super::error::{OpenError, SealError};
use super::header::Header;
use super::key::{KeyName, SealingKey};
use super::writer::Sealer;

const KEY_LEN: u64 = 32;

/// Seals `artifact_key` under the KEK: an ordinary sealed file of 32 bytes, with a context that says whose key it is.
///
/// # Errors
/// As [`Sealer::new`].
pub fn seal_keyslot(
    kek_name: &KeyName,
    kek: &SealingKey,
    artifact_id: &str,
    artifact_key: &SealingKey,
) -> Result<Vec<u8>, SealError> {
    let mut sealer = Sealer::new(Vec::new(), kek, kek_name, &keyslot_context(artifact_id))?;
    sealer.write_all(artifact_key.expose()).map_err(SealError::Write)?;
    sealer.finish()
}

/// Opens the keyslot of the artifact `artifact_id`; that of another artifact is refused.
///
/// # Errors
/// As [`Header::parse`], [`Header::authenticate`] and [`super::Opening::open_part`]; or it holds no key.
pub fn open_keyslot(
    bytes: &[u8],
    kek_name: &KeyName,
    kek: &SealingKey,
    artifact_id: &str,
) -> Result<SealingKey, OpenError> {
    let header = Header::parse(bytes)?;
    let opening = header.authenticate(kek_name, kek, bytes.len() as u64, &keyslot_context(artifact_id))?;
    if opening.plaintext_len() != KEY_LEN {
        return Err(OpenError::KeyslotLen { found: opening.plaintext_len() });
    }
    let mut key = Zeroizing::new([0; KEY_LEN as usize]);
    opening.open_all(&bytes, key.as_mut(), 1)?;
    Ok(SealingKey::from_bytes(&key))
}

fn keyslot_context(artifact_id: &str) -> EncryptionContext {
    let pairs = [("purpose", "artifact-key"), ("artifact", artifact_id)];
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}
