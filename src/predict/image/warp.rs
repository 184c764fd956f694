//! Cutting a turned and scaled square out of an image.

use super::RgbImage;
use super::resize::{self, Area, Tile};
use crate::bundle::Interpolation;
use crate::predict::PredictError;

/// Image pixels per chip pixel from which the image is smoothed first.
const SMOOTHED_FROM: f64 = 2.0;

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
        let (from_centre, to_centre) = (centre(from), centre(to));
        let (mut along, mut across, mut spread) = (0.0, 0.0, 0.0);
        for (from, to) in from.iter().zip(to) {
            let [x, y] = [f64::from(from[0]) - from_centre[0], f64::from(from[1]) - from_centre[1]];
            let [u, v] = [f64::from(to[0]) - to_centre[0], f64::from(to[1]) - to_centre[1]];
            along += x * u + y * v;
            across += x * v - y * u;
            spread += x * x + y * y;
        }
        let (a, b) = (along / spread, across / spread);
        let tx = to_centre[0] - a * from_centre[0] + b * from_centre[1];
        let ty = to_centre[1] - b * from_centre[0] - a * from_centre[1];
        let usable = [a, b, tx, ty].iter().all(|value| value.is_finite()) && a.hypot(b) > 0.0;
        usable.then_some(Self { a, b, tx, ty })
    }

    /// The point's image.
    pub fn apply(&self, x: f64, y: f64) -> (f64, f64) {
        (self.a * x - self.b * y + self.tx, self.b * x + self.a * y + self.ty)
    }

    /// Length after for length before.
    pub fn scale(&self) -> f64 {
        self.a.hypot(self.b)
    }

    /// The way back. `None` for a scale of 0 or a part that is not finite.
    pub fn inverse(&self) -> Option<Self> {
        let square = self.a * self.a + self.b * self.b;
        let (a, b) = (self.a / square, -self.b / square);
        let (tx, ty) = (-(a * self.tx - b * self.ty), -(b * self.tx + a * self.ty));
        let usable = [a, b, tx, ty].iter().all(|value| value.is_finite()) && square > 0.0;
        usable.then_some(Self { a, b, tx, ty })
    }
}

fn centre(points: &[[f32; 2]]) -> [f64; 2] {
    let count = points.len() as f64;
    [0, 1].map(|axis| points.iter().map(|point| f64::from(point[axis])).sum::<f64>() / count)
}

/// Cuts a square of `size` pixels: `chip_from_image` says where each point of the image lies in it.
///
/// Bilinear; what lies outside of the image is black. Where it shrinks more than twice, the part that is needed is
/// scaled down with antialias first, so that a large face does not flicker. A similarity without a way back gives a black
/// square.
///
/// # Errors
/// [`PredictError::Scaling`].
pub fn warp(image: &RgbImage, chip_from_image: &Similarity, size: u32) -> Result<RgbImage, PredictError> {
    let Some(image_from_chip) = chip_from_image.inverse() else { return Ok(RgbImage::new(size, size)) };
    let factor = image_from_chip.scale();
    if factor <= SMOOTHED_FROM {
        return Ok(sample(&Source::whole(image), &image_from_chip, size));
    }
    let Some(part) = needed(image, &image_from_chip, size, factor) else { return Ok(RgbImage::new(size, size)) };
    let smaller = shrunk(image, part, factor)?;
    Ok(sample(&Source { image: &smaller, part }, &image_from_chip, size))
}

/// An image and the part of the original it shows.
struct Source<'a> {
    image: &'a RgbImage,
    part: Tile,
}

impl<'a> Source<'a> {
    fn whole(image: &'a RgbImage) -> Self {
        Self { image, part: Tile { left: 0, top: 0, width: image.width(), height: image.height() } }
    }
}

/// The pixels of the image that the chip shows, with room for the filters around. `None` if it shows none.
fn needed(image: &RgbImage, image_from_chip: &Similarity, size: u32, factor: f64) -> Option<Tile> {
    let side = f64::from(size);
    let corners = [(0.0, 0.0), (side, 0.0), (0.0, side), (side, side)].map(|(x, y)| image_from_chip.apply(x, y));
    let (left, width) = span(corners.map(|corner| corner.0), factor, image.width())?;
    let (top, height) = span(corners.map(|corner| corner.1), factor, image.height())?;
    Some(Tile { left, top, width, height })
}

fn span(corners: [f64; 4], factor: f64, length: u32) -> Option<(u32, u32)> {
    let room = 2.0 * factor;
    let low = corners.into_iter().fold(f64::INFINITY, f64::min) - room;
    let high = corners.into_iter().fold(f64::NEG_INFINITY, f64::max) + room;
    let low = low.floor().clamp(0.0, f64::from(length)) as u32;
    let high = high.ceil().clamp(0.0, f64::from(length)) as u32;
    (high > low).then(|| (low, high - low))
}

fn shrunk(image: &RgbImage, part: Tile, factor: f64) -> Result<RgbImage, PredictError> {
    let side = |length: u32| ((f64::from(length) / factor).ceil() as u32).max(1);
    let mut smaller = RgbImage::new(side(part.width), side(part.height));
    let tile = Tile { left: 0, top: 0, width: smaller.width(), height: smaller.height() };
    let [left, top, width, height] = [part.left, part.top, part.width, part.height].map(f64::from);
    let area = Area { left, top, width, height };
    resize::scale(image, area, &mut smaller, tile, Interpolation::Bilinear).map_err(PredictError::scaling)?;
    Ok(smaller)
}

fn sample(source: &Source<'_>, image_from_chip: &Similarity, size: u32) -> RgbImage {
    let part = source.part;
    let across = f64::from(source.image.width()) / f64::from(part.width);
    let down = f64::from(source.image.height()) / f64::from(part.height);
    RgbImage::from_fn(size, size, |column, row| {
        let (x, y) = image_from_chip.apply(f64::from(column) + 0.5, f64::from(row) + 0.5);
        image::Rgb(bilinear(source.image, (x - f64::from(part.left)) * across, (y - f64::from(part.top)) * down))
    })
}

/// The colour at a point: the four pixels around it, weighted; those outside of the image are black.
fn bilinear(image: &RgbImage, x: f64, y: f64) -> [u8; 3] {
    let (x, y) = (x - 0.5, y - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (right_part, lower_part) = (x - left, y - top);
    let corners = [
        (left, top, (1.0 - right_part) * (1.0 - lower_part)),
        (left + 1.0, top, right_part * (1.0 - lower_part)),
        (left, top + 1.0, (1.0 - right_part) * lower_part),
        (left + 1.0, top + 1.0, right_part * lower_part),
    ];
    let mut color = [0.0; 3];
    for (column, row, weight) in corners {
        if column < 0.0 || row < 0.0 || column >= f64::from(image.width()) || row >= f64::from(image.height()) {
            continue;
        }
        let pixel = image.get_pixel(column as u32, row as u32);
        for (sum, &sample) in color.iter_mut().zip(&pixel.0) {
            *sum += weight * f64::from(sample);
        }
    }
    color.map(|sum| sum.round() as u8)
}
