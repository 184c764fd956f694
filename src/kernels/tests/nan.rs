//! What is no number, and infinities: they reach what is computed from them, and nothing else.

use strongroom_kernels::{
    Activation, Channelwise, Conv, Depthwise, Finish, Halo, LANES, Level, Operation, Place, Pool, Pooling, Shape, Team,
    Window, combine, mean_of_planes,
};

use super::reference::{Tensor, activated};
use super::scene::{Layout, Scene, levels, numbers, tensor};

const WINDOW: Window = Window { kernel: [3; 2], stride: [1; 2], dilation: [1; 2], before: [1; 2] };
const HALO: Halo = Halo { top: 1, left: 1, bottom: 1, right: 1 };
const SHAPE: Shape = Shape { images: 2, channels: 20, height: 4, width: 5 };
const SEEN: [usize; 4] = [1, 17, 1, 4];

const ACTIVATIONS: [Activation; 8] = [
    Activation::Identity,
    Activation::Leaky(0.1),
    Activation::Sigmoid,
    Activation::Silu,
    Activation::HardSwish,
    Activation::HardSigmoid { slope: 0.2, offset: 0.5 },
    Activation::Gelu,
    Activation::Tanh,
];

fn finishes() -> impl Iterator<Item = Finish> {
    let clamps = [(f32::NEG_INFINITY, f32::INFINITY), (0.0, 6.0), (0.0, f32::INFINITY)];
    ACTIVATIONS
        .iter()
        .flat_map(move |activation| clamps.map(|(low, high)| Finish { activation: *activation, low, high }))
}

/// Runs `kernel` with a NaN in its input and without; says which numbers of the output are none then, and asserts that
/// all others are as they would be.
fn none_after(shape: Shape, kernel: impl Fn(&mut [f32], &Place, &Place)) -> Vec<[usize; 4]> {
    let run = |input: &Tensor<f32>| {
        let mut scene = Scene::default();
        let place = scene.put(&Layout { halo: HALO, ..Layout::default() }, input, LANES);
        let output = scene.room(&Layout::default(), shape, LANES);
        kernel(&mut scene.arena, &place, &output);
        scene.value(&output)
    };
    let input = tensor(3, SHAPE);
    let with = Tensor::of(SHAPE, |at| if at == SEEN { f32::NAN } else { input.at(at) });
    let (with, without) = (run(&with), run(&input));
    let mut none = Vec::new();
    Tensor::of(shape, |at| match with.at(at).is_nan() {
        true => none.push(at),
        false => assert_eq!(with.at(at).to_bits(), without.at(at).to_bits(), "{at:?}"),
    });
    none
}

/// Whether the window of the output at `at` covers what is seen.
fn covers([image, _, row, column]: [usize; 4]) -> bool {
    image == SEEN[0] && row.abs_diff(SEEN[2]) <= 1 && column.abs_diff(SEEN[3]) <= 1
}

fn where_covered(of_channel: impl Fn(usize) -> bool) -> Vec<[usize; 4]> {
    let mut all = Vec::new();
    Tensor::of(SHAPE, |at| {
        if covers(at) && of_channel(at[1]) {
            all.push(at)
        }
    });
    all
}

#[test]
fn convolutions_take_it_to_all_channels_of_the_pixels_that_look_at_it() {
    let (weights, bias) = (numbers(1, 20 * 20 * 9), numbers(2, 20));
    for (level, finish) in levels().into_iter().flat_map(|level| finishes().map(move |finish| (level, finish))) {
        let conv = Conv::new(level, WINDOW, [20, 20], LANES, &weights[..], &bias, finish);
        let none = none_after(SHAPE, |arena, input, output| conv.run(&mut Team::alone(), arena, input, None, output));
        assert_eq!(none, where_covered(|_| true), "{level:?} {finish:?}");
    }
}

#[test]
fn depthwise_convolutions_take_it_to_its_channel() {
    let (weights, bias) = (numbers(1, 20 * 9), numbers(2, 20));
    for (level, finish) in levels().into_iter().flat_map(|level| finishes().map(move |finish| (level, finish))) {
        let depthwise = Depthwise::new(level, WINDOW, &weights, &bias, finish);
        let none =
            none_after(SHAPE, |arena, input, output| depthwise.run(&mut Team::alone(), arena, input, None, output));
        assert_eq!(none, where_covered(|channel| channel == SEEN[1]), "{level:?} {finish:?}");
    }
}

/// The largest of numbers and a NaN is a NaN wherever it stands, as ONNX Runtime's Max has it. Its MaxPool, and tract's,
/// lose one that is not the last of its window, which hides that a model is broken.
#[test]
fn poolings_take_it_to_its_channel() {
    for level in levels() {
        for pooling in [Pooling::Max, Pooling::MeanInside, Pooling::MeanWhole, Pooling::Sum] {
            let pool = Pool { window: WINDOW, pooling };
            let none =
                none_after(SHAPE, |arena, input, output| pool.run(&mut Team::alone(), level, arena, input, output));
            assert_eq!(none, where_covered(|channel| channel == SEEN[1]), "{level:?} {pooling:?}");
        }
        let pixel = Shape { height: 1, width: 1, ..SHAPE };
        let none = none_after(pixel, |arena, input, output| {
            mean_of_planes(&mut Team::alone(), level, arena, input, output, 1.0)
        });
        assert_eq!(none, [[SEEN[0], SEEN[1], 0, 0]]);
    }
}

#[test]
fn scaling_keeps_it_through_every_activation_and_clamp() {
    let (scale, offset) = (numbers(1, 20), numbers(2, 20));
    for (level, finish) in levels().into_iter().flat_map(|level| finishes().map(move |finish| (level, finish))) {
        let scaling = Channelwise::new(&scale, &offset, finish);
        let none =
            none_after(SHAPE, |arena, input, output| scaling.run(&mut Team::alone(), level, arena, input, output));
        assert_eq!(none, [SEEN], "{level:?} {finish:?}");
    }
}

#[test]
fn either_of_two_values_gives_it_to_their_combination() {
    use Operation::{Add, Divide, Max, Min, Multiply, Subtract};
    for level in levels() {
        for operation in [Add, Subtract, Multiply, Divide, Max, Min] {
            for left in [true, false] {
                let none = none_after(SHAPE, |arena, input, output| {
                    let mut scene = Scene { arena: arena.to_vec() };
                    let other = scene.put(&Layout::default(), &tensor(8, SHAPE), LANES);
                    let inputs = if left { [input, &other] } else { [&other, input] };
                    combine(&mut Team::alone(), level, &mut scene.arena, operation, inputs, output, &Finish::default());
                    arena.copy_from_slice(&scene.arena[..arena.len()]);
                });
                assert_eq!(none, [SEEN], "{level:?} {operation:?}");
            }
        }
    }
}

/// Runs an activation over `numbers`.
pub fn applied(level: Level, activation: Activation, numbers: &[f32]) -> Vec<f32> {
    let (width, shape) = (numbers.len(), Shape { images: 1, channels: 1, height: 1, width: 0 });
    let input = Tensor { shape: Shape { width, ..shape }, numbers: numbers.to_vec() };
    let mut scene = Scene::default();
    let place = scene.put(&Layout::default(), &input, LANES);
    let finish = Finish { activation, ..Finish::default() };
    scene.run(&place, |team, arena| Channelwise::new(&[1.0], &[0.0], finish).run(team, level, arena, &place, &place));
    scene.value(&place).numbers
}

/// To what the definition tends to. Hard swish alone has none at minus infinity: infinity times zero, as elsewhere.
#[test]
fn activations_of_infinities_and_of_the_largest_numbers_are_their_limits() {
    let ends = [f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 1.0e30, -1.0e30, 1.0e4, -1.0e4];
    for level in levels() {
        for activation in ACTIVATIONS {
            for (x, found) in ends.into_iter().zip(applied(level, activation, &ends)) {
                let limit = activated(activation, x.into()) as f32;
                let is_right = found == limit || (found - limit).abs() <= 1e-30 + 1e-6 * limit.abs();
                let is_none = limit.is_nan() && found.is_nan();
                // The last product overflows before it is divided.
                let overflows = activation == Activation::HardSwish && x == f32::MAX && found == f32::INFINITY;
                assert!(is_right || is_none || overflows, "{level:?} {activation:?} of {x}: {found}, not {limit}");
            }
        }
    }
}
