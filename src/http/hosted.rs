//! Models that are loaded, and the work on each that an unload must wait for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::RunError;

use super::Model;
use super::convenience::Page;
use super::error::Failure;
use super::inference::Worker;

/// How long a group of records may keep a thread, so that other requests get their turn and first answers leave early.
const GROUP_TIME: Duration = Duration::from_millis(2);
/// However quick they are.
const MOST_RECORDS: u64 = 512;
/// More requests at a time than a server admits.
const REQUESTS: u32 = 1 << 20;

/// Tells a model's state on a thread from another model's.
pub(super) type HostedId = u64;

/// One thread's state of every model that it has worked for.
pub(super) type Workers = HashMap<HostedId, Box<dyn Worker>>;

/// A loaded model.
pub(super) struct Hosted {
    pub(super) id: HostedId,
    pub(super) model: Model,
    /// Whether it has passed its self-test after the last panic.
    sound: AtomicBool,
    /// Nanoseconds that the last record took; 0 before the first.
    record_time: AtomicU64,
    page: OnceLock<Page>,
    /// One permit is held by every request in flight; closed when none may begin any more.
    requests: Arc<Semaphore>,
}

impl Hosted {
    pub(super) fn new(model: Model) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (id, sound, record_time) = (NEXT.fetch_add(1, Ordering::Relaxed), AtomicBool::new(true), AtomicU64::new(0));
        Self {
            id,
            model,
            sound,
            record_time,
            page: OnceLock::new(),
            requests: Arc::new(Semaphore::new(REQUESTS as usize)),
        }
    }

    /// Keeps the model loaded for a request.
    ///
    /// # Errors
    /// It is not sound, or is being unloaded.
    pub(super) fn begin(&self) -> Result<InFlight, Failure> {
        if !self.is_sound() {
            return Err(Failure::NotReady { stage: "self-test after a crash failed" });
        }
        let permit = Arc::clone(&self.requests).try_acquire_owned();
        permit.map(|permit| InFlight { _permit: permit }).map_err(|_unloading| Failure::NotReady { stage: "unload" })
    }

    /// `/test` for people, made when they first ask.
    pub(super) fn page(&self) -> &Page {
        self.page.get_or_init(|| Page::of(&self.model))
    }

    /// Waits for the requests in flight; none begins any more.
    pub(super) async fn finish(&self) {
        // Closed only here, and the wait for all is fair: who comes later finds no permit.
        let _all = self.requests.acquire_many(REQUESTS).await;
        self.requests.close();
    }

    /// A thread's state of the model, made when it is first needed.
    pub(super) fn worker<'a>(&self, workers: &'a mut Workers) -> Result<&'a mut Box<dyn Worker>, RunError> {
        match workers.entry(self.id) {
            Entry::Occupied(there) => Ok(there.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(self.model.engine.worker()?)),
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.sound.load(Ordering::Relaxed)
    }

    pub(super) fn unsound(&self) {
        self.sound.store(false, Ordering::Relaxed);
    }

    /// How many records make a group, by what the last ones took.
    pub(super) fn group_size(&self) -> usize {
        match self.record_time.load(Ordering::Relaxed) {
            0 => 1,
            nanoseconds => (GROUP_TIME.as_nanos() as u64 / nanoseconds).clamp(1, MOST_RECORDS) as usize,
        }
    }

    pub(super) fn took(&self, records: usize, time: Duration) {
        let each = time.as_nanos() / records as u128;
        self.record_time.store(u64::try_from(each).unwrap_or(u64::MAX).max(1), Ordering::Relaxed);
    }
}

/// A request on a model; the model is not unloaded before it is dropped.
pub(super) struct InFlight {
    _permit: OwnedSemaphorePermit,
}
