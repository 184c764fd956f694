//! The SageMaker container contract over HTTP/1.1, and the only place that knows actix.
//!
//! A [`Server`] listens as soon as it is bound and answers `/ping` with 503 until its [`Control`] is given a [`Model`].
//! actix's workers do I/O only; a request's CPU work runs on one thread of the model's pool.

mod access;
mod admission;
mod body;
mod convenience;
mod door;
mod error;
mod execution_parameters;
mod inference;
mod invocations;
mod metrics;
mod model;
mod ping;
mod readiness;
mod server;
mod shared;

use std::net::SocketAddr;
use std::time::Duration;

pub use inference::{Model, Sample, Worker};
pub use model::Card;
pub use server::{BindError, Control, Server};

/// What the server listens on and how much it takes.
#[derive(Debug, Clone)]
pub struct Config {
    /// Port 0 takes a free one.
    pub bind: SocketAddr,
    /// Largest body in bytes; more is refused while it arrives.
    pub max_body: usize,
    /// Longest time from a request to its answer. The platform gives up after 60 s.
    pub deadline: Duration,
    /// Inference threads of the model to come.
    pub threads: usize,
    /// Requests that may wait for one of them.
    pub queue: usize,
    /// Whether `/analyze` and `/test` are there.
    pub convenience_routes: bool,
    /// Longest silence of a client within a request.
    pub client_timeout: Duration,
    /// Between the first 503 of `/ping` and the closed port, so that callers can look elsewhere.
    pub drain_grace: Duration,
    /// Longest wait for requests in flight after that. Grace and drain together stay under the platform's 30 s.
    pub drain_timeout: Duration,
}

impl Config {
    /// Length of the pool's queue: room for every admitted request, taken up or not, and for a self-test per thread.
    pub fn pool_queue(&self) -> usize {
        self.threads.saturating_mul(2).saturating_add(self.queue)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([0, 0, 0, 0], 8080)),
            max_body: 25 << 20,
            deadline: Duration::from_secs(55),
            threads: 1,
            queue: 8,
            convenience_routes: true,
            client_timeout: Duration::from_secs(10),
            drain_grace: Duration::from_secs(2),
            drain_timeout: Duration::from_secs(22),
        }
    }
}
