//! The initializers of a graph on their way around tract's reader: it copies what it reads, and computes anew, each time it
//! looks at a node, what follows from constants alone.
//!
//! To the reader they are inputs of a known type and shape. Those of which nothing but these is asked ([`opaque`]) stay
//! inputs until the graph is typed, and become constants then; all others, shapes and axes among them, at once.

mod opaque;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Dim};
use tract_onnx::pb::{GraphProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto};
use tract_onnx::prelude::{InferenceFact, InferenceModel, OutletId, Tensor, TractResult, TypedFact, TypedModel};
use tract_onnx::tract_core::internal::ensure;
use tract_onnx::tract_core::ops::konst::Const;

/// Which constants are kept from the analysis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kept {
    /// Those it has no need of.
    Opaque,
    /// None.
    Nothing,
}

/// Initializers by their names.
pub(super) struct Constants {
    tensors: BTreeMap<String, Arc<Tensor>>,
    opaque: BTreeSet<String>,
}

impl Constants {
    /// Makes inputs of those initializers of `graph` whose numbers are in `tensors`.
    pub(super) fn withdraw(graph: &mut GraphProto, tensors: Vec<(String, Tensor)>) -> Self {
        let tensors = tensors.into_iter().map(|(name, tensor)| (name, Arc::new(tensor)));
        let mut constants = Self { tensors: tensors.collect(), opaque: BTreeSet::new() };
        constants.opaque = opaque::opaque(graph, &constants.tensors);
        // Exporters of old list initializers among the inputs too.
        graph.input.retain(|input| !constants.tensors.contains_key(&input.name));
        let (withdrawn, kept) = std::mem::take(&mut graph.initializer)
            .into_iter()
            .partition(|initializer| constants.tensors.contains_key(&initializer.name));
        graph.initializer = kept;
        let withdrawn: Vec<tract_onnx::pb::TensorProto> = withdrawn;
        graph.input.extend(withdrawn.into_iter().map(|it| declared(it.name, it.data_type, &it.dims)));
        constants
    }

    /// Puts constants where the reader made inputs, but for those that are `kept` back.
    pub(super) fn place(&self, model: &mut InferenceModel, kept: Kept) -> TractResult<()> {
        for outlet in model.inputs.clone() {
            let node = &mut model.nodes[outlet.node];
            let Some(tensor) = self.tensors.get(&node.name) else { continue };
            // The file may say something else of its shape.
            node.outputs[outlet.slot].fact = InferenceFact::dt_shape(tensor.datum_type(), tensor.shape());
            if kept == Kept::Nothing || !self.opaque.contains(&node.name) {
                node.op = Box::new(Const::new(Arc::clone(tensor))?);
                node.outputs[outlet.slot].fact = InferenceFact::try_from(Arc::clone(tensor))?;
            }
        }
        let is_input = |outlet: &OutletId| !model.nodes[outlet.node].op_is::<Const>();
        model.inputs = model.inputs.iter().filter(|outlet| is_input(outlet)).copied().collect();
        Ok(())
    }

    /// Puts those that were kept back.
    pub(super) fn place_kept(&self, model: &mut TypedModel) -> TractResult<()> {
        for outlet in model.inputs.clone() {
            let node = &mut model.nodes[outlet.node];
            let Some(tensor) = self.tensors.get(&node.name) else { continue };
            let fact = TypedFact::try_from(Arc::clone(tensor))?;
            let known = &node.outputs[outlet.slot].fact;
            ensure!(known.without_value() == fact.without_value(), "{} is {fact:?}, read as {known:?}", node.name);
            node.op = Box::new(Const::new(Arc::clone(tensor))?);
            node.outputs[outlet.slot].fact = fact;
        }
        let is_input = |outlet: &OutletId| !model.nodes[outlet.node].op_is::<Const>();
        model.inputs = model.inputs.iter().filter(|outlet| is_input(outlet)).copied().collect();
        Ok(())
    }
}

/// An input of this type and shape.
fn declared(name: String, elem_type: i32, dims: &[i64]) -> ValueInfoProto {
    let dim = dims.iter().map(|dim| Dimension { value: Some(Dim::DimValue(*dim)), ..Dimension::default() }).collect();
    let tensor = type_proto::Tensor { elem_type, shape: Some(TensorShapeProto { dim }) };
    let value = Some(type_proto::Value::TensorType(tensor));
    ValueInfoProto { name, r#type: Some(TypeProto { value, ..TypeProto::default() }), ..ValueInfoProto::default() }
}
