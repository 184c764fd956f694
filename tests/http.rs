//! The SageMaker contract over real sockets, with a scripted model.

#[path = "support/server.rs"]
mod server;

use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;

use server::{TestServer, config, connect, echo, eventually, receive, send};
use strongroom::http::Config;

const ID: &str = "x-amzn-sagemaker-inference-id";

/// "`/ping` is 503 with the reason until the model has passed its self-test, and 200 with an empty body after."
#[test]
fn ping_is_503_with_the_reason_until_ready_and_200_and_empty_after() {
    let test = TestServer::starting(config());
    test.server.control().starting("fetch");
    let before = test.get("/ping");
    assert_eq!(before.code(), (503, "not_ready".into()));
    assert!(before.text().contains("fetch") && before.headers.contains_key("retry-after"));
    test.become_ready();
    for method in ["GET", "POST"] {
        let after = send(test.address, method, "/ping", &[], b"");
        assert_eq!((after.status, after.text()), (200, String::new()), "{method}");
    }
    assert_eq!(send(test.address, "HEAD", "/ping", &[], b"").status, 200);
}

#[test]
fn a_request_before_ready_is_503_not_ready() {
    let test = TestServer::starting(config());
    assert_eq!(test.post("/invocations", b"x").code(), (503, "not_ready".into()));
    assert_eq!(test.get("/model").code(), (503, "not_ready".into()));
    assert_eq!(test.get("/metrics").status, 200);
}

/// "An answer's Content-Type is bare, since data capture takes no parameters."
#[test]
fn invocations_and_analyze_answer_with_the_models_bytes_and_bare_content_type() {
    let test = TestServer::ready(config());
    for path in ["/invocations", "/analyze"] {
        let answer = test.post(path, b"[1]");
        assert_eq!((answer.status, answer.text()), (200, echo("[1]")));
        assert_eq!(answer.headers["content-type"], "application/json");
    }
}

/// "`X-Amzn-SageMaker-Content-Type` and `X-Amzn-SageMaker-Accept` stand for Content-Type and Accept where those are
/// absent."
#[test]
fn content_type_and_accept_reach_the_model_and_amazons_own_stand_in_for_them() {
    let test = TestServer::ready(config());
    let kind = ("content-type", "show/headers");
    let headers = [kind, ("accept", "c/d"), ("x-amzn-sagemaker-accept", "no/no")];
    let answer = send(test.address, "POST", "/invocations", &headers, b"x");
    assert!(answer.text().contains(r#"Some(\"show/headers\") Some(\"c/d\")"#), "{}", answer.text());
    let headers = [("x-amzn-sagemaker-content-type", "show/headers"), ("x-amzn-sagemaker-accept", "g/h")];
    let answer = send(test.address, "POST", "/invocations", &headers, b"x");
    assert!(answer.text().contains(r#"Some(\"show/headers\") Some(\"g/h\")"#), "{}", answer.text());
}

/// "`X-Amzn-SageMaker-Inference-Id` is the request's id in its answer, its error and the log."
#[test]
fn a_valid_inference_id_is_the_request_id_and_any_other_is_replaced() {
    let test = TestServer::ready(config());
    let answer = send(test.address, "POST", "/invocations", &[(ID, "abc-1")], b"fail");
    assert_eq!(answer.headers["x-request-id"], "abc-1");
    assert_eq!(answer.json()["error"]["request_id"], "abc-1");
    for bad in ["", "with space", &"x".repeat(65)] {
        let answer = send(test.address, "POST", "/invocations", &[(ID, bad)], b"[]");
        assert_eq!(answer.headers["x-request-id"].len(), 36, "{bad:?}");
    }
}

/// "An error is `{"error":{"code","message","request_id"}}` of at most 2,048 characters, with the caller's faults in
/// 4xx."
#[test]
fn an_error_body_has_code_message_and_id_and_at_most_2048_characters() {
    let test = TestServer::ready(config());
    let answer = test.post("/invocations", b"fail");
    assert_eq!(answer.code(), (400, "malformed_json".into()));
    assert!(answer.body.len() <= 2_048 && answer.headers["content-type"] == "application/json");
    assert_eq!(test.post("/invocations", b"").code(), (400, "empty_body".into()));
}

/// "Another path is 404 and another method 405, with the same body."
#[test]
fn unknown_paths_are_404_and_wrong_methods_405_with_our_body() {
    let test = TestServer::ready(config());
    for path in ["/", "/pong", "/invocations/", "/models", "//ping"] {
        assert_eq!(test.get(path).code(), (404, "not_found".into()), "{path}");
    }
    let answer = test.get("/invocations");
    assert_eq!(answer.code(), (405, "method_not_allowed".into()));
    assert_eq!(answer.headers["allow"], "POST");
    assert_eq!(send(test.address, "DELETE", "/ping", &[], b"").code(), (405, "method_not_allowed".into()));
}

#[test]
fn the_convenience_routes_can_be_switched_off() {
    let test = TestServer::ready(Config { convenience_routes: false, ..config() });
    assert_eq!(test.post("/analyze", b"[]").status, 404);
    assert_eq!(test.get("/test").status, 404);
    assert_eq!(test.post("/invocations", b"[]").status, 200);
}

#[test]
fn test_shows_the_samples_analysis_as_json_or_as_a_page() {
    let test = TestServer::ready(config());
    assert_eq!(test.get("/test").json()["analysis"][0]["label"], "<cat>");
    let page = send(test.address, "GET", "/test", &[("accept", "text/html")], b"");
    assert!(page.text().contains("&lt;cat&gt;") && !page.text().contains("<cat>"));
}

#[test]
fn model_tells_name_version_digest_task_inputs_and_limits() {
    let test = TestServer::ready(config());
    let card = test.get("/model").json();
    assert_eq!((card["name"].as_str(), card["trust"].as_str()), (Some("scripted"), Some("unsigned")));
    assert_eq!(card["inputs"][0]["kind"], "image");
    assert_eq!(card["limits"]["max_body_bytes"], 1 << 20);
    let mut keys: Vec<_> = card.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["digest", "inputs", "limits", "name", "task", "trust", "version"]);
}

#[test]
fn execution_parameters_follow_threads_and_body_limit() {
    let test = TestServer::ready(config());
    let told = test.get("/execution-parameters").json();
    let expected = serde_json::json!(
        { "MaxConcurrentTransforms": 2, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 1 });
    assert_eq!(told, expected);
}

#[test]
fn metrics_count_requests_by_route_status_and_code() {
    let test = TestServer::ready(config());
    test.post("/invocations", b"[]");
    test.post("/invocations", b"fail");
    let page = test.get("/metrics").text();
    for line in [
        r#"strongroom_requests_total{route="/invocations",status="200",code="ok"} 1"#,
        r#"strongroom_requests_total{route="/invocations",status="400",code="malformed_json"} 1"#,
        "strongroom_ready 1",
        "strongroom_inference_threads 2",
        r#"strongroom_request_stage_seconds_count{stage="run"} 2"#,
        r#"strongroom_model{name="scripted",version="1.0.0""#,
    ] {
        assert!(page.contains(line), "{line} is not in:\n{page}");
    }
}

/// "A body above the limit is 413, by its Content-Length before it is read."
#[test]
fn a_body_over_the_limit_is_413_by_its_content_length_before_it_is_read() {
    let test = TestServer::ready(config());
    let mut stream = connect(test.address);
    stream.write_all(b"POST /invocations HTTP/1.1\r\nhost: t\r\ncontent-length: 1048577\r\n\r\n").unwrap();
    assert_eq!(receive(&mut stream).code(), (413, "body_too_large".into()));
    assert_eq!(test.script.taken.load(Ordering::SeqCst), 0);
}

#[test]
fn a_body_of_exactly_the_limit_is_taken() {
    let test = TestServer::ready(config());
    assert_eq!(test.post("/invocations", &vec![b'x'; 1 << 20]).status, 200);
}

#[test]
fn a_client_that_sends_the_whole_oversized_body_still_gets_its_413() {
    let test = TestServer::ready(config());
    assert_eq!(test.post("/invocations", &vec![b'x'; 3 << 20]).code(), (413, "body_too_large".into()));
}

/// "A chunked body above the limit is 413 as soon as it passes it."
#[test]
fn a_chunked_body_is_taken_up_to_the_limit_and_413_above_while_it_arrives() {
    let test = TestServer::ready(config());
    let head = b"POST /invocations HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut stream = connect(test.address);
    stream.write_all(&[&head[..], b"2\r\n[1\r\n1\r\n]\r\n0\r\n\r\n"].concat()).unwrap();
    assert_eq!(receive(&mut stream).text(), echo("[1]"));
    let mut stream = connect(test.address);
    stream.write_all(head).unwrap();
    let chunk = [b"10000\r\n".to_vec(), vec![b'x'; 65_536], b"\r\n".to_vec()].concat();
    for _ in 0..17 {
        // The server may close while we still send.
        let _ = stream.write_all(&chunk);
    }
    assert_eq!(receive(&mut stream).code(), (413, "body_too_large".into()));
}

#[test]
fn a_client_that_falls_silent_within_its_body_is_let_go_with_408() {
    let test = TestServer::ready(config());
    let mut stream = connect(test.address);
    stream.write_all(b"POST /invocations HTTP/1.1\r\nhost: t\r\ncontent-length: 10\r\n\r\nabc").unwrap();
    assert_eq!(receive(&mut stream).code(), (408, "body_timeout".into()));
}

#[test]
fn a_client_that_falls_silent_within_its_head_is_let_go() {
    let test = TestServer::ready(config());
    let mut stream = connect(test.address);
    stream.write_all(b"POST /invocations HTTP/1.1\r\nhost:").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"));
}

#[test]
fn a_broken_chunk_is_400() {
    let test = TestServer::ready(config());
    let mut stream = connect(test.address);
    let request = b"POST /invocations HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n";
    stream.write_all(request).unwrap();
    assert_eq!(receive(&mut stream).status, 400);
}

#[test]
fn a_compressed_body_is_415() {
    let test = TestServer::ready(config());
    let answer = send(test.address, "POST", "/invocations", &[("content-encoding", "gzip")], b"x");
    assert_eq!(answer.code(), (415, "unsupported_content_encoding".into()));
}

#[test]
fn ping_is_answered_while_all_inference_threads_are_busy() {
    let test = TestServer::ready(config());
    let busy: Vec<_> = (0..2).map(|_| test.post_later("/invocations", b"wait")).collect();
    test.script.await_taken(2);
    assert_eq!(test.get("/ping").status, 200);
    assert!(test.get("/metrics").text().contains("strongroom_requests_in_flight 2"));
    test.script.open_gate();
    busy.into_iter().for_each(|request| assert_eq!(request.join().unwrap().status, 200));
}

/// "More requests than threads and queue hold are 503 `overloaded` at once, with Retry-After."
#[test]
fn more_requests_than_threads_and_queue_hold_are_503_overloaded_at_once() {
    let test = TestServer::ready(config());
    let held: Vec<_> = (0..4).map(|_| test.post_later("/invocations", b"wait")).collect();
    eventually(|| test.get("/metrics").text().contains("strongroom_requests_in_flight 4"));
    let refused = test.post("/invocations", b"[]");
    assert_eq!(refused.code(), (503, "overloaded".into()));
    assert!(refused.headers.contains_key("retry-after"));
    test.script.open_gate();
    held.into_iter().for_each(|request| assert_eq!(request.join().unwrap().status, 200));
    eventually(|| test.get("/metrics").text().contains("strongroom_requests_in_flight 0"));
    assert_eq!(test.post("/invocations", b"[]").status, 200);
}

/// "A request past its deadline is 503 `deadline_exceeded`, and queued work past it is dropped before it costs CPU."
#[test]
fn past_the_deadline_is_503_and_queued_work_is_dropped_before_it_costs_cpu() {
    let test = TestServer::ready(Config { threads: 1, deadline: Duration::from_millis(300), ..config() });
    let held: Vec<_> = (0..3).map(|_| test.post_later("/invocations", b"wait")).collect();
    for request in held {
        assert_eq!(request.join().unwrap().code(), (503, "deadline_exceeded".into()));
    }
    test.script.open_gate();
    eventually(|| test.get("/metrics").text().contains("strongroom_requests_in_flight 0"));
    assert_eq!(test.script.taken.load(Ordering::SeqCst), 1);
}

#[test]
fn work_past_its_deadline_is_given_up_and_503() {
    let test = TestServer::ready(Config { threads: 1, deadline: Duration::from_millis(300), ..config() });
    assert_eq!(test.post("/invocations", b"work").code(), (503, "deadline_exceeded".into()));
    eventually(|| test.script.given_up.load(Ordering::SeqCst) == 1);
    assert_eq!(test.post("/invocations", b"[]").status, 200);
}

#[test]
fn bodies_that_do_not_come_leave_the_threads_to_those_that_do() {
    let test = TestServer::ready(Config { client_timeout: Duration::from_secs(30), ..config() });
    let head = b"POST /invocations HTTP/1.1\r\nhost: t\r\ncontent-length: 1048576\r\n\r\nhalf";
    let idle: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = connect(test.address);
            stream.write_all(head).unwrap();
            stream
        })
        .collect();
    for _ in 0..5 {
        assert_eq!(test.post("/invocations", b"[1]").text(), echo("[1]"));
    }
    assert!(test.get("/metrics").text().contains("strongroom_requests_in_flight 0"));
    drop(idle);
}

#[test]
fn a_body_that_drips_is_408() {
    let test = TestServer::ready(config());
    let mut stream = connect(test.address);
    stream.write_all(b"POST /invocations HTTP/1.1\r\nhost: t\r\ncontent-length: 1000000\r\n\r\n").unwrap();
    let mut other = stream.try_clone().unwrap();
    // Twice a client timeout of 1 s is enough; the deadline of 55 s is far.
    let drip = std::thread::spawn(move || {
        while other.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    assert_eq!(receive(&mut stream).code(), (408, "body_timeout".into()));
    stream.shutdown(std::net::Shutdown::Both).ok();
    drip.join().unwrap();
}

#[test]
fn the_thread_that_panicked_renews_its_state_and_runs_the_self_test_itself() {
    for body in [&b"panic"[..], b"engine"] {
        let test = TestServer::ready(Config { threads: 1, ..config() });
        assert_eq!(test.post("/invocations", body).status, 500);
        eventually(|| *test.script.tested_on.lock().unwrap() == ["infer-0"]);
        assert_eq!(test.script.made.load(Ordering::SeqCst), 2);
        assert_eq!(test.get("/ping").status, 200);
    }
}

#[test]
fn a_full_queue_does_not_poison_after_a_panic() {
    let test = TestServer::ready(Config { threads: 1, queue: 3, ..config() });
    let first = test.post_later("/invocations", b"wait");
    test.script.await_taken(1);
    let rest: Vec<_> = (0..3).map(|_| test.post_later("/invocations", b"panic")).collect();
    eventually(|| test.get("/metrics").text().contains("strongroom_requests_in_flight 4"));
    test.script.open_gate();
    assert_eq!(first.join().unwrap().status, 200);
    rest.into_iter().for_each(|request| assert_eq!(request.join().unwrap().status, 500));
    eventually(|| test.script.tested_on.lock().unwrap().len() == 3);
    assert_eq!(test.get("/ping").status, 200);
}

#[test]
fn a_panic_whose_client_left_is_followed_by_the_self_test_as_well() {
    let test = TestServer::ready(Config { threads: 1, deadline: Duration::from_millis(300), ..config() });
    test.script.broken.store(true, Ordering::SeqCst);
    assert_eq!(test.post("/invocations", b"wait, then panic").code(), (503, "deadline_exceeded".into()));
    test.script.open_gate();
    eventually(|| test.get("/ping").status == 503);
}

#[test]
fn a_failed_request_is_measured_too() {
    let test = TestServer::ready(Config { threads: 1, ..config() });
    test.post("/invocations", b"fail");
    let page = test.get("/metrics").text();
    assert!(page.contains(r#"strongroom_request_stage_seconds_count{stage="run"} 1"#), "{page}");
    assert!(page.contains("strongroom_request_seconds_count 1"), "{page}");
}

#[test]
fn a_request_whose_client_left_is_counted() {
    let test = TestServer::ready(config());
    let mut stream = connect(test.address);
    stream.write_all(b"GET /ping HTTP/1.1\r\nhost: t\r\n\r\n").unwrap();
    // An answer that is there and never read makes the kernel reset the connection when it is closed.
    stream.peek(&mut [0]).unwrap();
    stream.write_all(b"POST /invocations HTTP/1.1\r\nhost: t\r\ncontent-length: 4\r\n\r\nwait").unwrap();
    test.script.await_taken(1);
    drop(stream);
    eventually(|| test.get("/metrics").text().contains(r#"status="499",code="client_left"} 1"#));
    test.script.open_gate();
}

#[test]
fn a_body_that_is_still_arriving_when_draining_starts_is_answered() {
    let test = TestServer::ready(Config { drain_grace: Duration::from_secs(2), ..config() });
    let mut stream = connect(test.address);
    stream.write_all(b"POST /invocations HTTP/1.1\r\nhost: t\r\ncontent-length: 3\r\n\r\n[").unwrap();
    eventually(|| test.get("/metrics").text().contains("strongroom_ready 1"));
    let address = test.address;
    let drain = std::thread::spawn(move || drain(test));
    eventually(|| send(address, "GET", "/ping", &[], b"").status == 503);
    stream.write_all(b"1]").unwrap();
    assert_eq!(receive(&mut stream).text(), echo("[1]"));
    drain.join().unwrap();
}

#[test]
fn what_still_waits_when_the_drain_ends_is_told_so() {
    let test = TestServer::ready(Config { threads: 1, queue: 3, drain_timeout: Duration::from_secs(3), ..config() });
    let held: Vec<_> = (0..4).map(|_| test.post_later("/invocations", b"wait")).collect();
    eventually(|| test.get("/metrics").text().contains("strongroom_requests_in_flight 4"));
    let script = std::sync::Arc::clone(&test.script);
    let drain = std::thread::spawn(move || drain(test));
    for request in held {
        assert_eq!(request.join().unwrap().code(), (503, "draining".into()));
    }
    script.open_gate();
    drain.join().unwrap();
}

fn drain(test: TestServer) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(test.server.drain());
}

/// "One failed request is one error answer: a panic is 500 `internal`, and the server lives."
#[test]
fn a_panic_is_500_internal_and_the_server_lives() {
    let test = TestServer::ready(config());
    for _ in 0..5 {
        assert_eq!(test.post("/invocations", b"panic").code(), (500, "internal".into()));
    }
    assert_eq!(test.post("/invocations", b"[]").status, 200);
    assert_eq!(test.get("/ping").status, 200);
}

#[test]
fn a_model_that_fails_its_self_test_after_a_panic_poisons_ping() {
    let test = TestServer::ready(config());
    test.script.broken.store(true, Ordering::SeqCst);
    assert_eq!(test.post("/invocations", b"panic").status, 500);
    eventually(|| test.get("/ping").status == 503);
    assert_eq!(test.post("/invocations", b"[]").code(), (503, "not_ready".into()));
}

/// "After SIGTERM `/ping` is 503, accepted requests are answered, and new ones are 503 `draining` with Retry-After."
#[test]
fn draining_answers_what_was_accepted_and_refuses_the_rest() {
    let test = TestServer::ready(Config { drain_grace: Duration::from_secs(5), ..config() });
    let accepted = test.post_later("/invocations", b"wait");
    test.script.await_taken(1);
    let (address, script) = (test.address, test.script);
    let drain = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test.server.drain());
    });
    eventually(|| send(address, "GET", "/ping", &[], b"").status == 503);
    let refused = send(address, "POST", "/invocations", &[], b"[]");
    assert_eq!(refused.code(), (503, "draining".into()));
    assert!(refused.headers.contains_key("retry-after"));
    script.open_gate();
    assert_eq!(accepted.join().unwrap().status, 200);
    drain.join().unwrap();
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn one_connection_carries_many_requests() {
    let test = TestServer::ready(config());
    let mut stream = connect(test.address);
    for _ in 0..3 {
        stream.write_all(b"POST /invocations HTTP/1.1\r\nhost: t\r\ncontent-length: 2\r\n\r\n[]").unwrap();
        assert_eq!(receive(&mut stream).text(), echo("[]"));
    }
}

#[test]
fn a_taken_port_is_a_clear_error() {
    let test = TestServer::starting(config());
    let error = strongroom::http::Server::start(Config { bind: test.address, ..config() }).err().unwrap();
    assert!(error.to_string().contains(&test.address.to_string()) && error.remedy().is_some());
}
