//! Operator sets and operators: only what tract implements, in the domain it implements it for. tract itself looks at an
//! operator's name alone, so that a stranger's `Conv` would run as ONNX's.

use std::collections::BTreeSet;

use tract_onnx::model::OnnxOpRegister;
use tract_onnx::pb::{GraphProto, NodeProto, OperatorSetIdProto};

use super::ScanError;
use super::names::subgraphs;
use crate::model::{ml, spell};

/// First and last operator set of ONNX that is read. tract is tested with 9 to 18; 19 to 21 change little of what it
/// implements and load with a warning. The run that follows, and the bundle's self-test, judge the result.
const ONNX_SETS: std::ops::RangeInclusive<i64> = 9..=21;
const TESTED_UP_TO: i64 = 18;
const ML_SETS: std::ops::RangeInclusive<i64> = 1..=5;

const ML: &str = "ai.onnx.ml";
const CONTRIB: &str = "com.microsoft";

/// What tract or we implement of `ai.onnx.ml`, but for what is [spelled](spell) out.
const ML_OPERATORS: [&str; 15] = [
    "ArrayFeatureExtractor",
    "Binarizer",
    "CategoryMapper",
    "Imputer",
    "LabelEncoder",
    "LinearClassifier",
    "LinearRegressor",
    "Normalizer",
    "OneHotEncoder",
    "SVMClassifier",
    "SVMRegressor",
    "Scaler",
    "TreeEnsemble",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
];

/// What tract implements of onnxruntime's own operators.
const CONTRIB_OPERATORS: [&str; 10] = [
    "BiasGelu",
    "FastGelu",
    "GatherBlockQuantized",
    "Gelu",
    "MatMulNBits",
    "QuickGelu",
    "RotaryEmbedding",
    "SimplifiedLayerNormalization",
    "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization",
];

pub(super) fn check_sets(sets: &[OperatorSetIdProto]) -> Result<(), ScanError> {
    let mut onnx = None;
    for set in sets {
        match set.domain.as_str() {
            "" | "ai.onnx" => {
                if onnx.replace(set.version).is_some_and(|other| other != set.version) {
                    return Err(ScanError::malformed("two operator sets of ONNX are imported"));
                }
                within(set, &ONNX_SETS)?;
            }
            ML => within(set, &ML_SETS)?,
            // Exporters import sets they do not use; an operator out of one is refused by itself.
            _ => {}
        }
    }
    if let Some(version) = onnx.filter(|version| *version > TESTED_UP_TO) {
        tracing::warn!(version, "tract is tested with operator sets up to {TESTED_UP_TO}");
    }
    Ok(())
}

fn within(set: &OperatorSetIdProto, known: &std::ops::RangeInclusive<i64>) -> Result<(), ScanError> {
    if known.contains(&set.version) {
        return Ok(());
    }
    Err(ScanError::OperatorSet {
        domain: set.domain.clone(),
        found: set.version,
        lowest: *known.start(),
        highest: *known.end(),
    })
}

/// Names every operator of the graph and the graphs in it that is not implemented.
pub(super) fn check(graph: &GraphProto) -> Result<(), ScanError> {
    let mut implemented = tract_onnx::onnx().op_register;
    ml::register(&mut implemented);
    let mut missing = BTreeSet::new();
    collect(graph, &implemented, &mut missing);
    if missing.is_empty() {
        return Ok(());
    }
    Err(ScanError::Operators { operators: missing.into_iter().take(20).collect::<Vec<_>>().join(", ") })
}

fn collect(graph: &GraphProto, implemented: &OnnxOpRegister, missing: &mut BTreeSet<String>) {
    for node in &graph.node {
        if !spell::knows(node) && !known(node, implemented) {
            missing.insert(shown(node));
        }
        subgraphs(node).for_each(|graph| collect(graph, implemented, missing));
    }
}

fn known(node: &NodeProto, implemented: &OnnxOpRegister) -> bool {
    let name = node.op_type.as_str();
    let in_domain = match node.domain.as_str() {
        "" | "ai.onnx" => !ML_OPERATORS.contains(&name),
        ML => ML_OPERATORS.contains(&name),
        CONTRIB => CONTRIB_OPERATORS.contains(&name),
        _ => false,
    };
    in_domain && implemented.0.contains_key(name)
}

/// Names come from the file: they are cut and stripped of control characters before they reach a log.
fn shown(node: &NodeProto) -> String {
    let clean = |text: &str| text.chars().filter(|c| !c.is_control()).take(64).collect::<String>();
    match node.domain.as_str() {
        "" => clean(&node.op_type),
        domain => format!("{}::{}", clean(domain), clean(&node.op_type)),
    }
}
