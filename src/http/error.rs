//! The one map from failures to HTTP: `{status, code, message}`. SageMaker turns every non-2xx into a ModelError that
//! carries only the status and the body, cut at 2,048 characters, so the body is all a caller gets to see.

#![warn(clippy::wildcard_enum_match_arm)]

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, RETRY_AFTER};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use crate::predict::PredictError;
use crate::telemetry::chain;

use super::access::{Code, request_id};

/// Longest error body.
const MAX_BODY_CHARS: usize = 2_048;

/// Seconds after which an overloaded or leaving server may be asked again.
const RETRY_AFTER_SECONDS: &str = "1";

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Codec, image, tensors, model.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// Found in Content-Length, or while the body arrived.
    #[error("the body is larger than {limit} bytes")]
    BodyTooLarge { limit: usize },
    /// The client fell silent or was too slow.
    #[error("the body came too slowly: nothing, less than 64 KiB, or not its end within {seconds} s")]
    BodyTimeout { seconds: u64 },
    /// The connection or its chunks broke.
    #[error("the body is incomplete: {reason}")]
    BodyIncomplete { reason: String },
    /// Compressed bodies are not read.
    #[error("content encoding {found} is not read; send the body as it is")]
    ContentEncoding { found: String },
    /// Threads busy, queue full.
    #[error("all {threads} inference threads are busy and {waiting} requests wait")]
    Overloaded { threads: usize, waiting: usize },
    /// SIGTERM came.
    #[error("the server is shutting down")]
    Draining,
    /// The model is not there yet, or no more.
    #[error("the model is not ready: {stage}")]
    NotReady { stage: &'static str },
    /// Queue and inference took too long.
    #[error("no answer within {seconds} s")]
    DeadlineExceeded { seconds: u64 },
    /// The body claims more than there is.
    #[error("the request needs {needed} bytes of memory, {free} are free")]
    OutOfMemory { needed: u64, free: u64 },
    /// No such route.
    #[error("there is no {path}")]
    NotFound { path: String },
    /// The route takes other methods.
    #[error("{method} is not allowed here; use {allowed}")]
    MethodNotAllowed { method: String, allowed: String },
    /// A panic.
    #[error("internal error")]
    Internal,
}

impl Failure {
    /// Status and stable code.
    pub(super) fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Predict(error) => predict(error),
            Self::BodyTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::BodyTimeout { .. } => (StatusCode::REQUEST_TIMEOUT, "body_timeout"),
            Self::BodyIncomplete { .. } => (StatusCode::BAD_REQUEST, "body_incomplete"),
            Self::ContentEncoding { .. } => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_encoding"),
            Self::Overloaded { .. } => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
            Self::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
            Self::NotReady { .. } => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
            Self::DeadlineExceeded { .. } => (StatusCode::SERVICE_UNAVAILABLE, "deadline_exceeded"),
            Self::OutOfMemory { .. } => (StatusCode::INSUFFICIENT_STORAGE, "out_of_memory"),
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    /// The answer: `{"error":{"code","message","request_id"}}`.
    pub(super) fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let (status, code) = self.status_and_code();
        let id = request_id(request);
        // What is the caller's fault they are told; 503 and 507 are said by the access log's code. The rest is ours.
        if status.is_server_error()
            && ![StatusCode::SERVICE_UNAVAILABLE, StatusCode::INSUFFICIENT_STORAGE].contains(&status)
        {
            tracing::error!(request_id = id, code, error = chain(self), "request failed");
        }
        let mut builder = HttpResponse::build(status);
        self.add_headers(&mut builder);
        let body = document(code, &self.to_string(), Some(&id));
        let response = builder.content_type("application/json").body(body);
        request.extensions_mut().insert(Code(code));
        response
    }

    /// What stands in the place of one item's answer: `{"error":{"code","message"}}`, on one line.
    pub(super) fn line(&self) -> String {
        document(self.status_and_code().1, &self.to_string(), None)
    }

    fn add_headers(&self, builder: &mut HttpResponseBuilder) {
        match self {
            Self::Overloaded { .. } | Self::Draining | Self::NotReady { .. } => {
                builder.insert_header((RETRY_AFTER, RETRY_AFTER_SECONDS));
            }
            Self::MethodNotAllowed { allowed, .. } => {
                builder.insert_header((ALLOW, allowed.as_str()));
            }
            // What is left of the body is not waited for.
            Self::BodyTooLarge { .. }
            | Self::BodyTimeout { .. }
            | Self::BodyIncomplete { .. }
            | Self::OutOfMemory { .. } => {
                builder.force_close();
            }
            Self::Predict(_)
            | Self::ContentEncoding { .. }
            | Self::DeadlineExceeded { .. }
            | Self::NotFound { .. }
            | Self::Internal => {}
        }
    }
}

fn predict(error: &PredictError) -> (StatusCode, &'static str) {
    match error {
        PredictError::UnsupportedMediaType { .. } => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
        PredictError::NotAcceptable { .. } => (StatusCode::NOT_ACCEPTABLE, "not_acceptable"),
        PredictError::EmptyBody => (StatusCode::BAD_REQUEST, "empty_body"),
        PredictError::Malformed { format, .. } => (StatusCode::BAD_REQUEST, malformed(format)),
        PredictError::TooManyItems { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_many_items"),
        PredictError::InvalidInput { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_input"),
        PredictError::UnknownImage { .. } => (StatusCode::BAD_REQUEST, "unknown_image"),
        PredictError::DamagedImage { .. } => (StatusCode::BAD_REQUEST, "damaged_image"),
        PredictError::ImageTooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "image_too_large"),
        PredictError::NoFace { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "no_face"),
        PredictError::Unsupported { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "unsupported"),
        PredictError::Abandoned => (StatusCode::SERVICE_UNAVAILABLE, "deadline_exceeded"),
        PredictError::Scaling { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        PredictError::BadAnswer { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "bad_answer"),
        PredictError::Run(_) => (StatusCode::INTERNAL_SERVER_ERROR, "model_failed"),
    }
}

/// The code of a malformed body by the format's name in any case.
fn malformed(format: &str) -> &'static str {
    match format.to_ascii_lowercase().as_str() {
        "json" => "malformed_json",
        "csv" => "malformed_csv",
        "npy" => "malformed_npy",
        "multipart" => "malformed_multipart",
        "base64" => "malformed_base64",
        "recordio" => "malformed_recordio",
        _ => "malformed_body",
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Described<'a>,
}

#[derive(Serialize)]
struct Described<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// A message that quotes the caller's own input may be long: it is shortened until the whole body fits, escapes and all.
fn document(code: &'static str, message: &str, request_id: Option<&str>) -> String {
    let mut kept = message.chars().count().min(MAX_BODY_CHARS);
    loop {
        let shortened: String = message.chars().take(kept).collect();
        let error = Described { code, message: &shortened, request_id };
        // Strings always serialise.
        let text = serde_json::to_string(&Envelope { error }).unwrap_or_default();
        if text.chars().count() <= MAX_BODY_CHARS || kept == 0 {
            return text;
        }
        kept = kept * 3 / 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_body_is_longer_than_the_platform_keeps() {
        for message in ["x".repeat(100_000), "\u{1}".repeat(5_000), "\"".repeat(2_000), "ä".repeat(3_000)] {
            let text = document("invalid_input", &message, Some(&"i".repeat(64)));
            assert!(text.chars().count() <= MAX_BODY_CHARS);
            assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        }
    }

    #[test]
    fn the_names_of_formats_choose_the_code_in_any_case() {
        assert_eq!(malformed("JSON"), "malformed_json");
        assert_eq!(malformed("npy"), "malformed_npy");
    }
}
