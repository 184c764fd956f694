//! A program that dies at any of its calls to the store leaves a registry that serves, and whose command can be repeated.

#[path = "support/registry.rs"]
mod support;

use std::path::{Path, PathBuf};

use strongroom::keys::{KeySource, Keys};
use strongroom::registry::{Registry, RegistryError, erase, roll_back};
use support::{Place, files, model, publish, publish_live};

/// More calls than any command makes of so small a registry.
const CALLS: usize = 100;

/// What is done to a registry of two versions, of which `live` is the second.
trait Command {
    const NAME: &str;
    /// Which versions `live` may be, at any moment.
    const LIVE: &[u64];
    /// Which one it is when the command was stopped and run again.
    const AFTER: u64;

    async fn run(&self, registry: &Registry) -> Result<(), RegistryError>;
}

/// Tries the command with a store that dies at its first call, at its second, and so on, until it does not notice.
async fn die_at_every_call(command: impl Command) {
    for calls in 0..CALLS {
        let place = Place::directory();
        let registry = place.open().await;
        publish(&registry, "1.0.0", &files(1, &[10, 20])).await.unwrap();
        publish_live(&registry, "1.5.0", &files(3, &[10, 20])).await;
        publish_live(&registry, "2.0.0", &files(2, &[10, 20])).await;
        let dying = Registry { store: registry.store.clone().dying_after(calls), ..place.open().await };
        let died = command.run(&dying).await.is_err();
        let live = registry.fetch(&model("model")).await.unwrap_or_else(|error| {
            panic!("died at call {calls} of {}, `live` is gone: {}", command_name(&command), support::chain(&error))
        });
        assert!(seeds_of(&command).iter().any(|seed| live.files == files(*seed, &[10, 20])), "call {calls}");
        for fault in registry.fsck(&|_| ()).await.unwrap().faults {
            // What the next writer, or the same command again, puts right.
            let expected = ["no copy of its newest log entry", "it is missing", "was erased, and this opens it"];
            assert!(expected.iter().any(|problem| fault.problem.contains(problem)), "call {calls}: {fault:?}");
        }
        command.run(&registry).await.unwrap_or_else(|error| {
            panic!("died at call {calls} of {}, not repeatable: {}", command_name(&command), support::chain(&error))
        });
        assert_eq!(registry.fsck(&|_| ()).await.unwrap().faults, [], "call {calls}");
        if died {
            let live = registry.fetch(&model("model")).await.unwrap();
            assert!(live.files == files(after_of(&command), &[10, 20]), "call {calls}");
        } else {
            assert!(calls > 3, "{} makes {calls} calls", command_name(&command));
            return;
        }
    }
    panic!("{} makes more than {CALLS} calls", command_name(&command));
}

fn command_name<C: Command>(_: &C) -> &'static str {
    C::NAME
}

fn seeds_of<C: Command>(_: &C) -> &'static [u64] {
    C::LIVE
}

fn after_of<C: Command>(_: &C) -> u64 {
    C::AFTER
}

struct Publish;

impl Command for Publish {
    const NAME: &str = "publish";
    const LIVE: &[u64] = &[2];
    const AFTER: u64 = 2;

    async fn run(&self, registry: &Registry) -> Result<(), RegistryError> {
        publish(registry, "3.0.0", &files(5, &[10, 20])).await.map(drop)
    }
}

struct Promote;

impl Command for Promote {
    const NAME: &str = "promote";
    const LIVE: &[u64] = &[1, 2];
    const AFTER: u64 = 1;

    async fn run(&self, registry: &Registry) -> Result<(), RegistryError> {
        registry.promote(&model("model:1.0.0"), "live").await.map(drop)
    }
}

struct Rollback;

impl Command for Rollback {
    const NAME: &str = "rollback";
    const LIVE: &[u64] = &[2, 3];
    const AFTER: u64 = 3;

    async fn run(&self, registry: &Registry) -> Result<(), RegistryError> {
        roll_back(&registry.store, &registry.authority, "model", &"live".parse().unwrap()).await.map(drop)
    }
}

struct Erase;

impl Command for Erase {
    const NAME: &str = "erase";
    const LIVE: &[u64] = &[2];
    const AFTER: u64 = 2;

    async fn run(&self, registry: &Registry) -> Result<(), RegistryError> {
        erase(&registry.store, &registry.authority, &model("model:1.0.0")).await.map(drop)
    }
}

struct Rotate(PathBuf);

impl Command for Rotate {
    const NAME: &str = "rotate";
    const LIVE: &[u64] = &[2];
    const AFTER: u64 = 2;

    async fn run(&self, registry: &Registry) -> Result<(), RegistryError> {
        let aws = aws_config::SdkConfig::builder().build();
        let keys = Keys::open(&KeySource::File(self.0.clone()), &aws).await.unwrap();
        registry.rotate(Some(&keys), &|_, _| ()).await.map(drop)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn publish_may_die_at_every_call() {
    die_at_every_call(Publish).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn promote_may_die_at_every_call() {
    die_at_every_call(Promote).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rollback_may_die_at_every_call() {
    die_at_every_call(Rollback).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn erase_may_die_at_every_call() {
    die_at_every_call(Erase).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotate_may_die_at_every_call() {
    let scratch = tempfile::tempdir().unwrap();
    die_at_every_call(Rotate(key(scratch.path()))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reseal_may_die_at_every_call() {
    for calls in 0..CALLS {
        let place = Place::directory();
        let registry = place.open().await;
        publish_live(&registry, "1.0.0", &files(1, &[10, 20])).await;
        let new_key = KeySource::File(key(place.scratch.path()));
        let new = place.open_with(&new_key).await;
        registry.rotate(Some(&new.keys), &|_, _| ()).await.unwrap();
        let dying = Registry { store: new.store.clone().dying_after(calls), ..place.open_with(&new_key).await };
        let died = dying.reseal(&model("model:1.0.0"), None, &|_| ()).await.is_err();
        let live = new.fetch(&model("model")).await;
        assert!(live.is_ok_and(|live| live.files == files(1, &[10, 20])), "call {calls}");
        let again = new.reseal(&model("model:1.0.0"), None, &|_| ()).await;
        let again = again.unwrap_or_else(|error| panic!("call {calls}: {}", support::chain(&error)));
        assert_eq!(again.to, "1.0.0+reseal.1", "call {calls}");
        assert_eq!(new.fetch(&model("model")).await.unwrap().version, again.to, "call {calls}");
        assert_eq!(new.fsck(&|_| ()).await.unwrap().faults, [], "call {calls}");
        if !died {
            assert!(calls > 15);
            return;
        }
    }
    panic!("reseal makes more than {CALLS} calls");
}

fn key(directory: &Path) -> PathBuf {
    support::key_file(directory, "new", 9)
}
