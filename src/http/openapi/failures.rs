//! Answers that are no success: statuses and codes come from the maps of `http::error` and `http::models::dialect`, by a
//! sample of each failure.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::StatusCode;
use utoipa::openapi::schema::{ComponentsBuilder, Type};
use utoipa::openapi::{ObjectBuilder, Ref, Response, ResponseBuilder};

use super::answers::content;
use super::parameters::{described_header, with_id};
use super::shape::{Shape, all_of, any_of, closed, described_text, named, one_of_words, text};
use crate::http::LoadFailure;
use crate::http::error::Failure;
use crate::http::models::Refusal;
use crate::model::RunError;
use crate::predict::PredictError;

const MESSAGE: &str = "What was expected and found. Its words may change. The whole body has at most 2,048 characters.";

pub(super) fn add(components: ComponentsBuilder) -> ComponentsBuilder {
    let message = || described_text(MESSAGE);
    let error = closed([("code", text()), ("message", message()), ("request_id", text())]);
    let of_items = Failures::default().and(of_items()).codes();
    let record = closed([("code", one_of_words(of_items)), ("message", message())]);
    let status = ObjectBuilder::new().schema_type(Type::Integer).description(Some("The status, once more."));
    let dialect = closed([("code", status.into()), ("type", text()), ("message", text())]);
    components
        .schema("Error", closed([("error", error.into())]).description(Some("Why a request has no answer.")))
        .schema("RecordError", closed([("error", record.into())]).description(Some("Why an item has no answer.")))
        .schema("ModelsError", dialect.description(Some("As AWS's multi-model-server writes it.")))
        .header("RetryAfter", described_header("Seconds; not with `deadline_exceeded`."))
        .header("Allow", described_header("The methods that the path takes."))
}

/// The failures of an operation.
#[derive(Default)]
pub(super) struct Failures(BTreeMap<u16, Words>);

#[derive(Default)]
struct Words {
    codes: BTreeSet<&'static str>,
    kinds: BTreeSet<&'static str>,
}

impl Failures {
    pub(super) fn and(mut self, failures: impl IntoIterator<Item = Failure>) -> Self {
        for failure in failures {
            let (status, code) = failure.status_and_code();
            self.0.entry(status.as_u16()).or_default().codes.insert(code);
        }
        self
    }

    /// Those in the dialect of the management routes.
    pub(super) fn and_refusals(mut self, refusals: impl IntoIterator<Item = Refusal>) -> Self {
        for refusal in refusals {
            let (status, kind, _) = refusal.kind();
            self.0.entry(status.as_u16()).or_default().kinds.insert(kind);
        }
        self
    }

    fn codes(self) -> BTreeSet<&'static str> {
        self.0.into_values().flat_map(|words| words.codes).collect()
    }

    /// By status.
    pub(super) fn responses(self) -> impl Iterator<Item = (String, Response)> {
        self.0.into_iter().map(|(status, words)| (status.to_string(), words.response(status)))
    }
}

impl Words {
    fn response(self, status: u16) -> Response {
        let known = StatusCode::from_u16(status).ok();
        let reason = known.and_then(|status| status.canonical_reason()).unwrap_or_default();
        let response = with_id(ResponseBuilder::new().description(reason));
        let response = match known {
            Some(StatusCode::SERVICE_UNAVAILABLE) => response.header_ref("Retry-After", header("RetryAfter")),
            Some(StatusCode::METHOD_NOT_ALLOWED) => response.header_ref("Allow", header("Allow")),
            Some(_) | None => response,
        };
        response.content("application/json", content(self.shape(status))).build()
    }

    fn shape(self, status: u16) -> Shape {
        let ours = (!self.codes.is_empty()).then(|| narrowed_error(self.codes));
        let theirs = (!self.kinds.is_empty()).then(|| narrowed_refusal(status, self.kinds));
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => any_of([ours, theirs]),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => Shape::default(),
        }
    }
}

fn header(name: &str) -> Ref {
    Ref::new(format!("#/components/headers/{name}"))
}

/// `Error` with some codes.
fn narrowed_error(codes: BTreeSet<&'static str>) -> Shape {
    let error = ObjectBuilder::new().property("code", one_of_words(codes));
    all_of([named("Error"), ObjectBuilder::new().property("error", error).into()])
}

/// `ModelsError` with some types.
fn narrowed_refusal(status: u16, kinds: BTreeSet<&'static str>) -> Shape {
    let code = ObjectBuilder::new().schema_type(Type::Integer).enum_values(Some([status]));
    let narrowed = ObjectBuilder::new().property("code", code).property("type", one_of_words(kinds));
    all_of([named("ModelsError"), narrowed.into()])
}

/// Of every path.
pub(super) fn of_method() -> [Failure; 1] {
    [Failure::MethodNotAllowed { method: String::new(), allowed: String::new() }]
}

/// Of a path that not all servers have.
pub(super) fn of_path() -> [Failure; 1] {
    [Failure::NotFound { path: String::new() }]
}

/// Of a server that is not ready, or leaves.
pub(super) fn of_readiness() -> [Failure; 2] {
    [Failure::NotReady { stage: "" }, Failure::Draining]
}

/// Of our own mistakes.
pub(super) fn of_panics() -> [Failure; 1] {
    [Failure::Internal]
}

/// Of a model and the threads that run it, whatever is asked of it.
pub(super) fn of_running() -> Vec<Failure> {
    let broken = PredictError::BadAnswer { output: String::new(), reason: "" };
    let predict = [broken, PredictError::Run(RunError::Panicked), PredictError::Abandoned];
    let of_server = [Failure::Overloaded { threads: 0, waiting: 0 }, Failure::DeadlineExceeded { seconds: 0 }];
    predict.map(Failure::from).into_iter().chain(of_server).chain(of_panics()).collect()
}

/// Of a request's headers and of its body on the way.
pub(super) fn of_bodies() -> Vec<Failure> {
    let (found, expected, reason) = (String::new(), "", String::new());
    let of_server = [
        Failure::BodyTooLarge { limit: 0 },
        Failure::BodyTimeout { seconds: 0 },
        Failure::BodyIncomplete { reason },
        Failure::ContentEncoding { found: found.clone() },
        Failure::OutOfMemory { needed: 0, free: 0 },
    ];
    let of_predict = [
        PredictError::UnsupportedMediaType { found: found.clone(), expected },
        PredictError::NotAcceptable { found, expected },
        PredictError::EmptyBody,
        PredictError::TooManyItems { found: 0, limit: 0 },
    ];
    of_server.into_iter().chain(of_predict.map(Failure::from)).collect()
}

/// Of one item: what may stand in the place of its answer.
pub(super) fn of_items() -> Vec<Failure> {
    let formats = ["JSON", "CSV", "npy", "multipart", "base64", "RecordIO", "protobuf"];
    let malformed = formats.map(|format| PredictError::Malformed { format, reason: String::new() });
    let (item, text) = (0, String::new());
    let others = [
        PredictError::InvalidInput { what: text.clone(), expected: text.clone(), found: text.clone() },
        PredictError::UnknownImage { item },
        PredictError::DamagedImage { item, reason: text.clone() },
        PredictError::ImageTooLarge { item, found: text.clone(), limit: text.clone() },
        PredictError::NoFace { item },
        PredictError::Unsupported { asked: "", reason: "" },
        PredictError::Scaling { reason: text.clone() },
        PredictError::BadAnswer { output: text, reason: "" },
        PredictError::Run(RunError::Panicked),
    ];
    malformed.into_iter().chain(others).map(Failure::from).collect()
}

/// Of a name that no model has.
pub(super) fn of_names() -> [Refusal; 1] {
    [Refusal::NotFound { name: String::new() }]
}

/// Of a request that cannot be read.
pub(super) fn of_requests() -> [Refusal; 1] {
    [Refusal::Bad { message: String::new() }]
}

/// Of loading a model.
pub(super) fn of_loads() -> Vec<Refusal> {
    let (name, text) = (String::new, String::new);
    let failures = [
        LoadFailure::Outside { url: text(), directory: text() },
        LoadFailure::NotFound { url: text() },
        LoadFailure::OutOfMemory { needed: 0, free: 0 },
        LoadFailure::Failed { stage: "", reason: text() },
    ];
    let loads = failures.map(|failure| Refusal::Load { name: name(), failure });
    loads.into_iter().chain([Refusal::Registered { name: name() }]).collect()
}
