//! Signatures over models and who is trusted: what counts, and each way not to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_config::SdkConfig;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};
use strongroom::signed::{
    Envelope, MAX_ENVELOPE_LEN, ModelStatement, PublicKey, PublicKeyError, Role, SignatureError, Trust, TrustError,
};
use strongroom::signer::{Signer, SignerSource, create, sign};

const NOW: &str = "2026-06-15T12:00:00Z";

/// A model of two files, by path with their digests.
fn files() -> BTreeMap<String, String> {
    [("model.toml", "a"), ("weights/model.onnx", "b")].map(|(path, digit)| (path.to_owned(), digit.repeat(64))).into()
}

fn names(files: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    files.iter().map(|(path, digest)| (path.as_str(), digest.as_str()))
}

/// Keys of people, each in a file of a directory of their own.
struct People(tempfile::TempDir);

impl People {
    async fn named(names: &[&str]) -> Self {
        let people = Self(tempfile::tempdir().unwrap());
        for name in names {
            create(&people.0.path().join(name)).await.unwrap();
        }
        people
    }

    async fn signer(&self, name: &str) -> Signer {
        let source = SignerSource::File(self.0.path().join(name));
        Signer::open(&source, &SdkConfig::builder().build()).await.unwrap()
    }

    async fn pem(&self, name: &str) -> String {
        self.signer(name).await.public_key().pem()
    }

    async fn sign(&self, statement: &[u8], names: &[&str]) -> Vec<u8> {
        let mut signers = Vec::new();
        for name in names {
            signers.push(self.signer(name).await);
        }
        sign(statement, &signers).await.unwrap()
    }

    /// A policy that trusts `authors`, so many of whom have to agree, and with publishing `publishers`.
    async fn trust(&self, authors: &[&str], threshold: usize, publishers: &[&str]) -> Trust {
        let mut signers = BTreeMap::new();
        for name in authors.iter().chain(publishers) {
            signers.insert(*name, json!([{ "pem": self.pem(name).await }]));
        }
        let policy = json!({ "signers": signers, "author": { "signers": authors, "threshold": threshold },
            "publisher": { "signers": publishers } });
        Trust::read(policy.to_string().as_bytes()).unwrap()
    }
}

fn statement() -> Vec<u8> {
    ModelStatement::of("model", names(&files())).write("model.sig")
}

/// Reads, compares the files, asks the policy: what a verifier does.
fn verify(bundle: &[u8], trust: &Trust, role: Role) -> Result<Vec<String>, SignatureError> {
    let envelope = Envelope::read(bundle)?;
    ModelStatement::read(envelope.payload())?.check(names(&files()))?;
    Ok(trust.check(role, &[envelope], NOW)?.into_iter().map(|signer| signer.name).collect())
}

#[tokio::test]
async fn what_a_trusted_author_signed_counts() {
    let people = People::named(&["alice"]).await;
    let bundle = people.sign(&statement(), &["alice"]).await;
    let trust = people.trust(&["alice"], 1, &["alice"]).await;
    assert_eq!(verify(&bundle, &trust, Role::Author), Ok(vec!["alice".to_owned()]));
}

#[tokio::test]
async fn what_somebody_else_signed_does_not_count() {
    let people = People::named(&["alice", "mallory", "bob"]).await;
    let trust = people.trust(&["alice"], 1, &["bob"]).await;
    let bundle = people.sign(&statement(), &["mallory"]).await;
    let hint = Some(people.signer("mallory").await.public_key().fingerprint());
    assert_eq!(verify(&bundle, &trust, Role::Author), Err(SignatureError::NotTrusted { hint }));
    let bundle = people.sign(&statement(), &["bob"]).await;
    let expected = SignatureError::NotInRole { signer: "bob".to_owned(), role: Role::Author };
    assert_eq!(verify(&bundle, &trust, Role::Author), Err(expected));
    assert!(verify(&bundle, &trust, Role::Publisher).is_ok());
}

#[tokio::test]
async fn as_many_signers_as_the_policy_asks_for_have_to_agree() {
    let people = People::named(&["alice", "bob", "carol"]).await;
    let trust = people.trust(&["alice", "bob", "carol"], 2, &["carol"]).await;
    let alone = people.sign(&statement(), &["bob"]).await;
    let expected = SignatureError::TooFew { found: vec!["bob".to_owned()], needed: 2, role: Role::Author };
    assert_eq!(verify(&alone, &trust, Role::Author), Err(expected));
    let twice = people.sign(&statement(), &["bob", "bob"]).await;
    assert!(matches!(verify(&twice, &trust, Role::Author), Err(SignatureError::TooFew { .. })));
    let both = people.sign(&statement(), &["bob", "alice"]).await;
    assert_eq!(verify(&both, &trust, Role::Author), Ok(vec!["alice".to_owned(), "bob".to_owned()]));
    // Each in a bundle of their own, as two people sign who do not meet.
    let apart = [alone, people.sign(&statement(), &["carol"]).await].map(|bundle| Envelope::read(&bundle).unwrap());
    assert_eq!(trust.check(Role::Author, &apart, NOW).unwrap().len(), 2);
}

#[tokio::test]
async fn a_key_counts_from_when_to_when_the_policy_says_and_two_of_one_signer_overlap() {
    let people = People::named(&["old", "new"]).await;
    let keys = json!([
        { "pem": people.pem("old").await, "until": "2026-07-01T00:00:00Z" },
        { "pem": people.pem("new").await, "from": "2026-06-01T00:00:00Z", "until": "2027-07-01T00:00:00Z" },
    ]);
    let policy = json!({ "signers": { "alice": keys }, "author": { "signers": ["alice"] },
        "publisher": { "signers": ["alice"] } });
    let trust = Trust::read(policy.to_string().as_bytes()).unwrap();
    let counts = async |name: &str, at: &str| {
        let envelope = Envelope::read(&people.sign(&statement(), &[name]).await).unwrap();
        match trust.check(Role::Author, &[envelope], at) {
            Ok(_) => true,
            Err(SignatureError::NotAtThatTime { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    };
    for (at, old, new) in [
        ("2026-05-31T23:59:59Z", true, false),
        ("2026-06-01T00:00:00Z", true, true),
        ("2026-06-30T23:59:59Z", true, true),
        ("2026-07-01T00:00:00Z", false, true),
        ("2027-07-01T00:00:00Z", false, false),
    ] {
        assert_eq!((counts("old", at).await, counts("new", at).await), (old, new), "{at}");
    }
}

#[tokio::test]
async fn one_signer_with_two_keys_is_one_signer() {
    let people = People::named(&["old", "new", "bob"]).await;
    let alice = json!([{ "pem": people.pem("old").await }, { "pem": people.pem("new").await }]);
    let policy = json!({ "signers": { "alice": alice, "bob": [{ "pem": people.pem("bob").await }] },
        "author": { "signers": ["alice", "bob"], "threshold": 2 }, "publisher": { "signers": ["bob"] } });
    let trust = Trust::read(policy.to_string().as_bytes()).unwrap();
    let bundle = people.sign(&statement(), &["old", "new"]).await;
    assert!(matches!(verify(&bundle, &trust, Role::Author), Err(SignatureError::TooFew { .. })));
}

#[tokio::test]
async fn exactly_the_signed_files_have_to_be_there() {
    let signed = ModelStatement::read(&statement()).unwrap();
    let check = |change: fn(&mut BTreeMap<String, String>)| {
        let mut files = files();
        change(&mut files);
        signed.check(names(&files))
    };
    let path = || "model.toml".to_owned();
    assert_eq!(check(|_| {}), Ok(()));
    assert_eq!(check(|files| drop(files.remove("model.toml"))), Err(SignatureError::Missing { path: path() }));
    let unlisted = check(|files| drop(files.insert("a/more.bin".into(), "c".repeat(64))));
    assert_eq!(unlisted, Err(SignatureError::Unlisted { path: "a/more.bin".to_owned() }));
    let altered = check(|files| drop(files.insert("model.toml".into(), "c".repeat(64))));
    let (found, signed) = ("c".repeat(64), "a".repeat(64));
    assert_eq!(altered, Err(SignatureError::Altered { path: path(), found, signed }));
}

#[test]
fn signatures_are_no_signed_files_and_nothing_else_is_left_out() {
    let signed = ModelStatement::read(&statement()).unwrap();
    for (path, counts) in [
        ("model.sig", false),
        ("model.bob.sig", false),
        ("weights/model.sig", true),
        ("models.sig", true),
        ("model.sig.onnx", true),
    ] {
        let mut files = files();
        files.insert(path.to_owned(), "c".repeat(64));
        assert_eq!(signed.check(names(&files)).is_err(), counts, "{path}");
    }
}

/// Each defect in a bundle of its own, by whomever it is signed: what is refused, and by what name.
#[tokio::test]
async fn every_defect_of_a_bundle_is_refused_by_its_name() {
    let people = People::named(&["alice"]).await;
    let trust = people.trust(&["alice"], 1, &["alice"]).await;
    let bundle: Value = serde_json::from_slice(&people.sign(&statement(), &["alice"]).await).unwrap();
    let refusal = |bundle: &Value| verify(bundle.to_string().as_bytes(), &trust, Role::Author).unwrap_err();
    type Change = fn(&mut Value);
    let defects: [(&str, Change, &str); 15] = [
        ("another media type", |b| b["mediaType"] = json!("text/plain"), "mediaType"),
        ("no media type", |b| drop(b.as_object_mut().unwrap().remove("mediaType")), "mediaType"),
        ("an unknown member", |b| b["more"] = json!(1), "more"),
        ("no verification material", |b| b["verificationMaterial"] = json!({}), "how it is signed"),
        ("no envelope", |b| drop(b.as_object_mut().unwrap().remove("dsseEnvelope")), "dsseEnvelope"),
        ("a certificate", |b| b["verificationMaterial"] = json!({"x509CertificateChain": {}}), "a certificate"),
        ("keyless", |b| b["verificationMaterial"] = json!({"certificate": {}}), "short-lived"),
        ("a key and a certificate", |b| b["verificationMaterial"]["certificate"] = json!({}), "twice"),
        ("another key's name", |b| b["verificationMaterial"]["publicKey"]["hint"] = json!("00"), "names the key 00"),
        ("another payload type", |b| b["dsseEnvelope"]["payloadType"] = json!("text/plain"), "payloadType"),
        ("no signature", |b| b["dsseEnvelope"]["signatures"] = json!([]), "0 signatures"),
        ("17 signatures", |b| b["dsseEnvelope"]["signatures"] = json!(vec![json!({"sig": ""}); 17]), "17 signatures"),
        ("a signature in no base64", |b| b["dsseEnvelope"]["signatures"][0]["sig"] = json!("%"), "base64"),
        ("an empty signature", |b| b["dsseEnvelope"]["signatures"][0]["sig"] = json!(""), "trusted key"),
        ("a payload in no base64", |b| b["dsseEnvelope"]["payload"] = json!("%"), "base64"),
    ];
    for (defect, change, expected) in defects {
        let mut defective = bundle.clone();
        change(&mut defective);
        let error = refusal(&defective);
        assert!(error.to_string().contains(expected), "{defect}: {error}");
    }
    let sig = bundle["dsseEnvelope"]["signatures"][0]["sig"].as_str().unwrap();
    let sig = STANDARD.decode(sig).unwrap();
    for at in 0..sig.len() {
        let mut flipped = sig.clone();
        flipped[at] ^= 1;
        let mut defective = bundle.clone();
        defective["dsseEnvelope"]["signatures"][0]["sig"] = json!(STANDARD.encode(flipped));
        assert!(matches!(refusal(&defective), SignatureError::NotTrusted { .. }), "byte {at} of the signature");
    }
}

/// Signed by whom we trust, and refused all the same: a signature does not make a statement of a model.
#[tokio::test]
async fn every_defect_of_a_statement_is_refused_by_its_name() {
    let people = People::named(&["alice"]).await;
    let trust = people.trust(&["alice"], 1, &["alice"]).await;
    let whole: Value = serde_json::from_slice(&statement()).unwrap();
    type Change = fn(&mut Value);
    let defects: [(&str, Change, &str); 13] = [
        ("another statement", |s| s["_type"] = json!("https://in-toto.io/Statement/v0.1"), "_type"),
        ("another predicate", |s| s["predicateType"] = json!("https://slsa.dev/provenance/v1"), "predicateType"),
        ("an unknown member", |s| s["more"] = json!(1), "more"),
        ("no subject", |s| s["subject"] = json!([]), "one subject"),
        ("two subjects", |s| s["subject"] = json!([s["subject"][0], s["subject"][0]]), "one subject"),
        ("another root", |s| s["subject"][0]["digest"]["sha256"] = json!("0".repeat(64)), "digest is not the one"),
        ("no root", |s| s["subject"][0]["digest"] = json!({"sha512": "00"}), "digest is not the one"),
        ("shards", |s| s["predicate"]["serialization"]["method"] = json!("shards"), "shards"),
        ("another hash", |s| s["predicate"]["serialization"]["hash_type"] = json!("blake3"), "blake3"),
        ("a file of another hash", |s| s["predicate"]["resources"][0]["algorithm"] = json!("blake3"), "model.toml"),
        ("a short digest", |s| s["predicate"]["resources"][0]["digest"] = json!("aa"), "model.toml"),
        ("an upper-case digest", |s| s["predicate"]["resources"][0]["digest"] = json!("A".repeat(64)), "model.toml"),
        (
            "a file twice",
            |s| {
                let twice = s["predicate"]["resources"][0].clone();
                s["predicate"]["resources"].as_array_mut().unwrap().insert(0, twice);
                let digests = ["a", "a", "b"].map(|digit| digit.repeat(64)).concat();
                s["subject"][0]["digest"]["sha256"] =
                    json!(strongroom::sealed::digest::sha256_hex(&hex::decode(digests).unwrap()));
            },
            "twice",
        ),
    ];
    for (defect, change, expected) in defects {
        let mut defective = whole.clone();
        change(&mut defective);
        let bundle = people.sign(defective.to_string().as_bytes(), &["alice"]).await;
        let error = verify(&bundle, &trust, Role::Author).unwrap_err();
        let is_named = matches!(error, SignatureError::NotOfAModel { .. }) && error.to_string().contains(expected);
        assert!(is_named, "{defect}: {error}");
    }
}

#[test]
fn a_bundle_that_is_too_long_is_not_read() {
    let error = Envelope::read(&vec![b'['; MAX_ENVELOPE_LEN + 1]).unwrap_err();
    assert_eq!(error, SignatureError::TooLong { len: MAX_ENVELOPE_LEN + 1, limit: MAX_ENVELOPE_LEN });
}

#[tokio::test]
async fn a_policy_that_is_none_or_contradicts_itself_is_refused() {
    let people = People::named(&["alice", "bob"]).await;
    let (alice, bob) = (people.pem("alice").await, people.pem("bob").await);
    let policy = json!({ "signers": { "alice": [{ "pem": alice }], "bob": [{ "pem": bob }] },
        "author": { "signers": ["alice", "bob"], "threshold": 2 }, "publisher": { "signers": ["bob"] } });
    assert!(Trust::read(policy.to_string().as_bytes()).is_ok());
    let refusal = |change: &dyn Fn(&mut Value)| {
        let mut changed = policy.clone();
        change(&mut changed);
        Trust::read(changed.to_string().as_bytes()).unwrap_err().to_string()
    };
    let rsa = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK\n-----END PUBLIC KEY-----\n";
    for (change, expected) in [
        (&(|p: &mut Value| p["more"] = json!(1)) as &dyn Fn(&mut Value), "more"),
        (&|p| p["author"]["threshold"] = json!(0), "0 of 2 authors"),
        (&|p| p["author"]["threshold"] = json!(3), "3 of 2 authors"),
        (&|p| p["publisher"]["signers"] = json!(["carol"]), "carol, who is no signer"),
        (&|p| p["signers"]["bob"][0]["pem"] = json!(alice), "have the same key"),
        (&|p| p["signers"]["bob"][0]["pem"] = json!("hello"), "key 1 of bob"),
        (&|p| p["signers"]["bob"][0]["pem"] = json!(rsa), "key 1 of bob"),
        (&|p| p["signers"]["bob"][0]["from"] = json!("yesterday"), "yesterday is no time"),
        (&|p| p["signers"]["bob"][0]["until"] = json!("2026-01-31T23:59:59+01"), "is no time"),
        (
            &|p| {
                p["signers"]["bob"][0]["from"] = json!("2027-01-01T00:00:00Z");
                p["signers"]["bob"][0]["until"] = json!("2026-01-01T00:00:00Z");
            },
            "until before",
        ),
    ] {
        let found = refusal(change);
        assert!(found.contains(expected), "{expected}: {found}");
    }
    assert!(matches!(Trust::read(&[b' '; 300_000]), Err(TrustError::TooLong { .. })));
}

#[tokio::test]
async fn a_public_key_is_printed_as_it_is_read() {
    let people = People::named(&["alice"]).await;
    let pem = people.pem("alice").await;
    assert_eq!(PublicKey::from_pem(&pem).unwrap().pem(), pem);
    assert_eq!(PublicKey::from_pem("hello"), Err(PublicKeyError::NotPem));
}

/// OpenSSF's own vectors, where they are at hand.
#[test]
fn the_vectors_of_openssf_are_read_or_refused_as_they_say() {
    let Ok(vectors) = std::env::var("STRONGROOM_TEST_VECTORS") else { return };
    let directory = Path::new(&vectors).join("oms/test-vectors/v1.0");
    let bundles = |kind: &str| -> Vec<PathBuf> {
        let mut all: Vec<_> = std::fs::read_dir(directory.join(kind)).unwrap().map(|one| one.unwrap().path()).collect();
        all.sort();
        assert!(!all.is_empty(), "{kind}");
        all
    };
    let read = |path: &Path| {
        let envelope = Envelope::read(&std::fs::read(path).unwrap())?;
        ModelStatement::read(envelope.payload())
    };
    for path in bundles("valid") {
        let name = path.file_name().unwrap().to_str().unwrap();
        match read(&path) {
            Ok(statement) => assert_eq!((name, statement.name.as_str()), ("key.bundle.json", "model")),
            Err(SignatureError::Unsupported { .. }) => assert_ne!(name, "key.bundle.json"),
            Err(error) => panic!("{name}: {error}"),
        }
    }
    for path in bundles("invalid").into_iter().chain(bundles("invalid-payload")) {
        assert!(read(&path).is_err(), "{}", path.display());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        prop_assert!(Envelope::read(&bytes).is_err());
        prop_assert!(ModelStatement::read(&bytes).is_err());
        prop_assert!(Trust::read(&bytes).is_err());
        prop_assert!(PublicKey::from_der(&bytes).is_err());
    }

    #[test]
    fn what_is_written_of_a_model_is_read_again(
        files in prop::collection::btree_map("[a-zA-Z0-9_.-]{1,12}(/[a-z.]{1,12}){0,3}", "[0-9a-f]{64}", 0..40),
        name in "[^\\x00]{1,40}",
    ) {
        let statement = ModelStatement::of(&name, names(&files));
        let read = ModelStatement::read(&statement.write("model.sig")).unwrap();
        prop_assert_eq!(&read, &statement);
        prop_assert!(read.check(names(&files)).is_ok());
    }
}
