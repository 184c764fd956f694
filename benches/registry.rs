//! `make bench-registry`: publishing against copying, fetching against reading, and what a rotation moves, with a directory and
//! with an S3 server. Writes its section of `docs/BENCHMARKS.md`.

mod report {
    pub mod machine;
    pub mod stats;
}

use std::fmt::Write as _;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use aws_config::{Region, SdkConfig};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use strongroom::bundle::Files;
use strongroom::keys::{self, KeySource};
use strongroom::registry::{Authority, Content, Registry, Release};
use strongroom::sealed::digest::sha256_hex;
use strongroom::signed::{ModelStatement, Trust};
use strongroom::signer::{Signer, SignerSource, create, sign};
use strongroom::store::{Location, Store};

use report::machine;
use report::stats::median;

/// Tells this program, started again, what to do in a process of its own: `ACTION SOURCE LOCATION ENDPOINT`.
const CHILD: &str = "--registry-child";
/// Of the bundle that is published and fetched, in bytes.
const LEN: usize = 1_000_000_000;
const ROUNDS: usize = 5;
/// That are rotated, of as many bytes together.
const MODELS: usize = 100;
const BUCKET: &str = "bench";
const ACCESS: &str = "bench";
/// As a fetch has.
const PART_LEN: u64 = 8 << 20;
const PARTS_IN_FLIGHT: usize = 8;

fn main() {
    // `cargo test` runs benches with `--test`: measuring is not testing.
    if std::env::args().any(|argument| argument == "--test") || as_child() {
        return;
    }
    let program =
        std::env::var_os("STRONGROOM_S3_SERVER").expect("run `make bench-registry`, which brings an S3 server");
    let section = section(Path::new(&program));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/BENCHMARKS.md");
    let page = std::fs::read_to_string(&file).expect("docs/BENCHMARKS.md can be read");
    let begin = page.find(HEADING).or_else(|| page.find(NEXT)).expect("the section after it");
    let end = page.find(NEXT).expect("the section after it");
    std::fs::write(&file, format!("{}{section}{}", &page[..begin], &page[end..]))
        .expect("docs/BENCHMARKS.md can be written");
    eprintln!("docs/BENCHMARKS.md written");
}

const HEADING: &str = "## The registry\n";
/// Where the section begins that follows.
const NEXT: &str = "## The container image\n";

/// The tables; `s3` is a program that serves a directory by S3's protocol.
fn section(s3: &Path) -> String {
    let mut page = format!("{HEADING}\n{}\n\n{INTRODUCTION}", machine::describe());
    let folder = tempfile::tempdir().expect("a temporary directory");
    let source = folder.path().join("bundle");
    std::fs::create_dir(&source).expect("a directory");
    let content: Vec<u8> = (0..LEN as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    std::fs::write(source.join(WEIGHTS), content).expect("a plain file");
    let server = Server::start(s3, &folder.path().join("s3"));
    let directory = folder.path().join("registry").display().to_string();
    let stores =
        [("directory", directory, String::new()), ("S3", format!("s3://{BUCKET}/models"), server.endpoint.clone())];
    page +=
        "| store | what | ms | MB/s | time against the plain one | highest memory, MB |\n|---|---|---|---|---|---|\n";
    for (name, location, endpoint) in &stores {
        publish_rows(&mut page, name, &source, location, endpoint);
    }
    let paced = Paced::start(folder.path(), &stores[0].1);
    for (name, location, endpoint) in &stores {
        fetch_rows(&mut page, name, &source, (location, endpoint), None);
    }
    let bucket = format!("s3://{BUCKET}");
    let reads = Some((bucket.as_str(), paced.endpoint.as_str()));
    fetch_rows(&mut page, "S3, 90 MB/s a connection", &source, (&stores[0].1, ""), reads);
    page += ROTATION;
    for (name, location, endpoint) in &stores {
        rotation_row(&mut page, name, &format!("{location}-rotated"), endpoint);
    }
    page + "\n"
}

/// Does what a child is told, and prints `SECONDS MEGABYTES`; `false`: this process is no child.
fn as_child() -> bool {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(place) = arguments.iter().position(|argument| argument == CHILD) else { return false };
    let [action, source, location, endpoint] = &arguments[place + 1..] else {
        panic!("ACTION SOURCE LOCATION ENDPOINT")
    };
    let registry = runtime().block_on(open(location, endpoint));
    let files = Files::from([(WEIGHTS.to_owned(), std::fs::read(Path::new(source).join(WEIGHTS)).expect("it").into())]);
    let content = Content::on_disk(Path::new(source), &files);
    drop(files);
    // What was held to check the bundle does not count: the high-water mark begins here.
    strongroom::model::return_freed_memory();
    std::fs::write("/proc/self/clear_refs", "5").expect("to reset the high-water mark");
    let begun = Instant::now();
    let name = format!("{action}-{}", std::process::id());
    runtime().block_on(async {
        match action.as_str() {
            "publish" => {
                drop(registry.publish(&Release::new(&name, "1.0.0", &content), &|_| ()).await.expect("to publish"))
            }
            _ => copy(&registry.store, &Path::new(source).join(WEIGHTS), &name).await,
        }
    });
    println!("{} {}", begun.elapsed().as_secs_f64(), high_water());
    true
}

const WEIGHTS: &str = "weights.bin";
const PLAIN: &str = "plain-object";

/// The same client, without sealing and digests.
async fn copy(store: &Store, from: &Path, key: &str) {
    let draft = store.draft().await.expect("a draft");
    let mut plain = File::open(from).expect("the file");
    let draft = tokio::task::spawn_blocking(move || {
        std::io::copy(&mut plain, &mut draft.file()).expect("to copy");
        draft
    });
    assert!(draft.await.expect("copied").create_retained(key, &|_| ()).await.expect("to create"));
}

fn publish_rows(page: &mut String, store: &str, source: &Path, location: &str, endpoint: &str) {
    eprintln!("publishing {} MB to {store}", LEN / 1_000_000);
    let (mut copied, mut published, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut copy_memory, mut publish_memory) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (plain, memory) = child("copy", source, location, endpoint);
        copy_memory.push(memory);
        let (sealed, memory) = child("publish", source, location, endpoint);
        publish_memory.push(memory);
        ratios.push(sealed / plain);
        copied.push(plain);
        published.push(sealed);
    }
    row(page, store, "copy the plain file", &mut copied, None, Some(&mut copy_memory));
    row(page, store, "publish", &mut published, Some(&mut ratios), Some(&mut publish_memory));
}

/// Publishes to the store that `written` names and reads from there, or from where it is served as `read` says.
fn fetch_rows(page: &mut String, store: &str, source: &Path, written: (&str, &str), read: Option<(&str, &str)>) {
    eprintln!("fetching {} MB from {store}", LEN / 1_000_000);
    let runtime = runtime();
    let (mut plain, mut fetched, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    runtime.block_on(async {
        let registry = signed(open(written.0, written.1).await, true).await;
        publish_signed(&registry, source).await;
        let registry = match read {
            Some((location, endpoint)) => {
                let store = Store::open(&location.parse().expect("a location"), &sdk(endpoint).await);
                Registry { store, ..registry }
            }
            None => registry,
        };
        for _ in 0..ROUNDS {
            let begun = Instant::now();
            assert_eq!(read_plain(&registry.store, PLAIN).await.len(), LEN);
            let base = begun.elapsed().as_secs_f64();
            let begun = Instant::now();
            let found = registry.fetch(&"fetched".parse().expect("a name")).await.expect("to fetch");
            assert!(found.signed && found.files[WEIGHTS].len() == LEN);
            drop(found);
            let sealed = begun.elapsed().as_secs_f64();
            ratios.push(sealed / base);
            plain.push(base);
            fetched.push(sealed);
        }
    });
    row(page, store, "read a plain object", &mut plain, None, None);
    row(page, store, "fetch, verified and opened", &mut fetched, Some(&mut ratios), None);
}

/// The bundle as a signed version, and a plain object of its bytes; once a store.
async fn publish_signed(registry: &Registry, source: &Path) {
    let content = Content::in_memory(&signed_files(source, registry).await);
    let version = format!("1.0.0-{}", std::process::id());
    registry.publish(&Release::new("fetched", &version, &content), &|_| ()).await.expect("to publish");
    registry.promote(&format!("fetched:{version}").parse().expect("a name"), "live").await.expect("to promote");
    if registry.store.head(PLAIN).await.is_err() {
        copy(&registry.store, &source.join(WEIGHTS), PLAIN).await;
    }
}

/// The parts of an object to their place in one buffer, as many at a time as a fetch has.
async fn read_plain(store: &Store, key: &str) -> Bytes {
    let object = store.head(key).await.expect("the object");
    let mut whole = BytesMut::zeroed(object.len as usize);
    let ranges = (0..object.len).step_by(PART_LEN as usize).map(|start| start..object.len.min(start + PART_LEN));
    let reads = stream::iter(ranges).map(|range| {
        let (store, key, etag) = (store.clone(), key.to_owned(), object.etag.clone());
        async move { tokio::spawn(async move { store.read_range(&key, range, &etag).await }).await.expect("a read") }
    });
    let mut reads = reads.buffered(PARTS_IN_FLIGHT);
    let mut place = 0;
    while let Some(part) = reads.try_next().await.expect("a part") {
        whole[place..place + part.len()].copy_from_slice(&part);
        place += part.len();
    }
    whole.freeze()
}

fn rotation_row(page: &mut String, store: &str, location: &str, endpoint: &str) {
    eprintln!("rotating {MODELS} models in {store}");
    let runtime = runtime();
    let registry = runtime.block_on(open(location, endpoint));
    runtime.block_on(async {
        let registry = signed(registry, false).await;
        let content = Content::in_memory(&Files::from([(WEIGHTS.to_owned(), vec![7; LEN / MODELS].into())]));
        for number in 0..MODELS {
            let name = format!("model-{number}");
            registry.publish(&Release::new(&name, "1.0.0", &content), &|_| ()).await.expect("to publish");
        }
        let scratch = tempfile::tempdir().expect("a temporary directory");
        let next = key_file(scratch.path()).await;
        let next = keys::Keys::open(&next, &SdkConfig::builder().build()).await.expect("a key");
        let begun = Instant::now();
        let rotated = registry.rotate(Some(&next), &|_, _| ()).await.expect("to rotate");
        let seconds = begun.elapsed().as_secs_f64();
        let kb = rotated.bytes as f64 / 1e3;
        let _ = writeln!(page, "| {store} | {} | {:.0} | {kb:.1} | {seconds:.2} |", rotated.written, LEN as f64 / 1e6);
    });
}

fn row(
    page: &mut String,
    store: &str,
    what: &str,
    seconds: &mut [f64],
    ratios: Option<&mut Vec<f64>>,
    memory: Option<&mut Vec<f64>>,
) {
    let seconds = median(seconds);
    let against = ratios.map_or_else(|| "1.00".to_owned(), |ratios| format!("{:.2}", median(ratios)));
    let memory =
        memory.map_or_else(|| "-".to_owned(), |memory| format!("{:.0}", memory.iter().copied().fold(0.0, f64::max)));
    let speed = LEN as f64 / seconds / 1e6;
    let _ = writeln!(page, "| {store} | {what} | {:.0} | {speed:.0} | {against} | {memory} |", seconds * 1e3);
}

/// Runs an action in a process of its own: seconds and megabytes.
fn child(action: &str, source: &Path, location: &str, endpoint: &str) -> (f64, f64) {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).args([CHILD, action]).arg(source).args([location, endpoint]).output();
    let output = output.expect("this program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("numbers");
    let (seconds, megabytes) = text.trim().split_once(' ').expect("two numbers");
    (seconds.parse().expect("a number"), megabytes.parse().expect("a number"))
}

/// The most resident memory, in MB.
fn high_water() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024.0 / 1e6
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime")
}

async fn open(location: &str, endpoint: &str) -> Registry {
    let scratch = std::env::temp_dir().join("strongroom-bench-key");
    let _ = std::fs::remove_file(scratch.join("key"));
    std::fs::create_dir_all(&scratch).expect("a directory");
    let key = key_file(&scratch).await;
    let location: Location = location.parse().expect("a location");
    Registry::open(&location, &key, &sdk(endpoint).await).await.expect("a registry")
}

async fn key_file(folder: &Path) -> KeySource {
    let place = KeySource::File(folder.join("key"));
    keys::create(&place, &SdkConfig::builder().build()).await.expect("a key");
    place
}

async fn sdk(endpoint: &str) -> SdkConfig {
    if endpoint.is_empty() {
        return SdkConfig::builder().build();
    }
    let credentials = aws_credential_types::Credentials::new(ACCESS, ACCESS, None, None, "bench");
    let loader = strongroom::config::aws::loader().region(Region::new("us-east-1")).endpoint_url(endpoint);
    loader.credentials_provider(credentials).load().await
}

/// The registry with a signer whom a policy trusts, as publisher and, with `authors`, as author.
async fn signed(registry: Registry, authors: bool) -> Registry {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("signer");
    create(&path).await.expect("a signing key");
    let signer = Signer::open(&SignerSource::File(path), &SdkConfig::builder().build()).await.expect("a signer");
    let mut policy =
        json!({ "signers": { "ci": [{ "pem": signer.public_key().pem() }] }, "publisher": { "signers": ["ci"] } });
    if authors {
        policy["author"] = json!({ "signers": ["ci"] });
    }
    let trust = Some(Arc::new(Trust::read(policy.to_string().as_bytes()).expect("a policy")));
    Registry { authority: Authority { trust, signers: Arc::new(vec![signer]), min_index: 0 }, ..registry }
}

/// The bundle with its author's signature over it.
async fn signed_files(source: &Path, registry: &Registry) -> Files {
    let bytes: Bytes = std::fs::read(source.join(WEIGHTS)).expect("the file").into();
    let digest = sha256_hex(&bytes);
    let statement = ModelStatement::of("model", [(WEIGHTS, digest.as_str())]).write("model.sig");
    let signature = sign(&statement, &registry.authority.signers).await.expect("a signature");
    Files::from([(WEIGHTS.to_owned(), bytes), ("model.sig".to_owned(), signature.into())])
}

/// An S3 server over a directory, killed when dropped.
struct Server {
    child: Child,
    endpoint: String,
}

impl Server {
    fn start(program: &Path, root: &Path) -> Self {
        std::fs::create_dir_all(root.join(BUCKET)).expect("a bucket");
        let free = free_port();
        let mut command = Command::new(program);
        command.args(["--access-key", ACCESS, "--secret-key", ACCESS, "--host", "127.0.0.1", "--port"]);
        let child = command.arg(free.port().to_string()).arg(root).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.expect("the S3 server starts");
        wait_for(free);
        Self { child, endpoint: format!("http://{free}") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The objects of a directory by S3's protocol, as far as reading goes, at the speed that S3 gives a connection.
struct Paced {
    child: Child,
    endpoint: String,
}

impl Paced {
    fn start(folder: &Path, objects: &str) -> Self {
        let (root, free) = (folder.join("nginx"), free_port());
        std::fs::create_dir_all(root.join("served")).expect("a directory");
        std::os::unix::fs::symlink(objects, root.join("served").join(BUCKET)).expect("a link");
        let configuration = format!(
            "daemon off; user root; worker_processes 1; pid {0}/pid; error_log {0}/errors; events {{}}
             http {{ access_log off; sendfile on; default_type application/octet-stream; client_body_temp_path {0}/body;
             server {{ listen {free}; root {0}/served; limit_rate 90m; keepalive_requests 100000; }} }}",
            root.display()
        );
        std::fs::write(root.join("nginx.conf"), configuration).expect("a configuration");
        let mut command = Command::new("nginx");
        command.arg("-c").arg(root.join("nginx.conf")).arg("-p").arg(&root);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("nginx starts");
        wait_for(free);
        Self { child, endpoint: format!("http://{free}") }
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// Free now: nobody else asks for one meanwhile.
fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

fn wait_for(address: SocketAddr) {
    while std::net::TcpStream::connect(address).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

const INTRODUCTION: &str = "\
A bundle of one file of 1 GB. 'Copy' is the same client writing the same bytes to the same store, without sealing, digests and log; \
'read' fetches the parts of a plain object, as many at a time as a fetch does, into one buffer. Medians of 5 rounds taken in \
turns, each write in a process of its own; memory is counted from when the bundle was checked, for checking it loads its \
graphs, as serving does. A fetch verifies the signatures of publisher and author. S3 is an s3s-fs 0.14.1 \
on this machine: it, the client and its digests share the cores, and there is no network to wait for. The last rows are of \
nginx, which takes little of the cores and gives each connection the 90 MB/s that S3 does.

";

const ROTATION: &str = "
Rotation to a new key, as `strongroom rotate` does it:

| store | models | MB sealed | KB written | seconds |
|---|---|---|---|---|
";
