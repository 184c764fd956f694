//! What goes wrong between an ONNX file and an answer.

use std::fmt::Display;

/// tract's errors, with their chain of causes.
pub(super) type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a graph is not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no such file.
    #[error("the bundle has no file {name}")]
    MissingFile {
        /// Path in the bundle.
        name: String,
    },
    /// The file is refused before it is trusted.
    #[error("{name} is refused")]
    Scan {
        /// Path in the bundle.
        name: String,
        /// What is wrong with it.
        source: ScanError,
    },
    /// A dimension of an input has no number.
    #[error("dimension {dimension} of input {input} is bound to nothing")]
    Unbound {
        /// The graph's input.
        input: String,
        /// Its symbolic name, or its place where it has none.
        dimension: String,
    },
    /// A binding contradicts the graph.
    #[error("{what}: the graph has {expected}, the binding says {found}")]
    Binding {
        /// An input or a dimension.
        what: String,
        /// What the graph has.
        expected: String,
        /// What was asked for.
        found: String,
    },
    /// tract cannot run this graph.
    #[error("tract cannot {stage} {name}")]
    Engine {
        /// A verb.
        stage: &'static str,
        /// Path in the bundle.
        name: String,
        /// tract's words.
        source: Cause,
    },
    /// The first run answered something else than the graph declares.
    #[error("output {output}: the graph declares {expected}, the first run answered {found}")]
    Output {
        /// The graph's output.
        output: String,
        /// Element type and shape.
        expected: String,
        /// Element type and shape.
        found: String,
    },
}

impl LoadError {
    /// Names the file, for checks that know only the graph.
    pub(super) fn in_file(self, file: &str) -> Self {
        match self {
            Self::Scan { source, .. } => Self::Scan { name: file.to_owned(), source },
            Self::MissingFile { .. } | Self::Unbound { .. } | Self::Binding { .. } => self,
            Self::Engine { .. } | Self::Output { .. } => self,
        }
    }

    /// What to do about it, where there is something.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Scan { source, .. } => source.remedy().map(str::to_owned),
            Self::Unbound { dimension, .. } => Some(format!(
                "give {dimension} a number: `dimensions` in model.toml, or export the model with a fixed shape"
            )),
            Self::Output { .. } => Some("export the graph with the classic exporter (torch: dynamo=False)".to_owned()),
            Self::MissingFile { .. } | Self::Binding { .. } | Self::Engine { .. } => None,
        }
    }
}

/// Why an ONNX file is refused before tract sees it.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// Not a protobuf message, truncated, or nested deeper than 100 messages (prost's own bound).
    #[error("the file is no ONNX model")]
    Protobuf(#[from] prost::DecodeError),
    /// A part that every model has is not there, or is there twice.
    #[error("the model is malformed: {reason}")]
    Malformed {
        /// Where and what.
        reason: String,
    },
    /// Too much of something.
    #[error("{what}: {found} is beyond the limit of {limit}")]
    Limit {
        /// What is counted.
        what: String,
        /// How much there is.
        found: u64,
        /// How much there may be.
        limit: u64,
    },
    /// The operator set is one that tract does not know.
    #[error("operator set {found} of domain \"{domain}\" is not read; {lowest} to {highest} are")]
    OperatorSet {
        /// Empty for ONNX's own.
        domain: String,
        /// As imported.
        found: i64,
        /// First that is read.
        lowest: i64,
        /// Last that is read.
        highest: i64,
    },
    /// Operators that tract does not implement.
    #[error("operators that are not implemented: {operators}")]
    Operators {
        /// `domain::operator`, separated by commas.
        operators: String,
    },
    /// A node is not as its operator has it, or uses a part of it that is not implemented.
    #[error("node {node} ({operator}): expected {expected}, found {found}")]
    Node {
        /// The node's name, or that of what it makes.
        node: Box<str>,
        /// Its operator.
        operator: Box<str>,
        /// What there should be.
        expected: Box<str>,
        /// What there is.
        found: Box<str>,
    },
    /// Weights outside the ONNX file that are not inside the bundle.
    #[error("tensor {tensor}: external data {location}: {reason}")]
    External {
        /// The tensor's name.
        tensor: String,
        /// As the file has it.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A weight is not a finite number.
    #[error("tensor {tensor} holds {value} at {index}")]
    NotFinite {
        /// The tensor's name.
        tensor: String,
        /// NaN or an infinity.
        value: f64,
        /// Place in row-major order.
        index: usize,
    },
}

impl ScanError {
    /// What to do about it, where there is something.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::OperatorSet { .. } => {
                Some("convert the model with onnx.version_converter, or export it with opset 17")
            }
            Self::Operators { .. } => Some("export without them; docs/MODELS.md lists what is missing"),
            Self::External { .. } => Some("put the data file into the bundle, next to the ONNX file"),
            Self::NotFinite { .. } => Some("the training diverged or the export is damaged: export the model again"),
            Self::Node { .. } => {
                Some("export the model again, or quantize it with onnxruntime.quantization as it comes")
            }
            Self::Protobuf(_) | Self::Malformed { .. } | Self::Limit { .. } => None,
        }
    }

    pub(super) fn malformed(reason: impl Display) -> Self {
        Self::Malformed { reason: reason.to_string() }
    }
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A tensor was made of too few or too many values.
    #[error("a tensor of shape {shape:?} holds {expected} values, not {found}")]
    Count {
        /// As asked for.
        shape: Vec<usize>,
        /// Product of the shape.
        expected: usize,
        /// Number of values.
        found: usize,
    },
    /// A tensor beyond the address space.
    #[error("a tensor of shape {shape:?} is beyond this machine's memory")]
    TooLarge {
        /// As asked for.
        shape: Vec<usize>,
    },
    /// Too few or too many inputs.
    #[error("the graph takes {expected} inputs, not {found}")]
    InputCount {
        /// What the graph takes.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// An input of another type or shape.
    #[error("input {input} takes {expected}, not {found}")]
    Input {
        /// The graph's input.
        input: String,
        /// Element type and shape.
        expected: String,
        /// Element type and shape.
        found: String,
    },
    /// tract failed.
    #[error("the engine failed")]
    Engine {
        /// tract's words.
        source: Cause,
    },
    /// tract panicked; the session has been made anew.
    #[error("the engine panicked")]
    Panicked,
}

impl RunError {
    pub(super) fn engine(source: impl Into<Cause>) -> Self {
        Self::Engine { source: source.into() }
    }

    pub(super) fn too_large(shape: &[usize]) -> Self {
        Self::TooLarge { shape: shape.to_vec() }
    }
}
