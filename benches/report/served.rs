//! A registry with the sample bundles and servers over it: the program as a user runs it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PROGRAM: &str = env!("CARGO_BIN_EXE_strongroom");

/// A directory with a key and a registry, gone when dropped.
pub struct Registry {
    folder: tempfile::TempDir,
}

impl Registry {
    /// Publishes each bundle of `model-artifacts` and puts the alias `live` on it.
    pub fn publish(root: &Path, bundles: &[&str]) -> Self {
        let registry = Self { folder: tempfile::tempdir().expect("a temporary directory") };
        run(Command::new(PROGRAM).args(["key", "new", "-o"]).arg(registry.key()));
        for bundle in bundles {
            eprintln!("publishing {bundle}");
            let mut publish = Command::new(PROGRAM);
            publish.arg("publish").arg(root.join("model-artifacts").join(bundle)).args(["--alias", "live"]);
            run(registry.environment(&mut publish));
        }
        registry
    }

    fn key(&self) -> std::path::PathBuf {
        self.folder.path().join("key")
    }

    fn environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("STRONGROOM_REGISTRY", self.folder.path().join("registry"))
            .env("STRONGROOM_KEY", format!("file:{}", self.key().display()))
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A running `strongroom serve`, killed when dropped.
pub struct Server {
    child: Child,
    started: Instant,
    log: Arc<Mutex<Vec<String>>>,
    /// `http://127.0.0.1:PORT`
    pub url: String,
}

impl Server {
    /// Starts serving `model`; does not wait.
    pub fn start(registry: &Registry, model: &str) -> Self {
        Self::start_with(registry, model, &[])
    }

    /// As `start`, under a C library that gives freed blocks of 256 KiB and more back at once.
    pub fn start_returning_memory(registry: &Registry, model: &str) -> Self {
        let bytes = "262144";
        Self::start_with(registry, model, &[("MALLOC_MMAP_THRESHOLD_", bytes), ("MALLOC_TRIM_THRESHOLD_", bytes)])
    }

    /// As `start`, for a batch transform job, on so many inference threads.
    pub fn start_job(registry: &Registry, model: &str, threads: usize) -> Self {
        Self::start_with(registry, model, &[("SAGEMAKER_BATCH", "true"), ("STRONGROOM_THREADS", &threads.to_string())])
    }

    fn start_with(registry: &Registry, model: &str, environment: &[(&str, &str)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        let mut command = Command::new(PROGRAM);
        registry.environment(command.arg("serve")).env("STRONGROOM_MODEL", model);
        command
            .env("STRONGROOM_BIND", format!("127.0.0.1:{port}"))
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let started = Instant::now();
        let mut child = command.spawn().expect("the program starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, sink) = (BufReader::new(child.stdout.take().expect("piped")).lines(), Arc::clone(&log));
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| sink.lock().expect("log").push(line)));
        Self { child, started, log, url: format!("http://127.0.0.1:{port}") }
    }

    /// Waits for the first 200 of `/ping`; seconds from process start to it.
    pub fn ready(&self) -> f64 {
        while self.started.elapsed() < Duration::from_secs(120) {
            if ureq::get(format!("{}/ping", self.url)).call().is_ok() {
                return self.started.elapsed().as_secs_f64();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("not ready: {:?}", self.log.lock().expect("log"));
    }

    /// The log so far, one JSON object a line.
    pub fn log(&self) -> Vec<serde_json::Value> {
        self.log.lock().expect("log").iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Resident memory, now and at its highest, in MB (10^6 bytes).
    pub fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let field = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key))?;
            Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? * 1024.0 / 1e6)
        };
        (field("VmRSS:").unwrap_or(f64::NAN), field("VmHWM:").unwrap_or(f64::NAN))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
