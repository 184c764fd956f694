//! The forms a key may have in a file or a secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::sealed::SealingKey;

/// A key with everything around it is never longer: Secrets Manager's own limit for a value, in bytes.
pub(super) const MAX_LEN: usize = 64 * 1024;

/// Why a value is no key. Says nothing of its content.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A password, most likely: its 32 characters hold far less than 256 bits.
    #[error("it is a text of 32 characters, which is a password, not a key")]
    Password,
    /// The length fits no form.
    #[error("it is {len} bytes long, which is neither a key of 32 bytes nor base64 (44) nor hex (64) of one")]
    Length {
        /// In bytes.
        len: usize,
    },
    /// 44 bytes that are no base64, or 64 that are no hex.
    #[error("it is {len} bytes long, but not {form}")]
    Digits {
        /// In bytes.
        len: usize,
        /// Which digits the length calls for.
        form: &'static str,
    },
    /// Begins as JSON and is something else.
    #[error(
        "it is not a JSON object whose \"key\" is a base64 text and whose \"min_index\", if there is one, is a number"
    )]
    Json,
}

/// What a file or a secret says.
pub(super) struct Value {
    pub(super) key: SealingKey,
    /// The index of the log entry before which no alias may point.
    pub(super) min_index: u64,
}

/// The key in `value`: 32 raw bytes; or base64, hex or `{"key": ..., "min_index": ...}` of them, with a line's end or without.
pub(super) fn value(value: &[u8]) -> Result<Value, FormError> {
    if let Ok(raw) = <&[u8; 32]>::try_from(value) {
        return match is_text(raw) {
            true => Err(FormError::Password),
            false => Ok(Value { key: SealingKey::from_bytes(raw), min_index: 0 }),
        };
    }
    let line = value.strip_suffix(b"\n").map_or(value, |line| line.strip_suffix(b"\r").unwrap_or(line));
    match line.trim_ascii_start().first() {
        Some(b'{') => json(line),
        Some(_) | None => Ok(Value { key: text(line)?, min_index: 0 }),
    }
}

fn text(line: &[u8]) -> Result<SealingKey, FormError> {
    let mut key = Zeroizing::new([0; 32]);
    let len = line.len();
    let decoded = match len {
        32 if is_text(line) => return Err(FormError::Password),
        // Decoded into a longer buffer: the decoder wants room for what the padding stands for.
        44 => {
            let mut padded = Zeroizing::new([0; 33]);
            let decoded = STANDARD.decode_slice(line, padded.as_mut());
            key.copy_from_slice(&padded[..32]);
            decoded.is_ok_and(|len| len == 32)
        }
        64 => hex::decode_to_slice(line, key.as_mut()).is_ok(),
        _ => return Err(FormError::Length { len }),
    };
    match decoded {
        true => Ok(SealingKey::from_bytes(&key)),
        false => Err(FormError::Digits { len, form: if len == 44 { "base64 of 32 bytes" } else { "hex" } }),
    }
}

fn json(value: &[u8]) -> Result<Value, FormError> {
    /// Other members are the owner's own.
    #[derive(Deserialize)]
    struct Secret {
        #[serde(deserialize_with = "wiped")]
        key: Zeroizing<String>,
        #[serde(default)]
        min_index: u64,
    }
    let secret: Secret = serde_json::from_slice(value).map_err(|_| FormError::Json)?;
    Ok(Value { key: text(secret.key.as_bytes())?, min_index: secret.min_index })
}

/// A value that [`value`] reads: the raw key, or JSON where there is more to say.
pub(super) fn write(key: &SealingKey, min_index: u64) -> Zeroizing<Vec<u8>> {
    match min_index {
        0 => Zeroizing::new(key.expose().to_vec()),
        index => {
            let key = Zeroizing::new(STANDARD.encode(key.expose()));
            Zeroizing::new(format!("{{\"key\":\"{}\",\"min_index\":{index}}}", *key).into_bytes())
        }
    }
}

fn wiped<'de, D: Deserializer<'de>>(value: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(value).map(Zeroizing::new)
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ')
}
