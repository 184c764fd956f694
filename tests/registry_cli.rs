//! Verbs of a registry as a user runs them: provenance, recovery keys, versions sealed again, a policy in a secret.

#[path = "support/moto.rs"]
mod moto;
#[path = "support/program.rs"]
mod program;

use std::process::{Command, Output};

use program::{Place, artifact};
use serde_json::Value;

const IRIS: &str = "iris-random-forest";

fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(command: &mut Command) -> Value {
    serde_json::from_str(&succeed(command)).unwrap()
}

/// It ends with this code, says so and what helps.
fn fails(command: &mut Command, code: i32, said: &str) {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    assert!(stderr(&output).contains(said) && stderr(&output).contains("help: "), "{}", stderr(&output));
}

#[test]
fn provenance_is_published_by_digest_and_shown() {
    let place = Place::new();
    let statement = r#"{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/provenance/v1"}"#;
    std::fs::write(place.path("slsa.json"), statement).unwrap();
    std::fs::write(place.path("metrics.csv"), "accuracy,0.97\n").unwrap();
    let mut publish = place.command();
    publish.arg("publish").arg(artifact(IRIS)).args(["--provenance", &place.path("slsa.json")]);
    succeed(publish.args(["--provenance", &place.path("metrics.csv")]));
    let version = format!("{IRIS}:1.0.0");
    let shown = succeed(place.command().args(["show", &version]));
    assert!(shown.contains("slsa.json, https://slsa.dev/provenance/v1, sha256:"), "{shown}");
    let shown = json(place.command().args(["show", &version, "--json"]));
    let digest = strongroom::sealed::digest::sha256_hex(b"accuracy,0.97\n");
    assert_eq!((&shown["provenance"][1]["kind"], &shown["provenance"][1]["sha256"]), (&"file".into(), &digest.into()));
    let nowhere = place.path("nowhere");
    let mut publish = place.command();
    let output = publish.arg("publish").arg(artifact(IRIS)).args(["--provenance", &nowhere]).output().unwrap();
    assert!(output.status.code() == Some(1) && stderr(&output).contains(&nowhere), "{output:?}");
}

#[test]
fn a_version_is_sealed_again_after_a_rotation() {
    let place = Place::with(&artifact(IRIS));
    let version = format!("{IRIS}:1.0.0");
    fails(place.command().args(["reseal", IRIS]), 2, "names an alias");
    fails(place.command().args(["reseal", &version]), 1, "rotate first");
    succeed(place.command().args(["key", "new", "-o", &place.path("new")]));
    let new = format!("file:{}", place.path("new"));
    succeed(place.command().args(["rotate", "--new-key", &new]));
    let mut reseal = place.command();
    let resealed = json(reseal.args(["reseal", "--all", "--json"]).env("STRONGROOM_KEY", &new));
    assert_eq!((&resealed["from"], &resealed["to"]), (&"1.0.0".into(), &"1.0.0+reseal.1".into()));
    assert_eq!(resealed["aliases"], serde_json::json!(["live"]));
    let flowers = artifact(IRIS).join("self-test/flowers.csv");
    succeed(place.command().args(["predict", IRIS]).arg(&flowers).env("STRONGROOM_KEY", &new));
    let old = place.command().args(["predict", IRIS]).arg(flowers).output().unwrap();
    assert_eq!(old.status.code(), Some(1), "the old key opens nothing any more");
    let again = succeed(place.command().args(["reseal", "--all"]).env("STRONGROOM_KEY", &new));
    assert!(again.contains("nothing was sealed"), "{again}");
}

#[test]
fn a_recovery_key_that_is_the_sealing_key_is_refused() {
    let place = Place::new();
    let key = format!("file:{}", place.path("key"));
    let mut publish = place.command();
    fails(publish.arg("publish").arg(artifact(IRIS)).args(["--recovery-key", &key]), 1, "the sealing key itself");
    assert!(!place.0.path().join("registry").exists(), "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_may_lie_in_a_secret() {
    let place = Place::new();
    succeed(place.command().args(["key", "new", "--signing", "-o", &place.path("signer")]));
    let signing_key = format!("file:{}", place.path("signer"));
    let public = succeed(place.command().args(["key", "public", "--signing-key", &signing_key]));
    std::fs::write(place.path("signer.pem"), public).unwrap();
    let named = format!("ci={}", place.path("signer.pem"));
    let policy = succeed(place.command().args(["trust", "--publisher", &named]));
    let aws = moto::moto().sdk().await;
    let client = aws_sdk_secretsmanager::Client::new(&aws);
    client.create_secret().name("models/trust").secret_string(policy).send().await.unwrap();
    client.create_secret().name("models/other").secret_string("{}").send().await.unwrap();
    let with = |trust: &str| {
        let mut command = place.command();
        command.env("STRONGROOM_TRUST", format!("secretsmanager:{trust}")).env("STRONGROOM_SIGNING_KEY", &signing_key);
        command.env("AWS_ENDPOINT_URL", moto::moto().endpoint()).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command
    };
    succeed(with("models/trust").arg("publish").arg(artifact(IRIS)).args(["--alias", "live"]));
    assert!(!succeed(with("models/trust").args(["log", "verify"])).is_empty());
    let mut serve = with("models/trust");
    serve.env_remove("STRONGROOM_SIGNING_KEY").args(["serve", "--model", IRIS, "--bind", "127.0.0.1:0"]);
    assert_eq!(program::Served::start(&mut serve).log("serving")["trust"], "signed");
    fails(with("models/other").args(["log", "verify"]), 1, "models/other");
    fails(with("models/nowhere").args(["log", "verify"]), 1, "models/nowhere");
}
