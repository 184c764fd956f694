//! What onnxruntime answers for models of every exporter: `trees/fixtures`, made by `tests/python/tree_fixtures.py`.

use serde_json::{Map, Value};

use super::super::{Attributes, Ensemble, Leaves, Nodes, Outputs};

pub(super) fn fixture(name: &str) -> Value {
    let path = format!("{}/trees/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(&path).expect(&path)).expect(&path)
}

pub(super) fn floats(value: &Value) -> Vec<f32> {
    let float = |value: &Value| value.as_f64().map_or(f32::NAN, |value| value as f32);
    value.as_array().into_iter().flatten().map(float).collect()
}

pub(super) fn ints(attributes: &Map<String, Value>, name: &str) -> Vec<i64> {
    let list = attributes.get(name).and_then(Value::as_array);
    list.into_iter().flatten().map(|value| value.as_i64().expect(name)).collect()
}

/// The ensemble of a fixture, and its labels.
fn build(fixture: &Value) -> (Ensemble, Vec<Value>) {
    let attributes = fixture["attributes"].as_object().expect("attributes");
    let classifier = fixture["operator"] == "TreeEnsembleClassifier";
    let kind = if classifier { "class" } else { "target" };
    let leaf = |name: &str| format!("{kind}_{name}");
    let labels = ["classlabels_strings", "classlabels_int64s"].iter().filter_map(|name| attributes.get(*name));
    let labels = labels.filter_map(Value::as_array).find(|list| !list.is_empty()).cloned().unwrap_or_default();
    let outputs = if classifier {
        Outputs::Classes(labels.len())
    } else {
        Outputs::Targets(attributes["n_targets"].as_u64().expect("n_targets") as usize)
    };
    let modes = attributes["nodes_modes"].as_array().expect("nodes_modes");
    let text = |name: &str, default: &'static str| attributes.get(name).and_then(Value::as_str).unwrap_or(default);
    let listed = |name: &str| floats(attributes.get(name).unwrap_or(&Value::Null));
    let ensemble = Ensemble::new(&Attributes {
        nodes: Nodes {
            tree_ids: &ints(attributes, "nodes_treeids"),
            node_ids: &ints(attributes, "nodes_nodeids"),
            feature_ids: &ints(attributes, "nodes_featureids"),
            modes: &modes.iter().map(|mode| mode.as_str().expect("mode")).collect::<Vec<_>>(),
            values: &listed("nodes_values"),
            true_ids: &ints(attributes, "nodes_truenodeids"),
            false_ids: &ints(attributes, "nodes_falsenodeids"),
            missing_tracks_true: &ints(attributes, "nodes_missing_value_tracks_true"),
        },
        leaves: Leaves {
            tree_ids: &ints(attributes, &leaf("treeids")),
            node_ids: &ints(attributes, &leaf("nodeids")),
            ids: &ints(attributes, &leaf("ids")),
            weights: &listed(&leaf("weights")),
        },
        base_values: &listed("base_values"),
        post_transform: text("post_transform", "NONE"),
        aggregate_function: text("aggregate_function", "SUM"),
        outputs,
    });
    (ensemble.expect("a good ensemble"), labels)
}

pub(super) fn assert_close(name: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let close = (found - expected).abs() <= 1e-6 * expected.abs() + 1e-7;
        assert!(close || found.is_nan() && expected.is_nan(), "{name}[{place}]: {found}, expected {expected}");
    }
}

/// All rows at once, and each row alone, which walks differently.
fn assert_answers(name: &str) {
    let fixture = fixture(name);
    let (ensemble, labels) = build(&fixture);
    let (rows, expected) = (floats(&fixture["rows"]), floats(&fixture["scores"]));
    let features = fixture["features"].as_u64().expect("features") as usize;
    for chunk in [rows.len() / features, 1] {
        let mut scores = vec![0.0; expected.len()];
        let mut classes = vec![usize::MAX; rows.len() / features];
        let outputs = scores.chunks_mut(chunk * ensemble.outputs()).zip(classes.chunks_mut(chunk));
        for (rows, (scores, classes)) in rows.chunks(chunk * features).zip(outputs) {
            if ensemble.is_classifier() {
                ensemble.classify(rows, features, scores, classes).expect(name);
            } else {
                ensemble.scores(rows, features, scores).expect(name);
            }
        }
        assert_close(name, &scores, &expected);
        if let Some(expected) = fixture["labels"].as_array() {
            let found: Vec<&Value> = classes.iter().map(|&class| &labels[class]).collect();
            assert_eq!(found, expected.iter().collect::<Vec<_>>(), "{name}");
        }
    }
}

#[test]
fn a_forest_of_three_named_classes_answers_as_onnxruntime() {
    assert_answers("forest_strings");
}

#[test]
fn a_forest_of_two_targets_answers_as_onnxruntime() {
    assert_answers("forest_targets");
}

#[test]
fn boosting_with_one_score_for_two_classes_answers_as_onnxruntime() {
    assert_answers("boosting_binary");
}

#[test]
fn boosting_with_one_class_a_tree_answers_as_onnxruntime() {
    assert_answers("xgboost_classes");
}

#[test]
fn categories_whose_members_share_a_branch_answer_as_onnxruntime() {
    assert_answers("lightgbm_categories");
}

#[test]
fn every_mode_answers_as_onnxruntime_under_every_aggregate_function() {
    for aggregate in ["sum", "average", "min", "max"] {
        assert_answers(&format!("every_mode_{aggregate}"));
    }
}

#[test]
fn what_the_specification_leaves_open_answers_as_onnxruntime() {
    for corner in [
        "base_of_both",
        "base_of_each",
        "one_base",
        "probability",
        "probability_logistic",
        "margin_logistic",
        "either_class",
        "tie",
        "unseen_class",
        "probit",
    ] {
        assert_answers(&format!("corner_{corner}"));
    }
}
