//! A request's body, bounded while it arrives.

use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt as _;

use super::Config;
use super::admission::Room;
use super::error::Failure;

/// A length that is only claimed reserves no more than this; once so much is there, the rest.
const MAX_RESERVED: usize = 1 << 20;
/// After a first `client_timeout`, each must bring as much as this, or the end.
const MIN_PROGRESS: usize = 64 << 10;

/// The whole body. Content-Length above the limit is refused before a byte is read, a chunked body as soon as it
/// passes it. A client may be silent for `client_timeout`, be slow for twice as long, and must be done by `deadline`.
/// What arrives is taken from `room`.
pub(super) async fn read(
    request: &HttpRequest,
    mut payload: Payload,
    room: &mut Room,
    config: &Config,
    deadline: Instant,
) -> Result<Bytes, Failure> {
    let claimed = check_head(request, config.max_body)?;
    let mut pace = Pace::new(config.client_timeout);
    let mut body = BytesMut::new();
    while let Some(part) = next(&mut payload, config.client_timeout, deadline).await? {
        if body.len() + part.len() > config.max_body {
            return Err(Failure::BodyTooLarge { limit: config.max_body });
        }
        room.grow(part.len())?;
        if body.is_empty() && part.len() == claimed {
            return Ok(part);
        }
        pace.check(part.len())?;
        if body.len() + part.len() > body.capacity() {
            let expected = if body.is_empty() { claimed.min(MAX_RESERVED) } else { claimed.saturating_sub(body.len()) };
            body.reserve(expected.max(part.len()));
        }
        body.extend_from_slice(&part);
    }
    Ok(body.freeze())
}

/// The claimed length, 0 where none is.
fn check_head(request: &HttpRequest, limit: usize) -> Result<usize, Failure> {
    if let Some(encoding) = request.headers().get(CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(Failure::ContentEncoding { found: String::from_utf8_lossy(encoding.as_bytes()).into_owned() });
    }
    let Some(length) = request.headers().get(CONTENT_LENGTH) else { return Ok(0) };
    // actix has refused what is no number; more digits than a `usize` holds is too large as well.
    let length = length.to_str().ok().and_then(|text| text.trim().parse().ok()).unwrap_or(usize::MAX);
    if length > limit { Err(Failure::BodyTooLarge { limit }) } else { Ok(length) }
}

/// How fast a body arrives. A silent client is noticed elsewhere, so that looking at each part is often enough.
struct Pace {
    period: Duration,
    ends: Instant,
    first: bool,
    arrived: usize,
}

impl Pace {
    fn new(period: Duration) -> Self {
        Self { period, ends: Instant::now() + period, first: true, arrived: 0 }
    }

    fn check(&mut self, part: usize) -> Result<(), Failure> {
        self.arrived = self.arrived.saturating_add(part);
        let now = Instant::now();
        if now < self.ends {
            return Ok(());
        }
        if !self.first && self.arrived < MIN_PROGRESS {
            return Err(Failure::BodyTimeout { seconds: self.period.as_secs() });
        }
        *self = Self { first: false, ..Self::new(self.period) };
        Ok(())
    }
}

async fn next(payload: &mut Payload, silence: Duration, deadline: Instant) -> Result<Option<Bytes>, Failure> {
    let patience = silence.min(deadline.saturating_duration_since(Instant::now()));
    let part = tokio::time::timeout(patience, payload.next()).await;
    let part = part.map_err(|_elapsed| Failure::BodyTimeout { seconds: patience.as_secs() })?;
    part.transpose().map_err(broken)
}

fn broken(error: PayloadError) -> Failure {
    // An I/O error's own words may name addresses; its kind is enough.
    let reason = match error {
        PayloadError::Incomplete(_) => "the connection ended early".to_owned(),
        PayloadError::EncodingCorrupted => "its chunks are malformed".to_owned(),
        other => other.to_string(),
    };
    Failure::BodyIncomplete { reason }
}
