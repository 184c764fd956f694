//! `/model`: what is served and what it takes. No path, bucket or key.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::bundle;
use crate::predict::Input;

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
    pub limits: bundle::Limits,
}

/// A [`Card`] and the server's own limits.
#[derive(Serialize, ToSchema)]
#[schema(as = Model)]
pub(super) struct Described<'a> {
    name: &'a str,
    version: &'a str,
    digest: &'a str,
    trust: &'a str,
    task: &'a str,
    inputs: &'a [Input],
    limits: Limits,
}

/// Of the manifest and of the server, units in the names.
#[derive(Serialize, ToSchema)]
struct Limits {
    max_body_bytes: usize,
    image_megapixels: u32,
    image_mb: u32,
    items: usize,
    deadline_seconds: u64,
}

/// `GET /model`
pub(super) async fn get(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    let Some(hosted) = shared.hosted() else {
        let failure = shared.readiness.check().err().unwrap_or(Failure::Internal);
        return failure.respond(&request);
    };
    let card = &hosted.model.card;
    let limits = Limits {
        max_body_bytes: shared.config.max_body,
        image_megapixels: card.limits.megapixels,
        image_mb: card.limits.image_mb,
        items: card.limits.items(),
        deadline_seconds: shared.config.deadline.as_secs(),
    };
    let Card { name, version, digest, trust, task, inputs, limits: _ } = card;
    HttpResponse::Ok().json(Described { name, version, digest, trust, task, inputs, limits })
}
