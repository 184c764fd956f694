//! The one call into the SIMD resizer.

use std::cell::RefCell;

use fast_image_resize::images::{CroppedImageMut, Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeError, ResizeOptions, Resizer};

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
pub(super) fn scale(
    image: &RgbImage,
    area: Area,
    canvas: &mut RgbImage,
    tile: Tile,
    filter: Interpolation,
) -> Result<(), ResizeError> {
    let (width, height) = canvas.dimensions();
    let source = ImageRef::new(image.width(), image.height(), image.as_raw(), PixelType::U8x3)
        .map_err(|_| ResizeError::PixelTypesAreDifferent)?;
    let samples: &mut [u8] = canvas;
    let mut target = Image::from_slice_u8(width, height, samples, PixelType::U8x3)
        .map_err(|_| ResizeError::PixelTypesAreDifferent)?;
    let mut target = CroppedImageMut::new(&mut target, tile.left, tile.top, tile.width, tile.height)
        .map_err(|_| ResizeError::PixelTypesAreDifferent)?;
    let options = options(image, area, filter);
    RESIZER.with_borrow_mut(|resizer| {
        let result = resizer.resize(&source, &mut target, &options);
        if resizer.size_of_internal_buffers() > KEPT_BYTES {
            resizer.reset_internal_buffers();
        }
        result
    })
}

fn options(image: &RgbImage, area: Area, filter: Interpolation) -> ResizeOptions {
    let algorithm = match filter {
        Interpolation::Nearest => ResizeAlg::Nearest,
        Interpolation::Bilinear => ResizeAlg::Convolution(FilterType::Bilinear),
        Interpolation::Bicubic => ResizeAlg::Convolution(FilterType::CatmullRom),
        Interpolation::Lanczos => ResizeAlg::Convolution(FilterType::Lanczos3),
    };
    // Rounding may have put the far side a hair outside.
    let width = area.width.min(f64::from(image.width()) - area.left);
    let height = area.height.min(f64::from(image.height()) - area.top);
    ResizeOptions::new().resize_alg(algorithm).crop(area.left, area.top, width, height).use_alpha(false)
}
