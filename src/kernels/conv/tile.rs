//! The inner loop: some pixels of a row, one or two blocks of output channels, all sums in registers from the first tap
//! to the last. For each input channel a broadcast for every pixel, a load for every block, and their multiply-adds.

use super::{Ahead, Finish};
use crate::activation::{Activation, Runs, apply};
use crate::level::Level;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};
use crate::simd::{LANES, Portable, Simd};

/// Everything one call needs; strides in numbers.
pub(crate) struct Tile<'a> {
    /// The first tap of the first pixel.
    pub(crate) input: *const f32,
    /// Of these output blocks, packed.
    pub(crate) weights: *const f32,
    pub(crate) bias: *const f32,
    /// What is added at the first pixel, or null.
    pub(crate) residual: *const f32,
    pub(crate) output: *mut f32,
    pub(crate) blocks: usize,
    pub(crate) kernel: [usize; 2],
    pub(crate) channels: usize,
    /// Of the last block.
    pub(crate) last_channels: usize,
    pub(crate) block_stride: usize,
    pub(crate) tap_stride: [usize; 2],
    pub(crate) channel_stride: usize,
    /// From one pixel's input to the next one's.
    pub(crate) step: usize,
    /// From one output block to the next.
    pub(crate) output_stride: usize,
    pub(crate) residual_stride: usize,
    pub(crate) ahead: Ahead,
    pub(crate) finish: &'a Finish,
}

/// # Safety
/// The processor has `S`; input, weights, bias and residual may be read, and the output written, for `OB` blocks of `P`
/// pixels; `STEP` is the tile's, or 0.
#[inline(always)]
unsafe fn tile<S: Simd, const OB: usize, const P: usize, const STEP: usize>(t: &Tile<'_>) {
    // A step that is known lets the compiler address pixels from one register.
    let step = if STEP == 0 { t.step } else { STEP };
    // SAFETY: the caller's: every address is one of a tap of a pixel, a weight, or a block of the output.
    unsafe {
        let mut sums: [[S::Block; P]; OB] = std::array::from_fn(|o| [S::load(t.bias.add(o * LANES)); P]);
        let (mut weights, mut ahead) = (t.weights, t.ahead);
        for block in 0..t.blocks {
            let channels = if block + 1 == t.blocks { t.last_channels } else { t.channels };
            for y in 0..t.kernel[0] {
                for x in 0..t.kernel[1] {
                    let mut input = t.input.add(block * t.block_stride + y * t.tap_stride[0] + x * t.tap_stride[1]);
                    ahead.step();
                    for _ in 0..channels {
                        let w: [S::Block; OB] = std::array::from_fn(|o| S::load(weights.add(o * LANES)));
                        for p in 0..P {
                            let value = S::splat(*input.add(p * step));
                            for o in 0..OB {
                                sums[o][p] = S::mul_add(value, w[o], sums[o][p]);
                            }
                        }
                        weights = weights.add(OB * LANES);
                        // Behind the last channel nothing is read.
                        input = input.wrapping_add(t.channel_stride);
                    }
                }
            }
        }
        if t.finish.activation == Activation::Identity {
            if !t.residual.is_null() {
                for o in 0..OB {
                    for p in 0..P {
                        let added = t.residual.add(o * t.residual_stride + p * LANES);
                        sums[o][p] = S::add(sums[o][p], S::load(added));
                    }
                }
            }
            let (low, high) = (S::splat(t.finish.low), S::splat(t.finish.high));
            for o in 0..OB {
                for p in 0..P {
                    let clamped = S::min(high, S::max(low, sums[o][p]));
                    S::store(clamped, t.output.add(o * t.output_stride + p * LANES));
                }
            }
        } else {
            for o in 0..OB {
                for p in 0..P {
                    S::store(sums[o][p], t.output.add(o * t.output_stride + p * LANES));
                }
            }
        }
    }
}

/// What is left to do to a tile's sums, which are in the cache.
///
/// # Safety
/// As for [`tile`], for `blocks` blocks of `pixels` pixels.
#[inline(always)]
unsafe fn finish<S: Simd>(t: &Tile<'_>, blocks: usize, pixels: usize) {
    // SAFETY: the caller's.
    unsafe {
        let len = pixels * LANES;
        apply::<S>(t.finish.activation, Runs { start: t.output, rows: blocks, stride: t.output_stride, len });
        let (low, high) = (S::splat(t.finish.low), S::splat(t.finish.high));
        for block in 0..blocks {
            for at in (0..len).step_by(LANES) {
                let place = t.output.add(block * t.output_stride + at);
                let mut sum = S::load(place);
                if !t.residual.is_null() {
                    sum = S::add(sum, S::load(t.residual.add(block * t.residual_stride + at)));
                }
                S::store(S::min(high, S::max(low, sum)), place);
            }
        }
    }
}

type Run = unsafe fn(&Tile<'_>);

/// A row in tiles of one size, as few as registers allow: the last one begins earlier and computes some pixels once more.
#[derive(Clone, Copy)]
pub(crate) struct Cut {
    /// Of a tile.
    pub(crate) pixels: usize,
    columns: usize,
}

impl Cut {
    /// A row of `columns` pixels in tiles of at most `most`.
    pub(crate) fn new(columns: usize, most: usize) -> Self {
        let tiles = columns.div_ceil(most);
        Self { pixels: columns.div_ceil(tiles.max(1)).max(1), columns }
    }

    /// Tiles of a row.
    pub(crate) fn tiles(self) -> usize {
        self.columns.div_ceil(self.pixels)
    }

    /// Spans of columns whose tiles have no pixel in common with another span's.
    pub(crate) fn spans(self) -> usize {
        self.columns / self.pixels
    }

    /// Where a span's tiles begin: one tile, but for the last span, in which the last two may overlap.
    pub(crate) fn columns(self, span: usize) -> impl Iterator<Item = usize> {
        let (first, last) = (span * self.pixels, self.columns - self.pixels);
        let overlaps = span + 1 == self.spans() && first < last;
        [first, last].into_iter().take(1 + usize::from(overlaps))
    }
}

/// The tile functions of a row: one for pairs of output blocks, one for a last single block.
pub(crate) struct Tiled {
    pub(crate) cut: Cut,
    one: Run,
    two: Run,
    level: Level,
}

impl Tiled {
    /// For rows of `columns` pixels that are `step` numbers apart.
    pub(crate) fn new(level: Level, columns: usize, step: usize) -> Self {
        level.require();
        let cut = Cut::new(columns, level.pixels());
        let function = |blocks: usize| run_of(level, blocks, cut.pixels, step);
        Self { cut, one: function(1), two: function(2), level }
    }

    /// # Safety
    /// As for [`tile`], with `blocks` (1 or 2) for `OB` and the tile's pixels.
    pub(crate) unsafe fn run(&self, tile: &Tile<'_>, blocks: usize) {
        // SAFETY: the caller's.
        unsafe {
            if blocks == 1 {
                (self.one)(tile)
            } else {
                (self.two)(tile)
            }
            if tile.finish.activation != Activation::Identity {
                self.level.run(FinishTile { tile, blocks, pixels: self.cut.pixels });
            }
        }
    }
}

struct FinishTile<'a> {
    tile: &'a Tile<'a>,
    blocks: usize,
    pixels: usize,
}

impl crate::level::Kernel for FinishTile<'_> {
    type Answer = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: `Tiled::run`'s caller vouches for the tile.
        unsafe { finish::<S>(self.tile, self.blocks, self.pixels) }
    }
}

impl Level {
    /// Output blocks of a tile.
    pub(crate) fn blocks(self) -> usize {
        match self {
            Self::Portable => 1,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => 1,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 | Self::Avx512Vnni => 2,
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
unsafe fn tile_avx512<const OB: usize, const P: usize, const STEP: usize>(t: &Tile<'_>) {
    // SAFETY: the caller's; the function is called at this level alone.
    unsafe { tile::<Avx512, OB, P, STEP>(t) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn tile_avx2<const OB: usize, const P: usize, const STEP: usize>(t: &Tile<'_>) {
    // SAFETY: the caller's; the function is called at this level alone.
    unsafe { tile::<Avx2, OB, P, STEP>(t) }
}

unsafe fn tile_portable<const OB: usize, const P: usize, const STEP: usize>(t: &Tile<'_>) {
    // SAFETY: the caller's; every processor has this level.
    unsafe { tile::<Portable, OB, P, STEP>(t) }
}

/// Steps of their own functions: blocks and planes, with strides 1 and 2.
macro_rules! by_step {
    ($function:ident, $blocks:literal, $pixels:literal, $step:expr) => {
        match $step {
            16 => $function::<$blocks, $pixels, 16>,
            32 => $function::<$blocks, $pixels, 32>,
            2 => $function::<$blocks, $pixels, 2>,
            _ => $function::<$blocks, $pixels, 0>,
        }
    };
}

macro_rules! by_pixels {
    ($function:ident, $blocks:literal, $count:expr, $step:expr, [$($pixels:literal)*], $most:literal) => {
        match $count {
            $($pixels => by_step!($function, $blocks, $pixels, $step),)*
            _ => by_step!($function, $blocks, $most, $step),
        }
    };
}

fn run_of(level: Level, blocks: usize, pixels: usize, step: usize) -> Run {
    assert!((1..=level.pixels()).contains(&pixels), "a tile of {pixels} pixels");
    match (level, blocks) {
        (Level::Portable, _) => by_pixels!(tile_portable, 1, pixels, step, [1 2], 3),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2, _) => by_pixels!(tile_avx2, 1, pixels, step, [1 2 3 4 5], 6),
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512 | Level::Avx512Vnni, 1) => {
            by_pixels!(tile_avx512, 1, pixels, step, [1 2 3 4 5 6 7 8 9 10 11 12 13], 14)
        }
        #[cfg(target_arch = "x86_64")]
        (Level::Avx512 | Level::Avx512Vnni, _) => {
            by_pixels!(tile_avx512, 2, pixels, step, [1 2 3 4 5 6 7 8 9 10 11 12 13], 14)
        }
    }
}
