//! From a request's body to what a task reads: images, rows or tensors.
//!
//! Every form is bounded while it is read: items by `[limits] items`, image files by `[limits] image_mb` (base64 before
//! it is decoded), values of a row, tensors and their dimensions by the constants below, JSON's nesting by
//! `serde_json`'s 128 levels. Error texts carry places and expectations, never values of the body; a name in them is cut short.

mod base64;
mod csv;
mod images;
mod json;
mod media;
mod multipart;
mod npy;
mod open_inference;
mod rows;

use std::sync::Arc;

use bytes::Bytes;

use self::media::Form;
pub(super) use self::open_inference::datatype;
use super::{PredictError, Request};
use crate::bundle::Limits;
use crate::model::{DType, Tensor};

/// Most values of one row.
const ROW_VALUES: usize = 65_536;
/// Most tensors of one record.
const RECORD_TENSORS: usize = 256;
/// Most dimensions of one tensor.
const TENSOR_DIMENSIONS: usize = 32;
/// Longest name of a tensor or column and longest request id, in bytes.
const NAME_BYTES: usize = 1024;

/// What a task reads; decides which content types and forms are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// `classify`, `detect`, `embed`, `faces`.
    Images,
    /// `tabular`.
    Rows,
    /// `tensor`.
    Tensors,
}

/// The items of a request, in the order sent.
#[derive(Debug)]
pub enum Items {
    /// Image files, not yet decoded.
    Images(Vec<Bytes>),
    /// `{"task":"compare","images":[a,b]}`: two image files.
    Compare([Bytes; 2]),
    /// Rows of finite numbers within f32's range.
    Rows(Vec<RawRow>),
    /// Records: each is what one run of the graph takes.
    Tensors(Vec<Vec<NamedTensor>>),
}

/// One row of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum RawRow {
    /// In the order of the manifest's features.
    Ordered(Vec<f64>),
    /// By the features' names.
    Named {
        /// Distinct; rows of a table share them.
        names: Arc<[String]>,
        /// One for each name.
        values: Vec<f64>,
    },
}

/// One input of a graph.
#[derive(Debug, Clone)]
pub struct NamedTensor {
    /// As the request names it; empty where the form has no names (npy, CSV): the graph's only input.
    pub name: String,
    /// As the request says (CSV: `F32`). `tensor` has this type, but for `F16`, whose values come as `f32`.
    pub datatype: DType,
    /// Every dimension.
    pub shape: Vec<usize>,
    /// The values.
    pub tensor: Tensor,
}

/// How the answers are wrapped: as the request wrapped its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Envelope {
    /// One item, its answer alone.
    Bare,
    /// A JSON list of answers (`{"inputs": [...]}`, as Hugging Face).
    List,
    /// `{"predictions": [...]}`, as SageMaker and TensorFlow Serving.
    Predictions,
    /// One JSON document a line (JSON Lines).
    Lines,
    /// `{"id", "outputs"}` of the Open Inference Protocol v2.
    OpenInference {
        /// Given back as it came.
        id: Option<String>,
    },
}

/// A request's items and how its answers are wrapped.
#[derive(Debug)]
pub struct Decoded {
    /// At least one, at most `limits.items`.
    pub items: Items,
    /// How the answers are wrapped.
    pub envelope: Envelope,
}

/// Reads a body as its Content-Type says. Without one, and for `application/octet-stream`, `file-path/raw-bytes` and
/// curl's `application/x-www-form-urlencoded`, the body's first bytes decide.
///
/// | form | images | rows | tensors |
/// |---|---|---|---|
/// | the file itself | bare | | |
/// | JSON `{"instances": [...]}` | predictions | predictions | |
/// | JSON `{"inputs": one}`, `{"inputs": [...]}` | bare, list | bare, list | Open Inference Protocol v2 |
/// | JSON `{"images": [...]}` | predictions; `"task": "compare"` takes two | | |
/// | JSON, the item itself or a list of items | bare, list | bare, list | |
/// | JSON Lines, one item a line | lines | lines | lines |
/// | `multipart/form-data` | one file: bare; several: predictions | | |
/// | CSV, npy | | predictions | bare (one unnamed tensor) |
///
/// An image item is base64 (standard or URL-safe, padded or not, whitespace and a `data:` prefix allowed), `{"b64": it}`
/// or `{"image": either}`. A row is a list of numbers, `{"features": it}` or an object of numbers by feature.
///
/// # Errors
/// Every variant of [`PredictError`] that speaks of the request, but for those of decoding images.
pub fn decode(request: &Request, reads: Reads, limits: &Limits) -> Result<Decoded, PredictError> {
    let form = media::form(request.media_type.as_deref(), &request.body, reads)?;
    if request.body.is_empty() {
        return Err(PredictError::EmptyBody);
    }
    match (form, reads) {
        (Form::Image, _) => Ok(Decoded { items: Items::Images(vec![request.body.clone()]), envelope: Envelope::Bare }),
        (Form::Multipart { boundary }, _) => multipart::read(&request.body, &boundary, limits),
        (Form::Json, Reads::Images) => images::json(&request.body, limits),
        (Form::Json, Reads::Rows) => rows::json(&request.body, limits),
        (Form::Json, Reads::Tensors) => open_inference::json(&request.body, limits),
        (Form::JsonLines, Reads::Images) => images::lines(&request.body, limits),
        (Form::JsonLines, Reads::Rows) => rows::lines(&request.body, limits),
        (Form::JsonLines, Reads::Tensors) => open_inference::lines(&request.body, limits),
        (Form::Csv, Reads::Tensors) => csv::tensor(&request.body, limits),
        (Form::Csv, Reads::Images | Reads::Rows) => csv::rows(&request.body, limits),
        (Form::Npy, Reads::Tensors) => npy::tensor(&request.body),
        (Form::Npy, Reads::Images | Reads::Rows) => npy::rows(&request.body, limits),
    }
}

fn malformed(format: &'static str, reason: impl Into<String>) -> PredictError {
    PredictError::Malformed { format, reason: reason.into() }
}

fn invalid(what: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> PredictError {
    PredictError::InvalidInput { what: what.into(), expected: expected.into(), found: found.into() }
}

fn check_items(found: usize, limits: &Limits) -> Result<(), PredictError> {
    let limit = limits.items();
    if found <= limit { Ok(()) } else { Err(PredictError::TooManyItems { found, limit }) }
}

/// A number that f32 can hold: the graphs' arithmetic is f32.
fn checked_number(value: f64, what: impl FnOnce() -> String) -> Result<f64, PredictError> {
    if value.abs() <= f64::from(f32::MAX) {
        return Ok(value);
    }
    let found = if value.is_finite() { "a number beyond it" } else { "NaN or infinity" };
    Err(invalid(what(), "a finite number within the range of f32", found))
}

/// A word of the request in an error: short, without line breaks.
pub(super) fn quoted(word: &str) -> String {
    word.chars().take(64).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
