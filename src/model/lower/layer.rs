//! Layers, as the kernels see them, and nets of them.

use std::sync::Arc;

use strongroom_kernels::{Attention, Finish, Operation, Pool, Shape, Window};

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
    /// The same numbers under another shape.
    Alias,
}

/// A convolution.
#[derive(Debug, Clone)]
pub(super) struct ConvLayer {
    pub(super) window: Window,
    pub(super) groups: usize,
    /// Output channel, input channel of the group, row, column.
    pub(super) weights: Arc<Vec<f32>>,
    pub(super) bias: Vec<f32>,
    /// Whether a second input is added before the clamp.
    pub(super) adds: bool,
    pub(super) finish: Finish,
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
        matches!(self, Self::Conv(_) | Self::Pool(_) | Self::Attention(_))
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

    /// Where a value is made.
    pub(super) fn maker(&self, value: Value) -> Option<usize> {
        self.nodes.iter().position(|node| node.output == value)
    }
}
