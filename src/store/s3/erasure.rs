//! Deletion in a bucket: of an object's versions one by one, for to delete an object only hides them.

use super::{Bucket, StoreError};

/// After so many pages of versions the prefix is not one of ours.
const MAX_PAGES: usize = 1_000;

/// Deletes all versions, and what marks objects as deleted, of every key that begins with `prefix`.
pub(super) async fn delete_all(bucket: &Bucket, prefix: &str) -> Result<usize, StoreError> {
    let (mut key_marker, mut version_marker, mut deleted) = (None, None, 0);
    for _ in 0..MAX_PAGES {
        let request = bucket.client.list_object_versions().bucket(&bucket.name).prefix(bucket.full(prefix));
        let request = request.set_key_marker(key_marker).set_version_id_marker(version_marker);
        let page = request.send().await.map_err(|error| bucket.failure(prefix).of(error))?;
        let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
        let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
        for (key, version) in versions.chain(markers) {
            let Some(key) = key else { continue };
            delete(bucket, key, version).await?;
            deleted += 1;
        }
        if page.is_truncated() != Some(true) {
            return Ok(deleted);
        }
        (key_marker, version_marker) = (page.next_key_marker, page.next_version_id_marker);
    }
    Err(StoreError::TooMany { store: bucket.uri(prefix), limit: MAX_PAGES * 1_000 })
}

async fn delete(bucket: &Bucket, full_key: &str, version: Option<&str>) -> Result<(), StoreError> {
    let request = bucket.client.delete_object().bucket(&bucket.name).key(full_key);
    let request = request.set_version_id(version.map(str::to_owned));
    let key = full_key.strip_prefix(&bucket.prefix).unwrap_or(full_key);
    request.send().await.map(drop).map_err(|error| bucket.failure(key).of(error))
}
