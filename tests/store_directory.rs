//! What a directory promises beyond the conformance suite: across processes, and after one was killed.

use std::fs::{self, File, FileTimes};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use strongroom::store::{ETag, Location, Store, StoreError};

const ROUNDS: usize = 200;
const PLACE: &str = "STRONGROOM_TEST_DIRECTORY";

async fn store_in(folder: &Path) -> Store {
    Store::open(&Location::Dir(folder.to_owned()), &strongroom::config::aws::load(false).await)
}

/// Starts this very test binary again, for one of the tests that are marked as somebody's other process.
fn start(process: &str, folder: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", process, "--ignored", "--nocapture"]).env(PLACE, folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Lets the processes go, both at once, and adds up the numbers that they print as `outcome=N`.
fn outcome(mut processes: [Child; 2]) -> usize {
    processes.iter_mut().for_each(|process| drop(process.stdin.take()));
    processes
        .into_iter()
        .map(|process| {
            let output = process.wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success(), "{text}");
            let (_, rest) = text.split_once("outcome=").unwrap();
            rest.split_whitespace().next().unwrap().parse::<usize>().unwrap()
        })
        .sum()
}

#[tokio::test]
async fn of_two_processes_that_create_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let processes = [(); 2].map(|()| start("process_that_creates", folder.path()));
    assert_eq!(outcome(processes), ROUNDS);
    assert_eq!(store_in(folder.path()).await.list("").await.unwrap().len(), ROUNDS);
}

#[tokio::test]
#[ignore = "the other process of of_two_processes_that_create_one_wins"]
async fn process_that_creates() {
    let store = store_in(std::env::var_os(PLACE).unwrap().as_ref()).await;
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    let mut won = 0;
    for round in 0..ROUNDS {
        let body = Bytes::from(std::process::id().to_string());
        won += usize::from(store.create(&format!("race/{round}"), body).await.unwrap());
    }
    println!("outcome={won}");
}

#[tokio::test]
async fn no_swap_of_two_processes_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    store.create("counter", Bytes::from_static(b"0")).await.unwrap();
    let processes = [(); 2].map(|()| start("process_that_counts", folder.path()));
    let counted = outcome(processes);
    assert_eq!(counted, 2 * ROUNDS);
    assert_eq!(store.get("counter", 100).await.unwrap().0, counted.to_string());
}

#[tokio::test]
#[ignore = "the other process of no_swap_of_two_processes_is_lost"]
async fn process_that_counts() {
    let store = store_in(std::env::var_os(PLACE).unwrap().as_ref()).await;
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    let mut counted = 0;
    while counted < ROUNDS {
        let (body, etag) = store.get("counter", 100).await.unwrap();
        let next = String::from_utf8(body.to_vec()).unwrap().parse::<usize>().unwrap() + 1;
        match store.swap("counter", Some(&etag), next.to_string().into()).await {
            Ok(_) => counted += 1,
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    println!("outcome={counted}");
}

#[tokio::test]
async fn every_swap_gives_a_version_that_was_never_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    let mut seen: Vec<ETag> = vec![store.swap("k", None, Bytes::from_static(b"same")).await.unwrap()];
    for _ in 0..ROUNDS {
        let etag = store.swap("k", seen.last(), Bytes::from_static(b"same")).await.unwrap();
        assert!(!seen.contains(&etag), "{etag:?}");
        seen.push(etag);
    }
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_bring_a_version_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    store.create("k", Bytes::from_static(b"one")).await.unwrap();
    let future = SystemTime::now() + Duration::from_secs(86_400);
    File::open(folder.path().join("k")).unwrap().set_times(FileTimes::new().set_modified(future)).unwrap();
    let first = store.head("k").await.unwrap().etag;
    store.swap("k", Some(&first), Bytes::from_static(b"two")).await.unwrap();
    assert!(fs::metadata(folder.path().join("k")).unwrap().modified().unwrap() > future);
}

/// What a process that was killed while it wrote leaves: a file in `.tmp`.
fn left_over(folder: &Path, age: Duration) -> File {
    fs::create_dir_all(folder.join(".tmp")).unwrap();
    let mut file = File::create_new(folder.join(".tmp").join(format!("left-{}", age.as_secs()))).unwrap();
    file.write_all(b"half").unwrap();
    file.set_times(FileTimes::new().set_modified(SystemTime::now() - age)).unwrap();
    file
}

#[tokio::test]
async fn what_a_killed_process_left_is_no_object_and_goes_when_it_is_old() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    let old = Duration::from_secs(7200);
    drop((left_over(folder.path(), old), left_over(folder.path(), Duration::from_secs(60))));
    assert_eq!(store.list("").await.unwrap(), Vec::<String>::new());
    store.create("k", Bytes::new()).await.unwrap();
    assert_eq!(store.list("").await.unwrap(), ["k"]);
    assert!(!folder.path().join(".tmp/left-7200").exists());
    assert!(folder.path().join(".tmp/left-60").exists());
}

#[tokio::test]
async fn an_old_file_that_is_still_written_stays() {
    let folder = tempfile::tempdir().unwrap();
    let writing = left_over(folder.path(), Duration::from_secs(7200));
    writing.lock().unwrap();
    store_in(folder.path()).await.create("k", Bytes::new()).await.unwrap();
    assert!(folder.path().join(".tmp/left-7200").exists());
}

#[tokio::test]
async fn nothing_but_the_objects_stays_after_writing() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    let etag = store.swap("k", None, Bytes::from_static(b"one")).await.unwrap();
    store.swap("k", Some(&etag), Bytes::from_static(b"two")).await.unwrap();
    assert!(!store.create("k", Bytes::from_static(b"three")).await.unwrap());
    assert_eq!(fs::read_dir(folder.path().join(".tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_that_is_written_behind_our_back_is_another_version() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    let etag = store.swap("k", None, Bytes::from_static(b"0123456789")).await.unwrap();
    fs::OpenOptions::new().append(true).open(folder.path().join("k")).unwrap().write_all(b"more").unwrap();
    let changed = store.read_range("k", 0..4, &etag).await;
    assert!(matches!(changed, Err(StoreError::Changed { .. })), "{changed:?}");
}

#[tokio::test]
async fn links_folders_and_pipes_are_no_objects() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_in(folder.path()).await;
    store.create("folder/k", Bytes::new()).await.unwrap();
    symlink("folder/k", folder.path().join("link")).unwrap();
    assert!(Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap().success());
    for key in ["folder", "link", "pipe"] {
        let missing = store.get(key, 10).await;
        assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{key}: {missing:?}");
    }
    assert_eq!(store.list("").await.unwrap(), ["folder/k"]);
}

#[tokio::test]
async fn a_file_where_the_store_should_be_is_no_store() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("file");
    fs::write(&root, "").unwrap();
    let store = store_in(&root).await;
    let refused = [
        store.list("").await.unwrap_err(),
        store.head("k").await.unwrap_err(),
        store.create("k", Bytes::new()).await.unwrap_err(),
    ];
    for error in refused {
        assert!(matches!(error, StoreError::NotADirectory { .. }), "{error:?}");
    }
}
