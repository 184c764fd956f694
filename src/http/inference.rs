//! From the I/O workers to an inference thread and back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::model::{Pool, RunError};
use crate::predict::{PredictError, Request, Response, SelfTestError};

use super::admission::Permit;
use super::error::Failure;
use super::model::Card;
use super::shared::Shared;

/// One inference thread's way to answer requests.
pub trait Worker {
    /// Decodes, runs, encodes; asks `abandoned` now and then whether anybody still waits.
    ///
    /// # Errors
    /// See [`PredictError`].
    fn predict(&mut self, request: &Request, abandoned: &dyn Fn() -> bool) -> Result<Response, PredictError>;
    /// Makes this thread's state anew, after a panic.
    ///
    /// # Errors
    /// The engine cannot make it.
    fn renew(&mut self) -> Result<(), RunError>;
    /// Runs the bundle's self-test on this thread; asked for at the start and after a panic.
    ///
    /// # Errors
    /// See [`SelfTestError`].
    fn self_test(&mut self) -> Result<(), SelfTestError>;
}

/// A model that has passed its self-test.
pub struct Model {
    /// What `/model` says of it.
    pub card: Card,
    /// Its threads. Their queue is as long as [`super::Config::pool_queue`] says: admission counts, not the queue.
    pub pool: Pool<Box<dyn Worker>>,
    /// What `/test` runs.
    pub sample: Option<Sample>,
}

/// A request that the bundle brings itself.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Path in the bundle.
    pub name: String,
    /// Content-Type of the body.
    pub media_type: String,
    /// The request's body.
    pub body: Bytes,
}

/// A request on its way to a thread.
pub(super) struct Job {
    pub(super) model: Arc<Model>,
    pub(super) request: Request,
    pub(super) deadline: Instant,
    pub(super) permit: Permit,
}

/// What a thread came to, and how long it took: failures take time as well.
pub(super) struct Answered {
    pub(super) result: Result<Response, Failure>,
    pub(super) queued: Duration,
    pub(super) ran: Duration,
}

/// Runs a job on an inference thread. Work past its deadline, or whose client is gone, is not begun, and given up at the
/// model's next look.
pub(super) async fn run(shared: &Arc<Shared>, job: Job) -> Result<Answered, Failure> {
    let (answer, answered) = oneshot::channel();
    let (deadline, model) = (job.deadline, Arc::clone(&job.model));
    let late = || Failure::DeadlineExceeded { seconds: shared.config.deadline.as_secs() };
    let task = on_thread(Arc::clone(shared), job, answer);
    model.pool.submit(task).map_err(|_full| shared.admission.overloaded())?;
    match tokio::time::timeout_at(deadline.into(), answered).await {
        Ok(Ok(Some(answered))) => Ok(answered),
        Ok(Ok(None)) | Err(_) => Err(late()),
        // The thread has no model.
        Ok(Err(_dropped)) => Err(Failure::Internal),
    }
}

/// Answers with nothing when nobody waited any more as the thread took it up.
fn on_thread(
    shared: Arc<Shared>,
    job: Job,
    answer: oneshot::Sender<Option<Answered>>,
) -> impl FnOnce(&mut Box<dyn Worker>) + Send + 'static {
    let submitted = Instant::now();
    let Job { model: _, request, deadline, permit } = job;
    move |worker| {
        let _held_until_done = permit;
        let taken_up = Instant::now();
        let abandoned = || answer.is_closed() || Instant::now() >= deadline;
        if abandoned() {
            return drop(answer.send(None));
        }
        let done = catch_unwind(AssertUnwindSafe(|| worker.predict(&request, &abandoned)));
        let crashed = matches!(done, Err(_) | Ok(Err(PredictError::Run(RunError::Panicked))));
        let result = match done {
            Ok(Err(PredictError::Abandoned)) => {
                Err(Failure::DeadlineExceeded { seconds: shared.config.deadline.as_secs() })
            }
            Ok(done) => done.map_err(Failure::Predict),
            Err(_panic) => Err(Failure::Internal),
        };
        let (queued, ran) = (taken_up - submitted, taken_up.elapsed());
        // Nobody listens any more when the client has left.
        drop(answer.send(Some(Answered { result, queued, ran })));
        if crashed {
            check_after_crash(&shared, worker);
        }
    }
}

/// A panic is our bug. The thread's state is made anew; whether that helped, the self-test says, on this same thread.
fn check_after_crash(shared: &Shared, worker: &mut Box<dyn Worker>) {
    tracing::error!("a request made the model panic; its thread starts afresh and runs the self-test");
    let sound = catch_unwind(AssertUnwindSafe(|| worker.renew().is_ok() && worker.self_test().is_ok()));
    if !matches!(sound, Ok(true)) {
        tracing::error!("the self-test fails after a panic; /ping answers 503 from now on");
        shared.readiness.poisoned();
    }
}
