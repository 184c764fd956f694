//! A request's body, bounded while it arrives.

use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt as _;

use super::Config;
use super::error::Failure;

/// A length that is only claimed reserves no more than this.
const MAX_RESERVED: usize = 1 << 20;

/// The whole body. Content-Length above the limit is refused before a byte is read, a chunked body as soon as it
/// passes it. A client may be silent for `client_timeout` and be slow until `deadline`.
pub(super) async fn read(
    request: &HttpRequest,
    mut payload: Payload,
    config: &Config,
    deadline: Instant,
) -> Result<Bytes, Failure> {
    let claimed = check_head(request, config.max_body)?;
    let mut body = BytesMut::new();
    while let Some(part) = next(&mut payload, config.client_timeout, deadline).await? {
        if body.len() + part.len() > config.max_body {
            return Err(Failure::BodyTooLarge { limit: config.max_body });
        }
        if body.is_empty() {
            if part.len() == claimed {
                return Ok(part);
            }
            body.reserve(claimed.min(MAX_RESERVED).max(part.len()));
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
