//! Frames of the body (`data-format/message-body.md`): where they lie, and how one is sealed and opened.

use std::ops::Range;

use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce, Tag};

use super::error::{OpenError, SealError};
use super::memory::Wiped;

/// Sequence number and IV.
const REGULAR_HEAD: usize = 16;
/// End mark, sequence number, IV and length.
pub(super) const FINAL_HEAD: usize = 24;
pub(super) const TAG_LEN: usize = 16;
const END_MARK: [u8; 4] = [0xff; 4];
/// The end mark is no sequence number.
pub(super) const MAX_FRAMES: u32 = u32::MAX - 1;

/// Where the frames of a file lie: all but the last are regular ones of one length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    header_len: u64,
    sealed_len: u64,
    frame_len: u64,
    /// Regular frames; one final frame follows them.
    regular: u64,
    final_len: u64,
}

impl Layout {
    /// Solves `sealed_len = header_len + regular * (frame_len + 32) + final_len + 40` with `final_len <= frame_len`. The
    /// solution is unique; 31 of `frame_len + 32` sizes have none.
    pub(super) fn new(header_len: u64, frame_len: u32, sealed_len: u64) -> Result<Self, OpenError> {
        let size = OpenError::Size { len: sealed_len };
        let frame_len = u64::from(frame_len);
        let overhead = (FINAL_HEAD + TAG_LEN) as u64;
        let Some(text) = sealed_len.checked_sub(header_len).and_then(|body| body.checked_sub(overhead)) else {
            return Err(size);
        };
        let regular = text.saturating_sub(frame_len).div_ceil(frame_len + 32);
        if regular >= u64::from(MAX_FRAMES) {
            return Err(OpenError::TooManyFrames { frames: regular.saturating_add(1) });
        }
        let final_len = text.checked_sub(regular * (frame_len + 32)).ok_or(size)?;
        Ok(Self { header_len, sealed_len, frame_len, regular, final_len })
    }

    /// In bytes.
    pub fn plaintext_len(&self) -> u64 {
        self.regular * self.frame_len + self.final_len
    }

    /// Number of frames, the final one included; at least 1.
    pub fn frames(&self) -> u64 {
        self.regular + 1
    }

    /// Plaintext of a regular frame, in bytes.
    pub fn frame_len(&self) -> u64 {
        self.frame_len
    }

    /// Plaintext of the final frame, in bytes.
    pub fn final_frame_len(&self) -> u64 {
        self.final_len
    }

    /// Whole frames, `frames` of them at a time (the last part is what remains; always at least one part).
    pub fn parts(&self, frames: usize) -> Vec<Part> {
        let step = frames.max(1) as u64;
        let part = |first| self.part(first..(first + step).min(self.frames()));
        (0..self.frames()).step_by(frames.max(1)).map(part).collect()
    }

    fn part(&self, frames: Range<u64>) -> Part {
        Part {
            sealed: self.sealed_place(frames.start)..self.sealed_place(frames.end),
            plain: self.plain_place(frames.start)..self.plain_place(frames.end),
        }
    }

    /// The frames (from 0) of a part.
    pub(super) fn frames_of(&self, part: &Part) -> Result<Range<u64>, OpenError> {
        let first = part.plain.start / self.frame_len;
        let count = part.sealed.end.saturating_sub(part.sealed.start).div_ceil(self.frame_len + 32);
        let frames = first.min(self.frames())..first.saturating_add(count).min(self.frames());
        if frames.is_empty() || self.part(frames.clone()) != *part {
            return Err(OpenError::NotAPart);
        }
        Ok(frames)
    }

    fn sealed_place(&self, frame: u64) -> u64 {
        if frame > self.regular { self.sealed_len } else { self.header_len + frame * (self.frame_len + 32) }
    }

    fn plain_place(&self, frame: u64) -> u64 {
        if frame > self.regular { self.plaintext_len() } else { frame * self.frame_len }
    }

    /// One frame; `index` counts from 0 and is less than [`Self::frames`].
    pub(super) fn frame(&self, index: u64) -> Frame {
        let last = index >= self.regular;
        let len = if last { self.final_len } else { self.frame_len };
        Frame { number: index + 1, place: self.sealed_place(index), len: len as usize, last }
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

/// One frame by its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// From 1, as its sequence number.
    pub(super) number: u64,
    /// Offset of its head in the file.
    pub(super) place: u64,
    /// Of its plaintext; at most 16 MiB.
    pub(super) len: usize,
    pub(super) last: bool,
}

impl Frame {
    pub(super) fn head_len(&self) -> usize {
        if self.last { FINAL_HEAD } else { REGULAR_HEAD }
    }

    /// [`MAX_FRAMES`] bounds it.
    fn sequence(&self) -> [u8; 4] {
        u32::try_from(self.number).unwrap_or(u32::MAX).to_be_bytes()
    }

    fn nonce(&self) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        nonce[8..].copy_from_slice(&self.sequence());
        nonce
    }

    /// The head this frame must have, and does have when we write it.
    pub(super) fn head(&self) -> Vec<u8> {
        let len = u32::try_from(self.len).unwrap_or(u32::MAX).to_be_bytes();
        match self.last {
            true => [&END_MARK, &self.sequence(), self.nonce().as_slice(), &len].concat(),
            false => [&self.sequence(), self.nonce().as_slice()].concat(),
        }
    }

    /// Compares a stored head with the one that belongs here, to name what is wrong.
    fn check_head(&self, stored: &[u8]) -> Result<(), OpenError> {
        let frame = self.number;
        let marked = stored.starts_with(&END_MARK);
        if self.last && !marked {
            return Err(OpenError::FinalFrameMissing { frame });
        }
        if marked && !self.last {
            return Err(OpenError::FinalFrameEarly { frame });
        }
        let fields = if self.last { stored.get(END_MARK.len()..).unwrap_or_default() } else { stored };
        let found = field(fields, 0);
        if found.to_be_bytes() != self.sequence() {
            return Err(OpenError::FrameSequence { frame, found });
        }
        if fields.get(4..REGULAR_HEAD) != Some(&self.nonce()) {
            return Err(OpenError::FrameNonce { frame });
        }
        if self.last && field(fields, REGULAR_HEAD) as usize != self.len {
            return Err(OpenError::FinalFrameLen { stated: field(fields, REGULAR_HEAD), found: self.len as u64 });
        }
        Ok(())
    }
}

fn field(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |field| u32::from_be_bytes(*field))
}

/// The key and message id that all frames of one message share.
pub(super) struct FrameCipher {
    key: Wiped<LessSafeKey>,
    message_id: [u8; 32],
}

impl FrameCipher {
    pub(super) fn new(key: Wiped<LessSafeKey>, message_id: [u8; 32]) -> Self {
        Self { key, message_id }
    }

    /// Turns `text` into ciphertext. Each frame number is sealed at most once: the nonce is the number.
    pub(super) fn seal(&self, frame: &Frame, text: &mut [u8]) -> Result<Tag, SealError> {
        let nonce = Nonce::assume_unique_for_key(frame.nonce());
        Ok(self.key.seal_in_place_separate_tag(nonce, Aad::from(self.aad(frame)), text)?)
    }

    /// Turns `text` into plaintext when `head` belongs here and `tag` is right.
    pub(super) fn open(&self, frame: &Frame, head: &[u8], text: &mut [u8], tag: Tag) -> Result<(), OpenError> {
        frame.check_head(head)?;
        let nonce = Nonce::assume_unique_for_key(frame.nonce());
        match self.key.open_in_place_separate_tag(nonce, Aad::from(self.aad(frame)), tag, text, 0..) {
            Ok(_) => Ok(()),
            Err(ring::error::Unspecified) => Err(OpenError::FrameTag { frame: frame.number }),
        }
    }

    /// Message id, label, sequence number, plaintext length.
    fn aad(&self, frame: &Frame) -> Vec<u8> {
        let label: &[u8] =
            if frame.last { b"AWSKMSEncryptionClient Final Frame" } else { b"AWSKMSEncryptionClient Frame" };
        [&self.message_id, label, &frame.sequence(), &(frame.len as u64).to_be_bytes()].concat()
    }
}
