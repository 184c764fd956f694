//! Prometheus' text format at `/metrics`; SageMaker scrapes it from the container. Few labels: it bills by volume, and
//! the whole page of one model stays below 200 series.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};

use crate::model::{memory_limit, resident_memory};
use crate::sandbox::Report;
use crate::telemetry;

use super::error::Failure;
use super::model::Card;
use super::shared::Shared;
use super::work::Work;

const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// In seconds: from a small table's row to the platform's patience.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 60.0];
/// In millions of pixels: from an icon to what a phone's camera takes.
const MEGAPIXELS: [f64; 6] = [0.05, 0.25, 1.0, 4.0, 12.0, 40.0];
/// Classes with a count of their own: the first that were answered. All others are counted together.
const MOST_CLASSES: usize = 20;
/// Combinations of route, status and code with a count of their own.
const MOST_OUTCOMES: usize = 48;
/// Stands for what has no count of its own.
const OTHER: &str = "other";

/// All metrics of one server.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    outcomes: Bounded<RequestLabels>,
    total: Histogram,
    stages: Family<StageLabels, Histogram>,
    items: Family<OutcomeLabels, Counter>,
    classes: Family<ClassLabels, Counter>,
    class_names: Bounded<String>,
    megapixels: Histogram,
    in_flight: Gauge,
    queue_depth: Gauge,
    resident: Gauge,
    limit: Gauge,
    ready: Gauge,
    models: Gauge,
    model: Family<ModelLabels, Gauge>,
    followed: Family<OutcomeLabels, Counter>,
    start_up: Family<StageLabels, Gauge<f64, AtomicU64>>,
    sandbox: Family<LayerLabels, Gauge>,
}

/// One answered request.
pub(super) struct Observation<'a> {
    pub(super) route: &'a str,
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) total: Duration,
    pub(super) work: &'a Work,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
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

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LayerLabels {
    layer: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ClassLabels {
    class: String,
}

/// The first values that were seen, up to a number of them.
struct Bounded<T> {
    seen: Mutex<BTreeSet<T>>,
    most: usize,
}

impl<T: Ord> Bounded<T> {
    fn new(most: usize) -> Self {
        Self { seen: Mutex::default(), most }
    }

    /// Whether `value` is one of them, now at the latest.
    fn takes(&self, value: T) -> bool {
        // A set is whole at any time, also after a panic.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.contains(&value) || (seen.len() < self.most && seen.insert(value))
    }
}

impl Metrics {
    pub(super) fn new(threads: usize) -> Self {
        let mut registry = Registry::default();
        let all = &mut registry;
        let inference_threads: Gauge = register(all, telemetry::THREADS, Gauge::default());
        inference_threads.set(gauge(threads));
        Self {
            requests: register(all, telemetry::REQUESTS, Family::default()),
            outcomes: Bounded::new(MOST_OUTCOMES),
            total: register(all, telemetry::REQUEST_TOTAL, Histogram::new(BUCKETS)),
            stages: register(all, telemetry::REQUEST_STAGE, Family::new_with_constructor(|| Histogram::new(BUCKETS))),
            items: register(all, telemetry::ITEMS, Family::default()),
            classes: register(all, telemetry::CLASSES, Family::default()),
            class_names: Bounded::new(MOST_CLASSES),
            megapixels: register(all, telemetry::IMAGE_SIZE, Histogram::new(MEGAPIXELS)),
            in_flight: register(all, telemetry::IN_FLIGHT, Gauge::default()),
            queue_depth: register(all, telemetry::QUEUE_DEPTH, Gauge::default()),
            resident: register(all, telemetry::MEMORY, Gauge::default()),
            limit: register(all, telemetry::MEMORY_LIMIT, Gauge::default()),
            ready: register(all, telemetry::READY, Gauge::default()),
            models: register(all, telemetry::MODELS, Gauge::default()),
            model: register(all, telemetry::MODEL, Family::default()),
            followed: register(all, telemetry::FOLLOWED, Family::default()),
            start_up: register(all, telemetry::START_UP, Family::default()),
            sandbox: register(all, telemetry::SANDBOX, Family::default()),
            registry,
        }
    }

    pub(super) fn observe(&self, seen: &Observation<'_>) {
        self.requests.get_or_create(&self.outcome(seen)).inc();
        if let Some(stages) = seen.work.stages {
            self.total.observe(seen.total.as_secs_f64());
            let stages =
                [("queue", stages.queue), ("decode", stages.decode), ("run", stages.run), ("encode", stages.encode)];
            for (stage, took) in stages {
                self.stages.get_or_create(&StageLabels { stage }).observe(took.as_secs_f64());
            }
        }
        let tally = &seen.work.tally;
        for (outcome, count) in [("answered", tally.answered), ("failed", tally.failed)] {
            if count > 0 {
                self.items.get_or_create(&OutcomeLabels { outcome }).inc_by(count);
            }
        }
        for (class, &count) in &tally.classes {
            let class = if self.class_names.takes(class.clone()) { class } else { OTHER };
            self.classes.get_or_create(&ClassLabels { class: class.to_owned() }).inc_by(count);
        }
        tally.megapixels.iter().for_each(|&size| self.megapixels.observe(size.into()));
    }

    fn outcome(&self, seen: &Observation<'_>) -> RequestLabels {
        let labels = RequestLabels { route: seen.route.to_owned(), status: seen.status, code: seen.code };
        match self.outcomes.takes(labels.clone()) {
            true => labels,
            // Statuses are few, whatever is asked.
            false => RequestLabels { route: OTHER.to_owned(), code: OTHER, ..labels },
        }
    }

    pub(super) fn describe(&self, card: &Card) {
        let labels = ModelLabels {
            name: card.name.clone(),
            version: card.version.clone(),
            digest: card.digest.clone(),
            task: card.task.to_owned(),
        };
        self.model.clear();
        self.model.get_or_create(&labels).set(1);
    }

    pub(super) fn followed(&self, outcome: &'static str) {
        self.followed.get_or_create(&OutcomeLabels { outcome }).inc();
    }

    pub(super) fn confined(&self, sandbox: &Report) {
        for (layer, _) in &sandbox.layers {
            let labels = LayerLabels { layer: layer.name() };
            self.sandbox.get_or_create(&labels).set(i64::from(sandbox.has(*layer)));
        }
    }

    pub(super) fn stage(&self, stage: &'static str, took: Duration) {
        self.start_up.get_or_create(&StageLabels { stage }).set(took.as_secs_f64());
    }
}

/// `GET /metrics`
pub(super) async fn get(request: HttpRequest, shared: web::Data<Shared>) -> HttpResponse {
    let metrics = &shared.metrics;
    metrics.in_flight.set(gauge(shared.admission.in_flight()));
    metrics.queue_depth.set(gauge(shared.pool.depth()));
    metrics.ready.set(i64::from(shared.readiness.check().is_ok()));
    metrics.models.set(gauge(shared.models.len()));
    for (metric, bytes) in [(&metrics.resident, resident_memory()), (&metrics.limit, memory_limit())] {
        metric.set(i64::try_from(bytes.unwrap_or_default()).unwrap_or(i64::MAX));
    }
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

impl Observation<'_> {
    /// Tells CloudWatch, in the Embedded Metric Format.
    pub(super) fn tell_cloudwatch(&self, shared: &Shared, request_id: &str) {
        let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
        let hosted = shared.hosted();
        let card = hosted.as_ref().map(|hosted| &hosted.model.card);
        let (model, version) = card.map_or((OTHER, OTHER), |card| (card.name.as_str(), card.version.as_str()));
        let stages = self.work.stages.unwrap_or_default();
        let failed = |class: u16| f64::from(u8::from(self.status / 100 == class));
        telemetry::emf::write(&telemetry::emf::Line {
            dimensions: &[("Model", model), ("Version", version)],
            metrics: &[
                ("Latency", "Milliseconds", milliseconds(self.total)),
                ("QueueTime", "Milliseconds", milliseconds(stages.queue)),
                ("RunTime", "Milliseconds", milliseconds(stages.run)),
                ("ClientErrors", "Count", failed(4)),
                ("ServerErrors", "Count", failed(5)),
                ("Items", "Count", self.work.tally.answered as f64),
                ("BytesIn", "Bytes", self.work.bytes_in as f64),
            ],
            properties: &[("RequestId", request_id), ("Route", self.route), ("Code", self.code)],
        });
    }
}
