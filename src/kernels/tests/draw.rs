//! Random cases for tests to draw.

use proptest::prelude::*;
use strongroom_kernels::{Activation, Finish, Halo, LANES, Window};

use super::scene::Layout;

/// As many cases as `PROPTEST_CASES` says; none is written to a file.
pub fn cases() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

pub fn layouts() -> impl Strategy<Value = Layout> {
    let neighbours = prop_oneof![Just([0; 2]), [0..3_usize, 0..3_usize]];
    (halos(), neighbours, prop_oneof![Just(0), Just(LANES), 0..40_usize]).prop_map(|(halo, neighbours, gap)| Layout {
        halo,
        neighbours,
        gap,
    })
}

fn halos() -> impl Strategy<Value = Halo> {
    let sides = prop_oneof![Just([0; 4]), [0..3_usize, 0..3_usize, 0..3_usize, 0..3_usize]];
    sides.prop_map(|[top, left, bottom, right]| Halo { top, left, bottom, right })
}

/// A window, and the rows and columns of what it slides over and of what it gives.
#[derive(Debug, Clone, Copy)]
pub struct Slide {
    pub window: Window,
    pub from: [usize; 2],
    pub to: [usize; 2],
}

/// Pads may be as wide as the window, less one; planes may end before, at or behind the last window's end.
pub fn slides() -> impl Strategy<Value = Slide> {
    (axes(1..6), axes(1..34)).prop_map(|(down, across)| Slide {
        window: Window {
            kernel: [down.kernel, across.kernel],
            stride: [down.stride, across.stride],
            dilation: [down.dilation, across.dilation],
            before: [down.before, across.before],
        },
        from: [down.from, across.from],
        to: [down.to, across.to],
    })
}

#[derive(Debug, Clone, Copy)]
struct Axis {
    kernel: usize,
    stride: usize,
    dilation: usize,
    before: usize,
    from: usize,
    to: usize,
}

fn axes(lens: std::ops::Range<usize>) -> impl Strategy<Value = Axis> {
    let kernels = prop_oneof![Just(1), Just(3), 1..8_usize];
    let strides = prop_oneof![Just(1), Just(2), 1..5_usize];
    (kernels, strides, 1..3_usize, lens).prop_flat_map(|(kernel, stride, dilation, to)| {
        let extent = (kernel - 1) * dilation + 1;
        (0..extent, 0..extent, 0..2 * stride).prop_map(move |(before, after, more)| {
            let from = ((to - 1) * stride + extent + more).saturating_sub(before + after).max(1);
            Axis { kernel, stride, dilation, before, from, to }
        })
    })
}

/// Every activation, and clamps of one side, of both, and of none.
pub fn finishes() -> impl Strategy<Value = Finish> {
    let activations = prop_oneof![
        4 => Just(Activation::Identity),
        1 => (-0.5..1.5_f32).prop_map(Activation::Leaky),
        1 => Just(Activation::Sigmoid),
        1 => Just(Activation::Silu),
        1 => Just(Activation::HardSwish),
        1 => (0.05..0.5_f32, 0.0..1.0_f32).prop_map(|(slope, offset)| Activation::HardSigmoid { slope, offset }),
        1 => Just(Activation::Gelu),
        1 => Just(Activation::Tanh),
        1 => Just(Activation::Erf),
    ];
    let lows = prop_oneof![Just(f32::NEG_INFINITY), Just(0.0), -3.0..0.5_f32];
    let highs = prop_oneof![Just(f32::INFINITY), Just(6.0), 0.5..3.0_f32];
    (activations, lows, highs).prop_map(|(activation, low, high)| Finish { activation, low, high })
}

/// Channels: fewer than a block, whole blocks, and some more.
pub fn channels() -> impl Strategy<Value = usize> {
    prop_oneof![Just(LANES), Just(2 * LANES), 1..LANES, LANES + 1..4 * LANES]
}
