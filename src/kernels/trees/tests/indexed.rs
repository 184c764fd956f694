//! `TreeEnsemble`, version 5.

use serde_json::Value;

use super::super::{Ensemble, Indexed, TreeError};
use super::fixtures::{assert_close, fixture, floats, ints};

/// One test with two leaves.
const GOOD: Indexed<'_> = Indexed {
    feature_ids: &[1],
    modes: &[0],
    splits: &[0.5],
    true_ids: &[0],
    true_leaves: &[1],
    false_ids: &[1],
    false_leaves: &[1],
    missing_tracks_true: &[],
    members: &[],
    leaf_target_ids: &[0, 0],
    leaf_weights: &[1.0, 2.0],
    roots: &[0],
    targets: 1,
    post_transform: 0,
    aggregate_function: 1,
};

fn assert_answers(name: &str) {
    let fixture = fixture(name);
    let attributes = fixture["attributes"].as_object().expect("attributes");
    let listed = |name: &str| floats(attributes.get(name).unwrap_or(&Value::Null));
    let modes: Vec<u8> = listed("nodes_modes").iter().map(|&mode| mode as u8).collect();
    let ensemble = Ensemble::indexed(&Indexed {
        feature_ids: &ints(attributes, "nodes_featureids"),
        modes: &modes,
        splits: &listed("nodes_splits"),
        true_ids: &ints(attributes, "nodes_truenodeids"),
        true_leaves: &ints(attributes, "nodes_trueleafs"),
        false_ids: &ints(attributes, "nodes_falsenodeids"),
        false_leaves: &ints(attributes, "nodes_falseleafs"),
        missing_tracks_true: &ints(attributes, "nodes_missing_value_tracks_true"),
        members: &listed("membership_values"),
        leaf_target_ids: &ints(attributes, "leaf_targetids"),
        leaf_weights: &listed("leaf_weights"),
        roots: &ints(attributes, "tree_roots"),
        targets: attributes["n_targets"].as_u64().expect("n_targets") as usize,
        aggregate_function: attributes["aggregate_function"].as_i64().expect("aggregate_function"),
        ..GOOD
    });
    let expected = floats(&fixture["scores"]);
    let mut scores = vec![f32::NAN; expected.len()];
    let features = fixture["features"].as_u64().expect("features") as usize;
    ensemble.expect(name).scores(&floats(&fixture["rows"]), features, &mut scores).expect(name);
    assert_close(name, &scores, &expected);
}

#[track_caller]
fn assert_refused(expected: &str, spoil: impl FnOnce(&mut Indexed<'_>)) {
    let mut attributes = GOOD;
    spoil(&mut attributes);
    let refusal = Ensemble::indexed(&attributes).expect_err("a refusal").to_string();
    assert!(refusal.starts_with(expected), "{refusal:?} does not start with {expected:?}");
}

#[test]
fn sets_and_single_leaves_answer_as_onnxruntime() {
    assert_answers("indexed_sum");
    assert_answers("indexed_average");
}

#[test]
fn the_unspoilt_file_is_good() {
    let mut scores = [0.0; 2];
    let scored = Ensemble::indexed(&GOOD).and_then(|good| good.scores(&[0.0, 0.5, 0.0, 0.6], 2, &mut scores));
    assert_eq!((scored, scores), (Ok(()), [1.0, 2.0]));
}

#[test]
fn lists_are_as_long_as_each_other() {
    assert_refused("attribute nodes_splits has 0 entries", |a| a.splits = &[]);
    assert_refused("attribute nodes_featureids has 0 entries", |a| a.feature_ids = &[]);
    assert_refused("attribute nodes_modes has 0 entries", |a| a.modes = &[]);
    assert_refused("attribute nodes_truenodeids has 0 entries", |a| a.true_ids = &[]);
    assert_refused("attribute nodes_trueleafs has 0 entries", |a| a.true_leaves = &[]);
    assert_refused("attribute nodes_falsenodeids has 0 entries", |a| a.false_ids = &[]);
    assert_refused("attribute nodes_falseleafs has 0 entries", |a| a.false_leaves = &[]);
    assert_refused("attribute nodes_missing_value_tracks_true has 2", |a| a.missing_tracks_true = &[0, 0]);
    assert_refused("attribute leaf_weights has 0 entries", |a| a.leaf_weights = &[]);
    assert_refused("attribute leaf_targetids has 1 entries", |a| a.leaf_target_ids = &[0]);
}

#[test]
fn links_lead_to_nodes_and_leaves_that_are_there() {
    assert_refused("attribute nodes_truenodeids[0] is 2, there are 2 leaves", |a| a.true_ids = &[2]);
    assert_refused("attribute nodes_truenodeids[0] is -1, there are 2 leaves", |a| a.true_ids = &[-1]);
    assert_refused("attribute nodes_falsenodeids[0] is 1, there are 1 nodes", |a| a.false_leaves = &[0]);
    assert_refused("attribute tree_roots[0] is 1, there are 1 nodes", |a| a.roots = &[1]);
    assert_refused("attribute nodes_splits[0] is in a cycle", |a| a.true_leaves = &[0]);
    assert_refused("attribute nodes_splits[0] is in a cycle, or out of reach", |a| a.roots = &[]);
    assert_refused("attribute leaf_weights[1] is in a cycle, or out of reach", |a| a.false_ids = &[0]);
    assert_refused("attribute nodes_splits[0] is a node of two trees", |a| a.roots = &[0, 0]);
}

#[test]
fn two_trees_share_no_leaf() {
    assert_refused("attribute leaf_weights[0] is a node of two trees", |a| {
        (a.feature_ids, a.modes, a.splits, a.roots) = (&[0, 0], &[0, 0], &[0.0, 0.0], &[0, 1]);
        (a.true_ids, a.true_leaves, a.false_ids, a.false_leaves) = (&[0, 0], &[1, 1], &[1, 1], &[1, 1]);
    });
}

#[test]
fn numbers_are_known_ones() {
    assert_refused("attribute nodes_modes[0] is 7, expected 0 to 6", |a| a.modes = &[7]);
    assert_refused("attribute nodes_featureids[0] is -1", |a| a.feature_ids = &[-1]);
    assert_refused("attribute leaf_targetids[1] is 1, expected 0 to 0", |a| a.leaf_target_ids = &[0, 1]);
    assert_refused("attribute n_targets is 0", |a| a.targets = 0);
    assert_refused("attribute post_transform is 1, softmax or logistic", |a| a.post_transform = 1);
    assert_refused("attribute post_transform is 2, softmax or logistic", |a| a.post_transform = 2);
    assert_refused("attribute post_transform is 5, expected", |a| a.post_transform = 5);
    assert_refused("attribute aggregate_function is -1, expected 0 to 3", |a| a.aggregate_function = -1);
}

#[test]
fn a_node_that_tests_for_a_set_has_one() {
    assert_refused("attribute nodes_modes[0] tests for a set", |a| a.modes = &[6]);
    assert_refused("attribute nodes_modes[0] tests for a set", |a| (a.modes, a.members) = (&[6], &[f32::NAN]));
    let with_set = Indexed { modes: &[6], members: &[0.5, 0.75, f32::NAN], ..GOOD };
    let mut scores = [0.0; 3];
    let scored = Ensemble::indexed(&with_set)
        .and_then(|good| good.scores(&[0.5, 0.75, 0.6].map(|x| [x; 2]).concat(), 2, &mut scores));
    assert_eq!((scored, scores), (Ok::<_, TreeError>(()), [1.0, 1.0, 2.0]));
}
