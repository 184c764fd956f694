//! The header of a message v2 (`data-format/message-header.md`).

use ring::aead::{Aad, NONCE_LEN, Nonce, Tag};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::MAX_HEADER_LEN;
use super::context::{self, EncryptionContext};
use super::derive::{MessageKeys, SUITE, derive};
use super::edk::{Edk, check_namespace};
use super::error::{OpenError, SealError};
use super::fields::Fields;
use super::frame::{FrameCipher, Layout};
use super::key::{KeyName, SealingKey};
use super::reader::Opening;

const VERSION: u8 = 2;
const FRAMED: u8 = 2;
const MAX_EDKS: u16 = 8;
const TAG_LEN: usize = 16;
/// What we read; the specification allows up to 2^32 - 1.
const FRAME_LENS: std::ops::RangeInclusive<u32> = 128..=16 * 1024 * 1024;
/// Suites that derive nothing, or a key to which the message is not committed.
const NON_COMMITTING: [u16; 9] = [0x0014, 0x0046, 0x0078, 0x0114, 0x0146, 0x0178, 0x0214, 0x0346, 0x0378];
const SIGNED: u16 = 0x0578;

/// A parsed header, bounded but not yet authenticated. Good for choosing a key and for `inspect`.
#[derive(Debug, Clone)]
pub struct Header {
    /// Everything but the tag, as it stands in the file: what the tag authenticates.
    body: Vec<u8>,
    message_id: [u8; 32],
    context: EncryptionContext,
    edks: Vec<Edk>,
    frame_len: u32,
    commitment: [u8; 32],
    tag: [u8; TAG_LEN],
}

impl Header {
    /// Parses the first bytes of a sealed file (give it up to [`MAX_HEADER_LEN`] of them).
    ///
    /// # Errors
    /// Not a message v2 under suite 0x0478, malformed, beyond a bound, or cut short.
    pub fn parse(prefix: &[u8]) -> Result<Self, OpenError> {
        let bounded = prefix.get(..MAX_HEADER_LEN).unwrap_or(prefix);
        match Self::parse_bounded(bounded) {
            Err(OpenError::HeaderTruncated) if bounded.len() == MAX_HEADER_LEN => Err(OpenError::HeaderTooLong),
            other => other,
        }
    }

    fn parse_bounded(prefix: &[u8]) -> Result<Self, OpenError> {
        let mut fields = Fields::new(prefix);
        check_version(fields.u8()?)?;
        check_suite(fields.u16()?)?;
        let message_id = fields.array()?;
        let context = context::parse(&mut fields)?;
        let edks = parse_edks(&mut fields)?;
        check_content_type(fields.u8()?)?;
        let frame_len = fields.u32()?;
        if !FRAME_LENS.contains(&frame_len) {
            return Err(OpenError::FrameLen { len: frame_len });
        }
        let commitment = fields.array()?;
        let body = prefix.get(..prefix.len() - fields.len()).unwrap_or_default().to_vec();
        Ok(Self { body, message_id, context, edks, frame_len, commitment, tag: fields.array()? })
    }

    /// Names of the keys that can open it.
    pub fn key_names(&self) -> Vec<KeyName> {
        self.edks.iter().filter_map(Edk::key_name).collect()
    }

    /// Provider ids of encrypted data keys that no raw AES key opens (AWS KMS, RSA).
    pub fn foreign_providers(&self) -> Vec<&str> {
        self.edks.iter().filter(|edk| edk.key_name().is_none()).map(Edk::provider).collect()
    }

    /// Public, not yet authenticated.
    pub fn context(&self) -> &EncryptionContext {
        &self.context
    }

    /// Algorithm suite id.
    pub fn suite(&self) -> u16 {
        SUITE
    }

    /// Random, public, unlike that of any other message.
    pub fn message_id(&self) -> &[u8; 32] {
        &self.message_id
    }

    /// Plaintext of one regular frame, in bytes.
    pub fn frame_len(&self) -> u32 {
        self.frame_len
    }

    /// Header with its tag, in bytes: the first frame's place.
    pub fn header_len(&self) -> usize {
        self.body.len() + TAG_LEN
    }

    /// Where the frames lie in a file of `sealed_len` bytes, by the size equation alone.
    ///
    /// # Errors
    /// No file with this header has that size.
    pub fn layout(&self, sealed_len: u64) -> Result<Layout, OpenError> {
        Layout::new(self.header_len() as u64, self.frame_len, sealed_len)
    }

    /// Unwraps the data key, checks commitment, header tag and the size equation, in that order, before any frame.
    /// `required` are pairs that must be in the context (authenticated even where the message does not store them).
    ///
    /// # Errors
    /// The key is not one of the file's, is wrong, the context lacks or contradicts a pair, the header was changed, or the
    /// size does not fit.
    pub fn authenticate(
        self,
        name: &KeyName,
        key: &SealingKey,
        sealed_len: u64,
        required: &EncryptionContext,
    ) -> Result<Opening, OpenError> {
        let not_stored = self.not_stored(required)?;
        let data_key = self.unwrap(name, key, &not_stored)?;
        let keys = derive(&data_key, &self.message_id).map_err(|_| OpenError::Primitive)?;
        if !bool::from(keys.commitment.ct_eq(&self.commitment)) {
            return Err(OpenError::Commitment);
        }
        self.check_tag(&keys, &not_stored)?;
        Ok(Opening::new(FrameCipher::new(keys.key, self.message_id), self.layout(sealed_len)?))
    }

    /// Required pairs that the header does not store.
    fn not_stored(&self, required: &EncryptionContext) -> Result<EncryptionContext, OpenError> {
        let mut not_stored = EncryptionContext::new();
        for (key, expected) in required {
            match self.context.get(key) {
                Some(found) if found == expected => {}
                Some(found) => return Err(mismatch(key, expected, found)),
                None => {
                    not_stored.insert(key.clone(), expected.clone());
                }
            }
        }
        Ok(not_stored)
    }

    fn unwrap(
        &self,
        name: &KeyName,
        key: &SealingKey,
        not_stored: &EncryptionContext,
    ) -> Result<Zeroizing<[u8; 32]>, OpenError> {
        check_namespace(name).map_err(|()| OpenError::ReservedNamespace)?;
        let edks: Vec<_> = self.edks.iter().filter(|edk| edk.key_name().as_ref() == Some(name)).collect();
        if edks.is_empty() {
            return Err(OpenError::KeyNotListed { wanted: name.clone(), found: self.key_names() });
        }
        let whole = merge(&self.context, not_stored)?;
        if let Some(data_key) = edks.iter().find_map(|edk| edk.unwrap(key, &whole).ok()) {
            return Ok(data_key);
        }
        // A key that opens it without the pairs that are not stored is the right one: then a pair is what lacks.
        let stored = context::serialize(&self.context);
        match not_stored.keys().next() {
            Some(missing) if edks.iter().any(|edk| edk.unwrap(key, &stored).is_ok()) => {
                Err(OpenError::ContextMissing { key: missing.clone() })
            }
            Some(_) | None => Err(OpenError::WrongKey { name: name.clone() }),
        }
    }

    fn check_tag(&self, keys: &MessageKeys, not_stored: &EncryptionContext) -> Result<(), OpenError> {
        let aad = [self.body.as_slice(), &context::serialize(not_stored)].concat();
        let tag = Tag::from(self.tag);
        match keys.key.open_in_place_separate_tag(header_nonce(), Aad::from(aad), tag, &mut [], 0..) {
            Ok(_) => Ok(()),
            Err(ring::error::Unspecified) => Err(OpenError::HeaderTag),
        }
    }
}

/// What a new header says.
pub(super) struct NewHeader<'a> {
    pub(super) message_id: &'a [u8; 32],
    /// Serialized.
    pub(super) context: &'a [u8],
    pub(super) edk: &'a Edk,
    pub(super) frame_len: u32,
}

impl NewHeader<'_> {
    /// The header's bytes with its tag.
    pub(super) fn encode(&self, keys: &MessageKeys) -> Result<Vec<u8>, SealError> {
        if !FRAME_LENS.contains(&self.frame_len) || !self.frame_len.is_multiple_of(128) {
            return Err(SealError::FrameLen { len: self.frame_len });
        }
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&SUITE.to_be_bytes());
        bytes.extend_from_slice(self.message_id);
        let context_len =
            u16::try_from(self.context.len()).map_err(|_| SealError::ContextTooLong { len: self.context.len() })?;
        bytes.extend_from_slice(&context_len.to_be_bytes());
        bytes.extend_from_slice(self.context);
        bytes.extend_from_slice(&1_u16.to_be_bytes());
        self.edk.write(&mut bytes)?;
        bytes.push(FRAMED);
        bytes.extend_from_slice(&self.frame_len.to_be_bytes());
        bytes.extend_from_slice(&keys.commitment);
        let tag = keys.key.seal_in_place_separate_tag(header_nonce(), Aad::from(&bytes), &mut [])?;
        bytes.extend_from_slice(tag.as_ref());
        match bytes.len() {
            ..=MAX_HEADER_LEN => Ok(bytes),
            len => Err(SealError::HeaderTooLong { len }),
        }
    }
}

/// Frames count from 1, so 0 is the header's alone.
fn header_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

fn check_version(found: u8) -> Result<(), OpenError> {
    match found {
        VERSION => Ok(()),
        1 => Err(OpenError::Version1),
        _ => Err(OpenError::NotSealed { found }),
    }
}

fn check_suite(suite: u16) -> Result<(), OpenError> {
    match suite {
        SUITE => Ok(()),
        SIGNED => Err(OpenError::SignedSuite),
        _ if NON_COMMITTING.contains(&suite) => Err(OpenError::NonCommittingSuite { suite }),
        _ => Err(OpenError::UnknownSuite { suite }),
    }
}

fn check_content_type(found: u8) -> Result<(), OpenError> {
    match found {
        FRAMED => Ok(()),
        1 => Err(OpenError::NotFramed),
        _ => Err(OpenError::UnknownContentType { found }),
    }
}

fn parse_edks(fields: &mut Fields<'_>) -> Result<Vec<Edk>, OpenError> {
    match fields.u16()? {
        0 => Err(OpenError::NoKeys),
        count @ 1..=MAX_EDKS => (0..count).map(|_| Edk::parse(fields)).collect(),
        count => Err(OpenError::TooManyKeys { count }),
    }
}

/// The serialized context under which the data key was wrapped: all pairs, stored or not.
fn merge(stored: &EncryptionContext, not_stored: &EncryptionContext) -> Result<Vec<u8>, OpenError> {
    let whole = stored.iter().chain(not_stored).map(|(key, value)| (key.clone(), value.clone())).collect();
    context::check_len(&whole).map_err(|len| OpenError::ContextTooLong { len })?;
    Ok(context::serialize(&whole))
}

fn mismatch(key: &str, expected: &str, found: &str) -> OpenError {
    OpenError::ContextMismatch { key: key.to_owned(), expected: expected.to_owned(), found: found.to_owned() }
}
