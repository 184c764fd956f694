//! JPEG files decoded with fewer pixels, as `jpeg = "reduced"` asks: against the same input made of every pixel.

#[path = "support/bundles.rs"]
mod bundles;

use bundles::{Loaded, files, read, root};
use serde_json::json;
use strongroom::bundle::{ImageInput, Interpolation, Jpeg, Layout, Pixels, Position, Resize};
use strongroom::predict::image::{self, Fitted, ImageLimits, Picture, RgbImage};
use strongroom::predict::{PredictError, SelfTestError};

const LIMITS: ImageLimits = ImageLimits { pixels: 40_000_000, bytes: 25_000_000 };
const LITE: &str = "imagenet-efficientnet-lite0";

#[test]
fn photographs_fitted_of_fewer_pixels_differ_by_no_more_than_the_manual_says() {
    for (name, photograph) in photographs() {
        for interpolation in [Interpolation::Bilinear, Interpolation::Bicubic, Interpolation::Lanczos] {
            for (side, resize) in [
                (112, Resize::Stretch),
                (56, Resize::Stretch),
                (56, Resize::ShorterSide(64)),
                (64, Resize::Letterbox { position: Position::Center, fill: [114; 3] }),
                (36, Resize::Stretch),
            ] {
                let input = input(side, resize.clone(), interpolation);
                let (largest, mean) = difference(&reduced(&photograph, &input), &full(&photograph, &input));
                println!("{name} {side} {resize:?} {interpolation:?}: max {largest}, mean {mean:.3}");
                assert!(
                    largest <= 11.0 && mean <= 1.3,
                    "{name} {side} {resize:?} {interpolation:?}: {largest}, {mean}"
                );
            }
        }
    }
}

#[test]
fn fewer_pixels_are_made_where_twice_the_inputs_are_left_and_else_all() {
    let photograph = read(root().join("tests/reference/photos/large.jpg")); // 600 x 800
    let differs = |side| {
        let input = input(side, Resize::Stretch, Interpolation::Bilinear);
        difference(&reduced(&photograph, &input), &full(&photograph, &input)).0 > 0.0
    };
    assert!(differs(150), "half of 600 is twice 150");
    assert!(!differs(151));
}

#[test]
fn every_orientation_is_turned_upright_and_placed_as_the_whole_picture_is() {
    let photograph = &read(root().join("model-artifacts").join(LITE).join("self-test/chelsea.jpg")); // 451 x 300
    let letterbox = Resize::Letterbox { position: Position::TopLeft, fill: [0; 3] };
    for orientation in 1..=8 {
        let file = oriented(photograph, orientation);
        for (side, resize) in [(36, Resize::Stretch), (48, letterbox.clone()), (32, Resize::ShorterSide(37))] {
            let input = input(side, resize, Interpolation::Bilinear);
            let (found, expected) = (reduced(&file, &input), full(&file, &input));
            let (largest, mean) = difference(&found, &expected);
            println!("orientation {orientation}, {side}: max {largest}, mean {mean:.3}");
            assert!(largest > 0.0, "orientation {orientation}: it was not reduced");
            assert!(largest <= 4.0 && mean <= 0.6, "orientation {orientation}, {side}: {largest}, {mean}");
            assert_eq!((found.placement, found.size), (expected.placement, expected.size));
            assert_eq!(found.size, if orientation < 5 { (451, 300) } else { (300, 451) });
        }
    }
}

#[test]
fn files_of_other_kinds_are_decoded_whole() {
    for name in ["cmyk.jpg", "rgb.png", "lossy.webp", "rgb.tiff"] {
        let file = read(root().join("tests/images").join(name));
        let input = input(4, Resize::Stretch, Interpolation::Bilinear);
        assert_eq!(difference(&reduced(&file, &input), &full(&file, &input)).0, 0.0, "{name}");
    }
}

#[test]
fn damaged_and_too_large_files_are_refused() {
    let file = read(root().join("tests/reference/photos/large.jpg"));
    let input = input(56, Resize::Stretch, Interpolation::Bilinear);
    let decoded = |file: &[u8], limits: &ImageLimits| Picture::decode(7, file, limits, &input);
    assert!(decoded(&file, &LIMITS).is_ok());
    for cut in [file.len() - 2, file.len() / 2, 300, 3] {
        let result = decoded(&file[..cut], &LIMITS);
        assert!(matches!(result, Err(PredictError::DamagedImage { item: 7, .. })), "{cut}: {result:?}");
    }
    for limits in
        [ImageLimits { pixels: 600 * 800 - 1, ..LIMITS }, ImageLimits { bytes: file.len() as u64 - 1, ..LIMITS }]
    {
        let result = decoded(&file, &limits);
        assert!(matches!(result, Err(PredictError::ImageTooLarge { item: 7, .. })), "{limits:?}: {result:?}");
    }
}

#[test]
fn a_bundle_whose_self_test_fails_with_fewer_pixels_is_told_so() {
    let photograph = enlarged();
    let expected = Loaded::sample(LITE).answer("image/jpeg", photograph.clone());
    let outcome = |jpeg: &str, tolerance: &str| {
        let mut files = files(LITE);
        let manifest = String::from_utf8(files["model.toml"].to_vec()).unwrap();
        let asked = manifest
            .replace("width = 224", &format!("width = 224\njpeg = \"{jpeg}\""))
            .replace("tolerance = 0.01", &format!("tolerance = {tolerance}"));
        files.insert("model.toml".to_owned(), asked.into());
        files.insert("self-test/chelsea.jpg".to_owned(), photograph.clone().into());
        files.insert("self-test/chelsea.json".to_owned(), json!(expected).to_string().into());
        let mut loaded = Loaded::of(files);
        loaded.predictor.self_test(&mut loaded.session)
    };
    assert!(outcome("full", "0.0").is_ok());
    let strict = outcome("reduced", "0.0");
    println!("{strict:?}");
    assert!(matches!(strict, Err(SelfTestError::Differs { .. })), "{strict:?}");
    let lenient = outcome("reduced", "0.01");
    assert!(lenient.is_ok(), "{lenient:?}");
}

fn photographs() -> Vec<(&'static str, bytes::Bytes)> {
    let paths = [
        ("large", "tests/reference/photos/large.jpg"),
        ("chelsea", "model-artifacts/imagenet-efficientnet-lite0/self-test/chelsea.jpg"),
        ("astronaut", "model-artifacts/face-analyzer/self-test/astronaut.jpg"),
    ];
    paths.map(|(name, path)| (name, read(root().join(path)))).to_vec()
}

/// A photograph large enough for a network's input to be made of half its pixels.
fn enlarged() -> Vec<u8> {
    let photograph = read(root().join("model-artifacts/face-analyzer/self-test/astronaut.jpg"));
    let photograph = image::decode(0, &photograph, &LIMITS).unwrap();
    let large = ::image::imageops::resize(&photograph, 1_200, 1_200, ::image::imageops::FilterType::Lanczos3);
    let mut file = Vec::new();
    ::image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 90).encode_image(&large).unwrap();
    file
}

/// `file` with an Exif block that names `orientation`.
fn oriented(file: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"\xFF\xE1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    [&file[..2], &exif, &file[2..]].concat()
}

fn input(side: u32, resize: Resize, interpolation: Interpolation) -> ImageInput {
    let pixels = Pixels { layout: Layout::Nhwc, ..Pixels::default() };
    ImageInput { name: None, width: side, height: side, resize, interpolation, jpeg: Jpeg::Reduced, pixels }
}

fn reduced(file: &[u8], input: &ImageInput) -> Fitted {
    Picture::decode(0, file, &LIMITS, input).unwrap().fit(input).unwrap()
}

fn full(file: &[u8], input: &ImageInput) -> Fitted {
    let whole: RgbImage = image::decode(0, file, &LIMITS).unwrap();
    image::fit(&whole, input).unwrap()
}

/// Largest and mean, in steps of 255.
fn difference(one: &Fitted, other: &Fitted) -> (f32, f64) {
    let (one, other) = (one.tensor.values::<f32>().unwrap(), other.tensor.values::<f32>().unwrap());
    assert_eq!(one.len(), other.len());
    let all: Vec<f32> = one.iter().zip(other.iter()).map(|(one, other)| (one - other).abs()).collect();
    (all.iter().copied().fold(0.0, f32::max), all.iter().map(|one| f64::from(*one)).sum::<f64>() / all.len() as f64)
}
