//! How far activations are off, over all of their range.

use strongroom_kernels::{Activation, Level};

use super::nan::applied;
use super::reference::activated;
use super::scene::levels;

const STEPS: usize = 9_973;

/// Numbers of every size, both signs, denser where functions bend.
fn everywhere() -> Vec<f32> {
    let of_all_sizes = (0..0x7f00_0000_u32).step_by(0x7f00_0000 / STEPS).map(f32::from_bits);
    let near = (0..STEPS).map(|step| step as f32 / STEPS as f32 * 20.0);
    of_all_sizes.chain(near).flat_map(|x| [x, -x]).collect()
}

/// The largest distance from the exact number, absolute, and relative to its size where it is larger than `floor`.
fn errors(level: Level, activation: Activation, floor: f64) -> [f64; 2] {
    let numbers = everywhere();
    let mut worst = [0.0_f64; 2];
    for (x, found) in numbers.iter().zip(applied(level, activation, &numbers)) {
        let exact = activated(activation, f64::from(*x));
        let error = (f64::from(found) - exact).abs();
        assert!(error.is_finite() || exact.abs() > f64::from(f32::MAX) / 6.0, "{activation:?} of {x}: {found}");
        if error.is_finite() {
            // Beyond 1 what counts is how many digits are right.
            worst[0] = worst[0].max(error / exact.abs().max(1.0));
            worst[1] = worst[1].max(if exact.abs() >= floor { error / exact.abs() } else { 0.0 });
        }
    }
    println!("{level:?} {activation:?}: {:.2e} of max(1, |y|), {:.2e} of |y| from {floor:.0e} on", worst[0], worst[1]);
    worst
}

#[test]
fn all_are_right_to_a_few_units_in_the_last_place_of_one() {
    let limits = [
        (Activation::Leaky(0.01), 6.0e-8, 1.0e-35, 1.2e-7),
        (Activation::Sigmoid, 2.0e-7, 1.0e-37, 4.0e-7),
        (Activation::Silu, 2.0e-7, 1.0e-35, 4.0e-7),
        (Activation::HardSwish, 2.0e-7, 1.0e-35, 4.0e-7),
        (Activation::HardSigmoid { slope: 0.2, offset: 0.5 }, 1.2e-7, 1.0, 1.2e-7),
        (Activation::Gelu, 4.0e-7, 1.0, 4.0e-7),
        (Activation::Tanh, 2.0e-7, 1.0, 2.0e-7),
        (Activation::Erf, 6.0e-7, 1.0, 6.0e-7),
    ];
    for level in levels() {
        for (activation, absolute, floor, relative) in limits {
            let worst = errors(level, activation, floor);
            assert!(worst[0] <= absolute && worst[1] <= relative, "{level:?} {activation:?}: {worst:?}");
        }
    }
}
