//! Convolution of each channel by itself.
//!
//! `unsafe` in this file: [`Depthwise::run`] checks the places; below it, addresses are of pixels in them.

use std::ops::Range;

use super::activation::{Activation, Runs, apply};
use super::conv::{Finish, Window};
use super::level::Kernel;
use super::simd::Simd;
use super::team::{Shared, walk};
use super::{Arena, LANES, Level, Place, Team};

/// A depthwise convolution whose weights are packed.
#[derive(Debug)]
pub struct Depthwise {
    weights: Arena,
    bias: Arena,
    window: Window,
    finish: Finish,
    level: Level,
}

impl Depthwise {
    /// Packs `weights`, channel by channel, in each row by row, and `bias`, one for each channel.
    ///
    /// # Panics
    /// The lengths do not fit each other, or the window has a zero in it.
    pub fn new(level: Level, window: Window, weights: &[f32], bias: &[f32], finish: Finish) -> Self {
        let (channels, taps) = (bias.len(), window.taps());
        assert_eq!(weights.len(), channels.saturating_mul(taps), "weights of a depthwise convolution");
        let blocks = channels.div_ceil(LANES);
        let (mut packed, mut packed_bias) = (Arena::new(blocks * taps * LANES), Arena::new(blocks * LANES));
        packed_bias.numbers_mut()[..channels].copy_from_slice(bias);
        for (channel, weights) in weights.chunks_exact(taps).enumerate() {
            let (block, lane) = (channel / LANES, channel % LANES);
            for (tap, weight) in weights.iter().enumerate() {
                packed.numbers_mut()[(block * taps + tap) * LANES + lane] = *weight;
            }
        }
        Self { weights: packed, bias: packed_bias, window, finish, level }
    }

    /// Computes `output` from `input`, and adds `residual` if there is one.
    ///
    /// # Panics
    /// A place does not fit the convolution or the arena, or `output` overlaps another one.
    pub fn run(&self, team: &mut Team, arena: &mut [f32], input: &Place, residual: Option<&Place>, output: &Place) {
        for place in [Some(input), residual, Some(output)].into_iter().flatten() {
            assert!(place.end() <= arena.len(), "a place beyond the arena");
            assert_eq!(place.lanes, LANES, "lanes of a depthwise convolution");
            assert_eq!(place.planes() * LANES, self.bias.numbers().len(), "channels of a depthwise convolution");
            assert_eq!(place.shape.images, output.shape.images, "images of a depthwise convolution");
        }
        for other in [Some(input), residual].into_iter().flatten() {
            assert!(!output.overlaps(other), "a depthwise convolution onto its input");
        }
        let need = self.window.halo([input.shape.height, input.shape.width], [output.shape.height, output.shape.width]);
        assert_eq!(input.halo.union(need), input.halo, "the halo of a depthwise convolution's input");
        assert!(residual.is_none_or(|place| place.shape == output.shape), "what a depthwise convolution adds");
        output.require_apart();
        let (rows, arena) = (output.shape.images * output.planes() * output.shape.height, Shared::of(arena));
        // Twice, for each of them takes a load.
        let work = (output.shape.width * LANES * 2).saturating_mul(self.window.taps());
        team.share(rows, work, |rows| {
            self.level.run(Planes { of: self, arena: arena.start(), input, residual, output, rows });
        });
    }
}

struct Planes<'a> {
    of: &'a Depthwise,
    arena: *mut f32,
    input: &'a Place,
    residual: Option<&'a Place>,
    output: &'a Place,
    /// Those of the output that are computed here, and by nobody else.
    rows: Range<usize>,
}

/// Pixels whose sums are kept in registers.
const PIXELS: usize = 8;

impl Kernel for Planes<'_> {
    type Answer = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let window = &self.of.window;
        let taps = window.kernel[0] * window.kernel[1];
        let sizes = [self.output.shape.images, self.output.planes(), self.output.shape.height];
        for [image, block, row] in walk(sizes, self.rows.clone()) {
            let top = row * window.stride[0] + self.input.halo.top - window.before[0];
            let left = (self.input.halo.left - window.before[1]) * LANES;
            let plane = self.input.offset
                + image * self.input.image_stride
                + block * self.input.plane_stride()
                + top * self.input.row_stride()
                + left;
            // SAFETY: `Depthwise::run` saw that the input's halo holds every tap of every pixel, that all places lie in
            // the arena, and that the weights and the bias have the output's blocks; the processor has `S`.
            unsafe {
                let row = Row {
                    input: self.arena.add(plane),
                    weights: self.of.weights.numbers().as_ptr().add(block * taps * LANES),
                    bias: self.of.bias.numbers().as_ptr().add(block * LANES),
                    residual: self
                        .residual
                        .map_or(std::ptr::null(), |place| self.arena.add(place.at(image, block, row, 0))),
                    output: self.arena.add(self.output.at(image, block, row, 0)),
                };
                match window.stride[1] {
                    1 => self.row::<S, LANES>(&row),
                    2 => self.row::<S, { 2 * LANES }>(&row),
                    _ => self.row::<S, 0>(&row),
                }
            }
        }
    }
}

struct Row {
    input: *const f32,
    weights: *const f32,
    bias: *const f32,
    residual: *const f32,
    output: *mut f32,
}

impl Planes<'_> {
    /// # Safety
    /// The processor has `S`; `row` is a row of the output and what it is made from.
    #[inline(always)]
    unsafe fn row<S: Simd, const STEP: usize>(&self, row: &Row) {
        let width = self.output.shape.width;
        let mut column = 0;
        // SAFETY: tiles end where the row does.
        unsafe {
            while column + PIXELS <= width {
                self.tile::<S, STEP, PIXELS>(row, column);
                column += PIXELS;
            }
            if width - column >= 4 {
                self.tile::<S, STEP, 4>(row, column);
                column += 4;
            }
            while column < width {
                self.tile::<S, STEP, 1>(row, column);
                column += 1;
            }
            self.finish::<S>(row);
        }
    }

    /// # Safety
    /// As for [`Self::row`]; `column + P` is at most the row's width.
    #[inline(always)]
    unsafe fn tile<S: Simd, const STEP: usize, const P: usize>(&self, row: &Row, column: usize) {
        let window = &self.of.window;
        let step = if STEP == 0 { window.stride[1] * LANES } else { STEP };
        // SAFETY: the caller's: the taps of these pixels lie in the input.
        unsafe {
            let mut sums = [S::load(row.bias); P];
            let input = row.input.add(column * step);
            for y in 0..window.kernel[0] {
                let line = input.add(y * window.dilation[0] * self.input.row_stride());
                for x in 0..window.kernel[1] {
                    let weight = S::load(row.weights.add((y * window.kernel[1] + x) * LANES));
                    let tap = line.add(x * window.dilation[1] * LANES);
                    for (p, sum) in sums.iter_mut().enumerate() {
                        *sum = S::mul_add(S::load(tap.add(p * step)), weight, *sum);
                    }
                }
            }
            let (low, high) = match self.later() {
                true => (S::splat(f32::NEG_INFINITY), S::splat(f32::INFINITY)),
                false => (S::splat(self.of.finish.low), S::splat(self.of.finish.high)),
            };
            for (p, sum) in sums.into_iter().enumerate() {
                S::store(S::min(high, S::max(low, sum)), row.output.add((column + p) * LANES));
            }
        }
    }

    /// Whether sums are stored as they are and finished row by row.
    fn later(&self) -> bool {
        self.of.finish.activation != Activation::Identity || self.residual.is_some()
    }

    /// # Safety
    /// As for [`Self::row`], whose sums are stored.
    #[inline(always)]
    unsafe fn finish<S: Simd>(&self, row: &Row) {
        if !self.later() {
            return;
        }
        let len = self.output.shape.width * LANES;
        // SAFETY: the caller's: the row may be written, and what is added may be read.
        unsafe {
            apply::<S>(self.of.finish.activation, Runs { start: row.output, rows: 1, stride: 0, len });
            let (low, high) = (S::splat(self.of.finish.low), S::splat(self.of.finish.high));
            for at in (0..len).step_by(LANES) {
                let mut sum = S::load(row.output.add(at));
                if !row.residual.is_null() {
                    sum = S::add(sum, S::load(row.residual.add(at)));
                }
                S::store(S::min(high, S::max(low, sum)), row.output.add(at));
            }
        }
    }
}
