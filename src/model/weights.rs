//! The numbers in a graph: external data brought in, sizes checked, NaN and infinities refused, subnormals flushed.

mod external;
mod numbers;

use tract_onnx::pb::{GraphProto, ModelProto, TensorProto, tensor_proto::DataLocation};

use super::ScanError;
use crate::bundle::Files;

/// How many numbers a graph carries.
#[derive(Default)]
pub(super) struct Settled {
    /// In all, of any type.
    pub(super) weights: usize,
    /// Of those, subnormal ones that were set to zero.
    pub(super) flushed: usize,
}

/// Settles every tensor of the model.
pub(super) fn settle(model: &mut ModelProto, files: &Files, onnx: &str) -> Result<Settled, ScanError> {
    let mut external = external::Reader::new(files, onnx);
    let mut settled = Settled::default();
    if let Some(graph) = model.graph.as_mut() {
        each_tensor(graph, &mut |tensor| {
            let count = numbers::count(tensor)?;
            if tensor.data_location == Some(DataLocation::External as i32) {
                external.embed(tensor, count)?;
            }
            numbers::check(tensor, count)?;
            settled.weights = settled.weights.saturating_add(count);
            settled.flushed += numbers::flush_subnormals(tensor);
            Ok(())
        })?;
    }
    Ok(settled)
}

/// Initializers and the tensors in attributes, of this graph and the graphs in it.
fn each_tensor(
    graph: &mut GraphProto,
    visit: &mut impl FnMut(&mut TensorProto) -> Result<(), ScanError>,
) -> Result<(), ScanError> {
    for tensor in &mut graph.initializer {
        visit(tensor)?;
    }
    for node in &mut graph.node {
        for attribute in node.attribute.iter_mut() {
            let missing = stands_for_missing(&node.op_type, &attribute.name);
            let mut numbers = attribute.floats.iter().chain(std::iter::once(&attribute.f));
            if let Some(index) = numbers.position(|number| number.is_nan() && !missing) {
                let tensor = format!("{}.{}", node.name, attribute.name);
                return Err(ScanError::NotFinite { tensor, value: f64::NAN, index });
            }
            for tensor in attribute.t.iter_mut().chain(&mut attribute.tensors) {
                visit(tensor)?;
            }
            for graph in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                each_tensor(graph, visit)?;
            }
        }
    }
    Ok(())
}

/// Whether NaN is what an attribute says of values that are missing.
fn stands_for_missing(operator: &str, attribute: &str) -> bool {
    matches!(
        (operator, attribute),
        ("Imputer", "replaced_value_float") | ("LabelEncoder", "keys_floats" | "values_floats" | "default_float")
    )
}
