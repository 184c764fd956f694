//! A predictor on one inference thread.

use std::sync::Arc;

use crate::http::Worker;
use crate::model::RunError;
use crate::predict::{PredictError, Predictor, Request, Response, SelfTestError, Session};

/// The shared predictor with one thread's own state of its graphs.
pub(super) struct PredictWorker {
    predictor: Arc<Predictor>,
    session: Session,
}

impl PredictWorker {
    pub(super) fn boxed(predictor: &Arc<Predictor>) -> Result<Box<dyn Worker>, RunError> {
        Ok(Box::new(Self { session: predictor.session()?, predictor: Arc::clone(predictor) }))
    }
}

impl Worker for PredictWorker {
    fn predict(&mut self, request: &Request, abandoned: &dyn Fn() -> bool) -> Result<Response, PredictError> {
        self.predictor.predict(&mut self.session, request, abandoned)
    }

    fn renew(&mut self) -> Result<(), RunError> {
        self.session = self.predictor.session()?;
        Ok(())
    }

    fn self_test(&mut self) -> Result<(), SelfTestError> {
        self.predictor.self_test(&mut self.session)
    }
}
