//! Why a file was not sealed or not opened.

use std::io;

use super::key::{KeyName, quoted};

/// Why a file was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The system's generator failed.
    #[error("the system gives no random bytes")]
    Random,
    /// The cryptographic library refused a computation.
    #[error("the cryptographic library refused a computation")]
    Primitive,
    /// Key of the encryption context.
    #[error("context key {key:?} is reserved: keys that begin with \"aws-crypto-\" belong to the AWS Encryption SDK")]
    ReservedContextKey {
        /// As given.
        key: String,
    },
    /// Serialized length of the encryption context.
    #[error("the encryption context takes {len} bytes, more than 8,192")]
    ContextTooLong {
        /// In bytes.
        len: usize,
    },
    /// `aws-kms`.
    #[error("key namespace \"aws-kms\" is reserved for AWS KMS")]
    ReservedNamespace,
    /// Key name and namespace are stored behind 16-bit lengths.
    #[error("key namespace or key name is longer than 65,515 bytes")]
    NameTooLong,
    /// No reader of ours would accept it.
    #[error("the header takes {len} bytes, more than 65,536: use a shorter key name or key namespace")]
    HeaderTooLong {
        /// In bytes.
        len: usize,
    },
    /// Outside the bounds of what we read.
    #[error("frame length {len} is not a multiple of 128 between 128 and 16,777,216")]
    FrameLen {
        /// In bytes.
        len: u32,
    },
    /// The sequence numbers are used up.
    #[error("the file needs more than 4,294,967,294 frames: seal it in pieces")]
    TooManyFrames,
    /// An earlier write failed; going on would use a nonce twice.
    #[error("the sealed file is incomplete since an earlier write failed")]
    Incomplete,
    /// Writing sealed bytes.
    #[error("sealed bytes were not written")]
    Write(#[source] io::Error),
}

impl From<ring::error::Unspecified> for SealError {
    fn from(_: ring::error::Unspecified) -> Self {
        Self::Primitive
    }
}

/// Why a file was not opened. Frames are counted from 1, as in the file.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// First byte.
    #[error("not a sealed file: it begins with byte {found:#04x}, an AWS Encryption SDK message v2 with 0x02")]
    NotSealed {
        /// Instead of 2.
        found: u8,
    },
    /// Message format 1 does not commit to its key.
    #[error("message format version 1 is not opened: it does not commit to its key; version 2 does")]
    Version1,
    /// Suite 0x0578.
    #[error("algorithm suite 0x0578 (with ECDSA signature) is not opened, only 0x0478 is")]
    SignedSuite,
    /// A suite of message format 1.
    #[error("algorithm suite {suite:#06x} is not opened: it does not commit to its key; 0x0478 does")]
    NonCommittingSuite {
        /// As stated.
        suite: u16,
    },
    /// Not in the specification.
    #[error("algorithm suite {suite:#06x} is unknown; 0x0478 was expected")]
    UnknownSuite {
        /// As stated.
        suite: u16,
    },
    /// The file ends before its header does.
    #[error("the file ends inside its header")]
    HeaderTruncated,
    /// Bound on what a stranger makes us read.
    #[error("the header takes more than 65,536 bytes")]
    HeaderTooLong,
    /// Bound on the encryption context.
    #[error("the encryption context takes {len} bytes, more than 8,192")]
    ContextTooLong {
        /// In bytes.
        len: usize,
    },
    /// Lengths that contradict each other, no UTF-8, or an empty list where nothing should be.
    #[error("the encryption context is malformed")]
    ContextMalformed,
    /// The specification sorts pairs by key.
    #[error("the encryption context is not sorted: key {} stands behind a greater one", quoted(key))]
    ContextUnsorted {
        /// The one out of place.
        key: String,
    },
    /// Two values for one key.
    #[error("the encryption context has key {} twice", quoted(key))]
    ContextDuplicate {
        /// The one repeated.
        key: String,
    },
    /// Suite 0x0478 has no use for these.
    #[error("context key {} is reserved and has no place under suite 0x0478", quoted(key))]
    ReservedContextKey {
        /// As stored.
        key: String,
    },
    /// At least one encrypted data key is needed.
    #[error("the header has no encrypted data key")]
    NoKeys,
    /// The format allows 65,535.
    #[error("the header has {count} encrypted data keys, more than 8")]
    TooManyKeys {
        /// As stated.
        count: u16,
    },
    /// The provider id of an encrypted data key is no UTF-8.
    #[error("an encrypted data key has a malformed provider id")]
    KeyMalformed,
    /// Content type 1.
    #[error("the body is not framed: such messages are not opened")]
    NotFramed,
    /// Neither framed nor non-framed.
    #[error("content type {found:#04x} is unknown; 0x02 (framed) was expected")]
    UnknownContentType {
        /// As stated.
        found: u8,
    },
    /// Bound on memory, and on work per byte.
    #[error("frame length {len} is not between 128 and 16,777,216 bytes")]
    FrameLen {
        /// In bytes.
        len: u32,
    },
    /// `aws-kms`.
    #[error("key namespace \"aws-kms\" is reserved for AWS KMS and is no place for a raw key")]
    ReservedNamespace,
    /// None of the encrypted data keys bears the name.
    #[error("the file was not sealed for key {wanted}; it was sealed for {}", list(.found))]
    KeyNotListed {
        /// Asked for.
        wanted: KeyName,
        /// Those of the header.
        found: Vec<KeyName>,
    },
    /// None of the encrypted data keys is of the namespace.
    #[error("the file was not sealed for a key of namespace {}; it was sealed for {}", quoted(namespace), list(.found))]
    NamespaceNotListed {
        /// Asked for.
        namespace: String,
        /// Those of the header.
        found: Vec<KeyName>,
    },
    /// A stored pair contradicts a required one.
    #[error("context {key:?} is {}, but {} is required: is this another file?", quoted(found), quoted(expected))]
    ContextMismatch {
        /// Of the pair.
        key: String,
        /// Required value.
        expected: String,
        /// Stored value.
        found: String,
    },
    /// A required pair is neither stored nor authenticated.
    #[error("the file has no context {key:?}, which is required")]
    ContextMissing {
        /// Of the pair.
        key: String,
    },
    /// The encrypted data key did not authenticate.
    #[error("key {name} does not open the file: it is the wrong key, or the header was changed")]
    WrongKey {
        /// Under which it was sealed.
        name: KeyName,
    },
    /// The data key is not the one the file was sealed with.
    #[error("the header's key commitment does not match its data key: the header was changed")]
    Commitment,
    /// The header's tag.
    #[error("the header is not authentic: it was changed, or its encryption context is not all given")]
    HeaderTag,
    /// The cryptographic library refused a computation.
    #[error("the cryptographic library refused a computation")]
    Primitive,
    /// The size equation has no solution.
    #[error("no sealed file with this header is {len} bytes long: it was truncated or extended")]
    Size {
        /// In bytes.
        len: u64,
    },
    /// Sequence numbers have 32 bits.
    #[error("the file has {frames} frames, more than 4,294,967,294")]
    TooManyFrames {
        /// By its size.
        frames: u64,
    },
    /// Another frame stands in this one's place.
    #[error("frame {frame} says it is frame {found}: frames were moved")]
    FrameSequence {
        /// By its place.
        frame: u64,
        /// As stated.
        found: u32,
    },
    /// The nonce is the sequence number, or something is wrong.
    #[error("frame {frame} states a nonce that is not its own")]
    FrameNonce {
        /// By its place.
        frame: u64,
    },
    /// The last frame is a regular one.
    #[error("frame {frame} is the last but not the final one: the file was truncated")]
    FinalFrameMissing {
        /// By its place.
        frame: u64,
    },
    /// A final frame stands where a regular one should.
    #[error("frame {frame} is the final one but not the last: the file was extended")]
    FinalFrameEarly {
        /// By its place.
        frame: u64,
    },
    /// Stated and real length of the final frame.
    #[error("the final frame says it holds {stated} bytes but has {found}: the file was truncated or extended")]
    FinalFrameLen {
        /// As stated.
        stated: u32,
        /// By the file's size.
        found: u64,
    },
    /// The tag of a frame.
    #[error("frame {frame} is not authentic: its bytes were changed")]
    FrameTag {
        /// By its place.
        frame: u64,
    },
    /// Reading sealed bytes.
    #[error("sealed bytes were not read")]
    Read(#[source] io::Error),
    /// A buffer given by the caller.
    #[error("the buffer has {found} bytes, {expected} were expected")]
    BufferLen {
        /// In bytes.
        expected: u64,
        /// In bytes.
        found: u64,
    },
    /// A part that does not stand on frame bounds.
    #[error("the part is not one of this file's")]
    NotAPart,
    /// A keyslot's plaintext is one key.
    #[error("a keyslot holds 32 bytes, this file {found}")]
    KeyslotLen {
        /// In bytes.
        found: u64,
    },
}

impl OpenError {
    /// What the reader of the message can do about it.
    pub fn remedy(&self) -> Option<String> {
        self.remedy_text().map(str::to_owned)
    }

    fn remedy_text(&self) -> Option<&'static str> {
        match self {
            Self::SignedSuite => Some(
                "seal it again with `aws-encryption-cli --encrypt --algorithm AES_256_GCM_HKDF_SHA512_COMMIT_KEY ...` \
                 (with an SDK: commitment policy REQUIRE_ENCRYPT_REQUIRE_DECRYPT and that algorithm suite)",
            ),
            Self::Version1 | Self::NonCommittingSuite { .. } => Some(
                "seal it again with the algorithm AES_256_GCM_HKDF_SHA512_COMMIT_KEY and the commitment policy \
                 require-encrypt-require-decrypt",
            ),
            Self::NotFramed | Self::FrameLen { .. } => {
                Some("seal it again with a frame length between 128 bytes and 16 MiB, a multiple of 128")
            }
            Self::KeyNotListed { .. } | Self::NamespaceNotListed { .. } => {
                Some("`strongroom inspect FILE` lists the keys a file was sealed for")
            }
            Self::ContextMismatch { .. } | Self::ContextMissing { .. } => {
                Some("`strongroom inspect FILE` shows the context a file was sealed with")
            }
            Self::NotSealed { .. } => Some("seal a file with `strongroom seal FILE --key KEY -o OUT`"),
            Self::WrongKey { .. } => Some(
                "give the key whose name the message tells; `strongroom inspect FILE` lists all the file was sealed for. If \
                 that is your key, the file was changed: copy it again from where it was sealed",
            ),
            Self::HeaderTag => Some(
                "give every --context pair it was sealed with; if they are all given, the file was changed: copy it again \
                 from where it was sealed",
            ),
            Self::HeaderTruncated
            | Self::Commitment
            | Self::Size { .. }
            | Self::FrameSequence { .. }
            | Self::FrameNonce { .. }
            | Self::FrameTag { .. }
            | Self::FinalFrameEarly { .. }
            | Self::FinalFrameMissing { .. }
            | Self::FinalFrameLen { .. } => Some("copy the file again from where it was sealed: this copy was changed"),
            Self::UnknownSuite { .. }
            | Self::HeaderTooLong
            | Self::ContextTooLong { .. }
            | Self::ContextMalformed
            | Self::ContextUnsorted { .. }
            | Self::ContextDuplicate { .. }
            | Self::ReservedContextKey { .. }
            | Self::NoKeys
            | Self::TooManyKeys { .. }
            | Self::KeyMalformed
            | Self::UnknownContentType { .. }
            | Self::ReservedNamespace
            | Self::Primitive
            | Self::TooManyFrames { .. }
            | Self::Read(_)
            | Self::BufferLen { .. }
            | Self::NotAPart
            | Self::KeyslotLen { .. } => None,
        }
    }
}

fn list(names: &[KeyName]) -> String {
    if names.is_empty() {
        return "no raw AES key".to_owned();
    }
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
