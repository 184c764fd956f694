//! Bodies that must be refused, sent to real models: the right status and code, the server alive, its memory flat.

#[path = "support/hostile.rs"]
mod hostile;
#[path = "support/program.rs"]
mod program;
#[path = "support/server.rs"]
mod server;

use std::io::Write;
use std::path::Path;

use hostile::{Against, Hostile};
use program::{Place, Served, artifact};
use server::{Answer, connect, receive, send};

/// Requests to one server, over the whole table again and again.
const REQUESTS: usize = 10_000;
/// Images cost a decoder's work each; their table goes round fewer times.
const IMAGE_REQUESTS: usize = 3_000;
/// Resident memory may grow by this much from the first rounds to the last, in KiB. Not zero: which thread's heap takes
/// which of the large bodies (the table has some of several MB) is chance, and each heap keeps what it once took. Over
/// 10,000 requests a leak of 5 KiB in each is seen.
const MAX_GROWTH: u64 = 48 * 1024;

#[test]
fn images_are_refused_with_their_code_and_memory_stays_flat() {
    hold(&artifact("imagenet-efficientnet-lite0"), "imagenet-efficientnet-lite0", Against::Images, IMAGE_REQUESTS);
}

#[test]
fn rows_are_refused_with_their_code_and_memory_stays_flat() {
    hold(&artifact("iris-random-forest"), "iris-random-forest", Against::Rows, REQUESTS);
}

#[test]
fn tensors_are_refused_with_their_code_and_memory_stays_flat() {
    let bundle = tempfile::tempdir().unwrap();
    std::fs::copy(artifact("iris-random-forest").join("iris_rf.onnx"), bundle.path().join("iris_rf.onnx")).unwrap();
    let manifest = "name = \"tensors\"\nversion = \"1.0.0\"\nlicense = \"BSD-3-Clause\"\n[task.tensor]\ngraph = \"iris_rf.onnx\"\n";
    std::fs::write(bundle.path().join("model.toml"), manifest).unwrap();
    hold(bundle.path(), "tensors", Against::Tensors, REQUESTS);
}

fn hold(bundle: &Path, model: &str, against: Against, requests: usize) {
    let place = Place::with(bundle);
    let served = place.serve(model);
    served.log("ready");
    let table: Vec<Hostile> = hostile::bodies().into_iter().filter(|body| body.against == against).collect();
    for body in &table {
        let answer = send(served.address, "POST", "/invocations", &[("content-type", body.media_type)], &body.body);
        check(body, &answer);
    }
    let first = rounds(&served, &table, table.len() * 2);
    let peak = served.peak();
    let last = rounds(&served, &table, requests);
    assert!(last < first + MAX_GROWTH, "resident memory grew from {first} to {last} KiB");
    let highest = served.peak();
    assert!(highest < peak + MAX_GROWTH, "the peak of memory grew from {peak} to {highest} KiB");
    assert_eq!(send(served.address, "GET", "/ping", &[], b"").status, 200);
}

fn check(body: &Hostile, answer: &Answer) {
    assert!((400..500).contains(&answer.status), "{}: {} {}", body.name, answer.status, answer.text());
    assert_eq!(answer.code().1, body.code, "{}: {}", body.name, answer.text());
    assert!(answer.body.len() <= 2_048);
}

/// Sends `count` bodies over one connection; resident memory after.
fn rounds(served: &Served, table: &[Hostile], count: usize) -> u64 {
    let mut stream = connect(served.address);
    for body in table.iter().cycle().take(count) {
        let head = format!(
            "POST /invocations HTTP/1.1\r\nhost: test\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
            body.media_type,
            body.body.len()
        );
        stream.write_all(&[head.as_bytes(), &body.body].concat()).unwrap();
        let answer = receive(&mut stream);
        check(body, &answer);
        if answer.headers.get("connection").is_some_and(|connection| connection == "close") {
            stream = connect(served.address);
        }
    }
    served.resident()
}
