//! `model.toml`: every key, its meaning and its default.

mod faces;
mod image;
mod tabular;
mod task;

use serde::Deserialize;

pub use faces::*;
pub use image::*;
pub use tabular::*;
pub use task::*;

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
    /// How answers are given.
    #[serde(default)]
    pub answers: Answers,
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

/// `[limits]`: what one request may bring.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest image, in millions of pixels.
    pub megapixels: u32,
    /// Largest image file, in MB (10^6 bytes).
    pub image_mb: u32,
    /// Most images, rows or records of one request; [`Limits::items`] says how many where nothing is stated.
    pub items: Option<usize>,
}

impl Limits {
    /// Most items of a request: a bundle that was read has the number of its task here.
    pub fn items(&self) -> usize {
        self.items.unwrap_or(MOST_RECORDS)
    }
}

/// `[answers]`: how answers are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Answers {
    /// What a bad record comes to where each answer has a line of its own.
    pub bad_records: BadRecords,
    /// Whether the header `X-Amzn-SageMaker-Custom-Attributes` is given back as it came.
    pub custom_attributes: bool,
}

/// What a record that cannot be answered comes to where each answer has a line of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BadRecords {
    /// Its line is an error, the others are answered.
    #[default]
    Placeholder,
    /// Its request fails.
    Fail,
}

/// Rows and records of a request, where the manifest does not say.
const MOST_RECORDS: usize = 10_000;
/// Images of a request, where the manifest does not say: each is decoded and takes a run of milliseconds to seconds.
const MOST_IMAGES: usize = 100;

impl Task {
    pub(super) fn most_items(&self) -> usize {
        match self {
            Self::Classify(_) | Self::Detect(_) | Self::Embed(_) | Self::Faces(_) => MOST_IMAGES,
            Self::Tabular(_) | Self::Tensor(_) => MOST_RECORDS,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { megapixels: 40, image_mb: 25, items: None }
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

fn thousandth() -> f64 {
    1e-3
}
