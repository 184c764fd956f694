//! Decoding, fitting, warping and drawing, against Pillow's results in `tests/images`.

use std::path::{Path, PathBuf};

use strongroom::bundle::{ColorOrder, ImageInput, Interpolation, Jpeg, Layout, Pixels, Position, Resize};
use strongroom::predict::image::{self, Fitted, ImageLimits, RgbImage, Similarity};
use strongroom::predict::{Answer, Corners, Detection, Face, Faces, FacialArea, LabelScore, PredictError};

const LIMITS: ImageLimits = ImageLimits { pixels: 40_000_000, bytes: 25_000_000 };

#[test]
fn files_decode_as_pillow_decodes_them() {
    for name in [
        "rgb.png",
        "interlaced_palette.png",
        "grey.png",
        "bilevel.png",
        "alpha.png",
        "grey_alpha.png",
        "grey16.png",
        "alpha.webp",
        "lossless.webp",
        "rgb.bmp",
        "palette.bmp",
        "rgb.tiff",
        "lzw.tiff",
        "deflate.tiff",
        "animated.gif",
        "lossy.webp",
        "rgb.jpg",
        "progressive.jpg",
        "subsampled.jpg",
        "grey.jpg",
    ] {
        let (largest, _) = difference(&decoded(name), &reference(name));
        assert_eq!(largest, 0, "{name}");
    }
}

#[test]
fn files_of_printing_inks_decode_within_rounding_of_pillow() {
    for (name, allowed, allowed_mean) in [("cmyk.jpg", 5, 1.0), ("cmyk.tiff", 2, 0.6)] {
        let (largest, mean) = difference(&decoded(name), &reference(name));
        println!("{name}: max {largest}, mean {mean:.3}");
        assert!(largest <= allowed && mean <= allowed_mean, "{name}: max {largest}, mean {mean}");
    }
}

#[test]
fn a_floating_point_tiff_is_read_at_any_size() {
    let wide = ::image::Rgb32FImage::from_fn(3_000, 2_000, |x, _| ::image::Rgb([x as f32 / 2_999.0, 0.5, 2.0]));
    let mut file = std::io::Cursor::new(Vec::new());
    ::image::DynamicImage::ImageRgb32F(wide).write_to(&mut file, ::image::ImageFormat::Tiff).unwrap();
    let found = image::decode(0, file.get_ref(), &ImageLimits { bytes: 100_000_000, ..LIMITS }).unwrap();
    assert_eq!((found.get_pixel(0, 0).0, found.get_pixel(2_999, 1_999).0), ([0, 128, 255], [255, 128, 255]));
}

#[test]
fn of_16_bits_the_upper_8_are_taken() {
    let deep = ::image::ImageBuffer::from_fn(5, 3, |x, _| ::image::Rgba([(x * 0x1234) as u16, 0xFFFF, 0x00FF, 7]));
    let mut file = std::io::Cursor::new(Vec::new());
    ::image::DynamicImage::ImageRgba16(deep).write_to(&mut file, ::image::ImageFormat::Png).unwrap();
    assert_eq!(image::decode(0, file.get_ref(), &LIMITS).unwrap().get_pixel(4, 2).0, [0x48, 0xFF, 0]);
}

#[test]
fn exif_orientation_is_applied() {
    let names = (1..=8).map(|orientation| format!("orientation_{orientation}.png"));
    for name in names.chain(["orientation_6.webp".into(), "orientation_6.jpg".into()]) {
        assert_eq!(difference(&decoded(&name), &reference(&name)).0, 0, "{name}");
    }
}

#[test]
fn an_image_over_the_pixel_limit_is_refused() {
    let limits = ImageLimits { pixels: 40 * 30 - 1, ..LIMITS };
    for name in ["rgb.jpg", "rgb.png", "lossy.webp", "animated.gif", "rgb.bmp", "rgb.tiff"] {
        let result = image::decode(0, &file(name), &limits);
        assert!(matches!(result, Err(PredictError::ImageTooLarge { .. })), "{name}");
    }
}

#[test]
fn an_image_over_the_byte_limit_is_refused() {
    let bytes = file("rgb.jpg");
    let limits = ImageLimits { bytes: bytes.len() as u64 - 1, ..LIMITS };
    assert!(matches!(image::decode(3, &bytes, &limits), Err(PredictError::ImageTooLarge { item: 3, .. })));
}

#[test]
fn filters_equal_pillows() {
    let image = decoded("resize.png");
    for (name, filter) in [
        ("nearest", Interpolation::Nearest),
        ("bilinear", Interpolation::Bilinear),
        ("bicubic", Interpolation::Bicubic),
        ("lanczos", Interpolation::Lanczos),
    ] {
        for (width, height) in [(56, 56), (80, 50), (9, 13), (225, 175), (159, 108)] {
            let fitted = image::fit(&image, &input(width, height, Resize::Stretch, filter)).unwrap();
            let (largest, mean) = difference(&picture(&fitted), &load(&format!("resize_{name}_{width}x{height}.png")));
            println!("{name} {width}x{height}: max {largest}, mean {mean:.3}");
            let allowed = match filter {
                Interpolation::Nearest => 0,
                Interpolation::Bilinear => 1,
                Interpolation::Bicubic | Interpolation::Lanczos => 2,
            };
            assert!(largest <= allowed && mean < 0.01, "{name} {width}x{height}: max {largest}, mean {mean}");
        }
    }
}

#[test]
fn shorter_side_and_cut_equal_torchvisions() {
    let image = decoded("resize.png");
    for (side, cut) in [(64, 56), (61, 58), (32, 40)] {
        let fitted = image::fit(&image, &input(cut, cut, Resize::ShorterSide(side), Interpolation::Bicubic)).unwrap();
        let (largest, mean) = difference(&picture(&fitted), &load(&format!("shorter_side_{side}_{cut}.png")));
        println!("shorter side {side}, cut {cut}: max {largest}, mean {mean:.3}");
        assert!(largest <= 1, "{side} {cut}: max {largest}, mean {mean}");
    }
}

#[test]
fn an_odd_pixel_is_cut_as_the_library_does_that_the_model_was_trained_with() {
    // 160 x 107 to 91 x 61: 3 rows too many for 58.
    let image = decoded("resize.png");
    let first_row = |resize| {
        let fitted = image::fit(&image, &input(58, 58, resize, Interpolation::Bilinear)).unwrap();
        fitted.placement.to_image(0.0, 0.0).1 * 61.0 / 107.0
    };
    assert!((first_row(Resize::ShorterSide(61)) - 2.0).abs() < 1e-4, "torchvision rounds 1.5 to even");
    assert!((first_row(Resize::ShorterSideFloor(61)) - 1.0).abs() < 1e-4, "transformers takes 3 // 2");
}

#[test]
fn letterbox_equals_pillow_with_ultralytics_rounding() {
    let image = decoded("resize.png");
    let center = Resize::Letterbox { position: Position::Center, fill: [114; 3] };
    let fitted = image::fit(&image, &input(64, 64, center, Interpolation::Bilinear)).unwrap();
    assert!(difference(&picture(&fitted), &load("letterbox_64_center.png")).0 <= 1);
    let corner = Resize::Letterbox { position: Position::TopLeft, fill: [0; 3] };
    let fitted = image::fit(&image, &input(64, 48, corner, Interpolation::Bilinear)).unwrap();
    assert!(difference(&picture(&fitted), &load("letterbox_64x48_top_left.png")).0 <= 1);
}

#[test]
fn placement_leads_back_to_the_image() {
    let image = decoded("resize.png"); // 160 x 107
    let stretched = image::fit(&image, &input(80, 50, Resize::Stretch, Interpolation::Bilinear)).unwrap().placement;
    near(stretched.to_image(80.0, 50.0), (160.0, 107.0));
    let center = Resize::Letterbox { position: Position::Center, fill: [0; 3] };
    let boxed = image::fit(&image, &input(64, 64, center, Interpolation::Bilinear)).unwrap().placement; // 64 x 43, 10 above
    near(boxed.to_image(0.0, 10.0), (0.0, 0.0));
    near(boxed.to_image(64.0, 53.0), (160.0, 107.0));
    let cut = image::fit(&image, &input(56, 56, Resize::ShorterSide(64), Interpolation::Bilinear)).unwrap().placement; // of 95 x 64
    near(cut.to_image(0.0, 0.0), (20.0 * 160.0 / 95.0, 4.0 * 107.0 / 64.0));
    near(cut.scale(), (160.0 / 95.0, 107.0 / 64.0));
    let padded =
        image::fit(&image, &input(40, 40, Resize::ShorterSide(32), Interpolation::Bilinear)).unwrap().placement; // of 47 x 32
    near(padded.to_image(0.0, 4.0), (4.0 * 160.0 / 47.0, 0.0));
}

#[test]
fn a_line_of_pixels_can_be_fitted_every_way() {
    for (width, height) in [(1, 1), (65_535, 1), (1, 65_535)] {
        let image = RgbImage::from_pixel(width, height, ::image::Rgb([9, 9, 9]));
        for resize in
            [Resize::Stretch, Resize::ShorterSide(256), Resize::Letterbox { position: Position::Center, fill: [9; 3] }]
        {
            let fitted = image::fit(&image, &input(224, 224, resize, Interpolation::Lanczos)).unwrap();
            assert_eq!(*picture(&fitted).get_pixel(112, 112), ::image::Rgb([9, 9, 9]));
        }
    }
}

#[test]
fn numbers_are_scaled_shifted_and_divided_in_the_order_of_the_channels() {
    let image = RgbImage::from_pixel(1, 1, ::image::Rgb([10, 20, 30]));
    let mut pixels = Pixels { scale: 0.5, mean: [1.0, 2.0, 3.0], std: [2.0, 4.0, 8.0], ..Pixels::default() };
    assert_eq!(values(&image::tensor(&image, &pixels)), [2.0, 2.0, 1.5]);
    pixels.color_order = ColorOrder::Bgr;
    assert_eq!(values(&image::tensor(&image, &pixels)), [7.0, 2.0, 0.25]);
}

#[test]
fn layout_orders_the_axes() {
    let image = RgbImage::from_raw(2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap();
    let planar = image::tensor(&image, &Pixels::default());
    assert_eq!((planar.shape(), values(&planar)), ([1, 3, 1, 2].as_slice(), vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
    let interleaved = image::tensor(&image, &Pixels { layout: Layout::Nhwc, ..Pixels::default() });
    assert_eq!(
        (interleaved.shape(), values(&interleaved)),
        ([1, 1, 2, 3].as_slice(), vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    );
}

#[test]
fn a_similarity_is_found_from_its_points() {
    let truth = Similarity { a: 0.6, b: -0.3, tx: 12.0, ty: -5.0 };
    let from = [[1.0, 2.0], [40.0, 3.0], [22.0, 17.0], [5.0, 50.0]];
    let to = from.map(|[x, y]: [f32; 2]| {
        let (x, y) = truth.apply(f64::from(x), f64::from(y));
        [x as f32, y as f32]
    });
    let found = Similarity::between(&from, &to).unwrap();
    for (found, truth) in [(found.a, truth.a), (found.b, truth.b), (found.tx, truth.tx), (found.ty, truth.ty)] {
        assert!((found - truth).abs() < 1e-4, "{found} {truth}");
    }
    let (x, y) = found.inverse().unwrap().apply(found.apply(7.0, 9.0).0, found.apply(7.0, 9.0).1);
    assert!((x - 7.0).abs() < 1e-9 && (y - 9.0).abs() < 1e-9);
}

#[test]
fn points_in_one_place_have_no_similarity() {
    assert_eq!(
        Similarity::between(&[[1.0, 1.0]; 5], &[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 0.0]]),
        None
    );
    assert_eq!(Similarity::between(&[[f32::NAN, 1.0]; 2], &[[1.0, 2.0], [3.0, 4.0]]), None);
}

#[test]
fn an_unmoved_cut_is_the_image() {
    let image = decoded("resize.png");
    let cut = image::warp(&image, &Similarity { a: 1.0, b: 0.0, tx: -20.0, ty: -10.0 }, 64).unwrap();
    let expected = ::image::imageops::crop_imm(&image, 20, 10, 64, 64).to_image();
    assert_eq!(difference(&cut, &expected).0, 0);
}

#[test]
fn a_quarter_turn_is_exact() {
    let image = ::image::imageops::crop_imm(&decoded("resize.png"), 0, 0, 64, 64).to_image();
    // (x, y) becomes (64 - y, x).
    let turned = image::warp(&image, &Similarity { a: 0.0, b: 1.0, tx: 64.0, ty: 0.0 }, 64).unwrap();
    assert_eq!(difference(&turned, &::image::imageops::rotate90(&image)).0, 0);
}

#[test]
fn a_strongly_shrunk_cut_is_smooth() {
    let checkers = RgbImage::from_fn(640, 640, |x, y| ::image::Rgb([if (x + y) % 2 == 0 { 255 } else { 0 }; 3]));
    let chip = image::warp(&checkers, &Similarity { a: 0.05, b: 0.02, tx: 0.0, ty: 0.0 }, 16).unwrap();
    let inner = chip.enumerate_pixels().filter(|(x, y, _)| *x > 7 && (8..14).contains(y));
    for (x, y, pixel) in inner {
        assert!(pixel.0[0].abs_diff(127) <= 4, "{x} {y} {pixel:?}");
    }
}

#[test]
fn a_cut_outside_of_the_image_is_black() {
    let image = RgbImage::from_pixel(10, 10, ::image::Rgb([255; 3]));
    for (a, tx) in [(1.0, 1000.0), (0.1, 1000.0), (f64::NAN, 0.0), (0.0, 0.0), (1e-300, 0.0)] {
        let chip = image::warp(&image, &Similarity { a, b: 0.0, tx, ty: 0.0 }, 8).unwrap();
        assert!(chip.pixels().all(|pixel| pixel.0 == [0; 3]), "{a} {tx}");
    }
}

#[test]
fn boxes_points_and_labels_are_drawn_and_nothing_outside_of_the_image() {
    let area = |x, y, w, h| FacialArea {
        x,
        y,
        w,
        h,
        left_eye: [30.0, 30.0],
        right_eye: [f32::NAN, 1e30],
        nose: [-5.0, -5.0],
        mouth_left: [f32::INFINITY, 0.0],
        mouth_right: [99.0, 99.0],
    };
    let face = |facial_area| Face {
        facial_area,
        face_confidence: 0.9,
        embedding: None,
        age: Some(40.0),
        gender: None,
        dominant_gender: Some("Woman".into()),
        emotion: None,
        dominant_emotion: None,
    };
    let corners = Corners { xmin: 10.0, ymin: 40.0, xmax: 90.0, ymax: 95.0 };
    for answer in [
        Answer::Labels(vec![LabelScore { label: "tabby, tabby cat".into(), score: 0.5 }]),
        Answer::Detections(vec![Detection { label: "\u{732B}".into(), score: 0.5, corners }]),
        Answer::Faces(Faces {
            results: vec![face(area(10.0, 40.0, 50.0, 50.0)), face(area(-1e30, f32::NAN, 1e38, 1e38))],
        }),
    ] {
        let mut image = RgbImage::new(100, 100);
        image::draw(&mut image, &answer);
        assert!(image.pixels().any(|pixel| pixel.0 != [0; 3]), "{answer:?}");
    }
}

#[test]
fn a_written_png_reads_back_as_the_same_picture() {
    let image = decoded("rgb.png");
    let png = image::encode_png(&image).unwrap();
    assert_eq!(image::decode(0, &png, &LIMITS).unwrap(), image);
}

fn input(width: u32, height: u32, resize: Resize, interpolation: Interpolation) -> ImageInput {
    let pixels = Pixels { layout: Layout::Nhwc, ..Pixels::default() };
    ImageInput { name: None, width, height, resize, interpolation, jpeg: Jpeg::Full, pixels }
}

fn picture(fitted: &Fitted) -> RgbImage {
    let shape = fitted.tensor.shape();
    let samples = values(&fitted.tensor).into_iter().map(|value| value as u8).collect();
    RgbImage::from_raw(shape[2] as u32, shape[1] as u32, samples).unwrap()
}

fn values(tensor: &strongroom::model::Tensor) -> Vec<f32> {
    tensor.values::<f32>().unwrap().to_vec()
}

fn near(found: (f32, f32), expected: (f32, f32)) {
    assert!((found.0 - expected.0).abs() < 1e-3 && (found.1 - expected.1).abs() < 1e-3, "{found:?} {expected:?}");
}

/// Largest and mean difference of all samples.
fn difference(one: &RgbImage, other: &RgbImage) -> (u8, f64) {
    assert_eq!(one.dimensions(), other.dimensions());
    let differences = || one.as_raw().iter().zip(other.as_raw()).map(|(one, other)| one.abs_diff(*other));
    let sum: u64 = differences().map(u64::from).sum();
    (differences().max().unwrap_or(0), sum as f64 / one.as_raw().len() as f64)
}

fn decoded(name: &str) -> RgbImage {
    image::decode(0, &file(name), &LIMITS).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn reference(name: &str) -> RgbImage {
    load(&format!("{name}.rgb.png"))
}

fn load(name: &str) -> RgbImage {
    ::image::load_from_memory(&file(name)).unwrap().into_rgb8()
}

fn file(name: &str) -> Vec<u8> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images").join(name);
    std::fs::read(path).unwrap()
}
