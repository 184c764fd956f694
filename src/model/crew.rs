//! Inference threads that have nothing to do take part in what others compute.
//!
//! Each thread leads a team of its own. While it computes it calls one that waits for a job, who calls the next one, and
//! who is called takes part until there is no more for it to do, or a job comes. Where there are more threads than cores,
//! no more of them compute than there are cores. Where requests are computed at the same time, each keeps to its own thread.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use strongroom_kernels::{Offer, Team};

/// How long after two requests were computed at the same time no thread is called: more are likely to come, and what runs
/// between them, such as the thread that answers, needs a core.
const AFTER_TWO: Duration = Duration::from_millis(10);

thread_local! {
    static OWN: RefCell<Own> = RefCell::new(Own { team: Team::alone(), load: None });
}

/// What a thread computes with.
struct Own {
    team: Team,
    /// Of the crew that it is of.
    load: Option<Arc<Load>>,
}

/// Runs `work` with the calling thread's team: one of its crew, or nobody else.
pub(super) fn with_team<T>(work: impl FnOnce(&mut Team) -> T) -> T {
    OWN.with(|own| match own.try_borrow_mut() {
        Ok(mut own) => {
            let Own { team, load } = &mut *own;
            let _computes = load.as_ref().map(|load| load.computes());
            work(team)
        }
        // Within a computation that is shared already.
        Err(_) => work(&mut Team::alone()),
    })
}

/// The threads of a pool.
#[derive(Clone)]
pub(super) struct Crew {
    load: Arc<Load>,
    call: Sender<Arc<Offer>>,
    calls: Receiver<Arc<Offer>>,
}

impl Crew {
    /// Of so many threads, on so many cores.
    pub(super) fn of(threads: usize, cores: usize) -> Self {
        let (call, calls) = bounded(threads);
        let (idle, compute, two_at) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU64::new(0));
        let load = Load { idle, compute, beyond: threads.saturating_sub(cores), two_at, begun: Instant::now() };
        Self { load: Arc::new(load), call, calls }
    }

    /// Makes the calling thread one of the crew.
    pub(super) fn enter(&self) {
        let (load, call) = (Arc::clone(&self.load), self.call.clone());
        let team = Team::new(Team::WORTH, move |offer| match load.to_spare() {
            0 => false,
            idle => call.len() >= idle || call.try_send(Arc::clone(offer)).is_ok(),
        });
        OWN.with(|own| own.replace(Own { team, load: Some(Arc::clone(&self.load)) }));
    }

    /// Counts the calling thread as idle until what this gives is dropped.
    pub(super) fn idle(&self) -> Counted<'_> {
        Counted::of(&self.load.idle)
    }

    /// What a thread that is idle is called to.
    pub(super) fn calls(&self) -> &Receiver<Arc<Offer>> {
        &self.calls
    }
}

/// What the threads of a crew do.
struct Load {
    /// Threads that wait for a job.
    idle: AtomicUsize,
    /// Threads that compute for a job of their own: not those that only end one, whose answer may have brought the next.
    compute: AtomicUsize,
    /// Threads that no core would be left for.
    beyond: usize,
    /// When two computed at the same time, in nanoseconds since it began; 0: never.
    two_at: AtomicU64,
    begun: Instant,
}

impl Load {
    /// Threads that may be called.
    fn to_spare(&self) -> usize {
        let idle = self.idle.load(Ordering::Relaxed).saturating_sub(self.beyond);
        let two_at = self.two_at.load(Ordering::Relaxed);
        // The clock is looked at only if somebody is idle.
        match idle == 0 || (two_at > 0 && self.now().saturating_sub(two_at) < AFTER_TWO.as_nanos() as u64) {
            true => 0,
            false => idle,
        }
    }

    /// Counts the calling thread as one that computes until what this gives is dropped.
    fn computes(&self) -> Counted<'_> {
        let counted = Counted::of(&self.compute);
        if self.compute.load(Ordering::Relaxed) > 1 {
            self.two_at.store(self.now(), Ordering::Relaxed);
        }
        counted
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A thread that is counted.
pub(super) struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn of(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::super::Pool;
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(60);

    fn pool(threads: usize) -> Pool<()> {
        on_cores(threads, threads)
    }

    /// Whatever this machine has.
    fn on_cores(threads: usize, cores: usize) -> Pool<()> {
        Pool::start_on(cores, threads, 8, || Ok::<_, std::io::Error>(())).unwrap()
    }

    /// Has `job` run on a thread of `pool`, and waits for what it comes to.
    fn run<T: Send + 'static>(pool: &Pool<()>, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = mpsc::channel();
        pool.submit(move |()| drop(tell.send(job()))).unwrap();
        told.recv_timeout(DEADLINE).unwrap()
    }

    /// Shares two units until each is run on a thread of its own, and calls `other` on the one that takes part.
    fn meet(other: impl Fn() + Sync) {
        let (leader, begun) = (std::thread::current().id(), Instant::now());
        let come = AtomicBool::new(false);
        while !come.load(Ordering::Relaxed) {
            assert!(begun.elapsed() < DEADLINE, "nobody takes part");
            with_team(|team| {
                team.share(2, Team::WORTH, |part| {
                    if std::thread::current().id() != leader {
                        come.store(true, Ordering::Relaxed);
                        return other();
                    }
                    // Who is called takes its time, and may have gone again by now: then it is called once more.
                    let waited = Instant::now();
                    while part.len() == 1 && !come.load(Ordering::Relaxed) && waited.elapsed() < AFTER_TWO {
                        std::thread::yield_now();
                    }
                });
            });
        }
    }

    #[test]
    fn an_idle_thread_takes_part() {
        run(&pool(2), || meet(|| ()));
    }

    #[test]
    fn a_busy_thread_does_not() {
        let pool = pool(2);
        let (go, gone) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        pool.submit(move |()| {
            tell.send(()).unwrap();
            let _ = gone.recv();
        })
        .unwrap();
        told.recv_timeout(DEADLINE).unwrap();
        assert_eq!(run(&pool, || with_team(|team| parts(team, 100))), 1);
        drop(go);
    }

    #[test]
    fn no_more_threads_compute_than_there_are_cores() {
        let pool = on_cores(3, 1);
        let most = run(&pool, || {
            let counts = (0..1_000).map(|_| {
                std::thread::sleep(Duration::from_micros(10));
                with_team(|team| parts(team, 100))
            });
            counts.max()
        });
        assert_eq!(most, Some(1));
    }

    /// Parts that so many units are run in.
    fn parts(team: &mut Team, units: usize) -> usize {
        let parts = AtomicUsize::new(0);
        team.share(units, Team::WORTH, |_| _ = parts.fetch_add(1, Ordering::Relaxed));
        parts.into_inner()
    }

    #[test]
    fn after_two_computed_at_a_time_nobody_is_called_for_a_while() {
        let crew = Crew::of(2, 2);
        let _idle = crew.idle();
        let _first = crew.load.computes();
        assert_eq!(crew.load.to_spare(), 1);
        let before = Instant::now();
        drop(crew.load.computes());
        while crew.load.to_spare() == 0 {
            assert!(before.elapsed() < DEADLINE, "for ever");
        }
        assert!(before.elapsed() >= AFTER_TWO);
    }

    #[test]
    fn a_thread_that_takes_part_leaves_for_a_job_and_for_one_of_its_own() {
        let pool = Arc::new(pool(2));
        let inner = Arc::clone(&pool);
        run(&pool, move || {
            let (tell, told) = mpsc::channel();
            meet(|| ());
            // There is always something to take part in.
            for own in [false, true] {
                let (tell, begun) = (tell.clone(), Instant::now());
                match own {
                    true => inner.everywhere(move |()| _ = tell.send(())),
                    false => inner.submit(move |()| tell.send(()).unwrap()).unwrap(),
                }
                while told.try_recv().is_err() {
                    assert!(begun.elapsed() < DEADLINE, "no job was begun");
                    let piece = |_| std::thread::sleep(Duration::from_micros(100));
                    with_team(|team| team.share(100, Team::WORTH, piece));
                }
            }
        });
    }

    #[test]
    fn a_panic_of_another_thread_is_the_jobs_and_both_go_on() {
        let pool = pool(2);
        let (tell, told) = mpsc::channel::<()>();
        pool.submit(move |()| {
            let _dropped_by_the_panic = tell;
            meet(|| panic!("on purpose"));
        })
        .unwrap();
        assert_eq!(told.recv_timeout(DEADLINE), Err(mpsc::RecvTimeoutError::Disconnected));
        run(&pool, || meet(|| ()));
    }

    #[test]
    fn a_pool_is_dropped_while_a_thread_takes_part() {
        let pool = pool(2);
        let done = Arc::new(AtomicUsize::new(0));
        let (tell, told) = mpsc::channel();
        let counter = Arc::clone(&done);
        pool.submit(move |()| {
            meet(|| ());
            tell.send(()).unwrap();
            with_team(|team| {
                team.share(64, Team::WORTH, |part| {
                    std::thread::sleep(Duration::from_millis(1));
                    counter.fetch_add(part.len(), Ordering::Relaxed);
                });
            });
        })
        .unwrap();
        told.recv_timeout(DEADLINE).unwrap();
        drop(pool);
        assert_eq!(done.load(Ordering::Relaxed), 64);
    }

    #[test]
    fn a_thread_that_is_no_inference_thread_computes_alone() {
        assert_eq!(with_team(|team| parts(team, 100)), 1);
        // Within what is shared, too.
        assert_eq!(with_team(|_| with_team(|team| parts(team, 100))), 1);
    }
}
