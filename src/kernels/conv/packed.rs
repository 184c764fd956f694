//! Weights in the order in which the inner loop wants them.

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

/// Group of output blocks by group; in it block of input channels, tap, channel, output block, lane. Lanes that pad are
/// zero.
pub(super) fn pack(
    weights: &[f32],
    [out_channels, in_channels, taps]: [usize; 3],
    source: Source,
    group: usize,
) -> Arena {
    let blocks = out_channels.div_ceil(LANES);
    let mut packed = Arena::new(blocks * source.numbers() * taps * LANES);
    let mut to = packed.numbers_mut().chunks_exact_mut(LANES);
    for first in (0..blocks).step_by(group) {
        let out_blocks = first..blocks.min(first + group);
        for channels in (0..in_channels).step_by(source.channels().max(1)) {
            for tap in 0..taps {
                for channel in channels..in_channels.min(channels + source.channels()) {
                    for block in out_blocks.clone() {
                        let Some(lanes) = to.next() else { return packed };
                        for (lane, number) in lanes.iter_mut().enumerate() {
                            let out = block * LANES + lane;
                            if out < out_channels {
                                *number = weights[(out * in_channels + channel) * taps + tap];
                            }
                        }
                    }
                }
            }
        }
    }
    packed
}
