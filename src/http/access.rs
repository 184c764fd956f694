//! Around every request: its id, its line in the access log (no bodies, no pings), its metrics.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpMessage as _, HttpRequest, web};

use super::metrics::Observation;
use super::shared::Shared;
use super::work::{SharedWork, Work};

const INFERENCE_ID: &str = "x-amzn-sagemaker-inference-id";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id the platform sends.
const MAX_ID_LEN: usize = 64;
/// Asked every few seconds by the platform; they would drown the log.
const UNLOGGED: [&str; 2] = ["/ping", "/metrics"];

/// Status and code of a request whose client closed the connection before the answer; nobody is sent them.
const CLIENT_LEFT: (u16, &str) = (499, "client_left");

#[derive(Clone)]
struct RequestId(String);

/// The stable code of a failed request.
#[derive(Clone, Copy)]
pub(super) struct Code(pub(super) &'static str);

/// The platform's inference id, or one made here.
pub(super) fn request_id(request: &HttpRequest) -> String {
    request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default()
}

/// The middleware.
pub(super) async fn record(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<Observed>, Error> {
    let mut line = Line::begin(&request);
    request.extensions_mut().insert(RequestId(line.id.clone()));
    request.extensions_mut().insert(SharedWork::clone(&line.work));
    let mut response = next.call(request).await?;
    if let Ok(value) = HeaderValue::from_str(&line.id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    // Who keeps a connection would find it closed one of these moments: with this answer they know.
    if line.shared.as_ref().is_some_and(|shared| shared.readiness.is_draining()) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    line.answered(&response);
    Ok(response.map_body(|_, body| Observed { body: body.boxed(), line }))
}

/// A response's body; with it ends what there is to log.
pub(super) struct Observed {
    body: BoxBody,
    line: Line,
}

impl MessageBody for Observed {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let part = Pin::new(&mut self.body).poll_next(context);
        match &part {
            Poll::Ready(Some(Ok(bytes))) => self.line.bytes_out += bytes.len() as u64,
            Poll::Ready(None) => self.line.ended = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        part
    }
}

/// Only visible ASCII is taken over: the id goes into a header, a body and the log.
fn choose_id(headers: &HeaderMap) -> String {
    let sent = headers.get(INFERENCE_ID).and_then(|id| id.to_str().ok());
    let valid = |id: &&str| (1..=MAX_ID_LEN).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    sent.filter(valid).map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned)
}

/// One request's line and metrics, written when dropped: a client that leaves takes its request with it.
struct Line {
    shared: Option<web::Data<Shared>>,
    started: Instant,
    id: String,
    route: String,
    method: String,
    status: u16,
    code: &'static str,
    work: SharedWork,
    bytes_out: u64,
    /// Whether all of the answer was handed over. One of known length goes out with its head.
    ended: bool,
}

impl Line {
    /// As it stays when the client leaves.
    fn begin(request: &ServiceRequest) -> Self {
        Self {
            shared: request.app_data::<web::Data<Shared>>().cloned(),
            started: Instant::now(),
            id: choose_id(request.headers()),
            route: request.match_pattern().unwrap_or_else(|| "other".to_owned()),
            method: request.method().to_string(),
            status: CLIENT_LEFT.0,
            code: CLIENT_LEFT.1,
            work: SharedWork::default(),
            bytes_out: 0,
            ended: false,
        }
    }

    fn answered<B: MessageBody>(&mut self, response: &ServiceResponse<B>) {
        let extensions = response.request().extensions();
        self.status = response.status().as_u16();
        self.code = extensions.get::<Code>().map_or("ok", |code| code.0);
        self.ended = matches!(response.response().body().size(), BodySize::Sized(_) | BodySize::None);
    }

    /// A stream may end otherwise than it began.
    fn settle(&mut self, work: &Work) {
        if let Some(code) = work.broken {
            self.code = code;
        } else if !self.ended {
            (self.status, self.code) = CLIENT_LEFT;
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let work = std::mem::take(&mut *self.work.borrow_mut());
        self.settle(&work);
        let total = self.started.elapsed();
        let Self { id, route, method, status, code, bytes_out, .. } = self;
        let seen = Observation { route, status: *status, code, total, work: &work };
        if let Some(shared) = &self.shared {
            shared.metrics.observe(&seen);
            if shared.config.emf && !UNLOGGED.contains(&route.as_str()) {
                seen.tell_cloudwatch(shared, id);
            }
        }
        if UNLOGGED.contains(&route.as_str()) {
            return;
        }
        let stages = work.stages.unwrap_or_default();
        tracing::info!(
            request_id = id,
            route,
            method,
            status,
            code,
            bytes_in = work.bytes_in,
            bytes_out,
            items = work.tally.answered,
            items_failed = work.tally.failed,
            queue_ms = millis(stages.queue),
            decode_ms = millis(stages.decode),
            run_ms = millis(stages.run),
            encode_ms = millis(stages.encode),
            total_ms = millis(total),
            "request"
        );
    }
}

/// In milliseconds, to the microsecond.
pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}
