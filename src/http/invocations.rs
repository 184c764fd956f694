//! `/invocations`: headers, body, permit, inference, answer. `/analyze` is the same under a name people guess; a
//! multi-model endpoint's `/models/NAME/invoke` is the same for one of its models.

use std::sync::Arc;
use std::time::Instant;

use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};

use crate::predict::request::{Decoded, Envelope, Terms};
use crate::predict::response::{self, Format};
use crate::predict::{Request, Response};

use super::answer::{self, Wanted, Whole};
use super::body::Incoming;
use super::error::Failure;
use super::hosted::Hosted;
use super::inference::Ticket;
use super::lines::{self, Body, Delivery};
use super::shared::Shared;
use super::source::Source;
use super::work::{self, SharedWork};

/// What clients of the streaming and async APIs send in place of Content-Type and Accept.
const AMZN_CONTENT_TYPE: &str = "x-amzn-sagemaker-content-type";
const AMZN_ACCEPT: &str = "x-amzn-sagemaker-accept";
/// Opaque to the platform and to us; given back where the bundle says so.
const CUSTOM_ATTRIBUTES: HeaderName = HeaderName::from_static("x-amzn-sagemaker-custom-attributes");
/// The platform's bound for them.
const MAX_ATTRIBUTES_LEN: usize = 1_024;

/// In a batch transform job rows that come as CSV go as CSV, line by line, where nothing else is asked for.
const BATCH_CSV: &str = "text/csv, application/jsonlines;q=0.5";

/// `POST /invocations`, `POST /analyze`
pub(super) async fn post(request: HttpRequest, payload: web::Payload, shared: web::Data<Shared>) -> HttpResponse {
    let answered = async {
        // Taken once: a request accepted before SIGTERM is answered, however late its body ends.
        let hosted = shared.ready_model()?;
        answer(&request, payload, &shared, &hosted).await
    };
    match shared.before_cut(answered).await {
        Ok(response) => response,
        Err(failure) => failure.respond(&request),
    }
}

/// Answers a request to `hosted`.
pub(super) async fn answer(
    request: &HttpRequest,
    payload: web::Payload,
    shared: &Arc<Shared>,
    hosted: &Arc<Hosted>,
) -> Result<HttpResponse, Failure> {
    let deadline = Instant::now() + shared.config.deadline;
    let in_flight = hosted.begin()?;
    let asked = Asked::of(request, shared);
    let intake =
        hosted.model.engine.intake(asked.media_type.as_deref(), asked.accept.as_deref(), terms(shared, hosted))?;
    let work = work::of(request);
    let limit = match &intake.records {
        Some(_) => shared.config.max_records_body,
        None => Some(shared.config.max_body),
    };
    let mut incoming = Incoming::begin(request, payload, shared, limit, deadline)?;
    let (ticket, source, envelope) = match intake.records {
        Some(records) => {
            let envelope = records.envelope();
            let source = Source::records(records, incoming).await?;
            (Ticket::new(shared, hosted, in_flight, deadline)?, source, envelope)
        }
        None => {
            let body = incoming.whole().await?;
            work.borrow_mut().bytes_in = body.len();
            let ticket = Ticket::new(shared, hosted, in_flight, deadline)?;
            let whole = Request { media_type: asked.media_type.clone(), accept: None, body };
            match answer::whole(&ticket, &work, whole, Some(incoming.room), intake.format).await? {
                Whole::Answered(response) => return Ok(asked.respond(hosted, response)),
                Whole::Many(Decoded { items, envelope }, room) => {
                    (ticket, Source::items(items, room, shared.config.threads), envelope)
                }
            }
        }
    };
    let spread = Spread { ticket, work, source, envelope, format: intake.format };
    spread.answer(&asked).await
}

/// The headers of the API; all others are ignored.
struct Asked {
    media_type: Option<String>,
    accept: Option<String>,
    attributes: Option<String>,
}

impl Asked {
    fn of(request: &HttpRequest, shared: &Shared) -> Self {
        let config = &shared.config;
        let media_type = header(request, &[CONTENT_TYPE.as_str(), AMZN_CONTENT_TYPE]);
        let sent = header(request, &[ACCEPT.as_str(), AMZN_ACCEPT]);
        let sent = sent.filter(|accept| !accept.trim().is_empty());
        let is_csv = |kind: &str| kind.to_ascii_lowercase().contains("csv");
        let batch_csv = config.batch && media_type.as_deref().is_some_and(is_csv);
        let unasked = sent.as_deref().is_none_or(|accept| accept.trim() == "*/*");
        let accept = match &config.default_accept {
            Some(default) if sent.is_none() => Some(default.clone()),
            _ if batch_csv && unasked => Some(BATCH_CSV.to_owned()),
            _ => sent,
        };
        let attributes = header(request, &[CUSTOM_ATTRIBUTES.as_str()]).filter(|text| text.len() <= MAX_ATTRIBUTES_LEN);
        Self { media_type, accept, attributes }
    }

    fn respond(&self, hosted: &Hosted, Response { media_type, body }: Response) -> HttpResponse {
        self.head(hosted, media_type).body(body)
    }

    /// Bare content types: data capture takes no parameters.
    fn head(&self, hosted: &Hosted, media_type: &'static str) -> HttpResponseBuilder {
        let mut response = HttpResponse::Ok();
        response.content_type(media_type);
        if let Some(attributes) = self.attributes.as_deref().filter(|_| hosted.model.answers.custom_attributes) {
            response.insert_header((CUSTOM_ATTRIBUTES, attributes));
        }
        response
    }
}

/// The first of `names` that is there. Bytes that are not UTF-8 are kept as replacement characters: they match nothing.
fn header(request: &HttpRequest, names: &[&str]) -> Option<String> {
    let value = names.iter().find_map(|name| request.headers().get(*name))?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn terms(shared: &Shared, hosted: &Hosted) -> Terms {
    let config = &shared.config;
    let records = (!config.batch).then(|| hosted.model.card.limits.items());
    Terms { record_bytes: config.max_body, records, every_line: config.batch }
}

/// A request whose items are spread over the inference threads.
struct Spread {
    ticket: Arc<Ticket>,
    work: SharedWork,
    source: Source,
    envelope: Envelope,
    format: Format,
}

impl Spread {
    async fn answer(self, asked: &Asked) -> Result<HttpResponse, Failure> {
        match response::line_format(self.format, &self.envelope) {
            Some(format) => {
                let (ticket, work) = (self.ticket, self.work);
                let wanted = Wanted::Lines(format, ticket.hosted.model.answers.bad_records);
                let pieces = answer::spread(Arc::clone(&ticket), work.clone(), self.source, wanted);
                let mut head = asked.head(&ticket.hosted, format.media_type());
                let delivery = match self.format {
                    _ if ticket.shared.config.batch => Delivery::Batch,
                    // Asked for by its name.
                    Format::JsonLines => Delivery::Stream,
                    Format::AsSent | Format::Json | Format::Csv | Format::Npy => Delivery::Whole,
                };
                match lines::deliver(&ticket, &work, pieces, format, delivery).await? {
                    Body::Whole(body) => Ok(head.body(body)),
                    Body::Stream(parts) => Ok(head.streaming(parts)),
                }
            }
            None => {
                let (ticket, work) = (self.ticket, self.work);
                let response = answer::gather(&ticket, &work, self.source, self.envelope, self.format).await?;
                Ok(asked.respond(&ticket.hosted, response))
            }
        }
    }
}
