//! What all routes share.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use crate::model::{Pool, PoolError, return_freed_memory};

use super::Config;
use super::admission::Admission;
use super::current::Current;
use super::error::Failure;
use super::hosted::{Hosted, Workers};
use super::inference::Model;
use super::metrics::Metrics;
use super::models::{Loader, Models};
use super::readiness::Readiness;

/// One per server.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) readiness: Readiness,
    pub(super) admission: Admission,
    pub(super) metrics: Metrics,
    /// The inference threads, for all models.
    pub(super) pool: Pool<Workers>,
    /// Those of a multi-model endpoint.
    pub(super) models: Models,
    loader: OnceLock<Arc<dyn Loader>>,
    /// The model of every other server.
    current: Current,
    cut: watch::Sender<Option<Instant>>,
}

impl Shared {
    /// Starts the inference threads, too.
    pub(super) fn new(config: Config) -> Result<Self, PoolError> {
        let pool = Pool::start(config.threads, config.pool_queue(), || Ok::<_, PoolError>(Workers::new()))?;
        Ok(Self {
            readiness: Readiness::new(),
            admission: Admission::new(&config),
            metrics: Metrics::new(config.threads),
            pool,
            models: Models::default(),
            loader: OnceLock::new(),
            current: Current::default(),
            cut: watch::Sender::new(None),
            config,
        })
    }

    /// The one model, while the server takes requests.
    pub(super) fn ready_model(&self) -> Result<Arc<Hosted>, Failure> {
        self.readiness.check()?;
        self.current.get().ok_or(Failure::NotReady { stage: "ready" })
    }

    /// The one model, once there is one, whatever the server is doing.
    pub(super) fn hosted(&self) -> Option<Arc<Hosted>> {
        self.current.get()
    }

    /// What loads models, while the server takes requests.
    pub(super) fn loader(&self) -> Result<&Arc<dyn Loader>, Failure> {
        self.readiness.check()?;
        self.loader.get().ok_or(Failure::NotReady { stage: "ready" })
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

    /// Takes the one model, or a newer one in its place: no request is without a model meanwhile.
    pub(super) fn serve(&self, model: Model) {
        let hosted = Arc::new(Hosted::new(model));
        self.warm_up(&hosted);
        self.metrics.describe(&hosted.model.card);
        self.current.replace(hosted);
        self.readiness.ready();
    }

    /// Has the model that was served before take requests again, if it has this digest; `false`: it is not there any more.
    pub(super) fn go_back(&self, digest: &str) -> bool {
        let Some(hosted) = self.current.go_back(digest) else { return false };
        self.metrics.describe(&hosted.model.card);
        self.readiness.ready();
        true
    }

    /// Gives back the memory of the model that was served before.
    pub(super) async fn forget_before(&self) {
        if let Some(hosted) = self.current.forget_before() {
            self.reclaim(hosted).await;
        }
    }

    /// Waits for what `hosted` has begun, then gives back its memory.
    pub(super) async fn reclaim(&self, hosted: Arc<Hosted>) {
        hosted.finish().await;
        let (tell, mut told) = mpsc::unbounded_channel();
        let id = hosted.id;
        self.pool.everywhere(move |workers| {
            workers.remove(&id);
            // Nobody listens when the server is gone.
            let _ = tell.send(());
        });
        drop(hosted);
        // Ends when the last thread has dropped its part of it.
        while told.recv().await.is_some() {}
        let _ = tokio::task::spawn_blocking(return_freed_memory).await;
    }

    /// Has every thread make its state of the model before it is asked for. Who cannot, says so when it is.
    pub(super) fn warm_up(&self, hosted: &Arc<Hosted>) {
        let hosted = Arc::clone(hosted);
        self.pool.everywhere(move |workers| drop(hosted.worker(workers)));
    }

    /// Takes models from now on, as they are asked for.
    pub(super) fn host(&self, loader: Arc<dyn Loader>) {
        drop(self.loader.set(loader));
        self.readiness.ready();
    }

    /// A model fails its self-test after a panic. Where it is the one that is served, so does the server; others go on.
    pub(super) fn unsound(&self, hosted: &Hosted) {
        hosted.unsound();
        if self.current.get().is_some_and(|current| current.id == hosted.id) {
            tracing::error!("/ping answers 503 from now on");
            self.readiness.poisoned();
        }
    }
}
