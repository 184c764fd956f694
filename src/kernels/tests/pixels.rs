//! What is computed over the channels or the pixels of a value: normalisation, softmax, attention.

use strongroom_kernels::{
    Attention, Halo, LANES, LayerNorm, Level, Place, Shape, Team, from_planar, softmax, to_planar,
};

use super::team::{same_bits, with_any};

/// Numbers from -2 to 2, told apart by `seed`.
fn random(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32 * 4.0 - 2.0
    };
    (0..count).map(|_| next()).collect()
}

/// Planar numbers of `shape` at `channel` of image 0 and pixel `pixel`.
fn at(shape: Shape, numbers: &[f32], image: usize, channel: usize, pixel: usize) -> f64 {
    let pixels = shape.height * shape.width;
    f64::from(numbers[(image * shape.channels + channel) * pixels + pixel])
}

/// Runs `kernel` from one place to another, with canaries behind, and answers with the planar result.
fn run(shape: Shape, halo: Halo, input: &[f32], kernel: impl Fn(&mut Team, &mut [f32], &Place, &Place)) -> Vec<f32> {
    const CANARIES: usize = 64;
    let from = Place::blocked(0, shape, halo);
    let to = Place::blocked(from.end(), shape, Halo { left: 1, ..Halo::default() });
    let mut arena = vec![7.5; to.end() + CANARIES];
    from_planar(&mut arena, input, &from);
    let mut together = arena.clone();
    kernel(&mut Team::alone(), &mut arena, &from, &to);
    with_any(|team| kernel(team, &mut together, &from, &to));
    assert!(same_bits(&arena, &together), "several threads write other numbers than one");
    assert!(arena[to.end()..].iter().all(|number| *number == 7.5), "numbers behind the output were written");
    let mut output = vec![0.0; input.len()];
    to_planar(&arena, &to, &mut output);
    output
}

fn assert_near(found: f32, expected: f64, what: &str) {
    let slack = 2e-6 * expected.abs().max(1.0);
    assert!((f64::from(found) - expected).abs() <= slack, "{what}: {found}, not {expected}");
}

fn shapes() -> Vec<Shape> {
    let shape = |images, channels, height, width| Shape { images, channels, height, width };
    vec![shape(1, 16, 1, 1), shape(1, 1, 1, 5), shape(2, 17, 3, 4), shape(1, 96, 2, 7), shape(3, 40, 1, 6)]
}

#[test]
fn a_pixel_is_normalised_over_its_channels_alone() {
    for level in Level::available() {
        for shape in shapes() {
            let pixels = shape.height * shape.width;
            let input = random(shape.images * shape.channels * pixels, 1);
            let (scale, offset) = (random(shape.channels, 2), random(shape.channels, 3));
            let norm = LayerNorm::new(&scale, &offset, 1e-5);
            let halo = Halo { top: 1, right: 2, ..Halo::default() };
            let output = run(shape, halo, &input, |team, arena, from, to| norm.run(team, level, arena, from, to));
            for image in 0..shape.images {
                for pixel in 0..pixels {
                    let channels = || (0..shape.channels).map(|channel| at(shape, &input, image, channel, pixel));
                    let mean = channels().sum::<f64>() / shape.channels as f64;
                    let variance = channels().map(|x| (x - mean).powi(2)).sum::<f64>() / shape.channels as f64;
                    for channel in 0..shape.channels {
                        let normal = (at(shape, &input, image, channel, pixel) - mean) / (variance + 1e-5).sqrt();
                        let expected = normal * f64::from(scale[channel]) + f64::from(offset[channel]);
                        let found = at(shape, &output, image, channel, pixel) as f32;
                        assert_near(found, expected, &format!("{level:?} {shape:?} {image} {channel} {pixel}"));
                    }
                }
            }
        }
    }
}

#[test]
fn a_softmax_makes_shares_of_a_pixels_channels() {
    for level in Level::available() {
        for shape in shapes() {
            let pixels = shape.height * shape.width;
            // Large ones would overflow if the largest were not taken away first.
            let input: Vec<f32> = random(shape.images * shape.channels * pixels, 4).iter().map(|x| x * 60.0).collect();
            let output =
                run(shape, Halo::default(), &input, |team, arena, from, to| softmax(team, level, arena, from, to));
            for image in 0..shape.images {
                for pixel in 0..pixels {
                    let channels = || (0..shape.channels).map(|channel| at(shape, &input, image, channel, pixel));
                    let top = channels().fold(f64::MIN, f64::max);
                    let sum: f64 = channels().map(|x| (x - top).exp()).sum();
                    for channel in 0..shape.channels {
                        let expected = (at(shape, &input, image, channel, pixel) - top).exp() / sum;
                        let found = at(shape, &output, image, channel, pixel) as f32;
                        assert_near(found, expected, &format!("{level:?} {shape:?} {image} {channel} {pixel}"));
                    }
                }
            }
        }
    }
}

#[test]
fn attention_is_the_mean_of_values_by_how_keys_agree() {
    for level in Level::available() {
        for (heads, of_head, images, pixels) in
            [(1, 16, 1, 1), (2, 16, 2, 5), (3, 32, 1, 33), (1, 48, 1, 64), (2, 64, 1, 197)]
        {
            let shape = Shape { images, channels: heads * of_head, height: 1, width: pixels };
            let attention = Attention { heads, scale: 0.25 };
            let places: Vec<Place> = (0..4)
                .scan(0, |offset, _| {
                    let place = Place::blocked(*offset, shape, Halo::default());
                    *offset = place.end();
                    Some(place)
                })
                .collect();
            let scratch = places[3].end();
            let end = scratch + attention.scratch(level, &places[0]);
            let mut arena = vec![7.5; end + LANES];
            let numbers: Vec<Vec<f32>> =
                (0..3).map(|seed| random(images * shape.channels * pixels, 5 + seed)).collect();
            places.iter().zip(&numbers).for_each(|(place, numbers)| from_planar(&mut arena, numbers, place));
            let inputs = [&places[0], &places[1], &places[2]];
            let mut together = arena.clone();
            attention.run(&mut Team::alone(), level, &mut arena, inputs, &places[3], scratch);
            with_any(|team| attention.run(team, level, &mut together, inputs, &places[3], scratch));
            // Who computes what is told by the scratch memory alone.
            let same = same_bits(&arena[..scratch], &together[..scratch]) && same_bits(&arena[end..], &together[end..]);
            assert!(same, "several threads write other numbers than one");
            assert!(arena[end..].iter().all(|number| *number == 7.5), "numbers behind the scratch memory were written");
            let mut output = vec![0.0; images * shape.channels * pixels];
            to_planar(&arena, &places[3], &mut output);
            for image in 0..images {
                for head in 0..heads {
                    let channel = |at: usize| head * of_head + at;
                    for query in 0..pixels {
                        let agreement = |key: usize| -> f64 {
                            let product = |c: usize| {
                                let of = |which: usize, pixel| at(shape, &numbers[which], image, channel(c), pixel);
                                of(0, query) * of(1, key)
                            };
                            (0..of_head).map(product).sum::<f64>() * 0.25
                        };
                        let agreements: Vec<f64> = (0..pixels).map(agreement).collect();
                        let top = agreements.iter().copied().fold(f64::MIN, f64::max);
                        let sum: f64 = agreements.iter().map(|x| (x - top).exp()).sum();
                        for c in 0..of_head {
                            let value = |key: usize| at(shape, &numbers[2], image, channel(c), key);
                            let share = |key: usize| (agreements[key] - top).exp() / sum * value(key);
                            let expected = (0..pixels).map(share).sum::<f64>();
                            let found = at(shape, &output, image, channel(c), query);
                            // Agreements are sums of up to 64 products in single precision.
                            let slack = 2e-5;
                            assert!(
                                (found - expected).abs() <= slack,
                                "{level:?} {shape:?} {head} {query} {c}: {found}, not {expected}"
                            );
                        }
                    }
                }
            }
        }
    }
}
