//! Many ranges of one object at once.

use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::task::JoinSet;

use super::{ETag, Store, StoreError, joined};

/// Length of a part that S3 serves at full throughput, in bytes: what S3 clients settle on.
pub const PART_LEN: u64 = 8 << 20;

/// How often progress is logged at most.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// See [`Store::read_parts`]. `version` is the key and the pinned ETag.
pub(super) fn read(
    store: Store,
    version: (String, ETag),
    parts: Vec<Range<u64>>,
    concurrency: usize,
) -> impl Stream<Item = Result<(usize, Bytes), StoreError>> + Send + Unpin + use<> {
    let transfer = Transfer {
        store,
        progress: Progress::new(version.0.clone(), &parts),
        version,
        waiting: parts.into_iter().enumerate(),
        running: JoinSet::new(),
        concurrency: concurrency.max(1),
    };
    Box::pin(unfold(Some(transfer), |transfer| async { transfer?.step().await }))
}

type Part = (usize, Bytes);

/// A transfer that has not ended. Its tasks end with it.
struct Transfer {
    store: Store,
    version: (String, ETag),
    waiting: std::iter::Enumerate<std::vec::IntoIter<Range<u64>>>,
    running: JoinSet<Result<Part, StoreError>>,
    concurrency: usize,
    progress: Progress,
}

impl Transfer {
    /// The next part that arrives, and what remains; nothing remains after an error.
    async fn step(mut self) -> Option<(Result<Part, StoreError>, Option<Self>)> {
        self.fill();
        let arrived = self.running.join_next().await?;
        let part = joined(std::future::ready(arrived)).await;
        match part {
            Ok(part) => {
                self.fill();
                self.progress.add(part.1.len());
                Some((Ok(part), Some(self)))
            }
            Err(error) => Some((Err(error), None)),
        }
    }

    fn fill(&mut self) {
        while self.running.len() < self.concurrency {
            let Some((index, range)) = self.waiting.next() else { return };
            let (store, (key, etag)) = (self.store.clone(), self.version.clone());
            self.running.spawn(async move { Ok((index, store.read_range(&key, range, &etag).await?)) });
        }
    }
}

/// Counts what arrives and logs it now and then.
struct Progress {
    key: String,
    total: u64,
    done: u64,
    started: Instant,
    logged: Instant,
}

impl Progress {
    fn new(key: String, parts: &[Range<u64>]) -> Self {
        let total = parts.iter().fold(0, |sum: u64, part| sum.saturating_add(part.end.saturating_sub(part.start)));
        let now = Instant::now();
        Self { key, total, done: 0, started: now, logged: now }
    }

    fn add(&mut self, bytes: usize) {
        self.done = self.done.saturating_add(bytes as u64);
        let complete = self.done >= self.total;
        if !complete && self.logged.elapsed() < PROGRESS_EVERY {
            return;
        }
        self.logged = Instant::now();
        let mib_per_s = self.done as f64 / f64::from(1 << 20) / self.started.elapsed().as_secs_f64().max(1e-6);
        let mib_per_s = (mib_per_s * 10.0).round() / 10.0;
        let word = if complete { "object fetched" } else { "fetching object" };
        tracing::info!(object = self.key, bytes = self.done, total = self.total, mib_per_s, "{word}");
    }
}
