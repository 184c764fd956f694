//! Keys on AWS, tried on a moto server: secrets that are rotated, keyslots that are erased with their versions, KMS keys that sign.

#[path = "support/moto.rs"]
mod moto;
#[path = "support/registry.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use moto::moto;
use serde_json::json;
use strongroom::keys::{self, KeySource};
use strongroom::registry::{Authority, Registry, erase};
use strongroom::signed::{Curve, PublicKey, Trust};
use strongroom::signer::{Signer, SignerError, SignerSource};
use strongroom::store::Location;
use support::{Place, chain, files, model, publish, publish_live};
use tempfile::TempDir;

/// A registry in a directory, whose key is a secret.
async fn with_secret(name: &str) -> (Place, KeySource) {
    let aws = moto().sdk().await;
    let key = KeySource::SecretsManager(name.to_owned());
    keys::create(&key, &aws).await.unwrap();
    let scratch = TempDir::new().unwrap();
    let location = Location::Dir(scratch.path().join("registry"));
    (Place::at(location, aws, scratch), key)
}

/// The labels of each version of a secret, sorted.
async fn labels(place: &Place, name: &str) -> BTreeMap<String, Vec<String>> {
    let client = aws_sdk_secretsmanager::Client::new(&place.aws);
    let listed = client.list_secret_version_ids().secret_id(name).include_deprecated(true).send().await.unwrap();
    let sorted = |mut labels: Vec<String>| {
        labels.sort();
        labels
    };
    let versions = listed.versions.unwrap_or_default().into_iter();
    versions.map(|one| (one.version_id.unwrap(), sorted(one.version_stages.unwrap_or_default()))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_rotated_to_its_next_version_and_every_one_in_use_keeps_a_label() {
    let (place, key) = with_secret("rotated").await;
    publish_live(&place.open_with(&key).await, "1.0.0", &files(1, &[10])).await;
    let first = place.open_with(&key).await.keys.current().await.unwrap().name.clone();
    let mut names = vec![first];
    for _ in 0..2 {
        let registry = place.open_with(&key).await;
        let rotated = registry.rotate(None, &|_, _| ()).await.unwrap();
        assert_eq!((rotated.artifacts, rotated.written), (1, 1));
        assert_eq!(registry.keys.current().await.unwrap().name, rotated.kek);
        names.push(rotated.kek);
        assert!(place.open_with(&key).await.fetch(&model("model")).await.unwrap().files == files(1, &[10]));
    }
    let labels = labels(&place, "rotated").await;
    assert_eq!(labels[&names[0]], ["kek-1"]);
    assert_eq!(labels[&names[1]], ["AWSPREVIOUS", "kek-2"]);
    assert_eq!(labels[&names[2]], ["AWSCURRENT", "kek-3"]);
    // What is given up loses its label, and Secrets Manager may forget it.
    let registry = place.open_with(&key).await;
    assert_eq!(registry.retire_key(&names[0]).await.unwrap(), 1);
    assert!(self::labels(&place, "rotated").await.get(&names[0]).is_none_or(Vec::is_empty));
    assert!(place.open_with(&key).await.fetch(&model("model")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_keeps_the_floor_that_the_secret_says() {
    let (place, key) = with_secret("floor").await;
    let client = aws_sdk_secretsmanager::Client::new(&place.aws);
    let raw = place.open_with(&key).await.keys.current().await.unwrap().key.expose().to_vec();
    let raw = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, raw);
    let value = json!({ "key": raw, "min_index": 1 }).to_string();
    client.put_secret_value().secret_id("floor").secret_string(value).send().await.unwrap();
    publish_live(&place.open_with(&key).await, "1.0.0", &files(1, &[10])).await;
    let rotated = place.open_with(&key).await.rotate(None, &|_, _| ()).await.unwrap();
    let registry = place.open_with(&key).await;
    let current = registry.keys.current().await.unwrap();
    assert_eq!((current.name.as_str(), current.min_index), (rotated.kek.as_str(), 1));
    assert!(registry.fetch(&model("model")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_died_at_any_call_goes_on_with_the_same_key() {
    for calls in 0.. {
        let name = format!("died-{calls}");
        let (place, key) = with_secret(&name).await;
        publish_live(&place.open_with(&key).await, "1.0.0", &files(1, &[10])).await;
        publish(&place.open_with(&key).await, "2.0.0", &files(2, &[10])).await.unwrap();
        let registry = place.open_with(&key).await;
        let dying = Registry { store: registry.store.clone().dying_after(calls), ..place.open_with(&key).await };
        let died = dying.rotate(None, &|_, _| ()).await.is_err();
        for version in ["model", "model:2.0.0"] {
            assert!(place.open_with(&key).await.fetch(&model(version)).await.is_ok(), "{version} after call {calls}");
        }
        if !died {
            assert!(calls > 5);
            return;
        }
        let rotated = place.open_with(&key).await.rotate(None, &|_, _| ()).await.unwrap();
        let labels = labels(&place, &name).await;
        assert_eq!(labels.len(), 2, "call {calls}: {labels:?}");
        assert_eq!(labels[&rotated.kek], ["AWSCURRENT", "kek-2"], "call {calls}");
        assert_eq!(place.open_with(&key).await.fsck(&|_| ()).await.unwrap().faults, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_during_a_rotation_comes_under_the_new_key_by_the_next_one() {
    let (place, key) = with_secret("straggler").await;
    let straggler = place.open_with(&key).await;
    publish_live(&straggler, "1.0.0", &files(1, &[10])).await;
    let rotated = place.open_with(&key).await.rotate(None, &|_, _| ()).await.unwrap();
    // It has the old key at hand, as a publish has that began before.
    publish(&straggler, "2.0.0", &files(2, &[10])).await.unwrap();
    let again = place.open_with(&key).await.rotate(None, &|_, _| ()).await.unwrap();
    assert_eq!((again.kek, again.written), (rotated.kek, 1), "no third key is made for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_keyslot_has_no_version_left_in_the_bucket() {
    let aws = moto().sdk().await;
    let config = aws_sdk_s3::config::Builder::from(&aws).force_path_style(true).build();
    let client = aws_sdk_s3::Client::from_conf(config);
    let request = client.create_bucket().bucket("erased").object_lock_enabled_for_bucket(true);
    request.send().await.unwrap();
    let location = Location::S3 { bucket: "erased".into(), prefix: "models/".into() };
    let place = Place::at(location, aws, TempDir::new().unwrap());
    let registry = place.open().await;
    publish(&registry, "1.0.0", &files(1, &[10])).await.unwrap();
    publish_live(&registry, "2.0.0", &files(2, &[10])).await;
    let keyslots = registry.store.list("keyslots/").await.unwrap();
    // Deleted once by hand: the version behind the marker would still open.
    for key in &keyslots {
        client.delete_object().bucket("erased").key(format!("models/{key}")).send().await.unwrap();
    }
    let erased = erase(&registry.store, &Authority::default(), &model("model:1.0.0")).await.unwrap();
    assert_eq!(erased.keyslots, 2, "the version and its marker");
    let left = client.list_object_versions().bucket("erased").prefix("models/keyslots/").send().await.unwrap();
    assert_eq!((left.versions().len(), left.delete_markers().len()), (1, 1), "of the other version");
}

/// A key of KMS.
async fn kms_key(aws: &aws_config::SdkConfig, spec: aws_sdk_kms::types::KeySpec) -> String {
    let client = aws_sdk_kms::Client::new(aws);
    let request = client.create_key().key_usage(aws_sdk_kms::types::KeyUsageType::SignVerify).key_spec(spec);
    request.send().await.unwrap().key_metadata.unwrap().key_id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_kms_signs_what_a_policy_trusts() {
    let (place, key) = with_secret("signed-by-kms").await;
    use aws_sdk_kms::types::KeySpec::{EccNistP256, EccNistP384};
    for (spec, curve) in [(EccNistP256, Curve::P256), (EccNistP384, Curve::P384)] {
        let id = kms_key(&place.aws, spec).await;
        let source: SignerSource = format!("kms:{id}").parse().unwrap();
        let signer = Signer::open(&source, &place.aws).await.unwrap();
        assert_eq!(signer.public_key().curve(), curve);
        assert_eq!(PublicKey::from_pem(&signer.public_key().pem()).as_ref(), Ok(signer.public_key()));
        let policy =
            json!({ "signers": { "ci": [{ "pem": signer.public_key().pem() }] }, "publisher": { "signers": ["ci"] } });
        let trust = Some(Arc::new(Trust::read(policy.to_string().as_bytes()).unwrap()));
        let authority = Authority { trust, signers: Arc::new(vec![signer]), min_index: 0 };
        let registry = Registry { authority, ..place.open_with(&key).await };
        publish_live(&registry, "1.0.0", &files(1, &[10])).await;
        assert!(registry.fetch(&model("model")).await.unwrap().signed, "{curve}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_kms_that_is_missing_or_of_another_kind_is_named() {
    let aws = moto().sdk().await;
    let rsa = kms_key(&aws, aws_sdk_kms::types::KeySpec::Rsa2048).await;
    let error = Signer::open(&SignerSource::Kms(rsa), &aws).await.unwrap_err();
    assert!(matches!(error, SignerError::KmsKind { .. }), "{}", chain(&error));
    let error = Signer::open(&SignerSource::Kms("alias/nowhere".to_owned()), &aws).await.unwrap_err();
    assert!(matches!(&error, SignerError::Kms { action: "kms:GetPublicKey", .. }), "{}", chain(&error));
    assert!(error.remedy().unwrap().contains("kms:GetPublicKey"));
}
