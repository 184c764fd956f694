//! Convolution: bias, activation and an addition on the way to memory.

mod ahead;
mod packed;
pub(crate) mod tile;

use super::activation::Activation;
use std::ops::Range;

use super::team::{Shared, walk};
use super::{Arena, LANES, Level, Place, Shape, Team};
pub(crate) use ahead::Ahead;
pub use packed::{Order, Weights};
use packed::{Source, pack};
pub(crate) use tile::Cut;
use tile::{Tile, Tiled};

/// What a kernel looks at: the window that slides over a plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// From one output pixel to the next, in input pixels: down, across.
    pub stride: [usize; 2],
    /// From one tap to the next, in input pixels.
    pub dilation: [usize; 2],
    /// Rows above and pixels to the left of the plane where the first window begins.
    pub before: [usize; 2],
}

impl Window {
    /// The halo that an input of `height` x `width` needs for an output of `rows` x `columns`.
    pub fn halo(&self, [height, width]: [usize; 2], [rows, columns]: [usize; 2]) -> super::Halo {
        let after = |axis: usize, len: usize, count: usize| {
            let Some(last) = count.checked_sub(1) else { return 0 };
            let extent = self.kernel[axis].saturating_sub(1).saturating_mul(self.dilation[axis]).saturating_add(1);
            let end = last.saturating_mul(self.stride[axis]).saturating_add(extent);
            end.saturating_sub(self.before[axis].saturating_add(len))
        };
        super::Halo {
            top: self.before[0],
            left: self.before[1],
            bottom: after(0, height, rows),
            right: after(1, width, columns),
        }
    }

    /// Taps, of a window that is one.
    ///
    /// # Panics
    /// Nothing slides: a kernel, a stride or a dilation is zero.
    pub(crate) fn taps(&self) -> usize {
        let Self { kernel, stride, dilation, .. } = self;
        assert!([kernel, stride, dilation].iter().all(|sizes| !sizes.contains(&0)), "zero in {self:?}");
        kernel[0].saturating_mul(kernel[1])
    }

    fn is_pixel(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.before == [0, 0]
    }
}

/// What is done to a sum before it is stored, in this order: activation, addition, clamp.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finish {
    /// The function.
    pub activation: Activation,
    /// Smaller ones become this.
    pub low: f32,
    /// Larger ones become this.
    pub high: f32,
}

impl Default for Finish {
    fn default() -> Self {
        Self { activation: Activation::Identity, low: f32::NEG_INFINITY, high: f32::INFINITY }
    }
}

/// A convolution whose weights are packed for one level and one shape of input.
#[derive(Debug)]
pub struct Conv {
    weights: Arena,
    bias: Arena,
    window: Window,
    finish: Finish,
    level: Level,
    source: Source,
    out_blocks: usize,
}

impl Conv {
    /// Packs `weights` and `bias`, one for each output channel. `lanes` is the input's.
    ///
    /// # Panics
    /// The lengths do not fit each other, the window has a zero in it, or `lanes` are neither [`LANES`] nor 1.
    pub fn new<'a>(
        level: Level,
        window: Window,
        [out_channels, in_channels]: [usize; 2],
        lanes: usize,
        weights: impl Into<Weights<'a>>,
        bias: &[f32],
        finish: Finish,
    ) -> Self {
        let taps = window.taps();
        let numbers = out_channels.saturating_mul(in_channels).saturating_mul(taps);
        let weights: Weights<'_> = weights.into();
        assert_eq!(weights.numbers.len(), numbers, "weights of a convolution");
        assert!(weights.order == Order::OutputFirst || taps == 1, "weights of several taps, input channels first");
        let scales = weights.scale.len();
        assert!(scales == 0 || scales == out_channels, "{scales} scales of {out_channels} output channels");
        assert!(lanes == LANES || lanes == 1, "{lanes} lanes of a convolution's input");
        assert_eq!(bias.len(), out_channels, "bias of a convolution");
        let source = Source::new(lanes, in_channels);
        let out_blocks = out_channels.div_ceil(LANES);
        let mut packed_bias = Arena::new(out_blocks * LANES);
        packed_bias.numbers_mut()[..out_channels].copy_from_slice(bias);
        let weights = pack(weights, [out_channels, in_channels, taps], source, level.blocks());
        Self { weights, bias: packed_bias, window, finish, level, source, out_blocks }
    }

    /// Computes `output` from `input`, and adds `residual` if there is one.
    ///
    /// # Panics
    /// A place does not fit the convolution or the arena, or `output` overlaps another one.
    pub fn run(&self, team: &mut Team, arena: &mut [f32], input: &Place, residual: Option<&Place>, output: &Place) {
        self.check(arena.len(), input, residual, output);
        let dense = [Some(input), residual, Some(output)].into_iter().flatten().all(Place::is_dense);
        if output.shape.height * output.shape.width == 0 {
            return;
        }
        let lines = Lines::of(&self.window, dense, input, output);
        let tiled = Tiled::new(self.level, lines.columns, self.window.stride[1] * input.lanes);
        let products = self.source.numbers() * self.window.taps();
        let groups_first = self.weights.numbers().len() > NEAR;
        let units = Units::new(output, lines, tiled.cut, self.level.blocks(), groups_first, products);
        let arena = Shared::of(arena);
        team.share(units.count(), units.work, |part| {
            // SAFETY: `check` saw that every place lies in the arena and that the output overlaps no other place, that the
            // input has the halo which the window needs, and that the channels are those the weights are packed for.
            // Parts have no unit in common, and so no number of the output.
            unsafe { self.lines(arena.start(), [input, output], residual, &tiled, &units, part) }
        });
    }

    fn check(&self, len: usize, input: &Place, residual: Option<&Place>, output: &Place) {
        let places = [Some(input), residual, Some(output)].into_iter().flatten();
        for place in places {
            assert!(place.end() <= len, "a place beyond the arena");
        }
        for other in [Some(input), residual].into_iter().flatten() {
            assert!(!output.overlaps(other), "a convolution onto its input");
        }
        let (rows, columns) = (output.shape.height, output.shape.width);
        let need = self.window.halo([input.shape.height, input.shape.width], [rows, columns]);
        assert_eq!(input.halo.union(need), input.halo, "the halo of a convolution's input");
        assert_eq!(input.lanes, self.source.lanes, "lanes of a convolution's input");
        assert_eq!(input.shape.channels, self.source.numbers(), "channels of a convolution's input");
        assert_eq!((output.lanes, output.planes()), (LANES, self.out_blocks), "channels of a convolution's output");
        assert_eq!(input.shape.images, output.shape.images, "images of a convolution");
        let fits = |place: &Place| (place.lanes, place.shape) == (LANES, output.shape);
        assert!(residual.is_none_or(fits), "what a convolution adds");
        output.require_apart();
    }

    /// # Safety
    /// As [`Conv::run`] proves; nobody else has a unit of `part`.
    unsafe fn lines(
        &self,
        arena: *mut f32,
        [input, output]: [&Place; 2],
        residual: Option<&Place>,
        tiled: &Tiled,
        units: &Units,
        part: Range<usize>,
    ) {
        let taps = self.window.kernel[0] * self.window.kernel[1];
        let panel = self.source.numbers() * taps * LANES;
        let steps = self.source.blocks() * taps;
        let numbers = self.weights.numbers();
        let run = |image: usize, row: usize, column: usize, first: usize| {
            let count = units.group.min(self.out_blocks - first);
            let next = numbers.get((first + count) * panel..).unwrap_or_default();
            let ahead = units.ahead(row, column, next, count * panel, steps);
            let top = (row * self.window.stride[0] + input.halo.top - self.window.before[0]) * input.row_stride();
            let left = (column * self.window.stride[1] + input.halo.left - self.window.before[1]) * input.lanes;
            // SAFETY: all offsets lie in places that `check` saw, for a tile of a row never leaves its row.
            let tile = unsafe {
                Tile {
                    input: arena.add(input.offset + image * input.image_stride + top + left),
                    weights: numbers.as_ptr().add(first * panel),
                    bias: self.bias.numbers().as_ptr().add(first * LANES),
                    residual: residual.map_or(std::ptr::null(), |place| arena.add(place.at(image, first, row, column))),
                    output: arena.add(output.at(image, first, row, column)),
                    blocks: self.source.blocks(),
                    kernel: self.window.kernel,
                    channels: self.source.channels(),
                    last_channels: self.source.last_channels(),
                    block_stride: input.plane_stride(),
                    tap_stride: [self.window.dilation[0] * input.row_stride(), self.window.dilation[1] * input.lanes],
                    channel_stride: if input.lanes == 1 { input.plane_stride() } else { 1 },
                    step: self.window.stride[1] * input.lanes,
                    output_stride: output.plane_stride(),
                    residual_stride: residual.map_or(0, Place::plane_stride),
                    ahead,
                    finish: &self.finish,
                }
            };
            // SAFETY: the tile is as its function asks for.
            unsafe { tiled.run(&tile, count) };
        };
        units.each(part, run);
    }
}

/// Weights up to this many numbers stay in the second cache while pixels go by; of more, a group's stay there while all
/// pixels go by.
const NEAR: usize = 128 << 10;

/// What tiles are cut from: rows of the output, or the whole plane as one row.
#[derive(Clone, Copy)]
pub(crate) struct Lines {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

impl Lines {
    /// Of an output; `dense` says whether no place has a halo.
    pub(crate) fn of(window: &Window, dense: bool, input: &Place, output: &Place) -> Self {
        let Shape { height, width, .. } = output.shape;
        match window.is_pixel() && dense && input.shape.width == width {
            true => Self { rows: 1, columns: height * width },
            false => Self { rows: height, columns: width },
        }
    }
}

/// How a convolution's output falls into units, which write tiles that no other unit does: groups of output blocks of some
/// pixels of a row.
pub(crate) struct Units {
    cut: Cut,
    /// Output blocks of a tile.
    pub(crate) group: usize,
    /// Whether all of a group's pixels go by before the next group.
    groups_first: bool,
    /// Images; then rows, spans of columns and groups, or groups before them.
    sizes: [usize; 4],
    /// Multiply-adds of a unit.
    pub(crate) work: usize,
}

impl Units {
    /// Of an output whose numbers take so many products each.
    pub(crate) fn new(
        output: &Place,
        lines: Lines,
        cut: Cut,
        group: usize,
        groups_first: bool,
        products: usize,
    ) -> Self {
        let (images, groups) = (output.shape.images, output.planes().div_ceil(group));
        let sizes = match groups_first {
            false => [images, lines.rows, cut.spans(), groups],
            true => [images, groups, lines.rows, cut.spans()],
        };
        Self { cut, group, groups_first, sizes, work: (cut.pixels * group * LANES).saturating_mul(products) }
    }

    pub(crate) fn count(&self) -> usize {
        self.sizes.iter().product()
    }

    /// What the tile at `row` and `column` has fetched of `next`, the weights of the group after its own, as many as its own
    /// has; such a tile takes `steps` steps.
    pub(crate) fn ahead<N>(&self, row: usize, column: usize, next: &[N], most: usize, steps: usize) -> Ahead {
        if !self.groups_first {
            return Ahead::NOTHING;
        }
        let [_, _, rows, _] = self.sizes;
        let across = self.cut.tiles();
        let number = row * across + column.div_ceil(self.cut.pixels);
        let bytes = size_of_val(&next[..most.min(next.len())]);
        Ahead::part(next.as_ptr().cast(), bytes, [number, rows * across], steps)
    }

    /// Image, row, column and first output block of each tile of `part`.
    pub(crate) fn each(&self, part: Range<usize>, mut run: impl FnMut(usize, usize, usize, usize)) {
        for unit in walk(self.sizes, part) {
            let ([image, row, span, group], [_, first, below, last]) = (unit, unit);
            let (group, row, span) = if self.groups_first { (first, below, last) } else { (group, row, span) };
            self.cut.columns(span).for_each(|column| run(image, row, column, group * self.group));
        }
    }
}
