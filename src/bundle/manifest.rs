//! `model.toml`: every key, its meaning and its default.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `model.toml`, or what a Hugging Face export says in its own files.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The model's name: lower-case letters, digits, `-`, `.`, `_`; at most 63 characters.
    pub name: String,
    /// Semantic version of the content; begins with a digit.
    pub version: String,
    /// SPDX expression of the weights' licence.
    pub license: String,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// What the model does and how its inputs and outputs are read: exactly one `[task.NAME]` table.
    pub task: Task,
    /// Bounds on what a request may bring.
    #[serde(default)]
    pub limits: Limits,
    /// Inputs with their expected answers, run before the model is called ready.
    #[serde(default)]
    pub self_test: Vec<SelfTestVector>,
}

/// The `[task.NAME]` table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Image to labels with scores.
    Classify(Classify),
    /// Image to boxes with labels and scores.
    Detect(Detect),
    /// Image to a vector.
    Embed(Embed),
    /// Image to faces: box, landmarks and, where the manifest names their graphs, embedding, age, gender, emotion.
    Faces(Box<Faces>),
    /// Rows of numbers to labels or values.
    Tabular(Tabular),
    /// Named tensors to named tensors, as the Open Inference Protocol v2 has them.
    Tensor(TensorTask),
}

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

/// An image input of a graph, `[1, 3, height, width]` or as `pixels.layout` says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageInput {
    /// The graph's input; may be left out when it has one.
    pub name: Option<String>,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// How the image is fitted to width and height.
    #[serde(default)]
    pub resize: Resize,
    /// How pixels between pixels are computed, always with antialias, as Pillow does.
    #[serde(default)]
    pub interpolation: Interpolation,
    /// From pixels to numbers.
    #[serde(default)]
    pub pixels: Pixels,
}

/// How an image is fitted to the input's width and height.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Resize {
    /// Both sides are scaled on their own.
    #[default]
    Stretch,
    /// The shorter side is scaled to this many pixels, then width and height are cut from the middle.
    ShorterSide(u32),
    /// The whole image is scaled to fit, the rest is filled.
    Letterbox {
        /// Where the image lies.
        #[serde(default)]
        position: Position,
        /// RGB of the filling.
        #[serde(default)]
        fill: [u8; 3],
    },
}

/// Where a letterboxed image lies.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Position {
    /// In the middle.
    #[default]
    Center,
    /// In the top left corner.
    TopLeft,
}

/// Resampling filters, named and computed as Pillow's.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interpolation {
    /// Nearest neighbour.
    Nearest,
    /// Triangle filter.
    #[default]
    Bilinear,
    /// Cubic filter with a = -0.5.
    Bicubic,
    /// Lanczos with three lobes.
    Lanczos,
}

/// From 8-bit pixels to numbers: `(pixel * scale - mean) / std`, channel by channel in `color_order`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pixels {
    /// Order of the channels in the tensor.
    pub color_order: ColorOrder,
    /// Order of the axes in the tensor.
    pub layout: Layout,
    /// Multiplied first.
    pub scale: f32,
    /// Subtracted second.
    pub mean: [f32; 3],
    /// Divided by last.
    pub std: [f32; 3],
}

impl Default for Pixels {
    fn default() -> Self {
        Self {
            color_order: ColorOrder::default(),
            layout: Layout::default(),
            scale: 1.0,
            mean: [0.0; 3],
            std: [1.0; 3],
        }
    }
}

/// Order of the colour channels.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ColorOrder {
    /// Red first.
    #[default]
    Rgb,
    /// Blue first.
    Bgr,
}

/// Order of a tensor's axes.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Layout {
    /// Batch, channels, height, width.
    #[default]
    Nchw,
    /// Batch, height, width, channels.
    Nhwc,
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

/// `[limits]`: what one request may bring.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest image, in millions of pixels.
    pub megapixels: u32,
    /// Largest image file, in MB (10^6 bytes).
    pub image_mb: u32,
    /// Most images, rows or records of one request.
    pub items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { megapixels: 40, image_mb: 25, items: 10_000 }
    }
}

/// `[[self_test]]`: an input and the answer it must give.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTestVector {
    /// File with the request body.
    pub input: String,
    /// Content-Type of the body.
    pub media_type: String,
    /// File with the answer as JSON.
    pub expected: String,
    /// How far a number may lie from the expected one: `|a - b| <= tolerance * max(1, |b|)`.
    #[serde(default = "thousandth")]
    pub tolerance: f64,
}

fn five() -> usize {
    5
}

fn hundred() -> usize {
    100
}

fn half() -> f32 {
    0.5
}

fn third() -> f32 {
    0.3
}

fn thousandth() -> f64 {
    1e-3
}
