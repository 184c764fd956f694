//! `[task.tabular]` and `[task.tensor]`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `[task.tabular]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tabular {
    /// The ONNX file.
    pub graph: String,
    /// The graph's input `[N, features]`; may be left out when it has one.
    pub input: Option<String>,
    /// One per column, in order.
    pub features: Vec<Feature>,
    /// Output with class indices `[N]`; absent for regression.
    pub label_output: Option<String>,
    /// Output with scores `[N, classes]`, or values `[N]` or `[N, 1]` for regression.
    pub score_output: String,
    /// One label per class; empty for regression.
    #[serde(default)]
    pub labels: Vec<String>,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// The column's name, as CSV headers and JSON objects give it.
    pub name: String,
    /// Values below are refused.
    pub min: Option<f64>,
    /// Values above are refused.
    pub max: Option<f64>,
}

/// `[task.tensor]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorTask {
    /// The ONNX file.
    pub graph: String,
    /// Values for the graph's symbolic dimensions (`N = 1`); every one must be given.
    #[serde(default)]
    pub dimensions: BTreeMap<String, usize>,
}
