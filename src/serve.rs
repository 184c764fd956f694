//! Composition root: bind, fetch, open, load, self-test, ready, drain. Here sealed models and HTTP meet, and nowhere else.

mod signals;
mod start;
mod worker;

use std::time::Instant;

use crate::config::serve::Serve;
use crate::http::{BindError, Server};
use crate::sandbox;
use crate::telemetry::chain;

use signals::Signals;

pub use start::StartError;

/// Why serving ended with a failure. All but [`ServeError::Bind`] has been logged.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port cannot be had.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The model did not become ready.
    #[error(transparent)]
    Start(#[from] StartError),
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
    let control = server.control();
    let model = tokio::select! {
        started = start::start(config, &control) => started,
        signal = signals.next() => {
            tracing::info!(signal, "told to stop before the model was ready");
            server.stop().await;
            return Ok(());
        }
    };
    match model {
        Ok(model) => control.ready(model),
        Err(error) => {
            server.stop().await;
            return Err(error.into());
        }
    }
    tracing::info!(duration_ms = millis(begun), "ready");
    tokio::select! {
        ended = server.ended() => return Err(ServeError::Ended(ended.err().unwrap_or_else(|| std::io::Error::other("stopped")))),
        signal = signals.next() => tracing::info!(signal, "draining"),
    }
    server.drain().await;
    tracing::info!("drained");
    Ok(())
}

/// One line: stage, object, what went wrong, what helps.
fn log_failure(error: &ServeError) {
    let remedy = error.remedy().unwrap_or_default();
    let (stage, object) = match error {
        ServeError::Bind(error) => ("bind", error.address().to_string()),
        ServeError::Start(error) => (error.stage, error.object.clone()),
        ServeError::Ended(_) => ("serve", String::new()),
    };
    tracing::error!(stage, object, error = chain(error), remedy, "cannot serve");
}

/// Since `begun`, in milliseconds.
fn millis(begun: Instant) -> f64 {
    begun.elapsed().as_micros() as f64 / 1e3
}
