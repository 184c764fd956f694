//! Image files of any known format to 8-bit RGB.

use super::RgbImage;
use crate::bundle::Limits;
use crate::predict::PredictError;

/// What one image may bring, in numbers of the program rather than of the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLimits {
    /// Width times height.
    pub pixels: u64,
    /// Of the file.
    pub bytes: u64,
}

impl From<&Limits> for ImageLimits {
    fn from(limits: &Limits) -> Self {
        Self { pixels: u64::from(limits.megapixels) * 1_000_000, bytes: u64::from(limits.image_mb) * 1_000_000 }
    }
}

/// Decodes one image.
pub fn decode(item: usize, bytes: &[u8], limits: &ImageLimits) -> Result<RgbImage, PredictError> {
    let _ = (item, bytes, limits);
    todo!()
}
