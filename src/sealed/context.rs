//! The encryption context: public, authenticated pairs of a header (`data-format/message-header.md#aad`).

use std::collections::BTreeMap;

use super::error::{OpenError, SealError};
use super::fields::Fields;

/// Public, authenticated pairs in a header.
pub type EncryptionContext = BTreeMap<String, String>;

/// A longer serialized context is neither written nor read, in bytes.
const MAX_CONTEXT_LEN: usize = 8 * 1024;
/// Keys that begin with this belong to the AWS Encryption SDK (its signed suites keep a public key there).
const RESERVED_PREFIX: &str = "aws-crypto-";

/// Pair count and pairs in key order; nothing at all when there is no pair. The context is within [`check_len`].
pub(super) fn serialize(context: &EncryptionContext) -> Vec<u8> {
    let mut bytes = Vec::new();
    if context.is_empty() {
        return bytes;
    }
    bytes.extend_from_slice(&len_field(context.len()));
    for text in context.iter().flat_map(|(key, value)| [key, value]) {
        bytes.extend_from_slice(&len_field(text.len()));
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// Serializes what goes into a header of ours.
pub(super) fn serialize_checked(context: &EncryptionContext) -> Result<Vec<u8>, SealError> {
    if let Some(key) = context.keys().find(|key| key.starts_with(RESERVED_PREFIX)) {
        return Err(SealError::ReservedContextKey { key: key.clone() });
    }
    check_len(context).map_err(|len| SealError::ContextTooLong { len })?;
    Ok(serialize(context))
}

/// Refuses, with its serialized length, a context that is longer than any we read or write.
pub(super) fn check_len(context: &EncryptionContext) -> Result<(), usize> {
    let len = context.iter().fold(2_usize, |len, (key, value)| len.saturating_add(4 + key.len() + value.len()));
    if len > MAX_CONTEXT_LEN { Err(len) } else { Ok(()) }
}

/// Reads the context section: its length and, where that is not 0, the pairs.
pub(super) fn parse(fields: &mut Fields<'_>) -> Result<EncryptionContext, OpenError> {
    let len = usize::from(fields.u16()?);
    match len {
        0 => Ok(EncryptionContext::new()),
        1..=MAX_CONTEXT_LEN => parse_pairs(fields.take(len)?),
        _ => Err(OpenError::ContextTooLong { len }),
    }
}

fn parse_pairs(section: &[u8]) -> Result<EncryptionContext, OpenError> {
    let mut fields = Fields::new(section);
    let mut context = EncryptionContext::new();
    for _ in 0..fields.u16().map_err(|_| OpenError::ContextMalformed)? {
        let (key, value) = (text(&mut fields)?, text(&mut fields)?);
        if key.starts_with(RESERVED_PREFIX) {
            return Err(OpenError::ReservedContextKey { key });
        }
        match context.last_key_value() {
            Some((last, _)) if *last == key => return Err(OpenError::ContextDuplicate { key }),
            Some((last, _)) if *last > key => return Err(OpenError::ContextUnsorted { key }),
            Some(_) | None => context.insert(key, value),
        };
    }
    if context.is_empty() || !fields.is_empty() {
        return Err(OpenError::ContextMalformed);
    }
    Ok(context)
}

fn text(fields: &mut Fields<'_>) -> Result<String, OpenError> {
    let bytes = fields.sized().map_err(|_| OpenError::ContextMalformed)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| OpenError::ContextMalformed)
}

/// Every length here fits 16 bits: it was parsed from 16 bits, or bounded by [`check_len`].
fn len_field(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes()
}
