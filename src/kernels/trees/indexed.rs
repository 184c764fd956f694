//! `TreeEnsemble`, version 5: links are places in the lists of nodes and leaves, and a node may test for a set.

use super::TreeError;
use super::attributes::Mode;
use super::graph::{self, Forest, MOST_NODES, MOST_OUTPUTS, Node, Weight, same_length};

/// The attributes of `TreeEnsemble`; those that a file holds as tensors, in single precision.
#[derive(Debug, Clone, Copy)]
pub struct Indexed<'a> {
    /// `nodes_featureids`; as all of `nodes_*`, one entry a node that is no leaf.
    pub feature_ids: &'a [i64],
    /// `nodes_modes`.
    pub modes: &'a [u8],
    /// `nodes_splits`: thresholds.
    pub splits: &'a [f32],
    /// `nodes_truenodeids`.
    pub true_ids: &'a [i64],
    /// `nodes_trueleafs`: whether the former is the place of a leaf.
    pub true_leaves: &'a [i64],
    /// `nodes_falsenodeids`.
    pub false_ids: &'a [i64],
    /// `nodes_falseleafs`: whether the former is the place of a leaf.
    pub false_leaves: &'a [i64],
    /// `nodes_missing_value_tracks_true`; may be empty.
    pub missing_tracks_true: &'a [i64],
    /// `membership_values`: the sets of the nodes that test for one, a NaN behind each.
    pub members: &'a [f32],
    /// `leaf_targetids`.
    pub leaf_target_ids: &'a [i64],
    /// `leaf_weights`.
    pub leaf_weights: &'a [f32],
    /// `tree_roots`.
    pub roots: &'a [i64],
    /// `n_targets`.
    pub targets: usize,
    /// `post_transform`; 0 where absent.
    pub post_transform: i64,
    /// `aggregate_function`; 1 where absent.
    pub aggregate_function: i64,
}

const MEMBER: u8 = 6;
const MODES: [Mode; 6] = [Mode::Leq, Mode::Lt, Mode::Gte, Mode::Gt, Mode::Eq, Mode::Neq];

/// Branches stand first, then leaves, then what sets need.
pub(super) fn resolve(attributes: &Indexed<'_>) -> Result<Forest, TreeError> {
    check_lengths(attributes)?;
    let branches = attributes.splits.len();
    let mut nodes = (0..branches).map(|node| branch(attributes, node)).collect::<Result<Vec<_>, _>>()?;
    nodes.extend(attributes.leaf_weights.iter().map(|&value| Node::Leaf { value }));
    let weights = (0..attributes.leaf_weights.len()).map(|leaf| weight(attributes, leaf)).collect::<Result<_, _>>()?;
    unroll_sets(attributes, &mut nodes)?;
    let roots = roots(attributes)?;
    graph::check_reach(&roots, &nodes, |node, problem| match node.checked_sub(branches) {
        Some(leaf) if leaf < attributes.leaf_weights.len() => TreeError::entry("leaf_weights", leaf, problem),
        Some(_) => TreeError::attribute("membership_values", problem),
        None => TreeError::entry("nodes_splits", node, problem),
    })?;
    let first_weight = (0..=nodes.len()).map(|node| node.saturating_sub(branches).min(attributes.leaf_weights.len()));
    Ok(Forest { first_weight: first_weight.collect(), nodes, roots, weights })
}

fn check_lengths(attributes: &Indexed<'_>) -> Result<(), TreeError> {
    let count = attributes.splits.len();
    if count == 0 || count > MOST_NODES {
        return Err(TreeError::attribute("nodes_splits", format!("has {count} entries, expected 1 to {MOST_NODES}")));
    }
    same_length("nodes_splits", count, "nodes_featureids", attributes.feature_ids.len())?;
    same_length("nodes_splits", count, "nodes_modes", attributes.modes.len())?;
    same_length("nodes_splits", count, "nodes_truenodeids", attributes.true_ids.len())?;
    same_length("nodes_splits", count, "nodes_trueleafs", attributes.true_leaves.len())?;
    same_length("nodes_splits", count, "nodes_falsenodeids", attributes.false_ids.len())?;
    same_length("nodes_splits", count, "nodes_falseleafs", attributes.false_leaves.len())?;
    if !attributes.missing_tracks_true.is_empty() {
        let found = attributes.missing_tracks_true.len();
        same_length("nodes_splits", count, "nodes_missing_value_tracks_true", found)?;
    }
    let count = attributes.leaf_weights.len();
    if count == 0 || count > MOST_NODES {
        return Err(TreeError::attribute("leaf_weights", format!("has {count} entries, expected 1 to {MOST_NODES}")));
    }
    same_length("leaf_weights", count, "leaf_targetids", attributes.leaf_target_ids.len())?;
    let count = attributes.members.len();
    if count > MOST_NODES {
        let problem = format!("has {count} entries, expected at most {MOST_NODES}");
        return Err(TreeError::attribute("membership_values", problem));
    }
    let count = attributes.targets;
    if count == 0 || count > MOST_OUTPUTS {
        return Err(TreeError::attribute("n_targets", format!("is {count}, expected 1 to {MOST_OUTPUTS}")));
    }
    Ok(())
}

/// A node that tests for a set stands as a test for equality until its set is unrolled.
fn branch(attributes: &Indexed<'_>, node: usize) -> Result<Node, TreeError> {
    let mode = match attributes.modes[node] {
        MEMBER => Mode::Eq,
        number => *MODES
            .get(usize::from(number))
            .ok_or_else(|| TreeError::entry("nodes_modes", node, format!("is {number}, expected 0 to {MEMBER}")))?,
    };
    let (branches, leaves) = (attributes.splits.len(), attributes.leaf_weights.len());
    let child = |attribute, place: i64, is_leaf: i64| {
        let (first, count, what) = if is_leaf == 0 { (0, branches, "nodes") } else { (branches, leaves, "leaves") };
        let refusal = || TreeError::entry(attribute, node, format!("is {place}, there are {count} {what}"));
        usize::try_from(place)
            .ok()
            .filter(|&place| place < count)
            .map(|place| (first + place) as u32)
            .ok_or_else(refusal)
    };
    Ok(Node::Branch {
        mode,
        feature: graph::feature(attributes.feature_ids, node)?,
        value: attributes.splits[node],
        missing_is_true: attributes.missing_tracks_true.get(node).is_some_and(|&tracks| tracks == 1),
        yes: child("nodes_truenodeids", attributes.true_ids[node], attributes.true_leaves[node])?,
        no: child("nodes_falsenodeids", attributes.false_ids[node], attributes.false_leaves[node])?,
    })
}

fn weight(attributes: &Indexed<'_>, leaf: usize) -> Result<Weight, TreeError> {
    let id = attributes.leaf_target_ids[leaf];
    let output = u32::try_from(id).ok().filter(|&id| (id as usize) < attributes.targets).ok_or_else(|| {
        let problem = format!("is {id}, expected 0 to {}", attributes.targets - 1);
        TreeError::entry("leaf_targetids", leaf, problem)
    })?;
    Ok(Weight { output, weight: attributes.leaf_weights[leaf] })
}

fn roots(attributes: &Indexed<'_>) -> Result<Vec<usize>, TreeError> {
    let branches = attributes.splits.len();
    let root = |(tree, &root): (usize, &i64)| {
        let problem = || TreeError::entry("tree_roots", tree, format!("is {root}, there are {branches} nodes"));
        usize::try_from(root).ok().filter(|&root| root < branches).ok_or_else(problem)
    };
    attributes.roots.iter().enumerate().map(root).collect()
}

/// Makes of a test for a set one test for equality after the other, which share the branch for its members.
fn unroll_sets(attributes: &Indexed<'_>, nodes: &mut Vec<Node>) -> Result<(), TreeError> {
    let mut sets = attributes.members.split(|value| value.is_nan());
    for node in (0..attributes.modes.len()).filter(|&node| attributes.modes[node] == MEMBER) {
        let Node::Branch { feature, missing_is_true, yes, no, .. } = nodes[node] else { continue };
        let missing = || TreeError::entry("nodes_modes", node, "tests for a set that membership_values does not hold");
        let (first, rest) = sets.next().and_then(<[f32]>::split_first).ok_or_else(missing)?;
        let mut next = no;
        for &value in rest.iter().rev() {
            nodes.push(Node::Branch { mode: Mode::Eq, feature, value, missing_is_true, yes, no: next });
            next = (nodes.len() - 1) as u32;
        }
        nodes[node] = Node::Branch { mode: Mode::Eq, feature, value: *first, missing_is_true, yes, no: next };
    }
    Ok(())
}
