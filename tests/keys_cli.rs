//! What the program says about a key, and what it never says.

#[path = "support/program.rs"]
mod program;

use std::process::Output;

use program::{Place, program};

/// Base64 of 32 bytes: a key, where the name of one was expected.
const PASTED: &str = "w8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8M=";

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_pasted_key_is_never_printed() {
    let folder = tempfile::tempdir().unwrap();
    let verbs: [&[&str]; 10] = [
        &["seal", "p", "-o", "z"],
        &["open", "p", "-o", "z"],
        &["publish", "p", "--registry", "r"],
        &["promote", "m:1", "--alias", "live", "--registry", "r"],
        &["export", "m", "-o", "x", "--registry", "r"],
        &["serve", "--registry", "r", "--model", "m"],
        &["predict", "m", "p", "--registry", "r"],
        &["compare", "p", "q", "--model", "m", "--registry", "r"],
        &["inspect", "p"],
        &["key", "new", "--to", PASTED],
    ];
    for verb in verbs {
        for more in [&[][..], &["--help"]] {
            let mut command = program();
            command.current_dir(folder.path()).env("STRONGROOM_KEY", PASTED).args(verb).args(more);
            let output = command.output().unwrap();
            assert_eq!(output.status.success(), !more.is_empty(), "{verb:?}: {}", said(&output));
            assert!(!said(&output).contains(PASTED), "{verb:?} {more:?}: {}", said(&output));
        }
    }
    let output = program().args(["seal", "p", "-o", "z", "--key", PASTED]).output().unwrap();
    assert!(!said(&output).contains(PASTED) && said(&output).contains("a key is named file:PATH"), "{}", said(&output));
}

#[test]
fn a_key_is_made_with_json_too() {
    let folder = tempfile::tempdir().unwrap();
    let output = program().current_dir(folder.path()).args(["key", "new", "-o", "k", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let made: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(made["key"], "file:k");
    let output = program().current_dir(folder.path()).args(["key", "new", "-o", "none/k"]).output().unwrap();
    assert!(said(&output).contains("help: make the folder first"), "{}", said(&output));
}

#[test]
fn the_wrong_key_is_refused_with_help() {
    let place = Place::new();
    let (plain, sealed) = (place.path("plain"), place.path("sealed"));
    std::fs::write(&plain, "text").unwrap();
    assert!(place.run(&["seal", &plain, "-o", &sealed]).status.success());
    let mut damaged = std::fs::read(&sealed).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&sealed, damaged).unwrap();
    let output = place.run(&["open", &sealed, "-o", &place.path("out")]);
    assert!(said(&output).contains("help: copy the file again"), "{}", said(&output));
}

#[test]
fn a_bad_alias_is_noticed_before_anything_is_published() {
    let place = Place::new();
    let bundle = program::artifact("iris-random-forest");
    let output = place.run(&["publish", bundle.to_str().unwrap(), "--alias", "Bad"]);
    assert!(!output.status.success() && said(&output).contains("begins with a letter"), "{}", said(&output));
    assert!(!std::path::Path::new(&place.path("registry")).exists());
}

#[test]
fn promoting_needs_no_key() {
    let place = Place::with(&program::artifact("iris-random-forest"));
    let mut command = place.command();
    let output = command.env_remove("STRONGROOM_KEY").args(["promote", "iris-random-forest", "--alias", "canary"]);
    let output = output.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("iris-random-forest:canary -> "), "{}", said(&output));
}

#[test]
fn a_directory_retains_nothing_and_says_so_before_anything_is_published() {
    let place = Place::new();
    let bundle = program::artifact("iris-random-forest");
    for (retention, problem) in [("governance:30", "is a directory"), ("for ever", "neither governance:DAYS nor")] {
        let output = place.run(&["publish", bundle.to_str().unwrap(), "--retention", retention]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("STRONGROOM_RETENTION (--retention): "), "{}", said(&output));
        assert!(said(&output).contains(problem), "{}", said(&output));
    }
    assert!(!std::path::Path::new(&place.path("registry")).exists());
}

#[test]
fn a_secret_without_a_region_is_refused_in_one_line_with_help() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    std::fs::write(&plain, "text").unwrap();
    let mut command = program();
    // No region is found anywhere: no profile, and nobody at the metadata service, of which the SDK would tell more.
    command.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9").env("AWS_CONFIG_FILE", "/dev/null");
    command.current_dir(folder.path()).args(["seal", "plain", "-o", "out", "--key", "secretsmanager:x"]);
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = stderr.lines().collect();
    assert!(
        matches!(lines[..], [error, help] if error.starts_with("error: ") && help.starts_with("help: ")),
        "{stderr}"
    );
}
