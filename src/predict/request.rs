//! From a request's body to what a task reads: images, rows or tensors.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{PredictError, Request};
use crate::bundle::Limits;
use crate::model::{DType, Tensor};

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
    Named(BTreeMap<String, f64>),
}

/// One input of a graph.
#[derive(Debug, Clone)]
pub struct NamedTensor {
    /// As the request names it; empty where the form has no names (npy, CSV): the graph's only input.
    pub name: String,
    /// As the request says; `tensor` has this type, but for `F16`, whose values come as `f32`.
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

/// Reads a body.
pub fn decode(request: &Request, reads: Reads, limits: &Limits) -> Result<Decoded, PredictError> {
    let _ = (request, reads, limits);
    todo!()
}
