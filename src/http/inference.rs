//! From the I/O workers to an inference thread and back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::bundle;
use crate::model::RunError;
use crate::predict::request::{Decoded, Group, Terms};
use crate::predict::{Answered, Intake, PredictError, Request, SelfTestError};

use super::admission::Permit;
use super::error::Failure;
use super::hosted::{Hosted, InFlight, Workers};
use super::model::Card;
use super::shared::Shared;

/// A loaded model, shared by the inference threads.
pub trait Engine: Send + Sync {
    /// What a request with these headers is answered with and how its body is read.
    ///
    /// # Errors
    /// See [`PredictError`].
    fn intake(&self, media_type: Option<&str>, accept: Option<&str>, terms: Terms) -> Result<Intake, PredictError>;
    /// Reads a body that is there whole.
    ///
    /// # Errors
    /// See [`PredictError`].
    fn read(&self, request: &Request) -> Result<Decoded, PredictError>;
    /// One thread's state; made on that thread.
    ///
    /// # Errors
    /// The engine cannot make it.
    fn worker(&self) -> Result<Box<dyn Worker>, RunError>;
}

/// One inference thread's way to answer requests of one model.
pub trait Worker {
    /// Answers items; asks `abandoned` now and then whether anybody still waits.
    fn answer(&mut self, group: Group, abandoned: &dyn Fn() -> bool) -> Answered;
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
    /// What answers.
    pub engine: Arc<dyn Engine>,
    /// How its answers are given.
    pub answers: bundle::Answers,
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

/// A request that was admitted. Its jobs hold it until the last of them is done, not until its answer is sent, so that
/// abandoned work still counts.
pub(super) struct Ticket {
    pub(super) shared: Arc<Shared>,
    pub(super) hosted: Arc<Hosted>,
    pub(super) deadline: Instant,
    _permit: Permit,
    _in_flight: InFlight,
}

impl Ticket {
    /// A place for a request to `hosted`: at once or not at all.
    pub(super) fn new(
        shared: &Arc<Shared>,
        hosted: &Arc<Hosted>,
        in_flight: InFlight,
        deadline: Instant,
    ) -> Result<Arc<Self>, Failure> {
        let (shared, hosted) = (Arc::clone(shared), Arc::clone(hosted));
        let permit = shared.admission.admit()?;
        Ok(Arc::new(Self { shared, hosted, deadline, _permit: permit, _in_flight: in_flight }))
    }

    fn late(&self) -> Failure {
        Failure::DeadlineExceeded { seconds: self.shared.config.deadline.as_secs() }
    }
}

/// What a job came to, and how long it waited: failures wait as well.
pub(super) struct Done<T> {
    pub(super) result: Result<T, Failure>,
    pub(super) queued: Duration,
}

/// What a job works with on its thread.
pub(super) struct Thread<'a> {
    pub(super) hosted: &'a Hosted,
    worker: &'a mut Box<dyn Worker>,
    abandoned: &'a dyn Fn() -> bool,
    crashed: bool,
}

impl Thread<'_> {
    /// Has the model answer a group, and remembers what it took.
    pub(super) fn answer(&mut self, group: Group) -> Answered {
        let begun = Instant::now();
        let answered = self.worker.answer(group, self.abandoned);
        // A refusal takes next to nothing, and says nothing of what an answer takes.
        let answers = answered.answers.iter().filter(|answer| answer.is_ok()).count();
        if answers > 0 {
            self.hosted.took(answers, begun.elapsed());
        }
        let panicked = |answer: &Result<_, _>| matches!(answer, Err(PredictError::Run(RunError::Panicked)));
        self.crashed |= answered.answers.iter().any(panicked);
        answered
    }
}

/// Runs `work` on an inference thread. Work past its deadline, or whose client is gone, is not begun, and given up at the
/// model's next look.
pub(super) async fn run<T: Send + 'static>(
    ticket: &Arc<Ticket>,
    work: impl FnOnce(&mut Thread<'_>) -> Result<T, Failure> + Send + 'static,
) -> Result<Done<T>, Failure> {
    let (answer, answered) = oneshot::channel();
    let task = on_thread(Arc::clone(ticket), work, answer);
    ticket.shared.pool.submit(task).map_err(|_full| ticket.shared.admission.overloaded())?;
    match tokio::time::timeout_at(ticket.deadline.into(), answered).await {
        Ok(Ok(Some(done))) => Ok(done),
        Ok(Ok(None)) | Err(_) => Err(ticket.late()),
        Ok(Err(_dropped)) => Err(Failure::Internal),
    }
}

/// Answers with nothing when nobody waited any more as the thread took it up.
fn on_thread<T: Send + 'static>(
    ticket: Arc<Ticket>,
    work: impl FnOnce(&mut Thread<'_>) -> Result<T, Failure> + Send + 'static,
    answer: oneshot::Sender<Option<Done<T>>>,
) -> impl FnOnce(&mut Workers) + Send + 'static {
    let submitted = Instant::now();
    move |workers| {
        let queued = submitted.elapsed();
        let abandoned = || answer.is_closed() || Instant::now() >= ticket.deadline;
        if abandoned() {
            return drop(answer.send(None));
        }
        let done = catch_unwind(AssertUnwindSafe(|| {
            let worker = ticket.hosted.worker(workers)?;
            let mut thread = Thread { hosted: &ticket.hosted, worker, abandoned: &abandoned, crashed: false };
            let result = work(&mut thread);
            Ok((result, thread.crashed))
        }));
        let (result, crashed) = match done {
            Ok(Ok((Err(Failure::Predict(PredictError::Abandoned)), crashed))) => (Err(ticket.late()), crashed),
            Ok(Ok((result, crashed))) => (result, crashed),
            Ok(Err(unmade)) => (Err(Failure::Predict(PredictError::Run(unmade))), false),
            Err(_panic) => (Err(Failure::Internal), true),
        };
        // Nobody listens any more when the client has left.
        drop(answer.send(Some(Done { result, queued })));
        if crashed {
            check_after_crash(&ticket, workers);
        }
    }
}

/// A panic is our bug. The thread's state is made anew; whether that helped, the self-test says, on this same thread.
fn check_after_crash(ticket: &Ticket, workers: &mut Workers) {
    tracing::error!("a request made the model panic; its thread starts afresh and runs the self-test");
    let sound = catch_unwind(AssertUnwindSafe(|| {
        workers.remove(&ticket.hosted.id);
        ticket.hosted.worker(workers).is_ok_and(|worker| worker.self_test().is_ok())
    }));
    if !matches!(sound, Ok(true)) {
        tracing::error!(model = ticket.hosted.model.card.name, "the self-test fails after a panic");
        ticket.shared.unsound(&ticket.hosted);
    }
}
