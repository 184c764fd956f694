//! One request through one model, and the self-test. Knows no HTTP: the CLI, the self-test and the server run this code.

mod answer;
pub mod image;
pub mod request;
pub mod response;

use bytes::Bytes;

use crate::bundle::Bundle;
use crate::model::RunError;

pub use answer::*;

/// A request's body with the two headers that say what it is and what is wanted back.
#[derive(Clone)]
pub struct Request {
    /// Content-Type; guessed from the body where absent.
    pub media_type: Option<String>,
    /// Accept; `application/json` where absent.
    pub accept: Option<String>,
    /// Never logged.
    pub body: Bytes,
}

/// An answer's body and its bare Content-Type.
pub struct Response {
    /// Without parameters: SageMaker's data capture takes none.
    pub media_type: &'static str,
    /// Encoded as `media_type` says; no trailing newline.
    pub body: Vec<u8>,
}

/// A loaded bundle, shared by the inference threads.
pub struct Predictor(());

/// One inference thread's state of all graphs of a bundle.
pub struct Session(());

impl Predictor {
    /// Loads every graph the manifest names. Consumes the bundle, so that the files' memory is given back.
    pub fn load(bundle: Bundle) -> Result<Self, LoadError> {
        let _ = bundle;
        todo!()
    }
    /// The state for one inference thread.
    pub fn session(&self) -> Result<Session, RunError> {
        todo!()
    }
    /// Decodes, runs, encodes: all of one request's work, on the calling thread.
    pub fn predict(&self, session: &mut Session, request: &Request) -> Result<Response, PredictError> {
        let _ = (session, request);
        todo!()
    }
    /// Runs the bundle's self-test vectors and compares every answer.
    pub fn self_test(&self, session: &mut Session) -> Result<(), SelfTestError> {
        let _ = session;
        todo!()
    }
}

/// Why a bundle is not served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bundle lacks a file.
    #[error(transparent)]
    Bundle(#[from] crate::bundle::BundleError),
    /// A graph is refused.
    #[error("graph {graph} cannot be served")]
    Graph {
        /// Path in the bundle.
        graph: String,
        /// Why.
        source: crate::model::LoadError,
    },
    /// The manifest and the graph disagree.
    #[error("the manifest does not fit graph {graph}: {reason}")]
    Mismatch {
        /// Path in the bundle.
        graph: String,
        /// What was expected and found.
        reason: String,
    },
}

/// Why a self-test failed.
#[derive(Debug, thiserror::Error)]
pub enum SelfTestError {
    /// The answer is another.
    #[error("self-test {input}: at {at} expected {expected}, found {found}")]
    Differs {
        /// The vector's input file.
        input: String,
        /// JSON pointer into the answer.
        at: String,
        /// As JSON.
        expected: String,
        /// As JSON.
        found: String,
    },
    /// The request failed.
    #[error("self-test {input} failed")]
    Failed {
        /// The vector's input file.
        input: String,
        /// Why.
        source: PredictError,
    },
}

/// Why a request has no answer. `http/error.rs` maps every one to a status and a code.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// Content-Type names nothing this model reads.
    #[error("content type {found} is not read by this model; send {expected}")]
    UnsupportedMediaType {
        /// As sent.
        found: String,
        /// What is read.
        expected: &'static str,
    },
    /// Accept names nothing this model writes.
    #[error("cannot answer as {found}; accept {expected}")]
    NotAcceptable {
        /// As sent.
        found: String,
        /// What is written.
        expected: &'static str,
    },
    /// There is no body.
    #[error("the body is empty")]
    EmptyBody,
    /// The body is not what its Content-Type says.
    #[error("malformed {format}: {reason}")]
    Malformed {
        /// JSON, CSV, npy, multipart, base64.
        format: &'static str,
        /// Where and what.
        reason: String,
    },
    /// More images, rows or records than the bundle allows.
    #[error("{found} items in one request; at most {limit} are allowed")]
    TooManyItems {
        /// As sent.
        found: usize,
        /// `[limits] items`.
        limit: usize,
    },
    /// A tensor or row of another shape, type or range than the model takes.
    #[error("{what}: expected {expected}, found {found}")]
    InvalidInput {
        /// The input's, row's or column's name.
        what: String,
        /// What the model takes.
        expected: String,
        /// What came.
        found: String,
    },
    /// Not an image of a known format.
    #[error("item {item} is no image of a known format; send JPEG, PNG, WebP, GIF, BMP or TIFF")]
    UnknownImage {
        /// Counted from 0.
        item: usize,
    },
    /// Truncated or damaged.
    #[error("image {item} cannot be decoded: {reason}")]
    DamagedImage {
        /// Counted from 0.
        item: usize,
        /// The decoder's words.
        reason: String,
    },
    /// Larger than the bundle allows; found in the header, before decoding.
    #[error("image {item} is too large: {found}; at most {limit} is allowed")]
    ImageTooLarge {
        /// Counted from 0.
        item: usize,
        /// Size with unit.
        found: String,
        /// Limit with unit.
        limit: String,
    },
    /// Comparing needs one face in each image.
    #[error("no face found in image {item}")]
    NoFace {
        /// Counted from 0.
        item: usize,
    },
    /// The model cannot do what was asked.
    #[error("this model cannot {asked}: {reason}")]
    Unsupported {
        /// A verb.
        asked: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// The model failed on an input it should take: our fault.
    #[error("the model failed")]
    Run(#[from] RunError),
}
