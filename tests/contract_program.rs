//! The rules of `docs/CONTRACT.md` with the program itself and real models.

#[path = "support/program.rs"]
mod program;
#[path = "support/server.rs"]
mod server;

use std::fs::{File, create_dir_all, read_dir};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use program::{Place, Served, artifact, program};
use serde_json::{Value, json};
use server::{Answer, send};

const IRIS: &str = "iris-random-forest";
const IMAGENET: &str = "imagenet-efficientnet-lite0";
const CSV: [(&str, &str); 1] = [("content-type", "text/csv")];
const FLOWERS: &str = "5.1,3.5,1.4,0.2\n6.7,3.0,5.2,2.3\n";

fn bound(command: &mut Command) -> &mut Command {
    command.arg("serve").env("STRONGROOM_BIND", "127.0.0.1:0")
}

/// A server that is ready.
fn ready(command: &mut Command) -> Served {
    let served = Served::start(bound(command));
    served.log("ready");
    served
}

/// What a server that is to fail logs last, and its exit code.
fn last_line(command: &mut Command) -> (Option<i32>, Value) {
    let output = bound(command).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let last = text.lines().last().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), serde_json::from_str(last).unwrap())
}

fn export(place: &Place, model: &str, to: &str) {
    let output = place.run(&["export", model, "-o", to]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn invoke(served: &Served, headers: &[(&str, &str)], body: &str) -> Answer {
    send(served.address, "POST", "/invocations", headers, body.as_bytes())
}

/// "`SAGEMAKER_BATCH`, in any case, makes the server one of a batch transform job: bodies of 100 MB, 3,600 s to answer."
#[test]
fn the_platforms_word_makes_a_batch_job() {
    let place = Place::with(&artifact(IRIS));
    for word in ["true", "True", "TRUE"] {
        let mut command = place.command();
        command.env("SAGEMAKER_BATCH", word).env("STRONGROOM_MODEL", IRIS);
        let served = Served::start(bound(&mut command));
        let settings = served.log("settings");
        assert_eq!(settings["mode"], "batch-transform");
        assert_eq!(
            (settings["max_body_bytes"].as_u64(), settings["deadline_ms"].as_u64()),
            (Some(100 << 20), Some(3_600_000))
        );
        served.log("ready");
        let answer = invoke(&served, &CSV, &format!("{FLOWERS}none,of,these,words\n{FLOWERS}"));
        let text = answer.text();
        let lines: Vec<&str> = text.split('\n').collect();
        assert_eq!((answer.headers["content-type"].as_str(), lines.len()), ("text/csv", 5));
        assert!(lines[0].starts_with("setosa,") && lines[1].starts_with("virginica,"), "{text}");
        assert!(lines[2].starts_with("\"{\"\"error\"\":"), "{text}");
        assert_eq!(lines[3..], lines[..2]);
    }
}

/// "`GET /execution-parameters` is computed from threads, memory and the body limit; concurrency times payload is at most
/// 100 MB."
#[test]
fn execution_parameters_fit_the_platforms_product() {
    let place = Place::with(&artifact(IRIS));
    for (threads, payload) in [("1", "100"), ("4", "25"), ("64", "1024"), ("3", "7")] {
        let mut command = place.command();
        command.env("SAGEMAKER_BATCH", "true").env("STRONGROOM_MODEL", IRIS).env("STRONGROOM_THREADS", threads);
        command.env("STRONGROOM_MAX_BODY_MB", payload);
        let served = ready(&mut command);
        let told = send(served.address, "GET", "/execution-parameters", &[], b"").json();
        let number = |key: &str| told[key].as_u64().unwrap();
        assert_eq!(told["BatchStrategy"], "MULTI_RECORD");
        assert!(number("MaxConcurrentTransforms") >= 1 && number("MaxPayloadInMB") >= 1);
        assert!(number("MaxConcurrentTransforms") * number("MaxPayloadInMB") <= 100, "{told}");
        assert!(number("MaxConcurrentTransforms") <= threads.parse().unwrap(), "{told}");
        assert!(number("MaxPayloadInMB") <= payload.parse().unwrap(), "{told}");
    }
}

/// "A server that cannot start ends with exit code 1, and its last log line says why and what helps."
#[test]
fn a_job_that_cannot_start_says_why_last() {
    let place = Place::with(&artifact(IRIS));
    assert!(place.run(&["key", "new", "-o", &place.path("other")]).status.success());
    let mut command = place.command();
    command.env("SAGEMAKER_BATCH", "true").env("STRONGROOM_MODEL", IRIS);
    command.env("STRONGROOM_KEY", format!("file:{}", place.path("other")));
    let (code, line) = last_line(&mut command);
    assert_eq!(
        (code, line["level"].as_str(), line["message"].as_str()),
        (Some(1), Some("ERROR"), Some("cannot serve"))
    );
    assert!(!line["error"].as_str().unwrap().is_empty() && !line["remedy"].as_str().unwrap().is_empty(), "{line}");
}

/// "SageMaker's own settings are understood, ours stand above them, and the line `settings` tells what is in force."
#[test]
fn settings_by_the_names_people_know() {
    let place = Place::with(&artifact(IRIS));
    let settings = |variables: &[(&str, &str)]| {
        let mut command = place.command();
        command.env("STRONGROOM_MODEL", IRIS).envs(variables.iter().copied());
        Served::start(bound(&mut command)).log("settings")
    };
    let theirs = [
        ("SAGEMAKER_MODEL_SERVER_WORKERS", "3"),
        ("SAGEMAKER_NUM_MODEL_WORKERS", "5"),
        ("SAGEMAKER_MODEL_SERVER_TIMEOUT", "120"),
        ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "7"),
        ("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "text/csv"),
        ("SAGEMAKER_CONTAINER_LOG_LEVEL", "20"),
        ("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", "90"),
    ];
    let told = settings(&theirs);
    assert_eq!((&told["threads"], &told["deadline_ms"]), (&json!(3), &json!(120_000)));
    assert_eq!((&told["max_body_bytes"], &told["default_accept"]), (&json!(7 << 20), &json!("text/csv")));
    assert_eq!((&told["queue"], &told["mode"]), (&json!(24), &json!("single-model")));
    assert_eq!(settings(&[theirs[1]])["threads"], 5);
    assert_eq!(settings(&[("SAGEMAKER_BATCH", "true"), theirs[0], theirs[6]])["queue"], 90);
    let none = settings(&[("SAGEMAKER_BATCH", "true"), ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "0")]);
    assert_eq!((&none["max_body_bytes"], &none["max_records_body_bytes"]), (&json!(100 << 20), &Value::Null));
    let ours = [("STRONGROOM_THREADS", "2"), ("STRONGROOM_DEADLINE_S", "9"), ("STRONGROOM_MAX_BODY_MB", "3")];
    let told = settings(&[&theirs[..], &ours[..]].concat());
    assert_eq!(
        (&told["threads"], &told["deadline_ms"], &told["max_body_bytes"]),
        (&json!(2), &json!(9_000), &json!(3 << 20))
    );
    let output = program()
        .args(["serve"])
        .envs([
            ("SAGEMAKER_BATCH", "perhaps"),
            ("SAGEMAKER_MODEL_SERVER_WORKERS", "0"),
            ("SAGEMAKER_CONTAINER_LOG_LEVEL", "loud"),
        ])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    for name in ["SAGEMAKER_BATCH", "SAGEMAKER_MODEL_SERVER_WORKERS", "SAGEMAKER_CONTAINER_LOG_LEVEL"] {
        assert!(text.contains(name), "{name} is not in: {text}");
    }
}

/// "What `strongroom export` wrote is served from where it is mounted, opened with the configured key."
#[test]
fn a_mounted_export_is_served() {
    let place = Place::with(&artifact(IRIS));
    let mount = place.path("mount");
    export(&place, IRIS, &mount);
    let mut command = program();
    command.env("STRONGROOM_MODEL", &mount).env("STRONGROOM_KEY", format!("file:{}", place.path("key")));
    let served = ready(&mut command);
    assert!(invoke(&served, &CSV, FLOWERS).text().contains("setosa"));
    let card = send(served.address, "GET", "/model", &[], b"").json();
    assert_eq!((card["name"].as_str(), card["trust"].as_str()), (Some(IRIS), Some("unsigned")));
}

/// "A plain bundle that is mounted is refused, unless `STRONGROOM_ALLOW_UNSEALED=true`; then the log warns of it."
#[test]
fn a_plain_mount_needs_permission() {
    let place = Place::new();
    let bundle = artifact(IRIS);
    let mut refused = program();
    refused.env("STRONGROOM_MODEL", &bundle).env("STRONGROOM_KEY", format!("file:{}", place.path("key")));
    let (code, line) = last_line(&mut refused);
    assert_eq!(code, Some(1));
    assert!(line["remedy"].as_str().unwrap().contains("STRONGROOM_ALLOW_UNSEALED"), "{line}");
    let mut allowed = program();
    allowed.env("STRONGROOM_MODEL", &bundle).env("STRONGROOM_ALLOW_UNSEALED", "true");
    let served = Served::start(bound(&mut allowed));
    assert_eq!(served.log("serving an unsealed model")["level"], "WARN");
    served.log("ready");
    assert!(invoke(&served, &CSV, FLOWERS).text().contains("setosa"));
}

/// "Under network isolation a key in Secrets Manager is out of reach: the start fails and says what to choose."
#[test]
fn an_unreachable_secret_names_network_isolation() {
    let place = Place::with(&artifact(IRIS));
    let mount = place.path("mount");
    export(&place, IRIS, &mount);
    let mut command = program();
    command.env("STRONGROOM_MODEL", &mount).env("STRONGROOM_KEY", "secretsmanager:models/kek");
    command.env("AWS_REGION", "us-east-1").env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", place.path("nobody"));
    let (code, line) = last_line(&mut command);
    assert_eq!((code, line["stage"].as_str()), (Some(1), Some("key")));
    assert!(line["remedy"].as_str().unwrap().contains("network isolation"), "{line}");
}

/// A multi-model endpoint over a directory with exports.
struct Endpoint {
    place: Place,
    models: String,
}

impl Endpoint {
    fn with(bundles: &[&str]) -> Self {
        let place = Place::new();
        let models = place.path("models");
        for bundle in bundles {
            place.publish(&artifact(bundle));
            let directory = format!("{models}/{bundle}");
            create_dir_all(&directory).unwrap();
            export(&place, bundle, &format!("{directory}/model"));
        }
        Self { place, models }
    }

    fn serve(&self) -> Served {
        let mut command = program();
        command.env("SAGEMAKER_MULTI_MODEL", "true").env("STRONGROOM_MODELS_DIR", &self.models);
        ready(command.env("STRONGROOM_KEY", format!("file:{}", self.place.path("key"))))
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{name}/model", self.models)
    }
}

fn load(served: &Served, name: &str, url: &str) -> Answer {
    let body = json!({ "model_name": name, "url": url }).to_string();
    send(served.address, "POST", "/models", &[], body.as_bytes())
}

/// "`SAGEMAKER_MULTI_MODEL=true` makes a multi-model endpoint, whose model directories are exports, opened with the
/// configured key."
#[test]
fn a_multi_model_endpoint_loads_exports() {
    let endpoint = Endpoint::with(&[IRIS, IMAGENET]);
    let served = endpoint.serve();
    for name in [IRIS, IMAGENET] {
        let answer = load(&served, &format!("hash-of-{name}"), &endpoint.url(name));
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let cat = std::fs::read(artifact(IMAGENET).join("self-test/chelsea.jpg")).unwrap();
    let path = format!("/models/hash-of-{IMAGENET}/invoke");
    let answer = send(served.address, "POST", &path, &[("content-type", "image/jpeg")], &cat);
    assert!(answer.text().contains("cat"), "{}", answer.text());
    let path = format!("/models/hash-of-{IRIS}/invoke");
    assert!(send(served.address, "POST", &path, &CSV, FLOWERS.as_bytes()).text().contains("virginica"));
    let full = served.resident();
    let path = format!("/models/hash-of-{IMAGENET}");
    assert_eq!(send(served.address, "DELETE", &path, &[], b"").status, 200);
    // A model of 9 MB holds more than that, and it is given back.
    let freed = full.saturating_sub(served.resident());
    assert!(freed > 9 * 1024, "{freed} KiB were given back");
}

/// "A load is accounted: what its files need at their peak, beside what the process holds and an eighth of the limit for
/// requests, must fit the memory that the cgroup or the machine allows, or it is 507."
#[test]
fn a_model_beyond_memory_is_507() {
    let endpoint = Endpoint::with(&[IRIS]);
    let blobs = Path::new(&endpoint.url(IRIS)).join("blobs/sha256");
    File::create(blobs.join("0".repeat(64))).unwrap().set_len(1 << 42).unwrap();
    let served = endpoint.serve();
    let answer = load(&served, "large", &endpoint.url(IRIS));
    assert_eq!(answer.status, 507, "{}", answer.text());
    assert_eq!(answer.json()["type"], "InsufficientMemoryException");
}

/// "A url is confined to the models' directory: whatever leads out of it, by its parts or by a link, is 400."
#[test]
fn urls_are_confined_to_the_models_directory() {
    let endpoint = Endpoint::with(&[IRIS]);
    let outside = endpoint.place.path("outside");
    export(&endpoint.place, IRIS, &outside);
    symlink(&outside, Path::new(&endpoint.models).join("link")).unwrap();
    let served = endpoint.serve();
    let models = &endpoint.models;
    for url in [
        outside.as_str(),
        "/etc",
        "/proc/self",
        "/dev/null",
        "",
        ".",
        "model",
        models.as_str(),
        &format!("{models}/"),
        &format!("{models}/../outside"),
        &format!("{models}/{IRIS}/../../outside"),
        &format!("{models}-evil"),
        &format!("{models}/link"),
        &format!("{models}/a\0b"),
    ] {
        let answer = load(&served, "m", url);
        assert_eq!(answer.status, 400, "{url}: {}", answer.text());
    }
    assert_eq!(load(&served, "m", &format!("{models}/nowhere")).status, 404);
    create_dir_all(format!("{models}/empty/model")).unwrap();
    assert_eq!(load(&served, "m", &format!("{models}/empty/model")).status, 404);
    assert_eq!(load(&served, "m", &endpoint.url(IRIS)).status, 200);
}

/// "A model directory with a plain bundle is loaded only where `STRONGROOM_ALLOW_UNSEALED=true`."
#[test]
fn a_plain_model_directory_needs_permission() {
    let endpoint = Endpoint::with(&[IRIS]);
    let plain = format!("{}/plain", endpoint.models);
    copy(&artifact(IRIS), Path::new(&plain));
    let answer = load(&endpoint.serve(), "plain", &plain);
    assert_eq!(answer.status, 500);
    assert!(answer.text().contains("STRONGROOM_ALLOW_UNSEALED"), "{}", answer.text());
    let mut command = program();
    command.env("SAGEMAKER_MULTI_MODEL", "true").env("STRONGROOM_MODELS_DIR", &endpoint.models);
    let served = ready(command.env("STRONGROOM_ALLOW_UNSEALED", "true"));
    assert_eq!(load(&served, "plain", &plain).status, 200);
    let sealed = load(&served, "sealed", &endpoint.url(IRIS));
    assert!(sealed.status == 500 && sealed.text().contains("STRONGROOM_KEY"), "{}", sealed.text());
}

fn copy(from: &Path, to: &Path) {
    create_dir_all(to).unwrap();
    for entry in read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// "With `STRONGROOM_EMF=true` each request is told to CloudWatch by a line of its Embedded Metric Format."
#[test]
fn requests_are_told_to_cloudwatch_on_request() {
    let place = Place::with(&artifact(IRIS));
    let mut command = place.command();
    let served = ready(command.env("STRONGROOM_MODEL", IRIS).env("STRONGROOM_EMF", "true"));
    invoke(&served, &CSV, FLOWERS);
    send(served.address, "GET", "/ping", &[], b"");
    let line = served.find(|line| line.get("_aws").is_some());
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!((&line["Model"], &line["Items"], &line["ClientErrors"]), (&json!(IRIS), &json!(2.0), &json!(0.0)));
    for metric in directive["Metrics"].as_array().unwrap() {
        assert!(line[metric["Name"].as_str().unwrap()].is_f64(), "{line}");
    }
    assert!(line["Latency"].as_f64().unwrap() > 0.0 && line["Route"] == "/invocations");
}

/// "Records framed as RecordIO are answered one line each: images as MXNet packs them, rows as SageMaker's protobuf."
#[test]
fn record_io_is_answered_line_by_line() {
    let place = Place::with(&artifact(IRIS));
    let served = place.serve(IRIS);
    served.log("ready");
    let rows = [[5.1_f32, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]].map(|row| framed(&protobuf(&row)));
    let headers = [("content-type", "application/x-recordio-protobuf")];
    let answer = send(served.address, "POST", "/invocations", &headers, &rows.concat());
    assert_eq!(answer.headers["content-type"], "application/jsonlines");
    let text = answer.text();
    let labels: Vec<Value> =
        text.split('\n').map(|line| serde_json::from_str::<Value>(line).unwrap()["label"].clone()).collect();
    assert_eq!(labels, ["setosa", "virginica"]);
    let single = send(served.address, "POST", "/invocations", &headers, &protobuf(&[5.1, 3.5, 1.4, 0.2]));
    assert_eq!(single.json()["label"], "setosa");
    let images = Place::with(&artifact(IMAGENET));
    let served_images = images.serve(IMAGENET);
    served_images.log("ready");
    let cat = std::fs::read(artifact(IMAGENET).join("self-test/chelsea.jpg")).unwrap();
    // Before an image: flag (how many labels stand behind the header), label and two ids.
    let packed = [&2_u32.to_le_bytes()[..], &[0; 20], &[0; 8], &cat].concat();
    let body = [framed(&cat), framed(&packed), framed(b"no image")].concat();
    let kind = [("content-type", "application/x-recordio")];
    let text = send(served_images.address, "POST", "/invocations", &kind, &body).text();
    let lines: Vec<&str> = text.split('\n').collect();
    assert!(lines[0].contains("cat") && lines[0] == lines[1] && lines[2].contains("unknown_image"), "{text}");
    for broken in [&rows.concat()[..30], b"\x0a\x23\xd7\xce\xff\xff\xff\x1fabc", b"nonsense"] {
        assert_eq!(send(served.address, "POST", "/invocations", &headers, broken).status, 400);
    }
}

/// A record behind its magic number and length, padded to 4 bytes.
fn framed(record: &[u8]) -> Vec<u8> {
    let length = (record.len() as u32).to_le_bytes();
    let padding = vec![0; record.len().next_multiple_of(4) - record.len()];
    [&0xced7_230a_u32.to_le_bytes()[..], &length, record, &padding].concat()
}

/// `aialgs.data.Record` with the dense feature `values`.
fn protobuf(row: &[f32]) -> Vec<u8> {
    let field = |tag: u8, content: Vec<u8>| [vec![tag, u8::try_from(content.len()).unwrap()], content].concat();
    let values = field(0x0a, row.iter().flat_map(|value| value.to_le_bytes()).collect());
    let value = field(0x12, values);
    field(0x0a, [field(0x0a, b"values".to_vec()), field(0x12, value)].concat())
}
