//! `/test`: the bundle's own sample through the model, for people who look for the first time. Can be switched off.

use std::time::Instant;

use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::predict::Request;

use super::error::Failure;
use super::inference::{Model, Sample, Ticket};
use super::shared::Shared;
use super::{answer, work};

/// `GET /test`: JSON, or a page with the picture where the caller asks for HTML.
pub(super) async fn test(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    match shared.before_cut(analyse(&request, &shared)).await {
        Ok(response) => response,
        Err(failure) => failure.respond(&request),
    }
}

async fn analyse(request: &HttpRequest, shared: &web::Data<Shared>) -> Result<HttpResponse, Failure> {
    let deadline = Instant::now() + shared.config.deadline;
    let no_sample = || Failure::NotFound { path: "/test, as this bundle brings no self-test".to_owned() };
    let hosted = shared.ready_model()?;
    let in_flight = hosted.begin()?;
    let sample = hosted.model.sample.clone().ok_or_else(no_sample)?;
    let asked = Request { media_type: Some(sample.media_type.clone()), accept: None, body: sample.body.clone() };
    let ticket = Ticket::new(shared, &hosted, in_flight, deadline)?;
    let body = answer::document(&ticket, &work::of(request), asked).await?.body;
    let analysis: Value = serde_json::from_slice(&body).map_err(|_not_json| Failure::Internal)?;
    if wants_html(request) {
        let page = hosted.page().with(&analysis);
        return Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page));
    }
    let found = json!({ "sample": sample.name, "media_type": sample.media_type, "analysis": analysis });
    Ok(HttpResponse::Ok().json(found))
}

fn wants_html(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// The page but for the analysis: made once, as the picture is large.
pub(super) struct Page(String);

impl Page {
    pub(super) fn of(model: &Model) -> Self {
        Self(model.sample.as_ref().map(head).unwrap_or_default())
    }

    fn with(&self, analysis: &Value) -> String {
        format!("{}<pre>{}</pre>", self.0, escaped(&format!("{analysis:#}")))
    }
}

fn head(sample: &Sample) -> String {
    let name = escaped(&sample.name);
    let picture = if sample.media_type.starts_with("image/") {
        let media_type = escaped(&sample.media_type);
        format!("<img alt=\"{name}\" src=\"data:{media_type};base64,{}\">", STANDARD.encode(&sample.body))
    } else {
        String::new()
    };
    format!(
        "<!doctype html><meta charset=utf-8><title>Strongroom: {name}</title>\
         <style>body{{font-family:sans-serif;margin:2em}}img{{max-width:32em}}</style>\
         <h1>{name}</h1>{picture}"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
