//! Values in bytes: convolution, sums, pooling, and between bytes and numbers. Sums of products are exact on every level;
//! what they are rounded to may differ by one where the exact number lies halfway between two.

mod conv;

use proptest::prelude::*;
use strongroom_kernels::{
    LANES, Level, MOST_PRODUCTS, Order, Place, Quantization, QuantizedConv, QuantizedDepthwise, QuantizedWeights,
    Rounded, Shape, Sum, Team, Window, bytes_mut, dequantize, max_of_bytes, quantize,
};

use super::draw::{Slide, cases, channels, layouts, slides};
use super::reference::Tensor;
use super::refusals::assert_refused;
use super::scene::{Layout, Scene, levels, numbers, tensor};
use super::team::{same_bits, with_any};

/// Bytes of a shape, and how they are written.
#[derive(Debug, Clone)]
struct Bytes {
    numbers: Tensor<u8>,
    to: Quantization,
}

impl Bytes {
    fn new(seed: u64, shape: Shape, to: Quantization) -> Self {
        let drawn = tensor(seed, shape);
        Self { numbers: Tensor::of(shape, |at| ((drawn.at(at) + 2.0) * 64.0) as u8), to }
    }

    /// What is written there, in scales; beyond the edge zero.
    fn whole(&self, [image, channel, row, column]: [usize; 4], beyond: bool) -> i64 {
        if beyond {
            0
        } else {
            i64::from(self.numbers.at([image, channel, row, column])) - i64::from(self.to.zero_point)
        }
    }
}

/// Memory of bytes, each of which that is no value is other than its neighbours.
struct ByteScene(Scene);

impl ByteScene {
    fn new() -> Self {
        Self(Scene::default())
    }

    /// A place of bytes behind all others, and `behind` bytes behind it.
    fn room(&mut self, layout: &Layout, shape: Shape, behind: usize) -> Place {
        let [before, after] = layout.neighbours;
        let of_all = Shape { channels: (before + shape.channels.div_ceil(LANES) + after) * LANES, ..shape };
        let start = self.0.arena.len() * 4 + layout.gap;
        let whole = Place::blocked(start, of_all, layout.halo);
        let len = (whole.end() + behind).div_ceil(4);
        self.0.arena.resize(len, 0.0);
        self.0.arena.shrink_to_fit();
        let bytes = bytes_mut(&mut self.0.arena);
        (start..bytes.len()).for_each(|at| bytes[at] = (at * 37 % 251) as u8);
        whole.part(before, shape.channels)
    }

    fn put(&mut self, layout: &Layout, value: &Bytes, behind: usize) -> Place {
        let shape = value.numbers.shape;
        let place = self.room(layout, shape, behind);
        let bytes = bytes_mut(&mut self.0.arena);
        for image in 0..shape.images {
            for plane in 0..place.planes() {
                let start = place.offset + image * place.image_stride + plane * place.plane_stride();
                bytes[start..start + place.plane_stride()].fill(value.to.zero_point);
                for row in 0..shape.height {
                    for column in 0..shape.width {
                        for lane in 0..LANES {
                            let channel = plane * LANES + lane;
                            bytes[place.at(image, plane, row, column) + lane] = match channel < shape.channels {
                                true => value.numbers.at([image, channel, row, column]),
                                false => (channel * 91 % 256) as u8,
                            };
                        }
                    }
                }
            }
        }
        place
    }

    /// Runs `kernel`, which may write the numbers of `output` alone: the bytes at them.
    /// Several threads write the same.
    fn run(&mut self, output: &Place, kernel: impl Fn(&mut Team, &mut [f32])) -> Tensor<u8> {
        let before = bytes_mut(&mut self.0.arena).to_vec();
        let mut together = self.0.arena.clone();
        kernel(&mut Team::alone(), &mut self.0.arena);
        with_any(|team| kernel(team, &mut together));
        assert!(same_bits(&self.0.arena, &together), "several threads write other bytes than one");
        let after = bytes_mut(&mut self.0.arena);
        let mut may = vec![false; after.len()];
        for image in 0..output.shape.images {
            for plane in 0..output.planes() {
                for row in 0..output.shape.height {
                    let start = output.at(image, plane, row, 0);
                    may[start..start + output.shape.width * LANES].fill(true);
                }
            }
        }
        let wrong = (0..after.len()).find(|at| !may[*at] && before[*at] != after[*at]);
        assert_eq!(wrong, None, "a byte beyond {output:?} was written");
        Tensor::of(output.shape, |[image, channel, row, column]| {
            after[output.at(image, channel / LANES, row, column) + channel % LANES]
        })
    }
}

/// What a number is rounded to: one byte, or two where it lies halfway between them, as far as single precision can say.
fn bytes_for(number: f64, to: Quantization) -> [u8; 2] {
    let slack = 1.0e-5 * number.abs() + 1.0e-4;
    [number - slack, number + slack]
        .map(|number| (number.round_ties_even() + f64::from(to.zero_point)).clamp(0.0, 255.0) as u8)
}

fn quantizations() -> impl Strategy<Value = Quantization> {
    (0.002..0.1_f32, prop_oneof![Just(0), Just(128), Just(255), any::<u8>()])
        .prop_map(|(scale, zero_point)| Quantization { scale, zero_point })
}

fn clamps() -> impl Strategy<Value = [f32; 2]> {
    prop_oneof![
        Just([f32::NEG_INFINITY, f32::INFINITY]),
        Just([0.0, f32::INFINITY]),
        Just([0.0, 6.0]),
        Just([-1.0, 0.5])
    ]
}

fn sums() -> impl Strategy<Value = Sum> {
    (quantizations(), clamps(), quantizations()).prop_map(|(added, clamp, to)| Sum { added, clamp, to })
}

fn endings() -> impl Strategy<Value = Rounded> {
    prop_oneof![
        clamps().prop_map(|clamp| Rounded::No { clamp }),
        (clamps(), quantizations()).prop_map(|(clamp, to)| Rounded::Once { clamp, to }),
        (clamps(), quantizations(), sums()).prop_map(|(clamp, through, sum)| Rounded::Sum { clamp, through, sum }),
    ]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn two_values_in_bytes_are_added(
        (images, channels, from, sum, places, seed) in
            (1..3_usize, channels(), quantizations(), sums(), [layouts(), layouts(), layouts()], any::<u32>()),
        onto in 0..3_usize,
    ) {
        let shape = Shape { images, channels, height: 3, width: 5 };
        let (first, second) = (Bytes::new(seed.into(), shape, from), Bytes::new(u64::from(seed) + 1, shape, sum.added));
        for level in levels() {
            let mut scene = ByteScene::new();
            let inputs = [scene.put(&places[0], &first, 0), scene.put(&places[1], &second, 0)];
            let output = match inputs.get(onto) {
                Some(input) => *input,
                None => scene.room(&places[2], shape, 0),
            };
            let found = scene.run(&output, |team, arena| sum.run(team, level, arena, [&inputs[0], &inputs[1], &output], from));
            Tensor::of(shape, |at| {
                let meant = |value: &Bytes| value.whole(at, false) as f64 * f64::from(value.to.scale);
                let exact = (meant(&first) + meant(&second)).max(f64::from(sum.clamp[0])).min(f64::from(sum.clamp[1]));
                let allowed = bytes_for(exact / f64::from(sum.to.scale), sum.to);
                assert!(allowed.contains(&found.at(at)), "{} at {at:?} on {level:?}, not {allowed:?}", found.at(at));
            });
        }
    }

    #[test]
    fn the_largest_byte_of_each_window_is_found(
        (slide, channels, to, places, seed) in (slides(), channels(), quantizations(), [layouts(), layouts()], any::<u32>()),
    ) {
        let shape = |[height, width]: [usize; 2]| Shape { images: 2, channels, height, width };
        let input = Bytes::new(seed.into(), shape(slide.from), to);
        let window = slide.window;
        for level in levels() {
            let mut scene = ByteScene::new();
            let output = scene.room(&places[0], shape(slide.to), 0);
            let place = scene.put(&places[1], &input, 0);
            let found = scene.run(&output, |team, arena| max_of_bytes(team, level, window, arena, [&place, &output]));
            let expected = Tensor::of(shape(slide.to), |[image, channel, row, column]| {
                let taps = (0..window.kernel[0]).flat_map(|y| (0..window.kernel[1]).map(move |x| (y, x)));
                let inside = taps.filter_map(|(y, x)| {
                    let down = (row * window.stride[0] + y * window.dilation[0]).checked_sub(window.before[0])?;
                    let across = (column * window.stride[1] + x * window.dilation[1]).checked_sub(window.before[1])?;
                    let is_inside = down < slide.from[0] && across < slide.from[1];
                    is_inside.then(|| input.numbers.at([image, channel, down, across]))
                });
                inside.max().unwrap_or(0)
            });
            assert_eq!(found.numbers, expected.numbers, "{level:?}");
        }
    }

    #[test]
    fn numbers_become_bytes_and_numbers_again(
        (channels, width, to, places, seed) in (channels(), 1..40_usize, quantizations(), [layouts(), layouts(), layouts()], any::<u32>()),
        is_planar in any::<bool>(),
    ) {
        let shape = Shape { images: 2, channels, height: 2, width };
        let input = tensor(seed.into(), shape);
        for level in levels() {
            let mut scene = ByteScene::new();
            let place = scene.0.put(&places[0], &input, if is_planar { 1 } else { LANES });
            let bytes = scene.room(&places[1], shape, 0);
            let found = scene.run(&bytes, |team, arena| quantize(team, level, arena, [&place, &bytes], to));
            let back = scene.0.room(&places[2], shape, LANES);
            scene.0.run(&back, |team, arena| dequantize(team, level, arena, [&bytes, &back], to));
            let back = scene.0.value(&back);
            Tensor::of(shape, |at| {
                let allowed = bytes_for(f64::from(input.at(at)) / f64::from(to.scale), to);
                let byte = found.at(at);
                assert!(allowed.contains(&byte), "{byte} at {at:?} on {level:?}, not {allowed:?}");
                assert_eq!(back.at(at), (f32::from(byte) - f32::from(to.zero_point)) * to.scale);
            });
        }
    }
}

const PIXEL: Window = Window { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], before: [0; 2] };
const UNIT: Quantization = Quantization { scale: 1.0, zero_point: 0 };

#[test]
fn the_largest_sums_are_exact() {
    let shape = |channels: usize| Shape { images: 1, channels, height: 1, width: 1 };
    for (byte, weight) in [(255, 127), (255, -128)] {
        let input = Bytes { numbers: Tensor::of(shape(MOST_PRODUCTS), |_| byte), to: UNIT };
        let weights = vec![weight; MOST_PRODUCTS];
        let held = QuantizedWeights { numbers: &weights, order: Order::OutputFirst, scale: &[1.0] };
        let rounded = Rounded::No { clamp: [f32::NEG_INFINITY, f32::INFINITY] };
        for level in levels() {
            let conv = QuantizedConv::new(level, PIXEL, [1, MOST_PRODUCTS], &held, &[0.0], UNIT, rounded);
            let mut scene = ByteScene::new();
            let place = scene.put(&Layout::default(), &input, 0);
            let output = scene.0.room(&Layout::default(), shape(1), LANES);
            scene.0.run(&output, |team, arena| conv.run(team, arena, &place, None, &output));
            let exact = MOST_PRODUCTS as i64 * i64::from(byte) * i64::from(weight);
            assert_eq!(scene.0.value(&output).numbers, [exact as f32], "{level:?}");
        }
    }
}

#[test]
fn weights_of_a_matrix_may_come_by_input() {
    let shape = Shape { images: 1, channels: 37, height: 1, width: 9 };
    let input = Bytes::new(1, shape, Quantization { scale: 0.1, zero_point: 9 });
    let by_output: Vec<i8> = numbers(2, 37 * 21).iter().map(|number| (number * 60.0) as i8).collect();
    let by_input: Vec<i8> = (0..37 * 21).map(|at| by_output[at % 21 * 37 + at / 21]).collect();
    let rounded =
        Rounded::Once { clamp: [f32::NEG_INFINITY, f32::INFINITY], to: Quantization { scale: 2.0, zero_point: 90 } };
    for level in levels() {
        let [first, second] =
            [(Order::OutputFirst, &by_output), (Order::InputFirst, &by_input)].map(|(order, weights)| {
                let held = QuantizedWeights { numbers: weights, order, scale: &[0.02; 21] };
                let conv = QuantizedConv::new(level, PIXEL, [21, 37], &held, &[0.5; 21], input.to, rounded);
                let mut scene = ByteScene::new();
                let place = scene.put(&Layout::default(), &input, 0);
                let output = scene.room(&Layout::default(), Shape { channels: 21, ..shape }, 0);
                scene.run(&output, |team, arena| conv.run(team, arena, &place, None, &output)).numbers
            });
        assert_eq!(first, second, "{level:?}");
    }
}

#[test]
fn other_places_are_refused() {
    let shape = Shape { images: 1, channels: 16, height: 2, width: 9 };
    let window = Window { kernel: [1, 3], ..PIXEL };
    let weights = [1; 16 * 16 * 3];
    let held = QuantizedWeights { numbers: &weights, order: Order::OutputFirst, scale: &[1.0; 16] };
    let each = QuantizedWeights { numbers: &weights[..48], ..held };
    let (clamp, bias) = ([f32::NEG_INFINITY, f32::INFINITY], [0.0; 16]);
    let once = Rounded::Once { clamp, to: UNIT };
    let sum = Rounded::Sum { clamp, through: UNIT, sum: Sum { added: UNIT, clamp, to: UNIT } };
    let halo = window.halo([2, 9], [2, 9]);
    let input = Place::blocked(0, shape, halo);
    let output = Place::blocked(input.end(), shape, strongroom_kernels::Halo::default());
    let added = Place { offset: output.end(), ..output };
    for level in levels() {
        let team = &mut Team::alone();
        let mut arena = vec![0.0; 4 * added.end()];
        let conv = |rounded: Rounded| QuantizedConv::new(level, window, [16, 16], &held, &bias, UNIT, rounded);
        conv(once).run(team, &mut arena, &input, None, &output);
        conv(sum).run(team, &mut arena, &input, Some(&added), &output);
        assert_refused("onto its input", || conv(once).run(team, &mut arena, &input, None, &input));
        assert_refused("onto its input", || conv(sum).run(team, &mut arena, &input, Some(&output), &output));
        assert_refused("adds", || conv(sum).run(team, &mut arena, &input, None, &output));
        assert_refused("adds", || conv(once).run(team, &mut arena, &input, Some(&added), &output));
        let bare = Place::blocked(0, shape, strongroom_kernels::Halo::default());
        assert_refused("halo", || conv(once).run(team, &mut arena, &bare, None, &output));
        let few = output.end() / 4;
        assert_refused("beyond the arena", || conv(once).run(team, &mut arena[..few - 1], &input, None, &output));
        let rounded = Rounded::No { clamp };
        assert_refused("onto its input", || conv(rounded).run(team, &mut arena, &input, None, &bare));
        let far = Place::blocked(input.end().div_ceil(4), shape, strongroom_kernels::Halo::default());
        conv(rounded).run(team, &mut arena[..far.end()], &input, None, &far);
        assert_refused("beyond the arena", || conv(rounded).run(team, &mut arena[..far.end() - 1], &input, None, &far));

        let depthwise = QuantizedDepthwise::new(level, window, &each, &bias, UNIT, clamp, UNIT);
        let behind = Place { offset: output.end(), ..input };
        let enough = (behind.end() + depthwise.beyond()).div_ceil(4);
        depthwise.run(team, &mut arena[..enough], &behind, &output);
        assert_refused("beyond the arena", || depthwise.run(team, &mut arena[..enough - 1], &behind, &output));
        assert_refused("onto its input", || depthwise.run(team, &mut arena, &input, &input));
        assert_refused("onto a part", || {
            let shifted = Place { offset: output.offset + LANES, ..output };
            sum_of(&mut arena, level, [&output, &added], &shifted);
        });
        assert_refused("beyond the arena", || {
            max_of_bytes(team, level, window, &mut arena[..few - 1], [&input, &output])
        });
        assert_refused("onto the numbers", || {
            quantize(team, level, &mut arena, [&output, &Place { offset: output.offset * 4, ..output }], UNIT)
        });
    }
    let many = QuantizedWeights { numbers: &vec![0; MOST_PRODUCTS + 1], order: Order::OutputFirst, scale: &[1.0] };
    assert_refused("products", || {
        QuantizedConv::new(Level::Portable, PIXEL, [1, MOST_PRODUCTS + 1], &many, &[0.0], UNIT, once);
    });
}

fn sum_of(arena: &mut [f32], level: Level, inputs: [&Place; 2], output: &Place) {
    let sum = Sum { added: UNIT, clamp: [f32::NEG_INFINITY, f32::INFINITY], to: UNIT };
    sum.run(&mut Team::alone(), level, arena, [inputs[0], inputs[1], output], UNIT);
}
