//! A picture that is wanted as one graph's input and no more: of a JPEG file only the pixels that this takes are made.

use image::metadata::Orientation;
use strongroom_jpeg::Scale;

use super::RgbImage;
use super::decode::{ImageLimits, decode};
use super::fit::{self, Fitted};
use super::jpeg::{self, JpegFile};
use super::resize::Area;
use crate::bundle::{ImageInput, Jpeg};
use crate::predict::PredictError;

/// Pixels that are left for each of the input's, along either side. With fewer, what is reduced and then resized differs
/// more from what is only resized (docs/MODELS.md has the numbers).
const PIXELS_FOR_ONE: f64 = 2.0;

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
    /// As [`decode`].
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
        jpeg::give_back(self.pixels);
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
        let Some(file) = JpegFile::read(item, file, limits)? else { return Ok(None) };
        let size = upright(file.size, file.orientation);
        let scale = Scale::covering(size, fit::scaled_sides(size, input), PIXELS_FOR_ONE);
        if scale == Scale::Full {
            return Ok(None);
        }
        let held = |pixels: &RgbImage| held(pixels.dimensions(), &file, scale);
        Ok(file.decode(scale)?.map(|pixels| Self { held: held(&pixels), pixels, size }))
    }
}

/// Where in its pixels, of which there are `pixels`, the picture of `file` at `scale` lies.
fn held(pixels: (u32, u32), file: &JpegFile<'_>, scale: Scale) -> Area {
    let (width, height) = (f64::from(file.size.0) * scale.part(), f64::from(file.size.1) * scale.part());
    let turned = turns(file.orientation);
    let (right, below) = if turned {
        (f64::from(pixels.1) - width, f64::from(pixels.0) - height)
    } else {
        (f64::from(pixels.0) - width, f64::from(pixels.1) - height)
    };
    let (left, top) = beyond_left_and_top((right, below), file.orientation);
    let (width, height) = if turned { (height, width) } else { (width, height) };
    Area { left, top, width, height }
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
