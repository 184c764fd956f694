//! Resizing, cropping and letterboxing.

use super::RgbImage;
use crate::bundle::ImageInput;
use crate::model::Tensor;

/// A graph's input, and where the image lies in it.
#[derive(Debug)]
pub struct Fitted {
    /// `[1, 3, height, width]`, or `[1, height, width, 3]` as `pixels.layout` says.
    pub tensor: Tensor,
    /// From the input's pixels back to the image's.
    pub placement: Placement,
}

/// From the input's pixels back to the image's: each axis is scaled and moved on its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    scale: [f32; 2],
    origin: [f32; 2],
}

impl Placement {
    /// The image's point for a point of the input. Not clamped: a point in the filling lies outside of the image.
    pub fn to_image(&self, x: f32, y: f32) -> (f32, f32) {
        (x * self.scale[0] + self.origin[0], y * self.scale[1] + self.origin[1])
    }

    /// Image pixels per input pixel, along x and along y.
    pub fn scale(&self) -> (f32, f32) {
        (self.scale[0], self.scale[1])
    }
}

/// Fits an image.
pub fn fit(image: &RgbImage, input: &ImageInput) -> Fitted {
    let _ = (image, input);
    todo!()
}
