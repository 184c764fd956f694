//! `ZipMap` makes a list of maps, from labels to scores, of a table of scores. There are only tensors here: what it
//! answers is the table, with its labels as columns, in their order.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Dim};
use tract_onnx::pb::{NodeProto, TensorShapeProto, TypeProto, ValueInfoProto, type_proto};

use super::{ScanError, refused};

pub(super) fn is_one(node: &NodeProto) -> bool {
    node.op_type == "ZipMap" && node.domain == "ai.onnx.ml"
}

/// The node that hands the table on; an output of the graph that it makes is declared anew.
pub(super) fn replaced(mut node: NodeProto, outputs: &mut [ValueInfoProto]) -> Result<NodeProto, ScanError> {
    let ([_], [made]) = (&*node.input, &*node.output) else {
        let found = format!("{} and {}", node.input.len(), node.output.len());
        return Err(refused(&node, "one input and one output", found));
    };
    let columns: usize = node.attribute.iter().map(|held| held.ints.len() + held.strings.len()).sum();
    if let Some(output) = outputs.iter_mut().find(|output| output.name == *made) {
        output.r#type = Some(table(columns));
    }
    node.op_type = "Identity".to_owned();
    node.domain.clear();
    node.attribute.clear();
    Ok(node)
}

/// Scores in as many columns as there are labels.
fn table(columns: usize) -> TypeProto {
    let columns = Dimension { value: i64::try_from(columns).ok().map(Dim::DimValue), ..Dimension::default() };
    let shape = Some(TensorShapeProto { dim: vec![Dimension::default(), columns] });
    let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape };
    TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() }
}
