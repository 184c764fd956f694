//! `QuantizeLinear` as an operator of our own, where it is left to tract, whose own wraps around: the sum of a large number
//! of steps and a zero point becomes the smallest integer.

use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::quant::{QuantizeLinearI8, QuantizeLinearU8};
use tract_onnx::tract_hir::internal::*;

/// Puts our operator in the place of tract's.
pub(super) fn bounded(mut model: TypedModel) -> TractResult<TypedModel> {
    for id in 0..model.nodes().len() {
        let node = &model.nodes()[id];
        let Some(own) = own(node.op.as_ref()) else { continue };
        TypedModelPatch::replace_single_op(&model, node, &node.inputs, own)?.apply(&mut model)?;
    }
    Ok(model)
}

fn own(op: &dyn TypedOp) -> Option<Quantize> {
    let op = &op.downcast_ref::<ElementWiseOp>()?.0;
    if let Some(op) = op.downcast_ref::<QuantizeLinearU8>() {
        return Some(Quantize { inverse: op.scale, zero_point: i32::from(op.zero_point), to: DatumType::U8 });
    }
    let op = op.downcast_ref::<QuantizeLinearI8>()?;
    Some(Quantize { inverse: op.scale, zero_point: i32::from(op.zero_point), to: DatumType::I8 })
}

/// Whole numbers, of bytes: times the inverse of a scale, rounded, and a zero point more.
#[derive(Debug, Clone, PartialEq)]
struct Quantize {
    inverse: f32,
    zero_point: i32,
    to: DatumType,
}

impl Eq for Quantize {}

impl Quantize {
    fn bytes<T: Datum + Copy>(&self, numbers: &Tensor, byte: impl Fn(i32) -> T) -> TractResult<Tensor> {
        let numbers = numbers.cast_to::<f32>()?;
        let steps = numbers.try_as_plain_ram()?.as_slice::<f32>()?.iter();
        let steps = steps.map(|number| (number * self.inverse).round_ties_even() as i32);
        let bytes: Vec<T> = steps.map(|steps| byte(steps.saturating_add(self.zero_point))).collect();
        Tensor::from_shape(numbers.shape(), &bytes)
    }
}

impl Op for Quantize {
    fn name(&self) -> StaticName {
        "Quantize".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Quantize {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let bytes = match self.to {
            DatumType::U8 => self.bytes(&input, |whole| whole.clamp(0, 255) as u8)?,
            _ => self.bytes(&input, |whole| whole.clamp(-128, 127) as i8)?,
        };
        Ok(tvec!(bytes.into_tvalue()))
    }
}

impl TypedOp for Quantize {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(self.to.fact(inputs[0].shape.clone())))
    }

    as_op!();
}
