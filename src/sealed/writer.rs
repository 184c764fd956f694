//! Sealing, frame by frame.

use std::io::{self, Write};

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::FRAME_LEN;
use super::context::{self, EncryptionContext};
use super::derive::derive;
use super::edk::Edk;
use super::error::SealError;
use super::frame::{Frame, FrameCipher, MAX_FRAMES};
use super::header::NewHeader;
use super::key::{KeyName, SealingKey};

/// Seals what is written to it into `out`, frame by frame. Only [`Sealer::finish`] makes the file whole.
pub struct Sealer<W: Write> {
    out: W,
    cipher: FrameCipher,
    frame_len: usize,
    /// Plaintext of the frame in the making; never grows beyond its first capacity, so that wiping it leaves no copy.
    text: Zeroizing<Vec<u8>>,
    /// Frames sealed so far.
    frames: u32,
    /// A frame may have been sealed and not written whole: sealing another in its place would use its nonce twice.
    incomplete: bool,
}

impl<W: Write> Sealer<W> {
    /// Writes the header. A fresh data key and message id from the system's generator each time.
    ///
    /// # Errors
    /// Key name or context cannot be in a header of ours, the system gives no random bytes, or `out` fails.
    pub fn new(out: W, key: &SealingKey, name: &KeyName, context: &EncryptionContext) -> Result<Self, SealError> {
        Self::with_frame_len(out, key, name, context, FRAME_LEN)
    }

    /// With another frame length, for tests: a multiple of 128 up to 16 MiB.
    #[doc(hidden)]
    pub fn with_frame_len(
        mut out: W,
        key: &SealingKey,
        name: &KeyName,
        context: &EncryptionContext,
        frame_len: u32,
    ) -> Result<Self, SealError> {
        let context = context::serialize_checked(context)?;
        let (mut data_key, mut message_id) = (Zeroizing::new([0; 32]), [0; 32]);
        fill_randomly(&mut data_key)?;
        fill_randomly(&mut message_id)?;
        let keys = derive(&data_key, &message_id)?;
        let edk = Edk::wrap(&data_key, key, name, &context)?;
        let header = NewHeader { message_id: &message_id, context: &context, edk: &edk, frame_len }.encode(&keys)?;
        out.write_all(&header).map_err(SealError::Write)?;
        let frame_len = frame_len as usize;
        let text = Zeroizing::new(Vec::with_capacity(frame_len));
        let cipher = FrameCipher::new(keys.key, message_id);
        Ok(Self { out, cipher, frame_len, text, frames: 0, incomplete: false })
    }

    /// Writes the final frame (empty on exact multiples of the frame length) and hands `out` back, flushed.
    ///
    /// # Errors
    /// `out` fails, or an earlier write failed.
    pub fn finish(mut self) -> Result<W, SealError> {
        self.write_frame(true)?;
        self.out.flush().map_err(SealError::Write)?;
        Ok(self.out)
    }

    fn write_frame(&mut self, last: bool) -> Result<(), SealError> {
        if std::mem::replace(&mut self.incomplete, true) {
            return Err(SealError::Incomplete);
        }
        // A regular frame leaves one number for the final frame.
        if self.frames >= MAX_FRAMES - u32::from(!last) {
            return Err(SealError::TooManyFrames);
        }
        self.frames += 1;
        let frame = Frame { number: u64::from(self.frames), place: 0, len: self.text.len(), last };
        let tag = self.cipher.seal(&frame, &mut self.text)?;
        for bytes in [frame.head().as_slice(), &self.text, tag.as_ref()] {
            self.out.write_all(bytes).map_err(SealError::Write)?;
        }
        self.text.clear();
        self.incomplete = false;
        Ok(())
    }
}

impl<W: Write> Write for Sealer<W> {
    /// A full frame is written at once, so that an exact multiple ends in an empty final frame: older SDKs, and with them
    /// the current `aws-encryption-cli`, refuse a full one.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let room = self.frame_len - self.text.len();
        let (taken, _) = buf.split_at(room.min(buf.len()));
        self.text.extend_from_slice(taken);
        if self.text.len() == self.frame_len {
            self.write_frame(false).map_err(io::Error::other)?;
        }
        Ok(taken.len())
    }

    /// Flushes what was sealed; the frame in the making stays until it is full or final.
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// In place: a key that is answered by value leaves copies on its way.
fn fill_randomly(bytes: &mut [u8; 32]) -> Result<(), SealError> {
    SystemRandom::new().fill(bytes).map_err(|_| SealError::Random)
}
