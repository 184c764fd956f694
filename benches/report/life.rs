//! The life of a server: start, ping under load, memory.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use super::served::{Registry, Server};
use super::stats::{median, quantile};

const STARTS: usize = 5;
const PINGS: usize = 2_000;
const REQUESTS: usize = 1_000;
const STAGES: [&str; 6] = ["key", "fetch", "read", "load", "warm-up", "self-test"];

/// Time from process start to the first 200 of `/ping`, per bundle, split by stage.
pub fn start_section(registry: &Registry, bundles: &[&str]) -> String {
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
        let mut first: Vec<f64> = runs.iter().map(|(seconds, _)| seconds * 1e3).collect();
        let _ = write!(page, "| {bundle} | {:.0} |", median(&mut first));
        for stage in 0..STAGES.len() {
            let mut column: Vec<f64> = runs.iter().map(|(_, stages)| stages[stage]).collect();
            let _ = write!(page, " {:.0} |", median(&mut column));
        }
        page.push('\n');
    }
    page + "\n"
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

/// `/ping` while every core infers.
pub fn ping_section(registry: &Registry, root: &Path) -> String {
    let server = Server::start(registry, "face-analyzer");
    server.ready();
    let photo = photo(root);
    let stop = AtomicBool::new(false);
    let answered = AtomicUsize::new(0);
    let mut times = std::thread::scope(|scope| {
        for _ in 0..2 * cores() {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    invoke(&server, &photo);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        eprintln!("{PINGS} pings under load");
        while answered.load(Ordering::Relaxed) < cores() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let times = ping(&server);
        stop.store(true, Ordering::Relaxed);
        times
    });
    let (half, most, worst) = (quantile(&mut times, 0.5), quantile(&mut times, 0.99), quantile(&mut times, 1.0));
    format!(
        "## /ping while all cores infer\n\n{PINGS} pings, a new connection each, beside {} callers of `/invocations` \
         (face-analyzer): median {half:.2} ms, p99 {most:.2} ms, worst {worst:.2} ms.\n\n",
        2 * cores()
    )
}

fn ping(server: &Server) -> Vec<f64> {
    (0..PINGS)
        .map(|_| {
            let start = Instant::now();
            ureq::get(format!("{}/ping", server.url)).header("Connection", "close").call().expect("ready");
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect()
}

/// Resident memory when ready and after many requests.
pub fn memory_section(registry: &Registry, root: &Path) -> String {
    let mut page = format!(
        "## Memory\n\nResident, in MB: when ready, after {REQUESTS} requests on {} connections, and the highest ever. \
         `f32 weights` is every weight of the bundle's graphs at 4 bytes.\n\n| bundle | f32 weights | ready | after | highest |\n|---|---|---|---|---|\n",
        cores()
    );
    for bundle in ["face-analyzer", "imagenet-efficientnet-lite0"] {
        eprintln!("{REQUESTS} requests to {bundle}");
        let server = Server::start(registry, bundle);
        server.ready();
        let (ready, _) = server.memory();
        load(&server, &photo(root));
        let (after, highest) = server.memory();
        let weights = weights(&server);
        let _ = writeln!(page, "| {bundle} | {weights:.1} | {ready:.0} | {after:.0} | {highest:.0} |");
    }
    page
}

fn load(server: &Server, photo: &[u8]) {
    let sent = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(|| {
                while sent.fetch_add(1, Ordering::Relaxed) < REQUESTS {
                    invoke(server, photo);
                }
            });
        }
    });
}

/// MB that the weights take at 4 bytes each, as the server counts them in its log.
fn weights(server: &Server) -> f64 {
    server.log().iter().filter_map(|line| line["weights"].as_f64()).sum::<f64>() * 4.0 / 1e6
}

fn invoke(server: &Server, photo: &[u8]) {
    ureq::post(format!("{}/invocations", server.url)).content_type("image/jpeg").send(photo).expect("an answer");
}

fn photo(root: &Path) -> Vec<u8> {
    std::fs::read(root.join("model-artifacts/face-analyzer/self-test/astronaut.jpg")).expect("the sample photo")
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
