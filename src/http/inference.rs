//! From the I/O workers to an inference thread and back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::model::Pool;
use crate::predict::{PredictError, Request, Response, SelfTestError};

use super::admission::Permit;
use super::error::Failure;
use super::model::Card;
use super::shared::Shared;

/// One inference thread's way to answer requests.
pub trait Worker {
    /// Decodes, runs, encodes.
    ///
    /// # Errors
    /// See [`PredictError`].
    fn predict(&mut self, request: &Request) -> Result<Response, PredictError>;
    /// Runs the bundle's self-test on this thread; asked for after a panic.
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

/// An answer and how long it took.
pub(super) struct Answered {
    pub(super) response: Response,
    pub(super) queued: Duration,
    pub(super) ran: Duration,
}

/// What an inference thread sends back.
enum Outcome {
    Done {
        result: Result<Response, PredictError>,
        queued: Duration,
        ran: Duration,
    },
    /// The deadline had passed before the thread took the job up.
    Expired,
}

/// Runs `request` on an inference thread. Queued work past its deadline, or whose client is gone, costs no CPU.
pub(super) async fn run(
    shared: &Arc<Shared>,
    request: Request,
    deadline: Instant,
    permit: Permit,
) -> Result<Answered, Failure> {
    let model = shared.ready_model()?;
    let (answer, answered) = oneshot::channel();
    let job = job(request, deadline, permit, answer);
    model.pool.submit(job).map_err(|_full| shared.admission.overloaded())?;
    match tokio::time::timeout_at(deadline.into(), answered).await {
        Ok(Ok(Outcome::Done { result, queued, ran })) => Ok(Answered { response: result?, queued, ran }),
        Ok(Ok(Outcome::Expired)) | Err(_) => {
            Err(Failure::DeadlineExceeded { seconds: shared.config.deadline.as_secs() })
        }
        Ok(Err(_dropped)) => {
            check_after_crash(shared, model);
            Err(Failure::Internal)
        }
    }
}

fn job(
    request: Request,
    deadline: Instant,
    permit: Permit,
    answer: oneshot::Sender<Outcome>,
) -> impl FnOnce(&mut Box<dyn Worker>) + Send + 'static {
    let submitted = Instant::now();
    move |worker| {
        let _held_until_done = permit;
        let taken_up = Instant::now();
        let outcome = if taken_up >= deadline || answer.is_closed() {
            Outcome::Expired
        } else {
            let result = worker.predict(&request);
            Outcome::Done { result, queued: taken_up - submitted, ran: taken_up.elapsed() }
        };
        // Nobody listens any more when the client has left.
        drop(answer.send(outcome));
    }
}

/// A panic is our bug. The pool makes the thread's state anew; whether that helped, the self-test says.
fn check_after_crash(shared: &Arc<Shared>, model: &Model) {
    tracing::error!("a request made the model panic; running the self-test");
    let mut verdict = Verdict { shared: Arc::clone(shared), passed: false };
    let check = move |worker: &mut Box<dyn Worker>| verdict.pass(worker.self_test().is_ok());
    if let Err(full) = model.pool.submit(check) {
        tracing::error!(error = %full, "no room for the self-test after a panic");
    }
}

/// Speaks when dropped, so that a self-test that panics or finds no thread that can run it counts as failed.
struct Verdict {
    shared: Arc<Shared>,
    passed: bool,
}

impl Verdict {
    fn pass(&mut self, passed: bool) {
        self.passed = passed;
    }
}

impl Drop for Verdict {
    fn drop(&mut self) {
        if !self.passed {
            tracing::error!("the self-test fails after a panic; /ping answers 503 from now on");
            self.shared.readiness.poisoned();
        }
    }
}
