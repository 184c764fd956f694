//! From a model's name to a model that has passed its self-test, stage by stage, each logged with what it took.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use crate::bundle::{Bundle, BundleError};
use crate::config::registry::RegistryArgs;
use crate::config::serve::Serve;
use crate::http::{Card, Control, Model, Sample, Worker};
use crate::keys::KeyError;
use crate::model::{self, Pool, PoolError};
use crate::predict::{self, Predictor, SelfTestError};
use crate::registry::{Fetched, RegistryError};

use super::millis;
use super::worker::PredictWorker;

/// A stage of the start failed.
#[derive(Debug, thiserror::Error)]
#[error("{stage} of {object} failed")]
pub struct StartError {
    /// `key`, `fetch`, `read`, `load`, `warm-up`, `self-test`.
    pub stage: &'static str,
    /// What it worked on.
    pub object: String,
    /// What helps.
    pub remedy: Option<String>,
    /// Why.
    pub source: Box<dyn Error + Send + Sync>,
}

/// Fetches, opens, loads and tests the model. Nothing unauthenticated is parsed: what `fetch` answers with was opened.
pub(super) async fn start(config: &Serve, control: &Control) -> Result<Model, StartError> {
    let stages = Stages(control);
    let source = &config.registry;
    let registry = stages.run("key", &source.key.to_string(), source.open()).await?;
    let object = format!("{} in {}", config.model, source.registry);
    let fetched = stages.run("fetch", &object, registry.fetch(&config.model)).await;
    let fetched = fetched.map_err(|error| blame_key(error, source))?;
    let Fetched { files, name, version, digest, signed, .. } = fetched;
    let object = format!("{name}:{version}");
    let bundle = stages.run("read", &object, blocking(move || Bundle::from_files(files))).await?;
    let predictor = stages.run("load", &object, blocking(move || Predictor::load(bundle))).await?;
    let predictor = Arc::new(predictor);
    let pool = stages.run("warm-up", &object, warm_up(config, &predictor)).await?;
    stages.run("self-test", &object, self_test(&pool)).await?;
    let card = Card {
        name,
        version,
        digest,
        trust: if signed { "signed" } else { "unsigned" },
        task: predictor.task(),
        inputs: predictor.inputs(),
        limits: predictor.manifest().limits.clone(),
    };
    log_model(config, &card);
    if !signed {
        tracing::warn!(model = card.name, version = card.version, "serving an unsigned model");
    }
    Ok(Model { card, pool, sample: sample(&predictor) })
}

/// A secret is asked for when a file needs it, not before: a failure of the key is one of the stage `key`.
fn blame_key(error: StartError, source: &RegistryArgs) -> StartError {
    match error.source.downcast_ref::<RegistryError>() {
        Some(RegistryError::Key { .. }) => StartError { stage: "key", object: source.key.to_string(), ..error },
        _ => error,
    }
}

/// Runs stages and tells of them.
struct Stages<'a>(&'a Control);

impl Stages<'_> {
    async fn run<T, E: Hint>(
        &self,
        stage: &'static str,
        object: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, StartError> {
        self.0.starting(stage);
        let begun = Instant::now();
        let done = work.await.map_err(|error| StartError {
            stage,
            object: object.to_owned(),
            remedy: error.hint(),
            source: error.into(),
        })?;
        self.0.stage_done(stage, begun.elapsed());
        tracing::info!(stage, object, duration_ms = millis(begun), "stage done");
        Ok(done)
    }
}

/// CPU work, away from the threads that do I/O. A panic there is a failure of the stage.
async fn blocking<T: Send + 'static, E: Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Stopped<E>> {
    match spawn_blocking(work).await {
        Ok(done) => done.map_err(Stopped::Failed),
        Err(_panic) => Err(Stopped::Panicked),
    }
}

async fn warm_up(config: &Serve, predictor: &Arc<Predictor>) -> Result<Pool<Box<dyn Worker>>, Stopped<PoolError>> {
    let (threads, queue) = (config.http.threads, config.http.pool_queue());
    let predictor = Arc::clone(predictor);
    blocking(move || Pool::start(threads, queue, move || PredictWorker::boxed(&predictor))).await
}

async fn self_test(pool: &Pool<Box<dyn Worker>>) -> Result<(), Stopped<SelfTestError>> {
    let (tell, told) = oneshot::channel();
    let test = move |worker: &mut Box<dyn Worker>| drop(tell.send(worker.self_test()));
    pool.submit(test).map_err(|_full| Stopped::Panicked)?;
    match told.await {
        Ok(result) => result.map_err(Stopped::Failed),
        Err(_dropped) => Err(Stopped::Panicked),
    }
}

fn sample(predictor: &Predictor) -> Option<Sample> {
    let (name, request) = predictor.sample()?;
    let media_type = request.media_type.unwrap_or_default();
    Some(Sample { name: name.to_owned(), media_type, body: request.body })
}

fn log_model(config: &Serve, card: &Card) {
    let Card { name, version, digest, trust, task, inputs, limits } = card;
    let http = &config.http;
    // Plain numbers and names: they always serialise.
    let inputs = serde_json::to_string(inputs).unwrap_or_default();
    tracing::info!(
        model = name, version, digest, trust, task, inputs, limits = ?limits, threads = http.threads,
        queue = http.queue, max_body_bytes = http.max_body, deadline_ms = http.deadline.as_millis() as u64,
        mode = "single-model", "serving"
    );
}

/// CPU work that came to no result.
#[derive(Debug, thiserror::Error)]
enum Stopped<E> {
    #[error(transparent)]
    Failed(E),
    #[error("it panicked")]
    Panicked,
}

/// What helps against an error, by its own word.
trait Hint: Into<Box<dyn Error + Send + Sync>> {
    fn hint(&self) -> Option<String>;
}

impl<E: Hint> Hint for Stopped<E>
where
    Self: Into<Box<dyn Error + Send + Sync>>,
{
    fn hint(&self) -> Option<String> {
        match self {
            Self::Failed(error) => error.hint(),
            Self::Panicked => None,
        }
    }
}

impl Hint for RegistryError {
    fn hint(&self) -> Option<String> {
        self.remedy()
    }
}

impl Hint for KeyError {
    fn hint(&self) -> Option<String> {
        self.remedy()
    }
}

impl Hint for BundleError {
    fn hint(&self) -> Option<String> {
        self.remedy().map(str::to_owned)
    }
}

impl Hint for predict::LoadError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Bundle(error) => error.hint(),
            Self::Graph { source, .. } => model::LoadError::remedy(source),
            Self::Mismatch { .. } => Some("correct model.toml and publish the model under a new version".to_owned()),
        }
    }
}

impl Hint for PoolError {
    fn hint(&self) -> Option<String> {
        None
    }
}

impl Hint for SelfTestError {
    fn hint(&self) -> Option<String> {
        Some(
            "the model does not answer as its publisher saw it: publish it again from a machine like this one"
                .to_owned(),
        )
    }
}
