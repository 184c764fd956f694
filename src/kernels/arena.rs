//! Memory that begins where a cache line does.

use super::LANES;

/// Bytes of a cache line: a block of channels, whole.
const LINE: usize = LANES * size_of::<f32>();

/// Numbers, zero at first, that begin at a cache line, as every block in them does then.
///
/// The system has zeros of its own: memory that nobody has written to is not taken yet.
#[derive(Debug, Default)]
pub struct Arena {
    memory: Vec<f32>,
    /// Of the first number.
    start: usize,
    len: usize,
}

impl Arena {
    /// Room for `len` numbers, rounded up to whole blocks.
    pub fn new(len: usize) -> Self {
        let len = len.next_multiple_of(LANES);
        let memory = vec![0.0; len + LANES - 1];
        let start = memory.as_ptr().align_offset(LINE);
        assert!(start < LANES, "numbers that lie between numbers");
        Self { memory, start, len }
    }

    /// All of them.
    pub fn numbers(&self) -> &[f32] {
        &self.memory[self.start..self.start + self.len]
    }

    /// All of them, to be written.
    pub fn numbers_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.start..self.start + self.len]
    }
}

impl Clone for Arena {
    fn clone(&self) -> Self {
        let mut clone = Self::new(self.len);
        clone.numbers_mut().copy_from_slice(self.numbers());
        clone
    }
}
