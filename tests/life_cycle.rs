//! The platform's view of a server's life: pings from the first moment on, and SIGTERM in the middle of traffic.

#[path = "support/program.rs"]
mod program;
#[path = "support/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use program::{Place, Served, artifact};
use rustix::process::Signal;
use server::{Answer, PATIENCE, send};

const IRIS: &str = "iris-random-forest";
const FLOWER: &str = "5.1,3.5,1.4,0.2\n";
/// What the platform waits for an answer to a ping.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

// --- pings -----------------------------------------------------------------------------------------------------------

/// Holds a start up until told to go on: a key service that answers late.
struct SlowKey {
    endpoint: String,
    go_on: std::sync::mpsc::Sender<()>,
}

impl SlowKey {
    fn start(version: &str, key: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let body = format!(r#"{{"Name":"kek","VersionId":"{version}","SecretBinary":"{}"}}"#, STANDARD.encode(key));
        let (go_on, gone_on) = channel::<()>();
        std::thread::spawn(move || {
            let _ = gone_on.recv();
            for mut stream in listener.incoming().map_while(Result::ok) {
                let _ = stream.read(&mut [0; 65_536]);
                let head = format!("content-type: application/x-amz-json-1.1\r\ncontent-length: {}", body.len());
                let _ = write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\n{head}\r\n\r\n{body}");
            }
        });
        Self { endpoint, go_on }
    }
}

/// The name of the key that the registry's one model is sealed under.
fn keyslot_key(place: &Place) -> String {
    let only = |path: &Path| std::fs::read_dir(path).unwrap().next().unwrap().unwrap();
    let artifact = only(Path::new(&place.path("registry/keyslots"))).path();
    only(&artifact).file_name().into_string().unwrap()
}

/// Pings until told to stop: statuses in order, and the longest wait for one.
fn ping(address: SocketAddr, every: Duration, stop: &AtomicBool) -> (Vec<u16>, Duration) {
    let (mut statuses, mut longest) = (Vec::new(), Duration::ZERO);
    while !stop.load(Ordering::SeqCst) {
        let begun = Instant::now();
        statuses.push(send(address, "GET", "/ping", &[], b"").status);
        longest = longest.max(begun.elapsed());
        std::thread::sleep(every.saturating_sub(begun.elapsed()));
    }
    (statuses, longest)
}

/// "While a model loads and under load every ping is answered within 2 s: 503 until it is ready, and then 200 for good."
#[test]
fn pings_are_503_then_200_for_good_and_in_time_while_the_model_loads_and_under_load() {
    let place = Place::with(&artifact(IRIS));
    let version = keyslot_key(&place);
    let key = SlowKey::start(&version, &std::fs::read(place.path("key")).unwrap());
    let mut command = place.command();
    command.env("STRONGROOM_KEY", "secretsmanager:kek").env("AWS_ENDPOINT_URL", &key.endpoint);
    command.env("AWS_REGION", "us-east-1").env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("STRONGROOM_MODEL", IRIS).env("STRONGROOM_BIND", "127.0.0.1:0");
    let served = Served::start(&mut command);
    let (address, stop) = (served.address, &AtomicBool::new(false));
    let rows = &FLOWER.repeat(2_000);
    std::thread::scope(|scope| {
        let periods = [Duration::from_secs(1), Duration::ZERO];
        let pingers = periods.map(|every| scope.spawn(move || ping(address, every, stop)));
        // Some of the platform's periods in each state.
        std::thread::sleep(Duration::from_secs(3));
        key.go_on.send(()).unwrap();
        served.log("ready");
        let until = Instant::now() + Duration::from_secs(5);
        let load = |_| {
            scope.spawn(move || {
                let kind = [("content-type", "text/csv")];
                let mut taken = 0;
                while Instant::now() < until {
                    taken += usize::from(send(address, "POST", "/invocations", &kind, rows.as_bytes()).status == 200);
                }
                taken
            })
        };
        let loaders: Vec<_> = (0..8).map(load).collect();
        let taken: usize = loaders.into_iter().map(|loader| loader.join().unwrap()).sum();
        stop.store(true, Ordering::SeqCst);
        assert!(taken > 0, "no load was taken");
        for pinger in pingers {
            let (statuses, longest) = pinger.join().unwrap();
            let ready = statuses.iter().position(|status| *status == 200).expect("it became ready");
            let (before, after) = statuses.split_at(ready);
            assert!(!before.is_empty() && before.iter().all(|status| *status == 503), "{before:?}");
            assert!(after.len() > 3 && after.iter().all(|status| *status == 200), "{after:?}");
            assert!(longest < PING_TIMEOUT, "a ping took {longest:?}");
        }
    });
}

// --- SIGTERM ---------------------------------------------------------------------------------------------------------

/// How one request ended.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone)]
enum Fate {
    /// With this status and code.
    Answered(u16, String),
    /// The port was closed: nobody took the request.
    Refused,
    /// The server had said goodbye before the request came: a client sees that and asks elsewhere.
    ClosedBefore,
    /// The server took the request, or had to, and gave no answer.
    Lost(String),
}

/// A client's connection that is kept as long as the server likes it.
struct Client {
    address: SocketAddr,
    keep_alive: bool,
    kept: Option<TcpStream>,
}

impl Client {
    fn ask(&mut self, body: &str) -> Fate {
        let on = if self.kept.is_some() { "a kept connection" } else { "a new connection" };
        let mut stream = match self.kept.take().map_or_else(|| TcpStream::connect(self.address), Ok) {
            Ok(stream) => stream,
            // A reset here is a port that closes in the middle of a handshake.
            Err(error) if [ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset].contains(&error.kind()) => {
                return Fate::Refused;
            }
            Err(error) => return Fate::Lost(format!("connect: {error}")),
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let connection = if self.keep_alive { "keep-alive" } else { "close" };
        let head = "POST /invocations HTTP/1.1\r\nhost: test\r\ncontent-type: text/csv";
        let request = format!("{head}\r\nconnection: {connection}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let sent = stream.write_all(request.as_bytes());
        match receive(&mut stream) {
            Ok(Some(answer)) => {
                let close = answer.headers.get("connection").is_some_and(|value| value == "close");
                self.kept = (self.keep_alive && !close).then_some(stream);
                Fate::Answered(answer.status, answer.code_or_ok())
            }
            outcome => unanswered(on, &stream, sent, outcome.err()),
        }
    }
}

/// Why there is no answer. A request that comes when the server's FIN is there already is reset, and the client's kernel
/// says EPIPE to that; a reset without a FIN is ECONNRESET; and a FIN after the request leaves no error at all.
fn unanswered(on: &str, stream: &TcpStream, sent: std::io::Result<()>, received: Option<std::io::Error>) -> Fate {
    let pending = stream.take_error().unwrap();
    let mut errors = [sent.err(), received, pending].into_iter().flatten();
    match errors.next() {
        Some(error) if error.kind() == ErrorKind::BrokenPipe => Fate::ClosedBefore,
        Some(error) => Fate::Lost(format!("on {on}: {error}")),
        None => Fate::Lost(format!("on {on}: closed without an answer")),
    }
}

/// The answer, or nothing when the connection ended without one.
fn receive(stream: &mut TcpStream) -> std::io::Result<Option<Answer>> {
    let mut received = Vec::new();
    let mut buffer = [0; 65_536];
    loop {
        if let Some(answer) = server::parse(&received, false) {
            return Ok(Some(answer));
        }
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            read => received.extend_from_slice(&buffer[..read]),
        }
    }
}

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % limit
    }
}

/// Asks until the port is closed, with pauses from none to some milliseconds.
fn traffic(mut client: Client, mut random: Random) -> Vec<Fate> {
    let mut fates = Vec::new();
    loop {
        let rows = [1, 1, 100, 1_000][random.below(4) as usize];
        let fate = client.ask(&FLOWER.repeat(rows));
        if fate == Fate::Refused {
            return fates;
        }
        fates.push(fate);
        std::thread::sleep(Duration::from_micros([0, 100, 1_000, 10_000][random.below(4) as usize]));
    }
}

/// Serves, sends SIGTERM at a random moment of the traffic, and counts how the requests ended.
fn life(place: &Place, mut random: Random) -> BTreeMap<Fate, usize> {
    let mut served = place.serve(IRIS);
    served.log("ready");
    let address = served.address;
    let moment = Duration::from_millis(200) + Duration::from_micros(random.below(300_000));
    let mut fates = BTreeMap::new();
    std::thread::scope(|scope| {
        let clients: Vec<_> = [true, true, true, false, false]
            .into_iter()
            .map(|keep_alive| {
                let (client, random) = (Client { address, keep_alive, kept: None }, Random(random.below(u64::MAX) | 1));
                scope.spawn(move || traffic(client, random))
            })
            .collect();
        std::thread::sleep(moment);
        let told = Instant::now();
        served.signal(Signal::TERM);
        for client in clients {
            client.join().unwrap().into_iter().for_each(|fate| *fates.entry(fate).or_default() += 1);
        }
        assert_eq!(served.exit_code(), Some(0));
        assert!(told.elapsed() < Duration::from_secs(25), "it took {:?} to end", told.elapsed());
    });
    fates
}

/// "SIGTERM at any moment of the traffic loses no request that was accepted, and the process ends with code 0 within 25 s."
#[test]
fn sigterm_at_any_moment_loses_no_request_and_ends_with_0() {
    const LIVES: usize = 50;
    const AT_ONCE: usize = 10;
    let seed = std::env::var("STRONGROOM_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64);
    println!("seed: STRONGROOM_TEST_SEED={seed}");
    let place = &Place::with(&artifact(IRIS));
    let mut fates: BTreeMap<Fate, usize> = BTreeMap::new();
    for round in (0..LIVES as u64).step_by(AT_ONCE) {
        std::thread::scope(|scope| {
            let lives: Vec<_> = (round..round + AT_ONCE as u64)
                .map(|number| {
                    scope.spawn(move || life(place, Random((seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1)))
                })
                .collect();
            for life in lives {
                life.join().unwrap().into_iter().for_each(|(fate, count)| *fates.entry(fate).or_default() += count);
            }
        });
    }
    println!("{fates:#?}");
    let answered = |status, code: &str| fates.contains_key(&Fate::Answered(status, code.to_owned()));
    assert!(answered(200, "ok") && answered(503, "draining"), "the traffic showed nothing: {fates:?}");
    let lost: Vec<_> = fates.keys().filter(|fate| matches!(fate, Fate::Lost(_))).collect();
    assert!(lost.is_empty(), "lost: {lost:?} of {fates:?}");
}
