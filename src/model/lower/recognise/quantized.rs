//! What the file holds as whole numbers, and where values become bytes and numbers again.

use std::sync::Arc;

use strongroom_kernels::{Order, Quantization};
use tract_onnx::prelude::{Datum, OutletId, Tensor};
use tract_onnx::tract_core::ops::cnn::{Conv, Deconv};
use tract_onnx::tract_core::ops::einsum::EinSum;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::quant::{QuantizeLinearI8, QuantizeLinearU8};

use super::super::super::dequantize::Dequantize;
use super::super::TypedNode;
use super::super::layer::{Held, Layer};
use super::constant::{numbers, spread};
use super::{Recognised, Seen};

/// Whether slot `slot` of `node` is what it multiplies with.
pub(in super::super) fn is_weights(node: &TypedNode, slot: usize) -> bool {
    let op = node.op.as_op();
    slot == 1 && (op.is::<Conv>() || op.is::<Deconv>() || op.is::<EinSum>())
}

/// Bytes that mean zero by zero; unsigned ones, whose middle means zero, are made signed.
fn signed(tensor: &Arc<Tensor>, zero: i32) -> Option<Arc<Tensor>> {
    let view = tensor.try_as_plain_ram().ok()?;
    if view.as_slice::<i8>().is_ok() {
        return (zero == 0).then(|| Arc::clone(tensor));
    }
    let bytes = view.as_slice::<u8>().ok().filter(|_| zero == 128)?;
    let moved: Vec<i8> = bytes.iter().map(|byte| (byte ^ 0x80).cast_signed()).collect();
    Tensor::from_shape(tensor.shape(), &moved).ok().map(Arc::new)
}

impl Seen<'_> {
    /// The weights in slot 1 of what has so many output channels.
    pub(super) fn weights(&self, order: Order, outputs: usize) -> Option<Held> {
        if let Some(tensor) = self.constant(1) {
            return numbers(&tensor).is_some().then_some(Held { tensor, order, scale: Vec::new() });
        }
        let maker = &self.model.nodes()[self.outlet(1)?.node];
        let op = maker.op_as::<Dequantize>()?;
        let bytes = self.model.outlet_fact(maker.inputs[0]).ok()?.konst.as_ref()?;
        let axis = match order {
            Order::OutputFirst => 0,
            Order::InputFirst => bytes.rank().checked_sub(1)?,
        };
        let zero = op.zero_point.first().filter(|first| op.zero_point.iter().all(|zero| zero == *first))?;
        let is_by_output = op.scale.len() == 1 || op.axis == axis;
        match signed(bytes, *zero).filter(|_| is_by_output) {
            Some(tensor) => Some(Held { tensor, order, scale: spread(&op.scale, outputs)? }),
            None => Some(Held { tensor: Arc::new(op.of(bytes).ok()?), order, scale: Vec::new() }),
        }
    }

    /// Numbers that become bytes, for readers that all make numbers of them again.
    pub(super) fn quantize(&self) -> Option<Recognised> {
        let unary = self.node.op_as::<ElementWiseOp>()?;
        let (inverse, zero) = if let Some(op) = unary.0.downcast_ref::<QuantizeLinearU8>() {
            (op.scale, i32::from(op.zero_point))
        } else {
            let op = unary.0.downcast_ref::<QuantizeLinearI8>()?;
            (op.scale, i32::from(op.zero_point))
        };
        let readers = &self.node.outputs[0].successors;
        let is_output = self.model.output_outlets().ok()?.contains(&OutletId::new(self.node.id, 0));
        let mut scale = None;
        for reader in readers {
            let back = self.model.nodes()[reader.node].op_as::<Dequantize>()?;
            let ([of_all], [zero_of_all]) = (&back.scale[..], &back.zero_point[..]) else { return None };
            // The operator holds the inverse alone, whose inverse may be another number.
            let agrees = *zero_of_all == zero && (of_all * inverse - 1.0).abs() < 1e-6;
            scale = agrees.then_some(*of_all).filter(|new| scale.is_none_or(|scale| scale == *new));
            scale?;
        }
        let to = self.written(scale.filter(|_| !is_output)?, zero)?;
        let view = self.view(0)?;
        Some(self.is(Layer::Quantize(to), &[0], view.clone(), vec![view]))
    }

    /// Bytes that become numbers again.
    pub(super) fn dequantize(&self) -> Option<Recognised> {
        self.node.op_as::<Dequantize>()?;
        let made = self.found.get(&self.outlet(0)?.node)?;
        let Layer::Quantize(from) = made.layer else { return None };
        let view = made.view.clone();
        Some(self.is(Layer::Dequantize(from), &[0], view.clone(), vec![view]))
    }

    /// The kernels know unsigned bytes alone.
    fn written(&self, scale: f32, zero: i32) -> Option<Quantization> {
        let is_signed = self.node.outputs[0].fact.datum_type == i8::datum_type();
        let zero_point = u8::try_from(if is_signed { zero + 128 } else { zero }).ok()?;
        (scale.is_normal() && scale > 0.0).then_some(Quantization { scale, zero_point })
    }
}
