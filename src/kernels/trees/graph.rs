//! From ids in a file to trees whose links are known to be good.

use super::TreeError;
use super::attributes::{Attributes, Leaves, Mode, Nodes, Outputs};

/// Beyond any model in use; keeps every index and every sum of two in 32 bits.
pub(super) const MOST_NODES: usize = 1 << 26;
pub(super) const MOST_FEATURES: i64 = 1 << 22;
pub(super) const MOST_OUTPUTS: usize = 1 << 20;

/// Trees with their links resolved: no cycle, every node within reach of its tree's root.
pub(super) struct Forest {
    pub(super) nodes: Vec<Node>,
    /// The trees' roots, in the order in which their scores add up.
    pub(super) roots: Vec<usize>,
    /// Of node `n`, `weights[first_weight[n]..first_weight[n + 1]]`.
    pub(super) first_weight: Vec<usize>,
    pub(super) weights: Vec<Weight>,
}

#[derive(Clone, Copy)]
pub(super) enum Node {
    Leaf { value: f32 },
    Branch { mode: Mode, feature: u32, value: f32, missing_is_true: bool, yes: u32, no: u32 },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weight {
    pub(super) output: u32,
    pub(super) weight: f32,
}

pub(super) fn resolve(attributes: &Attributes<'_>) -> Result<Forest, TreeError> {
    check_lengths(attributes)?;
    let trees = Trees::find(&attributes.nodes)?;
    let nodes = link(&attributes.nodes, &trees)?;
    check_reach(&trees.starts, &nodes, |node, problem| TreeError::entry("nodes_nodeids", node, problem))?;
    let (first_weight, weights) = weigh(attributes, &trees, nodes.len())?;
    Ok(Forest { nodes, roots: trees.starts, first_weight, weights })
}

fn check_lengths(attributes: &Attributes<'_>) -> Result<(), TreeError> {
    let (nodes, leaves, outputs) = (&attributes.nodes, &attributes.leaves, attributes.outputs);
    let count = nodes.node_ids.len();
    if count == 0 || count > MOST_NODES {
        let problem = format!("has {count} entries, expected 1 to {MOST_NODES}");
        return Err(TreeError::attribute("nodes_nodeids", problem));
    }
    same_length("nodes_nodeids", count, "nodes_treeids", nodes.tree_ids.len())?;
    same_length("nodes_nodeids", count, "nodes_featureids", nodes.feature_ids.len())?;
    same_length("nodes_nodeids", count, "nodes_modes", nodes.modes.len())?;
    same_length("nodes_nodeids", count, "nodes_values", nodes.values.len())?;
    same_length("nodes_nodeids", count, "nodes_truenodeids", nodes.true_ids.len())?;
    same_length("nodes_nodeids", count, "nodes_falsenodeids", nodes.false_ids.len())?;
    if !nodes.missing_tracks_true.is_empty() {
        let found = nodes.missing_tracks_true.len();
        same_length("nodes_nodeids", count, "nodes_missing_value_tracks_true", found)?;
    }
    let ids = outputs.name("class_ids", "target_ids");
    let count = leaves.ids.len();
    if count > MOST_NODES {
        return Err(TreeError::attribute(ids, format!("has {count} entries, expected at most {MOST_NODES}")));
    }
    same_length(ids, count, outputs.name("class_treeids", "target_treeids"), leaves.tree_ids.len())?;
    same_length(ids, count, outputs.name("class_nodeids", "target_nodeids"), leaves.node_ids.len())?;
    same_length(ids, count, outputs.name("class_weights", "target_weights"), leaves.weights.len())?;
    let count = outputs.count();
    if count == 0 || count > MOST_OUTPUTS {
        let problem = format!("gives {count} outputs, expected 1 to {MOST_OUTPUTS}");
        return Err(TreeError::attribute(outputs.name("classlabels", "n_targets"), problem));
    }
    Ok(())
}

pub(super) fn same_length(one: &str, expected: usize, attribute: &'static str, found: usize) -> Result<(), TreeError> {
    if expected == found {
        return Ok(());
    }
    Err(TreeError::attribute(attribute, format!("has {found} entries, {one} has {expected}")))
}

/// Where each tree's nodes stand.
struct Trees {
    /// The first node of each tree, in the file's order.
    starts: Vec<usize>,
    count: usize,
    /// Tree ids with the tree's place in `starts`, sorted.
    by_id: Vec<(i64, usize)>,
    /// Of a tree whose node ids do not simply count up from 0, its node ids with their nodes, sorted.
    by_node_id: Vec<Vec<(i64, usize)>>,
}

impl Trees {
    fn find(nodes: &Nodes<'_>) -> Result<Self, TreeError> {
        let ids = nodes.tree_ids;
        let starts: Vec<usize> = (0..ids.len()).filter(|&n| n == 0 || ids[n] != ids[n - 1]).collect();
        let mut by_id: Vec<(i64, usize)> = starts.iter().enumerate().map(|(tree, &start)| (ids[start], tree)).collect();
        by_id.sort_unstable();
        if let Some(pair) = by_id.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let problem = format!("resumes tree {}, whose nodes must stand together", pair[1].0);
            return Err(TreeError::entry("nodes_treeids", starts[pair[1].1], problem));
        }
        let mut trees = Self { starts, count: ids.len(), by_id, by_node_id: Vec::new() };
        trees.by_node_id =
            (0..trees.starts.len()).map(|tree| trees.index(tree, nodes.node_ids)).collect::<Result<_, _>>()?;
        Ok(trees)
    }

    fn span(&self, tree: usize) -> std::ops::Range<usize> {
        self.starts[tree]..self.starts.get(tree + 1).copied().unwrap_or(self.count)
    }

    fn index(&self, tree: usize, node_ids: &[i64]) -> Result<Vec<(i64, usize)>, TreeError> {
        let span = self.span(tree);
        if node_ids[span.clone()].iter().zip(0_i64..).all(|(&id, place)| id == place) {
            return Ok(Vec::new());
        }
        let mut index: Vec<(i64, usize)> = span.map(|node| (node_ids[node], node)).collect();
        index.sort_unstable();
        match index.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            None => Ok(index),
            Some(pair) => {
                Err(TreeError::entry("nodes_nodeids", pair[1].1, format!("repeats node {} of its tree", pair[1].0)))
            }
        }
    }

    fn node(&self, tree: usize, id: i64) -> Option<usize> {
        let index = &self.by_node_id[tree];
        if index.is_empty() {
            let span = self.span(tree);
            return usize::try_from(id).ok().filter(|&id| id < span.len()).map(|id| span.start + id);
        }
        index.binary_search_by_key(&id, |&(id, _)| id).ok().map(|at| index[at].1)
    }

    fn tree(&self, id: i64) -> Option<usize> {
        self.by_id.binary_search_by_key(&id, |&(id, _)| id).ok().map(|at| self.by_id[at].1)
    }
}

/// Refuses cycles, nodes that no path from a root reaches, and nodes of two trees, by taking away nodes whose parents are
/// gone; `refusal` makes the error about a node.
///
/// Several parents are in order: exporters share the branch that a set's members lead to.
pub(super) fn check_reach(
    roots: &[usize],
    nodes: &[Node],
    refusal: impl Fn(usize, &str) -> TreeError,
) -> Result<(), TreeError> {
    let mut parents = vec![0_u32; nodes.len()];
    for node in nodes {
        if let Node::Branch { yes, no, .. } = *node {
            parents[yes as usize] += 1;
            parents[no as usize] += 1;
        }
    }
    let mut tree_of = vec![None; nodes.len()];
    let mut reached = 0;
    for (tree, &root) in roots.iter().enumerate() {
        if tree_of[root].replace(tree).is_some() {
            return Err(refusal(root, "is a node of two trees"));
        }
        if parents[root] > 0 {
            continue;
        }
        let mut open = vec![root];
        while let Some(node) = open.pop() {
            reached += 1;
            let Node::Branch { yes, no, .. } = nodes[node] else { continue };
            for child in [yes as usize, no as usize] {
                if *tree_of[child].get_or_insert(tree) != tree {
                    return Err(refusal(child, "is a node of two trees"));
                }
                parents[child] -= 1;
                if parents[child] == 0 {
                    open.push(child);
                }
            }
        }
    }
    if reached == nodes.len() {
        return Ok(());
    }
    let lost = (0..nodes.len()).find(|&node| tree_of[node].is_none() || parents[node] > 0).unwrap_or(0);
    Err(refusal(lost, "is in a cycle, or out of reach of its tree's root"))
}

fn link(nodes: &Nodes<'_>, trees: &Trees) -> Result<Vec<Node>, TreeError> {
    let mut linked = Vec::with_capacity(nodes.node_ids.len());
    for tree in 0..trees.starts.len() {
        for node in trees.span(tree) {
            linked.push(link_one(nodes, trees, tree, node)?);
        }
    }
    Ok(linked)
}

fn link_one(nodes: &Nodes<'_>, trees: &Trees, tree: usize, node: usize) -> Result<Node, TreeError> {
    let (mode, value) = (Mode::parse(nodes.modes[node], node)?, nodes.values[node]);
    if mode == Mode::Leaf {
        return Ok(Node::Leaf { value });
    }
    let child = |attribute, ids: &[i64]| {
        let absent = || TreeError::entry(attribute, node, format!("is {}, no node of its tree", ids[node]));
        trees.node(tree, ids[node]).and_then(|child| u32::try_from(child).ok()).ok_or_else(absent)
    };
    let feature = feature(nodes.feature_ids, node)?;
    let missing_is_true = nodes.missing_tracks_true.get(node).is_some_and(|&tracks| tracks == 1);
    let (yes, no) = (child("nodes_truenodeids", nodes.true_ids)?, child("nodes_falsenodeids", nodes.false_ids)?);
    Ok(Node::Branch { mode, feature, value, missing_is_true, yes, no })
}

pub(super) fn feature(ids: &[i64], node: usize) -> Result<u32, TreeError> {
    let id = ids[node];
    u32::try_from(id).ok().filter(|_| id < MOST_FEATURES).ok_or_else(|| {
        TreeError::entry("nodes_featureids", node, format!("is {id}, expected 0 to {}", MOST_FEATURES - 1))
    })
}

/// The weights in their nodes' order; those of one node stay in the file's. Inner nodes have some in files of old
/// exporters, and no use for them.
fn weigh(attributes: &Attributes<'_>, trees: &Trees, nodes: usize) -> Result<(Vec<usize>, Vec<Weight>), TreeError> {
    let (leaves, outputs) = (&attributes.leaves, attributes.outputs);
    let mut owners = Vec::with_capacity(leaves.ids.len());
    let mut first = vec![0; nodes + 1];
    for entry in 0..leaves.ids.len() {
        let owner = owner(leaves, outputs, trees, entry)?;
        first[owner + 1] += 1;
        owners.push((owner, entry));
    }
    for node in 0..nodes {
        first[node + 1] += first[node];
    }
    owners.sort_unstable();
    let weights = owners.iter().map(|&(_, entry)| weight(leaves, outputs, entry)).collect::<Result<_, _>>()?;
    Ok((first, weights))
}

fn owner(leaves: &Leaves<'_>, outputs: Outputs, trees: &Trees, entry: usize) -> Result<usize, TreeError> {
    let (tree_id, node_id) = (leaves.tree_ids[entry], leaves.node_ids[entry]);
    let tree = trees.tree(tree_id).ok_or_else(|| {
        let attribute = outputs.name("class_treeids", "target_treeids");
        TreeError::entry(attribute, entry, format!("is {tree_id}, a tree that nodes_treeids does not name"))
    })?;
    trees.node(tree, node_id).ok_or_else(|| {
        let attribute = outputs.name("class_nodeids", "target_nodeids");
        TreeError::entry(attribute, entry, format!("is {node_id}, no node of tree {tree_id}"))
    })
}

fn weight(leaves: &Leaves<'_>, outputs: Outputs, entry: usize) -> Result<Weight, TreeError> {
    let id = leaves.ids[entry];
    let output = u32::try_from(id).ok().filter(|&id| (id as usize) < outputs.count()).ok_or_else(|| {
        let attribute = outputs.name("class_ids", "target_ids");
        TreeError::entry(attribute, entry, format!("is {id}, expected 0 to {}", outputs.count() - 1))
    })?;
    Ok(Weight { output, weight: leaves.weights[entry] })
}
