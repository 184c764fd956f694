//! Between numbers and bytes, and sums of bytes.
//!
//! `unsafe` in this file: the safe functions check the places; below them, addresses are of pixels in them.

use std::ops::Range;

use super::finish::{Factors, Sum, bounds, byte};
use super::{Quantization, overlap};
use crate::channelwise::{each_row, rows, work};
use crate::level::Kernel;
use crate::simd::Simd;
use crate::team::Shared;
use crate::{LANES, Level, Place, Team};

/// An arena as the bytes it consists of.
pub fn bytes_mut(arena: &mut [f32]) -> &mut [u8] {
    // SAFETY: four bytes of each number, without a gap, and every pattern of bits is a byte and an `f32`; the borrow is
    // unique and as long as the slice.
    unsafe { std::slice::from_raw_parts_mut(arena.as_mut_ptr().cast(), size_of_val(arena)) }
}

/// Writes the numbers at `input`, which may be planar, as bytes to `output`.
///
/// # Panics
/// The places do not fit each other or the arena.
pub fn quantize(team: &mut Team, level: Level, arena: &mut [f32], [input, output]: [&Place; 2], to: Quantization) {
    check(arena, output, input);
    assert!(input.lanes == LANES || input.lanes == 1, "lanes of what is quantized");
    output.require_apart();
    let arena = Shared::of(arena);
    team.share(rows(output), work(output), |rows| {
        level.run(Quantizing { arena: arena.start(), input, output, to, rows });
    });
}

/// Writes what the bytes at `input` mean to `output`.
///
/// # Panics
/// The places do not fit each other or the arena.
pub fn dequantize(team: &mut Team, level: Level, arena: &mut [f32], [input, output]: [&Place; 2], from: Quantization) {
    check(arena, input, output);
    assert_eq!(output.lanes, LANES, "lanes of what is dequantized");
    output.require_apart();
    let arena = Shared::of(arena);
    team.share(rows(output), work(output), |rows| {
        level.run(Dequantizing { arena: arena.start(), input, output, from, rows });
    });
}

fn check(arena: &[f32], bytes: &Place, numbers: &Place) {
    assert!(numbers.end() <= arena.len() && bytes.end() <= size_of_val(arena), "a place beyond the arena");
    assert_eq!(bytes.shape, numbers.shape, "bytes and the numbers they mean");
    assert_eq!(bytes.lanes, LANES, "lanes of bytes");
    assert!(!overlap(bytes, numbers), "bytes onto the numbers they mean");
}

struct Quantizing<'a> {
    arena: *mut f32,
    input: &'a Place,
    output: &'a Place,
    to: Quantization,
    /// Those of the output that are computed here, and by nobody else.
    rows: Range<usize>,
}

impl Kernel for Quantizing<'_> {
    type Answer = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let width = self.output.shape.width;
        for [image, plane, row] in each_row(self.output, self.rows.clone()) {
            // SAFETY: `quantize` checked the places; the processor has `S`.
            unsafe {
                let output = self.arena.cast::<u8>().add(self.output.at(image, plane, row, 0));
                if self.input.lanes == LANES {
                    let input = self.arena.add(self.input.at(image, plane, row, 0));
                    for column in 0..width {
                        self.block::<S>(S::load(input.add(column * LANES)), output.add(column * LANES));
                    }
                } else {
                    output.write_bytes(self.to.zero_point, width * LANES);
                    let first = plane * LANES;
                    for channel in first..self.input.shape.channels.min(first + LANES) {
                        let input = self.arena.add(self.input.at(image, channel, row, 0));
                        self.line::<S>(input, output.add(channel - first), width);
                    }
                }
            }
        }
    }
}

impl Quantizing<'_> {
    /// # Safety
    /// The processor has `S`; sixteen bytes may be written.
    #[inline(always)]
    unsafe fn block<S: Simd>(&self, numbers: S::Block, to: *mut u8) {
        // SAFETY: the caller's.
        unsafe {
            let [low, high] = bounds([f32::NEG_INFINITY, f32::INFINITY], self.to).map(|bound| S::splat(bound));
            let scaled = S::div(numbers, S::splat(self.to.scale));
            byte::<S>(S::min(high, S::max(scaled, low)), f32::from(self.to.zero_point), to);
        }
    }

    /// One channel of a row.
    ///
    /// # Safety
    /// The processor has `S`; `width` numbers may be read, and as many bytes, a block apart, be written.
    #[inline(always)]
    unsafe fn line<S: Simd>(&self, input: *const f32, output: *mut u8, width: usize) {
        // SAFETY: the caller's.
        unsafe {
            for start in (0..width).step_by(LANES) {
                let count = LANES.min(width - start);
                let (mut numbers, mut bytes) = ([0.0; LANES], [0_u8; LANES]);
                numbers.as_mut_ptr().copy_from_nonoverlapping(input.add(start), count);
                self.block::<S>(S::load(numbers.as_ptr()), bytes.as_mut_ptr());
                for (pixel, byte) in bytes[..count].iter().enumerate() {
                    output.add((start + pixel) * LANES).write(*byte);
                }
            }
        }
    }
}

struct Dequantizing<'a> {
    arena: *mut f32,
    input: &'a Place,
    output: &'a Place,
    from: Quantization,
    /// As above.
    rows: Range<usize>,
}

impl Kernel for Dequantizing<'_> {
    type Answer = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for [image, plane, row] in each_row(self.output, self.rows.clone()) {
            // SAFETY: `dequantize` checked the places; the processor has `S`.
            unsafe {
                let input = self.arena.cast::<u8>().add(self.input.at(image, plane, row, 0));
                let output = self.arena.add(self.output.at(image, plane, row, 0));
                let (zero, scale) = (S::splat(f32::from(self.from.zero_point)), S::splat(self.from.scale));
                for at in (0..self.output.shape.width * LANES).step_by(LANES) {
                    S::store(S::mul(S::sub(S::load_bytes(input.add(at)), zero), scale), output.add(at));
                }
            }
        }
    }
}

impl Sum {
    /// Adds the bytes at `added` to those at `input`, which are `from`; `output` may be the place of either.
    ///
    /// # Panics
    /// The places do not fit each other or the arena.
    pub fn run(
        &self,
        team: &mut Team,
        level: Level,
        arena: &mut [f32],
        [input, added, output]: [&Place; 3],
        from: Quantization,
    ) {
        for place in [input, added, output] {
            assert!(place.end() <= size_of_val(arena), "a place beyond the arena");
            assert_eq!((place.lanes, place.shape), (LANES, output.shape), "a sum of bytes");
            assert!(!output.overlaps(place) || output == place, "a sum onto a part of what is added");
        }
        output.require_apart();
        let (arena, factors) = (Shared::of(arena), self.factors(from.scale));
        team.share(rows(output), work(output), |rows| {
            level.run(Adding { arena: arena.start().cast(), input, added, output, from, factors, rows });
        });
    }
}

struct Adding<'a> {
    arena: *mut u8,
    input: &'a Place,
    added: &'a Place,
    output: &'a Place,
    from: Quantization,
    factors: Factors,
    /// As above.
    rows: Range<usize>,
}

impl Kernel for Adding<'_> {
    type Answer = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for [image, plane, row] in each_row(self.output, self.rows.clone()) {
            // SAFETY: `Sum::run` checked the places; the processor has `S`.
            unsafe {
                let at = |place: &Place| self.arena.add(place.at(image, plane, row, 0));
                let (input, added, output) = (at(self.input), at(self.added), at(self.output));
                let zero = S::splat(f32::from(self.from.zero_point));
                for at in (0..self.output.shape.width * LANES).step_by(LANES) {
                    let number = S::sub(S::load_bytes(input.add(at)), zero);
                    self.factors.add::<S>(number, added.add(at), output.add(at));
                }
            }
        }
    }
}
