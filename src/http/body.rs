//! A request's body, bounded while it arrives.

use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::StreamExt as _;

use crate::model::free_memory;

use super::admission::Room;
use super::error::Failure;
use super::shared::Shared;

/// A length that is only claimed reserves no more than this; once so much is there, the rest.
const MAX_RESERVED: usize = 1 << 20;
/// After a first `client_timeout`, each must bring as much as this, or the end.
const MIN_PROGRESS: usize = 64 << 10;
/// Whether memory has room for it is asked for bodies that claim to be longer than this.
const LARGE: usize = 16 << 20;

/// A body that arrives part by part.
pub(super) struct Incoming {
    payload: Payload,
    /// What parts that arrived hold of the memory for bodies.
    pub(super) room: Room,
    /// Longest body; `None` for one without a bound.
    limit: Option<usize>,
    /// Content-Length, 0 where there is none.
    claimed: usize,
    /// Bytes that arrived.
    pub(super) received: usize,
    pace: Pace,
    deadline: Instant,
}

impl Incoming {
    /// Looks at the headers: Content-Length above `limit`, or above the memory that is left, is refused before a byte is
    /// read.
    pub(super) fn begin(
        request: &HttpRequest,
        payload: Payload,
        shared: &Shared,
        limit: Option<usize>,
        deadline: Instant,
    ) -> Result<Self, Failure> {
        let claimed = check_head(request, limit)?;
        if let Some(limit) = limit.filter(|_| claimed > LARGE) {
            check_memory(claimed.min(limit))?;
        }
        let (room, pace) = (shared.admission.receive()?, Pace::new(shared.config.client_timeout));
        Ok(Self { payload, room, limit, claimed, received: 0, pace, deadline })
    }

    /// The next part; `None` at the end. A client may be silent for `client_timeout`, be slow for twice as long, and must
    /// be done by the deadline. Only the time counts that we wait for it.
    pub(super) async fn part(&mut self) -> Result<Option<Bytes>, Failure> {
        let begun = Instant::now();
        let Some(part) = self.next().await? else { return Ok(None) };
        self.received = self.received.saturating_add(part.len());
        if let Some(limit) = self.limit.filter(|limit| self.received > *limit) {
            return Err(Failure::BodyTooLarge { limit });
        }
        self.room.grow(part.len())?;
        // A part that is all there is came in time.
        if self.received != self.claimed {
            self.pace.check(part.len(), begun.elapsed())?;
        }
        Ok(Some(part))
    }

    /// The whole body. A single part is taken as it is.
    pub(super) async fn whole(&mut self) -> Result<Bytes, Failure> {
        let mut body = BytesMut::new();
        while let Some(part) = self.part().await? {
            if body.is_empty() && part.len() == self.claimed {
                return Ok(part);
            }
            if body.len() + part.len() > body.capacity() {
                let rest = self.claimed.saturating_sub(body.len());
                body.reserve(if body.is_empty() { rest.min(MAX_RESERVED) } else { rest }.max(part.len()));
            }
            body.extend_from_slice(&part);
        }
        Ok(body.freeze())
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let patience = self.pace.period.min(self.deadline.saturating_duration_since(Instant::now()));
        let part = tokio::time::timeout(patience, self.payload.next()).await;
        let part = part.map_err(|_elapsed| Failure::BodyTimeout { seconds: patience.as_secs() })?;
        part.transpose().map_err(broken)
    }
}

/// The claimed length, 0 where none is.
fn check_head(request: &HttpRequest, limit: Option<usize>) -> Result<usize, Failure> {
    if let Some(encoding) = request.headers().get(CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(Failure::ContentEncoding { found: String::from_utf8_lossy(encoding.as_bytes()).into_owned() });
    }
    let Some(length) = request.headers().get(CONTENT_LENGTH) else { return Ok(0) };
    // actix has refused what is no number; more digits than a `usize` holds is too large as well.
    let length = length.to_str().ok().and_then(|text| text.trim().parse().ok()).unwrap_or(usize::MAX);
    match limit {
        Some(limit) if length > limit => Err(Failure::BodyTooLarge { limit }),
        Some(_) | None => Ok(length),
    }
}

fn check_memory(needed: usize) -> Result<(), Failure> {
    match free_memory() {
        Some(free) if (needed as u64) > free => Err(Failure::OutOfMemory { needed: needed as u64, free }),
        Some(_) | None => Ok(()),
    }
}

/// How fast a body arrives. A silent client is noticed elsewhere, so that looking at each part is often enough.
struct Pace {
    period: Duration,
    waited: Duration,
    first: bool,
    arrived: usize,
}

impl Pace {
    fn new(period: Duration) -> Self {
        Self { period, waited: Duration::ZERO, first: true, arrived: 0 }
    }

    fn check(&mut self, part: usize, waited: Duration) -> Result<(), Failure> {
        self.arrived = self.arrived.saturating_add(part);
        self.waited = self.waited.saturating_add(waited);
        if self.waited < self.period {
            return Ok(());
        }
        if !self.first && self.arrived < MIN_PROGRESS {
            return Err(Failure::BodyTimeout { seconds: self.period.as_secs() });
        }
        *self = Self { first: false, ..Self::new(self.period) };
        Ok(())
    }
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
