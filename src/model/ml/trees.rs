//! `TreeEnsembleClassifier`, `TreeEnsembleRegressor` and `TreeEnsemble` as operators of tract, on [`strongroom_kernels::trees`].

use std::fmt;

use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::{NodeProto, TensorProto};
use tract_onnx::tract_hir::internal::*;

use strongroom_kernels::trees::{Attributes, Ensemble, Indexed, Leaves, Nodes, Outputs};

use super::labels::{labels, named};
use super::{Parsed, floats, integers};

pub(super) fn register(operators: &mut OnnxOpRegister) {
    operators.insert("TreeEnsembleClassifier", classifier);
    operators.insert("TreeEnsembleRegressor", regressor);
    operators.insert("TreeEnsemble", indexed);
}

fn classifier(_: &ParsingContext<'_>, node: &NodeProto) -> Parsed {
    let labels = labels(node, "classlabels_int64s")?;
    let ensemble = ensemble(node, Outputs::Classes(labels.len()), "class")?;
    Ok((expand(Trees { ensemble, labels: Some(labels) }), vec![]))
}

fn regressor(_: &ParsingContext<'_>, node: &NodeProto) -> Parsed {
    let ensemble = ensemble(node, Outputs::Targets(targets(node)?), "target")?;
    Ok((expand(Trees { ensemble, labels: None }), vec![]))
}

fn targets(node: &NodeProto) -> TractResult<usize> {
    let targets = node.get_attr::<i64>("n_targets")?;
    usize::try_from(targets).map_err(|_| format_err!("attribute n_targets is {targets}"))
}

fn indexed(context: &ParsingContext<'_>, node: &NodeProto) -> Parsed {
    let integers = |name: &str| integers(node, name);
    let attributes = Indexed {
        feature_ids: integers("nodes_featureids")?,
        modes: &numbers::<u8>(context, node, "nodes_modes")?,
        splits: &numbers::<f32>(context, node, "nodes_splits")?,
        true_ids: integers("nodes_truenodeids")?,
        true_leaves: integers("nodes_trueleafs")?,
        false_ids: integers("nodes_falsenodeids")?,
        false_leaves: integers("nodes_falseleafs")?,
        missing_tracks_true: integers("nodes_missing_value_tracks_true")?,
        members: &numbers::<f32>(context, node, "membership_values")?,
        leaf_target_ids: integers("leaf_targetids")?,
        leaf_weights: &numbers::<f32>(context, node, "leaf_weights")?,
        roots: integers("tree_roots")?,
        targets: targets(node)?,
        post_transform: node.get_attr_opt("post_transform")?.unwrap_or(0),
        aggregate_function: node.get_attr_opt("aggregate_function")?.unwrap_or(1),
    };
    let ensemble = Arc::new(Ensemble::indexed(&attributes)?);
    Ok((expand(Trees { ensemble, labels: None }), vec![]))
}

/// The numbers of an attribute that is a tensor; none where it is absent.
fn numbers<T: Datum + Copy>(context: &ParsingContext<'_>, node: &NodeProto, name: &str) -> TractResult<Vec<T>> {
    let Some(held) = node.get_attr_opt::<&TensorProto>(name)? else { return Ok(Vec::new()) };
    let tensor = context.load_tensor(held)?;
    if tensor.datum_type() != T::datum_type() {
        bail!("attribute {name} holds {:?}, expected {:?}", tensor.datum_type(), T::datum_type());
    }
    Ok(tensor.try_as_plain_ram()?.as_slice::<T>()?.to_vec())
}

fn ensemble(node: &NodeProto, outputs: Outputs, kind: &str) -> TractResult<Arc<Ensemble>> {
    refuse_doubles(node)?;
    let integers = |name: &str| integers(node, name);
    let floats = |name: &str| floats(node, name);
    let modes = node.get_attr_opt_tvec::<&str>("nodes_modes")?.unwrap_or_default();
    let attributes = Attributes {
        nodes: Nodes {
            tree_ids: integers("nodes_treeids")?,
            node_ids: integers("nodes_nodeids")?,
            feature_ids: integers("nodes_featureids")?,
            modes: &modes,
            values: floats("nodes_values")?,
            true_ids: integers("nodes_truenodeids")?,
            false_ids: integers("nodes_falsenodeids")?,
            missing_tracks_true: integers("nodes_missing_value_tracks_true")?,
        },
        leaves: Leaves {
            tree_ids: integers(&format!("{kind}_treeids"))?,
            node_ids: integers(&format!("{kind}_nodeids"))?,
            ids: integers(&format!("{kind}_ids"))?,
            weights: floats(&format!("{kind}_weights"))?,
        },
        base_values: floats("base_values")?,
        post_transform: node.get_attr_opt("post_transform")?.unwrap_or("NONE"),
        aggregate_function: node.get_attr_opt("aggregate_function")?.unwrap_or("SUM"),
        outputs,
    };
    Ok(Arc::new(Ensemble::new(&attributes)?))
}

/// Version 3 may hold its numbers as tensors, which exporters use for double precision.
fn refuse_doubles(node: &NodeProto) -> TractResult<()> {
    let held = node.attribute.iter().find(|attribute| attribute.name.ends_with("_as_tensor") && attribute.t.is_some());
    let Some(held) = held else { return Ok(()) };
    bail!("attribute {} holds double precision; export the trees with float inputs", held.name)
}

/// An ensemble, with the labels of its classes if it is a classifier.
#[derive(Clone)]
pub(super) struct Trees {
    ensemble: Arc<Ensemble>,
    labels: Option<Arc<Tensor>>,
}

/// One file's ensemble is parsed once, so the same trees are the same place in memory.
impl PartialEq for Trees {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ensemble, &other.ensemble) && self.labels == other.labels
    }
}

impl Eq for Trees {}

impl fmt::Debug for Trees {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Trees").field("outputs", &self.ensemble.outputs()).finish_non_exhaustive()
    }
}

impl Expansion for Trees {
    fn name(&self) -> StaticName {
        "TreeEnsemble".into()
    }

    fn nboutputs(&self) -> TractResult<usize> {
        Ok(if self.labels.is_some() { 2 } else { 1 })
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, self.nboutputs()?)?;
        let scores = &outputs[outputs.len() - 1];
        solver.equals(&scores.datum_type, f32::datum_type())?;
        solver.equals(&scores.rank, 2)?;
        solver.equals(&scores.shape[1], self.ensemble.outputs().to_dim())?;
        if let Some(labels) = &self.labels {
            solver.equals(&outputs[0].datum_type, labels.datum_type())?;
            solver.equals(&outputs[0].rank, 1)?;
            solver.equals(&outputs[0].shape[0], &scores.shape[0])?;
        }
        // A tensor of one dimension is one row.
        solver.given(&inputs[0].rank, move |solver, rank| match rank {
            1 => solver.equals(&scores.shape[0], 1.to_dim()),
            2 => solver.equals(&scores.shape[0], &inputs[0].shape[0]),
            _ => bail!("trees score rows: a tensor of one or two dimensions, not of {rank}"),
        })
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        let mut rows = inputs[0];
        let fact = model.outlet_fact(rows)?.clone();
        if fact.datum_type == f64::datum_type() {
            bail!("trees that read double precision are not supported; export them with float inputs");
        }
        if fact.rank() == 1 {
            rows = model.wire_node(format!("{prefix}.row"), AxisOp::Add(0), &[rows])?[0];
        }
        if fact.datum_type != f32::datum_type() {
            rows = model.wire_node(
                format!("{prefix}.floats"),
                tract_onnx::tract_core::ops::cast::cast(f32::datum_type()),
                &[rows],
            )?[0];
        }
        model.wire_node(prefix, self.clone(), &[rows])
    }
}

impl Op for Trees {
    fn name(&self) -> StaticName {
        "TreeEnsemble".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Trees {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let (count, features) = (input.shape()[0], input.shape()[1]);
        let rows = input.try_as_plain_ram()?.as_slice::<f32>()?;
        let mut scores = vec![0.0_f32; count * self.ensemble.outputs()];
        let Some(labels) = &self.labels else {
            self.ensemble.scores(rows, features, &mut scores)?;
            return Ok(tvec!(self.shaped(count, &scores)?));
        };
        let mut classes = vec![0; count];
        self.ensemble.classify(rows, features, &mut scores, &mut classes)?;
        Ok(tvec!(named(labels, &classes)?, self.shaped(count, &scores)?))
    }
}

impl Trees {
    fn shaped(&self, count: usize, scores: &[f32]) -> TractResult<TValue> {
        Ok(Tensor::from_shape(&[count, self.ensemble.outputs()], scores)?.into_tvalue())
    }
}

impl TypedOp for Trees {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let rows = &inputs[0].shape[0];
        let scores = f32::fact([rows.clone(), self.ensemble.outputs().to_dim()]);
        Ok(match &self.labels {
            Some(labels) => tvec!(labels.datum_type().fact([rows.clone()]), scores),
            None => tvec!(scores),
        })
    }

    as_op!();
}
