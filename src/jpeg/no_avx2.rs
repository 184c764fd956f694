//! What stands for AVX2 on processors of other kinds, which have none.

use super::whole::Block;

/// There is none.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Avx2 {}

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        None
    }

    pub(super) fn inverse(self, _block: &Block) -> [[u8; 8]; 8] {
        match self {}
    }

    pub(super) fn pieces(self, _rows: [&[u8]; 3], _rgb: &mut [u8]) {
        match self {}
    }

    pub(super) fn run(self, _body: impl FnOnce()) {
        match self {}
    }
}
