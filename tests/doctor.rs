//! `strongroom doctor` names what is wrong with a set-up, and says what helps: one test per way to get it wrong.

#[path = "support/program.rs"]
mod program;
#[allow(dead_code, reason = "each test file uses its part")]
#[path = "support/scripted.rs"]
mod scripted;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use program::{Place, artifact};
use scripted::{Scripted, Service};
use serde_json::Value;

const IRIS: &str = "iris-random-forest";

/// A set-up that is right but for what a test does to it: a registry with a version that two signers signed and that a
/// recovery key opens, too.
struct Setup {
    place: Place,
    policy: String,
}

impl Setup {
    fn new() -> Self {
        let place = Place::new();
        for name in ["publisher", "mallory"] {
            succeed(place.command().args(["key", "new", "--signing", "-o", &place.path(name)]));
        }
        succeed(place.command().args(["key", "new", "-o", &place.path("recovery")]));
        let setup = Self { policy: policy_of(&place, "publisher"), place };
        let bundle = artifact(IRIS);
        let mut publish = setup.signed("publisher");
        let recovery = format!("file:{}", setup.place.path("recovery"));
        succeed(publish.arg("publish").arg(bundle).args(["--alias", "live", "--recovery-key", &recovery]));
        setup
    }

    /// The program, set to the registry and signing with the key of `name`.
    fn signed(&self, name: &str) -> Command {
        let mut command = self.place.command();
        command.env("STRONGROOM_SIGNING_KEY", format!("file:{}", self.place.path(name)));
        command
    }

    fn doctor(&self) -> Command {
        let mut command = self.place.command();
        command.args(["doctor", "--json"]).env("STRONGROOM_MODEL", IRIS).env("STRONGROOM_TRUST", &self.policy);
        command
    }

    /// The objects below `folder` of the registry.
    fn objects(&self, folder: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.place.0.path().join("registry").join(folder), &mut found);
        found
    }
}

fn walk(path: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(path).unwrap().flatten() {
        if entry.path().is_dir() { walk(&entry.path(), found) } else { found.push(entry.path()) }
    }
}

/// A policy that trusts the key of `name`, with `more` in that key's object.
fn policy_with(place: &Place, name: &str, more: &str) -> String {
    let output = place.run(&["key", "public", "--signing-key", &format!("file:{}", place.path(name))]);
    let pem = serde_json::to_string(&String::from_utf8(output.stdout).unwrap()).unwrap();
    format!(r#"{{"signers":{{"ci":[{{"pem":{pem}{more}}}]}},"publisher":{{"signers":["ci"]}}}}"#)
}

fn policy_of(place: &Place, name: &str) -> String {
    policy_with(place, name, "")
}

fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn findings(command: &mut Command) -> (Option<i32>, Vec<Value>) {
    let output = command.output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), answer["findings"].as_array().unwrap().clone())
}

/// The one finding that is not good, but for the sandbox's layers; it says what helps.
fn only(command: &mut Command) -> (Option<i32>, String, String, String) {
    let (code, findings) = findings(command);
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap_or_default().to_owned();
    let mut wrong = findings
        .iter()
        .filter(|finding| text(finding, "verdict") != "ok" && !text(finding, "subject").starts_with("sandbox"));
    let finding = wrong.next().unwrap_or_else(|| panic!("nothing is wrong: {findings:#?}"));
    assert!(wrong.next().is_none(), "{findings:#?}");
    (code, text(finding, "subject"), text(finding, "found"), text(finding, "remedy"))
}

/// It is a failure of `subject`, of which `said` is said, and `helps` helps.
fn fails(command: &mut Command, subject: &str, said: &str, helps: &str) {
    let (code, found_subject, found, remedy) = only(command);
    assert_eq!((code, found_subject.as_str()), (Some(1), subject), "{found}");
    assert!(found.contains(said), "`{said}` is not in: {found}");
    assert!(remedy.contains(helps) && !remedy.is_empty(), "`{helps}` is not in: {remedy}");
}

/// It is a warning: a server starts all the same.
fn warns(command: &mut Command, subject: &str, said: &str, helps: &str) {
    let (code, found_subject, found, remedy) = only(command);
    assert_eq!((code, found_subject.as_str()), (Some(0), subject), "{found}");
    assert!(found.contains(said) && remedy.contains(helps), "{found}; {remedy}");
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_set_up_that_is_right_has_nothing_wrong() {
    let setup = Setup::new();
    let (code, findings) = findings(&mut setup.doctor());
    let wrong =
        |finding: &&Value| finding["verdict"] != "ok" && !finding["subject"].as_str().unwrap().starts_with("sandbox");
    assert_eq!((code, findings.iter().find(wrong)), (Some(0), None));
    let model = findings.iter().find(|finding| finding["subject"] == "model").unwrap();
    assert!(model["found"].as_str().unwrap().contains("signed as the policy asks"), "{model}");
}

#[test]
fn a_registry_that_is_not_there() {
    let setup = Setup::new();
    let nowhere = setup.place.path("nowhere");
    let (code, findings) = findings(setup.doctor().env("STRONGROOM_REGISTRY", &nowhere));
    let files = findings.iter().find(|finding| finding["subject"] == "model files").unwrap();
    assert_eq!((code, files["verdict"].as_str()), (Some(1), Some("failed")));
    assert!(files["found"].as_str().unwrap().contains(&nowhere) && files["remedy"] != Value::Null, "{files}");
}

#[test]
fn a_model_that_was_never_published() {
    fails(Setup::new().doctor().env("STRONGROOM_MODEL", "nobody"), "model", "nobody", "publish");
}

#[test]
fn an_alias_that_there_is_none_of() {
    fails(Setup::new().doctor().env("STRONGROOM_MODEL", format!("{IRIS}:canary")), "model", "canary", "promote");
}

#[test]
fn a_version_that_there_is_none_of() {
    fails(Setup::new().doctor().env("STRONGROOM_MODEL", format!("{IRIS}:9.9.9")), "model", "9.9.9", "publish");
}

#[test]
fn a_pinned_digest_that_there_is_none_of() {
    let pinned = format!("{IRIS}@sha256:{}", "0".repeat(64));
    fails(Setup::new().doctor().env("STRONGROOM_MODEL", &pinned), "model", &pinned, "publish");
}

#[test]
fn an_erased_version() {
    let setup = Setup::new();
    let other = setup.place.0.path().join("other");
    succeed(Command::new("cp").arg("-r").arg(artifact(IRIS)).arg(&other));
    let manifest = std::fs::read_to_string(other.join("model.toml")).unwrap();
    std::fs::write(other.join("model.toml"), manifest.replacen("1.0.0", "2.0.0", 1)).unwrap();
    succeed(setup.signed("publisher").arg("publish").arg(&other));
    let version = format!("{IRIS}:2.0.0");
    succeed(setup.signed("publisher").args(["erase", &version, "--yes"]));
    fails(setup.doctor().env("STRONGROOM_MODEL", &version), "model", "erased", "publish");
}

#[test]
fn a_key_file_that_is_not_there() {
    fails(Setup::new().doctor().env("STRONGROOM_KEY", "file:/nowhere/key"), "key", "/nowhere/key", "");
}

#[test]
fn a_key_file_that_others_may_read() {
    let setup = Setup::new();
    std::fs::set_permissions(setup.place.path("key"), PermissionsExt::from_mode(0o644)).unwrap();
    fails(&mut setup.doctor(), "key", "key", "chmod");
}

#[test]
fn a_key_file_that_holds_a_password() {
    let setup = Setup::new();
    std::fs::write(setup.place.path("key"), "correct horse battery staple 123").unwrap();
    fails(&mut setup.doctor(), "key", "a password, not a key", "");
}

#[test]
fn a_key_file_that_was_cut() {
    let setup = Setup::new();
    std::fs::write(setup.place.path("key"), [7; 20]).unwrap();
    fails(&mut setup.doctor(), "key", "20 bytes long", "");
}

#[test]
fn another_key() {
    let setup = Setup::new();
    succeed(setup.place.command().args(["key", "new", "-o", &setup.place.path("other")]));
    let other = format!("file:{}", setup.place.path("other"));
    fails(setup.doctor().env("STRONGROOM_KEY", other), "model", "keyslots", "--key");
}

#[test]
fn keyslots_that_are_gone() {
    let setup = Setup::new();
    setup.objects("keyslots").iter().for_each(|slot| std::fs::remove_file(slot).unwrap());
    fails(&mut setup.doctor(), "model", "missing", "restore");
}

#[test]
fn keyslots_that_were_altered() {
    let setup = Setup::new();
    setup.objects("keyslots").iter().for_each(|slot| flip(slot));
    fails(&mut setup.doctor(), "model", "keyslots/", "altered");
}

#[test]
fn sealed_files_that_are_gone() {
    let setup = Setup::new();
    setup.objects("blobs").iter().for_each(|blob| std::fs::remove_file(blob).unwrap());
    fails(&mut setup.doctor(), "model", "blobs/", "restore");
}

#[test]
fn sealed_files_that_were_altered() {
    let setup = Setup::new();
    setup.objects("blobs").iter().for_each(|blob| flip(blob));
    fails(&mut setup.doctor(), "model", "blobs/", "altered");
}

#[test]
fn an_alias_object_that_was_altered() {
    let setup = Setup::new();
    flip(&setup.objects("aliases")[0]);
    fails(&mut setup.doctor(), "model", "aliases/", "");
}

#[test]
fn a_log_entry_that_is_gone() {
    let setup = Setup::new();
    std::fs::remove_file(setup.place.path("registry/log/00000000000000000000.json")).unwrap();
    fails(&mut setup.doctor(), "model", "log/00000000000000000000.json", "restore");
}

#[test]
fn a_registry_that_nobody_signed() {
    let setup = Setup::new();
    let unsigned = Place::with(&artifact(IRIS));
    let mut doctor = setup.doctor();
    doctor.env("STRONGROOM_REGISTRY", unsigned.path("registry"));
    doctor.env("STRONGROOM_KEY", format!("file:{}", unsigned.path("key")));
    fails(&mut doctor, "model", "not signed", "migrate");
}

#[test]
fn a_signer_whom_nobody_trusts() {
    let setup = Setup::new();
    let other = policy_of(&setup.place, "mallory");
    fails(setup.doctor().env("STRONGROOM_TRUST", other), "model", "log/", "");
}

#[test]
fn a_signature_from_before_its_key_was_trusted() {
    let setup = Setup::new();
    let late = policy_with(&setup.place, "publisher", r#","from":"2999-01-01T00:00:00Z""#);
    let (code, findings) = findings(setup.doctor().env("STRONGROOM_TRUST", late));
    let verdict = |subject: &str| findings.iter().find(|it| it["subject"] == subject).unwrap()["verdict"].clone();
    assert_eq!((code, verdict("trust"), verdict("model")), (Some(1), "warning".into(), "failed".into()));
}

#[test]
fn a_key_whose_time_has_run_out() {
    let setup = Setup::new();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    let text = succeed(setup.place.command().args(["log", "--json"])).stdout;
    let newest: Value = serde_json::from_str(String::from_utf8(text).unwrap().lines().last().unwrap()).unwrap();
    let mut until = newest["created"].as_str().unwrap().to_owned();
    // A second after the newest entry, which still counts; there are no leap seconds in it.
    let seconds: u32 = until[17..19].parse().unwrap();
    if seconds == 59 {
        return a_key_whose_time_has_run_out();
    }
    until.replace_range(17..19, &format!("{:02}", seconds + 1));
    let policy = policy_with(&setup.place, "publisher", &format!(r#","until":"{until}""#));
    warns(setup.doctor().env("STRONGROOM_TRUST", policy), "trust", &until, "add a key");
}

#[test]
fn models_that_authors_were_to_sign() {
    let setup = Setup::new();
    let authors = setup.policy.replacen(r#""publisher":"#, r#""author":{"signers":["ci"]},"publisher":"#, 1);
    fails(setup.doctor().env("STRONGROOM_TRUST", authors), "model", "model.sig", "strongroom sign");
}

#[test]
fn no_policy() {
    warns(
        Setup::new().doctor().env_remove("STRONGROOM_TRUST"),
        "trust",
        "no signature is verified",
        "STRONGROOM_TRUST",
    );
}

#[test]
fn an_alias_below_the_floor() {
    fails(Setup::new().doctor().env("STRONGROOM_MIN_INDEX", "7"), "model", "expected none before 7", "log");
}

#[test]
fn no_recovery_key() {
    let setup = Setup::new();
    let others = setup.objects("keyslots");
    // The keyslot under the sealing key's own name stays.
    let own = succeed(setup.place.command().args(["rotate", "--status", "--json"])).stdout;
    let own = serde_json::from_slice::<Value>(&own).unwrap()["current"].as_str().unwrap().to_owned();
    for slot in others.iter().filter(|slot| slot.file_name().unwrap().to_str() != Some(&own)) {
        std::fs::remove_file(slot).unwrap();
    }
    warns(&mut setup.doctor(), "recovery key", "no other key opens the model", "--recovery-key");
}

#[test]
fn a_mounted_directory_that_holds_no_model() {
    let setup = Setup::new();
    std::fs::create_dir(setup.place.path("empty")).unwrap();
    fails(setup.doctor().env("STRONGROOM_MODEL", setup.place.path("empty/")), "model", "entry.json", "export");
}

#[test]
fn a_mounted_bundle_in_plain() {
    let setup = Setup::new();
    let mut doctor = setup.doctor();
    doctor.env("STRONGROOM_MODEL", artifact(IRIS));
    fails(&mut doctor, "model", "unsealed", "STRONGROOM_ALLOW_UNSEALED");
}

#[test]
fn settings_that_are_missing() {
    let output = program::program().args(["doctor"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    for name in ["STRONGROOM_REGISTRY", "STRONGROOM_MODEL", "STRONGROOM_KEY"] {
        assert!(String::from_utf8_lossy(&output.stderr).contains(name), "{output:?}");
    }
}

/// The set-up with its registry in S3, of which every call gets this answer.
fn in_s3(setup: &Setup, status: u16, code: &str) -> Command {
    let body = format!("<Error><Code>{code}</Code><Message>said so</Message></Error>");
    let service = Service::start(vec![Scripted::new(status, body).header("Content-Type", "application/xml")]);
    let mut doctor = setup.doctor();
    doctor.env("STRONGROOM_REGISTRY", "s3://models/prod");
    on_aws(&mut doctor, &service.endpoint);
    doctor
}

fn on_aws(command: &mut Command, endpoint: &str) {
    command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_REGION", "us-east-1").env("AWS_MAX_ATTEMPTS", "1");
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
}

/// The set-up with its key in a secret, of which every call gets this answer.
fn in_a_secret(setup: &Setup, code: &str) -> Command {
    let body = format!(r#"{{"__type":"{code}","Message":"said so"}}"#);
    let answer = Scripted::new(400, body).header("Content-Type", "application/x-amz-json-1.1");
    let mut doctor = setup.doctor();
    doctor.env("STRONGROOM_KEY", "secretsmanager:models/kek");
    on_aws(&mut doctor, &Service::start(vec![answer]).endpoint);
    doctor
}

#[test]
fn a_bucket_that_there_is_none_of() {
    fails(&mut in_s3(&Setup::new(), 404, "NoSuchBucket"), "model", "s3://models", "");
}

#[test]
fn a_role_that_may_not_read_the_bucket() {
    fails(&mut in_s3(&Setup::new(), 403, "AccessDenied"), "model", "s3://models/prod", "s3:GetObject");
}

#[test]
fn a_clock_that_is_wrong() {
    fails(&mut in_s3(&Setup::new(), 403, "RequestTimeTooSkewed"), "model", "RequestTimeTooSkewed", "clock");
}

#[test]
fn credentials_that_have_run_out() {
    fails(&mut in_s3(&Setup::new(), 400, "ExpiredToken"), "model", "ExpiredToken", "credentials");
}

#[test]
fn a_bucket_of_another_region() {
    fails(&mut in_s3(&Setup::new(), 301, "PermanentRedirect"), "model", "s3://models", "AWS_REGION");
}

#[test]
fn a_service_that_nothing_leads_to() {
    let setup = Setup::new();
    let mut doctor = setup.doctor();
    doctor.env("STRONGROOM_REGISTRY", "s3://models/prod");
    on_aws(&mut doctor, "http://127.0.0.1:9");
    fails(&mut doctor, "model", "s3://models/prod", "");
}

#[test]
fn a_role_that_may_not_read_the_secret() {
    fails(
        &mut in_a_secret(&Setup::new(), "AccessDeniedException"),
        "key",
        "models/kek",
        "secretsmanager:GetSecretValue",
    );
}

#[test]
fn a_secret_that_there_is_none_of() {
    fails(&mut in_a_secret(&Setup::new(), "ResourceNotFoundException"), "key", "models/kek", "");
}

#[test]
fn a_role_that_may_not_decrypt_the_secret() {
    fails(&mut in_a_secret(&Setup::new(), "DecryptionFailure"), "key", "models/kek", "kms:Decrypt");
}

#[test]
fn a_policy_in_a_secret_that_there_is_none_of() {
    let setup = Setup::new();
    let body = r#"{"__type":"ResourceNotFoundException","Message":"none"}"#;
    let answer = Scripted::new(400, body).header("Content-Type", "application/x-amz-json-1.1");
    let mut doctor = setup.doctor();
    doctor.env("STRONGROOM_TRUST", "secretsmanager:models/trust");
    on_aws(&mut doctor, &Service::start(vec![answer]).endpoint);
    fails(&mut doctor, "trust", "models/trust", "");
}
