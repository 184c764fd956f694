//! Layers that a graph spells out in several nodes. What is between is left to tract, which drops it where nobody else
//! reads it.

use strongroom_kernels::Attention;
use tract_onnx::prelude::OutletId;
use tract_onnx::tract_core::ops::binary::TypedBinOp;
use tract_onnx::tract_core::ops::cast::Cast;
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::math::{Add, Div, Mul, Rsqrt, Sqrt, Square, Sub};
use tract_onnx::tract_core::ops::nn::{Reduce, Reducer, Softmax};

use super::super::TypedNode;
use super::super::layer::{Layer, NormLayer};
use super::super::view::View;
use super::constant::number;
use super::{Recognised, Seen};

impl Seen<'_> {
    /// What is left of a value less its mean, over the root of its variance: the product or quotient of the two.
    pub(super) fn layer_norm(&self, binary: &TypedBinOp) -> Option<Recognised> {
        let is_product = binary.0.is::<Mul>();
        if !is_product && !binary.0.is::<Div>() {
            return None;
        }
        let [left, right] = self.node.inputs[..] else { return None };
        let orders = if is_product { vec![(left, right), (right, left)] } else { vec![(left, right)] };
        orders.into_iter().find_map(|(centred, deviation)| self.normalised(centred, deviation, is_product))
    }

    fn normalised(&self, centred: OutletId, deviation: OutletId, is_product: bool) -> Option<Recognised> {
        let root = self.unary_of(deviation, |op| if is_product { op.is::<Rsqrt>() } else { op.is::<Sqrt>() })?;
        let (variance, epsilon) = self.with_number::<Add>(root.inputs[0])?;
        let (squares, axis) = self.mean_of(variance)?;
        let square = self.unary_of(squares, |op| op.is::<Square>())?;
        if square.inputs[0] != centred {
            return None;
        }
        let difference = self.binary_of::<Sub>(centred)?;
        let (value, mean_axis) = self.mean_of(difference.inputs[1])?;
        let value = self.through_casts(value);
        if value != self.through_casts(difference.inputs[0]) || axis != mean_axis {
            return None;
        }
        let fact = self.model.outlet_fact(difference.inputs[0]).ok()?;
        let dims = fact.shape.as_concrete()?;
        let view = match self.found.get(&difference.inputs[0].node) {
            Some(found) => found.view.clone(),
            None => View::channels_last(dims.len())?,
        };
        if view.channel_axis() != Some(axis) {
            return None;
        }
        let channels = view.shape(dims)?.channels;
        let layer = NormLayer { scale: vec![1.0; channels], offset: vec![0.0; channels], epsilon };
        let from = vec![(difference.id, 0)];
        Some(Recognised { layer: Layer::Norm(layer), from, view: view.clone(), views: vec![view] })
    }

    /// A softmax of queries with keys, as weights of values.
    pub(super) fn attention(&self, product: &EinSum) -> Option<Recognised> {
        if product.axes.to_string() != "abmk,abkn->abmn" {
            return None;
        }
        let weights = self.made_by(self.outlet(0)?);
        let softmax = weights.op_as::<Softmax>().filter(|softmax| softmax.axes[..] == [3])?;
        let _ = softmax;
        let scores = self.made_by(weights.inputs[0]);
        if scores.op_as::<EinSum>()?.axes.to_string() != "abmk,abkn->abmn" {
            return None;
        }
        let view = |outlet: OutletId| self.found.get(&outlet.node).map(|found| &found.view);
        let (query, key, value) = (view(scores.inputs[0])?, view(scores.inputs[1])?, view(self.outlet(1)?)?);
        let head_axis = query.slowest_channel_axis().filter(|axis| *axis == 1)?;
        let turned = query.moved(&tract_onnx::tract_core::ops::change_axes::AxisOp::Move(2, 3))?;
        let dims = self.model.outlet_fact(scores.inputs[0]).ok()?.shape.as_concrete()?;
        let value_dims = self.dims(1)?;
        if query != value || *key != turned || dims != value_dims || query.shape(dims)?.channels != dims[1] * dims[3] {
            return None;
        }
        let heads = dims[head_axis];
        // Another axis of pixels would be of windows, each of which attends to itself alone.
        if !query.are_pixels(&[2]) || dims[3] % strongroom_kernels::LANES != 0 {
            return None;
        }
        let layer = Layer::Attention(Attention { heads, scale: 1.0 });
        let from = vec![(scores.id, 0), (scores.id, 1), (self.node.id, 1)];
        let views = vec![query.clone(), key.clone(), value.clone()];
        Some(Recognised { layer, from, view: query.clone(), views })
    }

    fn made_by(&self, outlet: OutletId) -> &TypedNode {
        &self.model.nodes()[outlet.node]
    }

    fn unary_of(
        &self,
        outlet: OutletId,
        is_it: impl Fn(&dyn tract_onnx::tract_core::ops::element_wise::ElementWiseMiniOp) -> bool,
    ) -> Option<&TypedNode> {
        let node = self.made_by(outlet);
        node.op_as::<ElementWiseOp>().filter(|op| is_it(op.0.as_ref())).map(|_| node)
    }

    fn binary_of<O: tract_onnx::tract_core::ops::binary::BinMiniOp>(&self, outlet: OutletId) -> Option<&TypedNode> {
        let node = self.made_by(outlet);
        node.op_as::<TypedBinOp>().filter(|op| op.0.is::<O>()).map(|_| node)
    }

    /// A value and the number it is added to, or the like.
    fn with_number<O: tract_onnx::tract_core::ops::binary::BinMiniOp>(
        &self,
        outlet: OutletId,
    ) -> Option<(OutletId, f32)> {
        let node = self.binary_of::<O>(outlet)?;
        let constant = |slot: usize| number(self.model.outlet_fact(node.inputs[slot]).ok()?.konst.as_ref()?);
        match (constant(0), constant(1)) {
            (None, Some(by)) => Some((node.inputs[0], by)),
            (Some(by), None) => Some((node.inputs[1], by)),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }

    /// What a mean over one axis is of, and the axis.
    fn mean_of(&self, outlet: OutletId) -> Option<(OutletId, usize)> {
        let (sum, count) = match self.with_number::<Div>(outlet) {
            Some(found) => found,
            None => self.with_number::<Mul>(outlet).map(|(sum, by)| (sum, 1.0 / by))?,
        };
        let node = self.made_by(sum);
        let reduce = node.op_as::<Reduce>().filter(|reduce| matches!(reduce.reducer, Reducer::Sum))?;
        let [axis] = reduce.axes[..] else { return None };
        let dims = self.model.outlet_fact(node.inputs[0]).ok()?.shape.as_concrete()?;
        ((dims[axis] as f32 - count).abs() < 0.5).then_some((node.inputs[0], axis))
    }

    fn through_casts(&self, mut outlet: OutletId) -> OutletId {
        while self.made_by(outlet).op_is::<Cast>() {
            outlet = self.made_by(outlet).inputs[0];
        }
        outlet
    }
}
