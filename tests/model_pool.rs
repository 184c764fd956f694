//! The inference threads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use strongroom::model::{Pool, PoolError, available_cores};

const DEADLINE: Duration = Duration::from_secs(20);

fn numbered() -> (Arc<AtomicUsize>, impl Fn() -> Result<usize, String> + Send + Sync + 'static) {
    let made = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&made);
    (made, move || Ok(counter.fetch_add(1, Ordering::SeqCst)))
}

/// Occupies one thread until the sender that comes back is dropped.
fn occupy<S: 'static>(pool: &Pool<S>) -> mpsc::Sender<()> {
    let (release, released) = mpsc::channel::<()>();
    let (started, running) = mpsc::channel();
    pool.submit(move |_| {
        started.send(()).unwrap();
        let _ = released.recv();
    })
    .unwrap();
    running.recv_timeout(DEADLINE).unwrap();
    release
}

#[test]
fn every_thread_makes_its_own_state_before_the_pool_is_there() {
    let (made, make) = numbered();
    let pool = Pool::start(3, 1, make).unwrap();
    assert_eq!((pool.threads(), made.load(Ordering::SeqCst)), (3, 3));
}

#[test]
fn as_many_jobs_run_at_once_as_there_are_threads() {
    let pool = Pool::start(2, 4, numbered().1).unwrap();
    let (first, second) = (occupy(&pool), occupy(&pool));
    assert_eq!(pool.depth(), 0);
    drop((first, second));
}

#[test]
fn threads_are_named() {
    let pool = Pool::start(1, 1, numbered().1).unwrap();
    let (tell, told) = mpsc::channel();
    pool.submit(move |_| tell.send(std::thread::current().name().map(str::to_owned)).unwrap()).unwrap();
    assert_eq!(told.recv_timeout(DEADLINE).unwrap().as_deref(), Some("infer-0"));
}

#[test]
fn a_full_queue_gives_a_job_up_at_once() {
    let pool = Pool::start(1, 2, numbered().1).unwrap();
    let _busy = occupy(&pool);
    pool.submit(|_| {}).unwrap();
    pool.submit(|_| {}).unwrap();
    assert_eq!(pool.depth(), 2);
    let full = pool.submit(|_| {}).unwrap_err();
    assert_eq!(full.to_string(), "all inference threads are busy and 2 requests wait");
}

#[test]
fn a_panic_stays_in_its_job_and_the_state_is_made_anew() {
    let pool = Pool::start(1, 2, numbered().1).unwrap();
    let (tell, told) = mpsc::channel();
    let tell_first = tell.clone();
    pool.submit(move |state| {
        tell_first.send(*state).unwrap();
        panic!("on purpose");
    })
    .unwrap();
    pool.submit(move |state| tell.send(*state).unwrap()).unwrap();
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), 0);
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), 1);
}

#[test]
fn a_job_that_finds_no_state_is_dropped_and_the_next_one_tries_again() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&attempts);
    // The first attempt and the fourth succeed.
    let make = move || match counter.fetch_add(1, Ordering::SeqCst) {
        0 | 3 => Ok(()),
        _ => Err("no memory"),
    };
    let pool = Pool::start(1, 4, make).unwrap();
    pool.submit(|()| panic!("on purpose")).unwrap();
    let (tell, told) = mpsc::channel::<&str>();
    let lost = tell.clone();
    pool.submit(move |()| lost.send("lost").unwrap()).unwrap();
    pool.submit(move |()| tell.send("served").unwrap()).unwrap();
    assert_eq!(told.recv_timeout(DEADLINE).unwrap(), "served");
    assert_eq!(attempts.load(Ordering::SeqCst), 4);
}

#[test]
fn a_pool_whose_state_cannot_be_made_does_not_start() {
    let attempts = AtomicUsize::new(0);
    let make = move || if attempts.fetch_add(1, Ordering::SeqCst) == 1 { Err("no memory") } else { Ok(()) };
    match Pool::start(2, 1, make) {
        Err(PoolError::Make(cause)) => assert_eq!(cause.to_string(), "no memory"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
    assert!(matches!(
        Pool::<()>::start(1, 1, || -> Result<(), String> { panic!("on purpose") }),
        Err(PoolError::Make(_))
    ));
}

#[test]
fn dropping_the_pool_lets_waiting_jobs_run() {
    let pool = Pool::start(1, 8, numbered().1).unwrap();
    let done = Arc::new(AtomicUsize::new(0));
    let busy = occupy(&pool);
    for _ in 0..5 {
        let done = Arc::clone(&done);
        pool.submit(move |_| _ = done.fetch_add(1, Ordering::SeqCst)).unwrap();
    }
    drop(busy);
    drop(pool);
    assert_eq!(done.load(Ordering::SeqCst), 5);
}

#[test]
fn a_job_may_hold_the_last_reference_to_its_pool() {
    let pool = Arc::new(Pool::start(1, 1, numbered().1).unwrap());
    let (tell, told) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let held = Arc::clone(&pool);
    pool.submit(move |_| {
        let _ = gone.recv();
        drop(held);
        tell.send(()).unwrap();
    })
    .unwrap();
    drop(pool);
    drop(go);
    told.recv_timeout(DEADLINE).unwrap();
}

#[test]
fn there_is_at_least_one_core() {
    assert!(available_cores() >= 1);
}
