//! Values of one byte a number, and what is computed with them: sums of products in whole numbers.
//!
//! A quantized value lies in the same arena as all others, in blocks of [`LANES`](crate::LANES) channels with a border
//! ([`Place`]), but its place counts bytes from the arena's beginning, and its border is of the byte that means zero.

mod conv;
mod convert;
mod depthwise;
mod dots;
mod finish;
mod packed;
mod pool;
mod tile;

pub use conv::QuantizedConv;
pub use convert::{bytes_mut, dequantize, quantize};
pub use depthwise::QuantizedDepthwise;
pub use finish::{Rounded, Sum};
pub use pool::max_of_bytes;

use super::Place;

/// How numbers are written as bytes: a byte means itself less `zero_point`, times `scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantization {
    /// From one byte to the next; more than zero.
    pub scale: f32,
    /// The byte that means zero.
    pub zero_point: u8,
}

impl Quantization {
    /// The smallest and the largest number that can be written, in scales.
    fn range(&self) -> [f32; 2] {
        let zero = f32::from(self.zero_point);
        [-zero, 255.0 - zero]
    }
}

/// Weights of a quantized convolution.
#[derive(Debug, Clone, Copy)]
pub struct QuantizedWeights<'a> {
    /// All of them.
    pub numbers: &'a [i8],
    /// Which of them are neighbours.
    pub order: super::Order,
    /// What those of each output channel are multiplied by.
    pub scale: &'a [f32],
}

/// Sums of so many products of a byte and a weight fit 32 bits.
pub const MOST_PRODUCTS: usize = i32::MAX as usize / (255 * 128);

/// Whether a quantized place and one of `f32` have a byte in common.
fn overlap(bytes: &Place, numbers: &Place) -> bool {
    let (start, end) = (numbers.offset.saturating_mul(4), numbers.end().saturating_mul(4));
    bytes.offset < end && start < bytes.end()
}
