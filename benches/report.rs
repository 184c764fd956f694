//! `make bench`: measures what the README promises and writes `docs/BENCHMARKS.md`.
//!
//! Numbers are taken in turns (A B A B) and given as ratios where two things are compared, because machines are noisy.

mod report {
    pub mod life;
    pub mod machine;
    pub mod opening;
    pub mod plot;
    pub mod served;
    pub mod stats;
}

use std::fmt::Write as _;
use std::path::Path;

use report::{life, machine, opening, served::Registry};

const BUNDLES: [&str; 3] = ["face-analyzer", "imagenet-efficientnet-lite0", "iris-random-forest"];

fn main() {
    // `cargo test` runs benches with `--test`: measuring is not testing.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut page = String::from(INTRODUCTION);
    let _ = writeln!(page, "{}\n", machine::describe());
    page += &opening::section();
    let registry = Registry::publish(root, &BUNDLES);
    page += &life::start_section(&registry, &BUNDLES, root);
    page += &life::ping_section(&registry, root);
    page += &life::records_section(&registry);
    page += &life::memory_section(&registry, &BUNDLES, root);
    let file = root.join("docs/BENCHMARKS.md");
    let before = std::fs::read_to_string(&file).expect("docs/BENCHMARKS.md can be read");
    page += before.find(OF_OTHERS).map_or("", |place| &before[place..]);
    std::fs::write(&file, page).expect("docs/BENCHMARKS.md can be written");
    eprintln!("docs/BENCHMARKS.md written");
}

/// Where the sections begin that `make bench-registry`, `bench-image` and `bench-peers` write: they stay as they are.
const OF_OTHERS: &str = "\n## The registry\n";

const INTRODUCTION: &str = "# Benchmarks

Made by `make bench`, which measures and rewrites this page. Read ratios, not times: the machine is shared.

";
