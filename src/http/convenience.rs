//! `/test`: the bundle's own sample through the model, for people who look for the first time. Can be switched off.

use std::time::Instant;

use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::predict::Request;

use super::error::Failure;
use super::inference::{self, Sample};
use super::shared::Shared;

const JSON: &str = "application/json";

/// `GET /test`: JSON, or a page with the picture where the caller asks for HTML.
pub(super) async fn test(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    match analyse(&request, &shared).await {
        Ok(response) => response,
        Err(failure) => failure.respond(&request),
    }
}

async fn analyse(request: &HttpRequest, shared: &web::Data<Shared>) -> Result<HttpResponse, Failure> {
    let deadline = Instant::now() + shared.config.deadline;
    let no_sample = || Failure::NotFound { path: "/test, as this bundle brings no self-test".to_owned() };
    let sample = shared.ready_model()?.sample.clone().ok_or_else(no_sample)?;
    let permit = shared.admission.admit()?;
    let media_type = Some(sample.media_type.clone());
    let asked = Request { media_type, accept: Some(JSON.to_owned()), body: sample.body.clone() };
    let answered = inference::run(shared, asked, deadline, permit).await?;
    let analysis = serde_json::from_slice(&answered.response.body).map_err(|_not_json| Failure::Internal)?;
    if wants_html(request) {
        return Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(page(&sample, &analysis)));
    }
    let found = json!({ "sample": sample.name, "media_type": sample.media_type, "analysis": analysis });
    Ok(HttpResponse::Ok().json(found))
}

fn wants_html(request: &HttpRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn page(sample: &Sample, analysis: &Value) -> String {
    let name = escaped(&sample.name);
    let picture = if sample.media_type.starts_with("image/") {
        let media_type = escaped(&sample.media_type);
        format!("<img alt=\"{name}\" src=\"data:{media_type};base64,{}\">", STANDARD.encode(&sample.body))
    } else {
        String::new()
    };
    let analysis = escaped(&format!("{analysis:#}"));
    format!(
        "<!doctype html><meta charset=utf-8><title>Strongroom: {name}</title>\
         <style>body{{font-family:sans-serif;margin:2em}}img{{max-width:32em}}</style>\
         <h1>{name}</h1>{picture}<pre>{analysis}</pre>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
