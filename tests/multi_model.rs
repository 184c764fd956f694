//! The rules of `docs/CONTRACT.md` for multi-model endpoints over real sockets, with scripted models.

#[path = "support/server.rs"]
mod server;

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use server::{Answer, TestServer, config, connect, echo, eventually, send};
use strongroom::http::Config;

fn endpoint() -> TestServer {
    TestServer::of_many(config())
}

fn load(test: &TestServer, name: &str, url: &str) -> Answer {
    test.post("/models", json!({ "model_name": name, "url": url }).to_string().as_bytes())
}

fn delete(test: &TestServer, name: &str) -> Answer {
    send(test.address, "DELETE", &format!("/models/{name}"), &[], b"")
}

fn invoke(test: &TestServer, name: &str, body: &[u8]) -> Answer {
    test.post(&format!("/models/{name}/invoke"), body)
}

fn loaded(test: &TestServer, names: &[&str]) {
    names.iter().for_each(|name| assert_eq!(load(test, name, &format!("/models/{name}")).status, 200));
}

/// Status, type and message of a refusal in the dialect.
fn dialect(answer: &Answer) -> (u16, String, String) {
    let body = answer.json();
    assert_eq!(body["code"].as_u64(), Some(answer.status.into()), "{body}");
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    (answer.status, text("type"), text("message"))
}

/// "A multi-model endpoint's `/ping` is 200 and its `GET /models` is 200 with an empty list before a model is loaded."
#[test]
fn an_endpoint_without_models_is_ready() {
    let test = endpoint();
    assert_eq!(test.get("/ping").status, 200);
    let list = test.get("/models");
    assert_eq!((list.status, list.json()), (200, json!({ "models": [] })));
}

/// "`POST /models` with `model_name` and `url` loads a model: 200 when it has passed its self-test."
#[test]
fn a_model_is_loaded_and_invoked() {
    let test = endpoint();
    let answer = load(&test, "a0b1", "/models/a0b1/model");
    assert_eq!((answer.status, answer.json()), (200, json!({ "status": "Workers scaled" })));
    assert_eq!(invoke(&test, "a0b1", b"cat").text(), echo("cat"));
}

/// "Loading a name that is loaded, or being loaded, is 409."
#[test]
fn a_name_is_loaded_once() {
    let test = endpoint();
    loaded(&test, &["a"]);
    let expected = (409, "ConflictStatusException".to_owned(), "Model a is already registered.".to_owned());
    assert_eq!(dialect(&load(&test, "a", "/models/other")), expected);
    let address = test.address;
    let body = json!({ "model_name": "b", "url": "/models/slow" }).to_string();
    let first = std::thread::spawn(move || send(address, "POST", "/models", &[], body.as_bytes()));
    test.script.await_taken(1);
    assert_eq!(load(&test, "b", "/models/slow").status, 409);
    assert_eq!(test.get("/models/b").status, 404);
    test.script.open_gate();
    assert_eq!(first.join().unwrap().status, 200);
    assert_eq!(test.get("/models/b").status, 200);
}

/// "A load is 404 where there is no model, 507 where memory does not suffice, 400 for a url outside of the models'
/// directory or a malformed body, 500 with the reason for a model that cannot be opened."
#[test]
fn loads_that_fail_say_why_and_leave_the_name_free() {
    let test = endpoint();
    for (url, status, kind) in [
        ("/models/missing", 404, "ModelNotFoundException"),
        ("/models/large", 507, "InsufficientMemoryException"),
        ("/models/outside", 400, "BadRequestException"),
        ("/models/damaged", 500, "InternalServerException"),
        ("/models/panic", 500, "InternalServerException"),
    ] {
        let (found, type_, message) = dialect(&load(&test, "m", url));
        assert_eq!((found, type_.as_str()), (status, kind), "{url}: {message}");
    }
    for body in [
        "",
        "{}",
        "[]",
        r#"{"model_name":"m"}"#,
        r#"{"model_name":"","url":"/models/m"}"#,
        r#"{"model_name":1,"url":2}"#,
    ] {
        assert_eq!(dialect(&test.post("/models", body.as_bytes())).0, 400, "{body}");
    }
    assert_eq!(dialect(&test.post("/models", &vec![b' '; 100_000])).0, 400);
    let mut stream = connect(test.address);
    let begun = b"POST /models HTTP/1.1\r\nhost: t\r\ncontent-length: 100\r\n\r\n{";
    std::io::Write::write_all(&mut stream, begun).unwrap();
    assert_eq!(dialect(&server::receive(&mut stream)).0, 400);
    assert_eq!(dialect(&load(&test, &"n".repeat(1_025), "/models/m")).0, 400);
    assert_eq!(load(&test, "m", "/models/m").status, 200);
}

/// "`GET /models` lists models by name, 100 at most or as many as `limit` says; `nextPageToken` is there while there are
/// more."
#[test]
fn models_are_listed_page_by_page() {
    let test = endpoint();
    let names: Vec<String> = (0..7).map(|number| format!("m{number}")).collect();
    names.iter().rev().for_each(|name| loaded(&test, &[name]));
    let (mut found, mut token) = (Vec::new(), String::new());
    for _ in 0..4 {
        let page = test.get(&format!("/models?limit=3{token}")).json();
        let models = page["models"].as_array().unwrap().clone();
        found.extend(models.iter().map(|model| model["modelName"].as_str().unwrap().to_owned()));
        let Some(next) = page["nextPageToken"].as_str() else { break };
        assert_eq!(models.len(), 3);
        token = format!("&next_page_token={next}");
    }
    assert_eq!(found, names);
    assert_eq!(test.get("/models").json()["models"][0], json!({ "modelName": "m0", "modelUrl": "/models/m0" }));
    for query in ["limit=x", "next_page_token=-1", "limit=9999999999999999999999"] {
        assert_eq!(dialect(&test.get(&format!("/models?{query}"))).0, 400, "{query}");
    }
    assert_eq!(test.get("/models?limit=0&next_page_token=1000&more=1").json(), json!({ "models": [] }));
}

/// "`GET /models/NAME` tells a model's name and url; of one that is not loaded it is 404."
#[test]
fn a_model_is_described() {
    let test = endpoint();
    loaded(&test, &["a"]);
    assert_eq!(test.get("/models/a").json(), json!({ "modelName": "a", "modelUrl": "/models/a" }));
    let expected = (404, "ModelNotFoundException".to_owned(), "Model not found: b".to_owned());
    assert_eq!(dialect(&test.get("/models/b")), expected);
    assert_eq!(dialect(&delete(&test, "b")), expected);
    assert_eq!(dialect(&invoke(&test, "b", b"cat")), expected);
}

/// "A model's name is a key and never a path."
#[test]
fn names_are_keys() {
    let test = endpoint();
    for name in ["..", "../../etc/passwd", "a/b", "a b", "%2e%2e", "größe", "\u{1F5BC}", "."] {
        assert_eq!(load(&test, name, "/models/m").status, 200, "{name}");
    }
    let names: Vec<Value> = test.get("/models").json()["models"].as_array().unwrap().clone();
    assert_eq!(names.len(), 8);
    assert_eq!(test.get("/models/a%20b").json()["modelName"], "a b");
    assert_eq!(delete(&test, "a%20b").status, 200);
    assert_eq!(test.get("/models/a%20b").status, 404);
}

/// "`DELETE /models/NAME` answers 200 when the model's memory is given back: every thread has dropped its part."
#[test]
fn an_unload_is_answered_when_every_thread_has_dropped_the_model() {
    let test = endpoint();
    loaded(&test, &["a"]);
    eventually(|| test.script.made.load(Ordering::SeqCst) == 2);
    let answer = delete(&test, "a");
    assert_eq!((answer.status, answer.json()), (200, json!({ "status": "Model \"a\" unregistered" })));
    assert_eq!(test.script.dropped.load(Ordering::SeqCst), 2);
    assert_eq!(invoke(&test, "a", b"cat").status, 404);
    loaded(&test, &["a"]);
    assert_eq!(invoke(&test, "a", b"cat").text(), echo("cat"));
}

/// "Requests in flight are answered before their model is unloaded."
#[test]
fn requests_in_flight_survive_an_unload() {
    let test = endpoint();
    loaded(&test, &["a", "b"]);
    let before = test.script.taken.load(Ordering::SeqCst);
    let waiting = test.post_later("/models/a/invoke", b"wait");
    test.script.await_taken(before + 1);
    let address = test.address;
    let unload = std::thread::spawn(move || send(address, "DELETE", "/models/a", &[], b""));
    eventually(|| test.get("/models/a").status == 404);
    assert_eq!(invoke(&test, "a", b"cat").status, 404);
    assert_eq!(invoke(&test, "b", b"cat").text(), echo("cat"));
    assert!(!unload.is_finished());
    assert_eq!(test.get("/ping").status, 200);
    test.script.open_gate();
    assert_eq!(waiting.join().unwrap().text(), echo("wait"));
    assert_eq!(unload.join().unwrap().status, 200);
}

/// "An unload, or a load, goes on when its caller is gone."
#[test]
fn a_load_goes_on_without_its_caller() {
    let test = endpoint();
    let mut stream = connect(test.address);
    let body = json!({ "model_name": "a", "url": "/models/slow" }).to_string();
    let head = format!("POST /models HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    test.script.await_taken(1);
    drop(stream);
    test.script.open_gate();
    eventually(|| test.get("/models/a").status == 200);
}

/// "Loads, unloads, requests and pings run side by side."
#[test]
fn loads_unloads_requests_and_pings_run_side_by_side() {
    let test = TestServer::of_many(Config { queue: 64, ..config() });
    loaded(&test, &["steady"]);
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let test = &test;
            scope.spawn(move || {
                for round in 0..25 {
                    let name = format!("m{worker}-{round}");
                    assert_eq!(load(test, &name, "/models/m").status, 200);
                    assert_eq!(invoke(test, &name, name.as_bytes()).text(), echo(&name));
                    assert_eq!(delete(test, &name).status, 200);
                }
            });
            scope.spawn(move || {
                for _ in 0..50 {
                    assert_eq!(invoke(test, "steady", b"cat").text(), echo("cat"));
                    assert_eq!(test.get("/ping").status, 200);
                }
            });
        }
    });
    assert_eq!(test.get("/models").json()["models"].as_array().map(Vec::len), Some(1));
    assert!(test.get("/metrics").text().contains("strongroom_models 1"));
}

/// "A model that panics and fails its self-test afterwards is refused, and the others go on."
#[test]
fn one_models_end_is_not_the_others() {
    let test = TestServer::of_many(Config { threads: 1, ..config() });
    loaded(&test, &["a", "b"]);
    test.script.broken.store(true, Ordering::SeqCst);
    assert_eq!(invoke(&test, "a", b"panic").status, 500);
    eventually(|| invoke(&test, "a", b"cat").status == 503);
    assert_eq!(invoke(&test, "b", b"cat").text(), echo("cat"));
    assert_eq!(test.get("/ping").status, 200);
    assert_eq!(delete(&test, "a").status, 200);
}

/// "A multi-model endpoint has no `/invocations`, and another server no `/models`."
#[test]
fn each_kind_of_server_has_its_routes() {
    let many = endpoint();
    for path in ["/invocations", "/model", "/execution-parameters", "/test", "/analyze"] {
        assert_eq!(many.get(path).code(), (404, "not_found".into()), "{path}");
    }
    assert_eq!(send(many.address, "PUT", "/models", &[], b"").code(), (405, "method_not_allowed".into()));
    let single = TestServer::ready(config());
    assert_eq!(single.get("/models").code(), (404, "not_found".into()));
}

/// "While draining, a load is 503."
#[test]
fn a_load_while_draining_is_refused() {
    let test = TestServer::of_many(Config { drain_grace: Duration::from_secs(2), ..config() });
    let address = test.address;
    let drain = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test.server.drain());
    });
    eventually(|| send(address, "GET", "/ping", &[], b"").status == 503);
    let answer = send(address, "POST", "/models", &[], br#"{"model_name":"a","url":"/models/a"}"#);
    assert_eq!(answer.code(), (503, "draining".into()));
    drain.join().unwrap();
}
