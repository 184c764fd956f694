//! Convolution.

use proptest::prelude::*;
use strongroom_kernels::{Conv, Finish, LANES, Order, Shape, Weights, Window};

use super::draw::{Slide, cases, channels, finishes, layouts, slides};
use super::reference::{Exact, Tensor, conv};
use super::scene::{Layout, Scene, levels, numbers, tensor};

#[derive(Debug, Clone)]
struct Case {
    slide: Slide,
    images: usize,
    ins: usize,
    outs: usize,
    /// Of the input: blocks or planes.
    lanes: usize,
    finish: Finish,
    input: Layout,
    output: Layout,
    residual: Option<Layout>,
    /// Whether memory ends with the output, not with the input.
    output_last: bool,
    seed: u64,
}

impl Case {
    fn plain(slide: Slide, [outs, ins]: [usize; 2], lanes: usize) -> Self {
        let (finish, layout) = (Finish::default(), Layout::default());
        Self {
            slide,
            images: 1,
            ins,
            outs,
            lanes,
            finish,
            input: layout,
            output: layout,
            residual: None,
            output_last: false,
            seed: 7,
        }
    }

    fn shape(&self, channels: usize, [height, width]: [usize; 2]) -> Shape {
        Shape { images: self.images, channels, height, width }
    }

    fn added(&self) -> Option<Tensor<f32>> {
        self.residual.map(|_| tensor(self.seed + 1, self.shape(self.outs, self.slide.to)))
    }

    fn expected(&self, input: &Tensor<f32>, weights: &[f32], bias: &[f32]) -> Tensor<Exact> {
        let (sums, added) = (conv(input, &self.slide.window, (weights, bias), 1, self.slide.to), self.added());
        Tensor::of(sums.shape, |at| sums.at(at).finished(&self.finish, added.as_ref().map(|added| added.at(at))))
    }

    /// On every level.
    fn check(&self) {
        let Slide { window, from, to } = self.slide;
        let input = tensor(self.seed, self.shape(self.ins, from));
        let weights = numbers(self.seed + 2, self.outs * self.ins * window.kernel[0] * window.kernel[1]);
        let bias = numbers(self.seed + 3, self.outs);
        let expected = self.expected(&input, &weights, &bias);
        let around = self.input.around(window.halo(from, to));

        let mut scene = Scene::default();
        let put = |scene: &mut Scene| scene.put(&around, &input, self.lanes);
        let first = self.output_last.then(|| put(&mut scene));
        let output = scene.room(&self.output, expected.shape, LANES);
        let residual = self.residual.map(|layout| scene.put(&layout, &self.added().unwrap(), LANES));
        let place = first.unwrap_or_else(|| put(&mut scene));
        for level in levels() {
            let conv = Conv::new(level, window, [self.outs, self.ins], self.lanes, &weights[..], &bias, self.finish);
            let mut scene = scene.clone();
            scene.run(&output, |team, arena| conv.run(team, arena, &place, residual.as_ref(), &output));
            scene.check(&output, &expected, &(level, self));
        }
    }
}

fn any_case() -> impl Strategy<Value = Case> {
    let sizes = (1..4_usize, channels(), channels(), prop_oneof![Just(LANES), Just(1)]);
    let places = (layouts(), layouts(), proptest::option::of(layouts()), any::<bool>());
    (slides(), sizes, finishes(), places, any::<u32>()).prop_map(|(slide, sizes, finish, places, seed)| {
        let (images, ins, outs, lanes) = sizes;
        let (input, output, residual, output_last) = places;
        // Planar inputs are images of few channels.
        let ins = if lanes == 1 { ins % 5 + 1 } else { ins };
        Case { slide, images, ins, outs, lanes, finish, input, output, residual, output_last, seed: seed.into() }
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn sums_are_right_for_any_shape_and_place(case in any_case()) {
        case.check();
    }
}

#[test]
fn sums_are_right_for_every_window() {
    for (kernel, stride, dilation) in every_window() {
        let extent = (kernel - 1) * dilation + 1;
        let window = Window {
            kernel: [kernel; 2],
            stride: [stride; 2],
            dilation: [dilation; 2],
            before: [extent / 2, extent - 1],
        };
        // Tiles of every level, whole ones and others.
        let (from, to) = ([2 * stride + 1, 17 * stride], [3, 17]);
        for (lanes, ins) in [(LANES, 18), (1, 3)] {
            Case::plain(Slide { window, from, to }, [33, ins], lanes).check();
        }
    }
}

fn every_window() -> impl Iterator<Item = (usize, usize, usize)> {
    (1..8).flat_map(|kernel| (1..5).flat_map(move |stride| (1..3).map(move |dilation| (kernel, stride, dilation))))
}

const PIXEL: Window = Window { kernel: [1; 2], stride: [1; 2], dilation: [1; 2], before: [0; 2] };

#[test]
fn sums_are_right_for_rows_of_every_length() {
    for columns in 1..46 {
        for window in [PIXEL, Window { kernel: [1, 3], before: [0, 1], ..PIXEL }] {
            Case::plain(Slide { window, from: [2, columns], to: [2, columns] }, [40, 5], LANES).check();
        }
    }
}

#[test]
fn sums_are_right_when_weights_are_more_than_a_cache_holds() {
    let window = Window { kernel: [7; 2], before: [3; 2], ..PIXEL };
    let slide = Slide { window, from: [2, 5], to: [2, 5] };
    Case { images: 2, ..Case::plain(slide, [65, 50], LANES) }.check();
}

#[test]
fn an_output_smaller_than_its_input_is_the_upper_left_of_it() {
    let slide = Slide { window: PIXEL, from: [4, 6], to: [3, 5] };
    Case::plain(slide, [20, 20], LANES).check();
}

#[test]
fn channels_of_one_value_are_computed_from_others_of_it() {
    let (input, weights, bias) = (tensor(1, shape(3, 16)), numbers(2, 20 * 16), numbers(3, 20));
    let expected = conv(&input, &PIXEL, (&weights, &bias), 1, [2, 3]);
    for level in levels() {
        let mut scene = Scene::default();
        let layout = Layout { neighbours: [1, 3], ..Layout::default() };
        let place = scene.put(&layout, &input, LANES);
        let output =
            strongroom_kernels::Place { offset: place.offset + 2 * place.plane_stride(), shape: shape(3, 20), ..place };
        let conv = Conv::new(level, PIXEL, [20, 16], LANES, &weights[..], &bias, Finish::default());
        scene.run(&output, |team, arena| conv.run(team, arena, &place, None, &output));
        scene.check(&output, &expected, &level);
    }
}

fn shape(images: usize, channels: usize) -> Shape {
    Shape { images, channels, height: 2, width: 3 }
}

#[test]
fn weights_of_a_matrix_may_come_by_input_and_scaled() {
    let window = Window { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], before: [0, 0] };
    for [outs, ins] in [[1, 1], [16, 32], [37, 33], [70, 65], [130, 100]] {
        let shape = Shape { images: 1, channels: ins, height: 1, width: 9 };
        let input = tensor(1, shape);
        let (by_output, scale, bias) = (numbers(2, outs * ins), numbers(3, outs), numbers(4, outs));
        let by_input: Vec<f32> = (0..outs * ins).map(|at| by_output[at % outs * ins + at / outs]).collect();
        for (level, scale) in levels().into_iter().flat_map(|level| [(level, &scale[..]), (level, &[])]) {
            let [first, second] =
                [(Order::OutputFirst, &by_output), (Order::InputFirst, &by_input)].map(|(order, numbers)| {
                    let weights = Weights { numbers, order, scale };
                    let conv = Conv::new(level, window, [outs, ins], LANES, weights, &bias, Finish::default());
                    let mut scene = Scene::default();
                    let place = scene.put(&Layout::default(), &input, LANES);
                    let output = scene.room(&Layout::default(), Shape { channels: outs, ..shape }, LANES);
                    scene.run(&output, |team, arena| conv.run(team, arena, &place, None, &output));
                    scene.value(&output).numbers
                });
            assert_eq!(first, second, "{level:?} {outs} of {ins}");
        }
    }
}
