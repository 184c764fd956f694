//! Binds, routes, drains.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Resource, Route, web};
use tokio::sync::oneshot;

use crate::sandbox::Report;

use super::error::Failure;
use super::inference::Model;
use super::listener::Listener;
use super::models::Loader;
use super::routes::{self, Operation, Place};
use super::shared::Shared;
use super::{Config, access, convenience, execution_parameters, invocations, metrics, model, models, openapi, ping};

/// Connections the kernel holds while none is accepted; the platform wants one accepted within 250 ms.
const BACKLOG: u32 = 2_048;
/// Longer than the platform's and load balancers' own, so that they close first and never race a request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// They do I/O only; with two, one that takes a large body in does not hold up a ping.
const IO_WORKERS: usize = 2;
/// Before connections are closed, to tell those that still wait.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// After the last connection was let in, for it to get to a worker and bring its request.
const LAST_CONNECTIONS: Duration = Duration::from_millis(250);

/// A server that listens.
pub struct Server {
    address: SocketAddr,
    control: Control,
    handle: ServerHandle,
    listener: Listener,
    ended: oneshot::Receiver<std::io::Result<()>>,
}

/// Tells a running server what is going on.
#[derive(Clone)]
pub struct Control(Arc<Shared>);

/// The port cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct BindError {
    address: SocketAddr,
    source: std::io::Error,
}

impl BindError {
    /// The one that was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What helps.
    pub fn remedy(&self) -> Option<&'static str> {
        Some("stop what listens there, or choose another address with --bind")
    }
}

impl Control {
    /// What the process has given up; `/metrics` says so.
    pub fn confined(&self, sandbox: &Report) {
        self.0.metrics.confined(sandbox);
    }

    /// The start has come to `stage`; `/ping` says so.
    pub fn starting(&self, stage: &'static str) {
        self.0.readiness.starting(stage);
    }

    /// `stage` is over.
    pub fn stage_done(&self, stage: &'static str, took: Duration) {
        self.0.metrics.stage(stage, took);
    }

    /// The self-test has passed: the model takes requests from now on, in the place of another that did. That one stays
    /// loaded, for [`Self::go_back`].
    pub fn ready(&self, model: Model) {
        self.0.serve(model);
    }

    /// The digest of the model that takes requests, once there is one.
    pub fn serves(&self) -> Option<String> {
        self.0.hosted().map(|hosted| hosted.model.card.digest.clone())
    }

    /// Has the model that was served before take requests again, at once, if it has this digest; `false`: it is not kept.
    pub fn go_back(&self, digest: &str) -> bool {
        self.0.go_back(digest)
    }

    /// Gives back the memory of the model that was served before.
    pub async fn forget_before(&self) {
        self.0.forget_before().await;
    }

    /// A move of the alias came to `outcome`; `/metrics` counts them.
    pub fn followed(&self, outcome: &'static str) {
        self.0.metrics.followed(outcome);
    }

    /// Models are loaded from now on, as they are asked for.
    pub fn ready_for_models(&self, loader: Arc<dyn Loader>) {
        self.0.host(loader);
    }

    /// Returns when the one model no longer passes its self-test.
    pub async fn until_poisoned(&self) {
        self.0.readiness.until_poisoned().await;
    }
}

impl Server {
    /// Listens at once, on threads of its own.
    ///
    /// # Errors
    /// The port is taken or not allowed.
    pub fn start(config: Config) -> Result<Self, BindError> {
        let address = config.bind;
        let failed = |source| BindError { address, source };
        let shared = Shared::new(config).map_err(|error| failed(std::io::Error::other(error)))?;
        let shared = Arc::new(shared);
        let (bound, when_bound) = mpsc::sync_channel(1);
        let (end, ended) = oneshot::channel();
        let control = Control(Arc::clone(&shared));
        let run = move || drop(end.send(actix_web::rt::System::new().block_on(serve(shared, bound))));
        std::thread::Builder::new().name("http".to_owned()).spawn(run).map_err(failed)?;
        let started = when_bound.recv().unwrap_or_else(|_gone| Err(std::io::Error::other("the server did not start")));
        let (address, handle, listener) = started.map_err(failed)?;
        Ok(Self { address, control, handle, listener, ended })
    }

    /// Where it listens, with the port that was free where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// To say that the model is ready.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Until the server ends by itself, which it should not.
    ///
    /// # Errors
    /// Why it ended.
    pub async fn ended(&mut self) -> std::io::Result<()> {
        (&mut self.ended).await.unwrap_or_else(|_gone| Err(std::io::Error::other("the server's thread is gone")))
    }

    /// `/ping` and new requests get 503; after a grace the port is closed; accepted requests are answered, with 503 when
    /// their turn does not come in time.
    pub async fn drain(self) {
        let config = &self.control.0.config;
        self.control.0.readiness.draining();
        let patience = config.drain_timeout.saturating_sub(LAST_WORDS);
        self.control.0.cut_at(Instant::now() + config.drain_grace + patience);
        tokio::time::sleep(config.drain_grace).await;
        // What the kernel holds is accepted and answered first: a stopping server drops it.
        self.listener.refuse_connections();
        tokio::time::sleep(LAST_CONNECTIONS).await;
        self.handle.stop(true).await;
    }

    /// Closes the port and every connection.
    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

type Bound = std::io::Result<(SocketAddr, ServerHandle, Listener)>;

async fn serve(shared: Arc<Shared>, bound: mpsc::SyncSender<Bound>) -> std::io::Result<()> {
    let server = match listen(shared) {
        Ok((server, address, listener)) => {
            drop(bound.send(Ok((address, server.handle(), listener))));
            server
        }
        Err(error) => {
            drop(bound.send(Err(error)));
            return Ok(());
        }
    };
    server.await
}

fn listen(shared: Arc<Shared>) -> std::io::Result<(actix_web::dev::Server, SocketAddr, Listener)> {
    let config = shared.config.clone();
    let app = move || {
        let config = shared.config.clone();
        App::new()
            .app_data(web::Data::from(Arc::clone(&shared)))
            .wrap(from_fn(access::record))
            .configure(|app| {
                for place in routes::of(&config) {
                    app.service(resource(place));
                }
            })
            .default_service(web::to(not_found))
    };
    let (socket, listener) = Listener::open(config.bind, BACKLOG)?;
    let server = HttpServer::new(app)
        .workers(IO_WORKERS)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(config.client_timeout)
        .shutdown_timeout(config.drain_timeout.as_secs())
        .disable_signals()
        .listen(socket)?;
    let address = server.addrs().first().copied().unwrap_or(config.bind);
    Ok((server.run(), address, listener))
}

/// A place's operations, and our own error for other methods.
fn resource(place: &'static Place) -> Resource {
    let allowed = place.allowed();
    let refuse = move |request: HttpRequest| {
        let failure = Failure::MethodNotAllowed { method: request.method().to_string(), allowed: allowed.clone() };
        async move { failure.respond(&request) }
    };
    let resource = web::resource(place.path).default_service(web::to(refuse));
    let routes = place.operations.iter().map(|(method, operation)| route(web::method(method.clone()), *operation));
    routes.fold(resource, Resource::route)
}

fn route(route: Route, operation: Operation) -> Route {
    match operation {
        Operation::Ping => route.to(ping::ping),
        Operation::Metrics => route.to(metrics::get),
        Operation::Invoke | Operation::Analyze => route.to(invocations::post),
        Operation::ExecutionParameters => route.to(execution_parameters::get),
        Operation::DescribeModel => route.to(model::get),
        Operation::Test => route.to(convenience::test),
        Operation::ListModels => route.to(models::list),
        Operation::LoadModel => route.to(models::load),
        Operation::ShowModel => route.to(models::get),
        Operation::UnloadModel => route.to(models::unload),
        Operation::InvokeModel => route.to(models::invoke),
        Operation::Document => route.to(openapi::get),
    }
}

async fn not_found(request: HttpRequest) -> HttpResponse {
    Failure::NotFound { path: request.path().to_owned() }.respond(&request)
}
