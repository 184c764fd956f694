//! `strongroom serve --follow`: the alias moves, the server does not stop.

#[path = "support/program.rs"]
mod program;
#[path = "support/server.rs"]
mod server;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use program::{Place, Served, artifact};
use server::send;
use strongroom::keys::KeySource;
use strongroom::registry::{Content, Registry, Release, read_directory};
use strongroom::store::Location;

const IRIS: &str = "iris-random-forest";
const FLOWER: &[u8] = b"5.1,3.5,1.4,0.2\n";
const CSV: [(&str, &str); 1] = [("content-type", "text/csv")];
/// More versions than are kept, so that one is forgotten.
const VERSIONS: [&str; 3] = ["2.0.0", "3.0.0", "4.0.0"];

/// The bundle under another version.
fn version(place: &Place, version: &str) -> String {
    let directory = place.0.path().join(version);
    copy(&artifact(IRIS), &directory);
    let settings = std::fs::read_to_string(directory.join("model.toml")).unwrap();
    let changed = settings.replacen("version = \"1.0.0\"", &format!("version = \"{version}\""), 1);
    assert_ne!(settings, changed);
    std::fs::write(directory.join("model.toml"), changed).unwrap();
    directory.to_str().unwrap().to_owned()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

fn follow(place: &Place) -> Served {
    let served =
        Served::start(place.command().args(["serve", "--model", IRIS, "--bind", "127.0.0.1:0", "--follow", "1"]));
    served.log("ready");
    served
}

fn succeed(place: &Place, arguments: &[&str]) {
    let output = place.run(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn served_version(served: &Served) -> String {
    let card: serde_json::Value =
        serde_json::from_slice(&send(served.address, "GET", "/model", &[], b"").body).unwrap();
    card["version"].as_str().unwrap().to_owned()
}

fn metrics(served: &Served) -> String {
    send(served.address, "GET", "/metrics", &[], b"").text()
}

#[test]
fn a_moved_alias_is_served_without_a_restart_and_no_request_is_lost() {
    let place = Place::with(&artifact(IRIS));
    let served = follow(&place);
    assert_eq!(served_version(&served), "1.0.0");
    let (address, over) = (served.address, Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let over = Arc::clone(&over);
            thread::spawn(move || {
                let mut answered = 0;
                while !over.load(Ordering::Relaxed) {
                    let answer = send(address, "POST", "/invocations", &CSV, FLOWER);
                    assert_eq!(answer.status, 200, "after {answered} answers: {}", answer.text());
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    for next in VERSIONS {
        succeed(&place, &["publish", &version(&place, next), "--alias", "live"]);
        served.log("the alias moved: its version is served");
        assert_eq!(served_version(&served), next);
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.join().unwrap() > VERSIONS.len());
    }
    let page = metrics(&served);
    assert!(page.contains("strongroom_followed_total{outcome=\"loaded\"} 3"), "{page}");
    let models: Vec<_> = page.lines().filter(|line| line.starts_with("strongroom_model{")).collect();
    assert!(models.len() == 1 && models[0].contains("version=\"4.0.0\""), "{models:?}");
}

#[test]
fn the_way_back_loads_nothing() {
    let place = Place::with(&artifact(IRIS));
    let served = follow(&place);
    succeed(&place, &["publish", &version(&place, "2.0.0"), "--alias", "live"]);
    served.log("the alias moved: its version is served");
    // Nothing of the first version can be fetched any more.
    std::fs::remove_dir_all(place.0.path().join("registry/blobs")).unwrap();
    succeed(&place, &["rollback", IRIS]);
    served.log("the alias moved back: the version before is served again");
    assert_eq!(served_version(&served), "1.0.0");
    assert_eq!(send(served.address, "POST", "/invocations", &CSV, FLOWER).status, 200);
    assert!(metrics(&served).contains("strongroom_followed_total{outcome=\"returned\"} 1"));
}

#[test]
fn a_version_that_fails_its_self_test_is_refused_and_the_old_one_serves_on() {
    let place = Place::with(&artifact(IRIS));
    let served = follow(&place);
    let mut files = read_directory(Path::new(&version(&place, "2.0.0"))).unwrap();
    let expected = files.get_mut("self-test/flowers.json").unwrap();
    // Whatever the first flower is, it is not of another kind.
    *expected = String::from_utf8(expected.to_vec()).unwrap().replacen("setosa", "virginica", 1).into();
    // `strongroom publish` would refuse it.
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (location, key) = (Location::Dir(place.path("registry").into()), KeySource::File(place.path("key").into()));
        let aws = aws_config::SdkConfig::builder().build();
        let registry = Registry::open(&location, &key, &aws).await.unwrap();
        registry.publish(&Release::new(IRIS, "2.0.0", &Content::in_memory(&files)), &|_| ()).await.unwrap();
        registry.promote(&format!("{IRIS}:2.0.0").parse().unwrap(), "live").await.unwrap();
    });
    let refused = served.log("the alias is not followed: what was served is served on");
    assert_eq!((refused["stage"].as_str(), refused["level"].as_str()), (Some("self-test"), Some("ERROR")), "{refused}");
    assert_eq!(served_version(&served), "1.0.0");
    assert_eq!(send(served.address, "GET", "/ping", &[], b"").status, 200);
    assert_eq!(send(served.address, "POST", "/invocations", &CSV, FLOWER).status, 200);
    // What is good is followed again, and what was refused was tried once.
    succeed(&place, &["publish", &version(&place, "3.0.0"), "--alias", "live"]);
    served.log("the alias moved: its version is served");
    assert!(metrics(&served).contains("strongroom_followed_total{outcome=\"refused\"} 1"));
}

#[test]
fn an_old_alias_object_that_was_put_back_is_not_followed() {
    let place = Place::with(&artifact(IRIS));
    let alias = place.0.path().join(format!("registry/aliases/{IRIS}/live.json"));
    let old = std::fs::read(&alias).unwrap();
    succeed(&place, &["publish", &version(&place, "2.0.0"), "--alias", "live"]);
    let served = follow(&place);
    std::fs::remove_file(&alias).unwrap();
    std::fs::write(&alias, old).unwrap();
    let refused = served.log("the alias is not followed: what was served is served on");
    assert!(refused["error"].as_str().unwrap().contains("expected none before 3"), "{refused}");
    assert_eq!(served_version(&served), "2.0.0");
    assert!(metrics(&served).contains("strongroom_followed_total{outcome=\"unread\"}"));
}

#[test]
fn what_never_moves_is_not_followed() {
    let place = Place::with(&artifact(IRIS));
    let digest = format!("{IRIS}@sha256:{}", "0".repeat(64));
    for (model, batch) in
        [("iris-random-forest:1.0.0", "false"), (&digest, "false"), ("./bundle", "false"), (IRIS, "true")]
    {
        let mut command = place.command();
        let output =
            command.args(["serve", "--model", model, "--follow"]).env("SAGEMAKER_BATCH", batch).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{model}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("STRONGROOM_FOLLOW (--follow): "), "{output:?}");
    }
}
