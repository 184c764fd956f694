//! What a file says of its constants, as far as quantized operators ask: types, shapes, and the numbers of scales.

use std::collections::HashMap;

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{GraphProto, NodeProto, TensorProto};
use tract_onnx::prelude::Tensor;

use super::subgraphs;

/// Scales in use have one number, or one a channel.
const MAX_SCALES: usize = 1 << 16;

pub(super) struct Constant {
    pub(super) data_type: i32,
    pub(super) dims: Vec<i64>,
    /// Of single-precision ones with few numbers.
    pub(super) floats: Vec<f32>,
}

/// By name; nothing where graphs in graphs give a name twice.
pub(super) struct Constants(HashMap<String, Option<Constant>>);

impl Constants {
    /// Those of a graph; `tensors` are the numbers of initializers that the message has not.
    pub(super) fn of(graph: &GraphProto, tensors: &[(String, Tensor)]) -> Self {
        let mut constants = HashMap::new();
        collect(graph, &mut constants);
        for (name, tensor) in tensors.iter().filter(|(_, tensor)| tensor.len() <= MAX_SCALES) {
            let Some(Some(constant)) = constants.get_mut(name) else { continue };
            let numbers = tensor.try_as_plain_ram().ok().and_then(|view| view.as_slice::<f32>().ok());
            constant.floats = numbers.unwrap_or_default().to_vec();
        }
        Self(constants)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Constant> {
        self.0.get(name)?.as_ref()
    }
}

fn collect(graph: &GraphProto, constants: &mut HashMap<String, Option<Constant>>) {
    let mut add = |name: &str, tensor: &TensorProto| {
        let twice = constants.contains_key(name);
        constants.insert(name.to_owned(), (!twice).then(|| Constant::of(tensor)));
    };
    graph.initializer.iter().for_each(|tensor| add(&tensor.name, tensor));
    for (name, tensor) in graph.node.iter().filter_map(made_constant) {
        add(name, tensor);
    }
    for node in &graph.node {
        subgraphs(node).for_each(|graph| collect(graph, constants));
    }
}

fn made_constant(node: &NodeProto) -> Option<(&str, &TensorProto)> {
    let held = node.attribute.iter().find(|attribute| attribute.name == "value")?.t.as_ref()?;
    (node.op_type == "Constant").then_some((node.output.first()?.as_str(), held))
}

impl Constant {
    fn of(tensor: &TensorProto) -> Self {
        let is_float = tensor.data_type == DataType::Float as i32;
        let few = tensor.float_data.len().max(tensor.raw_data.len() / 4) <= MAX_SCALES;
        let raw = tensor.raw_data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let floats = if is_float && few { raw.chain(tensor.float_data.iter().copied()).collect() } else { Vec::new() };
        Self { data_type: tensor.data_type, dims: tensor.dims.clone(), floats }
    }

    /// How many values it has.
    pub(super) fn len(&self) -> i64 {
        self.dims.iter().fold(1, |len: i64, dim| len.saturating_mul(*dim))
    }
}
