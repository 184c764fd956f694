//! Composition root: bind, fetch, open, load, self-test, ready, drain. Here sealed models and HTTP meet, and nowhere else.

mod engine;
mod multi_model;
mod signals;
mod stages;
mod start;

use std::sync::Arc;
use std::time::Instant;

use crate::config::serve::{Serve, Source};
use crate::http::{BindError, Control, Server};
use crate::sandbox;
use crate::telemetry::chain;

use multi_model::DirectoryLoader;
use signals::Signals;
use stages::Stages;

pub use stages::StartError;

/// Why serving ended with a failure. All but [`ServeError::Bind`] has been logged.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The model did not become ready.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A batch transform job cannot go on. (An endpoint's `/ping` says so, and the platform replaces the instance.)
    #[error("the model no longer passes its self-test after a request made it panic: the job cannot go on")]
    Poisoned,
    /// The server, or its way to hear of SIGTERM, failed.
    #[error("the server ended by itself")]
    Ended(#[source] std::io::Error),
}

impl ServeError {
    /// What helps.
    pub fn remedy(&self) -> Option<String> {
        match self {
            Self::Bind(error) => error.remedy().map(str::to_owned),
            Self::Start(error) => error.remedy.clone(),
            Self::Poisoned => Some("see the error above of the request that did it; leave that record out".to_owned()),
            Self::Ended(_) => None,
        }
    }
}

/// Serves until SIGTERM or SIGINT. `/ping` is answered from the first moment on.
///
/// # Errors
/// Logged already: the port is taken, or the model did not become ready.
pub async fn run(config: Serve) -> Result<(), ServeError> {
    let outcome = serve(&config).await;
    if let Err(error) = &outcome {
        log_failure(error);
    }
    outcome
}

async fn serve(config: &Serve) -> Result<(), ServeError> {
    let begun = Instant::now();
    let mut signals = Signals::listen().map_err(ServeError::Ended)?;
    if let Err(error) = sandbox::forbid_dumps() {
        tracing::warn!(%error, "core dumps cannot be forbidden");
    }
    let mut server = Server::start(config.http.clone())?;
    tracing::info!(stage = "bind", address = %server.address(), duration_ms = millis(begun), "listening");
    log_settings(config);
    let control = server.control();
    let started = tokio::select! {
        started = start(config, &control) => started,
        signal = signals.next() => {
            tracing::info!(signal, "told to stop before the model was ready");
            server.stop().await;
            return Ok(());
        }
    };
    if let Err(error) = started {
        server.stop().await;
        return Err(error.into());
    }
    tracing::info!(duration_ms = millis(begun), "ready");
    tokio::select! {
        ended = server.ended() => return Err(ServeError::Ended(ended.err().unwrap_or_else(|| std::io::Error::other("stopped")))),
        () = control.until_poisoned(), if config.http.batch => {
            server.stop().await;
            return Err(ServeError::Poisoned);
        }
        signal = signals.next() => tracing::info!(signal, "draining"),
    }
    server.drain().await;
    tracing::info!("drained");
    Ok(())
}

/// Brings up the one model, or what loads many.
async fn start(config: &Serve, control: &Control) -> Result<(), StartError> {
    match &config.source {
        Source::Registered { registry, model } => control.ready(start::from_registry(registry, model, control).await?),
        Source::Mounted(mount) => control.ready(start::from_mount(mount, control).await?),
        Source::Many(mount) => {
            let keys = start::open_keys(Stages(Some(control)), mount).await?;
            control.ready_for_models(Arc::new(DirectoryLoader::new(mount.clone(), keys)));
        }
    }
    Ok(())
}

/// One line with what is in force, wherever it came from.
fn log_settings(config: &Serve) {
    let http = &config.http;
    tracing::info!(
        mode = config.mode(),
        source = config.source.to_string(),
        threads = http.threads,
        queue = http.queue,
        max_body_bytes = http.max_body,
        max_records_body_bytes = http.max_records_body,
        deadline_ms = http.deadline.as_millis() as u64,
        default_accept = http.default_accept,
        memory_limit_bytes = crate::model::memory_limit(),
        "settings"
    );
}

/// One line: stage, object, what went wrong, what helps.
fn log_failure(error: &ServeError) {
    let remedy = error.remedy().unwrap_or_default();
    let (stage, object) = match error {
        ServeError::Bind(error) => ("bind", error.address().to_string()),
        ServeError::Start(error) => (error.stage, error.object.clone()),
        ServeError::Poisoned | ServeError::Ended(_) => ("serve", String::new()),
    };
    tracing::error!(stage, object, error = chain(error), remedy, "cannot serve");
}

/// Since `begun`, in milliseconds.
fn millis(begun: Instant) -> f64 {
    begun.elapsed().as_micros() as f64 / 1e3
}
