//! `strongroom serve` as a process: from a sealed model to answers, its exit codes and its log.

#[path = "support/program.rs"]
mod program;
#[path = "support/server.rs"]
mod server;

use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};
use std::time::Instant;

use program::{Place, artifact, program};
use rustix::process::Signal;
use serde_json::Value;
use server::send;

const IRIS: &str = "iris-random-forest";
const FLOWER: &[u8] = b"5.1,3.5,1.4,0.2\n";

/// Runs a server that is to fail: exit 1 within seconds and one error line, which is the answer.
fn failure(command: &mut Command) -> Value {
    let begun = Instant::now();
    let output = command.args(["serve", "--bind", "127.0.0.1:0"]).output().unwrap();
    assert!(begun.elapsed().as_secs() < 30);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut errors = lines.filter(|line| line["level"] == "ERROR");
    let error = errors.next().expect("an error line");
    assert!(errors.next().is_none() && output.stderr.is_empty());
    error
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_sealed_model_answers_and_sigterm_ends_it_with_0() {
    let place = Place::with(&artifact(IRIS));
    let mut served = place.serve(IRIS);
    let card = served.log("serving");
    assert_eq!((card["model"].as_str(), card["trust"].as_str()), (Some(IRIS), Some("unsigned")));
    served.log("ready");
    assert_eq!(send(served.address, "GET", "/ping", &[], b"").status, 200);
    let answer = send(served.address, "POST", "/invocations", &[("content-type", "text/csv")], FLOWER);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("setosa"));
    let line = served.log("request");
    assert_eq!((line["status"].as_u64(), line["bytes_in"].as_u64()), (Some(200), Some(FLOWER.len() as u64)));
    assert!(!line.to_string().contains("5.1,3.5") && line["route"] == "/invocations");
    served.signal(Signal::TERM);
    assert_eq!(served.exit_code(), Some(0));
}

#[test]
fn a_serving_process_leaves_no_core_and_is_not_its_own_users_to_read() {
    // A registry that never answers keeps it where it is; the user must not be root, to whom all is readable.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    let copy = place.path().join("strongroom");
    std::fs::copy(env!("CARGO_BIN_EXE_strongroom"), &copy).unwrap();
    let mut command = Command::new(&copy);
    command.env_clear().args(["serve", "--registry", "s3://silent/models", "--key", "secretsmanager:models/kek"]);
    command.env("STRONGROOM_BIND", "127.0.0.1:0").current_dir("/");
    if rustix::process::getuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let served = program::Served::start(on_aws(&mut command, &format!("http://{}", silent.local_addr().unwrap())));
    let limits = std::fs::read_to_string(served.proc("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    // The kernel gives root what /proc shows of a process that is not dumpable.
    assert_eq!(std::fs::metadata(served.proc("environ")).unwrap().uid(), 0);
}

#[test]
fn an_unsigned_model_is_told_at_warn() {
    let place = Place::with(&artifact(IRIS));
    let served =
        program::Served::start(place.command().env("STRONGROOM_MODEL", IRIS).env("STRONGROOM_BIND", "127.0.0.1:0"));
    assert_eq!(served.log("serving an unsigned model")["level"], "WARN");
}

/// Answers everything that AWS could be asked with one failure.
fn scripted_service(status: &'static str, headers: &'static str, body: &'static str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut received = [0; 65_536];
            let _ = stream.read(&mut received);
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
        }
    });
    format!("http://{address}")
}

fn on_aws<'a>(command: &'a mut Command, endpoint: &str) -> &'a mut Command {
    command
        .env("STRONGROOM_MODEL", IRIS)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
}

#[test]
fn a_denied_secret_is_a_failure_of_the_key() {
    let place = Place::with(&artifact(IRIS));
    let body = r#"{"__type":"AccessDeniedException","Message":"not you"}"#;
    let endpoint = scripted_service("400 Bad Request", "content-type: application/x-amz-json-1.1\r\n", body);
    let mut command = place.command();
    let error = failure(on_aws(command.env("STRONGROOM_KEY", "secretsmanager:models/kek"), &endpoint));
    assert_eq!((error["stage"].as_str(), error["object"].as_str()), (Some("key"), Some("secretsmanager:models/kek")));
    assert!(!error["remedy"].as_str().unwrap().is_empty(), "{error}");
}

#[test]
fn a_missing_bucket_is_told_with_stage_object_and_remedy() {
    let place = Place::new();
    let body = "<Error><Code>NoSuchBucket</Code><Message>none</Message></Error>";
    let endpoint = scripted_service("404 Not Found", "content-type: application/xml\r\n", body);
    let mut command = place.command();
    let error = failure(on_aws(command.env("STRONGROOM_REGISTRY", "s3://nowhere/models"), &endpoint));
    assert_eq!(error["stage"], "fetch");
    assert!(error["object"].as_str().unwrap().contains("s3://nowhere"), "{error}");
    assert!(!error["remedy"].as_str().unwrap().is_empty(), "{error}");
}

#[test]
fn every_stage_of_the_start_is_logged_with_what_it_took() {
    let place = Place::with(&artifact(IRIS));
    let served = place.serve(IRIS);
    for stage in ["key", "fetch", "read", "load", "warm-up", "self-test"] {
        let line = served.log("stage done");
        assert_eq!(line["stage"], stage);
        assert!(line["duration_ms"].is_f64());
    }
}

#[test]
fn without_a_verb_the_environment_serves() {
    let place = Place::with(&artifact(IRIS));
    let mut command = place.command();
    command.env("STRONGROOM_MODEL", IRIS).env("STRONGROOM_BIND", "127.0.0.1:0");
    program::Served::start(&mut command).log("ready");
}

#[test]
fn the_wrong_key_is_told_with_stage_object_and_remedy() {
    let place = Place::with(&artifact(IRIS));
    assert!(place.run(&["key", "new", "-o", &place.path("other")]).status.success());
    let key = format!("file:{}", place.path("other"));
    let error = failure(place.command().env("STRONGROOM_KEY", key).env("STRONGROOM_MODEL", IRIS));
    assert_eq!(error["stage"], "fetch");
    assert!(error["object"].as_str().unwrap().contains(IRIS));
    assert!(error["remedy"].as_str().unwrap().contains("--key"), "{error}");
}

#[test]
fn a_tampered_object_is_told_with_stage_and_remedy() {
    let place = Place::with(&artifact(IRIS));
    let largest = largest_file(place.0.path().join("registry").as_path());
    let mut bytes = std::fs::read(&largest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&largest, bytes).unwrap();
    let error = failure(place.command().env("STRONGROOM_MODEL", IRIS));
    assert_eq!(error["stage"], "fetch");
    assert!(error["object"].as_str().unwrap().contains(IRIS), "{error}");
    assert!(!error["remedy"].as_str().unwrap().is_empty(), "{error}");
}

fn largest_file(directory: &std::path::Path) -> std::path::PathBuf {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() { open.push(entry.path()) } else { files.push((metadata.len(), entry.path())) }
        }
    }
    files.into_iter().max().unwrap().1
}

#[test]
fn a_missing_registry_model_or_key_is_told_with_a_remedy() {
    let place = Place::new();
    let error = failure(place.command().env("STRONGROOM_MODEL", IRIS));
    assert_eq!(error["stage"], "fetch");
    let place = Place::with(&artifact(IRIS));
    let error = failure(place.command().env("STRONGROOM_MODEL", "nobody"));
    assert!(error["error"].as_str().unwrap().contains("nobody") && error["remedy"] != "", "{error}");
    let error = failure(place.command().env("STRONGROOM_MODEL", IRIS).env("STRONGROOM_KEY", "file:/nowhere/key"));
    assert_eq!(error["stage"], "key");
    assert!(error["error"].as_str().unwrap().contains("/nowhere/key"), "{error}");
}

#[test]
fn a_taken_port_ends_with_1_and_names_the_address() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = Place::new();
    let output = place.run(&["serve", "--model", IRIS, "--bind", &address]);
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stdout).unwrap();
    let line: Value = serde_json::from_str(log.lines().last().expect("a line")).unwrap();
    assert_eq!((line["stage"].as_str(), line["object"].as_str()), (Some("bind"), Some(address.as_str())));
}

#[test]
fn wrong_settings_are_all_told_at_once_with_exit_code_2() {
    let output = program().env("STRONGROOM_THREADS", "many").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    for name in ["STRONGROOM_REGISTRY", "STRONGROOM_MODEL", "STRONGROOM_KEY", "STRONGROOM_THREADS"] {
        assert!(text.contains(name), "{name} is not in: {text}");
    }
    assert!(text.contains("\nhelp: "));
}

#[test]
fn usage_errors_are_2_help_and_version_are_0_and_failures_1() {
    assert_eq!(program().arg("dance").output().unwrap().status.code(), Some(2));
    let version = program().arg("--version").output().unwrap();
    assert_eq!((version.status.code(), version.stdout.starts_with(b"strongroom ")), (Some(0), true));
    let help = program().args(["serve", "--help"]).output().unwrap();
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(text.contains("STRONGROOM_REGISTRY") && text.contains("SAGEMAKER_BIND_TO_PORT"));
    let failed = program().args(["inspect", "/nowhere/file"]).output().unwrap();
    assert_eq!(failed.status.code(), Some(1));
    assert!(stderr(&failed).starts_with("error: ") && stderr(&failed).contains("/nowhere/file"));
}
