//! `strongroom sign`, `verify`, `trust` and what they leave in a registry; with OpenSSF's `model_signing` as the judge.

#[path = "support/esdk.rs"]
mod esdk;
#[path = "support/program.rs"]
mod program;

use std::path::Path;
use std::process::{Command, Output};

use esdk::tool;
use program::{Place, artifact, program};
use serde_json::Value;

/// A place with the signing keys of two people, a policy, and a bundle to sign.
struct Desk(Place);

impl Desk {
    fn new() -> Self {
        let desk = Self(Place::new());
        for name in ["alice", "bob"] {
            desk.well(&["key", "new", "--signing", "-o", &desk.0.path(name)]);
            let pem = desk.well(&["key", "public", "--signing-key", &desk.key(name)]);
            std::fs::write(desk.0.path(&format!("{name}.pem")), pem).unwrap();
        }
        let policy = desk.well(&["trust", "--author", &desk.named("alice"), "--publisher", &desk.named("bob")]);
        std::fs::write(desk.0.path("trust.json"), policy).unwrap();
        copy(&artifact("iris-random-forest"), Path::new(&desk.0.path("iris")));
        desk
    }

    fn key(&self, name: &str) -> String {
        format!("file:{}", self.0.path(name))
    }

    fn named(&self, name: &str) -> String {
        format!("{name}={}", self.0.path(&format!("{name}.pem")))
    }

    fn bundle(&self) -> String {
        self.0.path("iris")
    }

    /// What a command that succeeds prints.
    fn well(&self, arguments: &[&str]) -> String {
        let output = self.0.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The error of a command that fails with `code`.
    fn fails(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.0.run(arguments);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        text
    }

    fn verify(&self) -> Output {
        self.0.run(&["verify", &self.bundle(), "--trust", &self.0.path("trust.json")])
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

/// OpenSSF's own program.
fn model_signing(arguments: &[&str]) -> Output {
    let mut command = Command::new(tool("oms/bin/model_signing"));
    command.args(arguments).output().unwrap_or_else(|error| panic!("{error}; run `make test`"))
}

#[test]
fn a_signed_directory_verifies_here_and_with_openssfs_program() {
    let desk = Desk::new();
    let said = desk.well(&["sign", &desk.bundle(), "--signing-key", &desk.key("alice")]);
    assert!(said.contains("files signed"), "{said}");
    assert!(desk.verify().status.success(), "{:?}", desk.verify());
    let signature = format!("{}/model.sig", desk.bundle());
    let judge = |key: &str| {
        let key = desk.0.path(&format!("{key}.pem"));
        model_signing(&["verify", "key", &desk.bundle(), "--signature", &signature, "--public_key", &key])
    };
    assert!(judge("alice").status.success(), "{:?}", judge("alice"));
    assert!(!judge("bob").status.success());
}

#[test]
fn what_openssfs_program_signed_verifies_here() {
    let desk = Desk::new();
    let signature = format!("{}/model.sig", desk.bundle());
    let signed = model_signing(&[
        "sign",
        "key",
        &desk.bundle(),
        "--signature",
        &signature,
        "--private_key",
        &desk.0.path("alice"),
    ]);
    assert!(signed.status.success(), "{signed:?}");
    let verified = desk.verify();
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn a_key_of_p_384_signs_and_verifies_too() {
    let desk = Desk::new();
    let key = desk.0.path("carol");
    let openssl = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-out", &key];
    assert!(Command::new("openssl").args(openssl).output().unwrap().status.success());
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let pem = desk.well(&["key", "public", "--signing-key", &desk.key("carol")]);
    std::fs::write(desk.0.path("carol.pem"), pem).unwrap();
    desk.well(&["sign", &desk.bundle(), "--signing-key", &desk.key("carol")]);
    let policy = desk.well(&["trust", "--author", &desk.named("carol")]);
    std::fs::write(desk.0.path("trust.json"), policy).unwrap();
    assert!(desk.verify().status.success(), "{:?}", desk.verify());
    let signature = format!("{}/model.sig", desk.bundle());
    let judge = model_signing(&[
        "verify",
        "key",
        &desk.bundle(),
        "--signature",
        &signature,
        "--public_key",
        &desk.0.path("carol.pem"),
    ]);
    assert!(judge.status.success(), "{judge:?}");
}

#[test]
fn what_was_changed_after_it_was_signed_is_named() {
    let desk = Desk::new();
    let verify = ["verify", &desk.bundle(), "--trust", &desk.0.path("trust.json")].map(str::to_owned);
    let verify: Vec<&str> = verify.iter().map(String::as_str).collect();
    assert!(desk.fails(1, &verify).contains("is not signed: it has no model.sig"));
    desk.well(&["sign", &desk.bundle(), "--signing-key", &desk.key("alice")]);
    let labels = format!("{}/model.toml", desk.bundle());
    let intact = std::fs::read(&labels).unwrap();
    std::fs::write(&labels, [&intact[..], b"\n"].concat()).unwrap();
    let text = desk.fails(1, &verify);
    assert!(text.contains("model.toml has the digest") && text.contains("help: restore what was signed"), "{text}");
    std::fs::write(&labels, &intact).unwrap();
    let more = format!("{}/more.bin", desk.bundle());
    std::fs::write(&more, "more").unwrap();
    assert!(desk.fails(1, &verify).contains("more.bin is not signed"));
    std::fs::remove_file(&more).unwrap();
    desk.well(&["sign", &desk.bundle(), "--signing-key", &desk.key("bob"), "--force"]);
    assert!(desk.fails(1, &verify).contains("bob signed it, who is not trusted as author"));
}

#[test]
fn a_signature_is_not_replaced_unasked_and_wrong_arguments_end_with_2() {
    let desk = Desk::new();
    desk.well(&["sign", &desk.bundle(), "--signing-key", &desk.key("alice")]);
    assert!(desk.fails(1, &["sign", &desk.bundle(), "--signing-key", &desk.key("alice")]).contains("exists already"));
    assert!(
        desk.fails(2, &["sign", &desk.bundle(), "--signing-key", "alice"])
            .contains("file:PATH, kms:ID-or-ARN or pkcs11:URI")
    );
    desk.fails(2, &["sign", &desk.bundle()]);
    assert!(desk.fails(2, &["verify", &desk.bundle(), "--trust", "{}"]).contains("no trust policy"));
    assert!(desk.fails(2, &["verify", &desk.bundle(), "--trust", "nowhere.json"]).contains("cannot be read"));
    assert!(desk.fails(2, &["rollback", "model:1.0.0"]).contains("names a version"));
    assert!(desk.fails(2, &["erase", "model", "--yes"]).contains("names an alias"));
    let open = desk.0.path("open");
    std::fs::copy(desk.0.path("alice"), &open).unwrap();
    std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let text = desk.fails(1, &["sign", &desk.bundle(), "--signing-key", &desk.key("open"), "--force"]);
    assert!(text.contains("has mode 0644") && text.contains("help: chmod 600"), "{text}");
}

#[test]
fn keys_of_other_kinds_are_refused_with_the_way_to_convert_them() {
    let desk = Desk::new();
    for (arguments, reason) in [
        (&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"][..], "of another kind"),
        (&["genpkey", "-algorithm", "ED25519"], "of another kind"),
        (&["ecparam", "-name", "prime256v1", "-genkey", "-noout"], "SEC 1"),
        (
            &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes256", "-pass", "pass:x"],
            "encrypted",
        ),
    ] {
        let key = desk.0.path("other");
        let made = Command::new("openssl").args(arguments).args(["-out", &key]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let text = desk.fails(1, &["key", "public", "--signing-key", &desk.key("other")]);
        assert!(text.contains(reason) && text.contains("openssl pkcs8"), "{text}");
        std::fs::remove_file(&key).unwrap();
    }
}

#[test]
fn a_signed_registry_is_published_to_shown_rolled_back_and_verified() {
    let desk = Desk::new();
    desk.well(&["sign", &desk.bundle(), "--signing-key", &desk.key("alice")]);
    let trust = desk.0.path("trust.json");
    let signing = ["--signing-key", &desk.key("bob"), "--trust", &trust].map(str::to_owned);
    let with = |arguments: &[&str]| {
        let all: Vec<&str> = arguments.iter().copied().chain(signing.iter().map(String::as_str)).collect();
        desk.well(&all)
    };
    assert!(with(&["publish", &desk.bundle(), "--alias", "live"]).contains("published, signed"));
    let manifest = format!("{}/model.toml", desk.bundle());
    let text = std::fs::read_to_string(&manifest).unwrap();
    let version = text.lines().find(|line| line.starts_with("version")).unwrap();
    std::fs::write(&manifest, text.replace(version, "version = \"9.0.0\"")).unwrap();
    desk.well(&["sign", &desk.bundle(), "--signing-key", &desk.key("alice"), "--force"]);
    with(&["publish", &desk.bundle(), "--alias", "live"]);
    let rolled = with(&["rollback", "iris-random-forest"]);
    assert!(rolled.contains("(was 9.0.0)"), "{rolled}");
    let trusted = |arguments: &[&str]| {
        let all: Vec<&str> = arguments.iter().copied().chain(["--trust", &trust]).collect();
        desk.well(&all)
    };
    let log = trusted(&["log", "--registry", &desk.0.path("registry")]);
    assert_eq!(log.lines().count(), 5, "{log}");
    assert!(log.lines().all(|line| line.ends_with("[bob]")) && log.contains("rolled back to"), "{log}");
    let records = trusted(&["log", "iris-random-forest", "--json"]);
    let last: Value = serde_json::from_str(records.lines().last().unwrap()).unwrap();
    assert_eq!((&last["change"], &last["signature"]["signers"][0]["name"]), (&"rollback".into(), &"bob".into()));
    assert!(trusted(&["log", "verify"]).starts_with("5 entries hold; signatures verified\nhead sha256:"));
    let list = trusted(&["list"]);
    assert_eq!(list.lines().count(), 2, "{list}");
    assert!(list.lines().next().unwrap().ends_with("<- live"), "{list}");
    let shown = trusted(&["show", "iris-random-forest", "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&shown["aliases"][0], &shown["entry"]["index"]), (&"live".into(), &0.into()));
    // What nobody signed is refused where the policy is set.
    let unsigned = desk.0.run(&["promote", "iris-random-forest:9.0.0", "--alias", "canary", "--trust", &trust]);
    let text = String::from_utf8(unsigned.stderr).unwrap();
    assert!(text.contains("is not signed"), "{text}");
    let predicted = trusted(&["predict", "iris-random-forest", &format!("{}/self-test/flowers.csv", desk.bundle())]);
    assert!(!predicted.is_empty());
}

#[test]
fn a_policy_of_publishers_alone_asks_for_no_authors() {
    let desk = Desk::new();
    let policy = desk.well(&["trust", "--publisher", &desk.named("bob")]);
    std::fs::write(desk.0.path("trust.json"), policy).unwrap();
    let trust = desk.0.path("trust.json");
    desk.well(&["publish", &desk.bundle(), "--alias", "live", "--signing-key", &desk.key("bob"), "--trust", &trust]);
    assert!(desk.well(&["list", "--trust", &trust]).contains("[bob]"));
    desk.fails(2, &["trust"]);
}

#[test]
fn help_of_each_new_verb_has_an_example() {
    for verb in [
        "sign",
        "verify",
        "trust",
        "rollback",
        "log",
        "list",
        "show",
        "fetch",
        "fsck",
        "gc",
        "erase",
        "rotate",
        "migrate",
        "completions",
    ] {
        let output = program().args([verb, "--help"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("Example") && text.contains(&format!("strongroom {verb}")), "{text}");
    }
}
