//! Many writers at once: one order of everything, and nothing is lost.
//!
//! The writers are this test program, started again with [`CHILD`] set.

#[path = "support/moto.rs"]
mod moto;
#[path = "support/registry.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use moto::moto;
use strongroom::keys::{KeySource, Keys};
use strongroom::registry::{Authority, Change, Registry, RegistryError, history, verify_log};
use strongroom::signer::{Signer, SignerSource, create};
use strongroom::store::{Location, Store};
use support::{Place, files, key_file, model, publish, publish_live};
use tempfile::TempDir;

/// The directory with a registry and a signing key, and how many moves to make.
const CHILD: &str = "STRONGROOM_TEST_MOVER";
const WRITERS: usize = 8;
/// On each registry: writing an entry reads all that are there.
const MOVES: usize = 200;

/// Moves `live` to and fro until `moves` of the moves were its own. Who was too often too late, tries again.
/// Each signs: of two writers who say the same in the same second, unsigned, the log needs to say it but once.
async fn make_moves(store: &Store, signing_key: &Path, moves: usize) {
    let source = SignerSource::File(signing_key.to_owned());
    let signer = Signer::open(&source, &aws_config::SdkConfig::builder().build()).await.unwrap();
    let authority = Authority { signers: Arc::new(vec![signer]), ..Authority::default() };
    let mut own = 0;
    for turn in 0.. {
        let version = model(["model:1.0.0", "model:2.0.0"][turn % 2]);
        match strongroom::registry::promote(store, &authority, &version, &"live".parse().unwrap()).await {
            Ok(promoted) => own += usize::from(!promoted.already),
            Err(RegistryError::Contended { .. }) => {}
            Err(error) => panic!("{}", support::chain(&error)),
        }
        if own == moves {
            return;
        }
    }
}

async fn signing_key(place: &Place) -> PathBuf {
    let path = place.scratch.path().join("signer");
    create(&path).await.unwrap();
    path
}

/// What a child does.
#[test]
fn mover() {
    let Ok(order) = std::env::var(CHILD) else { return };
    let (scratch, moves) = order.split_once('|').expect("DIRECTORY|MOVES");
    let (store, signing_key) =
        (Store::directory(&Path::new(scratch).join("registry")), Path::new(scratch).join("signer"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(make_moves(&store, &signing_key, moves.parse().expect("a number")));
}

/// Every move that somebody made is in the log, each from where the one before it led, and the alias is at the last.
async fn none_was_lost(store: &Store, moves: usize) {
    let records = verify_log(store, &Authority::default()).await.unwrap();
    let mut at = None;
    let mut count = 0;
    for record in records {
        if let Change::Moved { version, previous, .. } = record.change {
            assert_eq!(previous, at, "entry {}", record.index);
            assert_ne!(Some(&version), at.as_ref(), "entry {}", record.index);
            at = Some(version);
            count += 1;
        }
    }
    assert_eq!(count, moves);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_ten_thousand_contended_moves_by_eight_processes_none_is_lost() {
    for round in 0..10_000 / MOVES {
        let place = Place::directory();
        let registry = place.open().await;
        publish(&registry, "1.0.0", &files(1, &[10])).await.unwrap();
        publish(&registry, "2.0.0", &files(2, &[10])).await.unwrap();
        signing_key(&place).await;
        let movers = (0..WRITERS).map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "mover"])
                .env(CHILD, format!("{}|{}", place.scratch.path().display(), MOVES / WRITERS))
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        });
        for mut mover in movers.collect::<Vec<_>>() {
            assert!(mover.wait().unwrap().success(), "round {round}");
        }
        none_was_lost(&registry.store, MOVES).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_contended_moves_in_a_bucket_none_is_lost() {
    const MOVES: usize = 16;
    let aws = moto().sdk().await;
    let config = aws_sdk_s3::config::Builder::from(&aws).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config).create_bucket().bucket("contended").send().await.unwrap();
    for round in 0..1_000_usize.div_ceil(MOVES) {
        let location = Location::S3 { bucket: "contended".into(), prefix: format!("{round}/") };
        let place = Place::at(location, aws.clone(), TempDir::new().unwrap());
        let registry = place.open().await;
        publish(&registry, "1.0.0", &files(1, &[10])).await.unwrap();
        publish(&registry, "2.0.0", &files(2, &[10])).await.unwrap();
        // Each with connections of its own, as processes have.
        let stores = (0..WRITERS).map(|_| Store::open(&place.location, &place.aws));
        let signing_key = signing_key(&place).await;
        let moving = |store| {
            let signing_key = &signing_key;
            async move { make_moves(&store, signing_key, MOVES / WRITERS).await }
        };
        join_all(stores.map(moving)).await;
        none_was_lost(&registry.store, MOVES).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_promoters_publishers_and_a_rotator_race_everything_opens() {
    let place = Place::directory();
    let registry = place.open().await;
    publish(&registry, "1.0.0", &files(1, &[10])).await.unwrap();
    publish_live(&registry, "2.0.0", &files(2, &[10])).await;
    let next = KeySource::File(key_file(place.scratch.path(), "next", 8));
    let next = Keys::open(&next, &place.aws).await.unwrap();
    let published = AtomicU64::new(10);
    let publishing = async {
        for _ in 0..20 {
            let number = published.fetch_add(1, Ordering::Relaxed);
            publish(&registry, &format!("{number}.0.0"), &files(number, &[10])).await.unwrap();
        }
    };
    let rotating = async {
        for _ in 0..5 {
            registry.rotate(Some(&next), &|_, _| ()).await.unwrap();
            assert!(registry.fetch(&model("model")).await.is_ok());
        }
    };
    let signing_key = signing_key(&place).await;
    let moving = || make_moves(&registry.store, &signing_key, 20);
    tokio::join!(publishing, rotating, moving(), moving());
    // Who published under the old key last, comes under the new one by the next rotation.
    registry.rotate(Some(&next), &|_, _| ()).await.unwrap();
    let under_the_next = Registry { keys: next, ..place.open().await };
    for version in (10..published.into_inner()).chain([1, 2]) {
        let version = format!("model:{version}.0.0");
        assert!(under_the_next.fetch(&model(&version)).await.is_ok(), "{version}");
    }
    assert_eq!(under_the_next.fsck(&|_| ()).await.unwrap().faults, []);
    let moves = history(&registry.store, &registry.authority).await.unwrap();
    let moves = moves.iter().filter(|record| matches!(record.change, Change::Moved { .. })).count();
    assert_eq!(moves, 41, "the first one and forty");
}
