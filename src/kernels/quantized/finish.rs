//! From sums of products to the numbers they stand for.

use super::Quantization;
use super::dots::{Dots, Work};
use crate::Arena;
use crate::simd::{LANES, Simd};

/// What is done to a sum before it is stored. Clamps are of numbers, not of bytes: what is smaller becomes the first, what
/// is larger the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rounded {
    /// Clamped: an `f32`.
    No {
        /// The bounds.
        clamp: [f32; 2],
    },
    /// Clamped and rounded to a byte.
    Once {
        /// The bounds.
        clamp: [f32; 2],
        /// Of the output.
        to: Quantization,
    },
    /// Clamped and rounded, then another quantized value is added, then clamped and rounded again.
    Sum {
        /// The bounds before the addition.
        clamp: [f32; 2],
        /// What is rounded to first.
        through: Quantization,
        /// What is done then.
        sum: Sum,
    },
}

/// A sum of two quantized values: clamped and rounded to a byte.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sum {
    /// Of what is added.
    pub added: Quantization,
    /// The bounds.
    pub clamp: [f32; 2],
    /// Of the output.
    pub to: Quantization,
}

impl Rounded {
    /// Whether it makes bytes.
    pub fn makes_bytes(&self) -> bool {
        !matches!(self, Self::No { .. })
    }

    /// Of what is added, if anything.
    pub(super) fn added(&self) -> Option<Quantization> {
        match self {
            Self::Sum { sum, .. } => Some(sum.added),
            Self::No { .. } | Self::Once { .. } => None,
        }
    }
}

/// How the sums of a convolution become its output.
#[derive(Debug)]
pub(super) struct Finish {
    /// Each output channel's: one weight times one byte of the input comes to so much, in scales of what is rounded to.
    scale: Arena,
    /// The bias in the same scales.
    offset: Arena,
    /// What is clamped to, in the same scales.
    bounds: [f32; 2],
    stored: Stored,
}

/// What a clamped number is stored as.
#[derive(Debug)]
enum Stored {
    Number,
    Byte { zero: f32 },
    Sum(Factors),
}

/// A sum in scales of its output.
#[derive(Debug, Clone, Copy)]
pub(super) struct Factors {
    /// Of what is added to, and of what is added.
    by: [f32; 2],
    offset: f32,
    bounds: [f32; 2],
    zero: f32,
}

impl Sum {
    /// For bytes that are added to a number in scales of `from`.
    pub(super) fn factors(&self, from: f32) -> Factors {
        let factor = self.added.scale / self.to.scale;
        Factors {
            by: [from / self.to.scale, factor],
            offset: -f32::from(self.added.zero_point) * factor,
            bounds: bounds(self.clamp, self.to),
            zero: f32::from(self.to.zero_point),
        }
    }
}

/// What can be written, of what is clamped, in scales.
pub(super) fn bounds(clamp: [f32; 2], to: Quantization) -> [f32; 2] {
    let [least, most] = to.range();
    clamp.map(|bound| (bound / to.scale).max(least).min(most))
}

/// Where sums are found, and what is made of them.
pub(super) struct Finishing<'a> {
    pub(super) of: &'a Finish,
    /// The first output block of these.
    pub(super) first: usize,
    /// Blocks of pixels of sixteen sums.
    pub(super) sums: &'a [i32],
    pub(super) blocks: usize,
    pub(super) pixels: usize,
    /// Bytes, or `f32`.
    pub(super) output: *mut u8,
    /// From block to block, in bytes.
    pub(super) output_stride: usize,
    /// Null where nothing is added.
    pub(super) added: *const u8,
    pub(super) added_stride: usize,
}

impl Finish {
    /// For `scale` of one product and `bias` of each output channel.
    pub(super) fn new(scale: &[f32], bias: &[f32], rounded: &Rounded) -> Self {
        let (unit, bounds, stored) = match *rounded {
            Rounded::No { clamp } => (1.0, clamp, Stored::Number),
            Rounded::Once { clamp, to } => {
                (to.scale, bounds(clamp, to), Stored::Byte { zero: f32::from(to.zero_point) })
            }
            Rounded::Sum { clamp, through, sum } => {
                (through.scale, bounds(clamp, through), Stored::Sum(sum.factors(through.scale)))
            }
        };
        let in_units = |numbers: &[f32]| {
            let mut padded = Arena::new(numbers.len());
            padded.numbers_mut().iter_mut().zip(numbers).for_each(|(to, number)| *to = number / unit);
            padded
        };
        Self { scale: in_units(scale), offset: in_units(bias), bounds, stored }
    }
}

impl Work for Finishing<'_> {
    #[inline(always)]
    unsafe fn run<D: Dots>(self) {
        let Finish { scale, offset, bounds, stored } = self.of;
        // SAFETY: whoever makes a `Finishing` vouches for the output and what is added; blocks of scales and offsets are
        // those of the output; sums are as many as blocks and pixels say.
        unsafe {
            let [low, high] = bounds.map(|bound| <D::Floats as Simd>::splat(bound));
            for block in 0..self.blocks {
                let at = (self.first + block) * LANES;
                let scale = <D::Floats as Simd>::load(scale.numbers().as_ptr().add(at));
                let offset = <D::Floats as Simd>::load(offset.numbers().as_ptr().add(at));
                let output = self.output.add(block * self.output_stride);
                let sums = self.sums.as_ptr().add(block * self.pixels * LANES);
                for pixel in 0..self.pixels {
                    let sum = D::floats(D::load(sums.add(pixel * LANES)));
                    let number = <D::Floats as Simd>::mul_add(sum, scale, offset);
                    let number = <D::Floats as Simd>::min(high, <D::Floats as Simd>::max(low, number));
                    match stored {
                        Stored::Number => {
                            <D::Floats as Simd>::store(number, output.cast::<f32>().add(pixel * LANES));
                        }
                        Stored::Byte { zero } => byte::<D::Floats>(number, *zero, output.add(pixel * LANES)),
                        Stored::Sum(factors) => {
                            let added = self.added.add(block * self.added_stride + pixel * LANES);
                            let number = <D::Floats as Simd>::round(number);
                            factors.add::<D::Floats>(number, added, output.add(pixel * LANES));
                        }
                    }
                }
            }
        }
    }
}

impl Factors {
    /// Adds the bytes at `added` to a block of numbers.
    ///
    /// # Safety
    /// The processor has `S`; sixteen bytes may be read at `added` and written at `to`.
    #[inline(always)]
    pub(super) unsafe fn add<S: Simd>(&self, number: S::Block, added: *const u8, to: *mut u8) {
        // SAFETY: the caller's.
        unsafe {
            let added = S::mul_add(S::load_bytes(added), S::splat(self.by[1]), S::splat(self.offset));
            let sum = S::mul_add(number, S::splat(self.by[0]), added);
            let [low, high] = self.bounds.map(|bound| S::splat(bound));
            byte::<S>(S::min(high, S::max(sum, low)), self.zero, to);
        }
    }
}

/// Rounds and stores.
///
/// # Safety
/// The processor has `S`; sixteen bytes may be written; the numbers plus `zero` are from 0 to 255.
#[inline(always)]
pub(super) unsafe fn byte<S: Simd>(number: S::Block, zero: f32, to: *mut u8) {
    // SAFETY: the caller's.
    unsafe { S::store_bytes(S::add(S::round(number), S::splat(zero)), to) }
}
