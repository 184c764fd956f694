//! Binds, routes, drains.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{App, Handler, HttpRequest, HttpResponse, HttpServer, Resource, Responder, Route};
use tokio::sync::oneshot;

use super::error::Failure;
use super::inference::Model;
use super::listener::Listener;
use super::models::Loader;
use super::shared::Shared;
use super::{Config, access, convenience, execution_parameters, invocations, metrics, model, models, ping};

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
    /// The start has come to `stage`; `/ping` says so.
    pub fn starting(&self, stage: &'static str) {
        self.0.readiness.starting(stage);
    }

    /// `stage` is over.
    pub fn stage_done(&self, stage: &'static str, took: Duration) {
        self.0.metrics.stage(stage, took);
    }

    /// The self-test has passed: requests are taken from now on.
    pub fn ready(&self, model: Model) {
        self.0.serve(model);
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
            .configure(move |routes| add_routes(routes, &config))
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

fn add_routes(routes: &mut ServiceConfig, config: &Config) {
    routes
        .service(resource("/ping", vec![on([Method::GET, Method::HEAD, Method::POST], ping::ping)]))
        .service(resource("/metrics", vec![on([Method::GET], metrics::get)]));
    if config.multi_model {
        return add_model_routes(routes);
    }
    routes
        .service(resource("/invocations", vec![on([Method::POST], invocations::post)]))
        .service(resource("/execution-parameters", vec![on([Method::GET], execution_parameters::get)]))
        .service(resource("/model", vec![on([Method::GET], model::get)]));
    if config.convenience_routes {
        routes
            .service(resource("/analyze", vec![on([Method::POST], invocations::post)]))
            .service(resource("/test", vec![on([Method::GET], convenience::test)]));
    }
}

/// Those of a multi-model endpoint, which has no model of its own.
fn add_model_routes(routes: &mut ServiceConfig) {
    routes
        .service(resource("/models", vec![on([Method::GET], models::list), on([Method::POST], models::load)]))
        .service(resource("/models/{name}", vec![on([Method::GET], models::get), on([Method::DELETE], models::unload)]))
        .service(resource("/models/{name}/invoke", vec![on([Method::POST], models::invoke)]));
}

/// Methods and what answers them.
struct Methods {
    methods: Vec<Method>,
    route: Box<dyn Fn(Method) -> Route>,
}

fn on<F, Args>(methods: impl Into<Vec<Method>>, handler: F) -> Methods
where
    F: Handler<Args>,
    Args: actix_web::FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let route = move |method| web::method(method).to(handler.clone());
    Methods { methods: methods.into(), route: Box::new(route) }
}

/// A path, the methods it takes, and our own error for the others.
fn resource(path: &str, routes: Vec<Methods>) -> Resource {
    let all = routes.iter().flat_map(|route| &route.methods);
    let allowed = all.map(Method::as_str).collect::<Vec<_>>().join(", ");
    let refuse = move |request: HttpRequest| {
        let failure = Failure::MethodNotAllowed { method: request.method().to_string(), allowed: allowed.clone() };
        async move { failure.respond(&request) }
    };
    let resource = web::resource(path).default_service(web::to(refuse));
    routes.into_iter().fold(resource, |resource, Methods { methods, route }| {
        methods.into_iter().fold(resource, |resource, method| resource.route(route(method)))
    })
}

async fn not_found(request: HttpRequest) -> HttpResponse {
    Failure::NotFound { path: request.path().to_owned() }.respond(&request)
}
