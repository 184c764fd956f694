//! Rows in blocks that stay in the cache, through all trees.

use super::Ensemble;
use super::attributes::Aggregate;
use super::layout::{ABOVE_ALL, Columns, Slots, Tree, Worth};
use super::test::key;
use super::walk::{Ground, LANES, Slot};

/// Keys of a block: enough rows that a large tree is fetched for, few enough for the second cache.
const BLOCK_KEYS: usize = 1 << 15;
const MOST_ROWS: usize = 128;

/// `scores` and `classes`, if not empty, have room for all rows.
pub(super) fn evaluate(ensemble: &Ensemble, rows: &[f32], features: usize, scores: &mut [f32], classes: &mut [usize]) {
    let outputs = ensemble.outputs();
    let width = ensemble.layout.columns.width();
    let most = (BLOCK_KEYS / width).clamp(LANES, MOST_ROWS) / LANES * LANES;
    let most_here = most.min(rows.len() / features);
    let mut keys = vec![ABOVE_ALL; most_here * width];
    let mut seen = vec![false; most_here * outputs];
    let mut classes = classes.chunks_mut(most);
    for (rows, scores) in rows.chunks(most * features).zip(scores.chunks_mut(most * outputs)) {
        for (row, keys) in rows.chunks_exact(features).zip(keys.chunks_exact_mut(width)) {
            fill(ensemble.layout.columns, row, keys);
        }
        let count = rows.len() / features;
        let (keys, seen) = (&keys[..count * width], &mut seen[..count * outputs]);
        Tally { ensemble, outputs, scores: &mut *scores, seen: &mut *seen }.sum_up(keys, width);
        let classes = classes.next().unwrap_or_default();
        for (row, (scores, seen)) in scores.chunks_exact_mut(outputs).zip(seen.chunks_exact(outputs)).enumerate() {
            let class = ensemble.finish.row(scores, seen);
            if let Some(place) = classes.get_mut(row) {
                *place = class;
            }
        }
    }
}

/// The keys of a row.
fn fill(columns: Columns, row: &[f32], keys: &mut [i32]) {
    let row = &row[..columns.features];
    // The first stays above all.
    let mut groups = keys[1..].chunks_exact_mut(row.len().max(1));
    for nan in columns.nans() {
        let group = groups.next().unwrap_or_default();
        group.iter_mut().zip(row).for_each(|(place, &value)| *place = key(value, nan));
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
    fn sum_up(&mut self, keys: &[i32], width: usize) {
        self.scores.fill(0.0);
        self.seen.fill(false);
        match &self.ensemble.layout.slots {
            Slots::Narrow { slots, column_bits } => self.walk(Ground { slots, column_bits: *column_bits }, keys, width),
            Slots::Wide { slots } => self.walk(Ground { slots, column_bits: 0 }, keys, width),
        }
    }

    /// Rows side by side through one tree after the other; those left over, one by one through trees side by side. Either
    /// way a row's scores grow in the trees' order.
    fn walk<S: Slot>(&mut self, ground: Ground<'_, S>, keys: &[i32], width: usize) {
        let trees = &self.ensemble.layout.trees;
        let groups = keys.chunks_exact(width * LANES);
        for &tree in trees {
            for (group, keys) in groups.clone().enumerate() {
                let leaves = ground.rows(tree, std::array::from_fn(|lane| &keys[lane * width..][..width]));
                for (lane, leaf) in leaves.into_iter().enumerate() {
                    self.add(group * LANES + lane, leaf);
                }
            }
        }
        let first = groups.len() * LANES;
        for (row, keys) in groups.remainder().chunks_exact(width).enumerate() {
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
