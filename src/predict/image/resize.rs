//! The one call into the SIMD resizer.

use std::cell::RefCell;

use fast_image_resize::images::{TypedCroppedImageMut, TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeError, ResizeOptions, Resizer};

use super::RgbImage;
use crate::bundle::Interpolation;

/// A resizer keeps its buffers between images up to this size: larger ones are given back.
const KEPT_BYTES: usize = 16 << 20;

thread_local! {
    /// An inference thread's own: it knows the CPU's SIMD and keeps its buffers.
    static RESIZER: RefCell<Resizer> = RefCell::new(Resizer::new());
}

/// A rectangle of an image; its sides may lie between pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Area {
    pub(super) fn whole((width, height): (u32, u32)) -> Self {
        Self { left: 0.0, top: 0.0, width: f64::from(width), height: f64::from(height) }
    }

    /// This area of an image of `size`, in the pixels that hold that image at `held`.
    pub(super) fn of_held(self, size: (u32, u32), held: Self) -> Self {
        let (across, down) = (held.width / f64::from(size.0), held.height / f64::from(size.1));
        Self {
            left: held.left + self.left * across,
            top: held.top + self.top * down,
            width: self.width * across,
            height: self.height * down,
        }
    }
}

/// A rectangle of whole pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tile {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Scales `area` of `image` into `tile` of `canvas`, with antialias. Pixels around the area take part in the filter, so
/// that cutting first equals cutting last.
///
/// Goes across first and then down, as Pillow does: what is rounded and clipped between the passes depends on their
/// order. (The resizer left alone goes down first: mean difference to Pillow 0.18 instead of 0.005, bicubic up to 10.)
pub(super) fn scale(
    image: &RgbImage,
    area: Area,
    canvas: &mut RgbImage,
    tile: Tile,
    filter: Interpolation,
) -> Result<(), ResizeError> {
    match filter {
        Interpolation::Nearest => {
            nearest(image, area, canvas, tile);
            Ok(())
        }
        Interpolation::Bilinear => across_then_down(image, area, canvas, tile, FilterType::Bilinear),
        Interpolation::Bicubic => across_then_down(image, area, canvas, tile, FilterType::CatmullRom),
        Interpolation::Lanczos => across_then_down(image, area, canvas, tile, FilterType::Lanczos3),
    }
}

/// The pixel under the centre of each, its place summed up step by step as in Pillow: where a centre falls on an edge,
/// rounding decides.
fn nearest(image: &RgbImage, area: Area, canvas: &mut RgbImage, tile: Tile) {
    let places = |from: f64, length: f64, count: u32, limit: u32| -> Vec<u32> {
        let step = length / f64::from(count);
        let mut place = from + step * 0.5;
        let next = || {
            let pixel = (place as u32).min(limit - 1);
            place += step;
            pixel
        };
        std::iter::repeat_with(next).take(count as usize).collect()
    };
    if image.is_empty() {
        return;
    }
    let columns = places(area.left, area.width, tile.width, image.width());
    let rows = places(area.top, area.height, tile.height, image.height());
    for (y, row) in (tile.top..).zip(rows) {
        for (x, column) in (tile.left..).zip(&columns) {
            canvas.put_pixel(x, y, *image.get_pixel(*column, row));
        }
    }
}

/// Only the rows that the second pass reads are scaled by the first.
fn across_then_down(
    image: &RgbImage,
    area: Area,
    canvas: &mut RgbImage,
    tile: Tile,
    filter: FilterType,
) -> Result<(), ResizeError> {
    let reach = 3.0 * (area.height / f64::from(tile.height)).max(1.0) + 1.0; // Lanczos reaches 3 pixels
    let first = (area.top - reach).floor().max(0.0);
    let last = (area.top + area.height + reach).ceil().min(f64::from(image.height()));
    let mut narrow = RgbImage::new(tile.width, (last - first) as u32);
    let whole = Tile { left: 0, top: 0, width: narrow.width(), height: narrow.height() };
    let rows = Area { top: first, height: last - first, ..area };
    convolve(image, rows, &mut narrow, whole, filter)?;
    let columns = Area { left: 0.0, top: area.top - first, width: f64::from(tile.width), height: area.height };
    convolve(&narrow, columns, canvas, tile, filter)
}

fn convolve(
    image: &RgbImage,
    area: Area,
    canvas: &mut RgbImage,
    tile: Tile,
    filter: FilterType,
) -> Result<(), ResizeError> {
    let (width, height) = canvas.dimensions();
    // Typed, so that the filters of all other kinds of pixels are not linked: 3 MB.
    let source = TypedImageRef::<U8x3>::from_buffer(image.width(), image.height(), image.as_raw())
        .map_err(|_| ResizeError::PixelTypesAreDifferent)?;
    let samples: &mut [u8] = canvas;
    let target =
        TypedImage::<U8x3>::from_buffer(width, height, samples).map_err(|_| ResizeError::PixelTypesAreDifferent)?;
    let mut target = TypedCroppedImageMut::new(target, tile.left, tile.top, tile.width, tile.height)
        .map_err(|_| ResizeError::PixelTypesAreDifferent)?;
    // Rounding may have put the far side a hair outside.
    let inside =
        (area.width.min(f64::from(image.width()) - area.left), area.height.min(f64::from(image.height()) - area.top));
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false);
    let options = options.crop(area.left, area.top, inside.0, inside.1);
    RESIZER.with_borrow_mut(|resizer| {
        let result = resizer.resize_typed(&source, &mut target, &options);
        if resizer.size_of_internal_buffers() > KEPT_BYTES {
            resizer.reset_internal_buffers();
        }
        result
    })
}
