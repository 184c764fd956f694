//! Trees as they are walked: one array of slots, the two children of a slot side by side.
//!
//! A slot holds a threshold, a column of keys, and its children's place: the walk goes to `children` where the key is not
//! below the threshold and to the next slot where it is. A leaf reads a column whose key is below nothing and leads to
//! itself; its threshold's 32 bits are free and hold what the leaf is worth.

use std::collections::VecDeque;

use super::TreeError;
use super::graph::{Forest, Node, Weight};
use super::test::{Test, Then};

/// A key below no threshold.
pub(super) const ABOVE_ALL: i32 = i32::MAX;
const UNPLACED: u32 = u32::MAX;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    /// Features a row must have.
    pub(super) features: usize,
    pub(super) columns: Columns,
    pub(super) slots: Slots,
    pub(super) trees: Vec<Tree>,
    pub(super) worth: Worth,
}

/// A tree's slots, and after how many steps every walk has reached a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tree {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) depth: usize,
}

/// The keys of a row: one below nothing, then the features with NaN above all, then again with NaN below all, as far as
/// the trees read them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Columns {
    pub(super) nan_above: bool,
    pub(super) nan_below: bool,
    pub(super) features: usize,
}

impl Columns {
    pub(super) fn width(self) -> usize {
        1 + self.features * (usize::from(self.nan_above) + usize::from(self.nan_below))
    }

    /// What stands for NaN in each group of features.
    pub(super) fn nans(self) -> impl Iterator<Item = i32> {
        [(self.nan_above, ABOVE_ALL), (self.nan_below, i32::MIN)]
            .into_iter()
            .filter(|(used, _)| *used)
            .map(|(_, nan)| nan)
    }

    fn column(self, test: &Test) -> u32 {
        let skipped = if test.nan_is_below && self.nan_above { self.features } else { 0 };
        // Two groups of at most 2^22 features.
        test.feature + 1 + skipped as u32
    }
}

/// What leaves are worth, by the 32 bits that their slots hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Worth {
    /// A weight for this one output: its bits.
    One { output: usize },
    /// A weight for every output: where they begin.
    Every { weights: Vec<f32> },
    /// Anything else: the number of the leaf in `first`.
    Some { first: Vec<usize>, weights: Vec<Weight> },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Slots {
    Narrow { slots: Vec<Narrow>, column_bits: u32 },
    Wide { slots: Vec<Wide> },
}

/// A slot whose column and children, counted from its tree's first slot, fit 32 bits together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Narrow {
    pub(super) threshold: i32,
    pub(super) link: u32,
}

/// Any slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wide {
    pub(super) threshold: i32,
    pub(super) column: u32,
    pub(super) children: u32,
}

impl Layout {
    pub(super) fn new(forest: &Forest, outputs: usize) -> Result<Self, TreeError> {
        let (worth, payloads) = worth(forest, outputs)?;
        let mut planter = Planter {
            forest,
            payloads,
            columns: columns(forest),
            slots: Vec::with_capacity(forest.nodes.len()),
            placed: vec![UNPLACED; forest.nodes.len()],
        };
        let trees: Vec<Tree> = forest.roots.iter().map(|&root| planter.plant(root)).collect();
        let Planter { columns, slots, .. } = planter;
        Ok(Self { features: columns.features, columns, slots: Slots::fit(slots, columns), trees, worth })
    }
}

impl Slots {
    fn fit(slots: Vec<Wide>, columns: Columns) -> Self {
        let column_bits = usize::BITS - (columns.width() - 1).leading_zeros();
        let most = slots.iter().map(|slot| slot.children).max().unwrap_or(0);
        if column_bits >= u32::BITS || u64::from(most) << column_bits > u64::from(u32::MAX) {
            return Self::Wide { slots };
        }
        let narrow =
            |slot: &Wide| Narrow { threshold: slot.threshold, link: slot.children << column_bits | slot.column };
        Self::Narrow { slots: slots.iter().map(narrow).collect(), column_bits }
    }
}

fn columns(forest: &Forest) -> Columns {
    let mut columns = Columns { nan_above: false, nan_below: false, features: 0 };
    for test in forest.nodes.iter().filter_map(Test::of).flat_map(|(first, second)| [Some(first), second]).flatten() {
        columns.nan_above |= !test.nan_is_below;
        columns.nan_below |= test.nan_is_below;
        columns.features = columns.features.max(test.feature as usize + 1);
    }
    columns
}

/// What leaves are worth, and what the slot of each node that is a leaf holds.
fn worth(forest: &Forest, outputs: usize) -> Result<(Worth, Vec<u32>), TreeError> {
    let of = |node: usize| &forest.weights[forest.first_weight[node]..forest.first_weight[node + 1]];
    let mut leaves = (0..forest.nodes.len()).filter(|&node| matches!(forest.nodes[node], Node::Leaf { .. }));
    let mut payloads = vec![0; forest.nodes.len()];
    if outputs == 1 {
        for leaf in leaves {
            payloads[leaf] = only_weight(&forest.nodes[leaf], of(leaf), leaf)?.to_bits();
        }
        return Ok((Worth::One { output: 0 }, payloads));
    }
    let output = forest.weights.first().map_or(0, |weight| weight.output);
    if leaves.clone().all(|leaf| matches!(of(leaf), [weight] if weight.output == output)) {
        for leaf in leaves {
            payloads[leaf] = of(leaf)[0].weight.to_bits();
        }
        return Ok((Worth::One { output: output as usize }, payloads));
    }
    if leaves.clone().all(|leaf| of(leaf).iter().map(|weight| weight.output as usize).eq(0..outputs)) {
        for leaf in leaves {
            payloads[leaf] = forest.first_weight[leaf] as u32;
        }
        return Ok((Worth::Every { weights: forest.weights.iter().map(|weight| weight.weight).collect() }, payloads));
    }
    let mut first = vec![0];
    leaves.by_ref().zip(0_u32..).for_each(|(leaf, number)| {
        payloads[leaf] = number;
        first.push(forest.first_weight[leaf + 1]);
    });
    Ok((Worth::Some { first, weights: forest.weights.clone() }, payloads))
}

/// The weight of a leaf that scores one output. Where a file gives none, onnxruntime takes the leaf's value.
fn only_weight(node: &Node, weights: &[Weight], index: usize) -> Result<f32, TreeError> {
    match (weights, *node) {
        ([weight], _) => Ok(weight.weight),
        ([], Node::Leaf { value }) => Ok(value),
        _ => Err(TreeError::entry("nodes_nodeids", index, "is a leaf with several weights for the only output")),
    }
}

/// Places the nodes of one tree after the other.
struct Planter<'a> {
    forest: &'a Forest,
    payloads: Vec<u32>,
    columns: Columns,
    slots: Vec<Wide>,
    /// Where the children of a node are, from its tree's first slot.
    placed: Vec<u32>,
}

impl Planter<'_> {
    /// Level by level. A node with several parents has a slot for each, and its children are placed once, so a file
    /// cannot make more slots than two for every test.
    fn plant(&mut self, root: usize) -> Tree {
        let start = self.slots.len();
        self.slots.push(Wide { threshold: 0, column: 0, children: 0 });
        let mut open = VecDeque::from([(start, Then::Node(root as u32), 0)]);
        let (mut depth, mut shared) = (0, false);
        while let Some((slot, then, level)) = open.pop_front() {
            depth = depth.max(level);
            let Some(test) = self.test(then) else {
                let (Then::Node(leaf) | Then::Second(leaf)) = then;
                let payload = self.payloads[leaf as usize] as i32;
                self.slots[slot] = Wide { threshold: payload, column: 0, children: (slot - start) as u32 };
                continue;
            };
            let known = if let Then::Node(node) = then { self.placed[node as usize] } else { UNPLACED };
            let children = if known == UNPLACED { (self.slots.len() - start) as u32 } else { known };
            if known == UNPLACED {
                for next in [test.otherwise, test.below] {
                    open.push_back((self.slots.len(), next, level + 1));
                    self.slots.push(Wide { threshold: 0, column: 0, children: 0 });
                }
            }
            if let Then::Node(node) = then {
                self.placed[node as usize] = children;
            }
            shared |= known != UNPLACED;
            self.slots[slot] = Wide { threshold: test.threshold, column: self.columns.column(&test), children };
        }
        // Behind a shared node paths may be longer than the first one was.
        Tree { start, end: self.slots.len(), depth: if shared { self.slots.len() - start } else { depth } }
    }

    fn test(&self, then: Then) -> Option<Test> {
        match then {
            Then::Node(node) => Test::of(&self.forest.nodes[node as usize]).map(|(first, second)| match second {
                Some(_) => first.leading_to_second(node),
                None => first,
            }),
            Then::Second(node) => Test::of(&self.forest.nodes[node as usize]).and_then(|(_, second)| second),
        }
    }
}
