//! Kill -9 at any moment of `strongroom publish`, the program itself.

#[path = "support/program.rs"]
mod program;

use std::path::{Path, PathBuf};
use std::time::Instant;

use program::{Place, artifact};

const KILLS: u32 = 24;
const NAME: &str = "iris-random-forest";

/// The sample bundle as another version.
fn bundle(place: &Place, version: u32) -> PathBuf {
    let copy = PathBuf::from(place.path(&format!("bundle-{version}")));
    copy_all(&artifact(NAME), &copy);
    let manifest = std::fs::read_to_string(copy.join("model.toml")).unwrap();
    let line = manifest.lines().find(|line| line.starts_with("version")).unwrap();
    let manifest = manifest.replacen(line, &format!("version = \"9.0.{version}\""), 1);
    std::fs::write(copy.join("model.toml"), manifest).unwrap();
    copy
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => copy_all(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}

/// The version that the alias object names.
fn live(place: &Place) -> String {
    let alias = std::fs::read(place.path(&format!("registry/aliases/{NAME}/live.json"))).unwrap();
    let alias: serde_json::Value = serde_json::from_slice(&alias).unwrap();
    alias["predicate"]["event"]["version"].as_str().unwrap().to_owned()
}

#[test]
fn a_killed_publish_may_be_repeated_and_leaves_a_version_that_opens() {
    let place = Place::new();
    let began = Instant::now();
    place.publish(&bundle(&place, 0));
    let whole = began.elapsed();
    let mut old = 0;
    for kill in 1..=KILLS {
        let (before, next) = (live(&place), bundle(&place, kill));
        let mut child = place.command().args(["publish", next.to_str().unwrap(), "--alias", "live"]).spawn().unwrap();
        let moment = Instant::now() + whole * kill / KILLS;
        while Instant::now() < moment && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        // An error says that it is done already.
        let _ = child.kill();
        child.wait().unwrap();
        let served = live(&place);
        assert!(served == before || served == format!("9.0.{kill}"), "{served}");
        old += u32::from(served == before);
        let input = place.path("input.csv");
        std::fs::write(&input, "5.1,3.5,1.4,0.2\n").unwrap();
        let output = place.run(&["predict", NAME, &input]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        place.publish(&next);
        assert_eq!(live(&place), format!("9.0.{kill}"));
    }
    assert!(old >= KILLS / 4, "only {old} of {KILLS} kills came before the alias moved");
}
