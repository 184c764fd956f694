//! What a registry promises, on S3; and what is said when AWS refuses.

#[path = "support/moto.rs"]
mod moto;
#[path = "support/scripted.rs"]
#[allow(dead_code, reason = "each test file uses its part")]
mod scripted;
#[path = "support/registry.rs"]
mod support;

use std::io::Write;

use moto::{moto, sdk_at};
use scripted::{Scripted, Service};
use strongroom::keys::{KeyError, KeySource};
use strongroom::registry::{Authority, Export, Registry, RegistryError, Stage, fetch_mount};
use strongroom::store::{Location, StoreError};
use support::{Place, chain, files, model, publish, publish_live};
use tempfile::TempDir;

fn client(aws: &aws_config::SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(aws).force_path_style(true).build())
}

/// A bucket of its own, with Object Lock, on the moto server, and a prefix in it.
async fn bucket(name: &str) -> Place {
    let aws = moto().sdk().await;
    let request = client(&aws).create_bucket().bucket(name).object_lock_enabled_for_bucket(true);
    request.send().await.expect("a bucket");
    let location = Location::S3 { bucket: name.into(), prefix: "models/".into() };
    Place::at(location, aws, TempDir::new().expect("a temporary directory"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_serves_what_was_published_and_promoted() {
    let place = bucket("round-trip").await;
    let (one, two) = (files(1, &[0, 1, 1 << 20, (17 << 20) + 3]), files(2, &[1_000]));
    publish_live(&place.open().await, "1.0.0", &one).await;
    assert!(place.open().await.fetch(&model("model")).await.unwrap().files == one);
    publish_live(&place.open().await, "2.0.0", &two).await;
    assert!(place.open().await.fetch(&model("model")).await.unwrap().files == two);
    assert!(place.open().await.fetch(&model("model:1.0.0")).await.unwrap().files == one);
    assert!(publish(&place.open().await, "1.0.0", &one).await.unwrap().already);
    let error = publish(&place.open().await, "1.0.0", &two).await.unwrap_err();
    assert!(matches!(error, RegistryError::Immutable { .. }), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bucket_holds_is_exported_and_mounted() {
    let place = bucket("exported").await;
    let (registry, files) = (place.open().await, files(1, &[0, 1_000, (17 << 20) + 3]));
    publish_live(&registry, "1.0.0", &files).await;
    let root = place.scratch.path().join("mount");
    let export = Export::find(&registry.store, &Authority::default(), &model("model")).await.unwrap();
    for object in &export.objects {
        let (mut copying, path) = (export.copy(object), root.join(&object.key));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = std::fs::File::create(path).unwrap();
        while let Some(part) = copying.next().await.unwrap() {
            file.write_all(&part).unwrap();
        }
    }
    let fetched = fetch_mount(&root, Some(&registry.keys), &Authority::default(), false).await.unwrap();
    assert!(fetched.files == files);
    assert_eq!(fetched.digest, registry.fetch(&model("model:1.0.0")).await.unwrap().digest);
}

/// The mode and the days left of each object's lock, by key.
async fn locks(place: &Place, name: &str) -> Vec<(String, Option<(String, i64)>)> {
    let client = client(&place.aws);
    let listed = client.list_objects_v2().bucket(name).send().await.unwrap();
    let mut locks = Vec::new();
    for object in listed.contents() {
        let key = object.key().unwrap().to_owned();
        let head = client.head_object().bucket(name).key(&key).send().await.unwrap();
        let days = |until: &aws_sdk_s3::primitives::DateTime| {
            let left = std::time::SystemTime::try_from(*until).unwrap().duration_since(std::time::SystemTime::now());
            // Rounded up: some seconds went by.
            (left.unwrap().as_secs() / 86_400 + 1) as i64
        };
        let lock = head.object_lock_mode().map(|mode| mode.as_str().to_owned());
        locks.push((key, lock.zip(head.object_lock_retain_until_date().map(days))));
    }
    locks
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_files_and_log_entries_are_retained_and_keyslots_never() {
    let place = bucket("retained").await;
    let Registry { store, keys, authority } = place.open().await;
    let registry = Registry { store: store.retaining("governance:30".parse().unwrap()).unwrap(), keys, authority };
    publish_live(&registry, "1.0.0", &files(1, &[1_000])).await;
    let locks = locks(&place, "retained").await;
    for (key, lock) in &locks {
        let is_history = key.starts_with("models/blobs/") || key.starts_with("models/log/");
        let expected = is_history.then(|| ("GOVERNANCE".to_owned(), 30));
        assert_eq!(*lock, expected, "{key}");
    }
    // A file and the list of files; two log entries; and, not retained, a keyslot and an alias.
    assert_eq!(locks.iter().filter(|(_, lock)| lock.is_some()).count(), 4, "{locks:?}");
    assert_eq!(locks.len(), 6, "{locks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_retention_nothing_is_retained() {
    let place = bucket("not-retained").await;
    publish_live(&place.open().await, "1.0.0", &files(1, &[1_000])).await;
    let locks = locks(&place, "not-retained").await;
    assert!(locks.iter().all(|(_, lock)| lock.is_none()), "{locks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_writers_of_a_bucket_have_one_order() {
    let place = bucket("races").await;
    let racing = (0..4_u64).map(|racer| {
        let registry = place.open();
        async move {
            let (registry, version) = (registry.await, format!("1.{racer}.0"));
            let index = publish(&registry, &version, &files(racer, &[100])).await.unwrap().index;
            let promoted = registry.promote(&model(&format!("model:{version}")), "live").await.unwrap();
            [(index, None), (promoted.index, Some(version))]
        }
    });
    let mut landed: Vec<_> = futures_util::future::join_all(racing).await.into_iter().flatten().collect();
    landed.sort();
    assert!(landed.iter().map(|(index, _)| *index).eq(0..8), "{landed:?}");
    let newest = landed.into_iter().rev().find_map(|(_, version)| version).unwrap();
    assert_eq!(place.open().await.fetch(&model("model")).await.unwrap().version, newest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_secrets_manager_seals_and_after_its_rotation_still_opens() {
    let place = bucket("secret").await;
    let client = aws_sdk_secretsmanager::Client::new(&place.aws);
    let value = |byte: u8| aws_sdk_secretsmanager::primitives::Blob::new([byte; 32]);
    client.create_secret().name("kek").secret_binary(value(1)).send().await.expect("a secret");
    let key = KeySource::SecretsManager("kek".into());
    let files = files(1, &[1_000]);
    publish_live(&place.open_with(&key).await, "1.0.0", &files).await;
    client.put_secret_value().secret_id("kek").secret_binary(value(2)).send().await.expect("a new version");
    assert!(place.open_with(&key).await.fetch(&model("model")).await.unwrap().files == files);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_bucket_is_named() {
    let mut place = bucket("present").await;
    place.location = Location::S3 { bucket: "absent".into(), prefix: String::new() };
    let registry = place.open().await;
    for error in [
        registry.fetch(&model("model")).await.err().unwrap(),
        registry.promote(&model("model:1.0.0"), "live").await.unwrap_err(),
        publish(&registry, "1.0.0", &files(1, &[10])).await.unwrap_err(),
    ] {
        let no_store = matches!(&error, RegistryError::Store { source: StoreError::NoStore { .. }, .. });
        assert!(no_store && chain(&error).contains("absent"), "{}", chain(&error));
        assert!(error.remedy().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_bucket_and_a_denied_secret_are_told_apart() {
    let place = bucket("denied").await;
    publish_live(&place.open().await, "1.0.0", &files(1, &[10])).await;
    let text = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    let service = Service::start(vec![Scripted::new(403, text)]);
    let denied = Registry::open(&place.location, &place.key, &sdk_at(&service.endpoint).await).await.unwrap();
    let error = denied.fetch(&model("model")).await.err().unwrap();
    let by_store =
        matches!(&error, RegistryError::Store { stage: Stage::Alias, source: StoreError::Denied { .. }, .. });
    assert!(by_store && chain(&error).contains("aliases/model/live.json"), "{}", chain(&error));

    let text = r#"{"__type":"AccessDeniedException","Message":"no"}"#;
    let service = Service::start(vec![Scripted::new(400, text).header("Content-Type", "application/x-amz-json-1.1")]);
    let key = KeySource::SecretsManager("kek".into());
    let mut denied = Registry::open(&place.location, &key, &sdk_at(&service.endpoint).await).await.unwrap();
    denied.store = place.open().await.store;
    let error = denied.fetch(&model("model")).await.err().unwrap();
    let by_key = matches!(&error, RegistryError::Key { source: KeyError::Denied { .. } });
    assert!(by_key && chain(&error).contains("kek"), "{}", chain(&error));
    assert!(error.remedy().unwrap().contains("secretsmanager:GetSecretValue"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_current_version_of_the_secret_does_not_keep_older_models_closed() {
    let aws = moto().sdk().await;
    let client = aws_sdk_secretsmanager::Client::new(&aws);
    let name = "registry/rotated";
    let blob = |bytes: &[u8]| aws_sdk_secretsmanager::primitives::Blob::new(bytes);
    client.create_secret().name(name).secret_binary(blob(&[0xc3; 32])).send().await.expect("a secret");
    let mut place = bucket("rotated").await;
    place.key = KeySource::SecretsManager(name.into());
    let one = files(1, &[10]);
    publish_live(&place.open().await, "1.0.0", &one).await;
    client.put_secret_value().secret_id(name).secret_binary(blob(b"oops")).send().await.expect("a version");
    assert!(place.open().await.fetch(&model("model")).await.unwrap().files == one);
    let error = publish(&place.open().await, "2.0.0", &one).await.unwrap_err();
    assert!(matches!(error, RegistryError::Key { source: KeyError::Form { .. } }), "{}", chain(&error));
}
