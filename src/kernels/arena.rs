//! Memory that begins where a cache line does.

use super::LANES;

/// A cache line: a block of channels, whole.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LANES]);

/// Numbers, zero at first, that begin at a cache line, as every block in them does then.
#[derive(Debug, Clone, Default)]
pub struct Arena(Vec<Line>);

impl Arena {
    /// Room for `len` numbers, rounded up to whole blocks.
    pub fn new(len: usize) -> Self {
        Self(vec![Line([0.0; LANES]); len.div_ceil(LANES)])
    }

    /// All of them.
    pub fn numbers(&self) -> &[f32] {
        // SAFETY: a line is sixteen numbers without a gap (`repr(C)`, 64 bytes, aligned to 64), so the lines are
        // sixteen times as many numbers; they are borrowed as long as the slice.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), self.0.len() * LANES) }
    }

    /// All of them, to be written.
    pub fn numbers_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above; the borrow is unique.
        unsafe { std::slice::from_raw_parts_mut(self.0.as_mut_ptr().cast(), self.0.len() * LANES) }
    }
}
