//! What `strongroom export` writes, and that what it writes is served without a registry.

#[path = "support/program.rs"]
mod program;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use program::{Place, artifact, program};

const FLOWER: &str = "5.1,3.5,1.4,0.2\n";

fn iris() -> Place {
    let place = Place::with(&artifact("iris-random-forest"));
    fs::write(place.path("flower.csv"), FLOWER).unwrap();
    place
}

/// The program with the registry alone: no key is set.
fn keyless(place: &Place, arguments: &[&str]) -> Output {
    program().env("STRONGROOM_REGISTRY", place.path("registry")).args(arguments).output().unwrap()
}

fn export(place: &Place, output: &str) -> Output {
    keyless(place, &["export", "iris-random-forest", "-o", &place.path(output)])
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", said(output));
}

fn refused(output: &Output, code: i32, text: &str) {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
    assert!(said(output).contains(text), "{}", said(output));
}

/// Everything below `root` by its path: mode, and content where it is a file.
fn tree(root: &Path) -> BTreeMap<PathBuf, (u32, Option<Vec<u8>>)> {
    fn walk(root: &Path, path: &Path, found: &mut BTreeMap<PathBuf, (u32, Option<Vec<u8>>)>) {
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            let about = path.symlink_metadata().unwrap();
            let content = about.is_file().then(|| fs::read(&path).unwrap());
            found.insert(path.strip_prefix(root).unwrap().to_owned(), (about.permissions().mode() & 0o7777, content));
            if about.is_dir() {
                walk(root, &path, found);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(root, root, &mut found);
    found
}

/// The names in the place's own directory, hidden ones too.
fn names(place: &Place) -> Vec<String> {
    let names = fs::read_dir(place.0.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn an_export_needs_no_key_and_answers_with_the_key_alone() {
    let place = iris();
    succeeded(&export(&place, "exported"));
    let expected = place.run(&["predict", "iris-random-forest", &place.path("flower.csv")]);
    succeeded(&expected);
    let arguments = ["predict", &place.path("exported"), &place.path("flower.csv")];
    let key = format!("file:{}", place.path("key"));
    let answered = program().args(arguments).args(["--key", &key]).output().unwrap();
    succeeded(&answered);
    assert_eq!(answered.stdout, expected.stdout);
    refused(&program().args(arguments).output().unwrap(), 2, "STRONGROOM_KEY (--key) is not set");
}

#[test]
fn a_plain_bundle_at_a_path_needs_no_setting() {
    let place = iris();
    let bundle = artifact("iris-random-forest");
    let answered = program().arg("predict").arg(bundle).arg(place.path("flower.csv")).output().unwrap();
    succeeded(&answered);
}

#[test]
fn others_may_read_an_export_whatever_the_mask_says() {
    let place = iris();
    let (exe, out) = (env!("CARGO_BIN_EXE_strongroom"), place.path("exported"));
    let line = format!("umask 077; exec {exe} export iris-random-forest -o {out}");
    succeeded(&place.command().args(["--version"]).output().unwrap());
    let exported = Command::new("sh").args(["-c", &line]).env("STRONGROOM_REGISTRY", place.path("registry")).output();
    succeeded(&exported.unwrap());
    let modes = tree(Path::new(&out));
    assert!(modes.len() > 6);
    for (path, (mode, content)) in modes {
        assert_eq!(mode, if content.is_some() { 0o644 } else { 0o755 }, "{}", path.display());
    }
    assert_eq!(fs::metadata(out).unwrap().permissions().mode() & 0o7777, 0o755);
}

#[test]
fn an_archive_unpacks_to_the_exported_directory() {
    let place = iris();
    succeeded(&export(&place, "exported"));
    succeeded(&export(&place, "model.tar.gz"));
    let (archive, expected) = (place.path("model.tar.gz"), tree(Path::new(&place.path("exported"))));
    let unpack =
        "import sys, tarfile; tarfile.open(sys.argv[1], 'r:gz').extractall(sys.argv[2], filter='fully_trusted')";
    for (name, program, arguments) in
        [("by-tar", "tar", ["xpzf", &archive, "-C"]), ("by-python", "python3", ["-c", unpack, &archive])]
    {
        let to = place.path(name);
        fs::create_dir(&to).unwrap();
        succeeded(&Command::new(program).args(arguments).arg(&to).output().unwrap());
        assert!(tree(Path::new(&to)) == expected, "{name}");
    }
}

#[test]
fn an_archive_is_the_same_bytes_each_time_and_says_nothing_of_its_maker() {
    let place = iris();
    succeeded(&export(&place, "one.tar.gz"));
    succeeded(&export(&place, "two.tgz"));
    assert!(fs::read(place.path("one.tar.gz")).unwrap() == fs::read(place.path("two.tgz")).unwrap());
    let listed = Command::new("tar").args(["--utc", "--numeric-owner", "-tvzf", &place.path("one.tar.gz")]).output();
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    assert!(listed.lines().count() > 6, "{listed}");
    let names: Vec<&str> = listed.lines().map(|line| line.split(' ').next_back().unwrap()).collect();
    assert!(names.is_sorted() && names.contains(&"entry.json") && names[0] == "blobs/", "{listed}");
    for line in listed.lines() {
        let is_plain = line.starts_with("-rw-r--r-- 0/0") || line.starts_with("drwxr-xr-x 0/0");
        assert!(is_plain && line.contains(" 1970-01-01 00:00 "), "{line}");
    }
}

#[test]
fn what_exists_is_not_replaced_but_an_archive_by_force() {
    let place = iris();
    for name in ["full", "empty"] {
        fs::create_dir(place.path(name)).unwrap();
    }
    fs::write(place.path("full/mine"), "mine").unwrap();
    fs::write(place.path("mine.tar.gz"), "mine").unwrap();
    fs::write(place.path("mine"), "mine").unwrap();
    std::os::unix::fs::symlink(place.path("empty"), place.path("link")).unwrap();
    for name in ["full", "mine", "mine.tar.gz", "link"] {
        refused(&export(&place, name), 1, "exists already");
    }
    assert_eq!(fs::read(place.path("full/mine")).unwrap(), b"mine");
    succeeded(&export(&place, "empty"));
    assert!(Path::new(&place.path("empty/entry.json")).exists());
    let forced = |name: &str| keyless(&place, &["export", "iris-random-forest", "--force", "-o", &place.path(name)]);
    succeeded(&forced("mine.tar.gz"));
    refused(&forced("full"), 2, "never a directory");
    refused(&export(&place, "model.zip"), 2, "FILE.tar.gz");
}

#[test]
fn nothing_appears_after_a_failure() {
    let place = iris();
    let blobs = place.path("registry/blobs/sha256");
    let last = fs::read_dir(blobs).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let mut bytes = fs::read(&last).unwrap();
    bytes[300] ^= 1;
    fs::remove_file(&last).unwrap();
    fs::write(&last, bytes).unwrap();
    fs::create_dir(place.path("empty")).unwrap();
    let before = names(&place);
    for name in ["exported", "empty", "model.tar.gz"] {
        let failed = export(&place, name);
        refused(&failed, 1, last.file_name().unwrap().to_str().unwrap());
        assert!(said(&failed).contains("help: the object is missing or was altered"), "{}", said(&failed));
    }
    refused(&keyless(&place, &["export", "absent", "-o", &place.path("exported")]), 1, "has no alias live");
    refused(&export(&place, "no/such/folder/exported"), 1, "cannot be made");
    assert_eq!(names(&place), before);
    assert_eq!(tree(Path::new(&place.path("empty"))).len(), 0);
}

#[test]
fn what_was_exported_is_told_to_people_and_to_programs() {
    let place = iris();
    let told = export(&place, "exported");
    succeeded(&told);
    assert!(said(&told).starts_with("iris-random-forest:"), "{}", said(&told));
    let json = keyless(&place, &["export", "iris-random-forest", "--json", "-o", &place.path("model.tar.gz")]);
    succeeded(&json);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let files = tree(Path::new(&place.path("exported")));
    let contents: Vec<usize> = files.values().filter_map(|(_, content)| content.as_ref().map(Vec::len)).collect();
    assert_eq!(json["objects"], contents.len());
    assert_eq!(json["bytes"], contents.iter().sum::<usize>());
    assert_eq!(json["output"], place.path("model.tar.gz").as_str());
    assert!(said(&told).contains(json["digest"].as_str().unwrap()), "{json}");
}
