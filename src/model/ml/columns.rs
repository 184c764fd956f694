//! `ArrayFeatureExtractor`: some columns of a table.

use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::ops::array::Gather;
use tract_onnx::tract_hir::internal::*;

use super::Parsed;

pub(super) fn register(operators: &mut OnnxOpRegister) {
    operators.insert("ArrayFeatureExtractor", |_: &ParsingContext<'_>, _: &NodeProto| -> Parsed {
        Ok((expand(Columns), vec![]))
    });
}

/// Of each row the numbers at the places that the second input lists, whatever its shape. tract's own keeps that shape,
/// and a row without a table around it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Columns;

impl Expansion for Columns {
    fn name(&self) -> StaticName {
        "ArrayFeatureExtractor".into()
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 2)?;
        check_output_arity(outputs, 1)?;
        solver.equals(&inputs[0].datum_type, &outputs[0].datum_type)?;
        solver.equals(&inputs[1].datum_type, i64::datum_type())?;
        solver.given_2(&inputs[0].shape, &inputs[1].shape, move |solver, table, places| {
            let Some((_, rows)) = table.split_last() else {
                bail!("ArrayFeatureExtractor reads rows, not a single number")
            };
            let mut shape: TVec<TDim> = rows.into();
            if shape.is_empty() {
                shape.push(1.to_dim());
            }
            shape.push(places.iter().product());
            solver.equals(&outputs[0].shape, shape)
        })
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let &[mut table, mut places] = inputs else {
            bail!("ArrayFeatureExtractor has two inputs, not {}", inputs.len())
        };
        if model.outlet_fact(table)?.rank() == 1 {
            table = model.wire_node(format!("{prefix}.row"), AxisOp::Add(0), &[table])?[0];
        }
        let shape: TVec<TDim> = model.outlet_fact(places)?.shape.iter().cloned().collect();
        if shape.len() != 1 {
            let flat = AxisOp::Reshape(0, shape.clone(), tvec!(shape.iter().product()));
            places = model.wire_node(format!("{prefix}.places"), flat, &[places])?[0];
        }
        let axis = model.outlet_fact(table)?.rank() - 1;
        model.wire_node(prefix, Gather { axis, output_type: None }, &[table, places])
    }
}
