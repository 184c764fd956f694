//! Composition root: confine, bind, fetch, open, load, self-test, ready, drain. Here sealed models and HTTP meet, and nowhere else.

mod engine;
mod follow;
mod memory;
mod multi_model;
mod signals;
mod stages;
mod start;

use std::sync::Arc;
use std::time::Instant;

use crate::config::serve::{Serve, Source};
use crate::http::{BindError, Control, Server};
use crate::keys::{KeySource, Keys};
use crate::sandbox::{self, Layer, SandboxError};
use crate::telemetry::chain;

use follow::Following;
use multi_model::DirectoryLoader;
use signals::Signals;
use stages::Stages;
use start::EarlyKey;

pub use memory::peak;
pub use stages::StartError;

/// Why serving ended with a failure. It has been logged.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Not the whole sandbox can be had.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
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
            Self::Sandbox(error) => Some(error.remedy().to_owned()),
            Self::Bind(error) => error.remedy().map(str::to_owned),
            Self::Start(error) => error.remedy.clone(),
            Self::Poisoned => Some("see the error above of the request that did it; leave that record out".to_owned()),
            Self::Ended(_) => None,
        }
    }
}

/// A process that has given up what it does not need to serve.
pub struct Confined {
    config: Serve,
    sandbox: sandbox::Report,
    key: EarlyKey,
}

/// Reads the key, if it is a file, and puts the sandbox on. To be called before the process has a second thread.
///
/// # Errors
/// Logged already: the whole sandbox was asked for, and this machine does not give it.
pub fn confine(config: Serve) -> Result<Confined, ServeError> {
    let key = match config.source.key() {
        Some(KeySource::File(path)) => Some(Keys::read_file(path)),
        Some(KeySource::SecretsManager(_) | KeySource::Vault(_)) | None => None,
    };
    let sandbox = sandbox::confine(&config.sandbox).map_err(ServeError::from).inspect_err(log_failure)?;
    log_sandbox(&sandbox);
    Ok(Confined { config, sandbox, key })
}

/// Serves until SIGTERM or SIGINT. `/ping` is answered from the first moment on.
///
/// # Errors
/// Logged already: the port is taken, or the model did not become ready.
pub async fn run(confined: Confined) -> Result<(), ServeError> {
    serve(confined).await.inspect_err(log_failure)
}

async fn serve(Confined { config, sandbox, key }: Confined) -> Result<(), ServeError> {
    let begun = Instant::now();
    let mut signals = Signals::listen().map_err(ServeError::Ended)?;
    let mut server = Server::start(config.http.clone())?;
    tracing::info!(stage = "bind", address = %server.address(), duration_ms = millis(begun), "listening");
    log_settings(&config);
    let control = server.control();
    control.confined(&sandbox);
    let started = tokio::select! {
        started = start(&config, key, &control) => started,
        signal = signals.next() => {
            tracing::info!(signal, "told to stop before the model was ready");
            server.stop().await;
            return Ok(());
        }
    };
    let following = match started {
        Ok(following) => following,
        Err(error) => {
            server.stop().await;
            return Err(error.into());
        }
    };
    tracing::info!(duration_ms = millis(begun), "ready");
    tokio::select! {
        ended = server.ended() => return Err(ServeError::Ended(ended.err().unwrap_or_else(|| std::io::Error::other("stopped")))),
        () = control.until_poisoned(), if config.http.batch => {
            server.stop().await;
            return Err(ServeError::Poisoned);
        }
        () = follow(following, &control) => {}
        signal = signals.next() => tracing::info!(signal, "draining"),
    }
    server.drain().await;
    tracing::info!("drained");
    Ok(())
}

/// Follows an alias, if it is followed; in any case for ever.
async fn follow(following: Option<Following>, control: &Control) {
    match following {
        Some(following) => match following.run(control).await {},
        None => std::future::pending().await,
    }
}

/// Brings up the one model, or what loads many. Answers with the alias to be followed.
async fn start(config: &Serve, key: EarlyKey, control: &Control) -> Result<Option<Following>, StartError> {
    let stages = Stages(Some(control));
    match &config.source {
        Source::Registered { registry: source, model, follow } => {
            let registry = start::open_registry(stages, source, key).await?;
            if let Some(follow) = follow {
                let mut following = Following::new(registry, source, &model.name, follow);
                control.ready(following.first(stages).await?);
                return Ok(Some(following));
            }
            control.ready(start::from_registry(stages, &registry, source, model).await?);
        }
        Source::Mounted(mount) => control.ready(start::from_mount(mount, key, control).await?),
        Source::Many(mount) => {
            let keys = start::open_keys(stages, mount, key).await?;
            let authority = start::authority(stages, mount).await?;
            control.ready_for_models(Arc::new(DirectoryLoader::new(mount.clone(), keys, authority)));
        }
    }
    Ok(None)
}

/// One line with the state of every layer.
fn log_sandbox(sandbox: &sandbox::Report) {
    let state = |layer| sandbox.state(layer).to_string();
    tracing::info!(
        sandbox = sandbox.mode.name(),
        sandbox_identity = state(Layer::Identity),
        sandbox_privileges = state(Layer::Privileges),
        sandbox_files = state(Layer::Files),
        sandbox_ports = state(Layer::Ports),
        sandbox_calls = state(Layer::Calls),
        sandbox_dumps = state(Layer::Dumps),
        "sandbox"
    );
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
        ServeError::Sandbox(_) => ("sandbox", String::new()),
        ServeError::Start(error) => (error.stage, error.object.clone()),
        ServeError::Poisoned | ServeError::Ended(_) => ("serve", String::new()),
    };
    tracing::error!(stage, object, error = chain(error), remedy, "cannot serve");
}

/// Since `begun`, in milliseconds.
fn millis(begun: Instant) -> f64 {
    begun.elapsed().as_micros() as f64 / 1e3
}
