//! Which files of a directory are a bundle's.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use strongroom::registry::{MAX_FILES, RegistryError, read_directory};
use tempfile::TempDir;

fn with(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::new().unwrap();
    for (path, content) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    directory
}

fn paths(directory: &Path) -> Vec<String> {
    read_directory(directory).unwrap().into_keys().collect()
}

#[test]
fn files_are_named_by_their_path_below_the_directory() {
    let directory = with(&[("model.toml", "a"), ("onnx/model.onnx", "b"), ("a/b/c", "c")]);
    let files = read_directory(directory.path()).unwrap();
    let expected = [("a/b/c", "c"), ("model.toml", "a"), ("onnx/model.onnx", "b")];
    assert!(files.iter().map(|(path, bytes)| (path.as_str(), std::str::from_utf8(bytes).unwrap())).eq(expected));
}

#[test]
fn hidden_files_and_directories_are_left_out() {
    let directory = with(&[("model.toml", ""), (".git/config", ""), (".cache/x", ""), ("a/.swp", "")]);
    assert_eq!(paths(directory.path()), ["model.toml"]);
}

#[test]
fn a_link_to_a_file_inside_is_read_as_that_file() {
    let directory = with(&[("data/weights.bin", "w")]);
    symlink("data/weights.bin", directory.path().join("model.bin")).unwrap();
    assert_eq!(read_directory(directory.path()).unwrap()["model.bin"], "w");
}

#[test]
fn the_directory_itself_may_be_a_link() {
    let directory = with(&[("model.toml", "")]);
    let outer = TempDir::new().unwrap();
    symlink(directory.path(), outer.path().join("link")).unwrap();
    assert_eq!(paths(&outer.path().join("link")), ["model.toml"]);
}

#[test]
fn a_link_that_leads_out_is_refused_with_the_remedy() {
    // As a model hub's cache has it: snapshots/REVISION/FILE -> ../../blobs/DIGEST.
    let cache = with(&[("blobs/0a1b", "w"), ("snapshots/main/config.json", "{}")]);
    let snapshot = cache.path().join("snapshots/main");
    symlink("../../blobs/0a1b", snapshot.join("model.onnx")).unwrap();
    let error = read_directory(&snapshot).unwrap_err();
    assert!(matches!(&error, RegistryError::Unfit { path, .. } if path.ends_with("model.onnx")), "{error}");
    assert!(error.remedy().unwrap().contains("cp -rL"));
}

#[test]
fn links_to_directories_and_into_nothing_and_pipes_are_refused() {
    let directory = with(&[("data/weights.bin", "w")]);
    for (target, name) in [("data", "link"), (".", "loop"), ("nowhere", "dangling")] {
        let link = directory.path().join(name);
        symlink(target, &link).unwrap();
        assert!(read_directory(directory.path()).is_err(), "{name}");
        fs::remove_file(link).unwrap();
    }
    let pipe = directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(matches!(read_directory(directory.path()), Err(RegistryError::Unfit { .. })));
}

#[test]
fn number_and_nesting_are_bounded() {
    let directory = with(&[]);
    for place in 0..MAX_FILES {
        fs::write(directory.path().join(place.to_string()), "").unwrap();
    }
    assert_eq!(paths(directory.path()).len(), MAX_FILES);
    fs::write(directory.path().join("one-more"), "").unwrap();
    assert!(read_directory(directory.path()).is_err());
    let deep = with(&[(&format!("{}x", "d/".repeat(20)), "")]);
    assert!(read_directory(deep.path()).is_err());
}

#[test]
fn a_file_larger_than_a_version_may_be_is_refused_unread() {
    let directory = with(&[("model.toml", "")]);
    let sparse = fs::File::create(directory.path().join("sparse")).unwrap();
    sparse.set_len((64 << 30) + 1).unwrap();
    let error = read_directory(directory.path()).unwrap_err();
    assert!(matches!(&error, RegistryError::Unreadable { path, .. } if path.ends_with("sparse")), "{error}");
}

#[test]
fn what_is_missing_or_empty_is_named() {
    assert!(matches!(read_directory(Path::new("no/such/directory")), Err(RegistryError::Unreadable { .. })));
    assert!(matches!(read_directory(with(&[]).path()), Err(RegistryError::Bounds { .. })));
}
