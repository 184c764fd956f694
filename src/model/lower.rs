//! What our kernels can compute becomes one operator of tract's graph; all else stays as it is.
//!
//! The graph is looked at before tract rewrites it for itself, while its operators are those of the file. Node by node
//! [`recognise`] says which [`Layer`] it is, if any; layers that hang together become a [`Net`], which is simplified
//! ([`fuse`]), given memory ([`plan`]) and run as a [`Program`](program::Program).

mod fuse;
mod layer;
mod operator;
mod plan;
mod program;
mod recognise;

use std::collections::BTreeMap;

use strongroom_kernels::Level;
use tract_onnx::prelude::{Node, OutletId, TVec, TractResult, TypedFact, TypedModel, TypedOp};
use tract_onnx::tract_core::model::TypedModelPatch;
use tract_onnx::tract_core::optim::Optimizer;

use layer::{Net, Value};
use operator::Lowered;
use recognise::Recognised;

type TypedNode = Node<TypedFact, Box<dyn TypedOp>>;

/// Replaces what is recognised in `model`, which is typed and not yet decluttered.
pub(super) fn lower(mut model: TypedModel, level: Level) -> TractResult<TypedModel> {
    Optimizer::prop_consts().optimize(&mut model)?;
    let recognised = recognise_all(&model)?;
    for (number, region) in regions(&model, &recognised)?.into_iter().enumerate() {
        if region.iter().any(|node| recognised[node].layer.is_heavy()) {
            replace(&mut model, &recognised, &region, number, level)?;
        }
    }
    Ok(model)
}

fn recognise_all(model: &TypedModel) -> TractResult<BTreeMap<usize, Recognised>> {
    let order = model.eval_order()?;
    let layers = order.into_iter().filter_map(|id| Some((id, recognise::layer(model, &model.nodes()[id])?)));
    Ok(layers.collect())
}

/// Recognised nodes that can be computed together, in the order of evaluation: those that have passed equally often
/// from recognised to other nodes and back on the longest way from an input. No way leads out of such a set and into it
/// again.
fn regions(model: &TypedModel, recognised: &BTreeMap<usize, Recognised>) -> TractResult<Vec<Vec<usize>>> {
    let mut depth = vec![0_usize; model.nodes().len()];
    let mut regions: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for id in model.eval_order()? {
        let node = &model.nodes()[id];
        let is_layer = recognised.contains_key(&id);
        let inputs = recognised.get(&id).map_or(node.inputs.to_vec(), |found| found.inputs(node));
        let deepest = inputs.into_iter().map(|input| {
            let changes = recognised.contains_key(&input.node) != is_layer;
            depth[input.node] + usize::from(changes)
        });
        depth[id] = deepest.max().unwrap_or(0);
        if is_layer {
            regions.entry(depth[id]).or_default().push(id);
        }
    }
    Ok(regions.into_values().collect())
}

/// Puts one operator in the place of `region`.
fn replace(
    model: &mut TypedModel,
    recognised: &BTreeMap<usize, Recognised>,
    region: &[usize],
    number: usize,
    level: Level,
) -> TractResult<()> {
    let mut net = Net::default();
    let mut values: BTreeMap<OutletId, Value> = BTreeMap::new();
    let mut inputs: TVec<OutletId> = TVec::new();
    for id in region {
        let found = &recognised[id];
        let mut from = Vec::new();
        // As the graph is now: what comes from a region that was replaced already has moved.
        for input in found.inputs(&model.nodes()[*id]) {
            let value = match values.get(&input) {
                Some(value) => *value,
                None => {
                    inputs.push(input);
                    let value = net.input(recognise::shape_of(model, input)?);
                    values.insert(input, value);
                    value
                }
            };
            from.push(value);
        }
        let outlet = OutletId::new(*id, 0);
        values.insert(outlet, net.add(found.layer.clone(), from, recognise::shape_of(model, outlet)?));
    }
    let outputs = outlets_used_outside(model, region)?;
    let mut facts = TVec::new();
    for outlet in &outputs {
        net.outputs.push(values[outlet]);
        facts.push(model.outlet_fact(*outlet)?.without_value());
    }
    fuse::fuse(&mut net);
    let lowered = Lowered::new(plan::plan(&net, level), facts);
    let mut patch = TypedModelPatch::new("lower to kernels");
    let taps = inputs.iter().map(|input| patch.tap_model(model, *input)).collect::<TractResult<TVec<_>>>()?;
    let wires = patch.wire_node(format!("lowered.{number}"), lowered, &taps)?;
    for (outlet, wire) in outputs.iter().zip(wires) {
        patch.shunt_outside(model, *outlet, wire)?;
    }
    patch.apply(model)
}

fn outlets_used_outside(model: &TypedModel, region: &[usize]) -> TractResult<Vec<OutletId>> {
    let outputs = model.output_outlets()?;
    let is_used = |id: &&usize| {
        let node: &TypedNode = &model.nodes()[**id];
        let mut readers = node.outputs[0].successors.iter();
        outputs.contains(&OutletId::new(**id, 0)) || readers.any(|reader| !region.contains(&reader.node))
    };
    Ok(region.iter().filter(is_used).map(|id| OutletId::new(*id, 0)).collect())
}
