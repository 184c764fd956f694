//! `/model`: what is served and what it takes. No path, bucket or key.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::error::Failure;
use super::shared::Shared;

/// What the world may know of a model.
#[derive(Debug, Clone)]
pub struct Card {
    /// The model's name.
    pub name: String,
    /// The model's version.
    pub version: String,
    /// Hex SHA-256 of its register entry.
    pub digest: String,
    /// `signed`, or `unsigned`.
    pub trust: &'static str,
    /// The manifest's task.
    pub task: &'static str,
    /// What it takes.
    pub inputs: Vec<Input>,
    /// What one request may bring, from the manifest.
    pub limits: crate::bundle::Limits,
}

/// One thing a model takes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Input {
    /// Any size is taken; this is what it becomes.
    Image {
        /// In pixels.
        width: u32,
        /// In pixels.
        height: u32,
    },
    /// One column of a table.
    Number {
        /// The column's name.
        name: String,
        /// Values below are refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// Values above are refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
    },
    /// As the Open Inference Protocol v2 describes it.
    Tensor {
        /// As the graph names it.
        name: String,
        /// Such as `FP32`.
        datatype: String,
        /// Every dimension.
        shape: Vec<usize>,
    },
}

#[derive(Serialize)]
struct Described<'a> {
    name: &'a str,
    version: &'a str,
    digest: &'a str,
    trust: &'a str,
    task: &'a str,
    inputs: &'a [Input],
    limits: Limits,
}

/// Of the manifest and of the server, units in the names.
#[derive(Serialize)]
struct Limits {
    max_body_bytes: usize,
    image_megapixels: u32,
    image_mb: u32,
    items: usize,
    deadline_seconds: u64,
}

/// `GET /model`
pub(super) async fn get(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    let Some(model) = shared.model() else {
        let failure = shared.readiness.check().err().unwrap_or(Failure::Internal);
        return failure.respond(&request);
    };
    let card = &model.card;
    let limits = Limits {
        max_body_bytes: shared.config.max_body,
        image_megapixels: card.limits.megapixels,
        image_mb: card.limits.image_mb,
        items: card.limits.items,
        deadline_seconds: shared.config.deadline.as_secs(),
    };
    let Card { name, version, digest, trust, task, inputs, limits: _ } = card;
    HttpResponse::Ok().json(Described { name, version, digest, trust, task, inputs, limits })
}
