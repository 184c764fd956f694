//! Weights that a file holds in another form are brought into the one they are computed with, once.
//!
//! Exporters store weights as halves or bytes and let the graph convert, shift and scale them. tract folds constants too,
//! but number by number, and large ones not at all.

use std::sync::Arc;

use tract_onnx::prelude::{IntoTValue, IntoTensor, Tensor, TractResult, TypedFact, TypedModel};
use tract_onnx::tract_core::internal::tvec;
use tract_onnx::tract_core::ops::binary::{BinMiniOp, TypedBinOp};
use tract_onnx::tract_core::ops::cast::Cast;
use tract_onnx::tract_core::ops::dummy::Dummy;
use tract_onnx::tract_core::ops::konst::Const;
use tract_onnx::tract_core::ops::math::{Add, Div, Mul, Sub};

use super::TypedNode;
use super::recognise::constant::numbers;

/// All that is computed comes to no more numbers than so many times those that the graph holds: four steps from a byte to a
/// weight are in use.
const MOST: usize = 8;

/// Folds what is computed number by number from constants alone.
pub(super) fn fold(model: &mut TypedModel) -> TractResult<()> {
    let held = model.nodes().iter().filter(|node| node.op_is::<Const>()).flat_map(|node| &node.outputs);
    let held = held.filter_map(|output| output.fact.konst.as_ref()).map(|tensor| tensor.len()).sum::<usize>();
    let mut left = held.saturating_mul(MOST);
    for id in model.eval_order()? {
        let Some(tensor) = folded(model, &model.nodes()[id], left) else { continue };
        left = left.saturating_sub(tensor.len());
        become_constant(model, id, tensor)?;
    }
    Ok(())
}

/// What a node computes, of no more than `most` numbers.
fn folded(model: &TypedModel, node: &TypedNode, most: usize) -> Option<Tensor> {
    let [output] = &node.outputs[..] else { return None };
    let shape = output.fact.shape.as_concrete()?;
    let constant = |slot: usize| model.outlet_fact(*node.inputs.get(slot)?).ok()?.konst.clone();
    let first = constant(0)?;
    if shape.iter().try_fold(1, |count: usize, dim| count.checked_mul(*dim))? > most || output.fact.konst.is_some() {
        return None;
    }
    let computed = if node.op_is::<Cast>() {
        node.op.eval_out_of_plan(tvec!(first.into_tvalue())).ok()??.pop()?.into_tensor()
    } else {
        let operator = node.op_as::<TypedBinOp>()?;
        operator.1.is_none().then(|| binary(operator.0.as_ref(), &first, constant(1)?.as_ref()))??
    };
    (computed.shape() == shape && computed.datum_type() == output.fact.datum_type).then_some(computed)
}

/// Computes with each number of one tensor and that of the other, which has as many, or one for neighbours.
fn binary(operator: &dyn BinMiniOp, left: &Tensor, right: &Tensor) -> Option<Tensor> {
    let is_left = left.len() >= right.len();
    let (whole, part) = if is_left { (left, right) } else { (right, left) };
    let spread = Spread::of(whole.shape(), part.shape())?;
    let part = numbers(part)?;
    numbers(whole)?;
    let mut made = whole.clone();
    {
        let mut view = made.try_as_plain_ram_mut().ok()?;
        let whole = view.as_slice_mut::<f32>().ok()?;
        match is_left {
            _ if operator.is::<Add>() => spread.each(whole, part, |whole, part| whole + part),
            _ if operator.is::<Mul>() => spread.each(whole, part, |whole, part| whole * part),
            true if operator.is::<Sub>() => spread.each(whole, part, |whole, part| whole - part),
            true if operator.is::<Div>() => spread.each(whole, part, |whole, part| whole / part),
            false if operator.is::<Sub>() => spread.each(whole, part, |whole, part| part - whole),
            false if operator.is::<Div>() => spread.each(whole, part, |whole, part| part / whole),
            _ => return None,
        }
    }
    Some(made)
}

/// How one tensor's numbers are spread over those of another one.
struct Spread {
    /// Numbers of the part.
    count: usize,
    /// Neighbours in the whole for which one of them stands.
    neighbours: usize,
}

impl Spread {
    /// `None` where they do not lie so, or there are none.
    fn of(whole: &[usize], part: &[usize]) -> Option<Self> {
        let fits = whole.len() == part.len() && !whole.contains(&0);
        let first = part.iter().position(|dim| *dim != 1).unwrap_or(part.len());
        let end = part.iter().rposition(|dim| *dim != 1).map_or(first, |last| last + 1);
        let is_dense = fits && whole.get(first..end) == part.get(first..end);
        is_dense.then(|| Self { count: part.iter().product(), neighbours: whole[end..].iter().product() })
    }

    fn each(&self, whole: &mut [f32], part: &[f32], operation: impl Fn(f32, f32) -> f32) {
        for whole in whole.chunks_exact_mut(self.count * self.neighbours) {
            for (whole, part) in whole.chunks_exact_mut(self.neighbours).zip(part) {
                whole.iter_mut().for_each(|number| *number = operation(*number, *part));
            }
        }
    }
}

/// Puts a constant in the place of a node. What it was computed from is given up where nobody else reads it.
fn become_constant(model: &mut TypedModel, id: usize, tensor: Tensor) -> TractResult<()> {
    let tensor = Arc::new(tensor);
    for input in std::mem::take(&mut model.nodes[id].inputs) {
        let outlet = &mut model.nodes[input.node].outputs[input.slot];
        outlet.successors.retain(|successor| successor.node != id);
        if outlet.successors.is_empty() && !model.outputs.contains(&input) && model.nodes[input.node].op_is::<Const>() {
            let node = &mut model.nodes[input.node];
            node.op = Box::new(Dummy::new());
            node.outputs.clear();
        }
    }
    let node = &mut model.nodes[id];
    node.op = Box::new(Const::new(Arc::clone(&tensor))?);
    node.outputs[0].fact = TypedFact::try_from(tensor)?;
    Ok(())
}
