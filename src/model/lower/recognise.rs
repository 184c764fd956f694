//! Which layer a node of tract's graph is.

pub(super) mod constant;
mod numberwise;
mod pattern;
mod quantized;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use strongroom_kernels::{Finish, Order, Pooling, Shape, Window};
use tract_onnx::prelude::{Datum, OutletId, Tensor, TractResult, TypedFact, TypedModel};
use tract_onnx::tract_core::ops::array::{Gather, Pad, PadMode, Slice, TypedConcat};
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cast::Cast;
use tract_onnx::tract_core::ops::change_axes::AxisOp;
use tract_onnx::tract_core::ops::cnn::{Conv, Deconv, MaxPool, SumPool};
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::nn::{Reduce, Reducer, Softmax, SoftmaxKind};

use super::TypedNode;
use super::layer::{ConvLayer, Layer};
use super::view::View;
pub(super) use quantized::is_weights;

/// A layer and what it is computed from; what is constant is in the layer.
#[derive(Debug, Clone)]
pub(super) struct Recognised {
    pub(super) layer: Layer,
    /// Nodes and which of their inputs the layer's are: a layer may stand for several nodes.
    from: Vec<(usize, usize)>,
    /// Of the output.
    view: View,
    /// Of the inputs.
    views: Vec<View>,
}

impl Recognised {
    /// Where the layer's inputs come from, as the graph is now.
    pub(super) fn inputs(&self, model: &TypedModel) -> Vec<OutletId> {
        self.from.iter().map(|(node, slot)| model.nodes()[*node].inputs[*slot]).collect()
    }

    /// Whether what it reads and what it makes has images and channels, and numbers at all: an axis that was dropped may
    /// have been that of the channels.
    fn is_of_images(&self, model: &TypedModel, node: usize) -> bool {
        let shape = |view: &View, outlet: OutletId| view.shape(model.outlet_fact(outlet).ok()?.shape.as_concrete()?);
        let mut read = self.views.iter().zip(self.inputs(model));
        shape(&self.view, OutletId::new(node, 0)).is_some() && read.all(|(view, outlet)| shape(view, outlet).is_some())
    }

    /// The shape of what the layer makes, of a tensor with these dimensions.
    pub(super) fn shape(&self, fact: &TypedFact) -> TractResult<Shape> {
        known(self.view.shape(fact.shape.as_concrete().unwrap_or_default()))
    }

    /// The shape of its input `slot`.
    pub(super) fn input_shape(&self, slot: usize, fact: &TypedFact) -> TractResult<Shape> {
        known(self.views[slot].shape(fact.shape.as_concrete().unwrap_or_default()))
    }

    /// How its output is seen.
    pub(super) fn output_view(&self) -> &View {
        &self.view
    }

    /// The view its input `slot` is seen in.
    pub(super) fn input_view(&self, slot: usize) -> &View {
        &self.views[slot]
    }
}

fn known(shape: Option<Shape>) -> TractResult<Shape> {
    shape.ok_or_else(|| tract_onnx::tract_core::internal::format_err!("a value that is no image"))
}

/// All nodes that are layers.
pub(super) fn layers(model: &TypedModel) -> TractResult<BTreeMap<usize, Recognised>> {
    let mut found = BTreeMap::new();
    for id in model.eval_order()? {
        let seen = Seen { model, node: &model.nodes()[id], found: &found };
        if let Some(layer) = seen.layer().filter(|layer| layer.is_of_images(model, id)) {
            found.insert(id, layer);
        }
    }
    Ok(found)
}

/// A node that is being looked at, and what was recognised before it.
struct Seen<'a> {
    model: &'a TypedModel,
    node: &'a TypedNode,
    found: &'a BTreeMap<usize, Recognised>,
}

impl<'a> Seen<'a> {
    /// The layer that the node is, if its shapes are known and all its numbers are `f32`.
    fn layer(&self) -> Option<Recognised> {
        let [output] = &self.node.outputs[..] else { return None };
        if let Some(layer) = self.quantize().or_else(|| self.dequantize()) {
            return Some(layer);
        }
        if output.fact.konst.is_some() || output.fact.datum_type != f32::datum_type() {
            return None;
        }
        output.fact.shape.as_concrete()?;
        let op = self.node.op.as_op();
        if let Some(conv) = op.downcast_ref::<Conv>() {
            return self.conv(conv);
        }
        if let Some(conv) = op.downcast_ref::<Deconv>() {
            return self.deconv(conv);
        }
        if let Some(pool) = op.downcast_ref::<MaxPool>() {
            return pool.with_index_outputs.is_none().then(|| self.pool(&pool.pool_spec, Pooling::Max))?;
        }
        if let Some(pool) = op.downcast_ref::<SumPool>() {
            let pooling = match (pool.normalize, pool.count_include_pad) {
                (false, _) => Pooling::Sum,
                (true, true) => Pooling::MeanWhole,
                (true, false) => Pooling::MeanInside,
            };
            return self.pool(&pool.pool_spec, pooling);
        }
        if let Some(reduce) = op.downcast_ref::<Reduce>() {
            return self.plane_mean(reduce);
        }
        if let Some(binary) = op.downcast_ref::<TypedBinOp>() {
            return self.layer_norm(binary).or_else(|| self.binary(binary));
        }
        if let Some(unary) = op.downcast_ref::<ElementWiseOp>() {
            return self.unary(unary);
        }
        if let Some(concat) = op.downcast_ref::<TypedConcat>() {
            return self.concat(concat);
        }
        if let Some(axes) = op.downcast_ref::<AxisOp>() {
            let view = self.view(0)?;
            return Some(self.is(Layer::Alias, &[0], view.moved(axes)?, vec![view]));
        }
        if op.is::<Cast>() {
            let view = self.view(0)?;
            return Some(self.is(Layer::Alias, &[0], view.clone(), vec![view]));
        }
        if let Some(gather) = op.downcast_ref::<Gather>() {
            return self.chosen(gather);
        }
        if let Some(slice) = op.downcast_ref::<Slice>() {
            return self.slice(slice);
        }
        if let Some(pad) = op.downcast_ref::<Pad>() {
            return self.padded(pad);
        }
        if let Some(softmax) = op.downcast_ref::<Softmax>() {
            return self.softmax(softmax);
        }
        let product = op.downcast_ref::<EinSum>()?;
        self.attention(product).or_else(|| self.linear(product))
    }

    fn is(&self, layer: Layer, slots: &[usize], view: View, views: Vec<View>) -> Recognised {
        let from = slots.iter().map(|slot| (self.node.id, *slot)).collect();
        Recognised { layer, from, view, views }
    }

    fn outlet(&self, slot: usize) -> Option<OutletId> {
        self.node.inputs.get(slot).copied()
    }

    fn fact(&self, slot: usize) -> Option<&'a TypedFact> {
        self.model.outlet_fact(self.outlet(slot)?).ok()
    }

    /// An input that the graph holds, in single precision; it may hold it in another one.
    fn constant(&self, slot: usize) -> Option<Arc<Tensor>> {
        let fact = self.fact(slot)?;
        if let Some(constant) = &fact.konst {
            return Some(Arc::clone(constant));
        }
        let maker = &self.model.nodes()[self.outlet(slot)?.node];
        let held = self.model.outlet_fact(*maker.inputs.first()?).ok()?.konst.as_ref()?;
        let is_cast = maker.op_is::<Cast>() && fact.datum_type == f32::datum_type();
        let single = is_cast.then(|| held.cast_to_dt(fact.datum_type).ok())??;
        Some(Arc::new(single.into_owned()))
    }

    /// Dimensions of an input that is no constant.
    fn dims(&self, slot: usize) -> Option<&'a [usize]> {
        let fact = self.fact(slot)?;
        (fact.datum_type == f32::datum_type() && fact.konst.is_none()).then(|| fact.shape.as_concrete())?
    }

    fn output_dims(&self) -> &'a [usize] {
        self.node.outputs[0].fact.shape.as_concrete().unwrap_or_default()
    }

    /// How an input is seen that a layer before made.
    fn made(&self, slot: usize) -> Option<View> {
        self.dims(slot)?;
        self.found.get(&self.outlet(slot)?.node).map(|found| found.view.clone())
    }

    /// How an input is seen: as it was made, or channels first.
    fn view(&self, slot: usize) -> Option<View> {
        match self.made(slot) {
            Some(view) => Some(view),
            None => {
                View::channels_first(self.dims(slot)?.len()).filter(|_| self.dims(slot).is_some_and(|d| d.len() != 3))
            }
        }
    }

    /// An input as images, channels, rows, columns.
    fn planes(&self, slot: usize) -> Option<(View, Shape)> {
        let (view, dims) = (self.view(slot)?, self.dims(slot)?);
        let shape = view.shape(dims).filter(|_| Some(&view) == View::channels_first(dims.len()).as_ref())?;
        Some((view, shape))
    }

    /// A sum over all pixels, which is their mean times their number.
    fn plane_mean(&self, reduce: &Reduce) -> Option<Recognised> {
        let view = self.view(0)?;
        let shape = view.shape(self.dims(0)?)?;
        let is_mean = matches!(reduce.reducer, Reducer::Sum) && view.are_pixels(&reduce.axes);
        let layer = is_mean.then_some(Layer::PlaneMean((shape.height * shape.width) as f32))?;
        Some(self.is(layer, &[0], view.clone(), vec![view]))
    }

    fn concat(&self, concat: &TypedConcat) -> Option<Recognised> {
        let slots: Vec<usize> = (0..self.node.inputs.len()).collect();
        let views: Vec<View> = slots.iter().map(|slot| self.view(*slot)).collect::<Option<_>>()?;
        let view = views.first()?.clone();
        let is_channels = view.channel_axis() == Some(concat.axis) && views.iter().all(|other| *other == view);
        is_channels.then(|| self.is(Layer::Concat, &slots, view, views))
    }

    /// One of the channels' slowest axis.
    fn chosen(&self, gather: &Gather) -> Option<Recognised> {
        let (view, dims) = (self.made(0)?, self.dims(0)?);
        let chosen = self
            .constant(1)?
            .cast_to_scalar::<i64>()
            .ok()
            .filter(|_| self.constant(1).is_some_and(|c| c.rank() == 0))?;
        let count = view.shape(dims)?.channels / dims[gather.axis];
        let index = if chosen < 0 { chosen + dims[gather.axis] as i64 } else { chosen };
        let first = usize::try_from(index).ok()? * count;
        let without = view.without_slowest_channel(gather.axis)?;
        Some(self.is(Layer::Part(first), &[0], without, vec![view]))
    }

    /// Some channels that follow each other.
    fn slice(&self, slice: &Slice) -> Option<Recognised> {
        let view = self.view(0)?;
        let first = usize::try_from(slice.start.as_i64()?).ok()?;
        let is_channels = view.channel_axis() == Some(slice.axis);
        is_channels.then(|| self.is(Layer::Part(first), &[0], view.clone(), vec![view]))
    }

    /// Zeros around, and behind the channels.
    fn padded(&self, pad: &Pad) -> Option<Recognised> {
        let (view, _) = self.planes(0)?;
        let PadMode::Constant(value) = &pad.mode else { return None };
        let is_zero = value.cast_to_scalar::<f32>().ok()? == 0.0;
        let [(0, 0), (0, _), (top, _), (left, _)] = pad.pads[..] else { return None };
        let layer = is_zero.then_some(Layer::Pad([top, left]))?;
        Some(self.is(layer, &[0], view.clone(), vec![view]))
    }

    /// A softmax over the channels.
    fn softmax(&self, softmax: &Softmax) -> Option<Recognised> {
        let view = self.view(0)?;
        let is_plain = matches!(softmax.kind, SoftmaxKind::Softmax) && softmax.quant_output_dt.is_none();
        let is_channels = is_plain && view.channel_axis().is_some_and(|axis| softmax.axes[..] == [axis]);
        is_channels.then(|| self.is(Layer::Softmax, &[0], view.clone(), vec![view]))
    }

    /// A matrix product with constant weights over the last axis: a convolution of one pixel.
    fn linear(&self, product: &EinSum) -> Option<Recognised> {
        let dims = self.dims(0)?;
        let shape = self.fact(1)?.shape.as_concrete()?;
        let is_plain = self.node.inputs.len() == 2 && product.q_params.is_none();
        let [rows, columns] = *is_plain.then_some(shape)? else { return None };
        let view = match self.made(0) {
            Some(view) => view,
            None => View::channels_last(dims.len())?,
        };
        let axes = product.axes.to_string();
        let (operands, output) = axes.split_once("->")?;
        let (input, by) = operands.split_once(',')?;
        let ((pixels, from), (output_pixels, to)) = (split_last(input)?, split_last(output)?);
        if pixels != output_pixels || view.channel_axis()? + 1 != dims.len() {
            return None;
        }
        let order = if by == format!("{to}{from}") {
            Order::OutputFirst
        } else if by == format!("{from}{to}") {
            Order::InputFirst
        } else {
            return None;
        };
        let (inputs, outputs) = (*dims.last()?, *self.output_dims().last()?);
        let is_whole = rows * columns == inputs * outputs;
        let layer = is_whole.then_some(ConvLayer {
            window: Window { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], before: [0, 0] },
            groups: 1,
            weights: self.weights(order, outputs)?,
            bias: vec![0.0; outputs],
            adds: false,
            transposed: false,
            finish: Finish::default(),
        })?;
        Some(self.is(Layer::Conv(layer), &[0], view.clone(), vec![view]))
    }
}

fn split_last(axes: &str) -> Option<(&str, char)> {
    let last = axes.chars().last()?;
    Some((&axes[..axes.len() - last.len_utf8()], last))
}
