//! Rows in blocks that stay in the first cache, through all trees.

use super::Ensemble;
use super::attributes::Aggregate;
use super::layout::{ABOVE_ALL, Columns, Slots, Tree, Worth};
use super::test::key;
use super::walk::{Abreast, Ground, LANES, Slot};

/// Keys of a block.
const BLOCK_KEYS: usize = 4096;
const MOST_ROWS: usize = 128;

/// `scores` and `classes`, if not empty, have room for all rows.
pub(super) fn evaluate(ensemble: &Ensemble, rows: &[f32], features: usize, scores: &mut [f32], classes: &mut [usize]) {
    let outputs = ensemble.outputs();
    let most = (BLOCK_KEYS / ensemble.layout.columns.width()).clamp(LANES, MOST_ROWS) / LANES * LANES;
    let mut keys = Keys::default();
    let mut seen = vec![false; most.min(rows.len() / features) * outputs];
    let mut classes = classes.chunks_mut(most);
    for (rows, scores) in rows.chunks(most * features).zip(scores.chunks_mut(most * outputs)) {
        keys.fill(ensemble.layout.columns, rows, features);
        let seen = &mut seen[..rows.len() / features * outputs];
        Tally { ensemble, outputs, scores: &mut *scores, seen: &mut *seen }.sum_up(&keys);
        let classes = classes.next().unwrap_or_default();
        for (row, (scores, seen)) in scores.chunks_exact_mut(outputs).zip(seen.chunks_exact(outputs)).enumerate() {
            let class = ensemble.finish.row(scores, seen);
            if let Some(place) = classes.get_mut(row) {
                *place = class;
            }
        }
    }
}

/// The keys of a block's rows.
#[derive(Default)]
struct Keys {
    width: usize,
    /// Of rows in groups of `LANES`.
    groups: Vec<Abreast>,
    /// Of the rows left over, one after the other.
    left_over: Vec<i32>,
}

impl Keys {
    fn fill(&mut self, columns: Columns, rows: &[f32], features: usize) {
        self.width = columns.width();
        let groups = rows.chunks_exact(features * LANES);
        self.left_over.clear();
        for row in groups.remainder().chunks_exact(features) {
            self.left_over.push(ABOVE_ALL);
            for nan in columns.nans() {
                self.left_over.extend(row[..columns.features].iter().map(|&value| key(value, nan)));
            }
        }
        self.groups.clear();
        for group in groups {
            let rows: [&[f32]; LANES] = std::array::from_fn(|lane| &group[lane * features..][..columns.features]);
            self.groups.push([ABOVE_ALL; LANES]);
            for nan in columns.nans() {
                self.groups.extend((0..columns.features).map(|feature| rows.map(|row| key(row[feature], nan))));
            }
        }
    }
}

/// The scores of a block, and which of them any leaf has touched.
struct Tally<'a> {
    ensemble: &'a Ensemble,
    outputs: usize,
    scores: &'a mut [f32],
    seen: &'a mut [bool],
}

impl Tally<'_> {
    fn sum_up(&mut self, keys: &Keys) {
        self.scores.fill(0.0);
        self.seen.fill(false);
        match &self.ensemble.layout.slots {
            Slots::Narrow { slots, column_bits } => self.walk(Ground { slots, column_bits: *column_bits }, keys),
            Slots::Wide { slots } => self.walk(Ground { slots, column_bits: 0 }, keys),
        }
    }

    /// Rows side by side through one tree after the other; those left over, one by one through trees side by side. Either
    /// way a row's scores grow in the trees' order.
    fn walk<S: Slot>(&mut self, ground: Ground<'_, S>, keys: &Keys) {
        let trees = &self.ensemble.layout.trees;
        for &tree in trees {
            for (group, keys) in keys.groups.chunks_exact(keys.width).enumerate() {
                for (lane, leaf) in ground.rows(tree, keys).into_iter().enumerate() {
                    self.add(group * LANES + lane, leaf);
                }
            }
        }
        let first = keys.groups.len() / keys.width * LANES;
        for (row, keys) in keys.left_over.chunks_exact(keys.width).enumerate() {
            self.walk_row(ground, trees, keys, first + row);
        }
    }

    fn walk_row<S: Slot>(&mut self, ground: Ground<'_, S>, trees: &[Tree], keys: &[i32], row: usize) {
        let (groups, left_over) = trees.as_chunks::<LANES>();
        for group in groups {
            for leaf in ground.trees(group, keys) {
                self.add(row, leaf);
            }
        }
        if let Some(&last) = left_over.last() {
            let group = std::array::from_fn(|lane| left_over.get(lane).copied().unwrap_or(last));
            for leaf in ground.trees(&group, keys).into_iter().take(left_over.len()) {
                self.add(row, leaf);
            }
        }
    }

    #[inline(always)]
    fn add(&mut self, row: usize, leaf: u32) {
        let aggregate = self.ensemble.aggregate;
        let scores = &mut self.scores[row * self.outputs..][..self.outputs];
        let seen = &mut self.seen[row * self.outputs..][..self.outputs];
        match &self.ensemble.layout.worth {
            Worth::One { output } => fold(aggregate, &mut scores[*output], &mut seen[*output], f32::from_bits(leaf)),
            Worth::Every { weights } => {
                let weights = &weights[leaf as usize..][..self.outputs];
                for ((score, seen), &weight) in scores.iter_mut().zip(seen).zip(weights) {
                    fold(aggregate, score, seen, weight);
                }
            }
            Worth::Some { first, weights } => {
                for weight in &weights[first[leaf as usize]..first[leaf as usize + 1]] {
                    let output = weight.output as usize;
                    fold(aggregate, &mut scores[output], &mut seen[output], weight.weight);
                }
            }
        }
    }
}

#[inline(always)]
fn fold(aggregate: Aggregate, score: &mut f32, seen: &mut bool, weight: f32) {
    let replaces = match aggregate {
        Aggregate::Sum | Aggregate::Average => {
            *score += weight;
            false
        }
        Aggregate::Min => !*seen || weight < *score,
        Aggregate::Max => !*seen || weight > *score,
    };
    if replaces {
        *score = weight;
    }
    *seen = true;
}
