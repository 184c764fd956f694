//! Convolution of bytes.
//!
//! `unsafe` in this file: [`QuantizedConv::run`] checks the places; below it, addresses are of pixels in them.

use std::ops::Range;

use super::dots::{QUAD, Set};
use super::finish::{Finish, Finishing, Rounded};
use super::packed::{QUADS, pack, totals};
use super::tile::{Run, Tile, run_of};
use super::{MOST_PRODUCTS, Quantization, QuantizedWeights, overlap};
use crate::conv::{Cut, Lines, Units};
use crate::team::Shared;
use crate::{LANES, Level, Order, Place, Team, Window};

/// A convolution of a quantized value, whose weights are packed.
#[derive(Debug)]
pub struct QuantizedConv {
    weights: Vec<i8>,
    /// Of each output channel: what the input's zero point adds to it, taken away.
    start: Vec<i32>,
    finish: Finish,
    rounded: Rounded,
    window: Window,
    in_channels: usize,
    out_blocks: usize,
    set: Set,
}

impl QuantizedConv {
    /// Packs `weights` and `bias`, one for each output channel. `from` is the input's.
    ///
    /// # Panics
    /// The lengths do not fit each other, an output channel has more than [`MOST_PRODUCTS`] weights, or the window has a
    /// zero in it.
    pub fn new(
        level: Level,
        window: Window,
        [out_channels, in_channels]: [usize; 2],
        weights: &QuantizedWeights<'_>,
        bias: &[f32],
        from: Quantization,
        rounded: Rounded,
    ) -> Self {
        let taps = window.taps();
        let of_output = in_channels.saturating_mul(taps);
        assert!(of_output <= MOST_PRODUCTS, "{of_output} products of a sum");
        assert_eq!(weights.numbers.len(), out_channels.saturating_mul(of_output), "weights of a convolution");
        assert!(weights.order == Order::OutputFirst || taps == 1, "weights of several taps, input channels first");
        assert_eq!((weights.scale.len(), bias.len()), (out_channels, out_channels), "scales and bias of a convolution");
        let set = Set::of(level);
        let scale: Vec<f32> = weights.scale.iter().map(|scale| scale * from.scale).collect();
        let zero = i32::from(from.zero_point);
        let mut start: Vec<i32> =
            totals(weights, [out_channels, of_output]).into_iter().map(|total| -total * zero).collect();
        start.resize(out_channels.next_multiple_of(LANES), 0);
        Self {
            weights: pack(weights, [out_channels, in_channels, taps], set),
            start,
            finish: Finish::new(&scale, bias, &rounded),
            rounded,
            window,
            in_channels,
            out_blocks: out_channels.div_ceil(LANES),
            set,
        }
    }

    /// Computes `output`, a place of bytes or of `f32` as it is [`Rounded`], from the bytes at `input`; adds those at
    /// `added` if a sum is to be made.
    ///
    /// # Panics
    /// A place does not fit the convolution or the arena, or `output` overlaps another one.
    pub fn run(&self, team: &mut Team, arena: &mut [f32], input: &Place, added: Option<&Place>, output: &Place) {
        self.check(arena.len(), input, added, output);
        let dense = [Some(input), added, Some(output)].into_iter().flatten().all(Place::is_dense);
        if output.shape.height * output.shape.width == 0 {
            return;
        }
        let lines = Lines::of(&self.window, dense, input, output);
        let cut = Cut::new(lines.columns, self.set.pixels());
        // Products of bytes are several at once.
        let products = self.in_channels.div_ceil(QUAD) * self.window.taps();
        let units = Units::new(output, lines, cut, self.set.blocks(), self.weights.len() > NEAR, products);
        let arena = Shared::of(arena);
        team.share(units.count(), units.work, |part| {
            // SAFETY: `check` saw that every place lies in the arena and that the output overlaps no other place, that the
            // input has the halo which the window needs, and that the channels are those the weights are packed for.
            // Parts have no unit in common, and so no number of the output.
            unsafe { self.lines(arena.start().cast(), [input, output], added, cut.pixels, &units, part) }
        });
    }

    fn check(&self, len: usize, input: &Place, added: Option<&Place>, output: &Place) {
        let bytes = len.saturating_mul(4);
        for place in [Some(input), added].into_iter().flatten() {
            assert!(place.end() <= bytes, "a place beyond the arena");
        }
        if self.rounded.makes_bytes() {
            assert!(output.end() <= bytes, "a place beyond the arena");
            for other in [Some(input), added].into_iter().flatten() {
                assert!(!output.overlaps(other), "a convolution onto its input");
            }
        } else {
            assert!(output.end() <= len, "a place beyond the arena");
            assert!(!overlap(input, output), "a convolution onto its input");
        }
        assert_eq!(added.is_some(), self.rounded.added().is_some(), "what a convolution adds");
        let (rows, columns) = (output.shape.height, output.shape.width);
        let need = self.window.halo([input.shape.height, input.shape.width], [rows, columns]);
        assert_eq!(input.halo.union(need), input.halo, "the halo of a convolution's input");
        assert_eq!((input.lanes, input.shape.channels), (LANES, self.in_channels), "channels of a convolution's input");
        assert_eq!((output.lanes, output.planes()), (LANES, self.out_blocks), "channels of a convolution's output");
        assert_eq!(input.shape.images, output.shape.images, "images of a convolution");
        let fits = |place: &Place| (place.lanes, place.shape) == (LANES, output.shape);
        assert!(added.is_none_or(fits), "what a convolution adds");
        output.require_apart();
    }

    /// # Safety
    /// As [`QuantizedConv::run`] proves; nobody else has a unit of the part.
    unsafe fn lines(
        &self,
        arena: *mut u8,
        [input, output]: [&Place; 2],
        added: Option<&Place>,
        pixels: usize,
        units: &Units,
        part: Range<usize>,
    ) {
        let step = self.window.stride[1] * LANES;
        let functions: [Run; 2] = [1, 2].map(|blocks| run_of(self.set, blocks, pixels, step));
        let (quads, blocks) = (self.in_channels.div_ceil(QUAD), self.in_channels.div_ceil(LANES));
        let panel = quads * self.window.taps() * self.set.weight_bytes();
        let size = if self.rounded.makes_bytes() { 1 } else { size_of::<f32>() };
        let mut sums = [0_i32; MOST_SUMS];
        let run = |image: usize, row: usize, column: usize, first: usize| {
            let count = units.group.min(self.out_blocks - first);
            let top = (row * self.window.stride[0] + input.halo.top - self.window.before[0]) * input.row_stride();
            let left = (column * self.window.stride[1] + input.halo.left - self.window.before[1]) * LANES;
            let next = self.weights.get((first + count) * panel..).unwrap_or_default();
            let ahead = units.ahead(row, column, next, count * panel, blocks * self.window.taps());
            // SAFETY: all offsets lie in places that `check` saw, for a tile of a row never leaves its row; a set's tiles
            // have no more sums than there is room for.
            unsafe {
                let tile = Tile {
                    input: arena.add(input.offset + image * input.image_stride + top + left),
                    weights: self.weights.as_ptr().add(first * panel),
                    start: self.start.as_ptr().add(first * LANES),
                    sums: sums.as_mut_ptr(),
                    blocks,
                    last_quads: quads - blocks.saturating_sub(1) * QUADS,
                    kernel: self.window.kernel,
                    block_stride: input.plane_stride(),
                    tap_stride: [self.window.dilation[0] * input.row_stride(), self.window.dilation[1] * LANES],
                    step,
                    ahead,
                };
                functions[count - 1](&tile);
                self.set.run(Finishing {
                    of: &self.finish,
                    first,
                    sums: &sums,
                    blocks: count,
                    pixels,
                    output: arena.add(output.at(image, first, row, column) * size),
                    output_stride: output.plane_stride() * size,
                    added: added.map_or(std::ptr::null(), |place| arena.add(place.at(image, first, row, column))),
                    added_stride: added.map_or(0, Place::plane_stride),
                });
            }
        };
        units.each(part, run);
    }
}

/// Of the largest tile of any set: two blocks of fourteen pixels.
const MOST_SUMS: usize = 2 * 14 * LANES;

/// Weights up to this many bytes stay in the second cache while pixels go by; of more, a group's stay there while all
/// pixels go by.
const NEAR: usize = 512 << 10;
