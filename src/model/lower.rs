//! What our kernels can compute becomes one operator of tract's graph; all else stays as it is.
//!
//! The graph is looked at before tract rewrites it for itself, while its operators are those of the file. Node by node
//! [`recognise`] says which [`Layer`] it is, if any; layers that hang together become a [`Net`], which is simplified
//! ([`fuse`]), given memory ([`plan`]) and run as a [`Program`](program::Program).

mod fold;
mod fuse;
mod layer;
mod operator;
mod plan;
mod program;
mod recognise;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use strongroom_kernels::Level;
use tract_onnx::prelude::{Node, OutletId, TVec, TractResult, TypedFact, TypedModel, TypedOp};
use tract_onnx::tract_core::model::TypedModelPatch;
use tract_onnx::tract_core::ops::array::{Gather, TypedConcat};
use tract_onnx::tract_core::ops::binary::{OptBinUnicast, TypedBinOp};
use tract_onnx::tract_core::ops::change_axes::{AxisOp, IntoShape};
use tract_onnx::tract_core::ops::dummy::Dummy;
use tract_onnx::tract_core::ops::element_wise::ElementWiseOp;
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::source::TypedSource;
use tract_onnx::tract_core::optim::Optimizer;

use super::{dequantize, ml};
use layer::{Layer, Net, Value};
use operator::Lowered;
use program::Tensors;
use recognise::Recognised;
use view::View;

type TypedNode = Node<TypedFact, Box<dyn TypedOp>>;

/// Replaces what is recognised in `model`, which is typed and not yet decluttered.
pub(super) fn lower(mut model: TypedModel, level: Level) -> TractResult<TypedModel> {
    // But for weights, which stay whole numbers until it is known who multiplies with them.
    dequantize::fold(&mut model, recognise::is_weights)?;
    fold::fold(&mut model)?;
    Optimizer::prop_consts().optimize(&mut model)?;
    let mut graph = Seen::of(&model)?;
    for (number, region) in graph.regions().into_iter().enumerate() {
        if region.iter().any(|node| graph.layers[node].layer.is_heavy()) {
            graph.replace(&mut model, &region, number, level)?;
        }
    }
    dequantize::fold(&mut model, |_, _| false)?;
    Ok(model)
}

/// How many operators of each kind tract's kernels compute, in a graph that runs.
pub(super) fn left(model: &TypedModel) -> BTreeMap<String, usize> {
    let mut left = BTreeMap::new();
    let is_ours = |node: &TypedNode| {
        let op = node.op.as_op();
        op.is::<Lowered>() || op.is::<Const>() || op.is::<TypedSource>() || ml::is_ours(op)
    };
    for node in model.nodes().iter().filter(|node| !is_ours(node)) {
        *left.entry(node.op.name().into_owned()).or_default() += 1;
    }
    left
}

/// Whether it is certain in which shapes an optimised graph answers: all of it is computed by our kernels, but for what
/// moves numbers about or computes with them one by one.
pub(super) fn is_certain(model: &TypedModel) -> bool {
    let is_ours = |node: &TypedNode| node.op_is::<Lowered>() || node.op_is::<TypedSource>() || node.op_is::<Const>();
    let is_moved = |node: &TypedNode| {
        node.op_is::<AxisOp>() || node.op_is::<IntoShape>() || node.op_is::<TypedConcat>() || node.op_is::<Gather>()
    };
    let is_numberwise =
        |node: &TypedNode| node.op_is::<ElementWiseOp>() || node.op_is::<TypedBinOp>() || node.op_is::<OptBinUnicast>();
    let is_known = |node: &TypedNode| node.outputs.iter().all(|output| output.fact.shape.is_concrete());
    model.nodes().iter().all(|node| is_known(node) && (is_ours(node) || is_moved(node) || is_numberwise(node)))
}

/// Takes from a graph the constants that `region` alone reads, which has them now: each is given back when it is packed.
fn give_up_weights(model: &mut TypedModel, region: &[usize]) {
    let region: BTreeSet<&usize> = region.iter().collect();
    let is_inside = |node: &TypedNode| {
        node.outputs.iter().flat_map(|output| &output.successors).all(|reader| region.contains(&reader.node))
    };
    let outputs: BTreeSet<usize> = model.outputs.iter().map(|outlet| outlet.node).collect();
    for node in model.nodes.iter_mut().filter(|node| node.op_is::<Const>()) {
        if is_inside(node) && !outputs.contains(&node.id) {
            node.op = Box::new(Dummy::new());
            node.outputs.iter_mut().for_each(|output| output.fact.konst = None);
        }
    }
}

/// What is known of a graph.
struct Seen {
    layers: BTreeMap<usize, Recognised>,
    /// Nodes that are needed for the outputs, in the order of evaluation: not those that a layer stands for, if nobody
    /// else reads them.
    needed: Vec<usize>,
    /// What each of them reads.
    reads: BTreeMap<usize, Vec<OutletId>>,
    outputs: Vec<OutletId>,
}

impl Seen {
    fn of(model: &TypedModel) -> TractResult<Self> {
        let layers = recognise::layers(model)?;
        let reads_of = |id: usize| match layers.get(&id) {
            Some(found) => found.inputs(model),
            None => model.nodes()[id].inputs.to_vec(),
        };
        let outputs = model.output_outlets()?.to_vec();
        let mut reads = BTreeMap::new();
        let mut open: Vec<usize> = outputs.iter().map(|outlet| outlet.node).collect();
        while let Some(id) = open.pop() {
            if let std::collections::btree_map::Entry::Vacant(entry) = reads.entry(id) {
                open.extend(entry.insert(reads_of(id)).iter().map(|outlet| outlet.node));
            }
        }
        let mut needed = model.eval_order()?;
        needed.retain(|id| reads.contains_key(id));
        Ok(Self { layers, needed, reads, outputs })
    }

    /// Layers that can be computed together, in the order of evaluation: those that have passed equally often from layers
    /// to other nodes and back on the longest way from an input. No way leads out of such a set and into it again.
    fn regions(&self) -> Vec<Vec<usize>> {
        let mut depth: BTreeMap<usize, usize> = BTreeMap::new();
        let mut regions: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for id in &self.needed {
            let is_layer = self.layers.contains_key(id);
            let deepest = self.reads[id].iter().map(|input| {
                let changes = self.layers.contains_key(&input.node) != is_layer;
                depth.get(&input.node).copied().unwrap_or_default() + usize::from(changes)
            });
            let deepest = deepest.max().unwrap_or_default();
            depth.insert(*id, deepest);
            if is_layer {
                regions.entry(deepest).or_default().push(*id);
            }
        }
        regions.into_values().collect()
    }

    /// Puts one operator in the place of `region`.
    fn replace(&mut self, model: &mut TypedModel, region: &[usize], number: usize, level: Level) -> TractResult<()> {
        let mut net = Net::default();
        let mut made: BTreeMap<OutletId, Value> = BTreeMap::new();
        let mut inputs: Vec<(OutletId, View, Value)> = Vec::new();
        for id in region {
            let found = &self.layers[id];
            let mut from = Vec::new();
            // As the graph is now: what comes from a region that was replaced already has moved.
            for (slot, input) in found.inputs(model).into_iter().enumerate() {
                let view = found.input_view(slot);
                let known = inputs.iter().find(|(outlet, seen, _)| *outlet == input && seen == view);
                let value = match (made.get(&input), known) {
                    (Some(value), _) | (None, Some((_, _, value))) => *value,
                    (None, None) => {
                        let value = net.input(found.input_shape(slot, model.outlet_fact(input)?)?);
                        inputs.push((input, view.clone(), value));
                        value
                    }
                };
                from.push(value);
            }
            let outlet = OutletId::new(*id, 0);
            let shape = found.shape(model.outlet_fact(outlet)?)?;
            // Once planned, a layer is no more: nothing else holds its weights then.
            let layer = self.layers.get_mut(id).map(|found| std::mem::replace(&mut found.layer, Layer::Alias));
            made.insert(outlet, net.add(layer.unwrap_or(Layer::Alias), from, shape));
        }
        let outputs = self.read_outside(region);
        let mut tensors = Tensors::default();
        let mut facts = TVec::new();
        for (outlet, view, _) in &inputs {
            tensors.inputs.push(view.spread(model.outlet_fact(*outlet)?.shape.as_concrete().unwrap_or_default()));
        }
        for outlet in &outputs {
            let fact = model.outlet_fact(*outlet)?.without_value();
            let view = self.layers[&outlet.node].output_view();
            tensors.outputs.push(view.spread(fact.shape.as_concrete().unwrap_or_default()));
            net.outputs.push(made[outlet]);
            facts.push(fact);
        }
        fuse::fuse(&mut net);
        let Some(laid) = plan::lay(net) else { return Ok(()) };
        give_up_weights(model, region);
        let program = laid.program(level, tensors);
        let lowered = Lowered::new(program, facts);
        let mut patch = TypedModelPatch::new("lower to kernels");
        let taps = inputs.iter().map(|(input, ..)| patch.tap_model(model, *input)).collect::<TractResult<TVec<_>>>()?;
        let wires = patch.wire_node(format!("lowered.{number}"), lowered, &taps)?;
        for (outlet, wire) in outputs.iter().zip(wires) {
            patch.shunt_outside(model, *outlet, wire)?;
        }
        patch.apply(model)
    }

    /// What of a region others read, or is the graph's output.
    fn read_outside(&self, region: &[usize]) -> Vec<OutletId> {
        let inside: BTreeSet<&usize> = region.iter().collect();
        let others = self.reads.iter().filter(|(id, _)| !inside.contains(id)).flat_map(|(_, reads)| reads);
        let read: BTreeSet<OutletId> = others.chain(&self.outputs).copied().collect();
        region.iter().map(|id| OutletId::new(*id, 0)).filter(|outlet| read.contains(outlet)).collect()
    }
}
