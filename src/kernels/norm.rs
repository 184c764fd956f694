//! Normalisation of each pixel over its channels.
//!
//! `unsafe` in this file: [`LayerNorm::run`] checks the places; below it, addresses are of pixels in them.

use std::ops::Range;

use super::activation::exp;
use super::level::Kernel;
use super::simd::Simd;
use super::team::{Shared, walk};
use super::{Arena, LANES, Level, Place, Team};

/// Each pixel less its mean, over its deviation, times a number of the channel, plus another one.
#[derive(Debug)]
pub struct LayerNorm {
    scale: Arena,
    offset: Arena,
    /// 1 for a channel, 0 for what pads the last block.
    is_channel: Arena,
    channels: usize,
    epsilon: f32,
}

/// Pixels that are computed side by side.
const PIXELS: usize = 4;

impl LayerNorm {
    /// One scale and one offset for each channel; `epsilon` is added to the variance.
    ///
    /// # Panics
    /// They are not equally many.
    pub fn new(scale: &[f32], offset: &[f32], epsilon: f32) -> Self {
        assert_eq!(scale.len(), offset.len(), "scales and offsets");
        let padded = |numbers: &[f32]| {
            let mut arena = Arena::new(numbers.len());
            arena.numbers_mut()[..numbers.len()].copy_from_slice(numbers);
            arena
        };
        let is_channel = padded(&vec![1.0; scale.len()]);
        Self { scale: padded(scale), offset: padded(offset), is_channel, channels: scale.len(), epsilon }
    }

    /// Computes `output` from `input`, which may be the same place.
    ///
    /// # Panics
    /// The places do not fit each other or the arena.
    pub fn run(&self, team: &mut Team, level: Level, arena: &mut [f32], input: &Place, output: &Place) {
        assert!(input.end() <= arena.len() && output.end() <= arena.len(), "a place beyond the arena");
        assert!(input.lanes == LANES && output.lanes == LANES, "lanes of a normalisation");
        assert_eq!(input.shape, output.shape, "what is normalised");
        assert_eq!(input.shape.channels, self.channels, "channels of a normalisation");
        assert!(!output.overlaps(input) || input == output, "a normalisation onto a part of its input");
        output.require_apart();
        let (sizes, arena) = (spans(output), Shared::of(arena));
        team.share(sizes.iter().product(), work(output), |spans| {
            level.run(Pixels { of: self, arena: arena.start(), input, output, spans });
        });
    }
}

struct Pixels<'a> {
    of: &'a LayerNorm,
    arena: *mut f32,
    input: &'a Place,
    output: &'a Place,
    /// Those of the output that are computed here, and by nobody else.
    spans: Range<usize>,
}

/// Images, rows, and spans of pixels side by side.
fn spans(place: &Place) -> [usize; 3] {
    [place.shape.images, place.shape.height, place.shape.width.div_ceil(PIXELS)]
}

/// Of a span, whose numbers are read three times.
fn work(place: &Place) -> usize {
    PIXELS * place.planes() * LANES * 24
}

impl Kernel for Pixels<'_> {
    type Answer = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let shape = self.output.shape;
        for [image, row, span] in walk(spans(self.output), self.spans.clone()) {
            let column = span * PIXELS;
            // SAFETY: `LayerNorm::run` checked the places; the processor has `S`.
            unsafe {
                let from = self.arena.add(self.input.at(image, 0, row, column));
                let to = self.arena.add(self.output.at(image, 0, row, column));
                match shape.width - column {
                    1 => self.pixels::<S, 1>(from, to),
                    2 => self.pixels::<S, 2>(from, to),
                    3 => self.pixels::<S, 3>(from, to),
                    _ => self.pixels::<S, PIXELS>(from, to),
                }
            }
        }
    }
}

impl Pixels<'_> {
    /// # Safety
    /// The processor has `S`; `P` pixels from `from` on may be read, and from `to` on written, in all planes.
    #[inline(always)]
    unsafe fn pixels<S: Simd, const P: usize>(&self, from: *const f32, to: *mut f32) {
        let planes = self.output.planes();
        let (of, stride) = (self.of, self.input.plane_stride());
        let over = 1.0 / of.channels as f32;
        // SAFETY: the caller's; scales, offsets and the mask have a block for each plane.
        unsafe {
            let mask = |plane: usize| of.is_channel.numbers().as_ptr().add(plane * LANES);
            let mut sums = [S::splat(0.0); P];
            for plane in 0..planes {
                let mask = S::load(mask(plane));
                for (p, sum) in sums.iter_mut().enumerate() {
                    *sum = S::mul_add(S::load(from.add(plane * stride + p * LANES)), mask, *sum);
                }
            }
            let means = sums.map(|sum| S::splat(total::<S>(sum) * over));
            let mut squares = [S::splat(0.0); P];
            for plane in 0..planes {
                let mask = S::load(mask(plane));
                for (p, square) in squares.iter_mut().enumerate() {
                    let off = S::mul(S::sub(S::load(from.add(plane * stride + p * LANES)), means[p]), mask);
                    *square = S::mul_add(off, off, *square);
                }
            }
            let inverse = squares.map(|square| S::splat(1.0 / (total::<S>(square) * over + of.epsilon).sqrt()));
            for plane in 0..planes {
                let scale = S::load(of.scale.numbers().as_ptr().add(plane * LANES));
                let offset = S::load(of.offset.numbers().as_ptr().add(plane * LANES));
                for p in 0..P {
                    let off = S::sub(S::load(from.add(plane * stride + p * LANES)), means[p]);
                    let normal = S::mul_add(S::mul(off, inverse[p]), scale, offset);
                    S::store(normal, to.add(plane * self.output.plane_stride() + p * LANES));
                }
            }
        }
    }
}

/// The sum of a block's numbers.
///
/// # Safety
/// The processor has `S`.
#[inline(always)]
pub(crate) unsafe fn total<S: Simd>(block: S::Block) -> f32 {
    let mut numbers = [0.0; LANES];
    // SAFETY: the array is good for sixteen numbers.
    unsafe { S::store(block, numbers.as_mut_ptr()) };
    let halves: [f32; 8] = std::array::from_fn(|lane| numbers[lane] + numbers[lane + 8]);
    let quarters: [f32; 4] = std::array::from_fn(|lane| halves[lane] + halves[lane + 4]);
    (quarters[0] + quarters[2]) + (quarters[1] + quarters[3])
}

/// Makes each pixel's channels positive and of sum one: `e^x` over the sum of all. `output` may be the place of `input`.
///
/// # Panics
/// The places do not fit each other or the arena.
pub fn softmax(team: &mut Team, level: Level, arena: &mut [f32], input: &Place, output: &Place) {
    assert!(input.end() <= arena.len() && output.end() <= arena.len(), "a place beyond the arena");
    assert!(input.lanes == LANES && output.lanes == LANES, "lanes of a softmax");
    assert_eq!(input.shape, output.shape, "what a softmax is of");
    assert!(!output.overlaps(input) || input == output, "a softmax onto a part of its input");
    output.require_apart();
    let (sizes, arena) = (spans(output), Shared::of(arena));
    team.share(sizes.iter().product(), work(output), |spans| {
        level.run(Softmax { arena: arena.start(), input, output, spans });
    });
}

struct Softmax<'a> {
    arena: *mut f32,
    input: &'a Place,
    output: &'a Place,
    /// Those of the output that are computed here, and by nobody else.
    spans: Range<usize>,
}

impl Kernel for Softmax<'_> {
    type Answer = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let shape = self.output.shape;
        for [image, row, span] in walk(spans(self.output), self.spans.clone()) {
            for column in span * PIXELS..shape.width.min((span + 1) * PIXELS) {
                // SAFETY: `softmax` checked the places; the processor has `S`.
                unsafe {
                    let from = self.arena.add(self.input.at(image, 0, row, column));
                    let to = self.arena.add(self.output.at(image, 0, row, column));
                    self.pixel::<S>(from, to);
                }
            }
        }
    }
}

impl Softmax<'_> {
    /// # Safety
    /// The processor has `S`; the pixel at `from` may be read, and the one at `to` written, in all planes.
    #[inline(always)]
    unsafe fn pixel<S: Simd>(&self, from: *const f32, to: *mut f32) {
        let (planes, channels) = (self.output.planes(), self.output.shape.channels);
        let (stride, step) = (self.input.plane_stride(), self.output.plane_stride());
        let padding = channels.div_ceil(LANES) * LANES - channels;
        // SAFETY: the caller's.
        unsafe {
            let mut numbers = [f32::NEG_INFINITY; LANES];
            let mut largest = S::splat(f32::NEG_INFINITY);
            for plane in 0..channels / LANES {
                largest = S::larger(largest, S::load(from.add(plane * stride)));
            }
            S::store(largest, numbers.as_mut_ptr());
            for lane in 0..channels % LANES {
                numbers[lane] = numbers[lane].max(*from.add(channels / LANES * stride + lane));
            }
            let top = S::splat(numbers.into_iter().fold(f32::NEG_INFINITY, f32::max));
            let mut sum = S::splat(0.0);
            for plane in 0..planes {
                let share = exp::<S>(S::sub(S::load(from.add(plane * stride)), top));
                S::store(share, to.add(plane * step));
                if plane + 1 == planes {
                    std::slice::from_raw_parts_mut(to.add(plane * step + LANES - padding), padding).fill(0.0);
                }
                sum = S::add(sum, S::load(to.add(plane * step)));
            }
            let over = S::splat(1.0 / total::<S>(sum));
            for plane in 0..planes {
                S::store(S::mul(S::load(to.add(plane * step)), over), to.add(plane * step));
            }
        }
    }
}
