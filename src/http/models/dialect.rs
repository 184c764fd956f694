//! How management routes refuse: as AWS's multi-model-server does, `{"code","type","message"}`.

use actix_web::http::StatusCode;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use serde_json::json;

use super::LoadFailure;
use crate::http::access::{Code, request_id};

/// A caller's words are cut here.
const MAX_MESSAGE_CHARS: usize = 1_500;

/// Why a management request has another answer than it hoped for.
pub(in crate::http) enum Refusal {
    NotFound { name: String },
    Registered { name: String },
    Bad { message: String },
    Load { name: String, failure: LoadFailure },
}

impl Refusal {
    pub(super) fn bad(message: String) -> Self {
        Self::Bad { message }
    }

    /// Status, the dialect's type, and our stable code for the log.
    pub(in crate::http) fn kind(&self) -> (StatusCode, &'static str, &'static str) {
        const INTERNAL: (StatusCode, &str) = (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerException");
        match self {
            Self::NotFound { .. } | Self::Load { failure: LoadFailure::NotFound { .. }, .. } => {
                (StatusCode::NOT_FOUND, "ModelNotFoundException", "model_not_found")
            }
            Self::Registered { .. } => (StatusCode::CONFLICT, "ConflictStatusException", "model_loaded"),
            Self::Bad { .. } | Self::Load { failure: LoadFailure::Outside { .. }, .. } => {
                (StatusCode::BAD_REQUEST, "BadRequestException", "bad_load")
            }
            Self::Load { failure: LoadFailure::OutOfMemory { .. }, .. } => {
                (StatusCode::INSUFFICIENT_STORAGE, "InsufficientMemoryException", "out_of_memory")
            }
            Self::Load { failure: LoadFailure::Failed { .. }, .. } => (INTERNAL.0, INTERNAL.1, "load_failed"),
        }
    }

    fn message(&self) -> String {
        let message = match self {
            Self::NotFound { name } => format!("Model not found: {name}"),
            Self::Registered { name } => format!("Model {name} is already registered."),
            Self::Bad { message } => message.clone(),
            Self::Load { name, failure } => format!("Model {name}: {failure}"),
        };
        message.chars().take(MAX_MESSAGE_CHARS).collect()
    }

    pub(super) fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let (status, kind, code) = self.kind();
        let message = self.message();
        if let Self::Load { failure, .. } = self {
            let id = request_id(request);
            tracing::error!(request_id = id, code, error = failure.to_string(), "a model was not loaded");
        }
        request.extensions_mut().insert(Code(code));
        HttpResponse::build(status).json(json!({ "code": status.as_u16(), "type": kind, "message": message }))
    }
}
