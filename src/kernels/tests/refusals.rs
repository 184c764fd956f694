//! What is refused when kernels are made, and by what moves tensors.

use std::panic::{AssertUnwindSafe, catch_unwind};

use strongroom_kernels::{
    Channelwise, Conv, Depthwise, Finish, Halo, LANES, Level, Place, Pool, Pooling, Shape, Team, Window, combine,
    fill_halo, from_planar, to_planar,
};

use super::scene::levels;

/// `call` panics, and says `why`.
pub fn assert_refused(why: &str, call: impl FnOnce()) {
    let Err(panic) = catch_unwind(AssertUnwindSafe(call)) else { panic!("it was not refused: {why}") };
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    let text = text.expect("a panic with a text");
    assert!(text.contains(why), "{text}, not {why}");
}

const WINDOW: Window = Window { kernel: [3; 2], stride: [1; 2], dilation: [1; 2], before: [1; 2] };
const SHAPE: Shape = Shape { images: 1, channels: 3, height: 2, width: 2 };

fn conv(window: Window, channels: [usize; 2], lanes: usize, [weights, bias]: [usize; 2]) {
    let (weights, bias) = (vec![0.0; weights], vec![0.0; bias]);
    Conv::new(Level::Portable, window, channels, lanes, &weights[..], &bias, Finish::default());
}

fn depthwise(window: Window, [weights, bias]: [usize; 2]) {
    Depthwise::new(Level::Portable, window, &vec![0.0; weights], &vec![0.0; bias], Finish::default());
}

#[test]
fn weights_and_biases_of_other_lengths() {
    conv(WINDOW, [2, 3], LANES, [54, 2]);
    assert_refused("weights", || conv(WINDOW, [2, 3], LANES, [53, 2]));
    assert_refused("weights", || conv(WINDOW, [2, 3], LANES, [55, 2]));
    assert_refused("bias", || conv(WINDOW, [2, 3], LANES, [54, 3]));
    depthwise(WINDOW, [27, 3]);
    assert_refused("weights", || depthwise(WINDOW, [26, 3]));
    assert_refused("weights", || depthwise(WINDOW, [27, 2]));
    let scaling = |scales: usize, offsets: usize| {
        Channelwise::new(&vec![0.0; scales], &vec![0.0; offsets], Finish::default());
    };
    scaling(3, 3);
    assert_refused("scales", || scaling(3, 2));
}

#[test]
fn sizes_of_weights_whose_product_overflows() {
    let half = 1 << (usize::BITS / 2);
    let window = Window { kernel: [half; 2], dilation: [1; 2], ..WINDOW };
    assert_refused("weights", || conv(window, [2, 3], LANES, [0, 2]));
    assert_refused("weights", || depthwise(window, [0, 3]));
    assert_refused("weights", || conv(WINDOW, [16, usize::MAX / 16 + 1], LANES, [0, 16]));
}

#[test]
fn a_window_with_a_zero_in_it() {
    for axis in [[0, 1], [1, 0]] {
        let windows =
            [Window { kernel: axis, ..WINDOW }, Window { stride: axis, ..WINDOW }, Window { dilation: axis, ..WINDOW }];
        for window in windows {
            let taps = window.kernel[0] * window.kernel[1];
            assert_refused("zero", || conv(window, [2, 3], LANES, [6 * taps, 2]));
            assert_refused("zero", || depthwise(window, [3 * taps, 3]));
            let place = Place::blocked(0, SHAPE, Halo::default());
            let output = Place::blocked(place.end(), SHAPE, Halo::default());
            let pool = Pool { window, pooling: Pooling::Sum };
            assert_refused("zero", || pool.run(&mut Team::alone(), Level::Portable, &mut [0.0; 200], &place, &output));
        }
    }
}

#[test]
fn a_convolution_from_blocks_of_another_size() {
    for lanes in [0, 2, 8, 15, 17, 32] {
        assert_refused("lanes", || conv(WINDOW, [2, 3], lanes, [54, 2]));
    }
}

/// Where all levels are available (no machine that lacks one, no valgrind), there is nothing to refuse.
#[test]
fn a_level_that_the_processor_lacks() {
    #[cfg(target_arch = "x86_64")]
    let all = [Level::Portable, Level::Avx2, Level::Avx512, Level::Avx512Vnni];
    #[cfg(not(target_arch = "x86_64"))]
    let all = [Level::Portable];
    let place = Place::blocked(0, SHAPE, Halo { top: 1, left: 1, bottom: 1, right: 1 });
    let output = Place::blocked(place.end(), SHAPE, Halo::default());
    for level in all.into_iter().filter(|level| !levels().contains(level)) {
        let mut arena = [0.0; 400];
        let why = "this processor has no";
        let conv = Conv::new(level, WINDOW, [3, 3], LANES, &[0.0; 81][..], &[0.0; 3], Finish::default());
        assert_refused(why, || conv.run(&mut Team::alone(), &mut arena, &place, None, &output));
        let depthwise = Depthwise::new(level, WINDOW, &[0.0; 27], &[0.0; 3], Finish::default());
        assert_refused(why, || depthwise.run(&mut Team::alone(), &mut arena, &place, None, &output));
        let pool = Pool { window: WINDOW, pooling: Pooling::Sum };
        assert_refused(why, || pool.run(&mut Team::alone(), level, &mut arena, &place, &output));
        let add = strongroom_kernels::Operation::Add;
        assert_refused(why, || {
            combine(&mut Team::alone(), level, &mut arena, add, [&place, &place], &output, &Finish::default())
        });
    }
}

#[test]
fn a_tensor_of_another_length_than_its_place() {
    for len in [11, 13, 0] {
        let place = Place::planar(0, SHAPE, Halo::default());
        assert_refused("a tensor", || from_planar(&mut [0.0; 100], &vec![0.0; len], &place));
        assert_refused("a tensor", || to_planar(&[0.0; 100], &place, &mut vec![0.0; len]));
    }
}

#[test]
fn a_tensor_at_a_place_beyond_memory() {
    let places: [fn(usize, Shape, Halo) -> Place; 2] = [Place::planar, Place::blocked];
    for place in places {
        for halo in [Halo::default(), Halo { top: 1, left: 1, bottom: 1, right: 1 }] {
            let place = place(3, SHAPE, halo);
            let short = place.end() - 1;
            assert_refused("", || from_planar(&mut vec![0.0; short], &[0.0; 12], &place));
            assert_refused("", || to_planar(&vec![0.0; short], &place, &mut [0.0; 12]));
            assert_refused("", || fill_halo(&mut vec![0.0; short], &place, 0.0));
            from_planar(&mut vec![0.0; short + 1], &[0.0; 12], &place);
            to_planar(&vec![0.0; short + 1], &place, &mut [0.0; 12]);
            fill_halo(&mut vec![0.0; short + 1], &place, 0.0);
        }
    }
}

#[test]
fn a_tensor_into_blocks_of_another_size() {
    let place = Place { lanes: 8, ..Place::blocked(0, SHAPE, Halo::default()) };
    assert_refused("lanes", || from_planar(&mut [0.0; 100], &[0.0; 12], &place));
}

#[test]
fn a_part_beyond_the_end_of_its_whole() {
    let whole = Place::blocked(0, Shape { channels: 33, ..SHAPE }, Halo::default());
    assert_eq!(whole.part(1, 32).end(), whole.end());
    assert_refused("no part", || _ = whole.part(1, 33));
    assert_refused("no part", || _ = whole.part(3, 1));
    assert_refused("no part", || _ = whole.part(usize::MAX, 16));
}

#[test]
fn a_halo_around_nothing_is_nothing_to_fill() {
    let place = Place::blocked(0, Shape { width: 0, ..SHAPE }, Halo { top: 1, left: 0, bottom: 1, right: 0 });
    fill_halo(&mut [], &place, 0.0);
}
