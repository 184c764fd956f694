//! Which layer a node of tract's graph is.

use std::sync::Arc;

use strongroom_kernels::{Activation, Finish, Operation, Pool, Pooling, Shape, Window};
use tract_onnx::prelude::{
    Datum, OutletId, Tensor, TractResult, TypedFact, TypedModel, tract_itertools::Itertools as _,
};
use tract_onnx::tract_core::ops::array::TypedConcat;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::change_axes::AxisOp;
use tract_onnx::tract_core::ops::cnn::{Conv, KernelFormat, MaxPool, PoolSpec, SumPool};
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::math::{Add, Div, Max, Min, Mul, Sub, Tanh};
use tract_onnx::tract_core::ops::nn::{DataFormat, HardSwish, LeakyRelu, Reduce, Reducer, Sigmoid};

use super::TypedNode;
use super::layer::{ConvLayer, Layer, ScaleLayer};

/// A layer and what it is computed from; what is constant is in the layer.
#[derive(Debug, Clone)]
pub(super) struct Recognised {
    pub(super) layer: Layer,
    /// Which of the node's inputs the layer's are.
    slots: Vec<usize>,
}

impl Recognised {
    /// Where the layer's inputs come from; `node` is the one that was recognised.
    pub(super) fn inputs(&self, node: &TypedNode) -> Vec<OutletId> {
        self.slots.iter().map(|slot| node.inputs[*slot]).collect()
    }
}

/// The layer that `node` is, if its shapes are known and all its numbers are `f32`.
pub(super) fn layer(model: &TypedModel, node: &TypedNode) -> Option<Recognised> {
    let output = shape(&node.outputs.first()?.fact)?;
    if node.outputs.len() != 1 || node.outputs[0].fact.konst.is_some() {
        return None;
    }
    let node = Seen { model, node, output };
    let op = node.node.op.as_op();
    if let Some(conv) = op.downcast_ref::<Conv>() {
        return node.conv(conv);
    }
    if let Some(pool) = op.downcast_ref::<MaxPool>() {
        return pool.with_index_outputs.is_none().then(|| node.pool(&pool.pool_spec, Pooling::Max))?;
    }
    if let Some(pool) = op.downcast_ref::<SumPool>() {
        return node.pool(
            &pool.pool_spec,
            match (pool.normalize, pool.count_include_pad) {
                (false, _) => Pooling::Sum,
                (true, true) => Pooling::MeanWhole,
                (true, false) => Pooling::MeanInside,
            },
        );
    }
    if let Some(reduce) = op.downcast_ref::<Reduce>() {
        return node.plane_mean(reduce);
    }
    if let Some(binary) = op.downcast_ref::<TypedBinOp>() {
        return node.binary(binary);
    }
    if let Some(unary) = op.downcast_ref::<ElementWiseOp>() {
        return node.unary(unary);
    }
    if let Some(concat) = op.downcast_ref::<TypedConcat>() {
        return node.concat(concat);
    }
    if let Some(AxisOp::Add(_) | AxisOp::Rm(_) | AxisOp::Reshape(..)) = op.downcast_ref::<AxisOp>() {
        let input = node.node.inputs[0];
        return (node.shape(input)? == output).then(|| Recognised { layer: Layer::Alias, slots: vec![0] });
    }
    node.linear(op.downcast_ref::<EinSum>()?)
}

/// The shape of an outlet that was recognised.
pub(super) fn shape_of(model: &TypedModel, outlet: OutletId) -> TractResult<Shape> {
    let found = shape(model.outlet_fact(outlet)?);
    found.ok_or_else(|| tract_onnx::tract_core::internal::format_err!("a value that is no image"))
}

/// Images, channels, rows, columns; what is left out is 1.
fn shape(fact: &TypedFact) -> Option<Shape> {
    let dims = fact.shape.as_concrete()?;
    if fact.datum_type != f32::datum_type() || !(2..=4).contains(&dims.len()) || dims.contains(&0) {
        return None;
    }
    let dim = |axis: usize| dims.get(axis).copied().unwrap_or(1);
    Some(Shape { images: dim(0), channels: dim(1), height: dim(2), width: dim(3) })
}

/// A node that is being looked at.
struct Seen<'a> {
    model: &'a TypedModel,
    node: &'a TypedNode,
    output: Shape,
}

impl Seen<'_> {
    fn fact(&self, outlet: OutletId) -> Option<&TypedFact> {
        self.model.outlet_fact(outlet).ok()
    }

    fn shape(&self, outlet: OutletId) -> Option<Shape> {
        self.fact(outlet).filter(|fact| fact.konst.is_none()).and_then(shape)
    }

    fn constant(&self, outlet: OutletId) -> Option<&Arc<Tensor>> {
        self.fact(outlet)?.konst.as_ref()
    }

    fn input(&self, slot: usize) -> Option<OutletId> {
        self.node.inputs.get(slot).copied()
    }

    fn conv(&self, conv: &Conv) -> Option<Recognised> {
        let (input, weights, bias) = (self.input(0)?, self.constant(self.input(1)?)?, self.constant(self.input(2)?)?);
        let from = self.shape(input)?;
        let window = window(&conv.pool_spec, from)?;
        let fits = conv.kernel_fmt == KernelFormat::OIHW && conv.q_params.is_none();
        let [out_channels, of_group, rows, columns] = *weights.shape() else { return None };
        let is_whole = fits
            && [rows, columns] == window.kernel
            && out_channels == self.output.channels
            && of_group * conv.group == from.channels
            && out_channels % conv.group == 0;
        let layer = is_whole.then_some(ConvLayer {
            window,
            groups: conv.group,
            weights: Arc::new(numbers(weights)?.to_vec()),
            bias: spread(numbers(bias)?, out_channels)?,
            adds: false,
            finish: Finish::default(),
        })?;
        Some(Recognised { layer: Layer::Conv(layer), slots: vec![0] })
    }

    fn pool(&self, spec: &PoolSpec, pooling: Pooling) -> Option<Recognised> {
        let input = self.input(0)?;
        let window = window(spec, self.shape(input)?)?;
        Some(Recognised { layer: Layer::Pool(Pool { window, pooling }), slots: vec![0] })
    }

    /// A sum over rows and columns, which is their mean times their number.
    fn plane_mean(&self, reduce: &Reduce) -> Option<Recognised> {
        let input = self.input(0)?;
        let from = self.shape(input)?;
        let is_plane = reduce.axes.iter().copied().sorted().eq([2, 3]) && self.fact(input)?.rank() == 4;
        let is_sum = matches!(reduce.reducer, Reducer::Sum);
        let layer = (is_plane && is_sum).then_some(Layer::PlaneMean((from.height * from.width) as f32))?;
        Some(Recognised { layer, slots: vec![0] })
    }

    fn concat(&self, concat: &TypedConcat) -> Option<Recognised> {
        let all_images = self.node.inputs.iter().all(|input| self.shape(*input).is_some());
        let slots = (0..self.node.inputs.len()).collect();
        (concat.axis == 1 && all_images).then_some(Recognised { layer: Layer::Concat, slots })
    }

    fn unary(&self, unary: &ElementWiseOp) -> Option<Recognised> {
        let input = self.input(0)?;
        self.shape(input)?;
        let op = &unary.0;
        let activation = if op.is::<Sigmoid>() {
            Activation::Sigmoid
        } else if op.is::<HardSwish>() {
            Activation::HardSwish
        } else if op.is::<Tanh>() {
            Activation::Tanh
        } else {
            Activation::Leaky(op.downcast_ref::<LeakyRelu>()?.alpha)
        };
        let finish = Finish { activation, ..Finish::default() };
        let layer = Layer::Scale(ScaleLayer { finish, ..ScaleLayer::identity(self.output.channels) });
        Some(Recognised { layer, slots: vec![0] })
    }

    fn binary(&self, binary: &TypedBinOp) -> Option<Recognised> {
        let (left, right) = (self.input(0)?, self.input(1)?);
        let operation = operation(binary)?;
        match (self.constant(left), self.constant(right)) {
            (None, Some(constant)) => self.with_constant(operation, 0, constant),
            (Some(constant), None) => self.with_constant(operation, 1, constant),
            (None, None) => self.of_two(operation, left, right),
            (Some(_), Some(_)) => None,
        }
    }

    /// The input in `slot` and a constant that is the same for all pixels of a channel.
    fn with_constant(
        &self,
        operation: Operation,
        slot: usize, constant: &Tensor,
    ) -> Option<Recognised> {
        let (channels, input) = (self.output.channels, self.input(slot)?);
        if self.shape(input)? != self.output {
            return None;
        }
        let rank = self.fact(input)?.rank();
        let varying = constant.shape().iter().enumerate().filter(|(_, dim)| **dim != 1);
        let by_channel = match varying.map(|(axis, _)| axis).collect_vec()[..] {
            [] => true,
            [axis] => constant.rank() <= rank && axis + rank - constant.rank() == 1,
            _ => false,
        };
        let numbers = spread(by_channel.then(|| numbers(constant))??, channels)?;
        let uniform = || numbers.iter().all_equal_value().ok().copied();
        let mut layer = ScaleLayer::identity(channels);
        match (operation, slot == 1) {
            (Operation::Add, _) => layer.offset = numbers,
            (Operation::Multiply, _) => layer.scale = numbers,
            (Operation::Subtract, false) => layer.offset = numbers.iter().map(|number| -number).collect(),
            (Operation::Subtract, true) => {
                layer.scale = vec![-1.0; channels];
                layer.offset = numbers;
            }
            (Operation::Divide, false) => layer.scale = numbers.iter().map(|number| 1.0 / number).collect(),
            (Operation::Divide, true) => return None,
            (Operation::Max, _) => layer.finish.low = uniform()?,
            (Operation::Min, _) => layer.finish.high = uniform()?,
        }
        Some(Recognised { layer: Layer::Scale(layer), slots: vec![slot] })
    }

    /// Two values; the one that is of one pixel, if any, becomes the second.
    fn of_two(&self, operation: Operation, left: OutletId, right: OutletId) -> Option<Recognised> {
        let (a, b) = (self.shape(left)?, self.shape(right)?);
        if self.fact(left)?.rank() != self.fact(right)?.rank() {
            return None;
        }
        let pixel = Shape { height: 1, width: 1, ..self.output };
        let commutes = !matches!(operation, Operation::Subtract | Operation::Divide);
        let slots = if a == self.output && (b == self.output || b == pixel) {
            vec![0, 1]
        } else if commutes && b == self.output && a == pixel {
            vec![1, 0]
        } else {
            return None;
        };
        Some(Recognised { layer: Layer::Combine(operation, Finish::default()), slots })
    }

    /// A fully connected layer: a convolution of one pixel.
    fn linear(&self, product: &EinSum) -> Option<Recognised> {
        let (input, weights) = (self.input(0)?, self.constant(self.input(1)?)?);
        let from = self.shape(input)?;
        let is_plain = self.node.inputs.len() == 2 && product.q_params.is_none() && self.fact(input)?.rank() == 2;
        let [rows, columns] = *is_plain.then(|| weights.shape())? else { return None };
        let weights = numbers(weights)?;
        let weights = match product.axes.to_string().as_str() {
            "mk,nk->mn" => weights.to_vec(),
            "mk,kn->mn" => (0..columns).flat_map(|n| (0..rows).map(move |k| weights[k * columns + n])).collect(),
            _ => return None,
        };
        let (inputs, outputs) = (from.channels, self.output.channels);
        let layer = (weights.len() == inputs * outputs).then_some(ConvLayer {
            window: Window { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], before: [0, 0] },
            groups: 1,
            weights: Arc::new(weights),
            bias: vec![0.0; outputs],
            adds: false,
            finish: Finish::default(),
        })?;
        Some(Recognised { layer: Layer::Conv(layer), slots: vec![0] })
    }
}

fn operation(binary: &TypedBinOp) -> Option<Operation> {
    let op = &binary.0;
    let known = [
        (op.is::<Add>(), Operation::Add),
        (op.is::<Sub>(), Operation::Subtract),
        (op.is::<Mul>(), Operation::Multiply),
        (op.is::<Div>(), Operation::Divide),
        (op.is::<Max>(), Operation::Max),
        (op.is::<Min>(), Operation::Min),
    ];
    known.into_iter().find_map(|(is_it, operation)| is_it.then_some(operation))
}

/// The window of a convolution or pooling over images.
fn window(spec: &PoolSpec, from: Shape) -> Option<Window> {
    if spec.data_format != DataFormat::NCHW || spec.rank() != 2 {
        return None;
    }
    let pads = spec.computed_padding(&[from.height, from.width]);
    Some(Window {
        kernel: [spec.kernel_shape[0], spec.kernel_shape[1]],
        stride: [spec.stride(0), spec.stride(1)],
        dilation: [spec.dilation(0), spec.dilation(1)],
        before: [pads[0].pad_before, pads[1].pad_before],
    })
}

fn numbers(tensor: &Tensor) -> Option<&[f32]> {
    tensor.try_as_plain_ram().ok()?.as_slice::<f32>().ok()
}

/// One number for each channel, from as many or from one.
fn spread(numbers: &[f32], channels: usize) -> Option<Vec<f32>> {
    match numbers {
        [number] => Some(vec![*number; channels]),
        numbers => (numbers.len() == channels).then(|| numbers.to_vec()),
    }
}
