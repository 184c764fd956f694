//! What bounds requests: bytes of bodies while they arrive, and one permit for every request that has arrived. A client
//! that sends slowly holds the bytes it has sent and nothing else.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Config;
use super::error::Failure;
use super::source::TAKEN_UP;

/// Bodies of the largest size that fit at least, however short the queue is.
const MIN_BODIES: usize = 4;

/// As many permits as there are threads and places in the queue; bytes for as many bodies of the largest size.
pub(super) struct Admission {
    permits: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    threads: usize,
    queue: usize,
}

/// Given back when dropped: after the job, not after the answer, so that an abandoned job still counts.
pub(super) struct Permit {
    _place: OwnedSemaphorePermit,
}

/// Memory that a body holds; grows as it arrives, and is given back when dropped.
pub(super) struct Room {
    bytes: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    full: (usize, usize),
}

impl Admission {
    pub(super) fn new(config: &Config) -> Self {
        let (threads, queue) = (config.threads, config.queue);
        let places = threads.saturating_add(queue).min(Semaphore::MAX_PERMITS);
        let body = config.max_body.max(2 * TAKEN_UP);
        let bytes = body.saturating_mul(places.max(MIN_BODIES)).min(Semaphore::MAX_PERMITS);
        Self { permits: Arc::new(Semaphore::new(places)), bytes: Arc::new(Semaphore::new(bytes)), threads, queue }
    }

    /// Room for a body, none of it taken yet. While all places are taken, a body need not be read to be refused.
    pub(super) fn receive(&self) -> Result<Room, Failure> {
        if self.permits.available_permits() == 0 {
            return Err(self.overloaded());
        }
        Ok(Room { bytes: Arc::clone(&self.bytes), held: None, full: (self.threads, self.queue) })
    }

    /// A place for a request that has arrived: at once or not at all.
    pub(super) fn admit(&self) -> Result<Permit, Failure> {
        let place = Arc::clone(&self.permits).try_acquire_owned().map_err(|_none_left| self.overloaded())?;
        Ok(Permit { _place: place })
    }

    /// Requests admitted and not yet done.
    pub(super) fn in_flight(&self) -> usize {
        (self.threads + self.queue).saturating_sub(self.permits.available_permits())
    }

    pub(super) fn overloaded(&self) -> Failure {
        Failure::Overloaded { threads: self.threads, waiting: self.queue }
    }
}

impl Room {
    /// Splits off all but `kept` bytes, which the body still holds.
    pub(super) fn split(&mut self, kept: usize) -> Self {
        let freed = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits).saturating_sub(kept);
        let held = self.held.as_mut().and_then(|held| held.split(freed));
        Self { bytes: Arc::clone(&self.bytes), held, full: self.full }
    }

    /// Takes `more` bytes, at once or not at all.
    pub(super) fn grow(&mut self, more: usize) -> Result<(), Failure> {
        let (threads, waiting) = self.full;
        let overloaded = || Failure::Overloaded { threads, waiting };
        let more = u32::try_from(more).map_err(|_too_many| overloaded())?;
        let taken = Arc::clone(&self.bytes).try_acquire_many_owned(more).map_err(|_none_left| overloaded())?;
        match &mut self.held {
            Some(held) => held.merge(taken),
            None => self.held = Some(taken),
        }
        Ok(())
    }
}
