//! What all routes share.

use std::sync::{Arc, OnceLock};

use super::Config;
use super::admission::Admission;
use super::error::Failure;
use super::inference::Model;
use super::metrics::Metrics;
use super::readiness::Readiness;

/// One per server.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) readiness: Readiness,
    pub(super) admission: Admission,
    pub(super) metrics: Metrics,
    model: OnceLock<Arc<Model>>,
}

impl Shared {
    pub(super) fn new(config: Config) -> Self {
        let admission = Admission::new(config.threads, config.queue);
        let metrics = Metrics::new(config.threads);
        Self { config, readiness: Readiness::new(), admission, metrics, model: OnceLock::new() }
    }

    /// The model, while the server takes requests.
    pub(super) fn ready_model(&self) -> Result<&Arc<Model>, Failure> {
        self.readiness.check()?;
        self.model.get().ok_or(Failure::NotReady { stage: "ready" })
    }

    /// The model, once there is one, whatever the server is doing.
    pub(super) fn model(&self) -> Option<&Arc<Model>> {
        self.model.get()
    }

    /// Takes the first model; a server has one for life.
    pub(super) fn serve(&self, model: Model) {
        self.metrics.describe(&model.card);
        drop(self.model.set(Arc::new(model)));
        self.readiness.ready();
    }
}
