//! Image files of any known format to 8-bit RGB, bounded by their headers before a pixel is decoded.

use std::io::Cursor;

use image::error::ImageError;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits as DecoderLimits};
use strongroom_jpeg::Scale;

use super::RgbImage;
use super::jpeg::JpegFile;
use crate::bundle::Limits;
use crate::predict::PredictError;

/// Longest side of an image, whatever its area: a resizing filter's weights grow with it.
const LONGEST_SIDE: u32 = 65_535;
/// Bytes a decoder may hold per pixel, if its pixels are not larger (floating point): RGBA with 16 bits a channel.
pub(super) const BYTES_PER_PIXEL: u64 = 8;
/// What a decoder may hold beside its pixels: tables, profiles, windows.
pub(super) const DECODER_BYTES: u64 = 16 << 20;
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

    pub(super) fn check_size(&self, item: usize, (width, height): (u32, u32)) -> Result<(), PredictError> {
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
/// Measured against Pillow 13.0 (`tests/image.rs`): lossless files are equal, lossy WebP and JPEG too.
///
/// # Errors
/// [`PredictError::UnknownImage`], [`PredictError::ImageTooLarge`] (by the header, before decoding) or
/// [`PredictError::DamagedImage`]. A JPEG that ends without its end marker, or has codes that mean nothing, is damaged: half
/// a picture is no input.
pub fn decode(item: usize, bytes: &[u8], limits: &ImageLimits) -> Result<RgbImage, PredictError> {
    limits.check_bytes(item, bytes.len() as u64)?;
    let jpeg = JpegFile::read(item, bytes, limits)?;
    let pixels = jpeg.map_or(Ok(None), |file| file.decode(Scale::Full))?;
    pixels.map_or_else(|| decode_of_any_format(item, bytes, limits), Ok)
}

fn decode_of_any_format(item: usize, bytes: &[u8], limits: &ImageLimits) -> Result<RgbImage, PredictError> {
    let format = known_format(bytes).ok_or(PredictError::UnknownImage { item })?;
    if format == ImageFormat::Jpeg && !jpeg_ends(bytes) {
        return Err(PredictError::DamagedImage { item, reason: "it is truncated".into() });
    }
    let failed = |error: ImageError| refusal(item, &error);
    let (width, height) = reader(bytes, format, 0).into_dimensions().map_err(failed)?;
    limits.check_size(item, (width, height))?;
    let pixels = u64::from(width) * u64::from(height);
    let mut decoder = reader(bytes, format, pixels * BYTES_PER_PIXEL).into_decoder().map_err(failed)?;
    let color = decoder.color_type();
    let held = pixels * u64::from(color.bytes_per_pixel()).max(BYTES_PER_PIXEL);
    decoder.set_limits(decoder_limits(held)).map_err(failed)?;
    // An orientation that cannot be read is none.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let unlike = || PredictError::DamagedImage { item, reason: "its pixels are not of its header's size".into() };
    let mut samples = vec![0; usize::try_from(decoder.total_bytes()).map_err(|_| unlike())?];
    decoder.read_image(&mut samples).map_err(failed)?;
    let image = RgbImage::from_raw(width, height, to_rgb(color, samples)).ok_or_else(unlike)?;
    let mut upright = DynamicImage::ImageRgb8(image);
    upright.apply_orientation(orientation);
    Ok(upright.into_rgb8())
}

/// A decoder's memory is bounded by the size that the header claims and we accepted, so that neither pixels nor packed
/// profiles and texts inflate beyond it. Sides are ours to check: a decoder would not say what it found.
fn reader(bytes: &[u8], format: ImageFormat, held: u64) -> ImageReader<Cursor<&[u8]>> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(decoder_limits(held));
    reader
}

fn decoder_limits(held: u64) -> DecoderLimits {
    let mut limits = DecoderLimits::no_limits();
    limits.max_alloc = Some(held.saturating_add(DECODER_BYTES));
    limits
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
        let limit = format!("its pixels and {DECODER_BYTES} bytes beside them");
        return PredictError::ImageTooLarge { item, found, limit };
    }
    let reason = error.to_string().chars().take(REASON_CHARS).collect();
    PredictError::DamagedImage { item, reason }
}

/// Place of a 16-bit sample's upper byte, as decoders write it.
const UPPER: usize = if cfg!(target_endian = "little") { 1 } else { 0 };

/// Colours are moved together in place: a 40-megapixel picture is not held twice.
fn to_rgb(color: ColorType, samples: Vec<u8>) -> Vec<u8> {
    match color {
        ColorType::L8 => spread(&samples, 1, 0),
        ColorType::La8 => spread(&samples, 2, 0),
        ColorType::L16 => spread(&samples, 2, UPPER),
        ColorType::La16 => spread(&samples, 4, UPPER),
        ColorType::Rgba8 => packed(samples, 4, |pixel| [0, 1, 2].map(|at| pixel[at])),
        ColorType::Rgb16 => packed(samples, 6, |pixel| [0, 2, 4].map(|at| pixel[at + UPPER])),
        ColorType::Rgba16 => packed(samples, 8, |pixel| [0, 2, 4].map(|at| pixel[at + UPPER])),
        ColorType::Rgb32F => packed(samples, 12, |pixel| [0, 4, 8].map(|at| from_float(&pixel[at..]))),
        ColorType::Rgba32F => packed(samples, 16, |pixel| [0, 4, 8].map(|at| from_float(&pixel[at..]))),
        // 8-bit RGB; another kind, should the crate get one, does not fit the picture's size and is refused.
        _ => samples,
    }
}

/// Three times the byte `at` of every pixel of `stride` bytes.
fn spread(samples: &[u8], stride: usize, at: usize) -> Vec<u8> {
    samples.chunks_exact(stride).flat_map(|pixel| [pixel[at]; 3]).collect()
}

fn packed(mut samples: Vec<u8>, stride: usize, color: impl Fn(&[u8]) -> [u8; 3]) -> Vec<u8> {
    let pixels = samples.len() / stride;
    for pixel in 0..pixels {
        let rgb = color(&samples[pixel * stride..(pixel + 1) * stride]);
        samples[pixel * 3..pixel * 3 + 3].copy_from_slice(&rgb);
    }
    samples.truncate(pixels * 3);
    samples.shrink_to_fit();
    samples
}

/// Floating point TIFF: 0 to 1 becomes 0 to 255.
fn from_float(bytes: &[u8]) -> u8 {
    let sample = bytes.first_chunk().map_or(0.0, |sample| f32::from_ne_bytes(*sample));
    (sample.clamp(0.0, 1.0) * 255.0).round() as u8
}
