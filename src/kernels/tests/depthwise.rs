//! Convolution of each channel by itself.

use proptest::prelude::*;
use strongroom_kernels::{Depthwise, Finish, LANES, Shape, Window};

use super::draw::{Slide, cases, channels, finishes, layouts, slides};
use super::reference::{Tensor, conv};
use super::scene::{Layout, Scene, levels, numbers, tensor};

#[derive(Debug, Clone)]
struct Case {
    slide: Slide,
    images: usize,
    channels: usize,
    finish: Finish,
    input: Layout,
    output: Layout,
    residual: Option<Layout>,
    /// Whether memory ends with the output, not with the input.
    output_last: bool,
    seed: u64,
}

impl Case {
    /// On every level.
    fn check(&self) {
        let Slide { window, from, to } = self.slide;
        let shape = |[height, width]: [usize; 2]| Shape { images: self.images, channels: self.channels, height, width };
        let input = tensor(self.seed, shape(from));
        let weights = numbers(self.seed + 2, self.channels * window.kernel[0] * window.kernel[1]);
        let bias = numbers(self.seed + 3, self.channels);
        let added = self.residual.map(|_| tensor(self.seed + 1, shape(to)));
        let sums = conv(&input, &window, (&weights, &bias), self.channels, to);
        let expected =
            Tensor::of(sums.shape, |at| sums.at(at).finished(&self.finish, added.as_ref().map(|added| added.at(at))));

        let mut scene = Scene::default();
        let around = self.input.around(window.halo(from, to));
        let first = self.output_last.then(|| scene.put(&around, &input, LANES));
        let output = scene.room(&self.output, expected.shape, LANES);
        let residual = self.residual.zip(added).map(|(layout, added)| scene.put(&layout, &added, LANES));
        let place = first.unwrap_or_else(|| scene.put(&around, &input, LANES));
        for level in levels() {
            let depthwise = Depthwise::new(level, window, &weights, &bias, self.finish);
            let mut scene = scene.clone();
            scene.run(&output, |team, arena| depthwise.run(team, arena, &place, residual.as_ref(), &output));
            scene.check(&output, &expected, &(level, self));
        }
    }
}

fn any_case() -> impl Strategy<Value = Case> {
    let places = (layouts(), layouts(), proptest::option::of(layouts()), any::<bool>());
    (slides(), 1..4_usize, channels(), finishes(), places, any::<u32>()).prop_map(
        |(slide, images, channels, finish, (input, output, residual, output_last), seed)| Case {
            slide,
            images,
            channels,
            finish,
            input,
            output,
            residual,
            output_last,
            seed: seed.into(),
        },
    )
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
    for kernel in 1..8 {
        for (stride, dilation) in (1..5).flat_map(|stride| [(stride, 1), (stride, 2)]) {
            let extent = (kernel - 1) * dilation + 1;
            let before = [extent - 1, extent / 2];
            let window = Window { kernel: [kernel; 2], stride: [stride; 2], dilation: [dilation; 2], before };
            // Tiles of eight, of four and of single pixels.
            let slide = Slide { window, from: [2 * stride + 1, 14 * stride], to: [3, 14] };
            let layout = Layout::default();
            Case {
                slide,
                images: 1,
                channels: 18,
                finish: Finish::default(),
                input: layout,
                output: layout,
                residual: None,
                output_last: false,
                seed: 5,
            }
            .check();
        }
    }
}
