//! Tensors into memory and out of it, and the zeros around planes.

use proptest::prelude::*;
use strongroom_kernels::{LANES, Shape, fill_halo, from_planar, to_planar};

use super::draw::{cases, channels, layouts};
use super::scene::{Layout, Scene, tensor};

fn shapes() -> impl Strategy<Value = Shape> {
    (1..4_usize, channels(), 1..5_usize, 1..9_usize).prop_map(|(images, channels, height, width)| Shape {
        images,
        channels,
        height,
        width,
    })
}

/// Numbers of the halo and of the channels that pad, which are not zero.
fn not_zero_around(scene: &Scene, layout: &Layout, shape: Shape, lanes: usize) -> usize {
    let mut other = Scene::default();
    let place = other.put(layout, &tensor(3, shape), lanes);
    let is_padding = |at: &usize| {
        let planes = (0..shape.images).flat_map(|image| (0..place.planes()).map(move |plane| (image, plane)));
        let in_plane = planes.into_iter().any(|(image, plane)| {
            let start = place.offset + image * place.image_stride + plane * place.plane_stride();
            (start..start + place.plane_stride()).contains(at)
        });
        in_plane && (other.arena[*at] == 0.0 || other.arena[*at].is_nan())
    };
    (0..scene.arena.len()).filter(is_padding).filter(|at| scene.arena[*at] != 0.0).count()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_tensor_comes_out_as_it_went_in(
        shape in shapes(), layout in layouts(), lanes in prop_oneof![Just(1), Just(LANES)],
    ) {
        let input = tensor(3, shape);
        let mut scene = Scene::default();
        let place = scene.room(&layout, shape, lanes);
        scene.run(&place, |_, arena| from_planar(arena, &input.numbers, &place));
        prop_assert_eq!(&scene.value(&place).numbers, &input.numbers);
        prop_assert_eq!(not_zero_around(&scene, &layout, shape, lanes), 0);
        let mut output = vec![0.0; input.numbers.len()];
        to_planar(&scene.arena, &place, &mut output);
        prop_assert_eq!(output, input.numbers);
    }

    #[test]
    fn a_halo_is_filled_and_nothing_else(
        shape in shapes(), layout in layouts(), lanes in prop_oneof![Just(1), Just(LANES)],
    ) {
        let mut scene = Scene::default();
        let place = scene.put(&layout, &tensor(3, shape), lanes);
        let whole = scene.arena.clone();
        // All but the value itself.
        let mut hollow = Scene::default();
        let same = hollow.room(&layout, shape, lanes);
        prop_assert_eq!(same, place);
        let before = hollow.arena.clone();
        hollow.run(&place, |_, arena| fill_halo(arena, &place, 0.0));
        for (at, (number, zero)) in hollow.arena.iter().zip(&whole).enumerate() {
            // Where the full scene has a zero, there is halo.
            let wanted = if *zero == 0.0 { 0 } else { before[at].to_bits() };
            prop_assert_eq!(number.to_bits(), wanted, "at {}", at);
        }
    }
}

#[test]
fn channels_that_pad_a_block_become_zeros_however_many_they_are() {
    for channels in 1..2 * LANES {
        let shape = Shape { images: 2, channels, height: 2, width: 3 };
        let mut scene = Scene::default();
        let place = scene.room(&Layout::default(), shape, LANES);
        scene.run(&place, |_, arena| from_planar(arena, &tensor(3, shape).numbers, &place));
        assert_eq!(not_zero_around(&scene, &Layout::default(), shape, LANES), 0, "{channels} channels");
    }
}
