//! From a request's body to what a task reads: images, rows or tensors.
//!
//! A body of records (JSON Lines, CSV rows, RecordIO) is cut into groups of them while it arrives, see [`Records`]; every
//! other body is one document and read whole. Every form is bounded while it is read: items by `[limits] items`, image files by `[limits] image_mb` (base64 before
//! it is decoded), values of a row, tensors and their dimensions by the constants below, JSON's nesting by
//! `serde_json`'s 128 levels. Error texts carry places and expectations, never values of the body; a name in them is cut short.

mod base64;
mod csv;
mod group;
mod images;
mod json;
mod media;
mod multipart;
mod npy;
mod open_inference;
mod record_io;
mod records;
mod rows;

use std::sync::Arc;

use bytes::Bytes;

pub use self::group::Group;
use self::media::Form;
pub(super) use self::open_inference::datatype;
pub use self::records::{Records, Terms};
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

/// What one answer is for.
#[derive(Debug)]
pub enum Item {
    /// An image file, not yet decoded.
    Image(Bytes),
    /// `{"task":"compare","images":[a,b]}`: two image files.
    Compare([Bytes; 2]),
    /// One row of finite numbers within f32's range.
    Row(RawRow),
    /// One record: what one run of the graph takes.
    Tensors(Vec<NamedTensor>),
}

/// An item, or why a record is none: the other records of its request are read all the same.
pub type ReadItem = Result<Item, PredictError>;

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
    /// At least one, at most `limits.items`, in the order sent.
    pub items: Vec<ReadItem>,
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
/// | RecordIO, one item a record | lines | lines | |
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
    let body = &request.body;
    match (form, reads) {
        (Form::Image, _) => Ok(Decoded { items: vec![Ok(Item::Image(body.clone()))], envelope: Envelope::Bare }),
        (Form::Multipart { boundary }, _) => multipart::read(body, &boundary, limits),
        (Form::Json, Reads::Images) => images::json(body, limits),
        (Form::Json, Reads::Rows) => rows::json(body, limits),
        (Form::Json, Reads::Tensors) => open_inference::json(body, limits),
        (Form::Csv, Reads::Tensors) => csv::tensor(body, limits),
        (Form::Npy, Reads::Tensors) => npy::tensor(body),
        (Form::Npy, Reads::Images | Reads::Rows) => npy::rows(body, limits),
        (Form::JsonLines, _) => records::whole(records::Framing::JsonLines, body, reads, limits),
        (Form::Csv, Reads::Images | Reads::Rows) => records::whole(records::Framing::Csv, body, reads, limits),
        (Form::RecordIo, _) => records::whole(records::Framing::RecordIo, body, reads, limits),
    }
}

/// The records of a body that Content-Type says consists of them; `None` for one that is read whole.
///
/// # Errors
/// [`PredictError::UnsupportedMediaType`], before the body is there.
pub fn records(media_type: Option<&str>, reads: Reads, terms: Terms) -> Result<Option<Records>, PredictError> {
    let framing = match media::named_form(media_type, reads)? {
        Some(Form::JsonLines) => records::Framing::JsonLines,
        Some(Form::Csv) if reads == Reads::Rows => records::Framing::Csv,
        Some(Form::RecordIo) => records::Framing::RecordIo,
        Some(Form::Image | Form::Multipart { .. } | Form::Json | Form::Csv | Form::Npy) | None => return Ok(None),
    };
    Ok(Some(Records::new(framing, terms)))
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
