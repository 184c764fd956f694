//! Opening frames: in any order, in parallel, straight to their final place.

use std::io::IoSliceMut;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ring::aead::Tag;
use zeroize::Zeroize;

use super::error::OpenError;
use super::frame::{FINAL_HEAD, Frame, FrameCipher, Layout, Part, TAG_LEN};
use super::source::{Source, Stretch};

/// About how much is read at once, in bytes: one frame of our own. More is slower: what was read has then left the
/// processor's cache before it is opened.
const READ_LEN: u64 = 1 << 20;
/// Three buffers a frame stay below the 1,024 that a vectored read may have.
const MAX_FRAMES_A_READ: u64 = 256;

/// A file whose header is authentic and whose size fits: its frames may be opened, in any order.
pub struct Opening {
    cipher: FrameCipher,
    layout: Layout,
}

impl Opening {
    pub(super) fn new(cipher: FrameCipher, layout: Layout) -> Self {
        Self { cipher, layout }
    }

    /// In bytes.
    pub fn plaintext_len(&self) -> u64 {
        self.layout.plaintext_len()
    }

    /// Where the frames lie.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Whole frames, `frames` of them at a time (the last part is what remains; always at least one part).
    pub fn parts(&self, frames: usize) -> Vec<Part> {
        self.layout.parts(frames)
    }

    /// Opens one part from memory: `sealed` is exactly `part.sealed`, `plain` exactly `part.plain` long.
    ///
    /// # Errors
    /// A frame is not authentic, or a length is not the part's. `plain` is wiped then.
    pub fn open_part(&self, part: &Part, sealed: &[u8], plain: &mut [u8]) -> Result<(), OpenError> {
        let unverified = Unverified(plain);
        check_len(&part.sealed, sealed.len())?;
        self.open_part_from(&Stretch { start: part.sealed.start, bytes: sealed }, part, &mut *unverified.0)?;
        unverified.verified();
        Ok(())
    }

    /// Opens one part from where it lies in `source`, which is the whole file; `plain` is exactly `part.plain` long.
    ///
    /// # Errors
    /// A frame is not authentic or not read, or a length is not the part's. `plain` is wiped then.
    pub fn open_part_from(&self, source: &dyn Source, part: &Part, plain: &mut [u8]) -> Result<(), OpenError> {
        let unverified = Unverified(plain);
        check_len(&part.plain, unverified.0.len())?;
        let frames = self.layout.frames_of(part)?;
        self.open_frames(source, frames, &mut *unverified.0)?;
        unverified.verified();
        Ok(())
    }

    /// Opens everything from `source` on `threads` threads, in place, straight to its final position in `plain`.
    ///
    /// # Errors
    /// A frame is not authentic or not read, or `plain` is not as long as the plaintext. `plain` is wiped then.
    pub fn open_all(&self, source: &dyn Source, plain: &mut [u8], threads: usize) -> Result<(), OpenError> {
        let unverified = Unverified(plain);
        check_len(&(0..self.plaintext_len()), unverified.0.len())?;
        let queue = Queue::new(self.split(&mut *unverified.0));
        std::thread::scope(|scope| {
            for _ in 1..threads.clamp(1, 256) {
                scope.spawn(|| self.work(source, &queue));
            }
            self.work(source, &queue);
        });
        queue.outcome()?;
        unverified.verified();
        Ok(())
    }

    /// `plain` cut into the pieces of single reads.
    fn split<'a>(&self, mut plain: &'a mut [u8]) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        let step = self.frames_a_read();
        for first in (0..self.layout.frames()).step_by(step) {
            let frames = first..(first + step as u64).min(self.layout.frames());
            let len = frames.clone().map(|index| self.layout.frame(index).len).sum();
            let (head, tail) = std::mem::take(&mut plain).split_at_mut(len);
            pieces.push(Piece { frames, plain: head });
            plain = tail;
        }
        pieces
    }

    fn work(&self, source: &dyn Source, queue: &Queue<'_>) {
        while let Some(piece) = queue.next() {
            if let Err(error) = self.open_frames(source, piece.frames, piece.plain) {
                queue.fail(error);
            }
        }
    }

    fn open_frames(&self, source: &dyn Source, frames: Range<u64>, mut plain: &mut [u8]) -> Result<(), OpenError> {
        let indices: Vec<u64> = frames.collect();
        for group in indices.chunks(self.frames_a_read()) {
            let group: Vec<Frame> = group.iter().map(|index| self.layout.frame(*index)).collect();
            let len = group.iter().map(|frame| frame.len).sum();
            let (head, tail) = std::mem::take(&mut plain).split_at_mut(len);
            self.open_group(source, &group, head)?;
            plain = tail;
        }
        Ok(())
    }

    fn frames_a_read(&self) -> usize {
        (READ_LEN / self.layout.frame_len()).clamp(1, MAX_FRAMES_A_READ) as usize
    }

    /// One vectored read, then each frame in place.
    fn open_group(&self, source: &dyn Source, group: &[Frame], plain: &mut [u8]) -> Result<(), OpenError> {
        let mut edges = vec![Edges::default(); group.len()];
        read_group(source, group, &mut edges, plain)?;
        let mut rest = plain;
        for (frame, edges) in group.iter().zip(&edges) {
            let (text, tail) = std::mem::take(&mut rest).split_at_mut(frame.len);
            self.cipher.open(frame, edges.head_of(frame), text, Tag::from(edges.tag))?;
            rest = tail;
        }
        Ok(())
    }
}

fn read_group(source: &dyn Source, group: &[Frame], edges: &mut [Edges], plain: &mut [u8]) -> Result<(), OpenError> {
    let Some(first) = group.first() else { return Ok(()) };
    let mut bufs = Vec::with_capacity(3 * group.len());
    let mut rest = plain;
    for (frame, edges) in group.iter().zip(edges) {
        let (text, tail) = rest.split_at_mut(frame.len);
        rest = tail;
        let (head, _) = edges.head.split_at_mut(frame.head_len());
        bufs.extend([head, text, edges.tag.as_mut_slice()].map(IoSliceMut::new));
    }
    source.read_exact_at(first.place, &mut bufs).map_err(OpenError::Read)
}

fn check_len(expected: &Range<u64>, found: usize) -> Result<(), OpenError> {
    let expected = expected.end.saturating_sub(expected.start);
    if expected == found as u64 { Ok(()) } else { Err(OpenError::BufferLen { expected, found: found as u64 }) }
}

/// What stands around a frame's ciphertext.
#[derive(Clone, Default)]
struct Edges {
    head: [u8; FINAL_HEAD],
    tag: [u8; TAG_LEN],
}

impl Edges {
    fn head_of(&self, frame: &Frame) -> &[u8] {
        self.head.get(..frame.head_len()).unwrap_or_default()
    }
}

/// Frames and the place of their plaintext.
struct Piece<'a> {
    frames: Range<u64>,
    plain: &'a mut [u8],
}

/// The pieces that no thread has taken yet, and the first failure.
struct Queue<'a> {
    pieces: Mutex<std::vec::IntoIter<Piece<'a>>>,
    failure: Mutex<Option<OpenError>>,
}

impl<'a> Queue<'a> {
    fn new(pieces: Vec<Piece<'a>>) -> Self {
        Self { pieces: Mutex::new(pieces.into_iter()), failure: Mutex::new(None) }
    }

    fn next(&self) -> Option<Piece<'a>> {
        lock(&self.pieces).next()
    }

    /// Keeps the first failure and leaves nothing to do for the others.
    fn fail(&self, error: OpenError) {
        lock(&self.failure).get_or_insert(error);
        *lock(&self.pieces) = Vec::new().into_iter();
    }

    fn outcome(self) -> Result<(), OpenError> {
        self.failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Plaintext of which not every frame is verified yet: wiped unless it becomes so, also when a thread panics.
struct Unverified<'a>(&'a mut [u8]);

impl Unverified<'_> {
    fn verified(self) {
        std::mem::forget(self);
    }
}

impl Drop for Unverified<'_> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
