//! A server on a free port, a model that does what a body says, and a client that speaks raw HTTP/1.1.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use strongroom::bundle::{Answers, Limits};
use strongroom::http::{Card, Config, Engine, LoadFailure, Loader, Loading, Model, Sample, Server, Worker};
use strongroom::model::RunError;
use strongroom::predict::request::{self, Decoded, Envelope, Group, Item, RawRow, Reads, Terms};
use strongroom::predict::{
    self, Answered, Input, Intake, LabelScore, PredictError, Request, Row, SelfTestError, response,
};

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
    /// Groups that an inference thread took up.
    pub(crate) taken: AtomicUsize,
    /// Those that it gave up as nobody waited any more.
    pub(crate) given_up: AtomicUsize,
    /// How often a thread's state was made.
    pub(crate) made: AtomicUsize,
    /// How often one was dropped.
    pub(crate) dropped: AtomicUsize,
    /// The threads that answered.
    pub(crate) answered_on: Mutex<BTreeSet<String>>,
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

/// A model of images, each of which is a text: its answer has that text as its one label. But for `wait` (until the gate
/// opens), `work` (until it is given up), `panic`, `engine` (as a panic that the engine caught), `bad` and `fail`.
struct Scripted(Arc<Script>);

/// What the scripted model answers to a text.
pub(crate) fn echo(text: &str) -> String {
    serde_json::to_string(&said(text)).unwrap()
}

fn said(text: &str) -> predict::Answer {
    predict::Answer::Labels(vec![LabelScore { label: text.to_owned(), score: 1.0 }])
}

impl Engine for Scripted {
    fn intake(&self, media_type: Option<&str>, accept: Option<&str>, terms: Terms) -> Result<Intake, PredictError> {
        if media_type == Some("show/headers") {
            return Err(PredictError::NotAcceptable {
                found: format!("{media_type:?} {accept:?}"),
                expected: "nothing",
            });
        }
        let format = response::negotiate(accept, response::Answers::Labels)?;
        let records = match media_type {
            Some("application/jsonlines" | "text/csv") => request::records(media_type, Reads::Rows, terms)?,
            _ => None,
        };
        Ok(Intake { format, records })
    }

    fn read(&self, request: &Request) -> Result<Decoded, PredictError> {
        if request.body.is_empty() {
            return Err(PredictError::EmptyBody);
        }
        // Several texts with `|` between them.
        let texts = request.body.split(|byte| *byte == b'|');
        let items: Vec<_> = texts.map(|text| Ok(Item::Image(request.body.slice_ref(text)))).collect();
        let envelope = if items.len() == 1 { Envelope::Bare } else { Envelope::Predictions };
        Ok(Decoded { items, envelope })
    }

    fn worker(&self) -> Result<Box<dyn Worker>, RunError> {
        self.0.made.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(ScriptedWorker(Arc::clone(&self.0))))
    }
}

struct ScriptedWorker(Arc<Script>);

impl Drop for ScriptedWorker {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

impl ScriptedWorker {
    fn answer_one(&self, item: Item, abandoned: &dyn Fn() -> bool) -> Result<predict::Answer, PredictError> {
        let text = match item {
            Item::Image(text) => text,
            // Rows are numbers: those below 0 are bad, 1000 waits, others are answered with their first number.
            Item::Row(RawRow::Ordered(row)) => {
                let number = row[0];
                if number < 0.0 {
                    return Err(PredictError::InvalidInput {
                        what: "a row".into(),
                        expected: "a number of at least 0".into(),
                        found: "one below".into(),
                    });
                }
                if number == 1000.0 {
                    drop(self.0.opened.wait_while(self.0.open.lock().unwrap(), |open| !*open).unwrap());
                }
                return Ok(predict::Answer::Row(Row { label: None, scores: vec![number as f32] }));
            }
            other => panic!("the test sends {other:?}"),
        };
        match &text[..] {
            b"wait" => drop(self.0.opened.wait_while(self.0.open.lock().unwrap(), |open| !*open).unwrap()),
            b"work" => {
                eventually(abandoned);
                self.0.given_up.fetch_add(1, Ordering::SeqCst);
                return Err(PredictError::Abandoned);
            }
            b"slow" => std::thread::sleep(Duration::from_millis(50)),
            b"engine" => return Err(PredictError::Run(RunError::Panicked)),
            b"wait, then panic" => {
                drop(self.0.opened.wait_while(self.0.open.lock().unwrap(), |open| !*open).unwrap());
                panic!("as the test wants it");
            }
            b"panic" => panic!("as the test wants it"),
            b"bad" => return Err(PredictError::UnknownImage { item: 0 }),
            b"fail" => return Err(PredictError::Malformed { format: "JSON", reason: "x".repeat(10_000) }),
            _ => {}
        }
        Ok(said(&String::from_utf8_lossy(&text)))
    }
}

impl Worker for ScriptedWorker {
    fn answer(&mut self, group: Group, abandoned: &dyn Fn() -> bool) -> Answered {
        self.0.taken.fetch_add(1, Ordering::SeqCst);
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        self.0.answered_on.lock().unwrap().insert(thread);
        let items = group.read(Reads::Rows, &Limits::default()).into_iter();
        let answers = items.map(|item| self.answer_one(item?, abandoned)).collect();
        Answered { answers, ..Answered::default() }
    }

    fn self_test(&mut self) -> Result<(), SelfTestError> {
        self.0.tested_on.lock().unwrap().push(std::thread::current().name().unwrap_or_default().to_owned());
        if self.0.broken.load(Ordering::SeqCst) {
            return Err(SelfTestError::Failed { input: "sample".into(), source: PredictError::EmptyBody });
        }
        Ok(())
    }
}

/// The scripted model.
pub(crate) fn model(script: &Arc<Script>, answers: Answers) -> Model {
    let inputs = vec![Input::Image { width: 4, height: 3 }];
    let (name, version, digest) = ("scripted".into(), "1.0.0".into(), "d".repeat(64));
    let limits = Limits { items: Some(10_000), ..Limits::default() };
    let card = Card { name, version, digest, trust: "unsigned", task: "classify", inputs, limits };
    let body = bytes::Bytes::from_static(b"<cat>");
    let sample = Some(Sample { name: "self-test/cat.txt".into(), media_type: "image/x-text".into(), body });
    Model { card, engine: Arc::new(Scripted(Arc::clone(script))), answers, sample }
}

/// Loads scripted models by their url: one that has `missing`, `large` or `damaged` in it is refused, `slow` waits for the
/// gate.
pub(crate) struct ScriptedLoader(pub(crate) Arc<Script>);

impl Loader for ScriptedLoader {
    fn load(&self, url: String) -> Loading {
        let script = Arc::clone(&self.0);
        Box::pin(async move {
            match url {
                url if url.contains("missing") => Err(LoadFailure::NotFound { url }),
                url if url.contains("large") => Err(LoadFailure::OutOfMemory { needed: 2, free: 1 }),
                url if url.contains("damaged") => Err(LoadFailure::Failed { stage: "fetch", reason: "no".into() }),
                url if url.contains("outside") => Err(LoadFailure::Outside { url, directory: "/models".into() }),
                url if url.contains("panic") => panic!("as the test wants it"),
                url => {
                    if url.contains("slow") {
                        script.taken.fetch_add(1, Ordering::SeqCst);
                        let waits = Arc::clone(&script);
                        tokio::task::spawn_blocking(move || {
                            drop(waits.opened.wait_while(waits.open.lock().unwrap(), |open| !*open).unwrap());
                        })
                        .await
                        .unwrap();
                    }
                    Ok(model(&script, Answers::default()))
                }
            }
        })
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
        Self::ready_with(config, Answers::default())
    }

    /// Ready, with answers given as `answers` says.
    pub(crate) fn ready_with(config: Config, answers: Answers) -> Self {
        let this = Self::starting(config);
        this.server.control().ready(model(&this.script, answers));
        this
    }

    /// Gives the server its model.
    pub(crate) fn become_ready(&self) {
        self.server.control().ready(model(&self.script, Answers::default()));
    }

    /// A multi-model endpoint without a model.
    pub(crate) fn of_many(config: Config) -> Self {
        let this = Self::starting(Config { multi_model: true, ..config });
        this.server.control().ready_for_models(Arc::new(ScriptedLoader(Arc::clone(&this.script))));
        this
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
    /// Whether it came to its end.
    pub(crate) whole: bool,
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
    let body = &received[end + 4..];
    if headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked") {
        let (body, whole) = unchunked(body);
        return (ended || whole).then_some(Answer { status, headers, body, whole });
    }
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let whole = body.len() >= length;
    (ended || whole).then(|| Answer { status, headers, body: body.to_vec(), whole })
}

/// What the chunks so far hold, and whether the last one is there.
pub(crate) fn unchunked(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        let Some(chunk) = rest.get(line + 2..line + 2 + length + 2) else { break };
        body.extend_from_slice(&chunk[..length]);
        if length == 0 {
            return (body, true);
        }
        rest = &rest[line + 2 + length + 2..];
    }
    (body, false)
}

/// Polls until `true`.
pub(crate) fn eventually(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it did not happen within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
