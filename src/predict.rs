//! One request through one model, and the self-test. Knows no HTTP: the CLI, the self-test and the server run this code.

mod answer;
mod describe;
mod geometry;
mod graphs;
pub mod image;
pub mod request;
pub mod response;
mod self_test;
mod task;

use std::sync::Arc;

use bytes::Bytes;

use crate::bundle::{Bundle, Manifest};
use crate::model::RunError;

use graphs::{GraphSession, Graphs, LoadedGraph};
use request::{Decoded, Envelope, Group, Records, Terms};
use response::Format;
use self_test::Vector;
use task::{Running, Task};

pub use answer::*;
pub use describe::Input;
pub use task::Images;

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

/// What a request's headers say, before its body is there.
#[derive(Debug)]
pub struct Intake {
    /// How the answers will be written.
    pub format: Format,
    /// A body of records, to be cut while it arrives; `None`: it is read whole.
    pub records: Option<Records>,
}

/// What a group of items came to.
#[derive(Debug, Default)]
pub struct Answered {
    /// One for each item, in order; nothing follows [`PredictError::Abandoned`].
    pub answers: Vec<Result<Answer, PredictError>>,
    /// The images among the items.
    pub images: Images,
}

/// A loaded bundle, shared by the inference threads.
pub struct Predictor {
    manifest: Manifest,
    task: Task,
    graphs: Vec<Arc<LoadedGraph>>,
    vectors: Vec<Vector>,
}

/// One inference thread's state of all graphs of a bundle.
pub struct Session {
    graphs: Vec<GraphSession>,
}

impl Predictor {
    /// Loads every graph the manifest names and checks that manifest and graphs fit. Consumes the bundle, so that the
    /// files' memory is given back; only the self-test's are kept.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load(bundle: Bundle) -> Result<Self, LoadError> {
        let mut graphs = Graphs::new(bundle.files());
        let task = Task::load(&bundle, &mut graphs)?;
        let graphs = graphs.into_loaded();
        let vectors = self_test::vectors(&bundle)?;
        Ok(Self { manifest: bundle.manifest().clone(), task, graphs, vectors })
    }

    /// Name, version, limits: what the bundle says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// As the manifest's `[task.NAME]` is called.
    pub fn task(&self) -> &'static str {
        self.task.name()
    }

    /// What a request's items are.
    pub fn inputs(&self) -> Vec<Input> {
        describe::inputs(&self.manifest.task, &self.task)
    }

    /// The first self-test vector: its file's name, and a request that this model answers.
    pub fn sample(&self) -> Option<(&str, Request)> {
        self.vectors.first().map(|vector| (vector.input.as_str(), vector.request.clone()))
    }

    /// The state for one inference thread.
    ///
    /// # Errors
    /// The engine cannot make it.
    pub fn session(&self) -> Result<Session, RunError> {
        let graphs = self.graphs.iter().map(GraphSession::new).collect::<Result<_, _>>()?;
        Ok(Session { graphs })
    }

    /// Such a state that every graph was run with once, on zeros: what only a run shows is shown, and its memory is there.
    ///
    /// # Errors
    /// The engine cannot make it, or fails.
    pub fn warm_session(&self) -> Result<Session, RunError> {
        let mut session = self.session()?;
        session.graphs.iter_mut().try_for_each(GraphSession::warm_up)?;
        Ok(session)
    }

    /// What a request with these headers is answered with and how its body is read.
    ///
    /// # Errors
    /// [`PredictError::NotAcceptable`], [`PredictError::UnsupportedMediaType`].
    pub fn intake(&self, media_type: Option<&str>, accept: Option<&str>, terms: Terms) -> Result<Intake, PredictError> {
        let format = response::negotiate(accept, self.task.answers())?;
        let mut records = request::records(media_type, self.task.reads(), terms)?;
        if let Some(records) = &mut records
            && response::line_format(format, &records.envelope()).is_none()
        {
            // All answers of a document are held at once.
            records.bound(self.manifest.limits.items());
        }
        Ok(Intake { format, records })
    }

    /// Reads a body that is there whole.
    ///
    /// # Errors
    /// Those of [`request::decode`].
    pub fn read(&self, request: &Request) -> Result<Decoded, PredictError> {
        request::decode(request, self.task.reads(), &self.manifest.limits)
    }

    /// Answers a group of a request's items, on the calling thread. `abandoned` is asked before every image, face, row
    /// and record: once it says yes, nobody waits for the answer any more.
    pub fn answer(&self, session: &mut Session, group: Group, abandoned: &dyn Fn() -> bool) -> Answered {
        let (first, mut answers) = (group.first(), Vec::with_capacity(group.count()));
        let items = group.read(self.task.reads(), &self.manifest.limits);
        let limits = image::ImageLimits::from(&self.manifest.limits);
        let mut running = Running::new(&mut session.graphs, &limits, abandoned);
        for answer in self.task.answer_each(&mut running, first, items) {
            let given_up = matches!(answer, Err(PredictError::Abandoned));
            answers.push(answer);
            if given_up {
                break;
            }
        }
        Answered { answers, images: running.images }
    }

    /// All of one request's work, on the calling thread: what the command line and the self-test do. The first item that
    /// has no answer fails it.
    ///
    /// # Errors
    /// See [`PredictError`].
    pub fn predict(
        &self,
        session: &mut Session,
        request: &Request,
        abandoned: &dyn Fn() -> bool,
    ) -> Result<Response, PredictError> {
        let format = response::negotiate(request.accept.as_deref(), self.task.answers())?;
        let (answers, envelope) = self.run(session, request, abandoned)?;
        response::encode(&answers, &envelope, format)
    }

    /// As [`Predictor::predict`], with the answers as they are before encoding: what drawing needs.
    ///
    /// # Errors
    /// See [`PredictError`].
    pub fn answers(&self, session: &mut Session, request: &Request) -> Result<Vec<Answer>, PredictError> {
        self.run(session, request, &|| false).map(|(answers, _)| answers)
    }

    /// Runs the bundle's self-test vectors and compares every answer.
    ///
    /// # Errors
    /// See [`SelfTestError`].
    pub fn self_test(&self, session: &mut Session) -> Result<(), SelfTestError> {
        self.vectors.iter().try_for_each(|vector| self_test::check(self, session, vector))
    }

    fn run(
        &self,
        session: &mut Session,
        request: &Request,
        abandoned: &dyn Fn() -> bool,
    ) -> Result<(Vec<Answer>, Envelope), PredictError> {
        let Decoded { items, envelope } = self.read(request)?;
        let limits = image::ImageLimits::from(&self.manifest.limits);
        let mut running = Running::new(&mut session.graphs, &limits, abandoned);
        let answers = self.task.answer_each(&mut running, 0, items).collect::<Result<_, _>>()?;
        Ok((answers, envelope))
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
    /// The expected answer, or the answer, is no JSON.
    #[error("self-test {input}: {what} is no JSON")]
    NotJson {
        /// The vector's input file.
        input: String,
        /// The file with the expected answer, or the answer.
        what: String,
        /// Where.
        source: serde_json::Error,
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
    /// Nobody waits for the answer any more.
    #[error("the request was given up before its answer was complete")]
    Abandoned,
    /// The resizer refused sizes that it should take: our fault.
    #[error("the image cannot be scaled: {reason}")]
    Scaling {
        /// The resizer's words.
        reason: String,
    },
    /// The model answered nonsense: not the caller's fault.
    #[error("the model's output {output} cannot be answered with: {reason}")]
    BadAnswer {
        /// The graph's output.
        output: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The model failed on an input it should take: our fault.
    #[error("the model failed")]
    Run(#[from] RunError),
}

impl PredictError {
    fn scaling(refusal: impl std::fmt::Display) -> Self {
        Self::Scaling { reason: refusal.to_string() }
    }
}
