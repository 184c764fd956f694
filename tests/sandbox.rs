//! The sandbox as a user of the program meets it: in the log, in `/metrics`, in what `doctor` says, and in its exit codes.

#[path = "support/program.rs"]
mod program;
#[path = "support/server.rs"]
mod server;

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use program::{Place, Served, artifact, program};
use rustix::process::{Signal, getuid};
use serde_json::Value;
use server::send;

const IRIS: &str = "iris-random-forest";
const LAYERS: [&str; 6] = ["identity", "privileges", "dumps", "files", "ports", "calls"];

/// A place whose registry anybody may read; its key stays its owner's.
fn readable_place() -> Place {
    let place = Place::with(&artifact(IRIS));
    fs::set_permissions(place.0.path(), Permissions::from_mode(0o755)).unwrap();
    open_to_all(Path::new(&place.path("registry")));
    place
}

fn open_to_all(path: &Path) {
    let directory = path.is_dir();
    fs::set_permissions(path, Permissions::from_mode(if directory { 0o755 } else { 0o644 })).unwrap();
    if directory {
        fs::read_dir(path).unwrap().for_each(|entry| open_to_all(&entry.unwrap().path()));
    }
}

/// A line of /proc/PID/status.
fn status(served: &Served, name: &str) -> Vec<String> {
    let text = fs::read_to_string(served.proc("status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().map(str::to_owned).collect()
}

fn doctor(place: &Place, arguments: &[&str]) -> (Output, Vec<Value>) {
    let output = place.command().args(["doctor", "--json", "--model", IRIS]).args(arguments).output().unwrap();
    let findings: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output, findings["findings"].as_array().cloned().unwrap_or_default())
}

fn finding<'a>(findings: &'a [Value], subject: &str) -> &'a Value {
    findings.iter().find(|finding| finding["subject"] == subject).unwrap_or_else(|| panic!("{subject}: {findings:?}"))
}

#[test]
fn a_server_started_as_root_serves_as_nobody_in_particular_without_capabilities() {
    let place = readable_place();
    let mut served = place.serve(IRIS);
    served.log("ready");
    let uid = if getuid().is_root() { "65532".to_owned() } else { getuid().as_raw().to_string() };
    assert_eq!(status(&served, "Uid:"), vec![uid; 4]);
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(status(&served, set), ["0000000000000000"], "{set}");
    }
    if getuid().is_root() {
        assert_eq!(status(&served, "CapBnd:"), ["0000000000000000"]);
        assert!(status(&served, "Groups:").is_empty());
    }
    assert_eq!((status(&served, "NoNewPrivs:"), status(&served, "Seccomp:")), (vec!["1".into()], vec!["2".into()]));
    // The key file is root's and 0600: it was read before.
    let answer = send(served.address, "POST", "/invocations", &[("content-type", "text/csv")], b"5.1,3.5,1.4,0.2\n");
    assert_eq!(answer.status, 200, "{}", answer.text());
    served.signal(Signal::TERM);
    assert_eq!(served.exit_code(), Some(0));
}

#[test]
fn every_thread_is_confined() {
    let place = readable_place();
    let served = place.serve(IRIS);
    served.log("ready");
    let tasks: Vec<_> = fs::read_dir(served.proc("task")).unwrap().map(|task| task.unwrap().path()).collect();
    assert!(tasks.len() > 4, "{tasks:?}");
    for task in tasks {
        let text = fs::read_to_string(task.join("status")).unwrap();
        assert!(text.contains("NoNewPrivs:\t1") && text.contains("Seccomp:\t2"), "{text}");
        assert!(!getuid().is_root() || text.contains("Uid:\t65532\t65532\t65532\t65532"), "{text}");
    }
}

#[test]
fn the_log_and_metrics_say_of_every_layer_whether_it_is_in_force() {
    let place = readable_place();
    let served = Served::start_at(place.command().args(["serve", "--model", IRIS, "--bind", "127.0.0.1:0"]), "sandbox");
    let line = served.first.clone();
    assert_eq!(line["sandbox"], "auto");
    served.log("ready");
    let page = send(served.address, "GET", "/metrics", &[], b"").text();
    for layer in LAYERS {
        let state = line[format!("sandbox_{layer}")].as_str().unwrap();
        let value = u8::from(!state.starts_with("missing: "));
        assert!(page.contains(&format!("strongroom_sandbox{{layer=\"{layer}\"}} {value}")), "{state}\n{page}");
    }
}

#[test]
fn without_a_sandbox_only_dumps_are_forbidden() {
    let place = readable_place();
    let mut command = place.command();
    command.env("STRONGROOM_SANDBOX", "off").args(["serve", "--model", IRIS, "--bind", "127.0.0.1:0"]);
    let served = Served::start_at(&mut command, "sandbox");
    for layer in LAYERS {
        let state = served.first[format!("sandbox_{layer}")].as_str().unwrap();
        assert_eq!(state.starts_with("missing: switched off"), layer != "dumps", "{layer}: {state}");
    }
    assert_eq!(status(&served, "Seccomp:"), ["0"]);
}

#[test]
fn root_is_kept_where_the_model_would_become_unreadable_and_strict_does_not_start() {
    if !getuid().is_root() {
        return;
    }
    let place = readable_place();
    fs::set_permissions(place.path("registry/log"), Permissions::from_mode(0o700)).unwrap();
    let mut served = place.serve(IRIS);
    served.log("ready");
    assert_eq!(
        (status(&served, "Uid:")[1].as_str(), status(&served, "CapEff:")[0].as_str()),
        ("0", "0000000000000000")
    );
    served.signal(Signal::TERM);
    assert_eq!(served.exit_code(), Some(0));
    let refused = place.run(&["serve", "--model", IRIS, "--bind", "127.0.0.1:0", "--sandbox", "strict"]);
    let log = String::from_utf8(refused.stdout).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{log}");
    let error: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(error["stage"], "sandbox");
    assert!(error["error"].as_str().unwrap().contains("registry/log") && !error["remedy"].as_str().unwrap().is_empty());
    let (output, findings) = doctor(&place, &["--sandbox", "strict"]);
    assert_eq!(output.status.code(), Some(1));
    let identity = finding(&findings, "sandbox identity");
    assert_eq!(identity["verdict"], "failed");
    assert!(identity["remedy"].as_str().unwrap().contains("chown -R 65532:65532"), "{identity}");
}

#[test]
fn root_is_kept_where_credentials_would_become_unreadable() {
    if !getuid().is_root() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    fs::set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
    let identity = || {
        let mut command = program();
        command.args(["doctor", "--json", "--model", IRIS, "--registry", "s3://models", "--key", "secretsmanager:kek"]);
        command.env("HOME", home.path()).env("AWS_REGION", "us-east-1").env("AWS_EC2_METADATA_DISABLED", "true");
        let findings: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        finding(findings["findings"].as_array().unwrap(), "sandbox identity")["verdict"].as_str().unwrap().to_owned()
    };
    // A home that others may not enter, and that holds nothing of AWS.
    assert_eq!(identity(), "ok");
    fs::create_dir(home.path().join(".aws")).unwrap();
    fs::write(home.path().join(".aws/config"), "").unwrap();
    assert_eq!(identity(), "warning");
}

#[test]
fn strict_starts_where_every_layer_can_be_had() {
    let place = readable_place();
    let (_, findings) = doctor(&place, &[]);
    let whole = LAYERS.iter().all(|layer| finding(&findings, &format!("sandbox {layer}"))["verdict"] == "ok");
    let mut command = place.command();
    command.args(["serve", "--model", IRIS, "--sandbox", "strict", "--bind", "127.0.0.1:0"]);
    if whole {
        Served::start(&mut command).log("ready");
    } else {
        assert_eq!(command.output().unwrap().status.code(), Some(1));
    }
}

#[test]
fn a_server_finds_its_sockets_and_files_in_the_sandbox_for_its_whole_life() {
    let place = readable_place();
    let mut served = place.serve(IRIS);
    served.log("ready");
    served.signal(Signal::TERM);
    assert_eq!(served.exit_code(), Some(0));
    let warnings: Vec<Value> = served.rest().into_iter().filter(|line| line["level"] != "INFO").collect();
    assert!(warnings.iter().all(|line| line["message"] == "serving an unsigned model"), "{warnings:?}");
}

#[test]
fn doctor_finds_nothing_in_the_way_of_a_server_that_starts() {
    let place = readable_place();
    let (output, findings) = doctor(&place, &[]);
    assert_eq!(output.status.code(), Some(0), "{findings:?}");
    assert!(findings.iter().all(|finding| finding["verdict"] != "failed"), "{findings:?}");
    assert_eq!(finding(&findings, "key")["verdict"], "ok");
}

#[test]
fn doctor_names_a_key_file_that_others_may_read() {
    let place = readable_place();
    fs::set_permissions(place.path("key"), Permissions::from_mode(0o644)).unwrap();
    let (output, findings) = doctor(&place, &[]);
    assert_eq!(output.status.code(), Some(1));
    let key = finding(&findings, "key");
    assert_eq!(key["verdict"], "failed");
    assert!(key["found"].as_str().unwrap().contains("key") && !key["remedy"].is_null(), "{key}");
}

#[test]
fn doctor_names_a_model_that_is_not_there() {
    let place = Place::new();
    let output = place.command().args(["doctor", "--model", &place.path("./none")]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.lines().any(|line| line.starts_with("failed") && line.contains("none")), "{text}");
}

#[test]
fn doctor_answers_wrong_settings_with_2() {
    let output = program().arg("doctor").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("STRONGROOM_MODEL"));
}

#[test]
fn a_health_check_succeeds_when_the_server_is_ready_and_not_before() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let ask = |port: &str| program().args(["healthcheck", "--port", port]).output().unwrap();
    assert_eq!(ask(&free).status.code(), Some(1));
    let place = readable_place();
    let served = place.serve(IRIS);
    served.log("ready");
    let port = served.address.port().to_string();
    assert_eq!(ask(&port).status.code(), Some(0));
    // As a container's does, which knows the server's own settings only.
    let output = program().arg("healthcheck").env("STRONGROOM_BIND", format!("0.0.0.0:{port}")).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"ready\n"[..]));
    served.signal(Signal::TERM);
    served.log("draining");
    let draining = ask(&port);
    assert_eq!(draining.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&draining.stderr).contains("503"), "{draining:?}");
}
