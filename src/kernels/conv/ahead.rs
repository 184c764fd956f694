//! Weights on their way from memory while the tiles before them are computed.
//!
//! A first tile reads weights faster than memory gives them: without this, every group of output channels begins with a
//! wait.
//!
//! `unsafe` in this file: a hint to the processor. It reads nothing and cannot fail, whatever the address.

/// Bytes of a cache line.
const LINE: usize = 64;

/// What one tile has fetched, step by step.
#[derive(Clone, Copy)]
pub(crate) struct Ahead {
    next: *const u8,
    /// Cache lines of a step.
    lines: usize,
}

impl Ahead {
    /// Nothing.
    pub(crate) const NOTHING: Self = Self { next: std::ptr::null(), lines: 0 };

    /// The part that the tile `number` of `tiles`, which takes `steps` steps, has in fetching the `bytes` from `next` on.
    pub(crate) fn part(next: *const u8, bytes: usize, [number, tiles]: [usize; 2], steps: usize) -> Self {
        let lines = bytes.div_ceil(LINE).div_ceil((tiles * steps).max(1));
        let before = number * steps * lines * LINE;
        match before < bytes {
            true => Self { next: next.wrapping_add(before), lines },
            false => Self::NOTHING,
        }
    }

    /// Has a step's lines fetched into the second cache.
    #[inline(always)]
    pub(crate) fn step(&mut self) {
        for _ in 0..self.lines {
            fetch(self.next);
            self.next = self.next.wrapping_add(LINE);
        }
    }
}

#[inline(always)]
fn fetch(line: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is a part of every x86-64, and the hint is one for any address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(line.cast());
    }
    // The hint has no stable form elsewhere.
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every line of the weights is fetched by exactly one tile, and no tile has much more to fetch than another.
        #[test]
        fn all_tiles_together_fetch_everything(lines in 1..300_usize, tiles in 1..40_usize, steps in 1..20_usize) {
            let weights = vec![0_u8; lines * LINE];
            let mut fetched = vec![0; lines];
            for number in 0..tiles {
                let mut ahead = Ahead::part(weights.as_ptr(), weights.len(), [number, tiles], steps);
                prop_assert!(ahead.lines * steps < lines.div_ceil(tiles) + steps);
                for _ in 0..steps {
                    let first = (ahead.next as usize).wrapping_sub(weights.as_ptr() as usize) / LINE;
                    (first..(first + ahead.lines).min(lines)).for_each(|line| fetched[line] += 1);
                    ahead.step();
                }
            }
            prop_assert!(fetched.iter().all(|times| *times == 1), "{fetched:?}");
        }
    }
}
