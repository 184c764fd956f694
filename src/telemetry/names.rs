//! Every metric and every log field by name. `docs/` and dashboards rely on these names; `Stable` ones change only with
//! a major version.

/// How far a name may be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stability {
    /// Changes only with a major version.
    Stable,
    /// May change.
    Unstable,
}

/// One metric or log field.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    /// As it appears, without the suffixes that Prometheus' text format adds (`_total`, the unit, `_info`).
    pub name: &'static str,
    /// Of its value.
    pub unit: Unit,
    /// How far it may be relied on.
    pub stability: Stability,
    /// What it counts or says.
    pub help: &'static str,
}

/// What a value is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Unit {
    None,
    Bytes,
    Milliseconds,
    Seconds,
}

const fn stable(name: &'static str, unit: Unit, help: &'static str) -> Name {
    Name { name, unit, stability: Stability::Stable, help }
}

const fn unstable(name: &'static str, unit: Unit, help: &'static str) -> Name {
    Name { name, unit, stability: Stability::Unstable, help }
}

/// Metric: labels `route`, `status`, `code`.
pub const REQUESTS: Name = stable("strongroom_requests", Unit::None, "Requests answered");
/// Metric: from the first byte of the request to the answer's head.
pub const REQUEST_TOTAL: Name = stable("strongroom_request", Unit::Seconds, "Time from a request to its answer");
/// Metric: label `stage`: `queue`, until a thread takes the request up; `decode`, reading the body and its images; `run`,
/// from pixels, rows and tensors to answers; `encode`, writing them. Of records on several threads the sum.
pub const REQUEST_STAGE: Name = stable("strongroom_request_stage", Unit::Seconds, "Time a request took, by stage");
/// Metric: label `outcome`: `answered`, `failed` (an error stands in the place of its answer).
pub const ITEMS: Name = stable("strongroom_items", Unit::None, "Images, rows and records of requests");
/// Metric: label `class`: the first 20 classes that were answered, and `other`.
pub const CLASSES: Name = stable("strongroom_classes", Unit::None, "Answers by their best class");
/// Metric: of decoded images, in millions of pixels.
pub const IMAGE_SIZE: Name =
    stable("strongroom_image_megapixels", Unit::None, "Sizes of images, in millions of pixels");
/// Metric: resident memory of the process.
pub const MEMORY: Name = stable("strongroom_resident_memory", Unit::Bytes, "Memory the process holds");
/// Metric: what the machine or its cgroup allows.
pub const MEMORY_LIMIT: Name = stable("strongroom_memory_limit", Unit::Bytes, "Memory the process may hold");
/// Metric: of a multi-model endpoint.
pub const MODELS: Name = stable("strongroom_models", Unit::None, "Models a multi-model endpoint has loaded");
/// Metric: admitted and not yet answered.
pub const IN_FLIGHT: Name = stable("strongroom_requests_in_flight", Unit::None, "Requests admitted and not answered");
/// Metric: jobs waiting for an inference thread.
pub const QUEUE_DEPTH: Name = stable("strongroom_queue_depth", Unit::None, "Requests waiting for a thread");
/// Metric: number of inference threads.
pub const THREADS: Name = stable("strongroom_inference_threads", Unit::None, "Inference threads");
/// Metric: 1 while `/ping` answers 200.
pub const READY: Name = stable("strongroom_ready", Unit::None, "1 while /ping answers 200, else 0");
/// Metric: labels `name`, `version`, `digest`, `task`; always 1.
pub const MODEL: Name = stable("strongroom_model", Unit::None, "The model that is served");
/// Metric: label `outcome`: `loaded`, `returned` (to the version before, which was kept), `refused` (it cannot be fetched, loaded
/// or does not pass its self-test: the old one serves on), `unread` (the alias itself cannot be read).
pub const FOLLOWED: Name = stable("strongroom_followed", Unit::None, "Looks at the alias that came to something");
/// Metric: label `stage`.
pub const START_UP: Name = unstable("strongroom_start_up", Unit::Seconds, "Time each stage of the start took");
/// Metric: label `layer`; 1 for each layer of the sandbox that is in force, 0 for each that is not.
pub const SANDBOX: Name = stable("strongroom_sandbox", Unit::None, "Layers of the sandbox that are in force");

/// All metrics.
pub const METRICS: &[Name] = &[
    REQUESTS,
    REQUEST_TOTAL,
    REQUEST_STAGE,
    ITEMS,
    CLASSES,
    IMAGE_SIZE,
    IN_FLIGHT,
    QUEUE_DEPTH,
    THREADS,
    MEMORY,
    MEMORY_LIMIT,
    READY,
    MODELS,
    MODEL,
    FOLLOWED,
    START_UP,
    SANDBOX,
];

/// All fields of the access log (`message` is `request`) and of the lines a start writes.
pub const FIELDS: &[Name] = &[
    stable("request_id", Unit::None, "X-Amzn-SageMaker-Inference-Id, or an id made here"),
    stable("route", Unit::None, "which route answered"),
    stable("method", Unit::None, "HTTP method"),
    stable("status", Unit::None, "HTTP status"),
    stable("code", Unit::None, "`ok`, or the error's stable code"),
    stable("bytes_in", Unit::Bytes, "length of the request's body"),
    stable("bytes_out", Unit::Bytes, "length of the answer's body"),
    stable("items", Unit::None, "images, rows and records with an answer"),
    stable("items_failed", Unit::None, "those with an error in the place of one"),
    stable("queue_ms", Unit::Milliseconds, "waited for an inference thread"),
    stable("decode_ms", Unit::Milliseconds, "reading the body and its images"),
    stable("run_ms", Unit::Milliseconds, "from pixels, rows and tensors to answers"),
    stable("encode_ms", Unit::Milliseconds, "writing the answers"),
    stable("total_ms", Unit::Milliseconds, "from the request to its answer"),
    stable("stage", Unit::None, "a start's stage: bind, key, fetch, read, load, warm-up, self-test"),
    stable("duration_ms", Unit::Milliseconds, "how long the stage took"),
    stable("object", Unit::None, "what the stage worked on"),
    stable("error", Unit::None, "what went wrong, with its causes"),
    stable("remedy", Unit::None, "what helps"),
    stable("model", Unit::None, "the model's name"),
    stable("version", Unit::None, "the model's version"),
    stable("digest", Unit::None, "SHA-256 of the model's register entry"),
    stable("trust", Unit::None, "`unsigned` when nobody's signature was checked"),
    stable("task", Unit::None, "the manifest's task"),
    unstable("inputs", Unit::None, "the model's inputs"),
    stable("graph", Unit::None, "an ONNX file of the model"),
    stable("weights", Unit::None, "numbers that the file carries"),
    unstable("flushed", Unit::None, "of those, subnormal ones set to zero"),
    stable("threads", Unit::None, "inference threads"),
    stable("queue", Unit::None, "requests that may wait"),
    stable("max_body_bytes", Unit::Bytes, "largest body"),
    stable("deadline_ms", Unit::Milliseconds, "longest time to an answer"),
    stable("mode", Unit::None, "`single-model`"),
    stable("address", Unit::None, "where the server listens"),
    stable("signal", Unit::None, "what told the server to end"),
    stable("thread", Unit::None, "the thread that panicked"),
    unstable("location", Unit::None, "where in the source it panicked"),
    stable("blob", Unit::None, "a sealed file of the registry"),
    stable("bytes", Unit::Bytes, "its length"),
    unstable("seconds", Unit::Seconds, "how long fetching and opening it took"),
    unstable("mb_per_s", Unit::None, "its throughput, in MB a second"),
    stable("files", Unit::None, "files of the model"),
    unstable("limits", Unit::None, "what one request may bring"),
    stable(
        "identity",
        Unit::None,
        "who the process is, of the line `sandbox`; as every layer: what is in force, or `missing:` and why",
    ),
    stable("privileges", Unit::None, "capabilities and ways to have them again"),
    stable("ports", Unit::None, "TCP ports that are left"),
    stable("calls", Unit::None, "calls of the kernel that are left"),
    stable("dumps", Unit::None, "core files and debuggers"),
];
