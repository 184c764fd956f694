//! Constants of which tract asks for nothing but type and shape before the graph is typed.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use tract_onnx::pb::{GraphProto, NodeProto};
use tract_onnx::prelude::Tensor;

use super::super::scan::subgraphs;

/// Smaller ones are looked at as quickly as they are passed by.
const FEWEST: usize = 256;

/// What follows from constants alone of these is a constant too.
const NUMBERWISE: [&str; 5] = ["Add", "Cast", "Div", "Mul", "Sub"];

/// The names of those of `tensors` that only layers' weights are made from: every way from one leads over operators that
/// compute number by number to one that asks for its shape alone.
pub(super) fn opaque(graph: &GraphProto, tensors: &BTreeMap<String, Arc<Tensor>>) -> BTreeSet<String> {
    let constants = constants(graph, tensors);
    let mut asked: HashSet<&str> = graph.output.iter().map(|output| output.name.as_str()).collect();
    // Of a value the readers come after the maker.
    for node in graph.node.iter().rev() {
        subgraphs(node).for_each(|inner| inside(inner, &mut asked));
        let is_asked = node.output.iter().any(|output| asked.contains(output.as_str()));
        let follows = node.output.iter().all(|output| constants.contains(output.as_str()));
        for (slot, input) in node.input.iter().enumerate() {
            let is_numberwise = NUMBERWISE.contains(&node.op_type.as_str());
            if !is_passed(node, slot) && (is_asked && follows || !is_numberwise) {
                asked.insert(input);
            }
        }
    }
    let is_opaque = |(name, tensor): &(&String, &Arc<Tensor>)| tensor.len() >= FEWEST && !asked.contains(name.as_str());
    tensors.iter().filter(is_opaque).map(|(name, _)| name.clone()).collect()
}

/// `tensors`, the other initializers, and what is computed from them number by number.
fn constants<'g>(graph: &'g GraphProto, tensors: &'g BTreeMap<String, Arc<Tensor>>) -> HashSet<&'g str> {
    let initializers = graph.initializer.iter().map(|initializer| initializer.name.as_str());
    let mut constants: HashSet<&str> = tensors.keys().map(String::as_str).chain(initializers).collect();
    for node in &graph.node {
        let follows = NUMBERWISE.contains(&node.op_type.as_str())
            && node.input.iter().all(|input| input.is_empty() || constants.contains(input.as_str()));
        if follows {
            constants.extend(node.output.iter().map(String::as_str));
        }
    }
    constants
}

/// Whether tract asks for the shape of an input alone.
fn is_passed(node: &NodeProto, slot: usize) -> bool {
    match node.op_type.as_str() {
        "Conv" | "ConvTranspose" | "Gemm" | "MatMul" => slot < 2,
        "DequantizeLinear" => slot == 0,
        _ => false,
    }
}

/// All that a graph inside another one reads is asked for.
fn inside<'g>(graph: &'g GraphProto, asked: &mut HashSet<&'g str>) {
    asked.extend(graph.output.iter().map(|output| output.name.as_str()));
    for node in &graph.node {
        asked.extend(node.input.iter().map(String::as_str));
        subgraphs(node).for_each(|inner| inside(inner, asked));
    }
}
