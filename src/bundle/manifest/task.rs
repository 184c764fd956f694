//! `[task.classify]`, `[task.detect]` and `[task.embed]`, and what their outputs mean.

use serde::Deserialize;

use super::ImageInput;

/// `[task.classify]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classify {
    /// The ONNX file.
    pub graph: String,
    /// How an image becomes the graph's input.
    pub input: ImageInput,
    /// The output to read; may be left out when the graph has one output.
    pub output: Option<String>,
    /// What turns the output into scores.
    #[serde(default)]
    pub activation: Activation,
    /// One label per class.
    pub labels: Labels,
    /// How many labels an answer holds at most, best first.
    #[serde(default = "five")]
    pub top_k: usize,
}

/// `[task.detect]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detect {
    /// The ONNX file.
    pub graph: String,
    /// How an image becomes the graph's input.
    pub input: ImageInput,
    /// How boxes are read from the outputs.
    pub decoder: Decoder,
    /// One label per class.
    pub labels: Labels,
    /// Boxes below this score are dropped.
    #[serde(default = "half")]
    pub score_threshold: f32,
    /// Of two boxes of one class that overlap by more than this (intersection over union), the weaker is dropped.
    #[serde(default = "half")]
    pub iou_threshold: f32,
    /// How many boxes an answer holds at most, best first.
    #[serde(default = "hundred")]
    pub max_detections: usize,
}

/// How boxes are read from a detector's outputs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Decoder {
    /// CenterFace: `heatmap`, `scale`, `offset`, `landmarks` at stride 4.
    Centerface {},
    /// One grid `[1, H, W, anchors * (5 + classes)]` of tx, ty, tw, th, logit, as YOLOv2 and face-api's tiny detector.
    YoloGrid {
        /// Width and height of each anchor, in cells.
        anchors: Vec<[f32; 2]>,
    },
    /// YOLOv8 and later: `[1, 4 + classes, N]`, centre x, centre y, width, height in input pixels, then class scores.
    Yolov8 {},
    /// Boxes the graph has decoded itself (torchvision): `[N, 4]` left, top, right, bottom in input pixels.
    Boxes {
        /// Output with the boxes.
        boxes: String,
        /// Output with the scores, `[N]`.
        scores: String,
        /// Output with the class indices, `[N]`; without it every box is of class 0.
        classes: Option<String>,
    },
    /// DETR and YOLOS: `logits` `[1, N, classes + 1]`, `pred_boxes` `[1, N, 4]` as relative centre and size.
    Detr {},
}

/// `[task.embed]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embed {
    /// The ONNX file.
    pub graph: String,
    /// How an image becomes the graph's input.
    pub input: ImageInput,
    /// The output to read; may be left out when the graph has one output.
    pub output: Option<String>,
    /// How an output `[1, T, D]` or `[1, D, H, W]` becomes one vector.
    #[serde(default)]
    pub pooling: Pooling,
    /// Whether the vector is scaled to length 1.
    #[serde(default)]
    pub normalize: bool,
}

/// What turns a graph's output into scores.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// The output already holds scores.
    #[default]
    None,
    /// Scores that sum to 1.
    Softmax,
    /// Each class on its own.
    Sigmoid,
}

/// How a map of vectors becomes one.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pooling {
    /// The output is the vector.
    #[default]
    None,
    /// The mean over positions.
    Mean,
    /// The first position (a transformer's class token).
    First,
}

/// How two vectors are compared.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// L2 distance.
    #[default]
    Euclidean,
    /// 1 - cosine similarity.
    Cosine,
}

/// Class labels: a text file of the bundle with one label a line, or a list in place.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Labels {
    /// Path relative to the bundle.
    File(String),
    /// The labels themselves.
    List(Vec<String>),
}

fn five() -> usize {
    5
}

fn half() -> f32 {
    0.5
}

fn hundred() -> usize {
    100
}
