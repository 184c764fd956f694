//! Quantized weights in the order in which the inner loops want them.

use super::QuantizedWeights;
use super::dots::{QUAD, Set};
use crate::{LANES, Order};

/// Quads of input channels of a block.
pub(super) const QUADS: usize = LANES / QUAD;

/// Group of output blocks by group; in it block of input channels, tap, quad of channels, output block. Of the last block
/// only the quads that have a channel. Weights of channels that pad are zero.
pub(super) fn pack(weights: &QuantizedWeights<'_>, [out_channels, in_channels, taps]: [usize; 3], set: Set) -> Vec<i8> {
    let out_blocks = out_channels.div_ceil(LANES);
    let size = set.weight_bytes();
    let mut packed = vec![0; out_blocks * in_channels.div_ceil(QUAD) * taps * size];
    let mut to = packed.chunks_exact_mut(size);
    for first in (0..out_blocks).step_by(set.blocks()) {
        for channels in (0..in_channels).step_by(LANES) {
            for tap in 0..taps {
                for quad in (channels..in_channels.min(channels + LANES)).step_by(QUAD) {
                    for block in first..out_blocks.min(first + set.blocks()) {
                        let Some(to) = to.next() else { return packed };
                        let is_whole = block * LANES + LANES <= out_channels && quad + QUAD <= in_channels;
                        let block = match (weights.order, is_whole) {
                            (Order::OutputFirst, true) => {
                                let place = |lane| ((block * LANES + lane) * in_channels + quad) * taps + tap;
                                quads(weights.numbers, place, taps)
                            }
                            (Order::InputFirst, true) => {
                                quads(weights.numbers, |lane| quad * out_channels + block * LANES + lane, out_channels)
                            }
                            (_, false) => part(weights, [out_channels, in_channels, taps], [block, quad, tap]),
                        };
                        set.write(&block, to);
                    }
                }
            }
        }
    }
    packed
}

/// Of each lane the weights from a place on, a step apart.
fn quads(numbers: &[i8], place: impl Fn(usize) -> usize, step: usize) -> [[i8; QUAD]; LANES] {
    let mut block = [[0; QUAD]; LANES];
    for (lane, quad) in block.iter_mut().enumerate() {
        let from = numbers[place(lane)..].iter().step_by(step);
        quad.iter_mut().zip(from).for_each(|(weight, from)| *weight = *from);
    }
    block
}

/// A block some of whose weights pad.
fn part(
    weights: &QuantizedWeights<'_>,
    [out_channels, in_channels, taps]: [usize; 3],
    [block, quad, tap]: [usize; 3],
) -> [[i8; QUAD]; LANES] {
    let weight = |lane: usize, channel: usize| {
        let (out, channel) = (block * LANES + lane, quad + channel);
        let place = match weights.order {
            Order::OutputFirst => (out * in_channels + channel) * taps + tap,
            Order::InputFirst => channel * out_channels + out,
        };
        if out < out_channels && channel < in_channels { weights.numbers[place] } else { 0 }
    };
    std::array::from_fn(|lane| std::array::from_fn(|channel| weight(lane, channel)))
}

/// The sum of each output channel's weights.
pub(super) fn totals(weights: &QuantizedWeights<'_>, [out_channels, of_output]: [usize; 2]) -> Vec<i32> {
    let number = |out: usize, at: usize| match weights.order {
        Order::OutputFirst => out * of_output + at,
        Order::InputFirst => at * out_channels + out,
    };
    let total = |out: usize| (0..of_output).map(|at| i32::from(weights.numbers[number(out, at)])).sum();
    (0..out_channels).map(total).collect()
}
