//! What a request cost and came to, gathered while it is answered: for the access log and the metrics.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use actix_web::{HttpMessage as _, HttpRequest};

/// Shared by a request's route and the middleware around it, which all run on one I/O worker.
pub(super) type SharedWork = Rc<RefCell<Work>>;

/// What a route learned about its request.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Length of its body, as far as it arrived.
    pub(super) bytes_in: usize,
    /// Of a request that reached an inference thread.
    pub(super) stages: Option<Stages>,
    /// What its items came to.
    pub(super) tally: Tally,
    /// Why a stream that had begun was broken off.
    pub(super) broken: Option<&'static str>,
}

/// Where a request's time went. The records of one request are answered on several threads: their times are added up.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stages {
    /// Until its first job was taken up.
    pub(super) queue: Duration,
    /// Reading the body and decoding its images.
    pub(super) decode: Duration,
    /// From pixels, rows and tensors to answers.
    pub(super) run: Duration,
    /// Writing the answers.
    pub(super) encode: Duration,
}

/// What items came to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Items with an answer.
    pub(super) answered: u64,
    /// Items with an error in the place of one.
    pub(super) failed: u64,
    /// How often each class was the answer, or its best.
    pub(super) classes: BTreeMap<String, u64>,
    /// Sizes of the images, in millions of pixels.
    pub(super) megapixels: Vec<f32>,
}

impl Work {
    /// Adds what a job came to.
    pub(super) fn add(&mut self, queued: Duration, stages: Stages, tally: Tally) {
        let sum = self.stages.get_or_insert(Stages { queue: queued, ..Stages::default() });
        sum.decode += stages.decode;
        sum.run += stages.run;
        sum.encode += stages.encode;
        self.tally.add(tally);
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.megapixels.extend(other.megapixels);
        for (class, count) in other.classes {
            *self.classes.entry(class).or_default() += count;
        }
    }
}

/// The request's, put there by the middleware.
pub(super) fn of(request: &HttpRequest) -> SharedWork {
    request.extensions().get::<SharedWork>().cloned().unwrap_or_default()
}
