//! Image files of any known format to 8-bit RGB, bounded by their headers before a pixel is decoded.

use std::io::Cursor;

use image::error::ImageError;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits as DecoderLimits};

use super::RgbImage;
use crate::bundle::Limits;
use crate::predict::PredictError;

/// Longest side of an image, whatever its area: a resizing filter's weights grow with it.
const LONGEST_SIDE: u32 = 65_535;
/// Bytes a decoder may hold per pixel: RGBA with 16 bits a channel.
const BYTES_PER_PIXEL: u64 = 8;
/// What a decoder may hold beside its pixels: tables, profiles, windows.
const DECODER_BYTES: u64 = 16 << 20;
/// A decoder's words are cut here.
const REASON_CHARS: usize = 200;

/// What one image may bring, in units.
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

impl ImageLimits {
    /// Refuses image `item` if its file of `bytes` is too long; called before base64 is decoded, too.
    ///
    /// # Errors
    /// [`PredictError::ImageTooLarge`].
    pub fn check_bytes(&self, item: usize, bytes: u64) -> Result<(), PredictError> {
        if bytes <= self.bytes {
            return Ok(());
        }
        Err(PredictError::ImageTooLarge {
            item,
            found: format!("{bytes} bytes"),
            limit: format!("{} bytes", self.bytes),
        })
    }

    fn check_size(&self, item: usize, (width, height): (u32, u32)) -> Result<(), PredictError> {
        if width == 0 || height == 0 {
            return Err(PredictError::DamagedImage { item, reason: format!("it is {width} x {height} pixels") });
        }
        let found = || format!("{width} x {height} pixels");
        if u64::from(width) * u64::from(height) > self.pixels {
            return Err(PredictError::ImageTooLarge { item, found: found(), limit: format!("{} pixels", self.pixels) });
        }
        if width.max(height) > LONGEST_SIDE {
            let limit = format!("{LONGEST_SIDE} pixels a side");
            return Err(PredictError::ImageTooLarge { item, found: found(), limit });
        }
        Ok(())
    }
}

/// Decodes JPEG, PNG, WebP, GIF (the first frame), BMP or TIFF, told apart by content, and turns the picture as its
/// EXIF orientation says. `item` is the image's place in the request, for errors.
///
/// As Pillow's `exif_transpose(image).convert("RGB")`: grey becomes three equal channels, alpha is dropped (not blended),
/// palettes are looked up, CMYK is converted, colour profiles are left alone. Of 16 bits the upper 8 are taken (Pillow
/// clips grey ones). A CMYK JPEG is read as Adobe writes it, inverted, even where it does not say so.
///
/// Measured against Pillow 13.0 (`tests/image.rs`): lossless files are equal, lossy WebP too; a JPEG differs by at most 4
/// of 255 (mean 0.4) where colour is subsampled, by 1 where not.
///
/// # Errors
/// [`PredictError::UnknownImage`], [`PredictError::ImageTooLarge`] (by the header, before decoding) or
/// [`PredictError::DamagedImage`]. A JPEG that ends without its end marker is damaged: half a picture is no input.
pub fn decode(item: usize, bytes: &[u8], limits: &ImageLimits) -> Result<RgbImage, PredictError> {
    limits.check_bytes(item, bytes.len() as u64)?;
    let format = known_format(bytes).ok_or(PredictError::UnknownImage { item })?;
    if format == ImageFormat::Jpeg && !jpeg_ends(bytes) {
        return Err(PredictError::DamagedImage { item, reason: "it is truncated".into() });
    }
    let failed = |error: ImageError| refusal(item, &error);
    let (width, height) = reader(bytes, format, 0).into_dimensions().map_err(failed)?;
    limits.check_size(item, (width, height))?;
    let pixels = u64::from(width) * u64::from(height);
    let mut decoder = reader(bytes, format, pixels).into_decoder().map_err(failed)?;
    // An orientation that cannot be read is none.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let decoded = DynamicImage::from_decoder(decoder).map_err(failed)?;
    let mut upright = DynamicImage::ImageRgb8(to_rgb(decoded));
    upright.apply_orientation(orientation);
    Ok(upright.into_rgb8())
}

/// A decoder's memory is bounded by the size that the header claims and we accepted, so that neither pixels nor packed
/// profiles and texts inflate beyond it. Sides are ours to check: a decoder would not say what it found.
fn reader(bytes: &[u8], format: ImageFormat, pixels: u64) -> ImageReader<Cursor<&[u8]>> {
    let mut limits = DecoderLimits::no_limits();
    limits.max_alloc = Some(pixels.saturating_mul(BYTES_PER_PIXEL).saturating_add(DECODER_BYTES));
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    reader
}

/// Whether `bytes` begin like an image of a known format.
pub(in crate::predict) fn looks_like_image(bytes: &[u8]) -> bool {
    known_format(bytes).is_some()
}

fn known_format(bytes: &[u8]) -> Option<ImageFormat> {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    image::guess_format(bytes).ok().filter(|format| [Jpeg, Png, WebP, Gif, Bmp, Tiff].contains(format))
}

/// Whether an end marker follows the last start of a scan. The decoder fills up what is missing with grey instead of
/// failing. Neither marker can occur inside of a scan, and a thumbnail's come before the picture's own.
fn jpeg_ends(bytes: &[u8]) -> bool {
    if bytes.ends_with(&[0xFF, 0xD9]) {
        return true; // as almost all do: no need to search a large file
    }
    let last = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xFF, marker]);
    match (last(0xD9), last(0xDA)) {
        (Some(end), Some(scan)) => end > scan,
        (_, None) => true, // no picture in it: the decoder says so
        (None, Some(_)) => false,
    }
}

fn refusal(item: usize, error: &ImageError) -> PredictError {
    if let ImageError::Limits(_) = error {
        let found = "it unpacks to more than its header says".to_owned();
        let limit = format!("{BYTES_PER_PIXEL} bytes a pixel");
        return PredictError::ImageTooLarge { item, found, limit };
    }
    let reason = error.to_string().chars().take(REASON_CHARS).collect();
    PredictError::DamagedImage { item, reason }
}

fn to_rgb(image: DynamicImage) -> RgbImage {
    let (width, height) = (image.width(), image.height());
    let samples = match image {
        DynamicImage::ImageRgb8(image) => return image,
        DynamicImage::ImageLuma8(image) => image.into_raw().iter().flat_map(|&grey| [grey; 3]).collect(),
        DynamicImage::ImageLumaA8(image) => image.into_raw().chunks_exact(2).flat_map(|pixel| [pixel[0]; 3]).collect(),
        DynamicImage::ImageRgba8(image) => without_alpha(image.into_raw()),
        DynamicImage::ImageLuma16(image) => image.into_raw().iter().flat_map(|&grey| [upper(grey); 3]).collect(),
        DynamicImage::ImageLumaA16(image) => {
            image.into_raw().chunks_exact(2).flat_map(|pixel| [upper(pixel[0]); 3]).collect()
        }
        DynamicImage::ImageRgb16(image) => image.into_raw().into_iter().map(upper).collect(),
        DynamicImage::ImageRgba16(image) => image
            .into_raw()
            .chunks_exact(4)
            .flat_map(|pixel| [upper(pixel[0]), upper(pixel[1]), upper(pixel[2])])
            .collect(),
        other => return other.into_rgb8(), // floating point TIFF: 0 to 1 becomes 0 to 255
    };
    // Three samples a pixel in every arm, so this never falls back.
    RgbImage::from_raw(width, height, samples).unwrap_or_default()
}

/// Moves the colours together in place: a 40-megapixel picture is not held twice.
fn without_alpha(mut samples: Vec<u8>) -> Vec<u8> {
    let pixels = samples.len() / 4;
    for pixel in 0..pixels {
        samples.copy_within(pixel * 4..pixel * 4 + 3, pixel * 3);
    }
    samples.truncate(pixels * 3);
    samples
}

fn upper(sample: u16) -> u8 {
    (sample >> 8) as u8
}
