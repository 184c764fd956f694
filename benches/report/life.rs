//! The life of a server: start, ping under load, memory.

use std::fmt::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use super::plot::{self, Bar};
use super::served::{Registry, Server};
use super::stats::{median, quantile};

const STARTS: usize = 5;
const PINGS: usize = 2_000;
const IDLE: usize = 1_000;
const ROWS: usize = 100_000;
const JOBS: usize = 5;
const REQUESTS: usize = 1_000;
const STAGES: [&str; 6] = ["key", "fetch", "read", "load", "warm-up", "self-test"];

/// Time from process start to the first 200 of `/ping`, per bundle, split by stage.
pub fn start_section(registry: &Registry, bundles: &[&str], root: &Path) -> String {
    let mut bars = Vec::new();
    let mut page = format!(
        "## From process start to ready\n\nMilliseconds, medians of {STARTS} starts, served sealed from a directory.\n\n"
    );
    let _ = writeln!(
        page,
        "| bundle | first 200 of /ping | {} |\n|---|---|{}",
        STAGES.join(" | "),
        "---|".repeat(STAGES.len())
    );
    for bundle in bundles {
        eprintln!("starting {bundle} {STARTS} times");
        let runs: Vec<_> = (0..STARTS).map(|_| start(registry, bundle)).collect();
        let first = median(&mut runs.iter().map(|(seconds, _)| seconds * 1e3).collect::<Vec<_>>());
        let stage = |index: usize| median(&mut runs.iter().map(|(_, stages)| stages[index]).collect::<Vec<_>>());
        let segments: Vec<f64> = (0..STAGES.len()).map(stage).collect();
        let _ = write!(page, "| {bundle} | {first:.0} |");
        segments.iter().for_each(|milliseconds| {
            let _ = write!(page, " {milliseconds:.0} |");
        });
        page.push('\n');
        bars.push(Bar { label: (*bundle).to_owned(), segments, total: format!("{first:.0} ms") });
    }
    let plot = plot::stacked("From process start to the first 200 of /ping", &STAGES, &bars);
    std::fs::write(root.join("docs/start.svg"), plot).expect("docs/start.svg can be written");
    page + "\n![Stages of a start](start.svg)\n\n"
}

fn start(registry: &Registry, bundle: &str) -> (f64, [f64; STAGES.len()]) {
    let server = Server::start(registry, bundle);
    let seconds = server.ready();
    let log = server.log();
    let of = |stage: &str| {
        log.iter().find(|line| line["stage"] == stage).and_then(|line| line["duration_ms"].as_f64()).unwrap_or(f64::NAN)
    };
    (seconds, STAGES.map(of))
}

/// `/ping` and `/metrics` while every core infers and connections idle.
pub fn ping_section(registry: &Registry, root: &Path) -> String {
    let server = Server::start(registry, "face-analyzer");
    server.ready();
    let body = sample(root, "face-analyzer");
    let address = server.url.trim_start_matches("http://");
    let idle: Vec<_> = (0..IDLE).map(|_| TcpStream::connect(address).expect("a connection")).collect();
    let stop = AtomicBool::new(false);
    let answered = AtomicUsize::new(0);
    let rows = std::thread::scope(|scope| {
        for _ in 0..2 * cores() {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    invoke(&server, &body);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while answered.load(Ordering::Relaxed) < cores() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let rows = ["/ping", "/metrics"].map(|path| row(&server, path)).concat();
        stop.store(true, Ordering::Relaxed);
        rows
    });
    format!(
        "## /ping and /metrics while all cores infer\n\n{PINGS} of each, a new connection each, beside {} callers of \
         `/invocations` (face-analyzer) and {} idle connections, in ms.\n\n\
         | route | median | p99 | worst |\n|---|---|---|---|\n{rows}\n",
        2 * cores(),
        idle.len()
    )
}

fn row(server: &Server, path: &str) -> String {
    eprintln!("{PINGS} times {path} under load");
    let mut times: Vec<f64> = (0..PINGS)
        .map(|_| {
            let start = Instant::now();
            let mut answer =
                ureq::get(format!("{}{path}", server.url)).header("Connection", "close").call().expect("ready");
            answer.body_mut().read_to_vec().expect("a page");
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    let (half, most, worst) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99), quantile(&mut times, 1.0));
    format!("| `{path}` | {half:.2} | {most:.2} | {worst:.2} |\n")
}

/// The rows of one request of a batch transform job, on one thread and on all.
pub fn records_section(registry: &Registry) -> String {
    let mut page = format!(
        "## One request of {ROWS} rows\n\nA batch transform job's CSV (iris-random-forest), medians of {JOBS} requests.\n\n\
         | inference threads | rows a second | highest resident memory, MB |\n|---|---|---|\n"
    );
    let body = "5.1,3.5,1.4,0.2\n".repeat(ROWS);
    for threads in [1, cores()] {
        eprintln!("{JOBS} requests of {ROWS} rows on {threads} threads");
        let server = Server::start_job(registry, "iris-random-forest", threads);
        server.ready();
        let job = || {
            let start = Instant::now();
            let request = ureq::post(format!("{}/invocations", server.url)).header("Content-Type", "text/csv");
            let mut answer = request.send(body.as_bytes()).expect("an answer");
            let lines = answer.body_mut().with_config().limit(1 << 30).read_to_string().expect("text").lines().count();
            assert_eq!(lines, ROWS);
            start.elapsed().as_secs_f64()
        };
        let seconds = median(&mut (0..JOBS).map(|_| job()).collect::<Vec<_>>());
        let _ = writeln!(page, "| {threads} | {:.0} | {:.0} |", ROWS as f64 / seconds, server.memory().1);
    }
    page.push('\n');
    page
}

/// Resident memory when ready and after many requests.
pub fn memory_section(registry: &Registry, bundles: &[&str], root: &Path) -> String {
    let mut page = format!(
        "## Memory\n\nResident, in MB: when ready, after {REQUESTS} requests on {} connections, and the highest ever. \
         `weights` is every weight of the bundle's graphs at 4 bytes; `aim` is twice that and 40 MB, to which one activation \
         arena a thread comes. What is above it is memory that tract has freed and the C library keeps for the next \
         request: with `MALLOC_MMAP_THRESHOLD_=262144`, which makes it give freed blocks back at once, the last column \
         remains. It is not the default: what is given back is fetched again by the next request.\n\n\
         | bundle | weights | aim | ready | after | highest | after, freed memory given back |\n|---|---|---|---|---|---|---|\n",
        cores()
    );
    for bundle in bundles {
        eprintln!("{REQUESTS} requests to {bundle}, twice");
        let body = sample(root, bundle);
        let (weights, ready, after, highest) = loaded(Server::start(registry, bundle), &body);
        let (_, _, returned, _) = loaded(Server::start_returning_memory(registry, bundle), &body);
        let aim = 2.0 * weights + 40.0;
        let _ = writeln!(
            page,
            "| {bundle} | {weights:.1} | {aim:.0} | {ready:.0} | {after:.0} | {highest:.0} | {returned:.0} |"
        );
    }
    page
}

/// MB: weights, resident when ready, after many requests, at its highest.
fn loaded(server: Server, body: &(&str, Vec<u8>)) -> (f64, f64, f64, f64) {
    server.ready();
    let (ready, _) = server.memory();
    load(&server, body);
    let (after, highest) = server.memory();
    (weights(&server), ready, after, highest)
}

/// Content type and content of the bundle's sample request.
fn sample(root: &Path, bundle: &str) -> (&'static str, Vec<u8>) {
    match bundle {
        "iris-random-forest" => ("text/csv", b"5.1,3.5,1.4,0.2".to_vec()),
        _ => ("image/jpeg", photo(root)),
    }
}

fn load(server: &Server, body: &(&str, Vec<u8>)) {
    let sent = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(|| {
                while sent.fetch_add(1, Ordering::Relaxed) < REQUESTS {
                    invoke(server, body);
                }
            });
        }
    });
}

/// MB that the weights take at 4 bytes each, as the server counts them in its log.
fn weights(server: &Server) -> f64 {
    server.log().iter().filter_map(|line| line["weights"].as_f64()).sum::<f64>() * 4.0 / 1e6
}

fn invoke(server: &Server, (media_type, body): &(&str, Vec<u8>)) {
    ureq::post(format!("{}/invocations", server.url)).content_type(*media_type).send(body).expect("an answer");
}

fn photo(root: &Path) -> Vec<u8> {
    std::fs::read(root.join("model-artifacts/face-analyzer/self-test/astronaut.jpg")).expect("the sample photo")
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
