//! Opening a sealed file against reading it plain.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

use strongroom::sealed::{EncryptionContext, Header, KeyName, MAX_HEADER_LEN, Sealer, SealingKey, Source};

use super::stats::median;

const LEN: usize = 100_000_000;
const ROUNDS: usize = 15;

/// The table: read plain, opened on one thread, opened on two, from a file in the page cache; and from memory.
pub fn section() -> String {
    eprintln!("opening a sealed file of {} MB", LEN / 1_000_000);
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (key, name) =
        (SealingKey::generate().expect("random key"), KeyName { namespace: "bench".into(), name: "k".into() });
    let (plain, sealed) = (folder.path().join("plain"), folder.path().join("sealed"));
    write_files(&plain, &sealed, &key, &name);
    let in_memory = std::fs::read(&sealed).expect("sealed file");
    let mut rows: [Vec<f64>; 4] = Default::default();
    let mut ratios: [Vec<f64>; 2] = Default::default();
    for _ in 0..ROUNDS {
        let base = timed(|| read_plain(&plain));
        let file = || File::open(&sealed).expect("sealed file");
        let one = timed(|| open(&file(), in_memory.len(), &key, &name, 1));
        let two = timed(|| open(&file(), in_memory.len(), &key, &name, 2));
        let memory = frames_only(&in_memory, &key, &name);
        ratios[0].push(one / base);
        ratios[1].push(two / base);
        for (row, seconds) in rows.iter_mut().zip([base, one, two, memory]) {
            row.push(seconds);
        }
    }
    table(&mut rows, &mut ratios)
}

fn table(rows: &mut [Vec<f64>; 4], ratios: &mut [Vec<f64>; 2]) -> String {
    let mut page = String::from("## Opening a sealed file\n\n100 MB, in the page cache, into fresh memory; ");
    let _ = writeln!(
        page,
        "medians of {ROUNDS} rounds taken in turns.\n\n| | ms | GB/s | time against plain |\n|---|---|---|---|"
    );
    let against = [
        "1.00".to_string(),
        format!("{:.2}", median(&mut ratios[0])),
        format!("{:.2}", median(&mut ratios[1])),
        "-".into(),
    ];
    let labels = ["read plain", "opened, 1 thread", "opened, 2 threads", "frames only, from warm memory, 1 thread"];
    for ((label, seconds), against) in labels.iter().zip(rows).zip(against) {
        let seconds = median(seconds);
        let _ = writeln!(page, "| {label} | {:.1} | {:.2} | {against} |", seconds * 1e3, LEN as f64 / seconds / 1e9);
    }
    page + "\n'Opened' is everything: header, key commitment, every frame authenticated and decrypted to its place. The aim of \
            3 GB/s a core is for the last row; the others also read the file and touch fresh memory, as a start does.\n\n"
}

fn write_files(plain: &Path, sealed: &Path, key: &SealingKey, name: &KeyName) {
    let content: Vec<u8> = (0..LEN as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
    std::fs::write(plain, &content).expect("plain file");
    let out = File::create(sealed).expect("sealed file");
    let mut sealer = Sealer::new(out, key, name, &EncryptionContext::new()).expect("header");
    sealer.write_all(&content).expect("frames");
    sealer.finish().expect("final frame");
}

fn timed<T>(work: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    std::hint::black_box(work());
    start.elapsed().as_secs_f64()
}

fn read_plain(path: &Path) -> Vec<u8> {
    let mut content = vec![0; LEN];
    File::open(path).and_then(|mut file| file.read_exact(&mut content)).expect("plain file");
    content
}

fn open(source: &dyn Source, sealed_len: usize, key: &SealingKey, name: &KeyName, threads: usize) -> Vec<u8> {
    let mut plain = vec![0; LEN];
    open_into(source, sealed_len, key, name, (&mut plain, threads));
    plain
}

fn open_into(source: &dyn Source, sealed_len: usize, key: &SealingKey, name: &KeyName, to: (&mut [u8], usize)) {
    let mut prefix = vec![0; MAX_HEADER_LEN];
    source.read_exact_at(0, &mut [std::io::IoSliceMut::new(&mut prefix)]).expect("header");
    let opening = Header::parse(&prefix)
        .and_then(|header| header.authenticate(name, key, sealed_len as u64, &EncryptionContext::new()))
        .expect("authentic header");
    opening.open_all(source, to.0, to.1).expect("authentic frames");
}

/// The time for memory that is warm already: the speed of authentication and decryption alone.
fn frames_only(sealed: &[u8], key: &SealingKey, name: &KeyName) -> f64 {
    let mut plain = vec![1; LEN];
    timed(|| open_into(&sealed, sealed.len(), key, name, (&mut plain, 1)))
}
