//! Against a walk as the specification tells it.

use std::ops::Range;

use super::super::layout::Slots;
use super::super::{Attributes, Ensemble, Leaves, Nodes, Outputs};

const MODES: [&str; 6] = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"];
const NUMBERS: [f32; 12] =
    [-3.0, -0.5, -0.0, 0.0, 0.5, 1.0, 1e-40, f32::MIN, f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];

const BASE_VALUES: [f32; 3] = [0.5, -0.25, 1.0];

/// A xorshift generator: the same trees in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, range: Range<usize>) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        range.start + (self.0 >> 11) as usize % range.len()
    }

    fn number(&mut self) -> f32 {
        NUMBERS[self.below(0..NUMBERS.len())]
    }
}

/// A regressor's attributes, owned.
#[derive(Default)]
struct Trees {
    tree_ids: Vec<i64>,
    node_ids: Vec<i64>,
    feature_ids: Vec<i64>,
    modes: Vec<&'static str>,
    values: Vec<f32>,
    true_ids: Vec<i64>,
    false_ids: Vec<i64>,
    tracks: Vec<i64>,
    leaf_tree_ids: Vec<i64>,
    leaf_node_ids: Vec<i64>,
    target_ids: Vec<i64>,
    weights: Vec<f32>,
    targets: usize,
}

impl Trees {
    fn random(dice: &mut Dice, trees: usize, depth: usize, features: usize, targets: usize) -> Self {
        let mut grown = Self { targets, ..Self::default() };
        for tree in 0..trees {
            let root = grown.tree_ids.len();
            grown.grow(dice, tree as i64, root, depth, features);
        }
        grown
    }

    /// Node ids go down from 1,000,000, so that places and ids differ.
    fn grow(&mut self, dice: &mut Dice, tree: i64, root: usize, depth: usize, features: usize) -> i64 {
        let place = self.tree_ids.len();
        let id = 1_000_000 - (place - root) as i64;
        let leaf = depth == 0 || dice.below(0..6) == 0;
        self.tree_ids.push(tree);
        self.node_ids.push(id);
        self.feature_ids.push(dice.below(0..features) as i64);
        self.modes.push(if leaf { "LEAF" } else { MODES[dice.below(0..6)] });
        self.values.push(dice.number());
        self.tracks.push(dice.below(0..2) as i64);
        self.true_ids.push(0);
        self.false_ids.push(0);
        if leaf {
            for _ in 0..if self.targets == 1 { 1 } else { dice.below(0..4) } {
                self.leaf_tree_ids.push(tree);
                self.leaf_node_ids.push(id);
                self.target_ids.push(dice.below(0..self.targets) as i64);
                self.weights.push(dice.below(0..100) as f32 / 8.0 - 6.0);
            }
        } else {
            self.true_ids[place] = self.grow(dice, tree, root, depth - 1, features);
            self.false_ids[place] = self.grow(dice, tree, root, depth - 1, features);
        }
        id
    }

    fn ensemble(&self) -> Ensemble {
        let attributes = Attributes {
            nodes: Nodes {
                tree_ids: &self.tree_ids,
                node_ids: &self.node_ids,
                feature_ids: &self.feature_ids,
                modes: &self.modes,
                values: &self.values,
                true_ids: &self.true_ids,
                false_ids: &self.false_ids,
                missing_tracks_true: &self.tracks,
            },
            leaves: Leaves {
                tree_ids: &self.leaf_tree_ids,
                node_ids: &self.leaf_node_ids,
                ids: &self.target_ids,
                weights: &self.weights,
            },
            base_values: &BASE_VALUES[..if self.targets == 3 { 3 } else { 0 }],
            post_transform: "NONE",
            aggregate_function: "SUM",
            outputs: Outputs::Targets(self.targets),
        };
        Ensemble::new(&attributes).expect("a good ensemble")
    }

    fn walk(&self, row: &[f32]) -> Vec<f32> {
        let mut scores = vec![None; self.targets];
        let roots =
            (0..self.tree_ids.len()).filter(|&node| node == 0 || self.tree_ids[node] != self.tree_ids[node - 1]);
        for root in roots {
            let (mut node, tree) = (root, self.tree_ids[root]);
            while self.modes[node] != "LEAF" {
                let id = if self.holds(node, row) { self.true_ids[node] } else { self.false_ids[node] };
                node = (root..).find(|&node| self.node_ids[node] == id).expect("a node");
            }
            for leaf in 0..self.weights.len() {
                if self.leaf_tree_ids[leaf] == tree && self.leaf_node_ids[leaf] == self.node_ids[node] {
                    *scores[self.target_ids[leaf] as usize].get_or_insert(0.0) += self.weights[leaf];
                }
            }
        }
        // What no leaf scores has no base value either: so does onnxruntime.
        let base = |target: usize| if self.targets == 3 { BASE_VALUES[target] } else { 0.0 };
        scores.iter().enumerate().map(|(target, score)| score.map_or(0.0, |score| score + base(target))).collect()
    }

    fn holds(&self, node: usize, row: &[f32]) -> bool {
        let (value, threshold) = (row[self.feature_ids[node] as usize], self.values[node]);
        let holds = match self.modes[node] {
            "BRANCH_LEQ" => value <= threshold,
            "BRANCH_LT" => value < threshold,
            "BRANCH_GTE" => value >= threshold,
            "BRANCH_GT" => value > threshold,
            "BRANCH_EQ" => value == threshold,
            _ => value != threshold,
        };
        holds || value.is_nan() && self.tracks[node] == 1
    }
}

fn assert_same(trees: &Trees, ensemble: &Ensemble, rows: &[f32], features: usize) {
    let expected: Vec<f32> = rows.chunks(features).flat_map(|row| trees.walk(row)).collect();
    let mut found = vec![f32::NAN; expected.len()];
    ensemble.scores(rows, features, &mut found).expect("scores");
    assert_eq!(found, expected);
}

#[test]
fn random_trees_score_as_the_specification_walks_them() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for round in 0..300 {
        let (count, depth, features) = (dice.below(1..20), dice.below(0..7), dice.below(1..6));
        let targets = [1, 3][round % 2];
        let trees = Trees::random(&mut dice, count, depth, features, targets);
        let rows = dice.below(0..40);
        let rows: Vec<f32> = (0..rows * features).map(|_| dice.number()).collect();
        assert_same(&trees, &trees.ensemble(), &rows, features);
    }
}

#[test]
fn more_rows_than_a_block_holds_score_as_the_specification_walks_them() {
    let mut dice = Dice(7);
    let trees = Trees::random(&mut dice, 3, 5, 600, 3);
    let rows: Vec<f32> = (0..300 * 600).map(|_| dice.number()).collect();
    assert_same(&trees, &trees.ensemble(), &rows, 600);
}

#[test]
fn trees_too_large_for_narrow_slots_score_the_same() {
    let mut dice = Dice(3);
    let features = (1 << 21) + 1;
    let mut trees = Trees::random(&mut dice, 8, 13, 5, 2);
    let branch = trees.modes.iter().position(|&mode| mode != "LEAF").expect("a branch");
    trees.feature_ids[branch] = 1 << 21;
    let ensemble = trees.ensemble();
    assert!(matches!(ensemble.layout.slots, Slots::Wide { .. }));
    let rows: Vec<f32> = (0..9 * features).map(|_| dice.number()).collect();
    assert_same(&trees, &ensemble, &rows, features);
}

#[test]
fn a_branch_with_two_parents_is_laid_out_once() {
    // 0 leads to 1 and 2, both lead to 3: a diamond of diamonds would double with every level if it were unrolled.
    let (mut trees, levels) = (Trees { targets: 1, ..Trees::default() }, 40);
    for level in 0..levels {
        for side in 0..if level == 0 { 1 } else { 2 } {
            let id = if level == 0 { 0 } else { 2 * level - 1 + side };
            let last = level == levels - 1;
            trees.tree_ids.push(0);
            trees.node_ids.push(id);
            trees.feature_ids.push(level % 3);
            trees.modes.push(if last { "LEAF" } else { "BRANCH_LEQ" });
            trees.values.push(0.25 * side as f32);
            trees.true_ids.push(2 * level + 1);
            trees.false_ids.push(2 * level + 2);
            trees.tracks.push(0);
            if last {
                trees.leaf_tree_ids.push(0);
                trees.leaf_node_ids.push(id);
                trees.target_ids.push(0);
                trees.weights.push(side as f32 + 1.0);
            }
        }
    }
    let ensemble = trees.ensemble();
    assert!(matches!(&ensemble.layout.slots, Slots::Narrow { slots, .. } if slots.len() <= 4 * levels as usize));
    let mut dice = Dice(5);
    let rows: Vec<f32> = (0..30 * 3).map(|_| dice.number()).collect();
    assert_same(&trees, &ensemble, &rows, 3);
}
