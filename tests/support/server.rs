//! A server on a free port, a model that does what a body says, and a client that speaks raw HTTP/1.1.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use strongroom::http::{Card, Config, Model, Sample, Server, Worker};
use strongroom::model::{Pool, RunError};
use strongroom::predict::{Input, PredictError, Request, Response, SelfTestError};

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Defaults that fit tests: a free port, short waits.
pub(crate) fn config() -> Config {
    Config {
        bind: SocketAddr::from(([127, 0, 0, 1], 0)),
        max_body: 1 << 20,
        threads: 2,
        queue: 2,
        client_timeout: Duration::from_secs(1),
        drain_grace: Duration::ZERO,
        drain_timeout: Duration::from_secs(10),
        ..Config::default()
    }
}

/// What the scripted model shares with its test.
#[derive(Default)]
pub(crate) struct Script {
    /// Requests that an inference thread took up.
    pub(crate) taken: AtomicUsize,
    /// Requests that it gave up as nobody waited any more.
    pub(crate) given_up: AtomicUsize,
    /// How often a thread's state was made anew.
    pub(crate) renewed: AtomicUsize,
    /// The threads that ran the self-test.
    pub(crate) tested_on: Mutex<Vec<String>>,
    /// Whether the self-test fails.
    pub(crate) broken: std::sync::atomic::AtomicBool,
    open: Mutex<bool>,
    opened: Condvar,
}

impl Script {
    /// Lets every `wait` go on.
    pub(crate) fn open_gate(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    /// Until `count` requests were taken up.
    pub(crate) fn await_taken(&self, count: usize) {
        eventually(|| self.taken.load(Ordering::SeqCst) >= count);
    }
}

/// Answers with the body, but for `wait` (until the gate opens), `work` (until it is given up), `panic`, `engine` (as a
/// panic that the engine caught), and `fail`.
struct Scripted(Arc<Script>);

impl Worker for Scripted {
    fn predict(&mut self, request: &Request, abandoned: &dyn Fn() -> bool) -> Result<Response, PredictError> {
        self.0.taken.fetch_add(1, Ordering::SeqCst);
        match &request.body[..] {
            b"" => return Err(PredictError::EmptyBody),
            b"wait" => drop(self.0.opened.wait_while(self.0.open.lock().unwrap(), |open| !*open).unwrap()),
            b"work" => {
                eventually(abandoned);
                self.0.given_up.fetch_add(1, Ordering::SeqCst);
                return Err(PredictError::Abandoned);
            }
            b"engine" => return Err(PredictError::Run(RunError::Panicked)),
            b"wait, then panic" => {
                drop(self.0.opened.wait_while(self.0.open.lock().unwrap(), |open| !*open).unwrap());
                panic!("as the test wants it");
            }
            b"panic" => panic!("as the test wants it"),
            b"fail" => return Err(PredictError::Malformed { format: "JSON", reason: "x".repeat(10_000) }),
            b"headers" => {
                let said = format!("{:?} {:?}", request.media_type, request.accept);
                return Ok(Response { media_type: "text/csv", body: said.into() });
            }
            _ => {}
        }
        Ok(Response { media_type: "application/json", body: request.body.to_vec() })
    }

    fn renew(&mut self) -> Result<(), RunError> {
        self.0.renewed.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    fn self_test(&mut self) -> Result<(), SelfTestError> {
        self.0.tested_on.lock().unwrap().push(std::thread::current().name().unwrap_or_default().to_owned());
        if self.0.broken.load(Ordering::SeqCst) {
            return Err(SelfTestError::Failed { input: "sample".into(), source: PredictError::EmptyBody });
        }
        Ok(())
    }
}

/// A server with a scripted model.
pub(crate) struct TestServer {
    pub(crate) server: Server,
    pub(crate) script: Arc<Script>,
    pub(crate) address: SocketAddr,
}

impl TestServer {
    /// Bound, but not ready.
    pub(crate) fn starting(config: Config) -> Self {
        let server = Server::start(config).expect("a free port");
        Self { address: server.address(), server, script: Arc::default() }
    }

    /// Ready.
    pub(crate) fn ready(config: Config) -> Self {
        let this = Self::starting(config.clone());
        this.become_ready(&config);
        this
    }

    /// Gives the server its model.
    pub(crate) fn become_ready(&self, config: &Config) {
        let script = Arc::clone(&self.script);
        let make = move || Ok::<_, std::io::Error>(Box::new(Scripted(Arc::clone(&script))) as Box<dyn Worker>);
        let pool = Pool::start(config.threads, config.pool_queue(), make).expect("threads");
        let inputs = vec![Input::Image { width: 4, height: 3 }];
        let (name, version, digest) = ("scripted".into(), "1.0.0".into(), "d".repeat(64));
        let limits = strongroom::bundle::Limits::default();
        let card = Card { name, version, digest, trust: "unsigned", task: "classify", inputs, limits };
        let body = bytes::Bytes::from_static(br#"{"label":"<cat>"}"#);
        let sample = Some(Sample { name: "self-test/cat.json".into(), media_type: "application/json".into(), body });
        self.server.control().ready(Model { card, pool, sample });
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        send(self.address, "GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Answer {
        send(self.address, "POST", path, &[], body)
    }

    /// A request whose answer comes later.
    pub(crate) fn post_later(&self, path: &'static str, body: &'static [u8]) -> std::thread::JoinHandle<Answer> {
        let address = self.address;
        std::thread::spawn(move || send(address, "POST", path, &[], body))
    }
}

/// A status, headers by lower-case name, a body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The stable code of an error, `ok` for an answer.
    pub(crate) fn code_or_ok(&self) -> String {
        if self.status == 200 { "ok".to_owned() } else { self.code().1 }
    }

    /// Status and stable code of an error.
    pub(crate) fn code(&self) -> (u16, String) {
        (self.status, self.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// One request on a connection of its own.
pub(crate) fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || method == "POST" {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    let mut stream = connect(address);
    stream.write_all(&[head.as_bytes(), b"\r\n", body].concat()).unwrap();
    receive(&mut stream)
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads head and body; the body until Content-Length or, without one, until the end. Empty for HEAD.
pub(crate) fn receive(stream: &mut TcpStream) -> Answer {
    let mut received = Vec::new();
    let mut buffer = [0; 65_536];
    loop {
        if let Some(answer) = parse(&received, false) {
            return answer;
        }
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => received.extend_from_slice(&buffer[..read]),
            Err(error) => panic!("no answer: {error}; so far {:?}", String::from_utf8_lossy(&received)),
        }
    }
    parse(&received, true).unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(&received)))
}

pub(crate) fn parse(received: &[u8], ended: bool) -> Option<Answer> {
    let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&received[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let headers: BTreeMap<_, _> = lines.filter_map(header).collect();
    let body = received[end + 4..].to_vec();
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    (ended || body.len() >= length).then_some(Answer { status, headers, body })
}

/// Polls until `true`.
pub(crate) fn eventually(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it did not happen within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
