//! Resizing, cropping and letterboxing: an image of any size becomes a graph's input.

use super::resize::{self, Area, Tile};
use super::{RgbImage, pixels};
use crate::bundle::{ImageInput, Position, Resize};
use crate::model::Tensor;
use crate::predict::PredictError;

/// A graph's input, and where the image lies in it.
#[derive(Debug)]
pub struct Fitted {
    /// `[1, 3, height, width]`, or `[1, height, width, 3]` as `pixels.layout` says.
    pub tensor: Tensor,
    /// From the input's pixels back to the image's.
    pub placement: Placement,
    /// Width and height of the image.
    pub size: (u32, u32),
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

/// Brings an image to the input's width and height and turns its pixels into numbers.
///
/// Filters are Pillow's (antialiased when shrinking). Measured against Pillow 13.0 on 160 x 107 pixels of colours, edges
/// and noise, brought to 56 x 56, 80 x 50, 9 x 13, 225 x 175 and 159 x 108 by every filter, and cut and boxed
/// (`tests/image.rs`, which prints the numbers): bilinear differs by at most 1 of 255, bicubic and Lanczos by 2, with means below 0.01;
/// nearest is equal.
///
/// Rounding of sizes follows the libraries that models are trained with:
/// - `shorter-side` as torchvision and Hugging Face: the longer side is `trunc(side * longer / shorter)`, the cut begins
///   at `round_half_even((length - cut) / 2)` (torchvision), for a Hugging Face export at `floor` of it. Where the cut is larger than the scaled image, the rest is
///   black, the image in the middle.
/// - `letterbox` as Ultralytics: sides are `round_half_even(side * ratio)`, at least 1; in the middle, an odd pixel goes
///   right and below.
///
/// # Errors
/// [`PredictError::Scaling`].
pub fn fit(image: &RgbImage, input: &ImageInput) -> Result<Fitted, PredictError> {
    let size = image.dimensions();
    fit_held(image, size, Area::whole(size), input)
}

/// As [`fit`], for an image of `size` of which `pixels` hold a reduction, at `held`.
pub(super) fn fit_held(
    pixels: &RgbImage,
    size: (u32, u32),
    held: Area,
    input: &ImageInput,
) -> Result<Fitted, PredictError> {
    let Plan { area, tile, fill } = Plan::new(size, input);
    let mut canvas = RgbImage::new(input.width, input.height);
    if fill != [0; 3] && (tile.width, tile.height) != (input.width, input.height) {
        canvas.pixels_mut().for_each(|pixel| pixel.0 = fill);
    }
    resize::scale(pixels, area.of_held(size, held), &mut canvas, tile, input.interpolation)
        .map_err(PredictError::scaling)?;
    let scale = [area.width / f64::from(tile.width), area.height / f64::from(tile.height)];
    let origin = [area.left - f64::from(tile.left) * scale[0], area.top - f64::from(tile.top) * scale[1]];
    let placement = Placement { scale: scale.map(|value| value as f32), origin: origin.map(|value| value as f32) };
    Ok(Fitted { tensor: pixels::tensor(&canvas, &input.pixels), placement, size })
}

/// The sides of an image of `size` when it is scaled to the input's pixels, before anything is cut off.
pub(super) fn scaled_sides(size: (u32, u32), input: &ImageInput) -> (f64, f64) {
    let Plan { area, tile, .. } = Plan::new(size, input);
    let scaled = |side: u32, pixels: u32, length: f64| f64::from(side) * f64::from(pixels) / length;
    (scaled(size.0, tile.width, area.width), scaled(size.1, tile.height, area.height))
}

/// Which area of the image goes to which tile of the input.
struct Plan {
    area: Area,
    tile: Tile,
    fill: [u8; 3],
}

impl Plan {
    fn new((width, height): (u32, u32), input: &ImageInput) -> Self {
        let whole = Area::whole((width, height));
        match &input.resize {
            Resize::Stretch => Self {
                area: whole,
                tile: Tile { left: 0, top: 0, width: input.width, height: input.height },
                fill: [0; 3],
            },
            Resize::ShorterSide(side) => Self::cut((width, height), input, *side, f64::round_ties_even),
            Resize::ShorterSideFloor(side) => Self::cut((width, height), input, *side, f64::floor),
            Resize::Letterbox { position, fill } => {
                let ratio = f64::from(input.width) / whole.width;
                let ratio = ratio.min(f64::from(input.height) / whole.height);
                let across = Axis::boxed(width, ratio, input.width, *position);
                let down = Axis::boxed(height, ratio, input.height, *position);
                Self::of(across, down, *fill)
            }
        }
    }

    /// The shorter side is scaled to `side`; `round` says where a cut out of the middle begins.
    fn cut((width, height): (u32, u32), input: &ImageInput, side: u32, round: fn(f64) -> f64) -> Self {
        let shorter = f64::from(width.min(height));
        let scaled = |length: u32| (f64::from(side) * f64::from(length) / shorter).trunc();
        let across = Axis::cut(width, scaled(width), input.width, round);
        let down = Axis::cut(height, scaled(height), input.height, round);
        Self::of(across, down, [0; 3])
    }

    fn of(across: Axis, down: Axis, fill: [u8; 3]) -> Self {
        let area = Area { left: across.from, top: down.from, width: across.length, height: down.length };
        let tile = Tile { left: across.to, top: down.to, width: across.pixels, height: down.pixels };
        Self { area, tile, fill }
    }
}

/// One axis of a plan: `length` of the image, beginning at `from`, goes to `pixels` of the input, beginning at `to`.
struct Axis {
    from: f64,
    length: f64,
    to: u32,
    pixels: u32,
}

impl Axis {
    /// `length` is scaled to `scaled`, then `cut` pixels are cut from its middle.
    fn cut(length: u32, scaled: f64, cut: u32, round: fn(f64) -> f64) -> Self {
        let ratio = f64::from(length) / scaled.max(1.0);
        let spare = scaled.max(1.0) - f64::from(cut);
        if spare <= 0.0 {
            let to = (-spare / 2.0).floor() as u32;
            return Self { from: 0.0, length: f64::from(length), to, pixels: scaled.max(1.0) as u32 };
        }
        let from = round(spare / 2.0) * ratio;
        Self { from, length: f64::from(cut) * ratio, to: 0, pixels: cut }
    }

    /// `length` is scaled by `ratio` and laid into `room`.
    fn boxed(length: u32, ratio: f64, room: u32, position: Position) -> Self {
        let pixels = ((f64::from(length) * ratio).round_ties_even() as u32).clamp(1, room.max(1));
        let to = match position {
            Position::Center => room.saturating_sub(pixels) / 2,
            Position::TopLeft => 0,
        };
        Self { from: 0.0, length: f64::from(length), to, pixels }
    }
}
