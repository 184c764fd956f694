//! Registries to try things on, and files to put into them.

#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_config::SdkConfig;
use bytes::Bytes;
use strongroom::bundle::Files;
use strongroom::keys::KeySource;
use strongroom::registry::{Content, ModelRef, Progress, Published, Registry, RegistryError, Release};
use strongroom::store::Location;
use tempfile::TempDir;

/// A place for a registry and a key file; a registry of it may be opened many times, as by many processes.
pub(crate) struct Place {
    pub(crate) location: Location,
    pub(crate) key: KeySource,
    pub(crate) aws: SdkConfig,
    /// Holds the key file and, where the store is a directory, that.
    pub(crate) scratch: TempDir,
}

impl Place {
    /// A registry in a directory.
    pub(crate) fn directory() -> Self {
        let scratch = TempDir::new().expect("a temporary directory");
        let location = Location::Dir(scratch.path().join("registry"));
        Self::at(location, SdkConfig::builder().build(), scratch)
    }

    /// A registry at `location`, with a key file.
    pub(crate) fn at(location: Location, aws: SdkConfig, scratch: TempDir) -> Self {
        let key = KeySource::File(key_file(scratch.path(), "kek", 7));
        Self { location, key, aws, scratch }
    }

    /// The directory the objects are in.
    pub(crate) fn root(&self) -> &Path {
        match &self.location {
            Location::Dir(root) => root,
            Location::S3 { .. } => panic!("objects in a bucket have no path"),
        }
    }

    pub(crate) async fn open(&self) -> Registry {
        self.open_with(&self.key).await
    }

    pub(crate) async fn open_with(&self, key: &KeySource) -> Registry {
        Registry::open(&self.location, key, &self.aws).await.expect("a registry")
    }

    /// The one object whose key begins with `prefix`.
    pub(crate) fn only_object(&self, prefix: &str) -> PathBuf {
        let objects = self.objects(prefix);
        assert_eq!(objects.len(), 1, "{objects:?}");
        objects[0].clone()
    }

    /// All objects whose keys begin with `prefix`, a directory's name.
    pub(crate) fn objects(&self, prefix: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.root().join(prefix), &mut found);
        found.sort();
        found
    }
}

/// Writes a key file of 32 equal bytes.
pub(crate) fn key_file(directory: &Path, name: &str, byte: u8) -> PathBuf {
    key_bytes_file(directory, name, &[byte; 32])
}

/// Writes a key file of these bytes, in hex.
pub(crate) fn key_bytes_file(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    std::io::Write::write_all(&mut file.expect("a key file"), hex::encode(bytes).as_bytes()).expect("to write");
    path
}

/// Files with these lengths, their content told apart by `seed`.
pub(crate) fn files(seed: u64, lens: &[usize]) -> Files {
    let file = |(place, len): (usize, &usize)| (format!("part/{place:03}.bin"), noise(seed + place as u64, *len));
    lens.iter().enumerate().map(file).collect::<BTreeMap<_, _>>()
}

/// Bytes that look random, the same for the same seed (xorshift).
pub(crate) fn noise(seed: u64, len: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(next).collect()
}

pub(crate) async fn publish(registry: &Registry, version: &str, files: &Files) -> Result<Published, RegistryError> {
    registry.publish(&Release::new("model", version, &Content::in_memory(files)), &|_: Progress<'_>| ()).await
}

/// Publishes `files` as `version` and promotes it to `live`.
pub(crate) async fn publish_live(registry: &Registry, version: &str, files: &Files) {
    publish(registry, version, files).await.expect("to publish");
    registry.promote(&model(&format!("model:{version}")), "live").await.expect("to promote");
}

pub(crate) fn model(text: &str) -> ModelRef {
    text.parse().expect("a model's name")
}

/// The error and its causes, as the command line prints them.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Flips the lowest bit of the byte at `at`.
pub(crate) fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).expect("an object");
    bytes[at] ^= 1;
    overwrite(path, &bytes);
}

/// Replaces an object's bytes behind the store's back.
pub(crate) fn overwrite(path: &Path, bytes: &[u8]) {
    let mut mode = std::fs::metadata(path).expect("an object").permissions();
    mode.set_mode(0o600);
    std::fs::set_permissions(path, mode).expect("to set the mode");
    std::fs::write(path, bytes).expect("to overwrite");
}

fn walk(path: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), found),
            Ok(kind) if kind.is_file() && !hidden => found.push(entry.path()),
            Ok(_) | Err(_) => {}
        }
    }
}
