//! Cutting a turned and scaled square out of an image.

use super::RgbImage;

/// Turns, scales and moves points: `(x, y)` becomes `(a x - b y + tx, b x + a y + ty)`.
///
/// Coordinates are continuous: the centre of the pixel in column 0 lies at 0.5.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    /// Scale times cosine.
    pub a: f64,
    /// Scale times sine.
    pub b: f64,
    /// Moved along x.
    pub tx: f64,
    /// Moved along y.
    pub ty: f64,
}

impl Similarity {
    /// The one that moves `from` closest to `to` (least squares, without mirroring; Umeyama 1991). `None` where all
    /// points of `from` or of `to` are one point, or a coordinate is not finite.
    pub fn between(from: &[[f32; 2]], to: &[[f32; 2]]) -> Option<Self> {
        let _ = (from, to);
        todo!()
    }

    /// The point's image.
    pub fn apply(&self, x: f64, y: f64) -> (f64, f64) {
        (self.a * x - self.b * y + self.tx, self.b * x + self.a * y + self.ty)
    }

    /// Length after for length before.
    pub fn scale(&self) -> f64 {
        self.a.hypot(self.b)
    }

    /// The way back. `None` for a scale of 0.
    pub fn inverse(&self) -> Option<Self> {
        todo!()
    }
}

/// Cuts a square of `size` pixels: `chip_from_image` says where each point of the image lies in it.
pub fn warp(image: &RgbImage, chip_from_image: &Similarity, size: u32) -> RgbImage {
    let _ = (image, chip_from_image, size);
    todo!()
}
