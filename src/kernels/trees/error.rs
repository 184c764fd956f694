//! What is wrong with an ensemble, or with what it is asked to score.

/// Why an ensemble is refused, or cannot score.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// An attribute as a whole.
    #[error("attribute {attribute} {problem}")]
    Attribute {
        /// Its name in the ONNX specification.
        attribute: &'static str,
        /// What was expected and found.
        problem: String,
    },
    /// One entry of an attribute.
    #[error("attribute {attribute}[{index}] {problem}")]
    Entry {
        /// Its name in the ONNX specification.
        attribute: &'static str,
        /// The entry.
        index: usize,
        /// What was expected and found.
        problem: String,
    },
    /// Rows with too few features.
    #[error("the trees read {needed} features of a row, the input has {found}")]
    Features {
        /// What the trees read.
        needed: usize,
        /// What a row has.
        found: usize,
    },
    /// Buffers that do not fit each other.
    #[error("{values} values do not make whole rows of {features} features for {scores} scores")]
    Rows {
        /// Numbers in all rows.
        values: usize,
        /// Numbers in a row.
        features: usize,
        /// Room for scores.
        scores: usize,
    },
    /// Classes asked of a regressor, or into a buffer of another length.
    #[error("{rows} rows do not give {found} classes")]
    Classes {
        /// Rows given.
        rows: usize,
        /// Room for classes.
        found: usize,
    },
}

impl TreeError {
    pub(super) fn attribute(attribute: &'static str, problem: impl Into<String>) -> Self {
        Self::Attribute { attribute, problem: problem.into() }
    }

    pub(super) fn entry(attribute: &'static str, index: usize, problem: impl Into<String>) -> Self {
        Self::Entry { attribute, index, problem: problem.into() }
    }
}
