//! Answers drawn on their picture.

use std::convert::Infallible;

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::FONT_8X13_BOLD as FONT;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::{Drawable as _, RgbColor as _};
use embedded_graphics::text::{Baseline, Text};
use image::{ImageEncoder as _, Rgb};

use super::RgbImage;
use crate::predict::{Answer, Corners, Detection, Face, FacialArea, LabelScore};

const BOXES: Rgb<u8> = Rgb([0, 200, 83]);
const POINTS: Rgb<u8> = Rgb([255, 214, 0]);
const BEHIND_TEXT: Rgb<u8> = Rgb([0, 77, 32]);
/// The shorter side for which one pixel of the font is one of the image.
const PLAIN_SIDE: u32 = 400;

/// Draws boxes, points and labels of `answer` in a size that fits the image. Labels without a place go to the top left
/// corner; what has neither (vectors, rows, tensors, comparisons of two images) leaves the image as it is.
pub fn draw(image: &mut RgbImage, answer: &Answer) {
    let mut pen = Pen { size: (image.width().min(image.height()) / PLAIN_SIDE).max(1), image };
    match answer {
        Answer::Labels(labels) => labels.iter().enumerate().for_each(|(line, label)| pen.label(line, label)),
        Answer::Detections(detections) => detections.iter().for_each(|detection| pen.detection(detection)),
        Answer::Faces(faces) => faces.results.iter().for_each(|face| pen.face(face)),
        Answer::Embedding(_) | Answer::Comparison(_) | Answer::Row(_) | Answer::Tensors(_) => {}
    }
}

/// The image as a PNG file.
///
/// # Errors
/// The image has no pixels.
pub fn encode_png(image: &RgbImage) -> Result<Vec<u8>, DrawError> {
    let mut file = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut file);
    encoder.write_image(image, image.width(), image.height(), image::ExtendedColorType::Rgb8)?;
    Ok(file)
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
#[error("the picture cannot be written as PNG")]
pub struct DrawError(#[from] image::ImageError);

/// Draws on an image; `size` is the width of its lines and the pixels of the image per pixel of the font.
struct Pen<'a> {
    image: &'a mut RgbImage,
    size: u32,
}

impl Pen<'_> {
    fn label(&mut self, line: usize, label: &LabelScore) {
        let height = i64::from(self.size * (FONT.character_size.height + 2));
        let line = i64::try_from(line).unwrap_or(i64::MAX);
        self.text((0, height.saturating_mul(line)), &format!("{} {:.2}", label.label, label.score));
    }

    fn detection(&mut self, detection: &Detection) {
        let Corners { xmin, ymin, xmax, ymax } = detection.corners;
        self.rectangle([xmin, ymin, xmax, ymax]);
        self.caption(xmin, ymin, &format!("{} {:.2}", detection.label, detection.score));
    }

    fn face(&mut self, face: &Face) {
        let FacialArea { x, y, w, h, left_eye, right_eye, nose, mouth_left, mouth_right } = face.facial_area;
        self.rectangle([x, y, x + w, y + h]);
        for point in [left_eye, right_eye, nose, mouth_left, mouth_right] {
            self.point(point);
        }
        let words = [
            Some(format!("{:.2}", face.face_confidence)),
            face.age.map(|age| format!("{age:.0} y")),
            face.dominant_gender.clone(),
            face.dominant_emotion.clone(),
        ];
        self.caption(x, y, &words.into_iter().flatten().collect::<Vec<_>>().join(" "));
    }

    fn rectangle(&mut self, corners: [f32; 4]) {
        // Far beyond any image, so that sums stay small.
        let [left, top, right, bottom] = corners.map(|corner| corner.clamp(-1e6, 1e6).round() as i64);
        let (line, width, height) = (i64::from(self.size), right - left, bottom - top);
        self.fill((left, top), (width, line), BOXES);
        self.fill((left, bottom - line), (width, line), BOXES);
        self.fill((left, top), (line, height), BOXES);
        self.fill((right - line, top), (line, height), BOXES);
    }

    fn point(&mut self, [x, y]: [f32; 2]) {
        let side = i64::from(self.size) * 3;
        self.fill((x.clamp(-1e6, 1e6) as i64 - side / 2, y.clamp(-1e6, 1e6) as i64 - side / 2), (side, side), POINTS);
    }

    /// Above the point, or below it where there is no room above.
    fn caption(&mut self, x: f32, y: f32, words: &str) {
        let height = i64::from(self.size * (FONT.character_size.height + 2));
        let (x, y) = (x.clamp(-1e6, 1e6), y.clamp(-1e6, 1e6));
        let top = y.round() as i64 - height;
        self.text((x.round() as i64, if top < 0 { top + height } else { top }), words);
    }

    fn text(&mut self, (left, top): (i64, i64), words: &str) {
        let letters = i64::try_from(words.chars().count()).unwrap_or(0);
        let size = i64::from(self.size);
        let width = letters * i64::from(FONT.character_size.width) * size + 2 * size;
        self.fill((left, top), (width, i64::from(FONT.character_size.height + 2) * size), BEHIND_TEXT);
        let style = MonoTextStyle::new(&FONT, Rgb888::WHITE);
        let mut page = Page { origin: (left + size, top + size), pen: self };
        // Drawing on a page cannot fail.
        let _ = Text::with_baseline(words, Point::zero(), style, Baseline::Top).draw(&mut page);
    }

    /// Fills the part of the rectangle that lies in the image.
    fn fill(&mut self, (left, top): (i64, i64), (width, height): (i64, i64), color: Rgb<u8>) {
        let inside = |from: i64, length: i64, limit: u32| {
            let clamp = |at: i64| at.clamp(0, i64::from(limit)) as u32;
            clamp(from)..clamp(from.saturating_add(length))
        };
        for y in inside(top, height, self.image.height()) {
            for x in inside(left, width, self.image.width()) {
                self.image.put_pixel(x, y, color);
            }
        }
    }
}

/// Where text is drawn: every pixel of the font becomes a square of `pen.size` pixels.
struct Page<'p, 'a> {
    pen: &'p mut Pen<'a>,
    origin: (i64, i64),
}

impl OriginDimensions for Page<'_, '_> {
    fn size(&self) -> Size {
        Size::new(self.pen.image.width(), self.pen.image.height())
    }
}

impl DrawTarget for Page<'_, '_> {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        let size = i64::from(self.pen.size);
        for Pixel(point, color) in pixels {
            let at = (self.origin.0 + i64::from(point.x) * size, self.origin.1 + i64::from(point.y) * size);
            self.pen.fill(at, (size, size), Rgb([color.r(), color.g(), color.b()]));
        }
        Ok(())
    }
}
