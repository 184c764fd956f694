//! `[task.faces]`: finding, comparing and describing faces.

use serde::Deserialize;

use super::{Activation, ImageInput, Labels, Metric, Pixels};

/// `[task.faces]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faces {
    /// Finds the faces.
    pub detector: FaceDetector,
    /// Turns a face into a vector; needed for comparing.
    pub embedding: Option<FaceEmbedding>,
    /// Estimates the age in years; off when absent.
    pub age: Option<FaceAge>,
    /// Estimates the gender; off when absent.
    pub gender: Option<FaceAttribute>,
    /// Estimates the emotion; off when absent.
    pub emotion: Option<FaceAttribute>,
}

/// `[task.faces.detector]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaceDetector {
    /// The ONNX file; a CenterFace graph.
    pub graph: String,
    /// How an image becomes the graph's input.
    pub input: ImageInput,
    /// Faces below this score are dropped.
    #[serde(default = "half")]
    pub score_threshold: f32,
    /// Of two boxes that overlap by more than this (intersection over union), the weaker is dropped.
    #[serde(default = "third")]
    pub iou_threshold: f32,
    /// How many faces are analysed at most, best first.
    #[serde(default = "hundred")]
    pub max_faces: usize,
}

/// `[task.faces.embedding]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaceEmbedding {
    /// The ONNX file.
    pub graph: String,
    /// How a face becomes the graph's input.
    pub chip: FaceChip,
    /// The output to read; may be left out when the graph has one output.
    pub output: Option<String>,
    /// How two vectors are compared.
    #[serde(default)]
    pub metric: Metric,
    /// Two faces at most this far apart are called the same person.
    pub threshold: f32,
}

/// `[task.faces.age]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaceAge {
    /// The ONNX file.
    pub graph: String,
    /// How a face becomes the graph's input.
    pub chip: FaceChip,
    /// The output to read, `[1, 1]` in years; may be left out when the graph has one output.
    pub output: Option<String>,
}

/// `[task.faces.gender]` and `[task.faces.emotion]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaceAttribute {
    /// The ONNX file.
    pub graph: String,
    /// How a face becomes the graph's input.
    pub chip: FaceChip,
    /// The output to read; may be left out when the graph has one output.
    pub output: Option<String>,
    /// What turns the output into scores.
    #[serde(default)]
    pub activation: Activation,
    /// One label per class.
    pub labels: Labels,
}

/// A square cut of a face, its eyes, nose and mouth moved to dlib's mean face by a similarity transform.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaceChip {
    /// The graph's input; may be left out when it has one.
    pub name: Option<String>,
    /// Side of the chip in pixels.
    pub size: u32,
    /// Room around the mean face, as a part of its size.
    pub padding: f32,
    /// From pixels to numbers.
    #[serde(default)]
    pub pixels: Pixels,
}

fn half() -> f32 {
    0.5
}

fn third() -> f32 {
    0.3
}

fn hundred() -> usize {
    100
}
