//! Answers drawn on their picture.

use super::RgbImage;
use crate::predict::Answer;

/// Draws boxes, points and labels of `answer`, in a size that fits the image.
pub fn draw(image: &mut RgbImage, answer: &Answer) {
    let _ = (image, answer);
    todo!()
}

/// The image as a PNG file.
///
/// # Errors
/// The image has no pixels.
pub fn encode_png(image: &RgbImage) -> Result<Vec<u8>, DrawError> {
    let _ = image;
    todo!()
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[error("the picture cannot be written as PNG")]
pub struct DrawError(#[from] image::ImageError);
