//! What all routes share.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio::sync::watch;

use super::Config;
use super::admission::Admission;
use super::convenience::Page;
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
    page: OnceLock<Page>,
    cut: watch::Sender<Option<Instant>>,
}

impl Shared {
    pub(super) fn new(config: Config) -> Self {
        let admission = Admission::new(&config);
        let metrics = Metrics::new(config.threads);
        let (model, page, cut) = (OnceLock::new(), OnceLock::new(), watch::Sender::new(None));
        Self { config, readiness: Readiness::new(), admission, metrics, model, page, cut }
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

    /// `/test` for people, once there is a model.
    pub(super) fn page(&self) -> Option<&Page> {
        self.page.get()
    }

    /// No answer later than `at`: soon after, connections are closed.
    pub(super) fn cut_at(&self, at: Instant) {
        self.cut.send_replace(Some(at));
    }

    /// What `answer` comes to, or the word that the server leaves, told while there is still time to send it.
    pub(super) async fn before_cut<T>(&self, answer: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            answered = answer => answered,
            () = self.cut() => Err(Failure::Draining),
        }
    }

    async fn cut(&self) {
        let mut told = self.cut.subscribe();
        // The sender lives as long as this does.
        let at = told.wait_for(Option::is_some).await.ok().and_then(|at| *at);
        match at {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    }

    /// Takes the first model; a server has one for life.
    pub(super) fn serve(&self, model: Model) {
        self.metrics.describe(&model.card);
        drop(self.page.set(Page::of(&model)));
        drop(self.model.set(Arc::new(model)));
        self.readiness.ready();
    }
}
