//! The inner loop: some pixels of a row, one or two blocks of output channels, all sums in registers from the first tap to
//! the last. For each quad of input channels a broadcast for every pixel, a load for every block, and their products.

use super::dots::{Dots, QUAD, Set};
#[cfg(target_arch = "x86_64")]
use super::dots::{Vnni, Wide, Wider};
use super::packed::QUADS;
use crate::conv::Ahead;
use crate::simd::{LANES, Portable};

/// Everything one call needs; strides in bytes.
pub(super) struct Tile {
    /// The first tap of the first pixel.
    pub(super) input: *const u8,
    /// Of these output blocks, packed.
    pub(super) weights: *const i8,
    /// What the sums begin with.
    pub(super) start: *const i32,
    /// Where they go: block by block, pixel by pixel.
    pub(super) sums: *mut i32,
    pub(super) blocks: usize,
    /// Quads of the last block.
    pub(super) last_quads: usize,
    pub(super) kernel: [usize; 2],
    pub(super) block_stride: usize,
    pub(super) tap_stride: [usize; 2],
    /// From one pixel's input to the next one's.
    pub(super) step: usize,
    pub(super) ahead: Ahead,
}

/// # Safety
/// The processor has `D`; input, weights and start may be read, and sums written, for `OB` blocks of `P` pixels; `STEP` is
/// the tile's, or 0.
#[inline(always)]
unsafe fn tile<D: Dots, const OB: usize, const P: usize, const STEP: usize>(t: &Tile, weight_bytes: usize) {
    // A step that is known lets the compiler address pixels from one register.
    let step = if STEP == 0 { t.step } else { STEP };
    // SAFETY: the caller's: every address is one of a tap of a pixel, a weight, or a sum.
    unsafe {
        let mut sums: [[D::Sums; P]; OB] = std::array::from_fn(|o| [D::load(t.start.add(o * LANES)); P]);
        let (mut weights, mut ahead) = (t.weights, t.ahead);
        for block in 0..t.blocks {
            let quads = if block + 1 == t.blocks { t.last_quads } else { QUADS };
            for y in 0..t.kernel[0] {
                for x in 0..t.kernel[1] {
                    let mut input = t.input.add(block * t.block_stride + y * t.tap_stride[0] + x * t.tap_stride[1]);
                    ahead.step();
                    for _ in 0..quads {
                        let w: [D::Weights; OB] = std::array::from_fn(|o| D::weights(weights.add(o * weight_bytes)));
                        for p in 0..P {
                            let quad = D::quad(input.add(p * step));
                            for o in 0..OB {
                                sums[o][p] = D::dot(sums[o][p], quad, w[o]);
                            }
                        }
                        weights = weights.add(OB * weight_bytes);
                        // Behind the last quad nothing is read.
                        input = input.wrapping_add(QUAD);
                    }
                }
            }
        }
        for o in 0..OB {
            for p in 0..P {
                D::store(sums[o][p], t.sums.add((o * P + p) * LANES));
            }
        }
    }
}

/// Sums a tile of so many blocks and pixels.
pub(super) type Run = unsafe fn(&Tile);

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx2,fma")]
unsafe fn tile_vnni<const OB: usize, const P: usize, const STEP: usize>(t: &Tile) {
    // SAFETY: the caller's; the function is called for this set alone.
    unsafe { tile::<Vnni, OB, P, STEP>(t, LANES * QUAD) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn tile_wide<const OB: usize, const P: usize, const STEP: usize>(t: &Tile) {
    // SAFETY: the caller's; the function is called for this set alone.
    unsafe { tile::<Wide, OB, P, STEP>(t, 2 * LANES * QUAD) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx2,fma")]
unsafe fn tile_wider<const OB: usize, const P: usize, const STEP: usize>(t: &Tile) {
    // SAFETY: the caller's; the function is called for this set alone.
    unsafe { tile::<Wider, OB, P, STEP>(t, 2 * LANES * QUAD) }
}

unsafe fn tile_portable<const OB: usize, const P: usize, const STEP: usize>(t: &Tile) {
    // SAFETY: the caller's; every processor has this set.
    unsafe { tile::<Portable, OB, P, STEP>(t, 2 * LANES * QUAD) }
}

macro_rules! by_pixels {
    ($function:ident, $blocks:literal, $count:expr, $step:expr, [$($pixels:literal)*], $most:literal) => {
        match ($count, $step) {
            $(($pixels, LANES) => $function::<$blocks, $pixels, LANES>,
              ($pixels, _) => $function::<$blocks, $pixels, 0>,)*
            (_, LANES) => $function::<$blocks, $most, LANES>,
            (_, _) => $function::<$blocks, $most, 0>,
        }
    };
}

/// The function for tiles of `blocks` output blocks and `pixels` pixels that are `step` bytes apart.
pub(super) fn run_of(set: Set, blocks: usize, pixels: usize, step: usize) -> Run {
    assert!((1..=set.pixels()).contains(&pixels), "a tile of {pixels} pixels");
    match (set, blocks) {
        (Set::Portable, _) => by_pixels!(tile_portable, 1, pixels, step, [1], 2),
        #[cfg(target_arch = "x86_64")]
        (Set::Wide, _) => by_pixels!(tile_wide, 1, pixels, step, [1 2 3], 4),
        #[cfg(target_arch = "x86_64")]
        (Set::Wider, 1) => by_pixels!(tile_wider, 1, pixels, step, [1 2 3 4 5 6 7 8 9 10 11], 12),
        #[cfg(target_arch = "x86_64")]
        (Set::Wider, _) => by_pixels!(tile_wider, 2, pixels, step, [1 2 3 4 5 6 7 8 9 10 11], 12),
        #[cfg(target_arch = "x86_64")]
        (Set::Vnni, 1) => by_pixels!(tile_vnni, 1, pixels, step, [1 2 3 4 5 6 7 8 9 10 11 12 13], 14),
        #[cfg(target_arch = "x86_64")]
        (Set::Vnni, _) => by_pixels!(tile_vnni, 2, pixels, step, [1 2 3 4 5 6 7 8 9 10 11 12 13], 14),
    }
}
