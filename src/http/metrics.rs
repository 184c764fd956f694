//! Prometheus' text format at `/metrics`; SageMaker scrapes it from the container. Few labels: it bills by volume.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};

use crate::telemetry;

use super::access::Work;
use super::error::Failure;
use super::model::Card;
use super::shared::Shared;

const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// In seconds: from a small table's row to the platform's patience.
const BUCKETS: [f64; 15] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// All metrics of one server.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    total: Histogram,
    queued: Histogram,
    ran: Histogram,
    in_flight: Gauge,
    queue_depth: Gauge,
    ready: Gauge,
    model: Family<ModelLabels, Gauge>,
    start_up: Family<StageLabels, Gauge<f64, AtomicU64>>,
}

/// One answered request.
pub(super) struct Observation<'a> {
    pub(super) route: &'a str,
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) total: Duration,
    /// Of requests that reached an inference thread.
    pub(super) work: Option<Work>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: String,
    status: u16,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    name: String,
    version: String,
    digest: String,
    task: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    stage: &'static str,
}

impl Metrics {
    pub(super) fn new(threads: usize) -> Self {
        let mut registry = Registry::default();
        let all = &mut registry;
        let inference_threads: Gauge = register(all, telemetry::THREADS, Gauge::default());
        inference_threads.set(i64::try_from(threads).unwrap_or(i64::MAX));
        Self {
            requests: register(all, telemetry::REQUESTS, Family::default()),
            total: register(all, telemetry::REQUEST_TOTAL, Histogram::new(BUCKETS)),
            queued: register(all, telemetry::REQUEST_QUEUE, Histogram::new(BUCKETS)),
            ran: register(all, telemetry::REQUEST_RUN, Histogram::new(BUCKETS)),
            in_flight: register(all, telemetry::IN_FLIGHT, Gauge::default()),
            queue_depth: register(all, telemetry::QUEUE_DEPTH, Gauge::default()),
            ready: register(all, telemetry::READY, Gauge::default()),
            model: register(all, telemetry::MODEL, Family::default()),
            start_up: register(all, telemetry::START_UP, Family::default()),
            registry,
        }
    }

    pub(super) fn observe(&self, seen: &Observation<'_>) {
        let labels = RequestLabels { route: seen.route.to_owned(), status: seen.status, code: seen.code };
        self.requests.get_or_create(&labels).inc();
        if let Some(work) = seen.work {
            self.total.observe(seen.total.as_secs_f64());
            self.queued.observe(work.queued.as_secs_f64());
            self.ran.observe(work.ran.as_secs_f64());
        }
    }

    pub(super) fn describe(&self, card: &Card) {
        let labels = ModelLabels {
            name: card.name.clone(),
            version: card.version.clone(),
            digest: card.digest.clone(),
            task: card.task.to_owned(),
        };
        self.model.get_or_create(&labels).set(1);
    }

    pub(super) fn stage(&self, stage: &'static str, took: Duration) {
        self.start_up.get_or_create(&StageLabels { stage }).set(took.as_secs_f64());
    }
}

/// `GET /metrics`
pub(super) async fn get(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    let metrics = &shared.metrics;
    metrics.in_flight.set(gauge(shared.admission.in_flight()));
    metrics.queue_depth.set(gauge(shared.model().map_or(0, |model| model.pool.depth())));
    metrics.ready.set(i64::from(shared.readiness.check().is_ok()));
    let mut page = String::new();
    match text::encode(&mut page, &metrics.registry) {
        Ok(()) => HttpResponse::Ok().content_type(MEDIA_TYPE).body(page),
        Err(std::fmt::Error) => Failure::Internal.respond(&request),
    }
}

fn gauge(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn register<M: Metric + Clone>(registry: &mut Registry, name: telemetry::Name, metric: M) -> M {
    match name.unit {
        telemetry::Unit::None => registry.register(name.name, name.help, metric.clone()),
        telemetry::Unit::Bytes => registry.register_with_unit(name.name, name.help, Unit::Bytes, metric.clone()),
        telemetry::Unit::Seconds => registry.register_with_unit(name.name, name.help, Unit::Seconds, metric.clone()),
        telemetry::Unit::Milliseconds => {
            let unit = Unit::Other("milliseconds".to_owned());
            registry.register_with_unit(name.name, name.help, unit, metric.clone());
        }
    }
    metric
}
