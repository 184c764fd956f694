//! The shapes of answers: Hugging Face's for classify and detect, DeepFace's for faces.

use serde::Serialize;
use utoipa::ToSchema;

/// What one item of a request (an image, a row, a set of tensors) is answered with.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// Best first.
    Labels(Vec<LabelScore>),
    /// Best first.
    Detections(Vec<Detection>),
    /// One vector.
    Embedding(Embedding),
    /// Best first.
    Faces(Faces),
    /// Two faces compared.
    Comparison(Comparison),
    /// One row.
    Row(Row),
    /// What a graph put out, as the Open Inference Protocol v2 has it.
    Tensors(Tensors),
}

impl Answer {
    /// The classes it names: the best label, or that of each detection. None where nothing is told apart.
    pub fn classes(&self) -> impl Iterator<Item = &str> {
        let (best, detections): (Option<&str>, &[Detection]) = match self {
            Self::Labels(labels) => (labels.first().map(|best| best.label.as_str()), &[]),
            Self::Row(row) => (row.label.as_deref(), &[]),
            Self::Detections(detections) => (None, detections),
            Self::Embedding(_) | Self::Faces(_) | Self::Comparison(_) | Self::Tensors(_) => (None, &[]),
        };
        best.into_iter().chain(detections.iter().map(|detection| detection.label.as_str()))
    }
}

/// A label and how sure the model is of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct LabelScore {
    pub label: String,
    pub score: f32,
}

/// A box with its label.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Detection {
    pub label: String,
    pub score: f32,
    #[serde(rename = "box")]
    pub corners: Corners,
}

/// Corners in pixels of the image as sent, orientation applied.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Corners {
    pub xmin: f32,
    pub ymin: f32,
    pub xmax: f32,
    pub ymax: f32,
}

/// One vector.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Embedding {
    pub embedding: Vec<f32>,
}

/// All faces of an image.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Faces {
    pub results: Vec<Face>,
}

/// One face, with DeepFace's field names. What the manifest leaves out is left out here.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Face {
    pub facial_area: FacialArea,
    pub face_confidence: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub embedding: Option<Vec<f32>>,
    /// In years.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub age: Option<f32>,
    /// Label to per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<std::collections::BTreeMap<String, f32>>)]
    pub gender: Option<Scores>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub dominant_gender: Option<String>,
    /// Label to per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<std::collections::BTreeMap<String, f32>>)]
    pub emotion: Option<Scores>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub dominant_emotion: Option<String>,
}

/// Label to per cent.
pub type Scores = std::collections::BTreeMap<String, f32>;

/// Box and landmarks in pixels of the image as sent, orientation applied; `left` is the person's own left.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct FacialArea {
    pub x: f32,
    pub y: f32,
    pub w: f32,
    pub h: f32,
    #[schema(min_items = 2, max_items = 2)]
    pub left_eye: [f32; 2],
    #[schema(min_items = 2, max_items = 2)]
    pub right_eye: [f32; 2],
    #[schema(min_items = 2, max_items = 2)]
    pub nose: [f32; 2],
    #[schema(min_items = 2, max_items = 2)]
    pub mouth_left: [f32; 2],
    #[schema(min_items = 2, max_items = 2)]
    pub mouth_right: [f32; 2],
}

/// Two faces compared, with DeepFace's field names.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Comparison {
    pub verified: bool,
    pub distance: f32,
    pub threshold: f32,
    pub similarity_metric: &'static str,
    #[schema(min_items = 2, max_items = 2)]
    pub facial_areas: [FacialArea; 2],
}

/// One row of a table.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub label: Option<String>,
    /// Scores by label, or one value for regression.
    pub scores: Vec<f32>,
}

/// All outputs of one run.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Tensors {
    pub model_name: String,
    pub model_version: String,
    pub outputs: Vec<OutputTensor>,
}

/// One output of a graph.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub struct OutputTensor {
    pub name: String,
    /// `BOOL`, `INT64`, `FP32`, ... as the Open Inference Protocol v2 names them: [`Values::datatype`].
    pub datatype: &'static str,
    pub shape: Vec<usize>,
    /// Flat, row-major.
    #[schema(value_type = Vec<serde_json::Value>)]
    pub data: Values,
}

/// Flat values of one type. Half precision is written as `F32` with the datatype `FP16`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Values {
    Bool(Vec<bool>),
    U8(Vec<u8>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Text(Vec<String>),
}

impl Values {
    /// The Open Inference Protocol's name of the values' type.
    pub fn datatype(&self) -> &'static str {
        match self {
            Self::Bool(_) => "BOOL",
            Self::U8(_) => "UINT8",
            Self::I8(_) => "INT8",
            Self::I16(_) => "INT16",
            Self::I32(_) => "INT32",
            Self::I64(_) => "INT64",
            Self::U16(_) => "UINT16",
            Self::U32(_) => "UINT32",
            Self::U64(_) => "UINT64",
            Self::F32(_) => "FP32",
            Self::F64(_) => "FP64",
            Self::Text(_) => "BYTES",
        }
    }
}
