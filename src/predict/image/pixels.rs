//! Pixels to numbers.

use super::RgbImage;
use crate::bundle::{ColorOrder, Layout, Pixels};
use crate::model::Tensor;

/// The whole image as a graph's input: `[1, 3, height, width]`, or `[1, height, width, 3]` as `pixels.layout` says.
pub fn tensor(image: &RgbImage, pixels: &Pixels) -> Tensor {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let channels = channels(pixels);
    match pixels.layout {
        Layout::Nchw => Tensor::filled(&[1, 3, height, width], |values| planar(image, &channels, values)),
        Layout::Nhwc => Tensor::filled(&[1, height, width, 3], |values| interleaved(image, &channels, values)),
    }
}

/// Where a channel of the tensor comes from, and its number for each of the 256 values.
struct Channel {
    source: usize,
    number: [f32; 256],
}

fn channels(pixels: &Pixels) -> [Channel; 3] {
    std::array::from_fn(|channel| Channel {
        source: match pixels.color_order {
            ColorOrder::Rgb => channel,
            ColorOrder::Bgr => 2 - channel,
        },
        // In f32 step by step, as numpy does it.
        number: std::array::from_fn(|value| (value as f32 * pixels.scale - pixels.mean[channel]) / pixels.std[channel]),
    })
}

fn planar(image: &RgbImage, channels: &[Channel; 3], values: &mut [f32]) {
    let (first, rest) = values.split_at_mut(values.len() / 3);
    let (second, third) = rest.split_at_mut(rest.len() / 2);
    let [one, two, three] = channels;
    let planes = first.iter_mut().zip(second).zip(third);
    for (pixel, ((first, second), third)) in image.as_raw().chunks_exact(3).zip(planes) {
        *first = one.number[usize::from(pixel[one.source])];
        *second = two.number[usize::from(pixel[two.source])];
        *third = three.number[usize::from(pixel[three.source])];
    }
}

fn interleaved(image: &RgbImage, channels: &[Channel; 3], values: &mut [f32]) {
    for (pixel, numbers) in image.as_raw().chunks_exact(3).zip(values.chunks_exact_mut(3)) {
        for (number, channel) in numbers.iter_mut().zip(channels) {
            *number = channel.number[usize::from(pixel[channel.source])];
        }
    }
}
