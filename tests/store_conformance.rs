//! What a store promises, held by both kinds: a directory, and a bucket of a moto server.

#[path = "support/moto.rs"]
mod moto;

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::StreamExt;
use strongroom::store::{ETag, Location, Store, StoreError};

/// An empty store, one beside it, and one that does not exist.
struct Stores {
    store: Store,
    sibling: Store,
    missing: Store,
    _folder: Option<tempfile::TempDir>,
}

async fn in_directory() -> Stores {
    let folder = tempfile::tempdir().unwrap();
    let aws = strongroom::config::aws::load(false).await;
    let open = |name| Store::open(&Location::Dir(folder.path().join(name)), &aws);
    Stores { store: open("a"), sibling: open("a2"), missing: open("none/such"), _folder: Some(folder) }
}

async fn in_bucket() -> Stores {
    let bucket = format!("conformance-{}", uuid::Uuid::new_v4());
    let aws = moto::moto().sdk().await;
    let config = aws_sdk_s3::config::Builder::from(&aws).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config).create_bucket().bucket(&bucket).send().await.unwrap();
    let open = |location: String| Store::open(&location.parse().unwrap(), &aws);
    Stores {
        store: open(format!("s3://{bucket}/team/a")),
        sibling: open(format!("s3://{bucket}/team/a2")),
        missing: open(format!("s3://{bucket}-none")),
        _folder: None,
    }
}

macro_rules! on_both {
    ($($rule:ident),* $(,)?) => {
        mod directory { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $rule() { super::$rule(&super::in_directory().await).await }
        )* }
        mod bucket { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $rule() { super::$rule(&super::in_bucket().await).await }
        )* }
    };
}

on_both!(
    what_was_created_is_read_back,
    an_empty_object_is_an_object,
    a_second_create_changes_nothing,
    of_racing_creates_one_wins,
    a_swap_replaces_the_expected_version_only,
    a_swap_that_expects_nothing_creates,
    a_swap_of_what_is_not_there_conflicts,
    of_racing_swaps_one_wins_per_generation,
    a_pinned_range_of_a_changed_object_is_refused,
    a_range_is_as_long_as_asked_for_or_refused,
    a_missing_object_and_a_missing_store_differ,
    no_more_than_the_limit_is_read,
    a_list_is_sorted_and_of_its_prefix,
    a_list_holds_more_than_a_page,
    what_is_no_key_is_refused,
    stores_side_by_side_are_apart,
    a_large_file_is_created_in_parts_and_read_in_parts,
    a_small_file_is_created,
);

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

async fn text_of(store: &Store, key: &str) -> String {
    String::from_utf8(store.get(key, 1 << 20).await.unwrap().0.to_vec()).unwrap()
}

async fn what_was_created_is_read_back(stores: &Stores) {
    let store = &stores.store;
    assert!(store.create("a/b/c.json", bytes("hello")).await.unwrap());
    let object = store.head("a/b/c.json").await.unwrap();
    assert_eq!(object.len, 5);
    assert_eq!(store.get("a/b/c.json", 5).await.unwrap(), (bytes("hello"), object.etag));
}

async fn an_empty_object_is_an_object(stores: &Stores) {
    let store = &stores.store;
    assert!(store.create("empty", Bytes::new()).await.unwrap());
    assert!(!store.create("empty", Bytes::new()).await.unwrap());
    assert_eq!(store.head("empty").await.unwrap().len, 0);
    assert_eq!(store.get("empty", 0).await.unwrap().0, Bytes::new());
}

async fn a_second_create_changes_nothing(stores: &Stores) {
    let store = &stores.store;
    assert!(store.create("k", bytes("first")).await.unwrap());
    let before = store.head("k").await.unwrap();
    assert!(!store.create("k", bytes("second")).await.unwrap());
    assert_eq!(store.head("k").await.unwrap(), before);
    assert_eq!(text_of(store, "k").await, "first");
}

async fn of_racing_creates_one_wins(stores: &Stores) {
    for round in 0..5 {
        let key = format!("race/{round}");
        let racers: Vec<_> = (0..8)
            .map(|racer| {
                let (store, key) = (stores.store.clone(), key.clone());
                tokio::spawn(async move { (racer, store.create(&key, bytes(&racer.to_string())).await.unwrap()) })
            })
            .collect();
        let mut winners = Vec::new();
        for racer in racers {
            let (racer, won) = racer.await.unwrap();
            winners.extend(won.then_some(racer.to_string()));
        }
        assert_eq!(winners, [text_of(&stores.store, &key).await]);
    }
}

async fn a_swap_replaces_the_expected_version_only(stores: &Stores) {
    let store = &stores.store;
    store.create("alias", bytes("one")).await.unwrap();
    let first = store.head("alias").await.unwrap().etag;
    let second = store.swap("alias", Some(&first), bytes("two")).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(store.get("alias", 100).await.unwrap(), (bytes("two"), second.clone()));
    let late = store.swap("alias", Some(&first), bytes("three")).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    assert_eq!(store.head("alias").await.unwrap().etag, second);
}

async fn a_swap_that_expects_nothing_creates(stores: &Stores) {
    let store = &stores.store;
    let etag = store.swap("alias", None, bytes("one")).await.unwrap();
    assert_eq!(store.head("alias").await.unwrap().etag, etag);
    let late = store.swap("alias", None, bytes("two")).await;
    assert!(matches!(late, Err(StoreError::Conflict { .. })), "{late:?}");
    assert_eq!(text_of(store, "alias").await, "one");
}

async fn a_swap_of_what_is_not_there_conflicts(stores: &Stores) {
    let etag = ETag("\"0123456789abcdef0123456789abcdef\"".into());
    let store = &stores.store;
    store.create("other", bytes("")).await.unwrap();
    let swapped = store.swap("alias", Some(&etag), bytes("x")).await;
    assert!(matches!(swapped, Err(StoreError::Conflict { .. })), "{swapped:?}");
    assert_eq!(store.list("").await.unwrap(), ["other"]);
}

async fn of_racing_swaps_one_wins_per_generation(stores: &Stores) {
    let store = &stores.store;
    let mut etag = store.swap("alias", None, bytes("start")).await.unwrap();
    for generation in 0..5 {
        let racers: Vec<_> = (0..6)
            .map(|racer| {
                let (store, etag) = (store.clone(), etag.clone());
                tokio::spawn(async move {
                    match store.swap("alias", Some(&etag), bytes(&format!("{generation} {racer}"))).await {
                        Ok(etag) => Some(etag),
                        Err(StoreError::Conflict { .. }) => None,
                        Err(error) => panic!("{error:?}"),
                    }
                })
            })
            .collect();
        let mut won = Vec::new();
        for racer in racers {
            won.extend(racer.await.unwrap());
        }
        etag = store.head("alias").await.unwrap().etag;
        assert_eq!(won, [etag.clone()]);
    }
}

async fn a_pinned_range_of_a_changed_object_is_refused(stores: &Stores) {
    let store = &stores.store;
    let old = store.swap("k", None, bytes("0123456789")).await.unwrap();
    assert_eq!(store.read_range("k", 2..5, &old).await.unwrap(), bytes("234"));
    let new = store.swap("k", Some(&old), bytes("abcdefghij")).await.unwrap();
    let stale = store.read_range("k", 2..5, &old).await;
    assert!(matches!(stale, Err(StoreError::Changed { .. })), "{stale:?}");
    assert_eq!(store.read_range("k", 2..5, &new).await.unwrap(), bytes("cde"));
}

async fn a_range_is_as_long_as_asked_for_or_refused(stores: &Stores) {
    let store = &stores.store;
    let etag = store.swap("k", None, bytes("0123456789")).await.unwrap();
    assert_eq!(store.read_range("k", 0..10, &etag).await.unwrap(), bytes("0123456789"));
    assert_eq!(store.read_range("k", 9..10, &etag).await.unwrap(), bytes("9"));
    assert_eq!(store.read_range("k", 4..4, &etag).await.unwrap(), Bytes::new());
    for range in [5..11, 10..11, 0..u64::MAX, u64::MAX - 1..u64::MAX] {
        let end = range.end;
        let beyond = store.read_range("k", range, &etag).await;
        assert!(matches!(beyond, Err(StoreError::OutOfRange { end: named, .. }) if named == end), "{beyond:?}");
    }
}

async fn a_missing_object_and_a_missing_store_differ(stores: &Stores) {
    let (store, etag) = (&stores.store, ETag("\"0\"".into()));
    store.create("here", bytes("x")).await.unwrap();
    for key in ["gone", "here/below", "no/such/folder"] {
        let named = |error: StoreError| matches!(error, StoreError::NotFound { object } if object.ends_with(key));
        assert!(named(store.head(key).await.unwrap_err()));
        assert!(named(store.get(key, 9).await.unwrap_err()));
        assert!(named(store.read_range(key, 0..1, &etag).await.unwrap_err()));
    }
    let is_no_store = |error: StoreError| matches!(error, StoreError::NoStore { .. });
    assert!(is_no_store(stores.missing.head("k").await.unwrap_err()));
    assert!(is_no_store(stores.missing.get("k", 9).await.unwrap_err()));
    assert!(is_no_store(stores.missing.read_range("k", 0..1, &etag).await.unwrap_err()));
    assert!(is_no_store(stores.missing.list("").await.unwrap_err()));
    assert!(is_no_store(stores.missing.swap("k", Some(&etag), bytes("x")).await.unwrap_err()));
}

async fn no_more_than_the_limit_is_read(stores: &Stores) {
    let store = &stores.store;
    store.create("k", bytes("0123456789")).await.unwrap();
    assert_eq!(store.get("k", 10).await.unwrap().0.len(), 10);
    let large = store.get("k", 9).await;
    assert!(matches!(large, Err(StoreError::TooLarge { len: 10, limit: 9, .. })), "{large:?}");
}

async fn a_list_is_sorted_and_of_its_prefix(stores: &Stores) {
    let store = &stores.store;
    assert!(store.create("log/2", bytes("")).await.unwrap());
    for key in ["log/10", "log/1", "logs/1", "alias/m/live.json", "alias/m-2/live.json", "z"] {
        assert!(store.create(key, bytes("x")).await.unwrap());
    }
    assert_eq!(store.list("log/").await.unwrap(), ["log/1", "log/10", "log/2"]);
    assert_eq!(store.list("log").await.unwrap(), ["log/1", "log/10", "log/2", "logs/1"]);
    assert_eq!(store.list("log/1").await.unwrap(), ["log/1", "log/10"]);
    assert_eq!(store.list("alias/m").await.unwrap(), ["alias/m-2/live.json", "alias/m/live.json"]);
    assert_eq!(store.list("none/").await.unwrap(), Vec::<String>::new());
    assert_eq!(store.list("").await.unwrap().len(), 7);
}

async fn a_list_holds_more_than_a_page(stores: &Stores) {
    let store = &stores.store;
    let keys: Vec<_> = (0..1005).map(|index| format!("many/{index:05}")).collect();
    let created = futures_util::stream::iter(keys.clone()).map(|key| async move {
        store.create(&key, bytes("")).await.unwrap();
    });
    created.buffer_unordered(8).collect::<()>().await;
    assert_eq!(store.list("many/").await.unwrap(), keys);
}

async fn what_is_no_key_is_refused(stores: &Stores) {
    let store = &stores.store;
    let long = "x".repeat(513);
    let long_segment = format!("a/{}", "x".repeat(201));
    let wrong =
        ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".tmp/x", "a\\b", "a\0b", "ä", "a b"];
    for key in wrong.into_iter().chain([long.as_str(), &long_segment]) {
        let refused = |error: StoreError| assert!(matches!(error, StoreError::Key { .. }), "{key:?}: {error}");
        refused(store.create(key, bytes("x")).await.unwrap_err());
        refused(store.draft().await.unwrap().create_retained(key, &|_| ()).await.unwrap_err());
        refused(store.swap(key, None, bytes("x")).await.unwrap_err());
        refused(store.head(key).await.unwrap_err());
        refused(store.get(key, 1).await.unwrap_err());
        refused(store.read_range(key, 0..1, &ETag(String::new())).await.unwrap_err());
    }
    for prefix in ["/", "../", "a/../", "a//", "..", "/a"] {
        assert!(matches!(store.list(prefix).await, Err(StoreError::Key { .. })), "{prefix}");
    }
    assert!(store.create(&format!("{0}/{0}/{1}", "y".repeat(200), "z".repeat(100)), bytes("")).await.unwrap());
}

async fn stores_side_by_side_are_apart(stores: &Stores) {
    stores.store.create("k", bytes("here")).await.unwrap();
    stores.sibling.create("k", bytes("there")).await.unwrap();
    stores.sibling.create("k2", bytes("there")).await.unwrap();
    assert_eq!(text_of(&stores.store, "k").await, "here");
    assert_eq!(text_of(&stores.sibling, "k").await, "there");
    assert_eq!(stores.store.list("").await.unwrap(), ["k"]);
}

/// Bytes of which every eight differ, so that a part in a wrong place shows.
fn numbered(len: usize) -> Vec<u8> {
    let mut content: Vec<u8> = (0..len.div_ceil(8) as u64).flat_map(u64::to_be_bytes).collect();
    content.truncate(len);
    content
}

async fn create_from_draft(store: &Store, key: &str, content: &[u8]) -> bool {
    let draft = store.draft().await.unwrap();
    draft.file().write_all(content).unwrap();
    let sent = AtomicU64::new(0);
    let in_store = draft.is_in_store();
    let created = draft
        .create_retained(key, &|bytes| {
            sent.fetch_add(bytes, Ordering::Relaxed);
        })
        .await
        .unwrap();
    let expected = if created && !in_store { content.len() as u64 } else { 0 };
    assert!(!created || sent.into_inner() == expected);
    created
}

async fn a_large_file_is_created_in_parts_and_read_in_parts(stores: &Stores) {
    let store = &stores.store;
    let content = numbered((20 << 20) + 3);
    assert!(create_from_draft(store, "big", &content).await);
    assert!(!create_from_draft(store, "big", &content).await);
    assert_eq!(store.list("").await.unwrap(), ["big"], "drafts are no objects");
    let object = store.head("big").await.unwrap();
    assert_eq!(object.len, content.len() as u64);
    const PART: u64 = 8 << 20;
    for start in (0..object.len).step_by(PART as usize) {
        let range = start..object.len.min(start + PART);
        let part = store.read_range("big", range.clone(), &object.etag).await.unwrap();
        assert!(part == content[range.start as usize..range.end as usize], "{range:?}");
    }
}

async fn a_small_file_is_created(stores: &Stores) {
    let store = &stores.store;
    let content = numbered(1001);
    assert!(create_from_draft(store, "small", &content).await);
    assert!(!create_from_draft(store, "small", &content).await);
    assert_eq!(store.get("small", 1001).await.unwrap().0, content);
}
