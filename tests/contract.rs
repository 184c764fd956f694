//! The rules of `docs/CONTRACT.md` over real sockets, with a scripted model; each test quotes its rule, and
//! `tests/documents.rs` demands one for every rule. More of them are held by tests/http.rs (what is the server's alone),
//! tests/multi_model.rs and tests/contract_program.rs (with the program itself).

#[path = "support/server.rs"]
mod server;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::{Answer, TestServer, config, connect, echo, eventually, receive, send, unchunked};
use strongroom::bundle::{Answers, BadRecords};
use strongroom::http::Config;

const JSON_LINES: (&str, &str) = ("content-type", "application/jsonlines");
const CSV: (&str, &str) = ("content-type", "text/csv");
const ACCEPT_LINES: (&str, &str) = ("accept", "application/jsonlines");
const ATTRIBUTES: &str = "x-amzn-sagemaker-custom-attributes";

fn batch() -> Config {
    Config { batch: true, ..config() }
}

fn post(test: &TestServer, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Answer {
    send(test.address, "POST", "/invocations", headers, body.as_ref())
}

/// A row's answer.
fn scores(number: f32) -> String {
    json!({ "scores": [number] }).to_string()
}

fn error_code(line: &str) -> String {
    let error: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert!(error["error"]["message"].as_str().is_some_and(|message| !message.is_empty()), "{line}");
    error["error"]["code"].as_str().unwrap_or_default().to_owned()
}

/// "A connection is accepted and `/ping` answered, by a GET, HEAD or POST, while every inference thread is busy and 1,000
/// idle connections hang."
#[test]
fn pings_are_answered_under_load_beside_idle_connections() {
    let test = TestServer::ready(config());
    let busy: Vec<_> = (0..2).map(|_| test.post_later("/invocations", b"wait")).collect();
    test.script.await_taken(2);
    let idle: Vec<_> = (0..1_000).map(|_| connect(test.address)).collect();
    for method in ["GET", "HEAD", "POST"] {
        let begun = Instant::now();
        assert_eq!(send(test.address, method, "/ping", &[], b"").status, 200, "{method}");
        // The platform gives a ping 2 s; how quick it is in truth stands in docs/BENCHMARKS.md.
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
    assert_eq!(idle.len(), 1_000);
    test.script.open_gate();
    busy.into_iter().for_each(|request| assert_eq!(request.join().unwrap().status, 200));
}

/// "A connection is kept for 75 s after its last answer, longer than the platform keeps its own."
#[test]
fn a_connection_outlives_the_usual_five_seconds_of_silence() {
    let test = TestServer::ready(config());
    let mut stream = connect(test.address);
    let ping = b"GET /ping HTTP/1.1\r\nhost: t\r\n\r\n";
    stream.write_all(ping).unwrap();
    assert_eq!(receive(&mut stream).status, 200);
    std::thread::sleep(Duration::from_secs(7));
    stream.write_all(ping).unwrap();
    assert_eq!(receive(&mut stream).status, 200);
}

/// "A body comes with a Content-Length or in chunks, be they 100,000 of one byte."
#[test]
fn a_body_in_a_hundred_thousand_chunks_is_one_body() {
    let test = TestServer::ready(config());
    let mut stream = connect(test.address);
    let head =
        b"POST /invocations HTTP/1.1\r\nhost: t\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).unwrap();
    stream.write_all(&b"1\r\nx\r\n".repeat(100_000)).unwrap();
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(receive(&mut stream).text(), echo(&"x".repeat(100_000)));
}

/// "Of a request's headers only those of the API count, and all others are ignored, whatever they are."
#[test]
fn other_headers_are_ignored() {
    let test = TestServer::ready(config());
    let headers = [
        ("x-amzn-sagemaker-target-model", "../../etc/passwd"),
        ("x-amzn-sagemaker-target-variant", "blue"),
        ("x-amzn-sagemaker-target-container-hostname", "second"),
        ("x-amzn-sagemaker-inference-component", "part"),
        ("x-amzn-sagemaker-enable-explanations", "`true`"),
        ("x-forwarded-for", "169.254.169.254"),
        ("user-agent", "AHC/2.0"),
        ("expect-ct", "nonsense"),
        ("x-long", &"y".repeat(8_000)),
    ];
    assert_eq!(post(&test, &headers, "[1]").text(), echo("[1]"));
}

/// "`X-Amzn-SageMaker-Custom-Attributes` is given back as it came where the bundle says `custom_attributes = true`, and
/// only there."
#[test]
fn custom_attributes_are_given_back_where_the_bundle_says_so() {
    let sent = [(ATTRIBUTES, "trace=c000b4f9-df62, tenant=a b")];
    let giving = TestServer::ready_with(config(), Answers { custom_attributes: true, ..Answers::default() });
    assert_eq!(post(&giving, &sent, "[1]").headers[ATTRIBUTES], sent[0].1);
    assert_eq!(post(&giving, &[sent[0], JSON_LINES], "[1]").headers[ATTRIBUTES], sent[0].1);
    assert!(!post(&giving, &[], "[1]").headers.contains_key(ATTRIBUTES));
    assert!(!post(&giving, &[(ATTRIBUTES, &"x".repeat(1_025))], "[1]").headers.contains_key(ATTRIBUTES));
    let silent = TestServer::ready(config());
    assert!(!post(&silent, &sent, "[1]").headers.contains_key(ATTRIBUTES));
}

/// "A body that claims more memory than is free is 507 `out_of_memory`, before a byte of it is read."
#[test]
fn a_body_beyond_memory_is_507() {
    let test = TestServer::ready(Config { max_body: 1 << 50, ..config() });
    let mut stream = connect(test.address);
    write!(stream, "POST /invocations HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n", 1_u64 << 49).unwrap();
    assert_eq!(receive(&mut stream).code(), (507, "out_of_memory".into()));
}

/// "Session headers are ignored, and the path of bidirectional streams is 404: neither is offered."
#[test]
fn sessions_and_bidirectional_streams_are_not_offered() {
    let test = TestServer::ready(config());
    let answer = post(&test, &[("x-amzn-sagemaker-session-id", "NEW_SESSION")], "[1]");
    assert_eq!((answer.status, answer.text()), (200, echo("[1]")));
    assert!(answer.headers.keys().all(|name| !name.contains("session")));
    let upgrade =
        [("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-key", "x3JJHMbDL1EzLkh9GBhXDw==")];
    let answer = send(test.address, "GET", "/invocations-bidirectional-stream", &upgrade, b"");
    assert_eq!(answer.code(), (404, "not_found".into()));
}

/// "A job's n lines are answered by n lines, in their order, without a line end after the last."
#[test]
fn n_lines_are_answered_by_n_lines_in_order() {
    let test = TestServer::ready(batch());
    test.script.open_gate();
    for (count, end) in [(1, ""), (2, "\n"), (5_000, "\n"), (20_000, "")] {
        let lines: Vec<String> = (0..count).map(|number| format!("[{number}]")).collect();
        let answer = post(&test, &[JSON_LINES], lines.join("\n") + end);
        let expected: Vec<String> = (0..count).map(|number| scores(number as f32)).collect();
        let found = answer.text();
        assert_eq!((answer.status, answer.headers["content-type"].as_str()), (200, "application/jsonlines"));
        let found: Vec<&str> = found.split('\n').collect();
        assert_eq!(found.len(), count, "{count}");
        let wrong = found.iter().zip(&expected).find(|(found, expected)| found != expected);
        assert_eq!(wrong, None);
    }
}

/// "A job's blank line is a bad record, and so is a CSV header, since it reaches only one of the job's requests."
#[test]
fn a_blank_line_and_a_header_of_a_job_are_bad_records() {
    let test = TestServer::ready(batch());
    let text = post(&test, &[JSON_LINES], "[1]\n\n[2]\n \n").text();
    let lines: Vec<&str> = text.split('\n').collect();
    assert_eq!((lines[0], lines[2]), (scores(1.0).as_str(), scores(2.0).as_str()));
    assert_eq!((error_code(lines[1]), error_code(lines[3])), ("malformed_json".into(), "malformed_json".into()));
    let text = post(&test, &[CSV, ACCEPT_LINES], "first,second\n1,2\n3,4\n").text();
    let lines: Vec<&str> = text.split('\n').collect();
    assert_eq!(error_code(lines[0]), "malformed_csv");
    assert_eq!(lines[1..], [scores(1.0), scores(3.0)]);
}

/// "Where each answer has a line of its own, a bad record's line is `{"error":{"code","message"}}`, and the others are
/// answered."
#[test]
fn a_bad_record_is_an_error_line_among_answers() {
    for config in [config(), batch()] {
        let test = TestServer::ready(config);
        let text = post(&test, &[JSON_LINES], "[1]\n[-5]\nnonsense\n[2]").text();
        let lines: Vec<&str> = text.split('\n').collect();
        assert_eq!((lines[0], lines[3]), (scores(1.0).as_str(), scores(2.0).as_str()));
        assert_eq!((error_code(lines[1]), error_code(lines[2])), ("invalid_input".into(), "malformed_json".into()));
        assert!(lines.iter().all(|line| line.chars().count() <= 2_048));
    }
}

/// "A request none of whose records has an answer fails with the status of its first, but not in a job."
#[test]
fn a_request_of_bad_records_alone_fails_but_in_a_job() {
    let body = "[-1]\nnonsense\n";
    assert_eq!(post(&TestServer::ready(config()), &[JSON_LINES], body).code(), (422, "invalid_input".into()));
    let job = post(&TestServer::ready(batch()), &[JSON_LINES], body);
    assert_eq!((job.status, job.text().split('\n').count()), (200, 2));
}

/// "With `bad_records = "fail"` in the bundle a bad record fails its request."
#[test]
fn a_bundle_may_have_bad_records_fail() {
    let answers = Answers { bad_records: BadRecords::Fail, ..Answers::default() };
    for config in [config(), batch()] {
        let test = TestServer::ready_with(config, answers);
        assert_eq!(post(&test, &[JSON_LINES], "[1]\n[-5]\n[2]").code(), (422, "invalid_input".into()));
        assert_eq!(post(&test, &[JSON_LINES], "[1]\n[2]").status, 200);
    }
}

/// "CSV of a job is answered as CSV where Accept asks for nothing else; a bad row is one quoted cell with its error."
#[test]
fn csv_of_a_job_is_answered_as_csv() {
    let test = TestServer::ready(batch());
    for accept in [None, Some(("accept", "*/*"))] {
        let headers: Vec<_> = [CSV].into_iter().chain(accept).collect();
        let answer = post(&test, &headers, "1,2\n-3,4\n5,6\n");
        assert_eq!(answer.headers["content-type"], "text/csv");
        let text = answer.text();
        let lines: Vec<&str> = text.split('\n').collect();
        assert_eq!((lines[0], lines[2]), ("1.0", "5.0"));
        let cell = lines[1].strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap();
        assert_eq!(error_code(&cell.replace("\"\"", "\"")), "invalid_input");
    }
    let json = post(&test, &[CSV, ("accept", "application/json")], "1,2\n3,4\n");
    assert_eq!(json.json()["predictions"].as_array().map(Vec::len), Some(2));
    let live = post(&TestServer::ready(config()), &[CSV], "1,2\n3,4\n");
    assert_eq!(live.json()["predictions"].as_array().map(Vec::len), Some(2));
}

/// "The items of one request are spread over all inference threads."
#[test]
fn one_requests_items_are_spread_over_all_threads() {
    let test = TestServer::ready(Config { threads: 3, ..config() });
    let body = ["slow"; 12].join("|");
    assert_eq!(post(&test, &[], body).json()["predictions"].as_array().map(Vec::len), Some(12));
    assert_eq!(test.script.answered_on.lock().unwrap().len(), 3);
    // What is refused at once does not tell how long an answer takes.
    post(&test, &[], "bad");
    test.script.answered_on.lock().unwrap().clear();
    post(&test, &[], ["slow"; 12].join("|"));
    assert_eq!(test.script.answered_on.lock().unwrap().len(), 3);
}

/// "Where `SAGEMAKER_MAX_PAYLOAD_IN_MB` is 0, a body of records is as long as it is, and memory holds what is under way and
/// as many bytes of answers as a body may have."
#[test]
fn a_body_of_records_without_a_bound_is_answered_while_it_arrives() {
    let test = TestServer::ready(Config { max_body: 64 << 10, max_records_body: None, ..batch() });
    let stream = connect(test.address);
    let mut writer = stream.try_clone().unwrap();
    let records = 400_000_usize;
    let sending = std::thread::spawn(move || {
        let head = b"POST /invocations HTTP/1.1\r\nhost: t\r\ncontent-type: application/jsonlines\r\ntransfer-encoding: chunked\r\n\r\n";
        writer.write_all(head).unwrap();
        for _ in 0..400 {
            let part = b"[1]\n".repeat(1_000);
            writer.write_all(&[format!("{:x}\r\n", part.len()).as_bytes(), &part, b"\r\n"].concat()).unwrap();
        }
        writer.write_all(b"0\r\n\r\n").unwrap();
    });
    let mut reader = std::io::BufReader::new(stream);
    let answer = receive_all(&mut reader);
    sending.join().unwrap();
    let (body, whole) = unchunked(&answer);
    assert!(whole);
    assert_eq!(String::from_utf8(body).unwrap().split('\n').count(), records);
    let test = TestServer::ready(Config { max_body: 64 << 10, max_records_body: Some(64 << 10), ..batch() });
    assert_eq!(post(&test, &[JSON_LINES], b"[1]\n".repeat(20_000)).code(), (413, "body_too_large".into()));
    assert_eq!(post(&test, &[JSON_LINES], vec![b' '; 64 << 10]).status, 200);
}

/// The bytes behind the head until the last chunk.
fn receive_all(reader: &mut impl Read) -> Vec<u8> {
    let (mut received, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
    while !received.ends_with(b"\r\n0\r\n\r\n") {
        let read = reader.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "it ended early");
        received.extend_from_slice(&buffer[..read]);
    }
    let head = received.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    received.split_off(head + 4)
}

/// "A record longer than a body may be fails its request."
#[test]
fn a_record_without_an_end_is_refused() {
    let test = TestServer::ready(Config { max_body: 1_000, max_records_body: None, ..batch() });
    let endless = post(&test, &[JSON_LINES], vec![b'1'; 10_000]);
    assert_eq!(endless.code(), (400, "malformed_json".into()));
}

/// "Outside a job a request has at most `[limits] items` records; more are 413 `too_many_items`."
#[test]
fn more_records_than_the_bundle_allows_are_413() {
    let test = TestServer::ready(config());
    assert_eq!(post(&test, &[JSON_LINES], "[1]\n".repeat(10_000)).status, 200);
    let taken = test.script.taken.load(Ordering::SeqCst);
    assert_eq!(post(&test, &[JSON_LINES], "[1]\n".repeat(10_001)).code(), (413, "too_many_items".into()));
    assert_eq!(test.script.taken.load(Ordering::SeqCst), taken, "they cost CPU before they were refused");
}

/// "With `Accept: application/jsonlines` each item's line is sent as soon as it and those before it are answered, in
/// chunks, each line with its end."
#[test]
fn lines_are_sent_as_they_come() {
    let test = TestServer::ready(Config { threads: 1, ..config() });
    let mut stream = begin_stream(&test, b"[7]\n[1000]\n[8]\n");
    let mut received = Vec::new();
    read_until(&mut stream, &mut received, b"[7.0]}\n\r\n");
    assert!(!String::from_utf8_lossy(&received).contains("1000.0"));
    assert!(String::from_utf8_lossy(&received).to_lowercase().contains("content-type: application/jsonlines"));
    test.script.open_gate();
    read_until(&mut stream, &mut received, b"\r\n0\r\n\r\n");
    let head = received.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let (body, whole) = unchunked(&received[head + 4..]);
    let expected = [7.0, 1000.0, 8.0].map(|number| scores(number) + "\n").concat();
    assert_eq!((String::from_utf8(body).unwrap(), whole), (expected, true));
    let images = post(&test, &[ACCEPT_LINES], "a|b|c");
    assert_eq!(images.text(), ["a", "b", "c"].map(|text| echo(text) + "\n").concat());
}

fn begin_stream(test: &TestServer, body: &[u8]) -> TcpStream {
    let mut stream = connect(test.address);
    let head =
        "POST /invocations HTTP/1.1\r\nhost: t\r\ncontent-type: application/jsonlines\r\naccept: application/jsonlines";
    write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n", body.len()).unwrap();
    stream.write_all(body).unwrap();
    stream
}

fn read_until(stream: &mut TcpStream, received: &mut Vec<u8>, end: &[u8]) {
    let mut buffer = [0; 4_096];
    while !received.ends_with(end) {
        let read = stream.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(received));
        received.extend_from_slice(&buffer[..read]);
    }
}

/// "A client that goes away stops the work that has not begun."
#[test]
fn a_client_that_leaves_a_stream_stops_what_has_not_begun() {
    let test = TestServer::ready(Config { threads: 1, ..config() });
    let body = [b"[7]\n[1000]\n".to_vec(), b"[1]\n".repeat(5_000)].concat();
    let stream = begin_stream(&test, &body);
    // An answer that is there and never read makes the kernel reset the connection when it is closed.
    stream.peek(&mut [0]).unwrap();
    test.script.await_taken(2);
    drop(stream);
    eventually(|| test.get("/metrics").text().contains(r#"status="499",code="client_left"} 1"#));
    test.script.open_gate();
    eventually(|| test.get("/metrics").text().contains("strongroom_requests_in_flight 0"));
    // The first, and the one that waited for the gate.
    assert_eq!(test.script.taken.load(Ordering::SeqCst), 2);
}

/// "A stream that cannot go on ends with an error line and without the last chunk."
#[test]
fn a_broken_stream_ends_with_an_error_and_no_last_chunk() {
    let test = TestServer::ready(Config { threads: 1, deadline: Duration::from_millis(800), ..config() });
    let mut stream = begin_stream(&test, b"[7]\n[1000]\n[8]\n");
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    let text = String::from_utf8_lossy(&received);
    test.script.open_gate();
    assert!(text.contains(r#"{"error":{"code":"deadline_exceeded""#), "{text}");
    assert!(!text.ends_with("0\r\n\r\n"), "{text}");
}

/// "A client that does not take its answer in time gets no last chunk."
#[test]
fn a_client_that_does_not_read_is_not_told_that_it_has_all() {
    let test = TestServer::ready(Config { max_body: 64 << 10, max_records_body: None, ..batch() });
    let stream = connect(test.address);
    let mut writer = stream.try_clone().unwrap();
    let head = b"POST /invocations HTTP/1.1\r\nhost: t\r\ncontent-type: application/jsonlines\r\ntransfer-encoding: chunked\r\n\r\n";
    writer.write_all(head).unwrap();
    // 100 bytes of answer for 3 of request, until the sockets' buffers are full.
    let sending = std::thread::spawn(move || {
        let part = b"x\n".repeat(50_000);
        let chunk = [format!("{:x}\r\n", part.len()).as_bytes(), &part, b"\r\n"].concat();
        (0..20).all(|_| writer.write_all(&chunk).is_ok()) && writer.write_all(b"0\r\n\r\n").is_ok()
    });
    eventually(|| test.get("/metrics").text().contains("strongroom_requests_in_flight 1"));
    eventually(|| test.get("/metrics").text().contains("strongroom_requests_in_flight 0"));
    let mut reader = stream;
    let mut received = Vec::new();
    let _ = reader.read_to_end(&mut received);
    assert!(received.len() > 100_000 && !received.ends_with(b"0\r\n\r\n"), "{} bytes", received.len());
    drop(reader);
    let _ = sending.join();
    eventually(|| test.get("/metrics").text().contains(r#"status="200",code="client_left"} 1"#));
}

/// "A stream begins when the request is read, since clients send before they receive."
#[test]
fn a_stream_begins_when_the_request_is_read() {
    let test = TestServer::ready(Config { max_body: 8 << 20, max_records_body: Some(8 << 20), ..config() });
    let limits = b"[1]\n".repeat(10_000);
    let mut stream = connect(test.address);
    let padding = vec![b' '; 2 << 20];
    let length = limits.len() + padding.len() + 4;
    write!(
        stream,
        "POST /invocations HTTP/1.1\r\nhost: t\r\ncontent-type: application/jsonlines\r\naccept: application/jsonlines\r\ncontent-length: {length}\r\n\r\n"
    )
    .unwrap();
    stream.write_all(&limits).unwrap();
    stream.write_all(&padding).unwrap();
    eventually(|| test.script.taken.load(Ordering::SeqCst) > 0);
    stream.set_nonblocking(true).unwrap();
    let early = stream.peek(&mut [0]).map_err(|error| error.kind());
    assert_eq!(early, Err(std::io::ErrorKind::WouldBlock));
    stream.set_nonblocking(false).unwrap();
    stream.write_all(b"\n  \n").unwrap();
    let answer = receive(&mut stream);
    assert_eq!((answer.status, answer.text().lines().count()), (200, 10_000));
}

/// "The whole `/metrics` page of one model stays below 200 series."
#[test]
fn the_page_of_metrics_stays_small_whatever_is_asked() {
    let test = TestServer::ready(config());
    let texts: Vec<String> = (0..300).map(|number| format!("class {number}")).collect();
    post(&test, &[], texts.join("|"));
    for status in ["bad", "fail", "panic", "engine", "ok"] {
        for path in ["/invocations", "/analyze", "/nowhere", "/ping", "/model", "/test", "/execution-parameters"] {
            for method in ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"] {
                send(test.address, method, path, &[], status.as_bytes());
            }
        }
    }
    let page = test.get("/metrics").text();
    let series = page.lines().filter(|line| !line.starts_with('#')).count();
    assert!((50..200).contains(&series), "{series} series:\n{page}");
    assert_eq!(page.matches("strongroom_classes_total{").count(), 21, "{page}");
}

/// "`/metrics` tells requests by route, status and code, the time of each stage, what is in flight and waits, memory,
/// threads, images and classes, and which model is served."
#[test]
fn metrics_tell_what_the_server_does() {
    let test = TestServer::ready(config());
    post(&test, &[JSON_LINES], "[1]\n[-1]\n");
    post(&test, &[], "cat");
    let page = test.get("/metrics").text();
    let stages = ["queue", "decode", "run", "encode"]
        .map(|stage| format!(r#"strongroom_request_stage_seconds_count{{stage="{stage}"}} 2"#));
    for line in [
        r#"strongroom_requests_total{route="/invocations",status="200",code="ok"} 2"#,
        r#"strongroom_items_total{outcome="answered"} 2"#,
        r#"strongroom_items_total{outcome="failed"} 1"#,
        r#"strongroom_classes_total{class="cat"} 1"#,
        "strongroom_requests_in_flight 0",
        "strongroom_queue_depth 0",
        "strongroom_inference_threads 2",
        "strongroom_ready 1",
        r#"strongroom_model{name="scripted",version="1.0.0",digest="ddd"#,
        "strongroom_image_megapixels_count 0",
    ]
    .into_iter()
    .chain(stages.iter().map(String::as_str))
    {
        assert!(page.contains(line), "{line} is not in:\n{page}");
    }
    for name in ["strongroom_resident_memory_bytes ", "strongroom_memory_limit_bytes "] {
        let value = page.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        assert!(value.parse::<u64>().unwrap() > 1 << 20, "{name}{value}");
    }
}

/// "`/metrics` is answered while every inference thread is busy."
#[test]
fn metrics_do_not_wait_for_inference() {
    let test = TestServer::ready(config());
    let busy: Vec<_> = (0..4).map(|_| test.post_later("/invocations", b"wait")).collect();
    eventually(|| test.get("/metrics").text().contains("strongroom_requests_in_flight 4"));
    test.script.open_gate();
    busy.into_iter().for_each(|request| assert_eq!(request.join().unwrap().status, 200));
}

/// "`SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT` stands for an Accept header that is not there."
#[test]
fn the_default_accept_stands_for_one_that_is_not_there() {
    let test = TestServer::ready(Config { default_accept: Some("text/csv".into()), ..config() });
    assert_eq!(post(&test, &[CSV], "1,2\n").headers["content-type"], "text/csv");
    assert_eq!(
        post(&test, &[CSV, ("accept", "application/json")], "1,2\n").headers["content-type"],
        "application/json"
    );
}

/// "A job whose model no longer passes its self-test after a panic ends; an endpoint's `/ping` answers 503."
#[test]
fn a_server_tells_when_its_model_is_poisoned() {
    let test = TestServer::ready(batch());
    test.script.broken.store(true, Ordering::SeqCst);
    let control = test.server.control();
    assert_eq!(post(&test, &[], "panic").status, 500);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(20), control.until_poisoned()).await.expect("it is told");
    });
    assert_eq!(test.get("/ping").code(), (503, "not_ready".into()));
}
