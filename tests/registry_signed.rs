//! A registry whose entries are signed: what readers with a trust policy go by, and what they pass over or refuse.

#[path = "support/registry.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use strongroom::bundle::Files;
use strongroom::keys::KeySource;
use strongroom::registry::{
    Authority, Change, Published, Registry, RegistryError, Standing, find_version, history, roll_back, verify_log,
};
use strongroom::sealed::digest::sha256_hex;
use strongroom::signed::{ModelStatement, SignatureError, Trust};
use strongroom::signer::{Signer, SignerSource, create, sign};
use support::{Place, chain, files, model, overwrite, publish};

/// A registry in a directory and the keys of an author, a publisher and somebody whom nobody trusts.
struct Office {
    place: Place,
    trust: Arc<Trust>,
}

impl Office {
    async fn new() -> Self {
        Self::asking_for_authors(false).await
    }

    async fn asking_for_authors(authors: bool) -> Self {
        let place = Place::directory();
        let mut signers = BTreeMap::new();
        for name in ["author", "publisher", "mallory"] {
            let key = create(&place.scratch.path().join(name)).await.unwrap();
            signers.insert(name, json!([{ "pem": key.pem() }]));
        }
        signers.remove("mallory");
        let mut policy = json!({ "signers": signers, "publisher": { "signers": ["publisher"] } });
        if authors {
            policy["author"] = json!({ "signers": ["author"] });
        }
        let trust = Arc::new(Trust::read(policy.to_string().as_bytes()).unwrap());
        Self { place, trust }
    }

    async fn signer(&self, name: &str) -> Signer {
        let source = SignerSource::File(self.place.scratch.path().join(name));
        Signer::open(&source, &self.place.aws).await.unwrap()
    }

    /// As somebody opens it who signs with the key of `name` and goes by the policy, or by none.
    async fn open(&self, name: Option<&str>, trusts: bool) -> Registry {
        let mut signers = Vec::new();
        if let Some(name) = name {
            signers.push(self.signer(name).await);
        }
        let trust = trusts.then(|| Arc::clone(&self.trust));
        let authority = Authority { trust, signers: Arc::new(signers), min_index: 0 };
        Registry { authority, ..self.place.open().await }
    }

    async fn publisher(&self) -> Registry {
        self.open(Some("publisher"), true).await
    }

    /// Somebody who may write to the store, has a key of their own, and whom nobody trusts.
    async fn mallory(&self) -> Registry {
        self.open(Some("mallory"), false).await
    }

    async fn reader(&self) -> Registry {
        self.open(None, true).await
    }

    /// `files` with a signature over them.
    async fn signed(&self, files: &Files, name: &str) -> Files {
        let digests: Vec<_> = files.iter().map(|(path, bytes)| (path.clone(), sha256_hex(bytes))).collect();
        let digests = digests.iter().map(|(path, digest)| (path.as_str(), digest.as_str()));
        let statement = ModelStatement::of("model", digests).write("model.sig");
        let bundle = sign(&statement, &[self.signer(name).await]).await.unwrap();
        let mut files = files.clone();
        files.insert("model.sig".to_owned(), bundle.into());
        files
    }
}

async fn publish_two(registry: &Registry) -> (Published, Published) {
    let one = publish(registry, "1.0.0", &files(1, &[10])).await.unwrap();
    let two = publish(registry, "2.0.0", &files(2, &[10])).await.unwrap();
    registry.promote(&model("model:1.0.0"), "live").await.unwrap();
    registry.promote(&model("model:2.0.0"), "live").await.unwrap();
    (one, two)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_publisher_signed_is_served_as_signed() {
    let office = Office::new().await;
    let (_, two) = publish_two(&office.publisher().await).await;
    let reader = office.reader().await;
    for name in ["model".to_owned(), "model:2.0.0".to_owned(), format!("model@sha256:{}", two.digest)] {
        let fetched = reader.fetch(&model(&name)).await.unwrap();
        assert!(fetched.signed && fetched.files == files(2, &[10]), "{name}");
    }
    let without_policy = office.open(None, false).await;
    assert!(!without_policy.fetch(&model("model")).await.unwrap().signed);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_a_signature_bundle_over_an_in_toto_statement() {
    let office = Office::new().await;
    publish_two(&office.publisher().await).await;
    for entry in office.place.objects("log") {
        let bundle: Value = serde_json::from_slice(&std::fs::read(&entry).unwrap()).unwrap();
        assert_eq!(bundle["mediaType"], "application/vnd.dev.sigstore.bundle.v0.3+json");
        assert_eq!(bundle["dsseEnvelope"]["payloadType"], "application/vnd.in-toto+json");
        assert_eq!(
            bundle["verificationMaterial"]["publicKey"]["hint"],
            office.signer("publisher").await.public_key().fingerprint()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unsigned_is_refused_where_a_policy_is_and_served_where_none_is() {
    let office = Office::new().await;
    let unsigned = office.open(None, false).await;
    publish(&unsigned, "1.0.0", &files(1, &[10])).await.unwrap();
    unsigned.promote(&model("model:1.0.0"), "live").await.unwrap();
    assert!(unsigned.fetch(&model("model")).await.is_ok());
    let error = office.reader().await.fetch(&model("model")).await.err().unwrap();
    assert!(matches!(error, RegistryError::Unsigned { .. }), "{}", chain(&error));
    // Nor is it a version any more: publishing it again, signed, is what makes it one.
    let publisher = office.publisher().await;
    assert!(!publish(&publisher, "1.0.0", &files(1, &[10])).await.unwrap().already);
    publisher.promote(&model("model:1.0.0"), "live").await.unwrap();
    assert!(office.reader().await.fetch(&model("model")).await.unwrap().signed);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_somebody_whom_nobody_trusts_are_passed_over() {
    let office = Office::new().await;
    let publisher = office.publisher().await;
    publish_two(&publisher).await;
    let mallory = office.mallory().await;
    // In the log, with an alias object that says so.
    mallory.promote(&model("model:1.0.0"), "live").await.unwrap();
    publish(&mallory, "3.0.0", &files(3, &[10])).await.unwrap();
    let reader = office.reader().await;
    let error = reader.fetch(&model("model")).await.err().unwrap();
    assert!(
        matches!(error, RegistryError::NotTrusted { source: SignatureError::NotTrusted { .. }, .. }),
        "{}",
        chain(&error)
    );
    let error = reader.fetch(&model("model:3.0.0")).await.err().unwrap();
    assert!(matches!(error, RegistryError::NoVersion { .. }), "{}", chain(&error));
    // The next move of the publisher follows the last one that counts, and mends the alias object.
    let promoted = publisher.promote(&model("model:1.0.0"), "live").await.unwrap();
    assert_eq!((promoted.previous.as_deref(), promoted.index), (Some("2.0.0"), 6));
    assert!(reader.fetch(&model("model")).await.unwrap().files == files(1, &[10]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_the_policy_does_not_name_writes_nothing_for_whoever_goes_by_it() {
    let office = Office::new().await;
    let author = office.open(Some("author"), true).await;
    let error = publish(&author, "1.0.0", &files(1, &[10])).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::NotTrusted { source: SignatureError::NotInRole { .. }, .. }),
        "{}",
        chain(&error)
    );
    assert_eq!(office.place.objects("log"), Vec::<std::path::PathBuf>::new());
    let nobody = office.reader().await;
    let error = publish(&nobody, "1.0.0", &files(1, &[10])).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unsigned { .. }), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_is_put_back_is_below_the_floor() {
    let office = Office::new().await;
    publish_two(&office.publisher().await).await;
    let alias = office.place.only_object("aliases");
    let log = office.place.objects("log");
    overwrite(&alias, &std::fs::read(&log[2]).unwrap());
    let mut reader = office.reader().await;
    assert!(reader.fetch(&model("model")).await.unwrap().files == files(1, &[10]), "a replay passes every signature");
    reader.authority.min_index = 3;
    let error = reader.fetch(&model("model")).await.err().unwrap();
    assert!(matches!(&error, RegistryError::BelowFloor { index: 2, floor: 3, .. }), "{}", chain(&error));
    overwrite(&alias, &std::fs::read(&log[3]).unwrap());
    assert!(reader.fetch(&model("model")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_may_say_the_floor() {
    let place = support::Place::directory();
    let written = support::key_file(place.scratch.path(), "raw", 7);
    publish_two(&place.open_with(&KeySource::File(written)).await).await;
    let raw = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [7; 32]);
    for (floor, accepted) in [(3, true), (4, false)] {
        let path = support::key_file(place.scratch.path(), "json", 7);
        overwrite(&path, format!("{{\"key\":\"{raw}\",\"min_index\":{floor}}}").as_bytes());
        let fetched = place.open_with(&KeySource::File(path)).await.fetch(&model("model")).await;
        assert_eq!(fetched.is_ok(), accepted);
        if let Err(error) = fetched {
            assert!(matches!(&error, RegistryError::BelowFloor { index: 3, floor: 4, .. }), "{}", chain(&error));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_byte_of_a_signed_entry_is_refused() {
    let office = Office::new().await;
    publish_two(&office.publisher().await).await;
    let (alias, reader) = (office.place.only_object("aliases"), office.reader().await);
    let intact = std::fs::read(&alias).unwrap();
    for at in (0..intact.len()).step_by(7) {
        let mut flipped = intact.clone();
        flipped[at] ^= 1;
        overwrite(&alias, &flipped);
        assert!(reader.fetch(&model("model")).await.is_err(), "byte {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rolled_back_is_a_new_and_higher_entry_to_the_version_before() {
    let office = Office::new().await;
    let publisher = office.publisher().await;
    publish_two(&publisher).await;
    let live = "live".parse().unwrap();
    let back = async || roll_back(&publisher.store, &publisher.authority, "model", &live).await.unwrap();
    let once = back().await;
    assert_eq!((once.version.as_str(), once.previous.as_deref(), once.index), ("1.0.0", Some("2.0.0"), 4));
    assert!(office.reader().await.fetch(&model("model")).await.unwrap().files == files(1, &[10]));
    let twice = back().await;
    assert_eq!((twice.version.as_str(), twice.index), ("2.0.0", 5));
    let records = history(&publisher.store, &publisher.authority).await.unwrap();
    assert!(matches!(&records[4].change, Change::Moved { back: true, .. }), "{:?}", records[4]);
    assert!(matches!(&records[3].change, Change::Moved { back: false, .. }), "{:?}", records[3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_never_moved_cannot_be_rolled_back() {
    let office = Office::new().await;
    let publisher = office.publisher().await;
    publish(&publisher, "1.0.0", &files(1, &[10])).await.unwrap();
    let live = "live".parse().unwrap();
    let back = async || roll_back(&publisher.store, &publisher.authority, "model", &live).await.unwrap_err();
    assert!(matches!(back().await, RegistryError::NoAlias { .. }));
    publisher.promote(&model("model:1.0.0"), "live").await.unwrap();
    assert!(matches!(back().await, RegistryError::NothingBefore { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_published_and_served_only_as_its_author_signed_it() {
    let office = Office::asking_for_authors(true).await;
    let publisher = office.publisher().await;
    let plain = files(1, &[10, 20]);
    let error = publish(&publisher, "1.0.0", &plain).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unsigned { .. }), "{}", chain(&error));
    let mut altered = office.signed(&plain, "author").await;
    altered.insert("more.bin".to_owned(), "more".into());
    let error = publish(&publisher, "1.0.0", &altered).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::NotTrusted { source: SignatureError::Unlisted { .. }, .. }),
        "{}",
        chain(&error)
    );
    let by_publisher = office.signed(&plain, "publisher").await;
    let error = publish(&publisher, "1.0.0", &by_publisher).await.unwrap_err();
    assert!(
        matches!(error, RegistryError::NotTrusted { source: SignatureError::NotInRole { .. }, .. }),
        "{}",
        chain(&error)
    );
    let signed = office.signed(&plain, "author").await;
    publish(&publisher, "1.0.0", &signed).await.unwrap();
    publisher.promote(&model("model:1.0.0"), "live").await.unwrap();
    assert!(office.reader().await.fetch(&model("model")).await.unwrap().files == signed);
    // A publisher who goes by no policy publishes what nobody signed: whoever serves it finds that out.
    let careless = office.open(Some("publisher"), false).await;
    publish(&careless, "2.0.0", &plain).await.unwrap();
    let error = office.reader().await.fetch(&model("model:2.0.0")).await.err().unwrap();
    assert!(matches!(error, RegistryError::Unsigned { .. }), "{}", chain(&error));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_says_what_each_signature_is_worth() {
    let office = Office::new().await;
    publish(&office.publisher().await, "1.0.0", &files(1, &[10])).await.unwrap();
    publish(&office.open(None, false).await, "2.0.0", &files(2, &[10])).await.unwrap();
    publish(&office.mallory().await, "3.0.0", &files(3, &[10])).await.unwrap();
    let standings = async |trusts| {
        let registry = office.open(None, trusts).await;
        let records = history(&registry.store, &registry.authority).await.unwrap();
        records.into_iter().map(|record| record.standing).collect::<Vec<_>>()
    };
    assert_eq!(standings(false).await, [Standing::Unverified, Standing::Unsigned, Standing::Unverified]);
    let with_policy = standings(true).await;
    assert!(
        matches!(&with_policy[0], Standing::SignedBy(signers) if signers[0].name == "publisher"),
        "{with_policy:?}"
    );
    assert!(with_policy[1..].iter().all(|standing| !standing.counts()), "{with_policy:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_found_with_its_aliases_and_keys() {
    let office = Office::new().await;
    let publisher = office.publisher().await;
    let (_, two) = publish_two(&publisher).await;
    let found = find_version(&publisher.store, &publisher.authority, &model("model:2.0.0")).await.unwrap();
    assert_eq!((found.record.digest, found.aliases, found.keks.len()), (two.digest, vec!["live".to_owned()], 1));
    let found = find_version(&publisher.store, &publisher.authority, &model("model:1.0.0")).await.unwrap();
    assert_eq!(found.aliases, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_the_log_names_the_first_thing_that_does_not_hold() {
    let office = Office::new().await;
    publish_two(&office.publisher().await).await;
    let reader = office.reader().await;
    let verify = async || verify_log(&reader.store, &reader.authority).await.map(|records| records.len());
    assert_eq!(verify().await.unwrap(), 4);
    let (log, alias) = (office.place.objects("log"), office.place.only_object("aliases"));
    for (at, entry) in log.iter().enumerate() {
        let intact = std::fs::read(entry).unwrap();
        support::flip(entry, intact.len() / 2);
        let text = chain(&verify().await.unwrap_err());
        // Flipped in a signature's letters, the digest differs, and the entry behind names another.
        let named = [at, at + 1].iter().any(|index| text.contains(&format!("log/{index:020}.json")));
        assert!(named || text.contains("aliases/"), "entry {at}: {text}");
        overwrite(entry, &intact);
    }
    let newest = std::fs::read(&alias).unwrap();
    overwrite(&alias, &std::fs::read(&log[2]).unwrap());
    assert!(chain(&verify().await.unwrap_err()).contains("aliases/model/live.json"));
    overwrite(&alias, &newest);
    std::fs::remove_file(&alias).unwrap();
    assert!(chain(&verify().await.unwrap_err()).contains("aliases/model/live.json"));
    std::fs::write(&alias, &newest).unwrap();
    publish(&office.mallory().await, "3.0.0", &files(3, &[10])).await.unwrap();
    assert!(chain(&verify().await.unwrap_err()).contains("log/00000000000000000004.json"));
}
