//! Pixels to numbers.

use super::RgbImage;
use crate::bundle::Pixels;
use crate::model::Tensor;

/// The whole image as a graph's input: `[1, 3, height, width]`, or `[1, height, width, 3]` as `pixels.layout` says.
pub fn tensor(image: &RgbImage, pixels: &Pixels) -> Tensor {
    let _ = (image, pixels);
    todo!()
}
