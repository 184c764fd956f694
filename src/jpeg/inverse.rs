//! Inverse cosine transforms of a block to 8, 4, 2 or 1 pixels on each side.
//!
//! All of them are made as libjpeg makes them ([`super::whole`]). Fewer pixels are made of as many of the lowest frequencies, each weakened as the mean of the pixels that become
//! one would weaken it. In floating point: it is exact to a rounding, and every CPU multiplies four or more at once.

use super::avx2::Avx2;
use super::whole::{self, Block};

/// Where the coefficients of a file's order are in a block.
pub(super) const ZIGZAG: [u8; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21,
    28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54,
    47, 55, 62, 63,
];

/// Up to this coefficient, in zigzag order, a block is in its upper left quarter.
const IN_QUARTER: usize = 9;

/// Of each frequency the left half of the pixels; the right half mirrors it, negated where the frequency is odd.
type Basis = [[f32; 4]; 8];

/// What a frequency adds to each of `pixels` pixels that a side of 8 becomes, those being the means of their 8 / `pixels`.
fn basis(pixels: usize) -> Basis {
    let together = 8 / pixels;
    let sample = |u: usize, x: usize| match u {
        0 => 0.125_f64.sqrt(),
        _ => ((2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0).cos() / 2.0,
    };
    let mean = |u: usize, x: usize| (0..together).map(|at| sample(u, x * together + at)).sum::<f64>() / together as f64;
    let mut basis = [[0.0; 4]; 8];
    for (u, frequency) in basis.iter_mut().enumerate().take(pixels) {
        for (x, value) in frequency.iter_mut().enumerate().take(pixels.div_ceil(2)) {
            *value = mean(u, x) as f32;
        }
    }
    basis
}

/// The last coefficient, in zigzag order, of those in the corner that makes `size` pixels.
pub(super) fn last_needed([across, down]: [usize; 2]) -> usize {
    let inside = |place: &u8| usize::from(place % 8) < across && usize::from(place / 8) < down;
    ZIGZAG.iter().rposition(inside).unwrap_or(0)
}

/// The inverse transform of blocks to one size.
///
/// Its bases are no constants on purpose: compilers take those apart, and then no longer multiply four at once.
pub(super) struct Inverse {
    across: Basis,
    down: Basis,
    avx2: Option<Avx2>,
    block: fn(&Self, block: &Block, last: usize, pixels: &mut [u8], stride: usize),
}

impl Inverse {
    pub(super) fn to([across, down]: [usize; 2], avx2: Option<Avx2>) -> Self {
        let block = match (across, down) {
            (8, 8) => Self::whole,
            (8, 4) => Self::block::<8, 4>,
            (8, 2) => Self::block::<8, 2>,
            (8, _) => Self::block::<8, 1>,
            (4, 8) => Self::block::<4, 8>,
            (4, 4) => Self::block::<4, 4>,
            (4, 2) => Self::block::<4, 2>,
            (4, _) => Self::block::<4, 1>,
            (2, 8) => Self::block::<2, 8>,
            (2, 4) => Self::block::<2, 4>,
            (2, 2) => Self::block::<2, 2>,
            (2, _) => Self::block::<2, 1>,
            (_, 8) => Self::block::<1, 8>,
            (_, 4) => Self::block::<1, 4>,
            (_, 2) => Self::block::<1, 2>,
            _ => Self::block::<1, 1>,
        };
        Self { across: basis(across), down: basis(down), avx2, block }
    }

    /// Writes the pixels of dequantised coefficients, which are in natural order, to rows of `stride` bytes. Those
    /// behind `last`, in zigzag order, are zero or not needed.
    #[inline(always)]
    pub(super) fn write(&self, block: &Block, last: usize, pixels: &mut [u8], stride: usize) {
        (self.block)(self, block, last, pixels, stride);
    }

    fn whole(&self, block: &Block, last: usize, pixels: &mut [u8], stride: usize) {
        let rows = match (last, self.avx2) {
            (0, _) => [[whole::flat(block[0]); 8]; 8],
            (_, Some(avx2)) => avx2.inverse(block),
            (_, None) => whole::inverse(block),
        };
        put(&rows, pixels, stride);
    }

    fn block<const X: usize, const Y: usize>(&self, block: &Block, last: usize, pixels: &mut [u8], stride: usize) {
        let rows = if last == 0 {
            [[to_byte(f32::from(block[0]) * 0.125 + 128.0); X]; Y]
        } else if last <= IN_QUARTER {
            self.rows::<X, Y, 4>(block)
        } else {
            self.rows::<X, Y, 8>(block)
        };
        put(&rows, pixels, stride);
    }

    /// Of `IN` frequencies on both axes.
    #[inline(always)]
    fn rows<const X: usize, const Y: usize, const IN: usize>(&self, block: &Block) -> [[u8; X]; Y] {
        let mut rows = [[0; X]; Y];
        for y in 0..Y.div_ceil(2) {
            let (mut even, mut odd) = ([0.0; X], [0.0; X]);
            for v in 0..Y.min(IN) {
                let sum = if v % 2 == 0 { &mut even } else { &mut odd };
                for u in 0..X.min(IN) {
                    sum[u] += f32::from(block[v * 8 + u]) * self.down[v][y];
                }
            }
            let (mut upper, mut lower) = ([0.0; X], [0.0; X]);
            for u in 0..X {
                upper[u] = even[u] + odd[u];
                lower[u] = even[u] - odd[u];
            }
            rows[y] = self.row::<X, IN>(&upper);
            if Y > 1 {
                rows[Y - 1 - y] = self.row::<X, IN>(&lower);
            }
        }
        rows
    }

    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "constant bounds: iterators are not unrolled, and twice as slow")]
    fn row<const X: usize, const IN: usize>(&self, frequencies: &[f32; X]) -> [u8; X] {
        let (mut even, mut odd) = ([128.0; 4], [0.0; 4]);
        for u in 0..X.min(IN) {
            let sum = if u % 2 == 0 { &mut even } else { &mut odd };
            for x in 0..4 {
                sum[x] += frequencies[u] * self.across[u][x];
            }
        }
        let left: [u8; 4] = std::array::from_fn(|x| to_byte(even[x] + odd[x]));
        let right: [u8; 4] = std::array::from_fn(|x| to_byte(even[x] - odd[x]));
        std::array::from_fn(|x| if x < X.div_ceil(2) { left[x] } else { right[X - 1 - x] })
    }
}

#[inline(always)]
fn put<const X: usize, const Y: usize>(rows: &[[u8; X]; Y], pixels: &mut [u8], stride: usize) {
    for (pixels, row) in pixels.chunks_mut(stride).zip(rows) {
        pixels[..X].copy_from_slice(row);
    }
}

/// Clips and rounds. Adding 2^23 leaves a whole number in the lowest bits: compilers make less of `as u8`.
#[inline(always)]
fn to_byte(sample: f32) -> u8 {
    (sample.clamp(0.0, 255.0) + 8_388_608.0).to_bits() as u8
}

/// A coefficient times its step. Of pictures it fits 16 bits; of what is none it does not matter what becomes of it.
#[inline(always)]
pub(super) fn dequantised(coefficient: i32, step: u16) -> i16 {
    coefficient.wrapping_mul(i32::from(step)) as i16
}
