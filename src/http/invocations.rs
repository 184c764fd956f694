//! `/invocations`: body, permit, inference, answer. `/analyze` is the same under a name people guess.

use std::sync::Arc;
use std::time::Instant;

use actix_web::http::header::{ACCEPT, CONTENT_TYPE};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse, web};

use crate::predict::{Request, Response};

use super::access::Work;
use super::error::Failure;
use super::inference::{Answered, Job};
use super::shared::Shared;
use super::{body, inference};

/// What clients of the streaming and async APIs send in place of Content-Type and Accept.
const AMZN_CONTENT_TYPE: &str = "x-amzn-sagemaker-content-type";
const AMZN_ACCEPT: &str = "x-amzn-sagemaker-accept";

/// `POST /invocations`, `POST /analyze`
pub(super) async fn post(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    match shared.before_cut(answer(&request, payload, &shared)).await {
        Ok(Response { media_type, body }) => HttpResponse::Ok().content_type(media_type).body(body),
        Err(failure) => failure.respond(&request),
    }
}

async fn answer(request: &HttpRequest, payload: web::Payload, shared: &web::Data<Shared>) -> Result<Response, Failure> {
    let deadline = Instant::now() + shared.config.deadline;
    // Taken once: a request accepted before SIGTERM is answered, however late its body ends.
    let model = Arc::clone(shared.ready_model()?);
    let mut room = shared.admission.receive()?;
    let body = body::read(request, payload, &mut room, &shared.config, deadline).await?;
    let bytes_in = body.len();
    request.extensions_mut().insert(Work { bytes_in, ..Work::default() });
    let media_type = header(request, &[CONTENT_TYPE.as_str(), AMZN_CONTENT_TYPE]);
    let accept = header(request, &[ACCEPT.as_str(), AMZN_ACCEPT]);
    let permit = shared.admission.admit(room)?;
    let job = Job { model, request: Request { media_type, accept, body }, deadline, permit };
    let Answered { result, queued, ran } = inference::run(shared, job).await?;
    request.extensions_mut().insert(Work { bytes_in, queued, ran });
    result
}

/// The first of `names` that is there. Bytes that are not UTF-8 are kept as replacement characters: they match nothing.
fn header(request: &HttpRequest, names: &[&str]) -> Option<String> {
    let value = names.iter().find_map(|name| request.headers().get(*name))?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
