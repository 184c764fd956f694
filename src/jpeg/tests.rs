//! Against libjpeg-turbo's pictures in `tests/images/jpeg`, and against each other.

mod damage;

use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;

use super::inverse::{Inverse, ZIGZAG, last_needed};
use super::whole::Block;
use super::*;

const LIMITS: Limits = Limits { pixels: 40_000_000, bytes: 256 << 20 };

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/images/jpeg")
}

/// All files and what they are called.
fn files() -> Vec<(String, Vec<u8>)> {
    let paths = std::fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let jpegs = paths.filter(|path| path.extension().is_some_and(|extension| extension == "jpg"));
    let mut files: Vec<_> = jpegs
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() > 40, "{} files", files.len());
    files
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(directory().join(name).with_extension("jpg")).unwrap()
}

fn decoded(file: &[u8], scale: Scale) -> RgbImage {
    decode(file, scale, &LIMITS, &mut Buffers::default()).unwrap()
}

/// What libjpeg-turbo made of a file, at `scale`.
fn reference(name: &str, file: &[u8], scale: Scale) -> RgbImage {
    let sheet = image::open(directory().join(name).with_extension("png")).unwrap().into_rgb8();
    let header = Header::read(file).unwrap();
    let size = |scale: Scale| [header.width, header.height].map(|side| (side * scale as u32).div_ceil(8));
    let above = Scale::ALL.into_iter().filter(|other| *other > scale).map(|other| size(other)[1]).sum();
    let [width, height] = size(scale);
    image::imageops::crop_imm(&sheet, 0, above, width, height).to_image()
}

/// Largest and mean.
fn difference(found: &RgbImage, expected: &RgbImage) -> (u8, f64) {
    assert_eq!(found.dimensions(), expected.dimensions());
    let all: Vec<u8> = found.iter().zip(expected.iter()).map(|(a, b)| a.abs_diff(*b)).collect();
    (*all.iter().max().unwrap(), all.iter().map(|one| f64::from(*one)).sum::<f64>() / all.len() as f64)
}

/// The mean of each square of `side` pixels, of those wholly inside of both.
fn means(full: &RgbImage, side: u32) -> RgbImage {
    RgbImage::from_fn(full.width() / side, full.height() / side, |x, y| {
        let square = image::imageops::crop_imm(full, x * side, y * side, side, side).to_image();
        let sum = |channel: usize| square.pixels().map(|pixel| u32::from(pixel.0[channel])).sum::<u32>();
        image::Rgb([0, 1, 2].map(|channel| ((sum(channel) + side * side / 2) / (side * side)) as u8))
    })
}

#[test]
fn every_kind_decodes_at_full_size_as_libjpeg_decodes_it() {
    for (name, file) in files() {
        let expected = reference(&name, &file, Scale::Full);
        for avx2 in [None, Avx2::detect()] {
            let found = decode_with(avx2, &file, Scale::Full, &LIMITS, &mut Buffers::default()).unwrap();
            assert_eq!(difference(&found, &expected), (0, 0.0), "{name}, {avx2:?}");
        }
    }
}

/// Of other samplings, libjpeg makes blocks of the same size for all components, and repeats what is too little.
#[test]
fn what_libjpeg_reduces_without_upsampling_is_reduced_as_there() {
    let alike = |name: &str| ["grey", "420", "444", "rgb", "one_scan"].iter().any(|kind| name.contains(kind));
    for (name, file) in files().into_iter().filter(|(name, _)| alike(name)) {
        for scale in [Scale::Half, Scale::Quarter, Scale::Eighth] {
            let (largest, mean) = difference(&decoded(&file, scale), &reference(&name, &file, scale));
            assert!(largest <= 3 && mean <= 0.9, "{name} {scale:?}: max {largest}, mean {mean:.3}");
        }
    }
}

#[test]
fn a_reduced_pixel_is_close_to_the_mean_of_what_it_stands_for() {
    for (name, file) in files().into_iter().filter(|(name, _)| name.contains("70x50") || name == "baseline_rgb") {
        let full = reference(&name, &file, Scale::Full);
        for scale in [Scale::Half, Scale::Quarter, Scale::Eighth] {
            let expected = means(&full, 8 / scale as u32);
            let reduced = decoded(&file, scale);
            let inside = image::imageops::crop_imm(&reduced, 0, 0, expected.width(), expected.height()).to_image();
            let (largest, mean) = difference(&inside, &expected);
            // Half of 4:1:1 is a quarter's colour.
            let (allowed, allowed_mean) = if name.contains("411") { (17, 4.5) } else { (7, 1.2) };
            assert!(largest <= allowed && mean <= allowed_mean, "{name} {scale:?}: max {largest}, mean {mean:.3}");
        }
    }
}

/// Both have the same coefficients: whatever scans were left out did not matter.
#[test]
fn a_progressive_picture_equals_the_sequential_one() {
    for (name, file) in files() {
        let Some(kind) = name.strip_prefix("progressive_") else { continue };
        let baseline = self::file(&format!("baseline_{kind}"));
        for scale in Scale::ALL {
            assert_eq!(decoded(&file, scale), decoded(&baseline, scale), "{name} {scale:?}");
        }
    }
}

#[test]
fn nothing_of_one_picture_shows_in_the_next() {
    let mut buffers = Buffers::default();
    let mut all = files();
    all.extend(files().into_iter().rev());
    for (name, file) in all {
        for scale in Scale::ALL {
            let image = decode(&file, scale, &LIMITS, &mut buffers).unwrap();
            assert_eq!(image, decoded(&file, scale), "{name} {scale:?}");
            buffers.give_back(image);
        }
    }
}

/// Of so many blocks that several symbols are passed at once, with noise in all frequencies and in none.
#[test]
fn a_large_picture_is_reduced_as_its_full_size_is() {
    let mut state = 1u32;
    let large = RgbImage::from_fn(1_024, 1_024, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = if x < 512 { (state >> 26) as u8 } else { 0 };
        image::Rgb([(x / 8) as u8 + noise, (y / 8) as u8 + noise, 128])
    });
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 95).encode_image(&large).unwrap();
    let full = decoded(&file, Scale::Full);
    for (scale, allowed) in [(Scale::Half, 28), (Scale::Quarter, 8), (Scale::Eighth, 2)] {
        let (largest, mean) = difference(&decoded(&file, scale), &means(&full, 8 / scale as u32));
        assert!(largest <= allowed && mean <= 2.0, "{scale:?}: max {largest}, mean {mean:.3}");
    }
}

#[test]
fn a_header_says_what_the_picture_is() {
    let file = file("progressive_420_33x17");
    let header = Header { width: 33, height: 17, components: 3, progressive: true, exif: None };
    assert_eq!(Header::read(&file), Ok(header));
    let exif = [b"\xFF\xD8\xFF\xE1\x00\x0CExif\0\0MM\0*".as_slice(), &file[2..]].concat();
    assert_eq!(Header::read(&exif), Ok(Header { exif: Some(b"MM\0*"), ..header }));
}

#[test]
fn the_scale_is_the_smallest_that_covers_the_target() {
    let source = (4_000, 3_000);
    for (target, factor, expected) in [
        (224.0, 1.0, Scale::Eighth),
        (224.0, 2.0, Scale::Quarter),
        (224.0, 3.0, Scale::Quarter),
        (376.0, 1.0, Scale::Quarter),
        (750.0, 2.0, Scale::Half),
        (751.0, 2.0, Scale::Full),
        (9_000.0, 1.0, Scale::Full),
    ] {
        assert_eq!(Scale::covering(source, (target, target), factor), expected, "{target} {factor}");
    }
}

/// By the formula of T.81, A.3.3, in double precision.
#[test]
fn each_inverse_transform_is_the_mean_of_its_frequencies() {
    for across in [1, 2, 4, 8] {
        for down in [1, 2, 4, 8] {
            let needed = last_needed([across, down]);
            for (behind, block) in [0, 5, 9, 63].map(|behind| (behind.min(needed), some_block(behind.min(needed)))) {
                let mut found = [0; 64];
                Inverse::to([across, down], None).write(&block, behind, &mut found, 8);
                for y in 0..down {
                    for x in 0..across {
                        let expected = mean_of_formula(&block, [across, down], [x, y]);
                        let found = f64::from(found[y * 8 + x]);
                        // Whole blocks are rounded twice, as libjpeg rounds them.
                        let allowed = if across + down == 16 { 0.8 } else { 0.51 };
                        assert!((found - expected).abs() < allowed, "{across}x{down} at {x},{y}: {found}, {expected}");
                    }
                }
            }
        }
    }
}

/// Some numbers up to coefficient `last`.
fn some_block(last: usize) -> Block {
    let mut state = 7u32;
    let mut block = [0; 64];
    for place in &ZIGZAG[..=last] {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        block[usize::from(*place)] = (state >> 24) as i16 - 128;
    }
    block
}

/// Pixel `at` of those that a block's `size` becomes, of the frequencies that such a size has.
fn mean_of_formula(block: &Block, size: [usize; 2], at: [usize; 2]) -> f64 {
    let wave = |u: usize, x: usize| {
        let scale = if u == 0 { 0.5f64.sqrt() } else { 1.0 };
        scale / 2.0 * ((2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0).cos()
    };
    let [wide, high] = size.map(|side| 8 / side);
    let mut sum = 0.0;
    for y in at[1] * high..(at[1] + 1) * high {
        for x in at[0] * wide..(at[0] + 1) * wide {
            for v in 0..size[1] {
                for u in 0..size[0] {
                    sum += f64::from(block[v * 8 + u]) * wave(u, x) * wave(v, y);
                }
            }
        }
    }
    (sum / (wide * high) as f64 + 128.0).clamp(0.0, 255.0)
}
