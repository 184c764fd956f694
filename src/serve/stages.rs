//! The stages of a start: each logged with what it took, and blamed by its name when it fails.

use std::error::Error;
use std::future::Future;
use std::time::Instant;

use tokio::task::spawn_blocking;

use crate::bundle::BundleError;
use crate::http::Control;
use crate::keys::KeyError;
use crate::model::{self, RunError};
use crate::predict::{self, SelfTestError};
use crate::registry::RegistryError;

use super::millis;

/// A stage of a start failed.
#[derive(Debug, thiserror::Error)]
#[error("{stage} of {object} failed")]
pub struct StartError {
    /// `key`, `fetch`, `memory`, `read`, `load`, `warm-up`, `self-test`.
    pub stage: &'static str,
    /// What it worked on.
    pub object: String,
    /// What helps.
    pub remedy: Option<String>,
    /// Why.
    pub source: Box<dyn Error + Send + Sync>,
}

impl StartError {
    pub(super) fn of<E: Hint>(stage: &'static str, object: &str, error: E) -> Self {
        Self { stage, object: object.to_owned(), remedy: error.hint(), source: error.into() }
    }
}

/// Runs stages and tells of them: `/ping` too, where the server waits for one model.
#[derive(Clone, Copy)]
pub(super) struct Stages<'a>(pub(super) Option<&'a Control>);

impl Stages<'_> {
    pub(super) async fn run<T, E: Hint>(
        &self,
        stage: &'static str,
        object: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, StartError> {
        if let Some(control) = self.0 {
            control.starting(stage);
        }
        let begun = Instant::now();
        let done = work.await.map_err(|error| StartError::of(stage, object, error))?;
        if let Some(control) = self.0 {
            control.stage_done(stage, begun.elapsed());
        }
        tracing::info!(stage, object, duration_ms = millis(begun), "stage done");
        Ok(done)
    }
}

/// CPU work, away from the threads that do I/O. A panic there is a failure of the stage.
pub(super) async fn blocking<T: Send + 'static, E: Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Stopped<E>> {
    match spawn_blocking(work).await {
        Ok(done) => done.map_err(Stopped::Failed),
        Err(_panic) => Err(Stopped::Panicked),
    }
}

/// CPU work that came to no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum Stopped<E> {
    #[error(transparent)]
    Failed(E),
    #[error("it panicked")]
    Panicked,
}

/// What helps against an error, by its own word.
pub(super) trait Hint: Into<Box<dyn Error + Send + Sync>> {
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

impl Hint for RunError {
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
