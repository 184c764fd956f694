//! Registries that earlier programs wrote (`tests/registries`) are read for ever.
//!
//! `unsigned` is of the first layout, before entries were signed: two versions of a model, two aliases, and an export of one.
//! `signed` has every kind of entry there is since: its policy trusts the key that signed it.

#[path = "support/registry.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use strongroom::keys::{KeySource, Keys};
use strongroom::registry::{
    Authority, Change, Content, Provenance, Registry, RegistryError, Release, fetch_mount, find_version, migrate,
    verify_log,
};
use strongroom::signed::Trust;
use strongroom::signer::{Signer, SignerSource, create};
use strongroom::store::Store;
use support::{chain, key_bytes_file, model};
use tempfile::TempDir;

const IRIS: &str = "iris-random-forest";

/// A copy that may be written to, and the key that opens it: the bytes from 0 to 31.
struct Earlier {
    copy: TempDir,
    key: PathBuf,
}

impl Earlier {
    fn new(name: &str) -> Self {
        let copy = TempDir::new().unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registries").join(name);
        let copied = Command::new("cp").arg("-r").arg(fixture).arg(copy.path().join("it")).status().unwrap();
        assert!(copied.success());
        let bytes: Vec<u8> = (0..32).collect();
        let key = key_bytes_file(copy.path(), "kek", &bytes);
        Self { copy, key }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.copy.path().join("it").join(name)
    }

    async fn keys(&self) -> Keys {
        Keys::open(&KeySource::File(self.key.clone()), &aws_config::SdkConfig::builder().build()).await.unwrap()
    }

    async fn open(&self, authority: Authority) -> Registry {
        Registry { store: Store::directory(&self.path("registry")), keys: self.keys().await, authority }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_registry_is_read_written_to_and_signed() {
    let earlier = Earlier::new("unsigned");
    let registry = earlier.open(Authority::default()).await;
    let pinned = format!("{IRIS}@sha256:20463cdb73fbc9dda481746467a3ac645766b7cb13ca5a5ac9a80d16cf759f63");
    let canary = format!("{IRIS}:canary");
    for (name, version) in [(IRIS, "1.1.0"), (canary.as_str(), "1.0.0"), (pinned.as_str(), "1.0.0")] {
        let found = registry.fetch(&model(name)).await.unwrap_or_else(|error| panic!("{name}: {}", chain(&error)));
        assert_eq!((found.version.as_str(), found.signed), (version, false), "{name}");
        assert!(found.files.contains_key("model.toml"));
    }
    assert_eq!(registry.fsck(&|_| ()).await.unwrap().faults, []);
    let mounted = fetch_mount(&earlier.path("export"), Some(&earlier.keys().await), &Authority::default(), false).await;
    assert_eq!(mounted.unwrap().version, "1.0.0");
    let content = Content::in_memory(&registry.fetch(&model(IRIS)).await.unwrap().files);
    registry.publish(&Release::new(IRIS, "2.0.0", &content), &|_| ()).await.unwrap();
    // Signed, it is served by whoever trusts the key.
    let key = create(&earlier.copy.path().join("signer")).await.unwrap();
    let source = SignerSource::File(earlier.copy.path().join("signer"));
    let signer = Signer::open(&source, &aws_config::SdkConfig::builder().build()).await.unwrap();
    let policy = serde_json::json!({ "signers": { "ci": [{ "pem": key.pem() }] }, "publisher": { "signers": ["ci"] } });
    let trust = Some(Arc::new(Trust::read(policy.to_string().as_bytes()).unwrap()));
    let authority = Authority { trust, signers: Arc::new(vec![signer]), min_index: 0 };
    let before = earlier.open(authority.clone()).await.fetch(&model(IRIS)).await.err().unwrap();
    assert!(matches!(before, RegistryError::Unsigned { .. }), "{}", chain(&before));
    let migrated = migrate(&registry.store, &authority).await.unwrap();
    assert_eq!((migrated.versions.len(), migrated.aliases.len()), (3, 2));
    assert!(earlier.open(authority).await.fetch(&model(IRIS)).await.unwrap().signed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_registry_with_every_kind_of_entry_is_verified_and_read() {
    let earlier = Earlier::new("signed");
    let policy = std::fs::read(earlier.path("trust.json")).unwrap();
    let authority = Authority { trust: Some(Arc::new(Trust::read(&policy).unwrap())), ..Authority::default() };
    let registry = earlier.open(authority.clone()).await;
    let records = verify_log(&registry.store, &authority).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    let kinds: Vec<&str> = records.iter().map(|record| kind(&record.change)).collect();
    for expected in ["registered", "moved", "rolled back", "rotated", "erased"] {
        assert!(kinds.contains(&expected), "{expected} is not in {kinds:?}");
    }
    let live = registry.fetch(&model(IRIS)).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
    assert!(live.signed && live.version == "1.0.0");
    let found = find_version(&registry.store, &authority, &model(&format!("{IRIS}:1.0.0"))).await.unwrap();
    assert_eq!(found.provenance, [Provenance::of("run.json".as_ref(), b"{}").unwrap()]);
    assert_eq!(registry.fsck(&|_| ()).await.unwrap().faults, []);
}

fn kind(change: &Change) -> &'static str {
    match change {
        Change::Registered { .. } => "registered",
        Change::Moved { back: true, .. } => "rolled back",
        Change::Moved { .. } => "moved",
        Change::Rotated { .. } => "rotated",
        Change::Erased { .. } => "erased",
    }
}
