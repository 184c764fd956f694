//! The attributes of `TreeEnsembleClassifier` and `TreeEnsembleRegressor`, as a file gives them.

use super::TreeError;

/// What a node of the graph holds.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    /// `nodes_*`.
    pub nodes: Nodes<'a>,
    /// `class_*` or `target_*`.
    pub leaves: Leaves<'a>,
    /// `base_values`; may be empty.
    pub base_values: &'a [f32],
    /// `post_transform`; `NONE` where absent.
    pub post_transform: &'a str,
    /// `aggregate_function`; `SUM` where absent. A classifier has none.
    pub aggregate_function: &'a str,
    /// What a row is scored for.
    pub outputs: Outputs,
}

/// `nodes_*`: one entry a node.
#[derive(Debug, Clone, Copy)]
pub struct Nodes<'a> {
    /// `nodes_treeids`; a tree's nodes stand together, its root first.
    pub tree_ids: &'a [i64],
    /// `nodes_nodeids`; unique within a tree.
    pub node_ids: &'a [i64],
    /// `nodes_featureids`.
    pub feature_ids: &'a [i64],
    /// `nodes_modes`.
    pub modes: &'a [&'a str],
    /// `nodes_values`: thresholds.
    pub values: &'a [f32],
    /// `nodes_truenodeids`.
    pub true_ids: &'a [i64],
    /// `nodes_falsenodeids`.
    pub false_ids: &'a [i64],
    /// `nodes_missing_value_tracks_true`; may be empty.
    pub missing_tracks_true: &'a [i64],
}

/// `class_*` or `target_*`: one entry a weight.
#[derive(Debug, Clone, Copy)]
pub struct Leaves<'a> {
    /// `class_treeids` or `target_treeids`.
    pub tree_ids: &'a [i64],
    /// `class_nodeids` or `target_nodeids`.
    pub node_ids: &'a [i64],
    /// `class_ids` or `target_ids`.
    pub ids: &'a [i64],
    /// `class_weights` or `target_weights`.
    pub weights: &'a [f32],
}

/// What a row is scored for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outputs {
    /// A classifier's classes: as many as there are labels.
    Classes(usize),
    /// A regressor's `n_targets`.
    Targets(usize),
}

impl Outputs {
    pub(super) fn count(self) -> usize {
        match self {
            Self::Classes(count) | Self::Targets(count) => count,
        }
    }

    /// The attribute's name for this kind of ensemble.
    pub(super) fn name(self, class: &'static str, target: &'static str) -> &'static str {
        match self {
            Self::Classes(_) => class,
            Self::Targets(_) => target,
        }
    }
}

/// How a node compares a feature with its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Leq,
    Lt,
    Gte,
    Gt,
    Eq,
    Neq,
    Leaf,
}

impl Mode {
    pub(super) fn parse(name: &str, index: usize) -> Result<Self, TreeError> {
        Ok(match name {
            "BRANCH_LEQ" => Self::Leq,
            "BRANCH_LT" => Self::Lt,
            "BRANCH_GTE" => Self::Gte,
            "BRANCH_GT" => Self::Gt,
            "BRANCH_EQ" => Self::Eq,
            "BRANCH_NEQ" => Self::Neq,
            "LEAF" => Self::Leaf,
            _ => {
                let problem = format!("is {name:?}, expected LEAF or BRANCH_ with LEQ, LT, GTE, GT, EQ or NEQ");
                return Err(TreeError::entry("nodes_modes", index, problem));
            }
        })
    }
}

/// How the trees' scores become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregate {
    Sum,
    Average,
    Min,
    Max,
}

impl Aggregate {
    pub(super) fn parse(name: &str, outputs: Outputs) -> Result<Self, TreeError> {
        match (name, outputs) {
            // The specification gives a classifier no such attribute.
            ("SUM", _) | (_, Outputs::Classes(_)) => Ok(Self::Sum),
            ("AVERAGE", _) => Ok(Self::Average),
            ("MIN", _) => Ok(Self::Min),
            ("MAX", _) => Ok(Self::Max),
            _ => {
                let problem = format!("is {name:?}, expected SUM, AVERAGE, MIN or MAX");
                Err(TreeError::attribute("aggregate_function", problem))
            }
        }
    }

    pub(super) fn numbered(number: i64) -> Result<Self, TreeError> {
        let all = [Self::Average, Self::Sum, Self::Min, Self::Max];
        usize::try_from(number).ok().and_then(|number| all.get(number).copied()).ok_or_else(|| {
            TreeError::attribute("aggregate_function", format!("is {number}, expected 0 to {}", all.len() - 1))
        })
    }
}

/// What is done to a row's scores at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostTransform {
    /// Nothing.
    Identity,
    /// They become shares of one.
    Softmax,
    /// Each goes between 0 and 1.
    Logistic,
    /// As [`Softmax`](Self::Softmax), of those that are not 0.
    SoftmaxZero,
    /// The inverse of the normal distribution.
    Probit,
}

impl PostTransform {
    /// The one of this name.
    ///
    /// # Errors
    /// The specification has none of this name.
    pub fn parse(name: &str) -> Result<Self, TreeError> {
        Ok(match name {
            "NONE" => Self::Identity,
            "SOFTMAX" => Self::Softmax,
            "LOGISTIC" => Self::Logistic,
            "SOFTMAX_ZERO" => Self::SoftmaxZero,
            "PROBIT" => Self::Probit,
            _ => {
                let problem = format!("is {name:?}, expected NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or PROBIT");
                return Err(TreeError::attribute("post_transform", problem));
            }
        })
    }

    pub(super) fn numbered(number: i64) -> Result<Self, TreeError> {
        match number {
            0 => Ok(Self::Identity),
            3 => Ok(Self::SoftmaxZero),
            4 => Ok(Self::Probit),
            1 | 2 => {
                let problem =
                    "softmax or logistic by the specification, the other one in onnxruntime: use a node for it";
                Err(TreeError::attribute("post_transform", format!("is {number}, {problem}")))
            }
            _ => Err(TreeError::attribute("post_transform", format!("is {number}, expected 0, 3 or 4"))),
        }
    }
}
