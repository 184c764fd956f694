//! The coefficients of a whole picture, where its scans bring them bit by bit.

use super::frame::{Component, Reduced};

/// Kept from one picture to the next.
#[derive(Debug, Default)]
pub(super) struct Coefficients {
    components: [Stored; 3],
}

/// One component's, block by block.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// The first `kept` of each block, in zigzag order.
    pub(super) values: Vec<i16>,
    pub(super) kept: usize,
    /// Of each block, which coefficients are not zero; those that are not kept, too: later scans depend on it.
    pub(super) nonzero: Vec<u64>,
}

impl Coefficients {
    pub(super) fn bytes(&self) -> usize {
        self.components.iter().map(|one| one.values.capacity() * 2 + one.nonzero.capacity() * 8).sum()
    }

    /// All zero.
    pub(super) fn cleared(&mut self, frame: &Reduced) -> &mut [Stored] {
        for (one, stored) in frame.components.iter().zip(&mut self.components) {
            stored.clear(one);
        }
        &mut self.components[..frame.components.len()]
    }
}

impl Stored {
    /// Bytes for each block of `component`.
    pub(super) fn bytes_per_block(component: &Component) -> usize {
        (component.last_needed() + 1) * 2 + 8
    }

    fn clear(&mut self, component: &Component) {
        self.kept = component.last_needed() + 1;
        self.values.clear();
        self.values.resize(component.padded_blocks() * self.kept, 0);
        self.nonzero.clear();
        self.nonzero.resize(component.padded_blocks(), 0);
    }

    /// A block's kept coefficients, and which of all are not zero.
    #[inline(always)]
    pub(super) fn block(&mut self, block: usize) -> (&mut [i16], &mut u64) {
        (&mut self.values[block * self.kept..(block + 1) * self.kept], &mut self.nonzero[block])
    }

    /// A block's DC coefficient.
    #[inline(always)]
    pub(super) fn first(&mut self, block: usize) -> &mut i16 {
        &mut self.values[block * self.kept]
    }
}
