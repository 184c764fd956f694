//! The numbers in a graph: external data brought in, sizes checked, NaN and infinities refused, subnormals flushed.

mod external;
mod numbers;

use bytes::Bytes;
use tract_onnx::pb::{GraphProto, ModelProto, TensorProto, tensor_proto::DataLocation};
use tract_onnx::prelude::Tensor;

use super::ScanError;
use crate::bundle::Files;

/// The numbers that a graph carries.
#[derive(Default)]
pub(super) struct Settled {
    /// How many, in all, of any type.
    pub(super) weights: usize,
    /// Of those, subnormal ones that were set to zero.
    pub(super) flushed: usize,
    /// The initializers' by their names: read from where they lie. The message has only their types and shapes.
    pub(super) tensors: Vec<(String, Tensor)>,
}

/// Settles every tensor of the model; `raw` are the numbers of its initializers.
pub(super) fn settle(model: &mut ModelProto, raw: &[Bytes], files: &Files, onnx: &str) -> Result<Settled, ScanError> {
    let mut external = external::Reader::new(files, onnx);
    let mut settled = Settled::default();
    let Some(graph) = model.graph.as_mut() else { return Ok(settled) };
    for (tensor, raw) in graph.initializer.iter_mut().zip(raw) {
        settled.initializer(tensor, raw, &mut external)?;
    }
    each_attribute(graph, &mut |tensor| settled.tensor(tensor, &mut external))?;
    Ok(settled)
}

impl Settled {
    fn initializer(
        &mut self,
        tensor: &mut TensorProto,
        raw: &[u8],
        external: &mut external::Reader<'_>,
    ) -> Result<(), ScanError> {
        let count = numbers::count(tensor)?;
        let raw = if is_external(tensor) { external.take(tensor, count)? } else { raw };
        if raw.is_empty() {
            return self.checked(tensor, count);
        }
        match numbers::tensor(tensor, count, raw)? {
            Some((made, flushed)) => {
                self.tensors.push((tensor.name.clone(), made));
                self.weights = self.weights.saturating_add(count);
                self.flushed += flushed;
                Ok(())
            }
            None => {
                tensor.raw_data = raw.to_vec();
                self.checked(tensor, count)
            }
        }
    }

    fn tensor(&mut self, tensor: &mut TensorProto, external: &mut external::Reader<'_>) -> Result<(), ScanError> {
        let count = numbers::count(tensor)?;
        if is_external(tensor) {
            tensor.raw_data = external.take(tensor, count)?.to_vec();
        }
        self.checked(tensor, count)
    }

    /// What the message holds itself.
    fn checked(&mut self, tensor: &mut TensorProto, count: usize) -> Result<(), ScanError> {
        numbers::check(tensor, count)?;
        self.weights = self.weights.saturating_add(count);
        self.flushed += numbers::flush_subnormals(tensor);
        Ok(())
    }
}

fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location == Some(DataLocation::External as i32)
}

/// The tensors in attributes, and all those of the graphs in them.
fn each_attribute(
    graph: &mut GraphProto,
    visit: &mut impl FnMut(&mut TensorProto) -> Result<(), ScanError>,
) -> Result<(), ScanError> {
    for node in &mut graph.node {
        for attribute in node.attribute.iter_mut() {
            let missing = stands_for_missing(&node.op_type, &attribute.name);
            let mut numbers = attribute.floats.iter().chain(std::iter::once(&attribute.f));
            if let Some(index) = numbers.position(|number| number.is_nan() && !missing) {
                let tensor = format!("{}.{}", node.name, attribute.name);
                return Err(ScanError::NotFinite { tensor, value: f64::NAN, index });
            }
            attribute.t.iter_mut().chain(&mut attribute.tensors).try_for_each(&mut *visit)?;
            for graph in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                graph.initializer.iter_mut().try_for_each(&mut *visit)?;
                each_attribute(graph, visit)?;
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
