//! What is computed number by number.

use proptest::prelude::*;
use strongroom_kernels::{Channelwise, LANES, Operation, Shape, combine};

use super::draw::{cases, channels, finishes, layouts};
use super::reference::{Exact, Tensor, combined};
use super::scene::{Scene, levels, numbers, tensor};

fn shapes() -> impl Strategy<Value = Shape> {
    (1..4_usize, channels(), 1..5_usize, 1..20_usize).prop_map(|(images, channels, height, width)| Shape {
        images,
        channels,
        height,
        width,
    })
}

fn operations() -> impl Strategy<Value = Operation> {
    prop_oneof![
        Just(Operation::Add),
        Just(Operation::Subtract),
        Just(Operation::Multiply),
        Just(Operation::Divide),
        Just(Operation::Max),
        Just(Operation::Min),
    ]
}

/// Where a result goes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Onto {
    Own,
    Left,
    Right,
}

fn ontos() -> impl Strategy<Value = Onto> {
    prop_oneof![Just(Onto::Own), Just(Onto::Left), Just(Onto::Right)]
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn each_channel_is_scaled_by_its_own_numbers(
        shape in shapes(), finish in finishes(), from in layouts(), to in layouts(), in_place in any::<bool>(),
    ) {
        let (input, scale, offset) = (tensor(1, shape), numbers(2, shape.channels), numbers(3, shape.channels));
        let expected = Tensor::of(shape, |at| {
            let product = f64::from(input.at(at)) * f64::from(scale[at[1]]);
            Exact::sum([product, f64::from(offset[at[1]])]).finished(&finish, None)
        });
        let mut scene = Scene::default();
        let place = scene.put(&from, &input, LANES);
        let output = if in_place { place } else { scene.room(&to, shape, LANES) };
        let channelwise = Channelwise::new(&scale, &offset, finish);
        for level in levels() {
            let mut scene = scene.clone();
            scene.run(&output, |team, arena| channelwise.run(team, level, arena, &place, &output));
            scene.check(&output, &expected, &(level, finish, place, output));
        }
    }

    #[test]
    fn two_values_are_combined_number_by_number(
        shape in shapes(), operation in operations(), finish in finishes(), of_pixel in any::<bool>(),
        layouts in [layouts(), layouts(), layouts()], onto in ontos(),
    ) {
        let pixel = Shape { height: 1, width: 1, ..shape };
        let (left, right) = (tensor(1, shape), tensor(2, if of_pixel { pixel } else { shape }));
        let expected = Tensor::of(shape, |at| {
            let of_right = if of_pixel { [at[0], at[1], 0, 0] } else { at };
            combined(operation, left.at(at), right.at(of_right)).finished(&finish, None)
        });
        let mut scene = Scene::default();
        let places = [scene.put(&layouts[0], &left, LANES), scene.put(&layouts[1], &right, LANES)];
        let output = match onto {
            Onto::Left => places[0],
            Onto::Right if right.shape == shape => places[1],
            Onto::Right | Onto::Own => scene.room(&layouts[2], shape, LANES),
        };
        for level in levels() {
            let mut scene = scene.clone();
            let [left, right] = &places;
            scene.run(&output, |team, arena| combine(team, level, arena, operation, [left, right], &output, &finish));
            scene.check(&output, &expected, &(level, operation, finish, places, output));
        }
    }
}
