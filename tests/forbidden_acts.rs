//! The sandbox of `strongroom serve` against a list of acts, each tried by a process of its own.
//!
//! Each act is tried three ways: unconfined, where it must not be refused, or the test would prove nothing; under the
//! whole sandbox, where it must be; and under each layer alone, which gives the table of docs/SANDBOX.md. Run by hand,
//! `forbidden_acts --probe` prints the table of the machine it runs on.

#[path = "forbidden_acts/acts.rs"]
mod acts;

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use acts::{ACTS, Act, Stage};
use libtest_mimic::{Arguments, Failed, Trial};
use strongroom::sandbox::{Layer, Mode, Policy, State, confine, put_on};

/// Exit codes of an attempt.
const DONE: u8 = 0;
const REFUSED: u8 = 10;
const OTHER_ERROR: u8 = 11;
const NO_LAYER: u8 = 12;

const TABLE: &str = "docs/SANDBOX.md";
const TABLE_BEGINS: &str = "| act | refused by |\n|---|---|\n";

/// How an act is confined.
#[derive(Clone, Copy, PartialEq)]
enum Confined {
    No,
    Whole,
    By(Layer),
}

impl Confined {
    fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Whole => "whole",
            Self::By(layer) => layer.name(),
        }
    }

    fn named(name: &str) -> Option<Self> {
        let all = [Self::No, Self::Whole].into_iter().chain(Layer::ALL.map(Self::By));
        all.into_iter().find(|confined| confined.name() == name)
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, "--attempt", act, confined, place, stranger, other] => attempt(act, confined, place, stranger, other),
        [_, "--probe"] => probe(),
        _ => libtest_mimic::run(&Arguments::from_args(), trials()).exit_code(),
    }
}

/// In a process of its own: confines it and tries one act.
fn attempt(act: &str, confined: &str, place: &str, stranger: &str, other: &str) -> ExitCode {
    let act = ACTS.iter().find(|known| known.name == act).expect("a known act");
    let stage = Stage {
        place: place.into(),
        stranger: stranger.parse().expect("an address"),
        other: other.parse().expect("a process id"),
    };
    let in_force = match Confined::named(confined).expect("a known layer") {
        Confined::No => true,
        Confined::Whole => confine(&policy(place)).is_ok(),
        Confined::By(layer) => matches!(put_on(layer, &policy(place)), State::InForce(_)),
    };
    let outcome = match in_force {
        true => outcome((act.attempt)(&stage)),
        false => NO_LAYER,
    };
    // The probe may no longer do what a process usually does at its end.
    ExitCode::from(outcome)
}

fn outcome(attempted: io::Result<()>) -> u8 {
    match attempted {
        Ok(()) => DONE,
        Err(error) => match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => REFUSED,
            _ => OTHER_ERROR,
        },
    }
}

/// As a server's that serves a directory and calls AWS.
fn policy(place: &str) -> Policy {
    Policy {
        mode: Mode::Auto,
        serves: vec![Path::new(place).join("served")],
        reads: Vec::new(),
        listens: 8080,
        connects: vec![443],
    }
}

/// Tries `act` in a new process.
fn play(act: &Act, confined: Confined) -> u8 {
    let place = tempfile::tempdir().expect("a directory");
    let (file, served) = (place.path().join("there"), place.path().join("served"));
    fs::set_permissions(place.path(), Permissions::from_mode(0o777)).expect("a mode");
    fs::create_dir(&served).expect("a directory");
    for file in [file, served.join("model")] {
        fs::write(&file, "something").expect("a file");
        fs::set_permissions(&file, Permissions::from_mode(0o666)).expect("a mode");
    }
    let stranger = TcpListener::bind("127.0.0.1:0").expect("a port");
    let status = Command::new(std::env::current_exe().expect("the probe"))
        .args(["--attempt", act.name, confined.name()])
        .arg(place.path())
        .arg(stranger.local_addr().expect("an address").to_string())
        .arg(std::process::id().to_string())
        .status()
        .expect("a probe that starts");
    u8::try_from(status.code().unwrap_or(255)).unwrap_or(255)
}

/// Those of the layers that refuse `act` alone.
fn refusing(act: &Act) -> Vec<&'static str> {
    Layer::ALL.into_iter().filter(|layer| play(act, Confined::By(*layer)) == REFUSED).map(Layer::name).collect()
}

fn trials() -> Vec<Trial> {
    let whole = has_every_layer();
    let mut trials: Vec<Trial> = ACTS
        .iter()
        .flat_map(|act| {
            let blocked = Trial::test(format!("a_server_cannot::{}", act.name), move || is_refused(act));
            let control = Trial::test(format!("unconfined_root_is_not_refused_to::{}", act.name), move || is_let(act));
            // A container may have refused it already; without every layer the kernel cannot refuse all.
            [blocked.with_ignored_flag(!whole), control.with_ignored_flag(!is_mighty())]
        })
        .collect();
    let table = Trial::test("the_documented_table_is_what_each_layer_refuses", the_table_is_true);
    trials.push(table.with_ignored_flag(!(whole && is_mighty())));
    trials
}

fn is_refused(act: &Act) -> Result<(), Failed> {
    match play(act, Confined::Whole) {
        REFUSED => Ok(()),
        other => Err(format!("confined, the attempt to {} ended with {other}, expected {REFUSED}", act.name).into()),
    }
}

fn is_let(act: &Act) -> Result<(), Failed> {
    match play(act, Confined::No) {
        DONE | OTHER_ERROR => Ok(()),
        other => Err(format!("unconfined, the attempt to {} ended with {other}: it proves nothing", act.name).into()),
    }
}

fn the_table_is_true() -> Result<(), Failed> {
    let table: String = ACTS.iter().map(|act| format!("| {} | {} |\n", act.name, refusing(act).join(", "))).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(TABLE);
    let page = fs::read_to_string(&path)?;
    let (before, rest) = page.split_once(TABLE_BEGINS).ok_or("the page has no table")?;
    let (found, after) = rest.split_once("\n\n").unwrap_or((rest, ""));
    if std::env::var_os("UPDATE_SANDBOX").is_some() {
        fs::write(&path, format!("{before}{TABLE_BEGINS}{table}\n{after}"))?;
        return Ok(());
    }
    match found.trim_end() == table.trim_end() {
        true => Ok(()),
        false => Err(format!("{TABLE} is not up to date (UPDATE_SANDBOX=1 writes it); found here:\n{table}").into()),
    }
}

/// Whether this machine gives every layer, as root.
fn has_every_layer() -> bool {
    Layer::ALL.into_iter().all(|layer| {
        let act = &ACTS[0];
        play(act, Confined::By(layer)) != NO_LAYER
    })
}

/// Root with every capability: whatever refuses an act then is our sandbox.
fn is_mighty() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or_default();
    effective.count_ones() >= 40
}

/// For people: what this machine refuses, and what it cannot.
fn probe() -> ExitCode {
    let mut out = io::stdout().lock();
    let mut let_through = 0;
    for act in ACTS {
        let word = match play(act, Confined::Whole) {
            REFUSED => "refused",
            // A container's image may have no such file.
            OTHER_ERROR if act.name.starts_with("read /etc/") => "not there",
            _ => {
                let_through += 1;
                "LET DO"
            }
        };
        drop(writeln!(out, "{word:<12} {}", act.name));
    }
    drop(writeln!(out, "{let_through} of {} acts are let do", ACTS.len()));
    ExitCode::from(u8::from(let_through > 0))
}
