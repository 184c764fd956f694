//! A registry's upkeep: erasing versions, clearing what nothing needs, finding every fault, signing what was not.

#[path = "support/registry.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use strongroom::keys::{KeySource, Keys};
use strongroom::registry::{
    Authority, Change, Checkup, Content, Progress, Provenance, Registry, RegistryError, Release, delete, erase,
    find_version, history, migrate, plan_erase, promote, unneeded, verify_log,
};
use strongroom::signed::Trust;
use strongroom::signer::{Signer, SignerSource, create};
use strongroom::store::Store;
use support::{Place, chain, files, flip, model, overwrite, publish, publish_live};

const AT_ONCE: Duration = Duration::ZERO;

/// Two versions, of which `live` is the second.
async fn two(place: &Place) -> Registry {
    let registry = place.open().await;
    publish(&registry, "1.0.0", &files(1, &[10, 20])).await.unwrap();
    publish_live(&registry, "2.0.0", &files(2, &[10, 20])).await;
    registry
}

/// One who signs, and the policy that trusts them.
async fn signing(place: &Place) -> Authority {
    let path = place.scratch.path().join("publisher");
    let key = create(&path).await.unwrap();
    let policy = json!({ "signers": BTreeMap::from([("ci", [json!({ "pem": key.pem() })])]),
        "publisher": { "signers": ["ci"] } });
    let trust = Trust::read(policy.to_string().as_bytes()).unwrap();
    let signer = Signer::open(&SignerSource::File(path), &place.aws).await.unwrap();
    Authority { trust: Some(Arc::new(trust)), signers: Arc::new(vec![signer]), min_index: 0 }
}

async fn fsck(registry: &Registry) -> Checkup {
    registry.fsck(&|_| ()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_version_has_no_keyslot_and_the_log_says_so() {
    let place = Place::directory();
    let registry = two(&place).await;
    let one = model("model:1.0.0");
    let planned = plan_erase(&registry.store, &registry.authority, &one).await.unwrap();
    assert!(registry.fetch(&one).await.is_ok(), "a plan does nothing");
    let erased = erase(&registry.store, &registry.authority, &one).await.unwrap();
    assert_eq!((erased.keyslots, erased.files, erased.index), (1, 3, 3));
    assert_eq!((planned.keyslots, planned.index), (1, 3));
    assert_eq!(place.objects("keyslots").len(), 1);
    let error = registry.fetch(&one).await.err().unwrap();
    assert!(matches!(error, RegistryError::Erased { index: 3, .. }), "{}", chain(&error));
    let records = history(&registry.store, &registry.authority).await.unwrap();
    assert!(matches!(&records[3].change, Change::Erased { version, .. } if version == "1.0.0"), "{:?}", records[3]);
    assert!(registry.fetch(&model("model")).await.is_ok());
    let error = publish(&registry, "1.0.0", &files(1, &[10, 20])).await.unwrap_err();
    assert!(matches!(error, RegistryError::Erased { .. }), "{}", chain(&error));
    let error = registry.promote(&one, "live").await.unwrap_err();
    assert!(matches!(error, RegistryError::Erased { .. }), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_alias_points_to_is_not_erased() {
    let place = Place::directory();
    let registry = two(&place).await;
    let error = erase(&registry.store, &registry.authority, &model("model:2.0.0")).await.unwrap_err();
    assert!(matches!(&error, RegistryError::InUse { alias, .. } if alias == "model:live"), "{}", chain(&error));
    let error = erase(&registry.store, &registry.authority, &model("model:live")).await.unwrap_err();
    assert!(matches!(error, RegistryError::NoVersion { .. }), "{}", chain(&error));
    assert_eq!(place.objects("keyslots").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_again_completes_what_was_stopped_between_the_log_and_the_keyslots() {
    let place = Place::directory();
    let registry = two(&place).await;
    let one = model("model:1.0.0");
    let keyslots: Vec<(PathBuf, Vec<u8>)> =
        place.objects("keyslots").into_iter().map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect();
    erase(&registry.store, &registry.authority, &one).await.unwrap();
    // As if it had been stopped before the keyslot was deleted.
    for (path, bytes) in keyslots.iter().filter(|(path, _)| !path.exists()) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let faults = fsck(&registry).await.faults;
    assert!(faults.len() == 1 && faults[0].remedy.contains("strongroom erase model:1.0.0"), "{faults:?}");
    let again = erase(&registry.store, &registry.authority, &one).await.unwrap();
    assert_eq!((again.keyslots, again.index), (1, 3));
    assert_eq!(place.objects("log").len(), 4);
    assert_eq!(fsck(&registry).await.faults, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_version_needs_is_listed_and_deleted_and_nothing_else_is() {
    let place = Place::directory();
    let registry = two(&place).await;
    let (store, authority) = (&registry.store, &registry.authority);
    assert_eq!(unneeded(store, authority, AT_ONCE).await.unwrap(), []);
    // As a killed publish leaves them.
    let orphan = "0".repeat(64);
    store.create(&format!("blobs/sha256/{orphan}"), "sealed".into()).await.unwrap();
    store.create(&format!("keyslots/{}/key", "1".repeat(32)), "keyslot".into()).await.unwrap();
    store.create("notes.txt", "of somebody else".into()).await.unwrap();
    let keys = async || -> Vec<String> {
        unneeded(store, authority, AT_ONCE).await.unwrap().into_iter().map(|object| object.key).collect()
    };
    assert_eq!(keys().await, [format!("blobs/sha256/{orphan}"), format!("keyslots/{}/key", "1".repeat(32))]);
    assert_eq!(unneeded(store, authority, Duration::from_secs(3600)).await.unwrap(), [], "it is not old enough");
    erase(store, authority, &model("model:1.0.0")).await.unwrap();
    assert_eq!(keys().await.len(), 2 + 3, "the sealed files of an erased version, too");
    for object in unneeded(store, authority, AT_ONCE).await.unwrap() {
        delete(store, &object).await.unwrap();
    }
    assert_eq!(keys().await, Vec::<String>::new());
    assert!(registry.fetch(&model("model")).await.unwrap().files == files(2, &[10, 20]));
    assert!(store.head("notes.txt").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_registry_has_no_faults_and_all_of_it_was_read() {
    let place = Place::directory();
    let registry = Registry { authority: signing(&place).await, ..place.open().await };
    publish_live(&registry, "1.0.0", &files(1, &[10, 20])).await;
    let checkup = fsck(&registry).await;
    let expected = Checkup { entries: 2, versions: 1, files: 3, bytes: checkup.bytes, ..Checkup::default() };
    assert_eq!(checkup, expected);
    let sealed: u64 = place.objects("blobs").iter().map(|path| std::fs::metadata(path).unwrap().len()).sum();
    assert_eq!(checkup.bytes, sealed);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_single_flipped_bit_is_found() {
    let place = Place::directory();
    let registry = Registry { authority: signing(&place).await, ..place.open().await };
    publish_live(&registry, "1.0.0", &files(1, &[3])).await;
    let all = ["log", "aliases", "keyslots", "blobs"].map(|prefix| place.objects(prefix)).concat();
    assert_eq!(all.len(), 2 + 1 + 1 + 2);
    for path in all {
        let intact = std::fs::read(&path).unwrap();
        for at in 0..intact.len() {
            let mut flipped = intact.clone();
            flipped[at] ^= 1 << (at % 8);
            overwrite(&path, &flipped);
            let faults = fsck(&registry).await.faults;
            assert!(!faults.is_empty(), "{} byte {at}", path.display());
        }
        overwrite(&path, &intact);
    }
    assert_eq!(fsck(&registry).await.faults, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_is_named_with_its_object_and_what_helps() {
    let place = Place::directory();
    let registry = two(&place).await;
    let faults = async |object: &PathBuf| {
        let faults = fsck(&registry).await.faults;
        let key = object.strip_prefix(place.root()).unwrap().to_str().unwrap().to_owned();
        let named = faults.iter().any(|fault| key.starts_with(&fault.object) && !fault.remedy.is_empty());
        assert!(named, "{key}: {faults:?}");
    };
    for prefix in ["log", "aliases", "keyslots", "blobs"] {
        for object in place.objects(prefix) {
            let intact = std::fs::read(&object).unwrap();
            flip(&object, intact.len() / 2);
            // Of entry n, n + 1 may be what shows it.
            if prefix != "log" {
                faults(&object).await;
            }
            std::fs::remove_file(&object).unwrap();
            if prefix != "log" {
                faults(&object).await;
            }
            std::fs::write(&object, &intact).unwrap();
        }
    }
    assert_eq!(fsck(&registry).await.faults, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_without_signatures_is_signed_without_sealing_anything_again() {
    let place = Place::directory();
    let unsigned = two(&place).await;
    unsigned.promote(&model("model:1.0.0"), "canary").await.unwrap();
    let (blobs, keyslots) = (place.objects("blobs"), place.objects("keyslots"));
    let authority = signing(&place).await;
    let registry = Registry { authority: authority.clone(), ..place.open().await };
    assert!(registry.fetch(&model("model")).await.is_err());
    let migrated = migrate(&registry.store, &authority).await.unwrap();
    assert_eq!(migrated.versions.len(), 2);
    assert_eq!(migrated.aliases, ["model:live", "model:canary"]);
    assert_eq!((place.objects("blobs"), place.objects("keyslots")), (blobs, keyslots));
    let fetched = registry.fetch(&model("model")).await.unwrap();
    assert!(fetched.signed && fetched.files == files(2, &[10, 20]));
    assert!(registry.fetch(&model("model:canary")).await.unwrap().files == files(1, &[10, 20]));
    assert_eq!(migrate(&registry.store, &authority).await.unwrap(), strongroom::registry::Migrated::default());
}

/// The key file of `name`, and the registry as somebody opens it who has that key.
async fn with_key(place: &Place, name: &str, byte: u8) -> (KeySource, Registry) {
    let key = KeySource::File(support::key_file(place.scratch.path(), name, byte));
    let registry = place.open_with(&key).await;
    (key, registry)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_every_version_opens_under_the_new_key_and_the_old() {
    let place = Place::directory();
    let old = two(&place).await;
    let blobs = place.objects("blobs");
    let (key, new) = with_key(&place, "new", 9).await;
    let keys = Keys::open(&key, &place.aws).await.unwrap();
    assert!(new.fetch(&model("model")).await.is_err());
    let rotated = old.rotate(Some(&keys), &|_, _| ()).await.unwrap();
    assert_eq!((rotated.artifacts, rotated.written, rotated.index), (2, 2, Some(3)));
    assert!(rotated.bytes < 750, "{rotated:?}");
    for registry in [&old, &new] {
        assert!(registry.fetch(&model("model")).await.unwrap().files == files(2, &[10, 20]));
        assert!(registry.fetch(&model("model:1.0.0")).await.unwrap().files == files(1, &[10, 20]));
    }
    assert_eq!(place.objects("blobs"), blobs);
    let again = old.rotate(Some(&keys), &|_, _| ()).await.unwrap();
    assert_eq!((again.written, again.index), (0, Some(3)), "nothing is done twice");
    assert_eq!(fsck(&new).await.faults, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_given_up_only_when_nothing_hangs_on_it() {
    let place = Place::directory();
    let old = two(&place).await;
    let name = old.keys.current().await.unwrap().name.clone();
    let (key, new) = with_key(&place, "new", 9).await;
    let error = new.retire_key(&name).await.unwrap_err();
    assert!(matches!(error, RegistryError::Retiring { .. }), "{}", chain(&error));
    old.rotate(Some(&Keys::open(&key, &place.aws).await.unwrap()), &|_, _| ()).await.unwrap();
    let status = new.key_status().await.unwrap();
    assert!(status.len() == 2 && status.values().all(|hanging| hanging.artifacts == 2 && hanging.alone.is_empty()));
    let error = new.retire_key(&new.keys.current().await.unwrap().name).await.unwrap_err();
    assert!(matches!(error, RegistryError::Retiring { .. }), "{}", chain(&error));
    assert_eq!(new.retire_key(&name).await.unwrap(), 2);
    assert!(old.fetch(&model("model")).await.is_err());
    assert!(new.fetch(&model("model")).await.is_ok());
    assert_eq!(new.key_status().await.unwrap().len(), 1);
}

/// Whoever may write to the store could else stop every rotation by an entry of a version that nobody can open.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_passes_over_versions_that_nobody_trusted_registered() {
    let place = Place::directory();
    let registry = Registry { authority: signing(&place).await, ..place.open().await };
    publish_live(&registry, "1.0.0", &files(1, &[10])).await;
    let (_, mallory) = with_key(&place, "mallory", 5).await;
    publish(&mallory, "2.0.0", &files(2, &[10])).await.unwrap();
    let (key, _) = with_key(&place, "new", 9).await;
    let rotated = registry.rotate(Some(&Keys::open(&key, &place.aws).await.unwrap()), &|_, _| ()).await.unwrap();
    assert_eq!(rotated.artifacts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_has_no_next_key() {
    let place = Place::directory();
    let registry = two(&place).await;
    let error = registry.rotate(None, &|_, _| ()).await.unwrap_err();
    assert!(chain(&error).contains("has no next key"), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_again_has_the_same_files_under_another_key_and_the_old_version_is_gone() {
    let place = Place::directory();
    let (_, old) = with_key(&place, "old", 1).await;
    publish(&old, "1.0.0", &files(1, &[10])).await.unwrap();
    publish_live(&old, "2.0.0", &files(2, &[10])).await;
    let again = |registry: Registry| async move { registry.reseal(&model("model:2.0.0"), None, &|_| ()).await };
    let error = again(place.open_with(&with_key(&place, "old", 1).await.0).await).await.unwrap_err();
    assert!(matches!(error, RegistryError::NoNewKey { .. }), "{}", chain(&error));
    let (new_key, new) = with_key(&place, "new", 2).await;
    old.rotate(Some(&new.keys), &|_, _| ()).await.unwrap();
    assert_eq!(new.sealed_before().await.unwrap(), [model("model:1.0.0"), model("model:2.0.0")]);
    let resealed = again(place.open_with(&new_key).await).await.unwrap();
    assert_eq!((resealed.to.as_str(), resealed.aliases.as_slice()), ("2.0.0+reseal.1", ["live".to_owned()].as_slice()));
    let live = new.fetch(&model("model")).await.unwrap();
    assert!(live.version == "2.0.0+reseal.1" && live.files == files(2, &[10]));
    assert!(old.fetch(&model("model")).await.is_err(), "the old key opens nothing of it");
    let gone = new.fetch(&model("model:2.0.0")).await.err().unwrap();
    assert!(matches!(gone, RegistryError::Erased { .. }), "{}", chain(&gone));
    assert_eq!(new.sealed_before().await.unwrap(), [model("model:1.0.0")]);
    assert_eq!(fsck(&new).await.faults, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_somebody_moved_while_a_version_was_sealed_again_stays_where_they_moved_it() {
    let place = Place::directory();
    let (_, old) = with_key(&place, "old", 1).await;
    publish_live(&old, "1.0.0", &files(1, &[10])).await;
    publish(&old, "2.0.0", &files(2, &[10])).await.unwrap();
    let (_, new) = with_key(&place, "new", 2).await;
    old.rotate(Some(&new.keys), &|_, _| ()).await.unwrap();
    let root = place.root().to_owned();
    let moved = move |_: Progress<'_>| {
        let root = root.clone();
        let moving = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (store, alias) = (Store::directory(&root), "live".parse().unwrap());
            runtime.block_on(promote(&store, &Authority::default(), &model("model:2.0.0"), &alias)).unwrap();
        });
        moving.join().unwrap();
    };
    let resealed = new.reseal(&model("model:1.0.0"), None, &moved).await.unwrap();
    assert_eq!(resealed.aliases, Vec::<String>::new());
    assert_eq!(new.fetch(&model("model")).await.unwrap().version, "2.0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_key_opens_what_the_lost_one_sealed() {
    let place = Place::directory();
    let (key, registry) = with_key(&place, "kek", 1).await;
    let (_, safe) = with_key(&place, "recovery", 2).await;
    let content = Content::in_memory(&files(1, &[10]));
    let release = Release { recovery: Some(&safe.keys), ..Release::new("model", "1.0.0", &content) };
    registry.publish(&release, &|_| ()).await.unwrap();
    assert!(safe.fetch(&model("model:1.0.0")).await.unwrap().files == files(1, &[10]));
    // What was published without one gets one by publishing again.
    publish(&registry, "2.0.0", &files(2, &[10])).await.unwrap();
    let content = Content::in_memory(&files(2, &[10]));
    let again = Release { recovery: Some(&safe.keys), ..Release::new("model", "2.0.0", &content) };
    assert!(registry.publish(&again, &|_| ()).await.unwrap().already);
    assert!(safe.fetch(&model("model:2.0.0")).await.is_ok());
    // The recovered registry is rotated to a new key, and nothing needs the lost one.
    let (_, new) = with_key(&place, "new", 3).await;
    safe.rotate(Some(&new.keys), &|_, _| ()).await.unwrap();
    assert!(new.fetch(&model("model:1.0.0")).await.is_ok());
    let itself = Keys::open(&key, &place.aws).await.unwrap();
    let content = Content::in_memory(&files(3, &[10]));
    let same = Release { recovery: Some(&itself), ..Release::new("model", "3.0.0", &content) };
    let error = registry.publish(&same, &|_| ()).await.unwrap_err();
    assert!(matches!(error, RegistryError::SameKey { .. }), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn provenance_is_in_the_entry_and_belongs_to_the_version() {
    let place = Place::directory();
    let registry = place.open().await;
    let documents = [Provenance::of("run.json".as_ref(), b"{}").unwrap()];
    let content = Content::in_memory(&files(1, &[10]));
    let release = Release { provenance: &documents, ..Release::new("model", "1.0.0", &content) };
    registry.publish(&release, &|_| ()).await.unwrap();
    let found = find_version(&registry.store, &registry.authority, &model("model:1.0.0")).await.unwrap();
    assert_eq!(found.provenance, documents);
    assert!(registry.publish(&release, &|_| ()).await.unwrap().already);
    let error = registry.publish(&Release { provenance: &[], ..release }, &|_| ()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Immutable { .. }), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erase_entry_that_means_another_artifact_does_not_hold() {
    let place = Place::directory();
    let registry = two(&place).await;
    erase(&registry.store, &registry.authority, &model("model:1.0.0")).await.unwrap();
    assert!(verify_log(&registry.store, &registry.authority).await.is_ok());
    let newest = place.objects("log").pop().unwrap();
    let mut entry: serde_json::Value = serde_json::from_slice(&std::fs::read(&newest).unwrap()).unwrap();
    entry["predicate"]["event"]["artifact"] = json!("0".repeat(32));
    overwrite(&newest, entry.to_string().as_bytes());
    let error = verify_log(&registry.store, &registry.authority).await.unwrap_err();
    assert!(matches!(error, RegistryError::Damaged { .. }), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_nothing_knows_is_not_given_up() {
    let place = Place::directory();
    let registry = two(&place).await;
    let error = registry.retire_key("nobody").await.unwrap_err();
    assert!(chain(&error).contains("nobody"), "{}", chain(&error));
}
