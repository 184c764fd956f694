//! `strongroom seal`, `open` and `inspect` on files.
#[path = "support/esdk.rs"]
mod esdk;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use clap::Parser;
use esdk::{Case, context, key_name, plaintext, repository, seal};
use strongroom::cli::{inspect, open, seal as seal_verb};
use strongroom::config::seal::{InspectArgs, OpenArgs, SealArgs};
use strongroom::sealed::SealingKey;

#[derive(Parser)]
enum Verb {
    Seal(SealArgs),
    Open(OpenArgs),
    Inspect(InspectArgs),
}

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        desk.put_key("key", &[7; 32]);
        desk.put_key("other", &[8; 32]);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn put_key(&self, name: &str, key: &[u8; 32]) {
        self.put(name, key);
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o600)).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Runs a command line in which `@name` is a file on the desk; answers with what it printed.
    fn run(&self, line: &str) -> Result<String, String> {
        let place = |word: &str| match word.split_once('@') {
            Some((before, name)) => format!("{before}{}", self.path(name).display()),
            None => word.to_owned(),
        };
        let verb = Verb::try_parse_from(std::iter::once("strongroom".to_owned()).chain(line.split(' ').map(place)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut printed = Vec::new();
        let outcome = match verb.map_err(|error| error.to_string())? {
            Verb::Seal(args) => runtime.block_on(seal_verb::run(&args)),
            Verb::Open(args) => runtime.block_on(open::run(&args)),
            Verb::Inspect(args) => inspect::report(&args, &mut printed),
        };
        outcome.map_err(|error| format!("{error:#}"))?;
        Ok(String::from_utf8(printed).unwrap())
    }

    fn refuses(&self, line: &str, because: &str) {
        let before = self.names();
        let error = self.run(line).unwrap_err();
        assert!(error.contains(because), "{error}");
        assert_eq!(self.names(), before, "{line} left something behind");
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn what_is_sealed_opens_to_itself_in_a_file_of_mode_600() {
    let desk = Desk::new();
    for len in [0, 1, (9 << 20) + 5] {
        desk.put("plain", &plaintext(len));
        desk.run("seal @plain --key file:@key -o @sealed --context artifact=a1 --force").unwrap();
        desk.run("open @sealed --key file:@key -o @opened --context artifact=a1 --force").unwrap();
        assert!(desk.read("opened") == plaintext(len));
        assert_eq!(desk.path("opened").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(desk.names(), ["key", "opened", "other", "plain", "sealed"]);
}

#[test]
fn nothing_appears_when_the_last_frame_is_damaged() {
    let desk = Desk::new();
    desk.put("plain", &plaintext(3 << 20));
    desk.run("seal @plain --key file:@key -o @sealed").unwrap();
    let mut damaged = desk.read("sealed");
    *damaged.last_mut().unwrap() ^= 1;
    desk.put("sealed", &damaged);
    desk.refuses("open @sealed --key file:@key -o @opened", "frame 4 is not authentic");
}

#[test]
fn what_exists_is_replaced_only_by_force() {
    let desk = Desk::new();
    desk.put("plain", b"new");
    desk.put("out", b"old");
    desk.refuses("seal @plain --key file:@key -o @out", "exists already");
    assert_eq!(desk.read("out"), b"old");
    desk.run("seal @plain --key file:@key -o @out --force").unwrap();
    desk.refuses("open @out --key file:@key -o @plain", "exists already");
    desk.run("open @out --key file:@key -o @plain --force").unwrap();
    assert_eq!(desk.read("plain"), b"new");
}

#[test]
fn another_key_or_context_is_refused_by_name() {
    let desk = Desk::new();
    desk.put("plain", b"text");
    desk.run("seal @plain --key file:@key -o @sealed --context artifact=a1").unwrap();
    let id = SealingKey::from_bytes(&[8; 32]).id();
    desk.refuses("open @sealed --key file:@other -o @opened", &format!("holds the key {id}"));
    desk.refuses("open @sealed --key file:@key -o @opened --context artifact=a2", "but \"a2\" is required");
    desk.refuses("open @sealed --key file:@key -o @opened --context file=x", "the file has no context \"file\"");
    desk.refuses("open @sealed --key file:@key -o @opened --key-name k9", "was not sealed for key \"k9\"");
    desk.refuses("open @plain --key file:@key -o @opened", "not a sealed file");
    desk.refuses("open @absent --key file:@key -o @opened", "absent is not read");
}

#[test]
fn what_others_sealed_opens_with_and_without_naming_its_key() {
    let desk = Desk::new();
    let sealed =
        seal(b"theirs", &SealingKey::from_bytes(&[7; 32]), &key_name("ns", "k1"), &context(&[("a", "b")]), 128);
    desk.put("sealed", &sealed);
    desk.run("open @sealed --key file:@key -o @one").unwrap();
    desk.run("open @sealed --key file:@key -o @two --key-namespace ns --key-name k1").unwrap();
    assert_eq!((desk.read("one"), desk.read("two")), (b"theirs".to_vec(), b"theirs".to_vec()));
    desk.refuses("open @sealed --key file:@other -o @three", "it is the wrong key");
    desk.refuses(
        "open @sealed --key file:@key -o @three --key-namespace nsx",
        "a key of namespace \"nsx\"; it was sealed for \"k1\"",
    );
}

#[test]
fn inspect_shows_a_header_without_a_key_and_says_that_it_is_not_authenticated() {
    let desk = Desk::new();
    desk.put("plain", &plaintext((1 << 20) + 3));
    desk.run("seal @plain --key file:@key -o @sealed --context artifact=a1").unwrap();
    let text = desk.run("inspect @sealed").unwrap();
    assert!(text.starts_with("not authenticated"), "{text}");
    assert!(text.contains("context     \"artifact\" = \"a1\""), "{text}");
    let json: serde_json::Value = serde_json::from_str(&desk.run("inspect @sealed --json").unwrap()).unwrap();
    assert_eq!(json["authenticated"], false);
    assert_eq!(json["suite"], "0478");
    assert_eq!(json["keys"][0]["namespace"], "strongroom/kek");
    assert_eq!(json["keys"][0]["name"], SealingKey::from_bytes(&[7; 32]).id());
    assert_eq!(json["context"]["artifact"], "a1");
    assert_eq!((&json["frames"], &json["plaintext_bytes"]), (&2.into(), &((1 << 20) + 3).into()));
}

#[test]
fn inspect_shows_the_header_of_a_file_of_impossible_size_and_fails() {
    let desk = Desk::new();
    desk.put("plain", b"text");
    desk.run("seal @plain --key file:@key -o @sealed").unwrap();
    let sealed = desk.read("sealed");
    desk.put("sealed", &sealed[..sealed.len() - 10]);
    desk.refuses("inspect @sealed", "truncated or extended");
}

#[test]
fn a_context_pair_needs_its_equals_sign() {
    let desk = Desk::new();
    desk.put("plain", b"text");
    desk.refuses("seal @plain --key file:@key -o @sealed --context artifact", "expected KEY=VALUE");
}

#[test]
fn every_vector_that_opens_opens_on_the_command_line() {
    let desk = Desk::new();
    desk.put_key("kek", &std::array::from_fn(|place| place as u8));
    let directory = repository("tests/vectors/esdk");
    for case in Case::read_all(&directory).into_iter().filter(|case| case.expect == "open") {
        std::fs::copy(directory.join(&case.file), desk.path("sealed")).unwrap();
        let Case { provider_id, key_id, .. } = &case;
        let mut line =
            format!("open @sealed --key file:@kek -o @out --force --key-namespace {provider_id} --key-name {key_id}");
        for (key, value) in &case.encryption_context {
            line += &format!(" --context {key}={value}");
        }
        desk.run(&line).unwrap_or_else(|error| panic!("{}: {error}", case.file));
        assert_eq!(desk.read("out").len() as u64, case.plaintext_len, "{}", case.file);
    }
}

#[test]
fn only_a_regular_file_is_sealed_opened_or_inspected() {
    let desk = Desk::new();
    assert!(std::process::Command::new("mkfifo").arg(desk.path("pipe")).status().unwrap().success());
    for what in ["@pipe", "/dev/zero", "@."] {
        for line in ["seal {} --key file:@key -o @out", "open {} --key file:@key -o @out", "inspect {}"] {
            desk.refuses(&line.replace("{}", what), "is not a regular file");
        }
    }
}

#[test]
fn a_context_key_that_is_given_twice_is_refused() {
    let desk = Desk::new();
    desk.put("plain", b"text");
    desk.run("seal @plain --key file:@key -o @sealed --context a=2").unwrap();
    let twice = "context key \"a\" is given twice";
    desk.refuses("seal @plain --key file:@key -o @out --context a=1 --context a=2", twice);
    desk.refuses("open @sealed --key file:@key -o @out --context a=1 --context a=2", twice);
}
