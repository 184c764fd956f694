//! The walk from roots to leaves, several at once.

use super::layout::{Narrow, Tree, Wide};

/// Walks at once: enough for their loads to overlap, few enough to stay in registers.
pub(super) const LANES: usize = 8;

/// What a walk reads of a slot.
pub(super) trait Slot: Copy {
    fn threshold(self) -> i32;
    fn column(self, column_bits: u32) -> usize;
    /// The children's place, from the tree's first slot.
    fn children(self, column_bits: u32) -> usize;
}

impl Slot for Narrow {
    #[inline(always)]
    fn threshold(self) -> i32 {
        self.threshold
    }

    #[inline(always)]
    fn column(self, column_bits: u32) -> usize {
        (self.link & !(u32::MAX << column_bits)) as usize
    }

    #[inline(always)]
    fn children(self, column_bits: u32) -> usize {
        (self.link >> column_bits) as usize
    }
}

impl Slot for Wide {
    #[inline(always)]
    fn threshold(self) -> i32 {
        self.threshold
    }

    fn column(self, _: u32) -> usize {
        self.column as usize
    }

    fn children(self, _: u32) -> usize {
        self.children as usize
    }
}

/// The slots of all trees.
#[derive(Clone, Copy)]
pub(super) struct Ground<'a, S> {
    pub(super) slots: &'a [S],
    pub(super) column_bits: u32,
}

impl<S: Slot> Ground<'_, S> {
    /// What the leaf holds that each row reaches in `tree`.
    #[inline(always)]
    pub(super) fn rows(self, tree: Tree, keys: [&[i32]; LANES]) -> [u32; LANES] {
        let slots = &self.slots[tree.start..tree.end];
        Ground { slots, ..self }.walk([0; LANES], tree.depth, keys)
    }

    /// What the leaf holds that one row reaches in each tree.
    #[inline(always)]
    pub(super) fn trees(self, trees: &[Tree; LANES], keys: &[i32]) -> [u32; LANES] {
        let depth = trees.iter().map(|tree| tree.depth).max().unwrap_or(0);
        self.walk(trees.map(|tree| tree.start), depth, [keys; LANES])
    }

    #[inline(always)]
    fn walk(self, roots: [usize; LANES], depth: usize, keys: [&[i32]; LANES]) -> [u32; LANES] {
        let mut at = roots;
        for _ in 0..depth {
            let mut columns = 0;
            for lane in 0..LANES {
                let slot = self.slots[at[lane]];
                let column = slot.column(self.column_bits);
                let below = usize::from(keys[lane][column] < slot.threshold());
                at[lane] = roots[lane].wrapping_add(slot.children(self.column_bits)).wrapping_add(below);
                columns |= column;
            }
            // Leaves alone read column 0.
            if columns == 0 {
                break;
            }
        }
        at.map(|at| self.slots[at].threshold() as u32)
    }
}
