//! Kill -9 at any moment of `publish` leaves a registry that still serves the old version and accepts the publish again.
//!
//! The publisher is this test program, started again with [`CHILD`] set; it is killed after a certain time, or when a
//! certain number of objects and half-written files is there.

#[path = "support/registry.rs"]
mod support;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use strongroom::bundle::Files;
use strongroom::store::Location;
use support::{Place, files, model, publish_live};

/// The directory of the registry, and the number of the version to publish.
const CHILD: &str = "STRONGROOM_TEST_PUBLISHER";
/// No child runs longer; a wait that long has failed.
const DEADLINE: Duration = Duration::from_secs(60);
/// Kills by time, spread over the whole of a publish.
const BY_TIME: u32 = 45;
/// Kills by the number of directory entries a publish made: it makes about as many.
const BY_ENTRIES: usize = 16;

/// What the killed process does: publish a version, promote it.
#[test]
fn publisher() {
    let Ok(order) = std::env::var(CHILD) else { return };
    let (scratch, number) = order.split_once('|').expect("DIRECTORY|NUMBER");
    let number: u64 = number.parse().expect("a number");
    runtime().block_on(async {
        let key = strongroom::keys::KeySource::File(Path::new(scratch).join("kek"));
        let location = Location::Dir(Path::new(scratch).join("registry"));
        let aws = aws_config::SdkConfig::builder().build();
        let registry = strongroom::registry::Registry::open(&location, &key, &aws).await.expect("a registry");
        publish_live(&registry, &version(number), &content(number)).await;
    });
}

#[test]
fn kill_9_at_any_moment_leaves_a_registry_that_serves_and_accepts_the_publish_again() {
    let mut victim = Victim::new();
    let mut whole = Duration::ZERO;
    let survivor = victim.round(|child, began| {
        assert!(child.wait().expect("the child ends").success());
        whole = began.elapsed();
    });
    assert_eq!(survivor, Served::New, "unkilled, it publishes and promotes");

    let mut served = Vec::new();
    for step in 0..BY_TIME {
        let moment = whole * step / BY_TIME;
        served.push(victim.round(|child, began| kill_at(child, began + moment)));
    }
    let root = victim.place.root().to_owned();
    for entries in 1..=BY_ENTRIES {
        let there = count(&root) + entries;
        served.push(victim.round(|child, _| kill_when(child, || count(&root) >= there)));
    }
    let old = served.iter().filter(|served| **served == Served::Old).count();
    println!("{} kills: {old} before the alias moved, {} after", served.len(), served.len() - old);
    assert!(served.len() >= 50, "only {} kills", served.len());
    assert!(old >= 20, "only {old} of {} kills came before the alias moved", served.len());
}

/// Which version the alias served after the kill.
#[derive(Debug, PartialEq, Eq)]
enum Served {
    Old,
    New,
}

/// A registry whose publisher is killed again and again; between the rounds the last version is live.
struct Victim {
    place: Place,
    live: u64,
}

impl Victim {
    fn new() -> Self {
        let place = Place::directory();
        std::fs::create_dir(place.scratch.path().join("tmp")).expect("a temporary directory");
        runtime().block_on(async { publish_live(&place.open().await, &version(0), &content(0)).await });
        Self { place, live: 0 }
    }

    /// Starts a publisher of the next version, kills it by `kill`, and checks everything that is promised.
    fn round(&mut self, kill: impl FnOnce(&mut Child, Instant)) -> Served {
        let next = self.live + 1;
        let mut child = self.publisher(next);
        kill(&mut child, Instant::now());
        child.wait().expect("the child is gone");
        let served = runtime().block_on(async {
            let served = self.served(next).await;
            publish_live(&self.place.open().await, &version(next), &content(next)).await;
            assert_eq!(self.served(next).await, Served::New, "published again, it is served");
            served
        });
        self.assert_temporary_files_are_sealed();
        self.live = next;
        served
    }

    fn publisher(&self, number: u64) -> Child {
        let scratch = self.place.scratch.path();
        Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "publisher"])
            .env(CHILD, format!("{}|{number}", scratch.display()))
            .env("TMPDIR", scratch.join("tmp"))
            .stdout(Stdio::null())
            .spawn()
            .expect("to start this program")
    }

    /// What is served is one version or the other, byte for byte.
    async fn served(&self, next: u64) -> Served {
        let fetched = self.place.open().await.fetch(&model("model")).await.expect("a version is served");
        let number = if fetched.version == version(next) { next } else { self.live };
        assert_eq!(fetched.version, version(number));
        assert!(fetched.files == content(number), "version {} is not what was published", fetched.version);
        if number == next { Served::New } else { Served::Old }
    }

    /// A killed publisher cannot tidy up: what it leaves is sealed (version 2, suite 0478), never readable.
    fn assert_temporary_files_are_sealed(&self) {
        let places = [self.place.scratch.path().join("tmp"), self.place.root().join(".tmp")];
        for entry in places.iter().flat_map(|place| std::fs::read_dir(place).expect("to list").flatten()) {
            let left = std::fs::read(entry.path()).expect("to read");
            // Log entries and keyslots are made there too.
            let sealed = left.is_empty() || left.starts_with(&[2, 4, 0x78]);
            assert!(sealed || left.starts_with(b"{"), "{}", entry.path().display());
        }
    }
}

fn kill_at(child: &mut Child, moment: Instant) {
    kill_when(child, || Instant::now() >= moment);
}

/// Watches without pause until `now` says so, or the child is done.
fn kill_when(child: &mut Child, now: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !now() && child.try_wait().expect("to look").is_none() {
        assert!(Instant::now() < deadline, "the publisher hangs");
        std::thread::yield_now();
    }
    // An error says that it is done already.
    let _ = child.kill();
}

/// All entries below `path`, half-written ones too.
fn count(path: &Path) -> usize {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|entry| 1 + entry.file_type().map_or(0, |kind| if kind.is_dir() { count(&entry.path()) } else { 0 }))
        .sum()
}

fn version(number: u64) -> String {
    format!("1.0.{number}")
}

/// Some files of one frame and some of several, so that a publish takes a while.
fn content(number: u64) -> Files {
    files(number * 100, &[10, 100_000, 400_000, (1 << 20) + 1, 100, 700_000])
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}
