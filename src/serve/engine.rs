//! A predictor as the server runs it.

use std::sync::Arc;

use crate::http::{Engine, Worker};
use crate::model::RunError;
use crate::predict::request::{Decoded, Group, Terms};
use crate::predict::{Answered, Intake, PredictError, Predictor, Request, SelfTestError, Session};

/// The predictor, shared by the threads.
pub(super) struct PredictEngine(pub(super) Arc<Predictor>);

/// With one thread's own state of its graphs.
struct PredictWorker {
    predictor: Arc<Predictor>,
    session: Session,
}

impl Engine for PredictEngine {
    fn intake(&self, media_type: Option<&str>, accept: Option<&str>, terms: Terms) -> Result<Intake, PredictError> {
        self.0.intake(media_type, accept, terms)
    }

    fn read(&self, request: &Request) -> Result<Decoded, PredictError> {
        self.0.read(request)
    }

    fn worker(&self) -> Result<Box<dyn Worker>, RunError> {
        Ok(Box::new(PredictWorker { session: self.0.session()?, predictor: Arc::clone(&self.0) }))
    }
}

impl Worker for PredictWorker {
    fn answer(&mut self, group: Group, abandoned: &dyn Fn() -> bool) -> Answered {
        self.predictor.answer(&mut self.session, group, abandoned)
    }

    fn self_test(&mut self) -> Result<(), SelfTestError> {
        self.predictor.self_test(&mut self.session)
    }
}
