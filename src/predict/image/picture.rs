//! A picture that is wanted as one graph's input and no more: of a JPEG file only the pixels that this takes are made.

use std::cell::RefCell;

use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat};
use strongroom_jpeg::{self as jpeg, Header, Limits, Refused, Scale};

use super::RgbImage;
use super::decode::{BYTES_PER_PIXEL, DECODER_BYTES, ImageLimits, decode};
use super::fit::{self, Fitted};
use super::resize::Area;
use crate::bundle::{ImageInput, Jpeg};
use crate::predict::PredictError;

/// Pixels that are left for each of the input's, along either side. With fewer, what is reduced and then resized differs
/// more from what is only resized (docs/MODELS.md has the numbers).
const PIXELS_FOR_ONE: f64 = 2.0;

thread_local! {
    /// An inference thread's own, kept from one picture to the next.
    static BUFFERS: RefCell<jpeg::Buffers> = RefCell::default();
}

/// An upright picture, perhaps reduced.
#[derive(Debug)]
pub struct Picture {
    pixels: RgbImage,
    size: (u32, u32),
    /// Where in `pixels` the picture lies: an outermost column or row of them may be partly beyond its edge.
    held: Area,
}

impl Picture {
    /// As [`decode`], or with fewer pixels where `input` asks for that and the file is a JPEG with many more than it takes.
    ///
    /// # Errors
    /// As [`decode`]. Of a JPEG that is reduced, damage is refused that [`decode`] would paint over.
    pub fn decode(item: usize, file: &[u8], limits: &ImageLimits, input: &ImageInput) -> Result<Self, PredictError> {
        limits.check_bytes(item, file.len() as u64)?;
        let reduced = match input.jpeg {
            Jpeg::Full => None,
            Jpeg::Reduced => Self::reduced(item, file, limits, input)?,
        };
        reduced.map_or_else(|| decode(item, file, limits).map(Self::whole), Ok)
    }

    /// Of the picture, before it was reduced.
    pub fn size(&self) -> (u32, u32) {
        self.size
    }

    /// As [`fit::fit`].
    ///
    /// # Errors
    /// [`PredictError::Scaling`].
    pub fn fit(self, input: &ImageInput) -> Result<Fitted, PredictError> {
        let fitted = fit::fit_held(&self.pixels, self.size, self.held, input);
        if self.pixels.dimensions() != self.size {
            BUFFERS.with_borrow_mut(|buffers| buffers.give_back(self.pixels));
        }
        fitted
    }

    fn whole(pixels: RgbImage) -> Self {
        let size = pixels.dimensions();
        Self { pixels, size, held: Area::whole(size) }
    }

    /// Nothing where the file is no JPEG, or one that is to be decoded whole.
    fn reduced(
        item: usize,
        file: &[u8],
        limits: &ImageLimits,
        input: &ImageInput,
    ) -> Result<Option<Self>, PredictError> {
        if !matches!(image::guess_format(file), Ok(ImageFormat::Jpeg)) {
            return Ok(None);
        }
        let header = match Header::read(file) {
            Ok(header) => header,
            Err(refused) => return refusal(item, refused).map_or(Ok(None), Err),
        };
        limits.check_size(item, (header.width, header.height))?;
        let orientation = header.exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
        let size = upright((header.width, header.height), orientation);
        let scale = Scale::covering(size, fit::scaled_sides(size, input), PIXELS_FOR_ONE);
        if scale == Scale::Full {
            return Ok(None);
        }
        let held = u64::from(header.width) * u64::from(header.height) * BYTES_PER_PIXEL + DECODER_BYTES;
        let limits = Limits { pixels: limits.pixels, bytes: held };
        match BUFFERS.with_borrow_mut(|buffers| jpeg::decode_reduced(file, scale, &limits, buffers)) {
            Ok(pixels) => Ok(Some(Self::turned(pixels, (header.width, header.height), scale, orientation))),
            Err(refused) => refusal(item, refused).map_or(Ok(None), Err),
        }
    }

    /// `pixels` are a file's picture of `size` at `scale`, which `orientation` turns upright.
    fn turned(pixels: RgbImage, size: (u32, u32), scale: Scale, orientation: Orientation) -> Self {
        let (width, height) = (f64::from(size.0) * scale.part(), f64::from(size.1) * scale.part());
        let (right, below) = (f64::from(pixels.width()) - width, f64::from(pixels.height()) - height);
        let (left, top) = beyond_left_and_top((right, below), orientation);
        let (width, height) = if turns(orientation) { (height, width) } else { (width, height) };
        let mut image = DynamicImage::ImageRgb8(pixels);
        image.apply_orientation(orientation);
        let held = Area { left, top, width, height };
        Self { pixels: image.into_rgb8(), size: upright(size, orientation), held }
    }
}

/// Nothing for a file that another decoder may read.
fn refusal(item: usize, refused: Refused) -> Option<PredictError> {
    match refused {
        Refused::Unsupported(_) => None,
        Refused::TooLarge { found, limit } => Some(PredictError::ImageTooLarge { item, found, limit }),
        Refused::Damaged { .. } => Some(PredictError::DamagedImage { item, reason: refused.to_string() }),
    }
}

/// Whether rows become columns.
fn turns(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

fn upright((width, height): (u32, u32), orientation: Orientation) -> (u32, u32) {
    if turns(orientation) { (height, width) } else { (width, height) }
}

/// What reaches beyond the picture at its left and top, of what did so on the right and below before it was turned.
fn beyond_left_and_top((right, below): (f64, f64), orientation: Orientation) -> (f64, f64) {
    match orientation {
        Orientation::NoTransforms | Orientation::Rotate90FlipH => (0.0, 0.0),
        Orientation::FlipHorizontal => (right, 0.0),
        Orientation::FlipVertical => (0.0, below),
        Orientation::Rotate180 => (right, below),
        Orientation::Rotate90 => (below, 0.0),
        Orientation::Rotate270 => (0.0, right),
        Orientation::Rotate270FlipH => (below, right),
    }
}
