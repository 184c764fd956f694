//! The list of a version's files: names, sizes, plaintext digests, and which sealed file holds which. Itself sealed.

use serde::{Deserialize, Serialize};

use super::content::Content;
use super::reference::{check_digest, check_name, check_version};

/// A version has at most this many files.
pub const MAX_FILES: usize = 1_000;
/// A version's files hold at most this many bytes together: 64 GiB.
pub const MAX_TOTAL_LEN: u64 = 64 << 30;
/// A file's path within its bundle is at most this long, in bytes.
pub const MAX_PATH_LEN: usize = 255;
/// A list of files is at most this long, in bytes: room for 1,000 of the longest paths.
pub(super) const MAX_INDEX_LEN: u64 = 1 << 20;

/// All files of one version, by path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileIndex {
    /// The model these files are; must be the register entry's.
    pub(super) model: String,
    /// Its version; must be the register entry's.
    pub(super) version: String,
    /// Sorted by path, no path twice.
    pub(super) files: Vec<IndexedFile>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IndexedFile {
    /// Relative to the bundle, `/` between the parts.
    pub(super) path: String,
    /// Hex SHA-256 of the plaintext.
    pub(super) sha256: String,
    /// Length of the plaintext in bytes.
    pub(super) len: u64,
    /// Hex SHA-256 of the sealed file.
    pub(super) blob: String,
}

impl FileIndex {
    /// Reads a list that was opened, and checks all of it.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let index: Self = serde_json::from_slice(bytes).map_err(|e| format!("not a list of files: {e}"))?;
        index.check()?;
        Ok(index)
    }

    /// The list's bytes, checked as a reader will.
    pub(super) fn write(&self) -> Result<Vec<u8>, String> {
        self.check()?;
        let bytes = serde_json::to_vec(self).map_err(|e| e.to_string())?;
        if bytes.len() as u64 > MAX_INDEX_LEN {
            return Err(format!(
                "the list of files is {} bytes long; at most {MAX_INDEX_LEN} are allowed",
                bytes.len()
            ));
        }
        Ok(bytes)
    }

    /// Whether these are the very files listed: the same paths, lengths and plaintext digests.
    pub(super) fn lists(&self, content: &Content) -> bool {
        let files = content.iter();
        self.files.len() == files.len()
            && self.files.iter().zip(files).all(|(listed, (path, plain))| {
                listed.path == path && listed.len == plain.len && listed.sha256 == plain.sha256
            })
    }

    fn check(&self) -> Result<(), String> {
        check_name(&self.model).and_then(|()| check_version(&self.version))?;
        check_bounds(self.files.iter().map(|file| (file.path.as_str(), file.len)))?;
        if !self.files.is_sorted_by(|a, b| a.path < b.path) {
            return Err("the files are not sorted by path".into());
        }
        for file in &self.files {
            check_digest(&file.sha256).and_then(|()| check_digest(&file.blob))?;
        }
        Ok(())
    }
}

/// What a version may hold: checked before anything is sealed, and again before any buffer is reserved.
pub(super) fn check_bounds<'a>(files: impl Iterator<Item = (&'a str, u64)>) -> Result<(), String> {
    let (mut count, mut total) = (0_usize, 0_u64);
    for (path, len) in files {
        check_path(path)?;
        count += 1;
        total = total.saturating_add(len);
        if count > MAX_FILES || total > MAX_TOTAL_LEN {
            return Err(format!("more than {MAX_FILES} files or {MAX_TOTAL_LEN} bytes in one version"));
        }
    }
    if count == 0 { Err("no files".into()) } else { Ok(()) }
}

/// A path names a file below the bundle and nothing else, on every system.
fn check_path(path: &str) -> Result<(), String> {
    let is_part = |part: &str| !matches!(part, "" | "." | "..");
    let is_plain = |c: char| !c.is_control() && c != '\\';
    if path.len() <= MAX_PATH_LEN && path.split('/').all(is_part) && path.chars().all(is_plain) {
        return Ok(());
    }
    Err(format!(
        "the path {:?} is not a relative path of at most {MAX_PATH_LEN} bytes",
        path.chars().take(80).collect::<String>()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below_the_bundle() {
        for path in ["model.onnx", "a/b/c.bin", "größe.txt", "a b"] {
            assert_eq!(check_path(path), Ok(()), "{path}");
        }
        for path in ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\\b", "a\nb", &"x".repeat(256)] {
            assert!(check_path(path).is_err(), "{path}");
        }
    }

    #[test]
    fn a_version_is_bounded_in_number_and_size() {
        let names: Vec<String> = (0..=MAX_FILES).map(|i| format!("{i}")).collect();
        assert!(check_bounds(names[..MAX_FILES].iter().map(|name| (name.as_str(), 1))).is_ok());
        assert!(check_bounds(names.iter().map(|name| (name.as_str(), 1))).is_err());
        assert!(check_bounds([("a", MAX_TOTAL_LEN), ("b", 1)].into_iter()).is_err());
        assert!(check_bounds([("a", u64::MAX), ("b", u64::MAX)].into_iter()).is_err());
        assert!(check_bounds(std::iter::empty()).is_err());
    }

    #[test]
    fn the_largest_list_fits_its_bound() {
        let file = |i: usize| IndexedFile {
            path: format!("{i:0>width$}", width = MAX_PATH_LEN),
            sha256: "0".repeat(64),
            len: MAX_TOTAL_LEN / 1000,
            blob: "0".repeat(64),
        };
        let files = (0..MAX_FILES).map(file).collect();
        let index = FileIndex { model: "m".into(), version: "1".into(), files };
        assert!(index.write().is_ok());
    }
}
