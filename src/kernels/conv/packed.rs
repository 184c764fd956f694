//! Weights in the order in which the inner loop wants them.

use std::ops::Range;

use crate::{Arena, LANES};

/// How an input's channels come: in blocks, or as planes of one channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub(super) lanes: usize,
    in_channels: usize,
}

impl Source {
    pub(super) fn new(lanes: usize, in_channels: usize) -> Self {
        Self { lanes, in_channels }
    }

    /// Blocks of channels that the kernel loops over; planar channels are one block.
    pub(super) fn blocks(self) -> usize {
        if self.lanes == 1 { 1 } else { self.in_channels.div_ceil(LANES) }
    }

    /// Channels of such a block.
    pub(super) fn channels(self) -> usize {
        if self.lanes == 1 { self.in_channels } else { LANES }
    }

    /// Channels of the last block: what pads it takes no part, for it may be anything.
    pub(super) fn last_channels(self) -> usize {
        self.in_channels - self.blocks().saturating_sub(1) * self.channels()
    }

    /// Channels in all.
    pub(super) fn numbers(self) -> usize {
        self.in_channels
    }
}

/// Weights as a graph holds them.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    /// All of them.
    pub numbers: &'a [f32],
    /// Which of them are neighbours.
    pub order: Order,
    /// What those of each output channel are multiplied by; empty: nothing.
    pub scale: &'a [f32],
}

/// In which order weights lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Output channel by output channel, in each of them input channel by input channel, in each of these row by row:
    /// ONNX's OIHW.
    OutputFirst,
    /// Input channel by input channel, in each of them output channel by output channel: the right factor of a matrix
    /// product. Of a kernel of one tap.
    InputFirst,
}

impl<'a> From<&'a [f32]> for Weights<'a> {
    /// Output channels first, as they are.
    fn from(numbers: &'a [f32]) -> Self {
        Self { numbers, order: Order::OutputFirst, scale: &[] }
    }
}

/// Group of output blocks by group; in it block of input channels, tap, channel, output block, lane. Lanes that pad are
/// zero.
pub(super) fn pack(
    weights: Weights<'_>,
    [out_channels, in_channels, taps]: [usize; 3],
    source: Source,
    group: usize,
) -> Arena {
    let blocks = out_channels.div_ceil(LANES);
    let panel = source.numbers() * taps * LANES;
    let mut packed = Arena::new(blocks * panel);
    // Some input channels at a time, for all outputs: what lies in few pages is read while these are known.
    let step = if weights.order == Order::InputFirst { NEAR_ROWS } else { in_channels.max(1) };
    for from in (0..in_channels).step_by(step) {
        for first in (0..blocks).step_by(group) {
            let count = group.min(blocks - first);
            let panels = &mut packed.numbers_mut()[first * panel..][..count * panel];
            let outs = first * LANES..out_channels.min((first + count) * LANES);
            match weights.order {
                Order::OutputFirst => by_output(&weights, [in_channels, taps], source, outs, panels),
                Order::InputFirst => by_input(&weights, out_channels, from..in_channels.min(from + step), outs, panels),
            }
        }
    }
    packed
}

/// Rows of weights that are read side by side.
const NEAR_ROWS: usize = 32;

/// Packs the panels of `outs`, each of which has all its weights in one row.
fn by_output(
    weights: &Weights<'_>,
    [in_channels, taps]: [usize; 2],
    source: Source,
    outs: Range<usize>,
    panels: &mut [f32],
) {
    let blocks = outs.len().div_ceil(LANES);
    let mut rest = panels;
    for channels in (0..in_channels).step_by(source.channels().max(1)) {
        let count = source.channels().min(in_channels - channels);
        let (of_block, behind) = rest.split_at_mut(count * taps * blocks * LANES);
        rest = behind;
        for block in 0..blocks {
            let first = outs.start + block * LANES;
            let last = outs.end.min(first + LANES);
            let row = |out: usize| &weights.numbers[(out * in_channels + channels) * taps..][..count * taps];
            let rows: Vec<&[f32]> = (first..last).map(row).collect();
            let scale = weights.scale.get(first..last).unwrap_or_default();
            for channel in 0..count {
                for tap in 0..taps {
                    let lanes = &mut of_block[((tap * count + channel) * blocks + block) * LANES..][..LANES];
                    let place = channel * taps + tap;
                    lanes.iter_mut().zip(&rows).for_each(|(lane, row)| *lane = row[place]);
                    lanes.iter_mut().zip(scale).for_each(|(lane, scale)| *lane *= scale);
                }
            }
        }
    }
}

/// Packs of the panels of `outs` what is multiplied with some channels, each of which has its weights in one row.
fn by_input(
    weights: &Weights<'_>,
    out_channels: usize,
    channels: Range<usize>,
    outs: Range<usize>,
    panels: &mut [f32],
) {
    let width = outs.len().next_multiple_of(LANES);
    let scale = weights.scale.get(outs.clone()).unwrap_or_default();
    for channel in channels {
        let row = &weights.numbers[channel * out_channels..][outs.clone()];
        let lanes = &mut panels[channel * width..][..row.len()];
        lanes.copy_from_slice(row);
        lanes.iter_mut().zip(scale).for_each(|(lane, scale)| *lane *= scale);
    }
}
