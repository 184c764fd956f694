//! The keys of a registry's objects. `docs/FORMAT.md` describes what they hold.

/// Every log entry's key begins with this.
pub(super) const LOG: &str = "log/";

/// The register entry of an export, in whose directory it is the only version.
pub(super) const ENTRY: &str = "entry.json";
/// Where the sealed files are.
pub(super) const BLOBS: &str = "blobs/sha256";

/// A sealed file, named by the SHA-256 of its sealed bytes. Immutable.
pub(super) fn blob(digest: &str) -> String {
    format!("{BLOBS}/{digest}")
}

/// Where the keyslots of an artifact are.
pub(super) fn keyslots(artifact: &str) -> String {
    format!("keyslots/{artifact}/")
}

/// An artifact's key, sealed under one KEK. Created once, deletable.
pub(super) fn keyslot(artifact: &str, kek: &str) -> String {
    format!("keyslots/{artifact}/{kek}")
}

/// One log entry. Created once: the commit point.
pub(super) fn log_entry(index: u64) -> String {
    format!("{LOG}{index:020}.json")
}

/// The index a log entry's key stands for; `None` for a key that is no log entry's.
pub(super) fn log_index(key: &str) -> Option<u64> {
    let digits = key.strip_prefix(LOG)?.strip_suffix(".json")?;
    let index = digits.parse().ok()?;
    (log_entry(index) == key).then_some(index)
}

/// A copy of an alias's newest log entry. Replaced by compare-and-swap.
pub(super) fn alias(model: &str, alias: &str) -> String {
    format!("aliases/{model}/{alias}.json")
}

/// Whether a KEK's name may stand in a key: the alphabet of Secrets Manager's version ids and of key file ids.
pub(super) fn is_kek_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_key_names_its_index_and_nothing_else_does() {
        assert_eq!(log_entry(7), "log/00000000000000000007.json");
        assert_eq!(log_index(&log_entry(u64::MAX)), Some(u64::MAX));
        for key in ["log/7.json", "log/.json", "log/+0000000000000000007.json", "log/00000000000000000007.jsonx", "x"] {
            assert_eq!(log_index(key), None, "{key}");
        }
    }

    #[test]
    fn a_kek_name_cannot_leave_its_directory() {
        assert!(is_kek_name("0f8b8b2c-9d7d-4c3f-8b1e-2f3a4b5c6d7e"));
        for name in ["", "..", "a/b", ".hidden", "a\0b", &"a".repeat(65)] {
            assert!(!is_kek_name(name), "{name}");
        }
    }
}
