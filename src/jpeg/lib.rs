//! JPEG files to RGB: whole, as libjpeg decodes them, or at a fraction of their size, by inverse transforms that make fewer
//! pixels of a block.
//!
//! Reduced, as fast as its entropy coding lets it be: a camera's picture is mostly reduced away before it is resized to
//! what a model takes. Huffman-coded files of 8 bits a sample, sequential and progressive, grey, YCbCr and RGB. All else is
//! [`Refused::Unsupported`], and left to the decoder of every format. What is damaged is an error, never grey.

#[cfg_attr(not(target_arch = "x86_64"), path = "no_avx2.rs")]
#[allow(unsafe_code, reason = "instructions that not every processor has")]
mod avx2;
mod blocks;
mod color;
mod entropy;
mod frame;
mod huffman;
mod inverse;
mod output;
mod pass;
mod progressive;
mod scan;
mod segments;
mod sequential;
#[cfg(test)]
mod tests;
mod whole;

use std::fmt;

use avx2::Avx2;
use blocks::Coefficients;
use entropy::Window;
use frame::Frame;
use image::RgbImage;
use output::Output;
use segments::{Segment, Segments, marker};

/// Scans that one file may have: each of them may visit every block. Files have about ten.
const MAX_SCANS: usize = 64;
/// Buffers above this size are given back after a picture. A picture of 12 megapixels, as phones make them, needs 36 MB,
/// and a third of its time goes into fetching them anew.
const KEPT_BYTES: usize = 48 << 20;

/// Why a file is not decoded here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A kind of JPEG that is left to another decoder.
    #[error("a JPEG {0} is not decoded here")]
    Unsupported(&'static str),
    /// More than the caller allows; found before anything is decoded.
    #[error("the JPEG needs {found}, at most {limit} are allowed")]
    TooLarge {
        /// What the file claims.
        found: String,
        /// The caller's.
        limit: String,
    },
    /// Not what the format allows at byte `at` of the file.
    #[error("the JPEG is damaged at byte {at}: {reason}")]
    Damaged {
        /// From the file's beginning.
        at: usize,
        /// What is wrong there.
        reason: &'static str,
    },
}

/// Of the picture's sides: each is divided by 8 / `eighths`, and rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scale {
    /// One pixel of a block of eight by eight.
    Eighth = 1,
    /// Two by two.
    Quarter = 2,
    /// Four by four.
    Half = 4,
    /// All of them.
    Full = 8,
}

impl Scale {
    /// From the smallest on.
    pub const ALL: [Self; 4] = [Self::Eighth, Self::Quarter, Self::Half, Self::Full];

    /// The smallest at which a picture of `source` pixels still has `factor` times the pixels of `target` on each side.
    pub fn covering(source: (u32, u32), target: (f64, f64), factor: f64) -> Self {
        let covers = |scale: &Self| {
            let part = scale.part();
            f64::from(source.0) * part >= target.0 * factor && f64::from(source.1) * part >= target.1 * factor
        };
        Self::ALL.into_iter().find(covers).unwrap_or(Self::Full)
    }

    /// Of a side that is left.
    ///
    /// The reduced picture's side is rounded up, so its last pixel may lie partly outside of the picture: who resizes it
    /// takes `part` times the picture's side of it, not the whole.
    pub fn part(self) -> f64 {
        f64::from(self as u8) / 8.0
    }

    fn eighths(self) -> usize {
        self as usize
    }
}

/// What one file may claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Width times height, before it is reduced.
    pub pixels: u64,
    /// Held while decoding, the picture included.
    pub bytes: u64,
}

/// What a file says of its picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Of the whole picture.
    pub width: u32,
    /// Of the whole picture.
    pub height: u32,
    /// Grey has one, colours have three.
    pub components: usize,
    /// Whether scans refine each other.
    pub progressive: bool,
    /// The Exif block, from its TIFF header on.
    pub exif: Option<&'a [u8]>,
}

impl<'a> Header<'a> {
    /// Reads up to the frame's header.
    ///
    /// # Errors
    /// Whatever is refused up to there.
    pub fn read(file: &'a [u8]) -> Result<Self, Refused> {
        let mut segments = Segments::of(file)?;
        let mut exif = None;
        loop {
            let segment = segments.next_segment()?;
            if segment.marker == marker::APP1 && exif.is_none() {
                exif = segment.body.strip_prefix(b"Exif\0\0");
            }
            if let Some(frame) = Frame::of(&segment)? {
                let [width, height] = [frame.width, frame.height].map(u32::from);
                let (components, progressive) = (frame.components.len(), frame.progressive);
                return Ok(Self { width, height, components, progressive, exif });
            }
        }
    }
}

/// What decoding needs beside the picture, kept from one to the next.
#[derive(Default)]
pub struct Buffers {
    window: Window,
    coefficients: Coefficients,
    output: output::Buffers,
    rgb: Vec<u8>,
}

impl Buffers {
    /// Takes a picture back, for its memory.
    pub fn give_back(&mut self, image: RgbImage) {
        self.rgb = image.into_raw();
        self.forget_large();
    }

    fn forget_large(&mut self) {
        if self.coefficients.bytes() + self.output.bytes() + self.rgb.capacity() > KEPT_BYTES {
            *self = Self { window: std::mem::take(&mut self.window), ..Self::default() };
        }
    }
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffers").finish_non_exhaustive()
    }
}

/// Decodes `file` at `scale`.
///
/// Reduced, a pixel is the mean of the pixels it stands for, less what the frequencies above its own would add to it.
/// At [`Scale::Full`] the picture is libjpeg's, to the last bit.
///
/// # Errors
/// The file is damaged, of a kind that is not decoded here, or larger than `limits`.
pub fn decode(file: &[u8], scale: Scale, limits: &Limits, buffers: &mut Buffers) -> Result<RgbImage, Refused> {
    decode_with(Avx2::detect(), file, scale, limits, buffers)
}

fn decode_with(
    avx2: Option<Avx2>,
    file: &[u8],
    scale: Scale,
    limits: &Limits,
    buffers: &mut Buffers,
) -> Result<RgbImage, Refused> {
    let mut segments = Segments::of(file)?;
    let mut tables = scan::Tables::default();
    let frame = loop {
        let segment = segments.next_segment()?;
        match Frame::of(&segment)? {
            Some(frame) => break frame.reduced(scale.eighths(), avx2),
            None => tables.take(&segment)?,
        }
    };
    let first = first_scan(&mut segments, &mut tables)?;
    // Their number is the header's first byte.
    let streams =
        !frame.progressive && first.body.first().map(|count| usize::from(*count)) == Some(frame.components.len());
    frame.check(limits, !streams)?;
    let colors = tables.colors(&frame.components);
    let mut output = Output::new(&frame, colors, std::mem::take(&mut buffers.rgb), &mut buffers.output);
    if streams {
        let end = sequential::decode(&frame, &first, file, &tables, &mut buffers.window, &mut output)?;
        Segments::from(file, end).until_end()?;
    } else {
        let mut picture = progressive::Picture::new(&frame, &mut buffers.coefficients, &mut buffers.window);
        picture.decode(first, &mut segments, &mut tables)?;
        picture.write(&mut output);
    }
    let (width, height, rgb) = output.finish();
    let unlike = Refused::Damaged { at: 0, reason: "its pixels are not of its header's size" };
    let image = RgbImage::from_raw(width, height, rgb).ok_or(unlike)?;
    buffers.forget_large();
    Ok(image)
}

fn first_scan<'a>(segments: &mut Segments<'a>, tables: &mut scan::Tables) -> Result<Segment<'a>, Refused> {
    loop {
        let segment = segments.next_segment()?;
        match segment.marker {
            marker::SOS => return Ok(segment),
            _ => tables.take(&segment)?,
        }
    }
}
