//! The program itself: keys, registries and servers in a directory of their own.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(120);

/// The program without this machine's own settings.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
    let ours =
        |name: &str| name.starts_with("STRONGROOM_") || name.starts_with("AWS_") || name.starts_with("SAGEMAKER_");
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name)) {
        command.env_remove(name);
    }
    command
}

/// A bundle that this repository carries.
pub(crate) fn artifact(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("model-artifacts").join(name)
}

/// A directory with a key and a registry.
pub(crate) struct Place(pub(crate) TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        let made = place.run(&["key", "new", "-o", &place.path("key")]);
        assert!(made.status.success(), "{made:?}");
        place
    }

    /// With `bundle` published and promoted to `live`.
    pub(crate) fn with(bundle: &Path) -> Self {
        let place = Self::new();
        place.publish(bundle);
        place
    }

    pub(crate) fn publish(&self, bundle: &Path) {
        let published = self.run(&["publish", bundle.to_str().unwrap(), "--alias", "live"]);
        assert!(published.status.success(), "{}", String::from_utf8_lossy(&published.stderr));
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// The program, set to this place's registry and key.
    pub(crate) fn command(&self) -> Command {
        let mut command = program();
        command.env("STRONGROOM_REGISTRY", self.path("registry"));
        command.env("STRONGROOM_KEY", format!("file:{}", self.path("key")));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// Serves on a free port; the log is read from the first line on.
    pub(crate) fn serve(&self, model: &str) -> Served {
        Served::start(self.command().args(["serve", "--model", model, "--bind", "127.0.0.1:0"]))
    }
}

/// A serving process; killed when dropped.
pub(crate) struct Served {
    child: Child,
    log: Receiver<Value>,
    pub(crate) address: SocketAddr,
    /// The log line that was waited for first.
    pub(crate) first: Value,
}

impl Served {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_at(command, "listening")
    }

    /// As `start`, and keeps the first line with this message, which comes before or when the server listens.
    pub(crate) fn start_at(command: &mut Command, first: &str) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                let _ = sender.send(line);
            }
        });
        let mut served = Self { child, log, address: SocketAddr::from(([0, 0, 0, 0], 0)), first: Value::Null };
        served.first = served.log(first);
        let listening = if first == "listening" { served.first.clone() } else { served.log("listening") };
        served.address = listening["address"].as_str().unwrap().parse().unwrap();
        served
    }

    /// The next log line with this message.
    pub(crate) fn log(&self, message: &str) -> Value {
        loop {
            let line = self.log.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no log line `{message}`"));
            if line["message"] == message {
                return line;
            }
        }
    }

    /// The next line of stdout that is it.
    pub(crate) fn find(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.log.recv_timeout(PATIENCE).expect("the line comes");
            if is_it(&line) {
                return line;
            }
        }
    }

    /// What is left of the log of a server that has ended.
    pub(crate) fn rest(&self) -> Vec<Value> {
        self.log.iter().collect()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end; the exit code.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// What the kernel tells of the process.
    pub(crate) fn proc(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.child.id())
    }

    /// Resident memory in KiB.
    pub(crate) fn resident(&self) -> u64 {
        self.memory("VmRSS")
    }

    /// The most resident memory there ever was, in KiB.
    pub(crate) fn peak(&self) -> u64 {
        self.memory("VmHWM")
    }

    fn memory(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
