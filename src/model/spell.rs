//! Operators that tract lacks, spelled out in the file's own terms with those it has, before it reads the file.
//!
//! The operators of onnxruntime's quantizer become DequantizeLinear, the plain operator and QuantizeLinear: the form
//! that the same quantizer writes as QDQ, and that [`lower`](super::lower) knows. `ZipMap` becomes nothing.

mod constants;
mod names;
mod pairs;
mod quantized;
mod table;
mod zip_map;

use tract_onnx::pb::{GraphProto, ModelProto, NodeProto};
use tract_onnx::prelude::Tensor;

use super::ScanError;
use constants::Constants;
use names::Names;
use pairs::Spelled;

/// Whether the node's operator is one of those that are spelled out.
pub(super) fn knows(node: &NodeProto) -> bool {
    table::spelling(node).is_some() || zip_map::is_one(node)
}

/// Spells out all there is to spell; `tensors` are the numbers of initializers that the message has not.
pub(super) fn out(model: &mut ModelProto, tensors: &[(String, Tensor)]) -> Result<(), ScanError> {
    let set = model.opset_import.iter().find(|set| matches!(set.domain.as_str(), "" | "ai.onnx"));
    let version = set.map_or(0, |set| set.version);
    let Some(graph) = model.graph.as_mut().filter(|graph| any(graph)) else { return Ok(()) };
    let names = &mut Names::of(graph);
    let constants = &Constants::of(graph, tensors);
    spell_graph(graph, &mut Book { constants, names, version })
}

fn any(graph: &GraphProto) -> bool {
    graph.node.iter().any(|node| knows(node) || subgraphs(node).any(any))
}

fn subgraphs(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs))
}

/// What is known while a file is spelled out.
struct Book<'a> {
    constants: &'a Constants,
    names: &'a mut Names,
    /// Of ONNX's operator set.
    version: i64,
}

fn spell_graph(graph: &mut GraphProto, book: &mut Book<'_>) -> Result<(), ScanError> {
    let mut spelled = Spelled::default();
    for mut node in std::mem::take(&mut graph.node) {
        for attribute in &mut node.attribute {
            for inner in attribute.g.iter_mut().chain(&mut attribute.graphs) {
                spell_graph(inner, book)?;
            }
        }
        if zip_map::is_one(&node) {
            spelled.nodes.push(zip_map::replaced(node, &mut graph.output)?);
        } else if let Some(spelling) = table::spelling(&node) {
            quantized::spell(&node, &spelling, book, &mut spelled)?;
        } else {
            spelled.keep(node, book.names, book.constants);
        }
    }
    graph.node = spelled.nodes;
    graph.initializer.append(&mut spelled.initializers);
    Ok(())
}

/// A refusal of `node`.
fn refused(node: &NodeProto, expected: impl Into<Box<str>>, found: impl Into<Box<str>>) -> ScanError {
    let name = if node.name.is_empty() { node.output.first() } else { Some(&node.name) };
    let clean =
        |text: &str| -> Box<str> { text.chars().filter(|c| !c.is_control()).take(64).collect::<String>().into() };
    ScanError::Node {
        node: clean(name.map_or("without a name", String::as_str)),
        operator: clean(&node.op_type),
        expected: expected.into(),
        found: found.into(),
    }
}
