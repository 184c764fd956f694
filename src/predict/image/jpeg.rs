//! JPEG files, decoded by a decoder of our own: as libjpeg decodes them, and at a fraction of their size where that is asked.

use std::cell::RefCell;

use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat};
use strongroom_jpeg::{Buffers, Header, Limits, Refused, Scale, decode};

use super::RgbImage;
use super::decode::{BYTES_PER_PIXEL, DECODER_BYTES, ImageLimits};
use crate::predict::PredictError;

thread_local! {
    /// An inference thread's own, kept from one picture to the next.
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

/// A file whose header was read and found within the limits.
pub(super) struct JpegFile<'a> {
    item: usize,
    bytes: &'a [u8],
    limits: Limits,
    /// As in the file, before it is turned.
    pub(super) size: (u32, u32),
    pub(super) orientation: Orientation,
}

impl<'a> JpegFile<'a> {
    /// Nothing where `bytes` are no JPEG, or of a kind that is left to the decoder of every format.
    ///
    /// # Errors
    /// [`PredictError::DamagedImage`], [`PredictError::ImageTooLarge`].
    pub(super) fn read(item: usize, bytes: &'a [u8], limits: &ImageLimits) -> Result<Option<Self>, PredictError> {
        if !matches!(image::guess_format(bytes), Ok(ImageFormat::Jpeg)) {
            return Ok(None);
        }
        let Some(header) = decoded_here(item, Header::read(bytes))? else { return Ok(None) };
        let size = (header.width, header.height);
        limits.check_size(item, size)?;
        // An orientation that cannot be read is none.
        let orientation = header.exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms);
        let held = u64::from(header.width) * u64::from(header.height) * BYTES_PER_PIXEL + DECODER_BYTES;
        let limits = Limits { pixels: limits.pixels, bytes: held };
        Ok(Some(Self { item, bytes, limits, size, orientation }))
    }

    /// The picture, turned upright. Nothing as for [`Self::read`].
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn decode(&self, scale: Scale) -> Result<Option<RgbImage>, PredictError> {
        let decoded = BUFFERS.with_borrow_mut(|buffers| decode(self.bytes, scale, &self.limits, buffers));
        let upright = |pixels| {
            let mut image = DynamicImage::ImageRgb8(pixels);
            image.apply_orientation(self.orientation);
            image.into_rgb8()
        };
        Ok(decoded_here(self.item, decoded)?.map(upright))
    }
}

/// Takes back a picture that is not needed any longer, whoever decoded it: the next one on this thread has its memory.
pub fn give_back(pixels: RgbImage) {
    BUFFERS.with_borrow_mut(|buffers| buffers.give_back(pixels));
}

fn decoded_here<T>(item: usize, decoded: Result<T, Refused>) -> Result<Option<T>, PredictError> {
    match decoded {
        Ok(decoded) => Ok(Some(decoded)),
        Err(Refused::Unsupported(_)) => Ok(None),
        Err(Refused::TooLarge { found, limit }) => Err(PredictError::ImageTooLarge { item, found, limit }),
        Err(refused @ Refused::Damaged { .. }) => Err(PredictError::DamagedImage { item, reason: refused.to_string() }),
    }
}
