//! Publish, promote, fetch: what a registry promises, on a directory.

#[path = "support/registry.rs"]
mod support;

use strongroom::registry::{RegistryError, Selector};
use strongroom::store::StoreError;
use support::{Place, chain, files, model, publish, publish_live};

/// Lengths around frames (1 MiB) and parts (8 frames), and of nothing.
const LENS: [usize; 7] = [0, 1, 1_000, 1 << 20, (1 << 20) + 1, 8 << 20, (17 << 20) + 3];

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_is_fetched_byte_for_byte() {
    let place = Place::directory();
    let files = files(1, &LENS);
    let published = publish(&place.open().await, "1.0.0", &files).await.unwrap();
    assert!(!published.already);
    for name in ["model:1.0.0", &format!("model@sha256:{}", published.digest)] {
        let fetched = place.open().await.fetch(&model(name)).await.unwrap();
        assert!(fetched.files == files, "{name}");
        assert_eq!((fetched.name.as_str(), fetched.version.as_str()), ("model", "1.0.0"));
        assert_eq!((fetched.digest, fetched.signed), (published.digest.clone(), false));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_serves_the_version_it_was_promoted_to_last() {
    let place = Place::directory();
    let registry = place.open().await;
    let (one, two) = (files(1, &[10, 20]), files(2, &[30]));
    publish_live(&registry, "1.0.0", &one).await;
    publish(&registry, "2.0.0", &two).await.unwrap();
    assert!(registry.fetch(&model("model")).await.unwrap().files == one, "publishing alone moves no alias");
    let promoted = registry.promote(&model("model:2.0.0"), "live").await.unwrap();
    assert_eq!((promoted.previous.as_deref(), promoted.already), (Some("1.0.0"), false));
    assert!(registry.fetch(&model("model:live")).await.unwrap().files == two);
    registry.promote(&model("model:1.0.0"), "live").await.unwrap();
    assert!(registry.fetch(&model("model")).await.unwrap().files == one, "an alias moves back too");
}

#[tokio::test(flavor = "multi_thread")]
async fn promoting_to_where_an_alias_points_appends_nothing() {
    let place = Place::directory();
    let registry = place.open().await;
    publish_live(&registry, "1.0.0", &files(1, &[10])).await;
    let before = place.objects("");
    let again = registry.promote(&model("model:1.0.0"), "live").await.unwrap();
    assert!(again.already);
    assert_eq!(place.objects(""), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_may_be_promoted_from_another_alias() {
    let place = Place::directory();
    let registry = place.open().await;
    publish_live(&registry, "1.0.0", &files(1, &[10])).await;
    registry.promote(&model("model:live"), "canary").await.unwrap();
    assert_eq!(registry.fetch(&model("model:canary")).await.unwrap().version, "1.0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_the_same_files_again_succeeds_and_writes_nothing() {
    let place = Place::directory();
    let files = files(1, &[10, 20]);
    let first = publish(&place.open().await, "1.0.0", &files).await.unwrap();
    let before = place.objects("");
    let again = publish(&place.open().await, "1.0.0", &files).await.unwrap();
    assert_eq!((again.already, again.digest, again.index), (true, first.digest, first.index));
    assert_eq!(place.objects(""), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_never_gets_other_content() {
    let place = Place::directory();
    let registry = place.open().await;
    publish(&registry, "1.0.0", &files(1, &[10, 20])).await.unwrap();
    let mut renamed = files(1, &[10, 20]);
    let moved = renamed.remove("part/001.bin").unwrap();
    renamed.insert("part/002.bin".into(), moved);
    for other in [files(2, &[10, 20]), files(1, &[10]), renamed] {
        let error = publish(&registry, "1.0.0", &other).await.unwrap_err();
        assert!(matches!(error, RegistryError::Immutable { .. }), "{}", chain(&error));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_readable_is_at_rest() {
    let place = Place::directory();
    let mut files = files(1, &[5_000]);
    files.insert("the-name-of-a-file.onnx".into(), support::noise(9, 5_000));
    publish_live(&place.open().await, "1.0.0", &files).await;
    let needles = files.iter().flat_map(|(path, bytes)| {
        let digest = strongroom::sealed::digest::sha256_hex(bytes);
        [path.as_bytes().to_vec(), bytes[100..132].to_vec(), digest.into_bytes()]
    });
    let needles: Vec<_> = needles.collect();
    for object in place.objects("") {
        let stored = std::fs::read(&object).unwrap();
        for needle in &needles {
            assert!(!stored.windows(needle.len()).any(|window| window == needle), "{}", object.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_lie_where_the_layout_says() {
    let place = Place::directory();
    publish_live(&place.open().await, "1.0.0", &files(1, &[10])).await;
    let log = place.objects("log");
    assert!(log[0].ends_with("log/00000000000000000000.json") && log[1].ends_with("log/00000000000000000001.json"));
    let alias = place.only_object("aliases");
    assert!(alias.ends_with("aliases/model/live.json"));
    assert_eq!(std::fs::read(alias).unwrap(), std::fs::read(&log[1]).unwrap(), "an alias is a copy of its log entry");
    assert_eq!(place.objects("keyslots").len(), 1);
    for blob in place.objects("blobs/sha256") {
        let digest = strongroom::sealed::digest::sha256_hex(&std::fs::read(&blob).unwrap());
        assert_eq!(blob.file_name().unwrap().to_str(), Some(digest.as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn log_entries_are_in_toto_statements_chained_by_digest() {
    let place = Place::directory();
    publish_live(&place.open().await, "1.0.0", &files(1, &[10])).await;
    let entries: Vec<_> = place.objects("log").iter().map(|path| std::fs::read(path).unwrap()).collect();
    let parsed: Vec<serde_json::Value> = entries.iter().map(|entry| serde_json::from_slice(entry).unwrap()).collect();
    for entry in &parsed {
        assert_eq!(entry["_type"], "https://in-toto.io/Statement/v1");
    }
    assert_eq!(parsed[0]["subject"].as_array().unwrap().len(), 2, "one file and the file index");
    let digest = strongroom::sealed::digest::sha256_hex(&entries[0]);
    assert_eq!(parsed[1]["predicate"]["log"]["prev"], digest.as_str());
    assert_eq!(parsed[1]["subject"][0]["digest"]["sha256"], digest.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_publishers_all_land_each_at_its_own_index() {
    let place = Place::directory();
    let racing = (0..8_u64).map(|racer| {
        let registry = place.open();
        async move { publish(&registry.await, &format!("1.{racer}.0"), &files(racer, &[1_000, 10])).await.unwrap() }
    });
    let mut landed: Vec<u64> = futures_util::future::join_all(racing).await.iter().map(|one| one.index).collect();
    landed.sort_unstable();
    assert_eq!(landed, (0..8).collect::<Vec<u64>>());
    for racer in 0..8 {
        let fetched = place.open().await.fetch(&model(&format!("model:1.{racer}.0"))).await.unwrap();
        assert!(fetched.files == files(racer, &[1_000, 10]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_publishers_of_one_version_one_wins_and_the_others_are_told() {
    let place = Place::directory();
    let racing = (0..6_u64).map(|racer| {
        let registry = place.open();
        async move { publish(&registry.await, "1.0.0", &files(racer % 2, &[1_000])).await }
    });
    let outcomes = futures_util::future::join_all(racing).await;
    let new = outcomes.iter().filter(|outcome| outcome.as_ref().is_ok_and(|one| !one.already)).count();
    let same = outcomes.iter().filter(|outcome| outcome.as_ref().is_ok_and(|one| one.already)).count();
    let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(RegistryError::Immutable { .. }))).count();
    assert_eq!((new, same, refused), (1, 2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_promoters_leave_the_alias_at_the_newest_entry() {
    let place = Place::directory();
    let registry = place.open().await;
    publish(&registry, "1.0.0", &files(1, &[10])).await.unwrap();
    publish(&registry, "2.0.0", &files(2, &[10])).await.unwrap();
    // Several rounds: an older entry overtaking a newer one on the way from log to alias is a matter of luck.
    for _ in 0..20 {
        let mut racing = tokio::task::JoinSet::new();
        for racer in 0..10 {
            let (registry, to) = (place.open().await, model(&format!("model:{}.0.0", racer % 2 + 1)));
            racing.spawn(async move { registry.promote(&to, "live").await.unwrap() });
        }
        racing.join_all().await;
        let newest = place.objects("log").pop().unwrap();
        assert_eq!(std::fs::read(place.only_object("aliases")).unwrap(), std::fs::read(newest).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_lags_behind_the_log_is_brought_forward_by_the_next_writer() {
    let place = Place::directory();
    let registry = place.open().await;
    let (one, two) = (files(1, &[10]), files(2, &[10]));
    publish_live(&registry, "1.0.0", &one).await;
    let alias = place.only_object("aliases");
    let old = std::fs::read(&alias).unwrap();
    publish_live(&registry, "2.0.0", &two).await;
    let lag = || support::overwrite(&alias, &old);
    lag();
    assert!(registry.fetch(&model("model")).await.unwrap().files == one, "fetching reads the alias object alone");
    publish(&registry, "3.0.0", &files(3, &[10])).await.unwrap();
    assert!(registry.fetch(&model("model")).await.unwrap().files == two);
    lag();
    registry.promote(&model("model:2.0.0"), "live").await.unwrap();
    assert!(registry.fetch(&model("model")).await.unwrap().files == two);
    lag();
    registry.promote(&model("model:3.0.0"), "canary").await.unwrap();
    assert!(registry.fetch(&model("model")).await.unwrap().files == two);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named() {
    let place = Place::directory();
    let registry = place.open().await;
    let error = registry.fetch(&model("model")).await.err().unwrap();
    let no_store = matches!(&error, RegistryError::Store { source: StoreError::NoStore { .. }, .. });
    assert!(no_store, "{}", chain(&error));
    publish(&registry, "1.0.0", &files(1, &[10])).await.unwrap();
    for (name, expected) in [
        ("model", "model model has no alias live"),
        ("other:1.0.0", "the registry has no version other:1.0.0"),
        ("model:1.0.1", "the registry has no version model:1.0.1"),
    ] {
        let error = registry.fetch(&model(name)).await.err().unwrap();
        assert_eq!(chain(&error), expected);
        assert!(error.remedy().is_some());
    }
    let error = registry.promote(&model("model:9.9.9"), "live").await.unwrap_err();
    assert_eq!(chain(&error), "the registry has no version model:9.9.9");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_its_own_may_do_the_work() {
    let place = Place::directory();
    let registry = place.open().await;
    let work = async move {
        publish_live(&registry, "1.0.0", &files(1, &[10])).await;
        registry.fetch(&model("model")).await.unwrap().version
    };
    assert_eq!(tokio::spawn(work).await.unwrap(), "1.0.0");
}

#[test]
fn a_model_is_named_by_alias_version_or_digest() {
    let digest = "0f".repeat(32);
    for (text, selector) in [
        ("face".to_owned(), Selector::Alias("live".parse().unwrap())),
        ("face:canary".into(), Selector::Alias("canary".parse().unwrap())),
        ("face:1.2.3-rc.1+b4".into(), Selector::Version("1.2.3-rc.1+b4".into())),
        (format!("face@sha256:{digest}"), Selector::Digest(digest.clone())),
    ] {
        let parsed = model(&text);
        assert_eq!((parsed.name.as_str(), &parsed.selector), ("face", &selector));
        assert_eq!(model(&parsed.to_string()), parsed, "{text}");
    }
}

#[test]
fn a_malformed_name_is_refused_with_the_rule() {
    let long = "a".repeat(64);
    for text in [
        "",
        ":",
        "@",
        "a:",
        ":live",
        "Face",
        "a b",
        "../x",
        ".a",
        "a:.live",
        "a:Live",
        "a:1/2",
        "a/b",
        "a:1:2",
        "ü",
        &long,
        "a@sha256:00",
        "a@md5:00",
        "a:live@sha256:00",
        &format!("a:{long}"),
        &format!("a@sha256:{}", "ü".repeat(32)),
        &format!("a@sha256:{}", "A".repeat(64)),
    ] {
        let error = text.parse::<strongroom::registry::ModelRef>().unwrap_err();
        assert!(matches!(error, RegistryError::BadReference { .. }), "{text}");
    }
}
