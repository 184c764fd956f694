//! Pooling.

use proptest::prelude::*;
use strongroom_kernels::{LANES, Pool, Pooling, Shape, mean_of_planes};

use super::draw::{Slide, cases, channels, layouts, slides};
use super::reference;
use super::scene::{Layout, Scene, levels, tensor};

fn poolings() -> impl Strategy<Value = Pooling> {
    prop_oneof![Just(Pooling::Max), Just(Pooling::MeanInside), Just(Pooling::MeanWhole), Just(Pooling::Sum)]
}

#[derive(Debug, Clone, Copy)]
struct Places {
    input: Layout,
    output: Layout,
    /// Whether memory ends with the output, not with the input.
    output_last: bool,
}

fn places() -> impl Strategy<Value = Places> {
    (layouts(), layouts(), any::<bool>()).prop_map(|(input, output, output_last)| Places { input, output, output_last })
}

impl Places {
    fn lay(
        &self,
        input: &reference::Tensor<f32>,
        shape: Shape,
    ) -> (Scene, strongroom_kernels::Place, strongroom_kernels::Place) {
        let mut scene = Scene::default();
        let first = self.output_last.then(|| scene.put(&self.input, input, LANES));
        let output = scene.room(&self.output, shape, LANES);
        let place = first.unwrap_or_else(|| scene.put(&self.input, input, LANES));
        (scene, place, output)
    }
}

fn check(Slide { window, from, to }: Slide, pooling: Pooling, [images, channels]: [usize; 2], places: Places) {
    let input = tensor(9, Shape { images, channels, height: from[0], width: from[1] });
    let pool = Pool { window, pooling };
    let expected = reference::pool(&input, &pool, to);
    let (scene, place, output) = places.lay(&input, expected.shape);
    for level in levels() {
        let mut scene = scene.clone();
        scene.run(&output, |team, arena| pool.run(team, level, arena, &place, &output));
        scene.check(&output, &expected, &(level, pool, place, output));
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn windows_are_pooled_at_any_shape_and_place(
        slide in slides(), pooling in poolings(), images in 1..4_usize, channels in channels(), places in places(),
    ) {
        check(slide, pooling, [images, channels], places);
    }

    #[test]
    fn planes_are_averaged_at_any_shape_and_place(
        images in 1..4_usize, channels in channels(), height in 1..12_usize, width in 1..12_usize,
        scale in 0.1..50.0_f32, places in places(),
    ) {
        let input = tensor(4, Shape { images, channels, height, width });
        let expected = reference::mean_of_planes(&input, scale);
        let (scene, place, output) = places.lay(&input, expected.shape);
        for level in levels() {
            let mut scene = scene.clone();
            scene.run(&output, |team, arena| mean_of_planes(team, level, arena, &place, &output, scale));
            scene.check(&output, &expected, &(level, place, output));
        }
    }
}
