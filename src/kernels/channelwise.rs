//! What is done number by number: scaling, activations, two values together.
//!
//! `unsafe` in this file: the safe functions check the places; below them, addresses are of pixels in them. A value may
//! be written onto itself: each block is read before it is stored.

use std::ops::Range;

use super::activation::{Runs, apply};
use super::conv::Finish;
use super::level::Kernel;
use super::simd::Simd;
use super::team::{Shared, walk};
use super::{Arena, LANES, Level, Place, Team};

/// `x` times a number of its channel, plus another one; then the finish.
#[derive(Debug)]
pub struct Channelwise {
    scale: Arena,
    offset: Arena,
    finish: Finish,
}

impl Channelwise {
    /// One scale and one offset for each channel.
    ///
    /// # Panics
    /// They are not equally many.
    pub fn new(scale: &[f32], offset: &[f32], finish: Finish) -> Self {
        assert_eq!(scale.len(), offset.len(), "scales and offsets");
        let padded = |numbers: &[f32]| {
            let mut arena = Arena::new(numbers.len());
            arena.numbers_mut()[..numbers.len()].copy_from_slice(numbers);
            arena
        };
        Self { scale: padded(scale), offset: padded(offset), finish }
    }

    /// Computes `output` from `input`, which may be the same place.
    ///
    /// # Panics
    /// The places do not fit each other or the arena.
    pub fn run(&self, team: &mut Team, level: Level, arena: &mut [f32], input: &Place, output: &Place) {
        check(arena, input, output);
        assert_eq!(input.shape, output.shape, "what is computed channel by channel");
        assert_eq!(output.planes() * LANES, self.scale.numbers().len(), "scales of channels");
        output.require_apart();
        let arena = Shared::of(arena);
        team.share(rows(output), work(output), |rows| {
            level.run(Scaling { of: self, arena: arena.start(), input, output, rows });
        });
    }
}

fn check(arena: &[f32], input: &Place, output: &Place) {
    assert!(input.end() <= arena.len() && output.end() <= arena.len(), "a place beyond the arena");
    assert!(input.lanes == LANES && output.lanes == LANES, "lanes of what is computed number by number");
    assert!(!output.overlaps(input) || input == output, "a value onto a part of another one");
}

struct Scaling<'a> {
    of: &'a Channelwise,
    arena: *mut f32,
    input: &'a Place,
    output: &'a Place,
    /// Those of the output that are computed here, and by nobody else.
    rows: Range<usize>,
}

impl Kernel for Scaling<'_> {
    type Answer = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let len = self.output.shape.width * LANES;
        for [image, plane, row] in each_row(self.output, self.rows.clone()) {
            // SAFETY: `Channelwise::run` checked the places and the channels; the processor has `S`.
            unsafe {
                let scale = S::load(self.of.scale.numbers().as_ptr().add(plane * LANES));
                let offset = S::load(self.of.offset.numbers().as_ptr().add(plane * LANES));
                let input = self.arena.add(self.input.at(image, plane, row, 0));
                let output = self.arena.add(self.output.at(image, plane, row, 0));
                for at in (0..len).step_by(LANES) {
                    S::store(S::mul_add(S::load(input.add(at)), scale, offset), output.add(at));
                }
                finish::<S>(&self.of.finish, output, len);
            }
        }
    }
}

/// All of a place, of every image and plane.
pub(crate) fn rows(place: &Place) -> usize {
    place.shape.images * place.planes() * place.shape.height
}

/// Of a row: memory takes as long for a number as several multiply-adds do.
pub(crate) fn work(place: &Place) -> usize {
    place.shape.width * LANES * 16
}

/// Image, plane, row.
pub(crate) fn each_row(place: &Place, rows: Range<usize>) -> impl Iterator<Item = [usize; 3]> + use<> {
    walk([place.shape.images, place.planes(), place.shape.height], rows)
}

/// # Safety
/// The processor has `S`; `len` numbers at `row` may be read and written.
#[inline(always)]
unsafe fn finish<S: Simd>(finish: &Finish, row: *mut f32, len: usize) {
    // SAFETY: the caller's.
    unsafe {
        apply::<S>(finish.activation, Runs { start: row, rows: 1, stride: 0, len });
        if finish.low == f32::NEG_INFINITY && finish.high == f32::INFINITY {
            return;
        }
        let (low, high) = (S::splat(finish.low), S::splat(finish.high));
        for at in (0..len).step_by(LANES) {
            S::store(S::min(high, S::max(low, S::load(row.add(at)))), row.add(at));
        }
    }
}

/// What is done with two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `a + b`.
    Add,
    /// `a - b`.
    Subtract,
    /// `a b`.
    Multiply,
    /// `a / b`.
    Divide,
    /// The larger one; not a number where one is not.
    Max,
    /// The smaller one; not a number where one is not.
    Min,
}

/// Computes `output` from `left` and `right`, number by number; a `right` of one pixel stands for a whole plane of it.
/// `output` may be the place of one that it has the shape of.
///
/// # Panics
/// The places do not fit each other or the arena.
pub fn combine(
    team: &mut Team,
    level: Level,
    arena: &mut [f32],
    operation: Operation,
    [left, right]: [&Place; 2],
    output: &Place,
    done: &Finish,
) {
    check(arena, left, output);
    check(arena, right, output);
    assert_eq!(left.shape, output.shape, "two values, number by number");
    let is_pixel = (right.shape.height, right.shape.width) == (1, 1);
    assert!(right.shape == output.shape || is_pixel, "two values, number by number");
    assert_eq!((right.shape.images, right.planes()), (output.shape.images, output.planes()), "two values' channels");
    output.require_apart();
    let arena = Shared::of(arena);
    team.share(rows(output), work(output), |rows| {
        level.run(Combining { arena: arena.start(), operation, left, right, output, done, rows });
    });
}

struct Combining<'a> {
    arena: *mut f32,
    operation: Operation,
    left: &'a Place,
    right: &'a Place,
    output: &'a Place,
    done: &'a Finish,
    /// Those of the output that are computed here, and by nobody else.
    rows: Range<usize>,
}

impl Kernel for Combining<'_> {
    type Answer = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let len = self.output.shape.width * LANES;
        let step = if self.right.shape == self.output.shape { LANES } else { 0 };
        for [image, plane, row] in each_row(self.output, self.rows.clone()) {
            // SAFETY: `combine` checked the places; the processor has `S`.
            unsafe {
                let left = self.arena.add(self.left.at(image, plane, row, 0));
                let right = self.arena.add(self.right.at(image, plane, if step == 0 { 0 } else { row }, 0));
                let output = self.arena.add(self.output.at(image, plane, row, 0));
                for at in 0..len / LANES {
                    let (left, right) = (S::load(left.add(at * LANES)), S::load(right.add(at * step)));
                    S::store(self.operation.of::<S>(left, right), output.add(at * LANES));
                }
                finish::<S>(self.done, output, len);
            }
        }
    }
}

impl Operation {
    /// Of the numbers of two blocks.
    ///
    /// # Safety
    /// The processor has `S`.
    #[inline(always)]
    unsafe fn of<S: Simd>(self, left: S::Block, right: S::Block) -> S::Block {
        // SAFETY: the caller's.
        unsafe {
            match self {
                Self::Add => S::add(left, right),
                Self::Subtract => S::sub(left, right),
                Self::Multiply => S::mul(left, right),
                Self::Divide => S::div(left, right),
                Self::Max => S::larger(left, right),
                Self::Min => S::smaller(left, right),
            }
        }
    }
}

/// Fills the halo of `place` with what means zero there.
///
/// # Panics
/// It does not lie in the arena.
pub fn fill_halo<N: Copy>(arena: &mut [N], place: &Place, zero: N) {
    assert!(place.end() <= arena.len(), "a place beyond the arena");
    let (halo, stride, lanes) = (place.halo, place.row_stride(), place.lanes);
    if halo.is_none() || stride == 0 {
        return;
    }
    let (left, right) = (halo.left * lanes, halo.right * lanes);
    for image in 0..place.shape.images {
        for plane in 0..place.planes() {
            let start = place.offset + image * place.image_stride + plane * place.plane_stride();
            let plane = &mut arena[start..start + place.plane_stride()];
            plane[..halo.top * stride].fill(zero);
            for row in plane[halo.top * stride..].chunks_exact_mut(stride).take(place.shape.height) {
                row[..left].fill(zero);
                row[stride - right..].fill(zero);
            }
            plane[(halo.top + place.shape.height) * stride..].fill(zero);
        }
    }
}
