//! Layers, as the kernels see them, and nets of them.

use std::borrow::Cow;
use std::sync::Arc;

use strongroom_kernels::{
    Attention, Finish, LANES, Operation, Order, Pool, Quantization, QuantizedWeights, Shape, Sum, Window,
};
use tract_onnx::prelude::Tensor;

/// One layer; weights are as the file has them.
#[derive(Debug, Clone)]
pub(super) enum Layer {
    /// Convolution, also of each channel by itself, and by groups.
    Conv(ConvLayer),
    /// Pooling over windows.
    Pool(Pool),
    /// The mean of each plane, times a number.
    PlaneMean(f32),
    /// A number for each channel times the value, plus another one, then the finish.
    Scale(ScaleLayer),
    /// Two values, number by number, then the finish; the second may be of one pixel.
    Combine(Operation, Finish),
    /// Channels of several values, one after the other.
    Concat,
    /// Some of the channels, from one on.
    Part(usize),
    /// Normalisation of each pixel over its channels.
    Norm(NormLayer),
    /// Every pixel's weighted mean of all pixels.
    Attention(Attention),
    /// Each pixel's channels positive and of sum one.
    Softmax,
    /// Zeros around, of which so many rows above and pixels to the left, and behind the channels.
    Pad([usize; 2]),
    /// The same numbers under another shape.
    Alias,
    /// Each number as a byte.
    Quantize(Quantization),
    /// What each byte means.
    Dequantize(Quantization),
    /// Convolution of bytes.
    QuantizedConv(QuantizedConvLayer),
    /// The sum of two values in bytes, the first of which is as said.
    QuantizedSum(Quantization, Sum),
    /// The largest byte of windows.
    MaxOfBytes(Window),
}

/// A convolution of bytes.
#[derive(Debug, Clone)]
pub(super) struct QuantizedConvLayer {
    pub(super) conv: ConvLayer,
    pub(super) from: Quantization,
    /// What its sums are rounded to, if to anything.
    pub(super) to: Option<Quantization>,
    /// What is done to the second input and to what was rounded, if there is one.
    pub(super) sum: Option<Sum>,
}

/// A convolution.
#[derive(Debug, Clone)]
pub(super) struct ConvLayer {
    pub(super) window: Window,
    pub(super) groups: usize,
    pub(super) weights: Held,
    pub(super) bias: Vec<f32>,
    /// Whether a second input is added before the clamp.
    pub(super) adds: bool,
    /// Whether it is transposed: the window slides over the output, by its stride for each input pixel.
    pub(super) transposed: bool,
    pub(super) finish: Finish,
}

/// Weights where tract holds them, `f32` or `i8`: not copied before they are packed.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) tensor: Arc<Tensor>,
    pub(super) order: Order,
    /// For each output channel; empty: as they are. Whole numbers have scales.
    pub(super) scale: Vec<f32>,
}

impl Held {
    /// Without the scale.
    pub(super) fn numbers(&self) -> Cow<'_, [f32]> {
        if let Some(whole) = self.whole() {
            return whole.iter().map(|number| f32::from(*number)).collect();
        }
        let numbers = self.tensor.try_as_plain_ram().ok().and_then(|view| view.as_slice::<f32>().ok());
        // What is recognised is a plain tensor of `f32`, if not of `i8`.
        numbers.unwrap_or_default().into()
    }

    fn whole(&self) -> Option<&[i8]> {
        self.tensor.try_as_plain_ram().ok()?.as_slice::<i8>().ok()
    }

    /// Whole numbers and what they are multiplied by, where they are held so.
    pub(super) fn quantized(&self) -> Option<QuantizedWeights<'_>> {
        Some(QuantizedWeights { numbers: self.whole()?, order: self.order, scale: &self.scale })
    }

    /// Each output channel's multiplied by a number.
    pub(super) fn scaled(&mut self, by: &[f32]) {
        match self.scale.is_empty() {
            true => self.scale = by.to_vec(),
            false => self.scale.iter_mut().zip(by).for_each(|(scale, by)| *scale *= by),
        }
    }

    /// Output channels first, scaled.
    pub(super) fn by_output(&self, outputs: usize) -> Vec<f32> {
        let numbers = self.numbers();
        let of_output = numbers.len() / outputs.max(1);
        let scale = |output: usize| self.scale.get(output).copied().unwrap_or(1.0);
        let place = |output: usize, at: usize| match self.order {
            Order::OutputFirst => output * of_output + at,
            Order::InputFirst => at * outputs + output,
        };
        let of = |output: usize| {
            let (numbers, scale) = (&numbers, scale(output));
            (0..of_output).map(move |at| numbers[place(output, at)] * scale)
        };
        (0..outputs).flat_map(of).collect()
    }
}

/// What of a transposed convolution is a plain one: the pixels of its output that lie at one remainder of the stride.
#[derive(Debug)]
pub(super) struct Phase {
    /// The first of these pixels.
    pub(super) first: [usize; 2],
    /// How many there are, down and across.
    pub(super) count: [usize; 2],
    pub(super) window: Window,
    /// For each tap, in order, which one of the transposed kernel it is.
    taps: Vec<usize>,
}

impl ConvLayer {
    /// Whether each of `channels` is computed by itself.
    pub(super) fn is_depthwise(&self, channels: usize) -> bool {
        self.groups > 1 && self.groups == channels && self.groups == self.bias.len()
    }

    /// The plain convolutions that a transposed one for an output of so many rows and columns consists of; `None` where
    /// one of them would look at no pixel or begin inside its input.
    pub(super) fn phases(&self, output: [usize; 2]) -> Option<Vec<Phase>> {
        let Window { kernel, stride, before, .. } = self.window;
        // By axis: the first pixel, the count, the taps from the last to the first, the pixels before the input.
        let axis = |axis: usize, remainder: usize| {
            let taps: Vec<usize> = (remainder..kernel[axis]).step_by(stride[axis]).collect();
            let skipped = before[axis].saturating_sub(remainder).div_ceil(stride[axis]);
            let first = skipped * stride[axis] + remainder - before[axis];
            let count = output[axis].saturating_sub(first).div_ceil(stride[axis]);
            let ahead = taps.len().checked_sub(1 + skipped)?;
            (count > 0).then_some((first, count, taps, ahead))
        };
        let mut phases = Vec::new();
        for row in 0..stride[0] {
            for column in 0..stride[1] {
                let (down, across) = (axis(0, row)?, axis(1, column)?);
                let taps = down.2.iter().rev().flat_map(|y| across.2.iter().rev().map(move |x| y * kernel[1] + x));
                phases.push(Phase {
                    first: [down.0, across.0],
                    count: [down.1, across.1],
                    taps: taps.collect(),
                    window: Window {
                        kernel: [down.2.len(), across.2.len()],
                        stride: [1, 1],
                        dilation: [1, 1],
                        before: [down.3, across.3],
                    },
                });
            }
        }
        Some(phases)
    }
}

/// How many groups are computed as one so that their channels are whole blocks: all, where no fewer are.
pub(super) fn joined_groups(groups: usize, ins: usize, outs: usize) -> usize {
    let is_whole = |count: &usize| {
        let blocks = [count * ins, count * outs].iter().all(|channels| channels.is_multiple_of(LANES));
        groups.is_multiple_of(*count) && blocks
    };
    (1..groups).find(is_whole).unwrap_or(groups)
}

impl Phase {
    /// Its weights, of those of the transposed convolution.
    pub(super) fn weights(&self, conv: &ConvLayer) -> Vec<f32> {
        let of_channel = conv.window.kernel[0] * conv.window.kernel[1];
        let all = conv.weights.by_output(conv.bias.len());
        let channels = all.chunks_exact(of_channel);
        channels.flat_map(|channel| self.taps.iter().map(|tap| channel[*tap])).collect()
    }
}

/// A normalisation.
#[derive(Debug, Clone)]
pub(super) struct NormLayer {
    pub(super) scale: Vec<f32>,
    pub(super) offset: Vec<f32>,
    pub(super) epsilon: f32,
}

/// Numbers of channels.
#[derive(Debug, Clone)]
pub(super) struct ScaleLayer {
    pub(super) scale: Vec<f32>,
    pub(super) offset: Vec<f32>,
    pub(super) finish: Finish,
}

impl ScaleLayer {
    /// Changes nothing yet.
    pub(super) fn identity(channels: usize) -> Self {
        Self { scale: vec![1.0; channels], offset: vec![0.0; channels], finish: Finish::default() }
    }
}

impl Layer {
    /// Whether it alone is worth leaving tract for.
    pub(super) fn is_heavy(&self) -> bool {
        matches!(self, Self::Conv(_) | Self::QuantizedConv(_) | Self::Pool(_) | Self::Attention(_))
    }
}

/// A value of a net, by its place in [`Net::shapes`].
pub(super) type Value = usize;

/// Layers in the order of evaluation.
#[derive(Debug, Default)]
pub(super) struct Net {
    pub(super) shapes: Vec<Shape>,
    pub(super) inputs: Vec<Value>,
    pub(super) nodes: Vec<NetNode>,
    pub(super) outputs: Vec<Value>,
}

/// A layer and what it is computed from.
#[derive(Debug)]
pub(super) struct NetNode {
    pub(super) layer: Layer,
    pub(super) inputs: Vec<Value>,
    pub(super) output: Value,
}

impl Net {
    /// A value that comes from outside.
    pub(super) fn input(&mut self, shape: Shape) -> Value {
        let value = self.value(shape);
        self.inputs.push(value);
        value
    }

    /// A layer behind all others.
    pub(super) fn add(&mut self, layer: Layer, inputs: Vec<Value>, shape: Shape) -> Value {
        let output = self.value(shape);
        self.nodes.push(NetNode { layer, inputs, output });
        output
    }

    fn value(&mut self, shape: Shape) -> Value {
        self.shapes.push(shape);
        self.shapes.len() - 1
    }

    /// How often a value is read; being an output counts.
    pub(super) fn readers(&self, value: Value) -> usize {
        let read = self.nodes.iter().flat_map(|node| &node.inputs).chain(&self.outputs);
        read.filter(|read| **read == value).count()
    }

    /// For each value the byte that means zero, where its numbers are bytes.
    pub(super) fn zero_points(&self) -> Vec<Option<u8>> {
        let mut zeros = vec![None; self.shapes.len()];
        for node in &self.nodes {
            zeros[node.output] = match &node.layer {
                Layer::Quantize(to) => Some(to.zero_point),
                Layer::QuantizedConv(conv) => conv.sum.map(|sum| sum.to).or(conv.to).map(|to| to.zero_point),
                Layer::QuantizedSum(_, sum) => Some(sum.to.zero_point),
                Layer::MaxOfBytes(_) | Layer::Alias => zeros[node.inputs[0]],
                _ => None,
            };
        }
        zeros
    }

    /// Where a value is made.
    pub(super) fn maker(&self, value: Value) -> Option<usize> {
        self.nodes.iter().position(|node| node.output == value)
    }
}
