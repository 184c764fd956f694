//! Convolution of each channel of bytes by itself.
//!
//! Four neighbours in a row are read as one, for each channel, and times the weights of four taps. Where the kernel leaves
//! weights over, the same four count for the next pixel too, with weights that are moved by one.
//!
//! `unsafe` in this file: [`QuantizedDepthwise::run`] checks the places; below it, addresses are of pixels in them, or of
//! bytes that are read, times zero, a little behind them.

use std::ops::Range;

use super::dots::{Dots, QUAD, Set, Work};
use super::finish::{Finish, Finishing, Rounded};
use super::packed::totals;
use super::{MOST_PRODUCTS, Quantization, QuantizedWeights};
use crate::channelwise::{each_row, rows};
use crate::team::Shared;
use crate::{LANES, Level, Order, Place, Team, Window};

/// A depthwise convolution of a quantized value, whose weights are packed. It makes bytes.
#[derive(Debug)]
pub struct QuantizedDepthwise {
    weights: Vec<i8>,
    start: Vec<i32>,
    finish: Finish,
    window: Window,
    shifts: usize,
    set: Set,
}

/// Pixels whose sums are kept in registers.
const PIXELS: usize = 8;

impl QuantizedDepthwise {
    /// Packs `weights`, channel by channel, in each row by row, and `bias`, one for each channel. The output is `to`,
    /// clamped first.
    ///
    /// # Panics
    /// The lengths do not fit each other, a channel has more than [`MOST_PRODUCTS`] weights, or the window has a zero in
    /// it.
    pub fn new(
        level: Level,
        window: Window,
        weights: &QuantizedWeights<'_>,
        bias: &[f32],
        from: Quantization,
        clamp: [f32; 2],
        to: Quantization,
    ) -> Self {
        let (channels, taps) = (bias.len(), window.taps());
        assert!(taps <= MOST_PRODUCTS, "{taps} products of a sum");
        assert_eq!(weights.numbers.len(), channels.saturating_mul(taps), "weights of a depthwise convolution");
        assert_eq!(weights.scale.len(), channels, "scales of a depthwise convolution");
        assert_eq!(weights.order, Order::OutputFirst, "the order of a depthwise convolution's weights");
        let set = Set::of(level);
        let scale: Vec<f32> = weights.scale.iter().map(|scale| scale * from.scale).collect();
        let zero = i32::from(from.zero_point);
        let mut start: Vec<i32> = totals(weights, [channels, taps]).into_iter().map(|total| -total * zero).collect();
        start.resize(channels.next_multiple_of(LANES), 0);
        let shifts = shifts(&window);
        Self {
            weights: pack(weights.numbers, &window, channels, shifts, set),
            start,
            finish: Finish::new(&scale, bias, &Rounded::Once { clamp, to }),
            window,
            shifts,
            set,
        }
    }

    /// How many bytes behind its input are read, though they do not count.
    pub fn beyond(&self) -> usize {
        let [stride, dilation] = [self.window.stride[1], self.window.dilation[1]];
        stride.saturating_mul(PIXELS).saturating_add(dilation.saturating_mul(QUAD)).saturating_mul(LANES)
    }

    /// Computes `output` from `input`.
    ///
    /// # Panics
    /// A place does not fit the convolution or the arena, fewer than [`QuantizedDepthwise::beyond`] bytes follow the
    /// input, or `output` overlaps it.
    pub fn run(&self, team: &mut Team, arena: &mut [f32], input: &Place, output: &Place) {
        let bytes = size_of_val(arena);
        assert!(input.end().saturating_add(self.beyond()) <= bytes, "a depthwise convolution reads beyond the arena");
        assert!(output.end() <= bytes, "a place beyond the arena");
        assert!(!output.overlaps(input), "a depthwise convolution onto its input");
        for place in [input, output] {
            assert_eq!(place.lanes, LANES, "lanes of a depthwise convolution");
            assert_eq!(place.planes() * LANES, self.start.len(), "channels of a depthwise convolution");
        }
        assert_eq!(input.shape.images, output.shape.images, "images of a depthwise convolution");
        let need = self.window.halo([input.shape.height, input.shape.width], [output.shape.height, output.shape.width]);
        assert_eq!(input.halo.union(need), input.halo, "the halo of a depthwise convolution's input");
        output.require_apart();
        let arena = Shared::of(arena);
        // Four products are one, and each takes a load.
        let work = (output.shape.width * LANES).saturating_mul(self.window.taps());
        team.share(rows(output), work, |rows| {
            self.set.run(Planes { of: self, arena: arena.start().cast(), input, output, rows });
        });
    }
}

/// For how many pixels that are neighbours the same four count, a power of two.
fn shifts(window: &Window) -> usize {
    let free = window.kernel[1].next_multiple_of(QUAD) - window.kernel[1];
    match (window.stride[1], window.dilation[1], free) {
        (1, 1, 3..) => 4,
        (1, 1, 1..) => 2,
        _ => 1,
    }
}

/// Block by block; in it row, four taps, shift. What is no tap is zero.
fn pack(weights: &[i8], window: &Window, channels: usize, shifts: usize, set: Set) -> Vec<i8> {
    let [rows, columns] = window.kernel;
    let fours = columns.div_ceil(QUAD);
    let size = set.weight_bytes();
    let blocks = channels.div_ceil(LANES);
    let mut packed = vec![0; blocks * rows * fours * shifts * size];
    for (number, to) in packed.chunks_exact_mut(size).enumerate() {
        let (shift, four) = (number % shifts, number / shifts % fours);
        let (row, block) = (number / shifts / fours % rows, number / shifts / fours / rows);
        let weight = |lane: usize, tap: usize| {
            let (channel, tap) = (block * LANES + lane, (four * QUAD + tap).checked_sub(shift));
            match tap {
                Some(tap) if tap < columns && channel < channels => weights[(channel * rows + row) * columns + tap],
                _ => 0,
            }
        };
        let all: [[i8; QUAD]; LANES] = std::array::from_fn(|lane| std::array::from_fn(|tap| weight(lane, tap)));
        set.write(&all, to);
    }
    packed
}

struct Planes<'a> {
    of: &'a QuantizedDepthwise,
    arena: *mut u8,
    input: &'a Place,
    output: &'a Place,
    /// Those of the output that are computed here, and by nobody else.
    rows: Range<usize>,
}

impl Work for Planes<'_> {
    #[inline(always)]
    unsafe fn run<D: Dots>(self) {
        let QuantizedDepthwise { window, shifts, .. } = self.of;
        let size = self.of.set.weight_bytes();
        let of_block = window.kernel[0] * window.kernel[1].div_ceil(QUAD) * shifts * size;
        let mut sums = [0_i32; PIXELS * LANES];
        for [image, block, row] in each_row(self.output, self.rows.clone()) {
            let top = row * window.stride[0] + self.input.halo.top - window.before[0];
            let left = (self.input.halo.left - window.before[1]) * LANES;
            let start = self.input.offset
                + image * self.input.image_stride
                + block * self.input.plane_stride()
                + top * self.input.row_stride()
                + left;
            for column in (0..self.output.shape.width).step_by(PIXELS) {
                let pixels = PIXELS.min(self.output.shape.width - column);
                // SAFETY: `run` saw that the input's halo holds every tap of every pixel, and that behind the input may be
                // read what eight pixels' fours are more; weights and starts are of this block.
                unsafe {
                    let input = self.arena.add(start + column * window.stride[1] * LANES);
                    let weights = self.of.weights.as_ptr().add(block * of_block);
                    let begin = D::load(self.of.start.as_ptr().add(block * LANES));
                    match shifts {
                        4 => self.tile::<D, 4, 2>(input, weights, begin, &mut sums),
                        2 => self.tile::<D, 2, 4>(input, weights, begin, &mut sums),
                        _ => self.tile::<D, 1, 8>(input, weights, begin, &mut sums),
                    }
                    Finishing {
                        of: &self.of.finish,
                        first: block,
                        sums: &sums,
                        blocks: 1,
                        pixels,
                        output: self.arena.add(self.output.at(image, block, row, column)),
                        output_stride: 0,
                        added: std::ptr::null(),
                        added_stride: 0,
                    }
                    .run::<D>();
                }
            }
        }
    }
}

impl Planes<'_> {
    /// Sums eight pixels: `G` times `S` neighbours.
    ///
    /// # Safety
    /// The processor has `D`; the fours of these pixels may be read, and the weights of a block.
    #[inline(always)]
    unsafe fn tile<D: Dots, const S: usize, const G: usize>(
        &self,
        input: *const u8,
        weights: *const i8,
        begin: D::Sums,
        sums: &mut [i32; PIXELS * LANES],
    ) {
        let window = &self.of.window;
        let size = self.of.set.weight_bytes();
        let (apart, step) = (window.dilation[1] * LANES, S * window.stride[1] * LANES);
        let mut weights = weights;
        // SAFETY: the caller's.
        unsafe {
            let mut all = [[begin; S]; G];
            for y in 0..window.kernel[0] {
                let mut taps = input.add(y * window.dilation[0] * self.input.row_stride());
                for _ in 0..window.kernel[1].div_ceil(QUAD) {
                    let w: [D::Weights; S] = std::array::from_fn(|shift| D::weights(weights.add(shift * size)));
                    for (group, sums) in all.iter_mut().enumerate() {
                        let four = D::four(taps.add(group * step), apart);
                        for shift in 0..S {
                            sums[shift] = D::dot_each(sums[shift], four, w[shift]);
                        }
                    }
                    weights = weights.add(S * size);
                    taps = taps.add(QUAD * apart);
                }
            }
            for (pixel, sum) in all.into_iter().flatten().enumerate() {
                D::store(sum, sums.as_mut_ptr().add(pixel * LANES));
            }
        }
    }
}
