//! The inference threads. All CPU work of a request is one job; a job stays on one thread, which may have threads without
//! one take part in what it computes ([`super::crew`]).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select_biased, unbounded};

use super::crew::Crew;
use super::machine::available_cores;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Inference threads, each with its own `S`, behind one bounded queue. Dropping it lets the jobs that wait run, then
/// waits for the threads to end.
pub struct Pool<S> {
    queue: Option<Sender<Job<S>>>,
    /// One for each thread: jobs for that very thread, before those of the queue.
    own: Vec<Sender<Job<S>>>,
    threads: Vec<JoinHandle<()>>,
}

impl<S: 'static> Pool<S> {
    /// Starts `threads` threads (at least one) named `infer-N` and waits until each has made its `S` with `make`, which
    /// runs on the thread itself. `queue` jobs may wait (at least one).
    ///
    /// # Errors
    /// `make` failed, or the system gives no more threads; those already started have ended then.
    pub fn start<E, M>(threads: usize, queue: usize, make: M) -> Result<Self, PoolError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
        M: Fn() -> Result<S, E> + Send + Sync + 'static,
    {
        Self::start_on(available_cores(), threads, queue, make)
    }

    /// As if there were so many cores.
    pub(super) fn start_on<E, M>(cores: usize, threads: usize, queue: usize, make: M) -> Result<Self, PoolError>
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
        M: Fn() -> Result<S, E> + Send + Sync + 'static,
    {
        let (sender, jobs) = bounded::<Job<S>>(queue.max(1));
        let (report, reports) = bounded(threads.max(1));
        let make: Arc<Make<S>> = Arc::new(move || make().map_err(Into::into));
        let crew = Crew::of(threads.max(1), cores);
        let mut pool = Self { queue: Some(sender), own: Vec::new(), threads: Vec::new() };
        for number in 0..threads.max(1) {
            let (own, to_own) = unbounded();
            let jobs = Jobs { own: to_own, queue: jobs.clone(), crew: crew.clone() };
            let (make, report) = (Arc::clone(&make), report.clone());
            let work = move || work(&jobs, make.as_ref(), report);
            pool.own.push(own);
            let thread = Builder::new().name(format!("infer-{number}")).spawn(work);
            pool.threads.push(thread.map_err(PoolError::Spawn)?);
        }
        drop(report);
        reports.into_iter().collect::<Result<(), Cause>>().map_err(PoolError::Make)?;
        Ok(pool)
    }

    /// Hands `job` to the next free thread, or gives it up at once when the queue is full. A panic in a job is caught and
    /// the thread's `S` is made anew. Should that fail, it is tried once more for each job that comes, and a job that
    /// finds no `S` is dropped with everything it holds: a caller that waits on a channel sees it closed.
    ///
    /// # Errors
    /// The queue is full.
    pub fn submit(&self, job: impl FnOnce(&mut S) + Send + 'static) -> Result<(), QueueFull> {
        // The queue is there until the pool is dropped.
        let Some(queue) = &self.queue else { return Err(QueueFull { waiting: 0 }) };
        queue.try_send(Box::new(job)).map_err(|refused| match refused {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => QueueFull { waiting: queue.len() },
        })
    }

    /// Has every thread do `job` once it is done with what it does now, before anything that waits.
    pub fn everywhere(&self, job: impl Fn(&mut S) + Clone + Send + 'static) {
        for own in &self.own {
            let job = job.clone();
            // A thread lives as long as the pool.
            let _ = own.send(Box::new(move |state| job(state)));
        }
    }

    /// Jobs that wait.
    pub fn depth(&self) -> usize {
        self.queue.as_ref().map_or(0, Sender::len)
    }

    /// Inference threads.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }
}

impl<S> Drop for Pool<S> {
    fn drop(&mut self) {
        drop(self.queue.take());
        self.own.clear();
        let current = std::thread::current().id();
        // A job may hold the last reference to its own pool; a thread cannot wait for itself.
        for thread in self.threads.drain(..).filter(|thread| thread.thread().id() != current) {
            // Panics of jobs are caught on the thread; there is nothing in the result to act on.
            let _ = thread.join();
        }
    }
}

/// What one thread has to do.
struct Jobs<S> {
    own: Receiver<Job<S>>,
    queue: Receiver<Job<S>>,
    crew: Crew,
}

impl<S> Jobs<S> {
    /// Waits for the next job, and takes part in what other threads do meanwhile; `None` when the pool is gone and its
    /// queue is empty.
    fn next(&self) -> Option<Job<S>> {
        loop {
            if let Ok(job) = self.own.try_recv().or_else(|_none| self.queue.try_recv()) {
                return Some(job);
            }
            let idle = self.crew.idle();
            select_biased! {
                recv(self.own) -> job => return job.or_else(|_gone| self.queue.recv()).ok(),
                recv(self.queue) -> job => return job.ok(),
                recv(self.crew.calls()) -> offer => {
                    drop(idle);
                    // The crew can always be called: this thread itself is of it.
                    let Ok(offer) = offer else { continue };
                    offer.join(|| !self.own.is_empty() || !self.queue.is_empty());
                }
            }
        }
    }
}

type Make<S> = dyn Fn() -> Result<S, Cause> + Send + Sync;

/// A thread's life: make the state, say so, run jobs until the queue is empty and the pool is gone.
fn work<S>(jobs: &Jobs<S>, make: &Make<S>, report: Sender<Result<(), Cause>>) {
    jobs.crew.enter();
    let mut state = match attempt(make) {
        Ok(state) => Some(state),
        // Nobody listens any more when another thread failed first.
        Err(cause) => return drop(report.send(Err(cause))),
    };
    let _ = report.send(Ok(()));
    drop(report);
    while let Some(job) = jobs.next() {
        if state.is_none() {
            state = remake(make);
        }
        let Some(current) = state.as_mut() else { continue };
        if catch_unwind(AssertUnwindSafe(|| job(current))).is_err() {
            tracing::error!("a request panicked; its inference thread starts afresh");
            let old = state.take();
            let _ = catch_unwind(AssertUnwindSafe(|| drop(old)));
            state = remake(make);
        }
    }
}

fn remake<S>(make: &Make<S>) -> Option<S> {
    attempt(make).inspect_err(|cause| tracing::error!(%cause, "an inference thread has no model state")).ok()
}

fn attempt<S>(make: &Make<S>) -> Result<S, Cause> {
    catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|_| Err("panicked".into()))
}

/// All inference threads are busy and the queue is full.
#[derive(Debug, thiserror::Error)]
#[error("all inference threads are busy and {waiting} requests wait")]
pub struct QueueFull {
    /// Length of the queue.
    pub waiting: usize,
}

/// Why a pool does not start.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The system gives no more threads.
    #[error("cannot start an inference thread")]
    Spawn(#[source] std::io::Error),
    /// A thread could not make its state.
    #[error("an inference thread cannot make its model state")]
    Make(#[source] Box<dyn std::error::Error + Send + Sync>),
}
