//! Pooling over windows and over whole planes.
//!
//! `unsafe` in this file: the safe functions check the places; below them, addresses are of pixels in them.

use std::ops::Range;

use super::conv::Window;
use super::level::Kernel;
use super::simd::Simd;
use super::team::{Shared, walk};
use super::{LANES, Level, Place, Team};

/// What becomes of a window's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The largest one; not a number where one is not.
    Max,
    /// Their sum, divided by how many lie in the plane.
    MeanInside,
    /// Their sum, divided by the window's size.
    MeanWhole,
    /// Their sum.
    Sum,
}

/// Pooling over windows; what lies beyond the edge takes no part.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    /// What slides.
    pub window: Window,
    /// What becomes of it.
    pub pooling: Pooling,
}

impl Pool {
    /// Computes `output` from `input`.
    ///
    /// # Panics
    /// The places do not fit each other or the arena, or the window has a zero in it.
    pub fn run(&self, team: &mut Team, level: Level, arena: &mut [f32], input: &Place, output: &Place) {
        let taps = self.window.taps();
        check(arena, input, output);
        let (rows, arena) = (output.shape.images * output.planes() * output.shape.height, Shared::of(arena));
        let work = taps.saturating_mul(output.shape.width * LANES * 2);
        team.share(rows, work, |rows| level.run(Windows { of: self, arena: arena.start(), input, output, rows }));
    }
}

/// The taps of `window` along one axis that lie in a plane of `len`, for the output at `at`.
pub(crate) fn taps(window: &Window, axis: usize, at: usize, len: usize) -> Range<usize> {
    let Window { kernel, stride, dilation, before } = *window;
    let (begin, dilation) = (at * stride[axis], dilation[axis]);
    let first = before[axis].saturating_sub(begin).div_ceil(dilation);
    let behind = (len + before[axis]).saturating_sub(begin).div_ceil(dilation);
    first.min(kernel[axis])..behind.min(kernel[axis])
}

fn check(arena: &[f32], input: &Place, output: &Place) {
    assert!(input.end() <= arena.len() && output.end() <= arena.len(), "a place beyond the arena");
    assert!(input.lanes == LANES && output.lanes == LANES, "lanes of a pooling");
    assert_eq!(input.planes(), output.planes(), "channels of a pooling");
    assert_eq!(input.shape.images, output.shape.images, "images of a pooling");
    assert!(!output.overlaps(input), "a pooling onto its input");
    output.require_apart();
}

struct Windows<'a> {
    of: &'a Pool,
    arena: *mut f32,
    input: &'a Place,
    output: &'a Place,
    /// Those of the output that are computed here, and by nobody else.
    rows: Range<usize>,
}

impl Kernel for Windows<'_> {
    type Answer = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let sizes = [self.output.shape.images, self.output.planes(), self.output.shape.height];
        for [image, plane, row] in walk(sizes, self.rows.clone()) {
            // SAFETY: `Pool::run` checked the places; the processor has `S`.
            unsafe { self.row::<S>(image, plane, row) }
        }
    }
}

impl Windows<'_> {
    /// # Safety
    /// The processor has `S`; the row is one of the output's.
    #[inline(always)]
    unsafe fn row<S: Simd>(&self, image: usize, plane: usize, row: usize) {
        let Window { kernel, stride, dilation, before } = self.of.window;
        let (height, width) = (self.input.shape.height, self.input.shape.width);
        let rows = taps(&self.of.window, 0, row, height);
        // SAFETY: `taps` leaves only those inside the plane.
        unsafe {
            let output = self.arena.add(self.output.at(image, plane, row, 0));
            for column in 0..self.output.shape.width {
                let columns = taps(&self.of.window, 1, column, width);
                // Of no tap, where there is none.
                let first = (column * stride[1] + columns.start * dilation[1]).saturating_sub(before[1]);
                let start = if self.of.pooling == Pooling::Max { f32::NEG_INFINITY } else { 0.0 };
                let mut sum = S::splat(start);
                for y in rows.clone() {
                    let y = row * stride[0] + y * dilation[0] - before[0];
                    let line = self.arena.add(self.input.at(image, plane, y, first));
                    for x in 0..columns.len() {
                        let value = S::load(line.add(x * dilation[1] * LANES));
                        sum = match self.of.pooling {
                            Pooling::Max => S::larger(sum, value),
                            Pooling::MeanInside | Pooling::MeanWhole | Pooling::Sum => S::add(sum, value),
                        };
                    }
                }
                let count = match self.of.pooling {
                    Pooling::Max | Pooling::Sum => 1,
                    Pooling::MeanInside => rows.len() * columns.len(),
                    Pooling::MeanWhole => kernel[0] * kernel[1],
                };
                let mean = if count == 1 { sum } else { S::mul(sum, S::splat(1.0 / count as f32)) };
                S::store(mean, output.add(column * LANES));
            }
        }
    }
}

/// The mean of each plane of `input`, times `scale`.
///
/// # Panics
/// The places do not fit each other or the arena.
pub fn mean_of_planes(team: &mut Team, level: Level, arena: &mut [f32], input: &Place, output: &Place, scale: f32) {
    check(arena, input, output);
    assert_eq!((output.shape.height, output.shape.width), (1, 1), "the mean of a plane");
    let (planes, arena) = (output.shape.images * output.planes(), Shared::of(arena));
    let work = input.shape.height * input.shape.width * LANES * 4;
    team.share(planes, work, |planes| level.run(Means { arena: arena.start(), input, output, scale, planes }));
}

struct Means<'a> {
    arena: *mut f32,
    input: &'a Place,
    output: &'a Place,
    scale: f32,
    /// Those of the output that are computed here, and by nobody else.
    planes: Range<usize>,
}

impl Kernel for Means<'_> {
    type Answer = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (height, width) = (self.input.shape.height, self.input.shape.width);
        for [image, plane] in walk([self.output.shape.images, self.output.planes()], self.planes.clone()) {
            // SAFETY: `mean_of_planes` checked the places; the processor has `S`.
            unsafe {
                let mut sums = [S::splat(0.0); 4];
                for row in 0..height {
                    let row = self.arena.add(self.input.at(image, plane, row, 0));
                    for column in 0..width {
                        sums[column % 4] = S::add(sums[column % 4], S::load(row.add(column * LANES)));
                    }
                }
                let sum = S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3]));
                let mean = S::mul(sum, S::splat(self.scale / (height * width) as f32));
                S::store(mean, self.arena.add(self.output.at(image, plane, 0, 0)));
            }
        }
    }
}
