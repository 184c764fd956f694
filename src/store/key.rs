//! What an object key is. One rule for both kinds of store, so that what one accepts the other does, and no key can
//! leave a directory or meet our own hidden files there.

use super::StoreError;

/// Half of S3's 1,024 bytes: the other half is the prefix's.
const MAX_LEN: usize = 512;
/// A file name has at most 255 bytes; hidden files beside it need some of them.
const MAX_SEGMENT: usize = 200;

/// Refuses what is no key.
pub(super) fn check(key: &str) -> Result<(), StoreError> {
    wrong(key).map_or(Ok(()), |reason| Err(StoreError::Key { key: shown(key), reason }))
}

/// Refuses what no key begins with.
pub(super) fn check_prefix(prefix: &str) -> Result<(), StoreError> {
    match prefix.strip_suffix('/').unwrap_or(prefix) {
        "" if prefix.is_empty() => Ok(()),
        whole => check(whole),
    }
}

/// What is wrong with `key`, if anything.
pub(super) fn wrong(key: &str) -> Option<&'static str> {
    if key.is_empty() {
        return Some("it is empty");
    }
    if key.len() > MAX_LEN {
        return Some("it is longer than 512 bytes");
    }
    key.split('/').find_map(wrong_segment)
}

fn wrong_segment(segment: &str) -> Option<&'static str> {
    let allowed = |c: u8| c.is_ascii_alphanumeric() || b"._-+=@".contains(&c);
    match segment {
        "" => Some("it has an empty segment"),
        hidden if hidden.starts_with('.') => Some("a segment begins with a dot"),
        long if long.len() > MAX_SEGMENT => Some("a segment is longer than 200 bytes"),
        other if !other.bytes().all(allowed) => Some("only A-Z a-z 0-9 . _ - + = @ and / are allowed"),
        _ => None,
    }
}

/// Enough of a wrong key to recognise it.
fn shown(key: &str) -> String {
    key.chars().take(80).collect()
}
