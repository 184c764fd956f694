//! The SageMaker container contract over HTTP/1.1, and the only place that knows actix.
//!
//! A [`Server`] listens as soon as it is bound and answers `/ping` with 503 until its [`Control`] is given a [`Model`], or
//! a [`Loader`] of many. actix's workers do I/O only; CPU work runs on the server's inference threads.

mod access;
mod admission;
mod answer;
mod body;
mod convenience;
mod current;
mod error;
mod execution_parameters;
mod hosted;
mod inference;
mod invocations;
mod lines;
mod listener;
mod metrics;
mod model;
mod models;
mod openapi;
mod ping;
mod readiness;
mod routes;
mod server;
mod shared;
mod source;
mod work;

use std::net::SocketAddr;
use std::time::Duration;

pub use inference::{Engine, Model, Sample, Worker};
pub use model::Card;
pub use models::{LoadFailure, Loader, Loading};
pub use openapi::document_of_all_servers;
pub use server::{BindError, Control, Server};

/// What the server listens on and how much it takes.
#[derive(Debug, Clone)]
pub struct Config {
    /// Port 0 takes a free one.
    pub bind: SocketAddr,
    /// Largest body that is read whole, and longest record, in bytes; more is refused while it arrives.
    pub max_body: usize,
    /// Largest body of records (JSON Lines, CSV rows, RecordIO), in bytes; `None`: as long as it is.
    pub max_records_body: Option<usize>,
    /// A batch transform job: every line has an answer.
    pub batch: bool,
    /// A multi-model endpoint: models come and go.
    pub multi_model: bool,
    /// What stands for Accept where a request has none.
    pub default_accept: Option<String>,
    /// Whether each request is told to CloudWatch as a line of its Embedded Metric Format.
    pub emf: bool,
    /// Longest time from a request to its answer. The platform gives up after 60 s.
    pub deadline: Duration,
    /// Inference threads, for all models.
    pub threads: usize,
    /// Requests that may wait for one of them.
    pub queue: usize,
    /// Whether `/analyze` and `/test` are there.
    pub convenience_routes: bool,
    /// Whether `/openapi.json` is there.
    pub openapi: bool,
    /// Longest silence of a client within a request.
    pub client_timeout: Duration,
    /// Between the first 503 of `/ping` and the closed port, so that callers can look elsewhere.
    pub drain_grace: Duration,
    /// Longest wait for requests in flight after that. Grace and drain together stay under the platform's 30 s.
    pub drain_timeout: Duration,
}

impl Config {
    /// Length of the pool's queue: room for all that admitted requests may have under way.
    fn pool_queue(&self) -> usize {
        self.threads.saturating_add(self.queue).saturating_mul(self.groups_under_way())
    }

    /// Groups of one request that are with the pool: a thread that is done finds the next one.
    fn groups_under_way(&self) -> usize {
        self.threads.saturating_mul(2)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([0, 0, 0, 0], 8080)),
            max_body: 25 << 20,
            max_records_body: Some(25 << 20),
            batch: false,
            multi_model: false,
            default_accept: None,
            emf: false,
            deadline: Duration::from_secs(55),
            threads: 1,
            queue: 8,
            convenience_routes: true,
            openapi: false,
            client_timeout: Duration::from_secs(10),
            drain_grace: Duration::from_secs(2),
            drain_timeout: Duration::from_secs(22),
        }
    }
}
