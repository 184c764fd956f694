//! Files that lie are refused, by the attribute and the entry.

use super::super::{Attributes, Ensemble, Leaves, Nodes, Outputs, TreeError};

/// Tree 0: a test with two leaves. Tree 7: a leaf.
const GOOD: Attributes<'_> = Attributes {
    nodes: Nodes {
        tree_ids: &[0, 0, 0, 7],
        node_ids: &[0, 1, 2, 0],
        feature_ids: &[1, 0, 0, 0],
        modes: &["BRANCH_LEQ", "LEAF", "LEAF", "LEAF"],
        values: &[0.5, 0.0, 0.0, 0.0],
        true_ids: &[1, 0, 0, 0],
        false_ids: &[2, 0, 0, 0],
        missing_tracks_true: &[],
    },
    leaves: Leaves { tree_ids: &[0, 0, 7], node_ids: &[1, 2, 0], ids: &[0, 0, 0], weights: &[1.0, 2.0, 4.0] },
    base_values: &[],
    post_transform: "NONE",
    aggregate_function: "SUM",
    outputs: Outputs::Targets(1),
};

#[track_caller]
fn assert_refused(expected: &str, spoil: impl FnOnce(&mut Attributes<'_>)) {
    let mut attributes = GOOD;
    spoil(&mut attributes);
    let refusal = Ensemble::new(&attributes).expect_err("a refusal").to_string();
    assert!(refusal.starts_with(expected), "{refusal:?} does not start with {expected:?}");
}

#[test]
fn the_unspoilt_file_is_good() {
    let mut scores = [0.0; 2];
    Ensemble::new(&GOOD).expect("good").scores(&[9.0, 0.5, 9.0, 0.6], 2, &mut scores).expect("scores");
    assert_eq!(scores, [5.0, 6.0]);
}

#[test]
fn weights_of_an_inner_node_mean_nothing() {
    let mut attributes = GOOD;
    attributes.leaves =
        Leaves { tree_ids: &[0, 0, 0, 7], node_ids: &[0, 1, 2, 0], ids: &[0; 4], weights: &[9.0, 1.0, 2.0, 4.0] };
    assert_eq!(Ensemble::new(&attributes), Ensemble::new(&GOOD));
}

#[test]
fn every_list_has_an_entry_for_every_node() {
    assert_refused("attribute nodes_nodeids has 0 entries", |a| a.nodes.node_ids = &[]);
    assert_refused("attribute nodes_treeids has 3 entries, nodes_nodeids has 4", |a| a.nodes.tree_ids = &[0, 0, 0]);
    assert_refused("attribute nodes_featureids has 0 entries", |a| a.nodes.feature_ids = &[]);
    assert_refused("attribute nodes_modes has 1 entries", |a| a.nodes.modes = &["LEAF"]);
    assert_refused("attribute nodes_values has 1 entries", |a| a.nodes.values = &[1.0]);
    assert_refused("attribute nodes_truenodeids has 1 entries", |a| a.nodes.true_ids = &[1]);
    assert_refused("attribute nodes_falsenodeids has 1 entries", |a| a.nodes.false_ids = &[1]);
    assert_refused("attribute nodes_missing_value_tracks_true has 1", |a| a.nodes.missing_tracks_true = &[1]);
}

#[test]
fn every_list_has_an_entry_for_every_weight() {
    assert_refused("attribute target_treeids has 1 entries, target_ids has 3", |a| a.leaves.tree_ids = &[0]);
    assert_refused("attribute target_nodeids has 1 entries", |a| a.leaves.node_ids = &[1]);
    assert_refused("attribute target_weights has 0 entries", |a| a.leaves.weights = &[]);
    assert_refused("attribute class_weights has 0 entries", |a| {
        a.outputs = Outputs::Classes(3);
        a.leaves.weights = &[];
    });
}

#[test]
fn a_child_is_a_node_of_its_tree() {
    assert_refused("attribute nodes_truenodeids[0] is 3, no node", |a| a.nodes.true_ids = &[3, 0, 0, 0]);
    assert_refused("attribute nodes_falsenodeids[0] is -1, no node", |a| a.nodes.false_ids = &[-1, 0, 0, 0]);
    assert_refused("attribute nodes_truenodeids[0] is 9223372036854775807, no node", |a| {
        a.nodes.true_ids = &[i64::MAX, 0, 0, 0];
    });
}

#[test]
fn cycles_are_refused() {
    assert_refused("attribute nodes_nodeids[0] is in a cycle", |a| a.nodes.true_ids = &[0, 0, 0, 0]);
    assert_refused("attribute nodes_nodeids[1] is in a cycle", |a| {
        a.nodes.modes = &["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "LEAF"];
        a.nodes.true_ids = &[1, 2, 1, 0];
        a.nodes.false_ids = &[2, 2, 1, 0];
    });
}

#[test]
fn every_node_is_within_reach_of_the_root() {
    assert_refused("attribute nodes_nodeids[2] is in a cycle, or out of reach", |a| a.nodes.false_ids = &[1, 0, 0, 0]);
    assert_refused("attribute nodes_nodeids[0] is in a cycle, or out of reach", |a| {
        a.nodes.modes = &["LEAF", "BRANCH_LEQ", "LEAF", "LEAF"];
        a.nodes.true_ids = &[0, 0, 0, 0];
        a.nodes.false_ids = &[0, 2, 0, 0];
    });
}

#[test]
fn node_ids_are_unique_and_trees_stand_together() {
    assert_refused("attribute nodes_nodeids[2] repeats node 1", |a| a.nodes.node_ids = &[0, 1, 1, 0]);
    assert_refused("attribute nodes_treeids[3] resumes tree 0", |a| a.nodes.tree_ids = &[0, 0, 7, 0]);
}

#[test]
fn modes_features_and_functions_are_known_ones() {
    assert_refused("attribute nodes_modes[1] is \"BRANCH_MEMBER\", expected LEAF or BRANCH_ with", |a| {
        a.nodes.modes = &["BRANCH_LEQ", "BRANCH_MEMBER", "LEAF", "LEAF"];
    });
    assert_refused("attribute nodes_featureids[0] is -1, expected 0 to", |a| a.nodes.feature_ids = &[-1, 0, 0, 0]);
    assert_refused("attribute nodes_featureids[0] is 4294967296", |a| a.nodes.feature_ids = &[1 << 32, 0, 0, 0]);
    assert_refused("attribute nodes_featureids[0] is 4194304", |a| a.nodes.feature_ids = &[1 << 22, 0, 0, 0]);
    assert_refused("attribute post_transform is \"TANH\"", |a| a.post_transform = "TANH");
    assert_refused("attribute aggregate_function is \"MEDIAN\"", |a| a.aggregate_function = "MEDIAN");
}

#[test]
fn weights_belong_to_a_leaf_and_an_output() {
    assert_refused("attribute target_treeids[2] is 5, a tree that", |a| a.leaves.tree_ids = &[0, 0, 5]);
    assert_refused("attribute target_nodeids[2] is 1, no node of tree 7", |a| a.leaves.node_ids = &[1, 2, 1]);
    assert_refused("attribute target_ids[1] is 1, expected 0 to 0", |a| a.leaves.ids = &[0, 1, 0]);
    assert_refused("attribute target_ids[1] is -1, expected 0 to 0", |a| a.leaves.ids = &[0, -1, 0]);
    assert_refused("attribute nodes_nodeids[1] is a leaf with several weights", |a| a.leaves.node_ids = &[1, 1, 0]);
}

#[test]
fn outputs_and_base_values_are_as_many_as_each_other() {
    assert_refused("attribute n_targets gives 0 outputs", |a| a.outputs = Outputs::Targets(0));
    assert_refused("attribute n_targets gives 18446744073709551615 outputs", |a| {
        a.outputs = Outputs::Targets(usize::MAX);
    });
    assert_refused("attribute base_values has 2 entries, expected none or one for each of 1", |a| {
        a.base_values = &[1.0, 2.0];
    });
}

#[test]
fn buffers_of_another_length_are_refused() {
    let ensemble = Ensemble::new(&GOOD).expect("good");
    let mut one = [0.0];
    assert_eq!(ensemble.scores(&[1.0], 1, &mut one), Err(TreeError::Features { needed: 2, found: 1 }));
    let uneven = TreeError::Rows { values: 3, features: 2, scores: 1 };
    assert_eq!(ensemble.scores(&[1.0; 3], 2, &mut one), Err(uneven));
    let short = TreeError::Rows { values: 4, features: 2, scores: 1 };
    assert_eq!(ensemble.scores(&[1.0; 4], 2, &mut one), Err(short));
    let regressor = TreeError::Classes { rows: 1, found: 1 };
    assert_eq!(ensemble.classify(&[1.0; 2], 2, &mut one, &mut [0]), Err(regressor));
    assert_eq!(ensemble.scores(&[], 2, &mut []), Ok(()));
}
