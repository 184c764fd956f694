//! A net that is ready to run: calls of kernels, one after the other, over one arena.

use std::time::Instant;

use strongroom_kernels::{
    Arena, Attention, Channelwise, Conv, Depthwise, Finish, LayerNorm, Level, Operation, Place, Pool, Quantization,
    QuantizedConv, QuantizedDepthwise, Sum, Team, Window, bytes_mut, combine, dequantize, fill_halo, from_planar,
    max_of_bytes, mean_of_planes, quantize, softmax, to_planar,
};

use super::view::Spread;

/// Steps over an arena.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) level: Level,
    pub(super) steps: Vec<Step>,
    /// Where inputs are put.
    pub(super) inputs: Vec<Place>,
    /// Where outputs are found.
    pub(super) outputs: Vec<Place>,
    pub(super) tensors: Tensors,
    /// Numbers of the arena.
    pub(super) len: usize,
}

/// How tensors lie that come and go.
#[derive(Debug, Default)]
pub(super) struct Tensors {
    pub(super) inputs: Vec<Spread>,
    pub(super) outputs: Vec<Spread>,
}

/// A call and where its result lies.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) call: Call,
    pub(super) output: Place,
    /// The byte that means zero, where the result is bytes; places of bytes count bytes.
    pub(super) zero_point: Option<u8>,
}

/// A kernel, and what it is computed from.
#[derive(Debug)]
pub(super) enum Call {
    /// Convolution.
    Conv { conv: Conv, input: Place, residual: Option<Place> },
    /// Convolution of each channel by itself.
    Depthwise { conv: Depthwise, input: Place, residual: Option<Place> },
    /// Pooling over windows.
    Pool { pool: Pool, input: Place },
    /// The mean of each plane, times a number.
    PlaneMean { scale: f32, input: Place },
    /// Channel by channel.
    Scale { scaling: Channelwise, input: Place },
    /// Two values.
    Combine { operation: Operation, left: Place, right: Place, finish: Finish },
    /// Normalisation of each pixel.
    Norm { norm: LayerNorm, input: Place },
    /// Attention of queries, keys and values.
    Attention { attention: Attention, inputs: [Place; 3], scratch: usize },
    /// A convolution whose pixels are spread over the output: from the first on, a stride apart.
    Phase { conv: Conv, input: Place, made: Place, first: [usize; 2], stride: [usize; 2] },
    /// Channels positive and of sum one.
    Softmax { input: Place },
    /// Zeros around, so many rows above and pixels to the left.
    Pad { input: Place, before: [usize; 2] },
    /// From one channel of the input on, to one of the output on.
    Copy { input: Place, from: usize, to: usize },
    /// Numbers as bytes.
    Quantize { input: Place, to: Quantization },
    /// What bytes mean.
    Dequantize { input: Place, from: Quantization },
    /// Convolution of bytes.
    QuantizedConv { conv: QuantizedConv, input: Place, added: Option<Place> },
    /// Convolution of each channel of bytes by itself.
    QuantizedDepthwise { conv: QuantizedDepthwise, input: Place },
    /// Two values in bytes, the first of which is as said.
    QuantizedSum { sum: Sum, inputs: [Place; 2], from: Quantization },
    /// The largest byte of windows.
    MaxOfBytes { window: Window, input: Place },
}

impl Program {
    /// Memory for one thread to run it in.
    pub(super) fn arena(&self) -> Arena {
        Arena::new(self.len)
    }

    /// Computes `outputs` from `inputs`.
    pub(super) fn run(&self, team: &mut Team, arena: &mut Arena, inputs: &[&[f32]], outputs: &mut [&mut [f32]]) {
        let arena = arena.numbers_mut();
        for ((place, spread), input) in self.inputs.iter().zip(&self.tensors.inputs).zip(inputs) {
            match spread.is_planar() {
                true => from_planar(arena, input, place),
                false => gather(arena, input, place, spread),
            }
        }
        let is_traced = tracing::enabled!(tracing::Level::TRACE);
        for step in &self.steps {
            let began = is_traced.then(Instant::now);
            step.run(team, self.level, arena);
            if let Some(began) = began {
                let microseconds = began.elapsed().as_secs_f64() * 1e6;
                tracing::trace!(operator = step.call.name(), shape = ?step.output.shape, microseconds, "computed");
            }
        }
        for ((place, spread), output) in self.outputs.iter().zip(&self.tensors.outputs).zip(outputs) {
            match spread.is_planar() {
                true => to_planar(arena, place, output),
                false => scatter(arena, place, output, spread),
            }
        }
    }
}

impl Call {
    /// As logs say it.
    fn name(&self) -> &'static str {
        match self {
            Self::Conv { .. } => "Conv",
            Self::Depthwise { .. } => "Depthwise",
            Self::Pool { .. } => "Pool",
            Self::PlaneMean { .. } => "PlaneMean",
            Self::Scale { .. } => "Scale",
            Self::Combine { .. } => "Combine",
            Self::Norm { .. } => "Norm",
            Self::Attention { .. } => "Attention",
            Self::Phase { .. } => "Phase",
            Self::Softmax { .. } => "Softmax",
            Self::Pad { .. } => "Pad",
            Self::Copy { .. } => "Copy",
            Self::Quantize { .. } => "Quantize",
            Self::Dequantize { .. } => "Dequantize",
            Self::QuantizedConv { .. } => "QuantizedConv",
            Self::QuantizedDepthwise { .. } => "QuantizedDepthwise",
            Self::QuantizedSum { .. } => "QuantizedSum",
            Self::MaxOfBytes { .. } => "MaxOfBytes",
        }
    }
}

impl Step {
    /// Numbers of memory that it needs beside its places.
    pub(super) fn scratch(&self, level: Level) -> usize {
        match &self.call {
            Call::Attention { attention, inputs, .. } => attention.scratch(level, &inputs[0]),
            Call::Phase { made, .. } => made.len(),
            // What lies behind a value of bytes is read, though it does not count.
            Call::QuantizedDepthwise { conv, .. } => conv.beyond().div_ceil(size_of::<f32>()),
            _ => 0,
        }
    }

    fn run(&self, team: &mut Team, level: Level, arena: &mut [f32]) {
        let output = &self.output;
        match &self.call {
            Call::Conv { conv, input, residual } => conv.run(team, arena, input, residual.as_ref(), output),
            Call::Depthwise { conv, input, residual } => conv.run(team, arena, input, residual.as_ref(), output),
            Call::Pool { pool, input } => pool.run(team, level, arena, input, output),
            Call::PlaneMean { scale, input } => mean_of_planes(team, level, arena, input, output, *scale),
            Call::Scale { scaling, input } => scaling.run(team, level, arena, input, output),
            Call::Combine { operation, left, right, finish } => {
                combine(team, level, arena, *operation, [left, right], output, finish);
            }
            Call::Norm { norm, input } => norm.run(team, level, arena, input, output),
            Call::Attention { attention, inputs: [query, key, value], scratch } => {
                attention.run(team, level, arena, [query, key, value], output, *scratch);
            }
            Call::Phase { conv, input, made, first, stride } => {
                conv.run(team, arena, input, None, made);
                lay(arena, made, output, *first, *stride);
            }
            Call::Softmax { input } => softmax(team, level, arena, input, output),
            Call::Pad { input, before } => {
                clear(arena, output);
                lay(arena, input, output, *before, [1, 1]);
            }
            Call::Copy { input, from, to } => match self.zero_point {
                Some(_) => copy(bytes_mut(arena), input, *from, output, *to),
                None => copy(arena, input, *from, output, *to),
            },
            Call::Quantize { input, to } => quantize(team, level, arena, [input, output], *to),
            Call::Dequantize { input, from } => dequantize(team, level, arena, [input, output], *from),
            Call::QuantizedConv { conv, input, added } => conv.run(team, arena, input, added.as_ref(), output),
            Call::QuantizedDepthwise { conv, input } => conv.run(team, arena, input, output),
            Call::QuantizedSum { sum, inputs: [first, second], from } => {
                sum.run(team, level, arena, [first, second, output], *from);
            }
            Call::MaxOfBytes { window, input } => max_of_bytes(team, level, *window, arena, [input, output]),
        }
        match self.zero_point {
            Some(zero) => fill_halo(bytes_mut(arena), output, zero),
            None => fill_halo(arena, output, 0.0),
        }
    }
}

fn clear(arena: &mut [f32], place: &Place) {
    for image in 0..place.shape.images {
        let start = place.offset + image * place.image_stride;
        arena[start..start + place.planes() * place.plane_stride()].fill(0.0);
    }
}

/// Copies the blocks of `from` into `to`, from the pixel `first` on, `stride` apart.
fn lay(arena: &mut [f32], from: &Place, to: &Place, first: [usize; 2], stride: [usize; 2]) {
    let shape = from.shape;
    for image in 0..shape.images {
        for plane in 0..from.planes() {
            for row in 0..shape.height {
                for column in 0..shape.width {
                    let source = from.at(image, plane, row, column);
                    let target = to.at(image, plane, first[0] + row * stride[0], first[1] + column * stride[1]);
                    arena.copy_within(source..source + from.lanes, target);
                }
            }
        }
    }
}

/// Reads a tensor whose axes stand in another order.
fn gather(arena: &mut [f32], tensor: &[f32], place: &Place, spread: &Spread) {
    fill_halo(arena, place, 0.0);
    each(place, spread, |at, number| arena[at] = number.map_or(0.0, |number| tensor[number]));
}

/// Writes one.
fn scatter(arena: &[f32], place: &Place, tensor: &mut [f32], spread: &Spread) {
    each(place, spread, |at, number| {
        if let Some(number) = number {
            tensor[number] = arena[at];
        }
    });
}

/// Every number of a place and where the tensor has it, if it is none that pads.
fn each(place: &Place, spread: &Spread, mut visit: impl FnMut(usize, Option<usize>)) {
    let width = place.shape.width;
    for (image, of_image) in spread.images.iter().enumerate() {
        for plane in 0..place.planes() {
            for (pixel, of_pixel) in spread.pixels.iter().enumerate() {
                let at = place.at(image, plane, pixel / width, pixel % width);
                for lane in 0..place.lanes {
                    let of_channel = spread.channels.get(plane * place.lanes + lane);
                    visit(at + lane, of_channel.map(|of_channel| of_image + of_channel + of_pixel));
                }
            }
        }
    }
}

/// Copies pixel by pixel, for channels that begin within a block.
fn copy<N: Copy>(arena: &mut [N], input: &Place, first: usize, output: &Place, to: usize) {
    let shape = input.shape;
    let pixels = shape.height * shape.width;
    let count = (shape.channels - first).min(output.shape.channels - to);
    for image in 0..shape.images {
        for channel in 0..count {
            let (from, to) = (first + channel, to + channel);
            for pixel in 0..pixels {
                let at = |place: &Place, channel: usize| {
                    let (row, column) = (pixel / place.shape.width, pixel % place.shape.width);
                    place.at(image, channel / place.lanes, row, column) + channel % place.lanes
                };
                arena[at(output, to)] = arena[at(input, from)];
            }
        }
    }
}
