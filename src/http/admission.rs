//! A permit for every request that may hold memory or wait for a thread; no permit, no body read.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::Failure;

/// As many permits as there are threads and places in the queue.
pub(super) struct Admission {
    permits: Arc<Semaphore>,
    threads: usize,
    queue: usize,
}

/// Given back when dropped: after the job, not after the answer, so that an abandoned job still counts.
pub(super) type Permit = OwnedSemaphorePermit;

impl Admission {
    pub(super) fn new(threads: usize, queue: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(threads.saturating_add(queue))), threads, queue }
    }

    /// At once or not at all.
    pub(super) fn admit(&self) -> Result<Permit, Failure> {
        Arc::clone(&self.permits).try_acquire_owned().map_err(|_none_left| self.overloaded())
    }

    /// Requests admitted and not yet done.
    pub(super) fn in_flight(&self) -> usize {
        (self.threads + self.queue).saturating_sub(self.permits.available_permits())
    }

    pub(super) fn overloaded(&self) -> Failure {
        Failure::Overloaded { threads: self.threads, waiting: self.queue }
    }
}
