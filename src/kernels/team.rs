//! A step's work, shared with threads that have nothing else to do.
//!
//! Work is counted in units that write different numbers each. A thread of its own leads a [`Team`]; others take part
//! through its [`Offer`] and leave when they like. Pieces, ranges of units, are claimed one by one, the leader's from the
//! front and theirs from the back, so that each finds in its cache what it made the step before. The leader waits for
//! pieces that others have claimed, never for a thread that has not come or has left.
//!
//! A kernel takes part so: it checks its places, `Place::require_apart` of the output among them; counts
//! its units, each of which writes numbers that no other one reads or writes, and adds up what it adds up within one unit;
//! and calls [`Team::share`] with how many there are, what one takes, and a function that computes a range of them
//! ([`walk`] says which of its loops' rounds a unit is). So answers are the same to the last bit, whoever computes them.
//!
//! `unsafe` in this file: work lives on the leader's stack. It is looked at between the claim of a piece and the word that
//! the piece is done, and [`Team::share`] returns when that word was said for all of them.

use std::any::Any;
use std::cell::UnsafeCell;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Most threads that take part beside the leader.
const MOST: usize = 15;
/// Pieces that a step is cut into for each thread, at most: one that comes late or leaves early finds or leaves some.
const PIECES: usize = 8;
/// How long a thread waits for another piece: about as long as it takes to wake it.
const PATIENCE: Duration = Duration::from_micros(60);
/// How often it looks before it looks at the clock, or lets others have the processor.
const LOOKS: usize = 64;

/// One inference's way to have others take part.
pub struct Team {
    /// `None`: nobody ever does.
    offer: Option<Arc<Offer>>,
    /// Work that is worth a piece, in multiply-adds.
    worth: usize,
}

/// What a team has to be done, for other threads.
pub struct Offer {
    /// Pieces that nobody has claimed.
    left: Line<AtomicU64>,
    /// Pieces that are not done.
    undone: Line<AtomicUsize>,
    /// Threads that take part, beside the leader.
    joined: AtomicUsize,
    work: UnsafeCell<Work>,
    /// What a piece panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    call: Box<Call>,
}

/// Calls a thread, if any has nothing to do, and says whether one is on its way.
type Call = dyn Fn(&Arc<Offer>) -> bool + Send + Sync;

/// A cache line and the next one, which processors fetch with it.
#[repr(align(128))]
struct Line<T>(T);

/// Units in pieces.
#[derive(Clone, Copy)]
struct Work {
    run: *const (dyn Fn(Range<usize>) + Sync),
    units: usize,
    pieces: usize,
}

// SAFETY: all but `work` is shared as it is. `work` is written by the leader alone, of which there is one (`share` takes
// the team, which is no copy, by a unique reference), and while no piece is left or undone; it is read by who has claimed
// a piece and has not said that it is done. What it points to is `Sync`.
unsafe impl Sync for Offer {}
// SAFETY: as above; the pointer is followed under the same rule, wherever the offer is.
unsafe impl Send for Offer {}

impl Team {
    /// Work that is worth a piece: about 3 us on one AVX-512 core, several times what claiming it takes.
    pub const WORTH: usize = 128 << 10;

    /// A leader alone.
    pub fn alone() -> Self {
        Self { offer: None, worth: Self::WORTH }
    }

    /// A leader with an offer. `call` is asked whenever there is work for one more thread: it calls one, if any has
    /// nothing to do, and says whether one is on its way. `worth` is [`Team::WORTH`], but for tests.
    pub fn new(worth: usize, call: impl Fn(&Arc<Offer>) -> bool + Send + Sync + 'static) -> Self {
        let nothing: &'static (dyn Fn(Range<usize>) + Sync) = &|_| {};
        let offer = Offer {
            left: Line(AtomicU64::new(0)),
            undone: Line(AtomicUsize::new(0)),
            joined: AtomicUsize::new(0),
            work: UnsafeCell::new(Work { run: nothing, units: 0, pieces: 0 }),
            panic: Mutex::new(None),
            call: Box::new(call),
        };
        Self { offer: Some(Arc::new(offer)), worth: worth.max(1) }
    }

    /// For threads that might take part.
    pub fn offer(&self) -> Option<Arc<Offer>> {
        self.offer.clone()
    }

    /// Has `run` called for ranges that together are `0..units`, on this thread and on those that take part; one unit
    /// takes `work` multiply-adds, or as long as so many. Ranges may run at the same time.
    ///
    /// # Panics
    /// `run` does, on whatever thread; no range is being run any more then.
    pub fn share(&mut self, units: usize, work: usize, run: impl Fn(Range<usize>) + Sync) {
        match (&self.offer, self.count(units, work)) {
            (Some(offer), pieces @ 2..) => offer.lead(units, pieces, &run),
            _ => run(0..units),
        }
    }

    /// How many ranges [`Team::share`] would call for: 1 while nobody takes part. Calls for one more thread.
    pub fn count(&self, units: usize, work: usize) -> usize {
        let Some(offer) = &self.offer else { return 1 };
        let most = units.min(units.saturating_mul(work) / self.worth);
        if most < 2 {
            return 1;
        }
        let joined = offer.joined.load(Ordering::Relaxed);
        let called = joined + 1 < most.min(MOST + 1) && (offer.call)(offer);
        match joined + usize::from(called) {
            0 => 1,
            others => most.min((others + 1) * PIECES),
        }
    }
}

impl Offer {
    /// Takes part until nothing was to be done for a while, or `leave` says so; it is asked between pieces.
    pub fn join(self: &Arc<Self>, leave: impl Fn() -> bool) {
        let here = Here::of(&self.joined);
        let (front, back) = unpack(self.left.0.load(Ordering::Relaxed));
        if here.number < MOST && back.saturating_sub(front) > 1 {
            // So that all are called in the time that waking a few takes.
            (self.call)(self);
        }
        let mut since = Instant::now();
        loop {
            for _ in 0..LOOKS {
                if leave() {
                    return;
                }
                match self.claim(Side::Back) {
                    Some(piece) => {
                        self.run(piece);
                        since = Instant::now();
                    }
                    None => std::hint::spin_loop(),
                }
            }
            if since.elapsed() > PATIENCE {
                return;
            }
        }
    }

    /// Threads that take part, beside the leader.
    pub fn joined(&self) -> usize {
        self.joined.load(Ordering::Relaxed)
    }

    fn lead(&self, units: usize, pieces: usize, run: &(dyn Fn(Range<usize>) + Sync)) {
        let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
        // SAFETY: only the lifetime changes. The pointer is followed by who has claimed a piece and not said that it is
        // done, and this function does not return, nor unwind, before that was said for all pieces.
        let run: *const (dyn Fn(Range<usize>) + Sync) = unsafe {
            std::mem::transmute::<&(dyn Fn(Range<usize>) + Sync), &'static (dyn Fn(Range<usize>) + Sync)>(run)
        };
        // SAFETY: no piece is left or undone since the last call returned, so nobody reads it (see `Sync`).
        unsafe { *self.work.get() = Work { run, units, pieces: pieces as usize } };
        self.undone.0.store(pieces as usize, Ordering::Relaxed);
        // Whoever claims a piece of these sees the work.
        self.left.0.store(pack(0, pieces), Ordering::Release);
        while let Some(piece) = self.claim(Side::Front) {
            self.run(piece);
        }
        let mut looks = 0;
        // What others wrote is seen once their pieces are.
        while self.undone.0.load(Ordering::Acquire) != 0 {
            looks += 1;
            match looks % LOOKS {
                // Where cores are few, the thread that is waited for may need this one.
                0 => std::thread::yield_now(),
                _ => std::hint::spin_loop(),
            }
        }
        let panic = self.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }

    fn claim(&self, side: Side) -> Option<usize> {
        let mut seen = self.left.0.load(Ordering::Relaxed);
        loop {
            let (front, back) = unpack(seen);
            if front >= back {
                return None;
            }
            let (piece, next) = match side {
                Side::Front => (front, pack(front + 1, back)),
                Side::Back => (back - 1, pack(front, back - 1)),
            };
            // Pieces that look the same may be those of a later step: the work is read after the claim, so then it is
            // that step's.
            match self.left.0.compare_exchange_weak(seen, next, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => return Some(piece as usize),
                Err(now) => seen = now,
            }
        }
    }

    /// Runs a piece that this thread has claimed.
    fn run(&self, piece: usize) {
        // SAFETY: the piece is claimed and not done: the work is that of the step it was claimed from, and stays.
        let Work { run, units, pieces } = unsafe { *self.work.get() };
        // Of nearly the same size; the product fits, for a range of units has been counted.
        let bound = |piece: usize| (piece as u128 * units as u128 / pieces as u128) as usize;
        // SAFETY: as above, for what the work points to.
        let done = catch_unwind(AssertUnwindSafe(|| unsafe { (*run)(bound(piece)..bound(piece + 1)) }));
        if let Err(panic) = done {
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        }
        self.undone.0.fetch_sub(1, Ordering::Release);
    }
}

#[derive(Clone, Copy)]
enum Side {
    Front,
    Back,
}

fn pack(front: u32, back: u32) -> u64 {
    u64::from(front) << 32 | u64::from(back)
}

fn unpack(left: u64) -> (u32, u32) {
    ((left >> 32) as u32, left as u32)
}

/// Counts a thread while it takes part.
struct Here<'a> {
    joined: &'a AtomicUsize,
    /// Of this thread; the first one has 1.
    number: usize,
}

impl<'a> Here<'a> {
    fn of(joined: &'a AtomicUsize) -> Self {
        let number = joined.fetch_add(1, Ordering::Relaxed) + 1;
        Self { joined, number }
    }
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.joined.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The beginning of an arena that several threads write, each to other numbers.
#[derive(Clone, Copy)]
pub(crate) struct Shared<T>(*mut T);

impl<T> Shared<T> {
    /// Of all of it, which is the kernel's while it runs.
    pub(crate) fn of(arena: &mut [T]) -> Self {
        Self(arena.as_mut_ptr())
    }

    pub(crate) fn start(&self) -> *mut T {
        self.0
    }
}

// SAFETY: an address may be known anywhere; whoever writes through it proves that nobody else reads or writes there.
unsafe impl<T> Sync for Shared<T> {}

/// The numbers of `part` in a system whose digits have `sizes`, the last one changing first: which of its loops' rounds a
/// unit is.
pub(crate) fn walk<const N: usize>(sizes: [usize; N], part: Range<usize>) -> impl Iterator<Item = [usize; N]> {
    let mut rest = part.start;
    let mut next = [0; N];
    for axis in (0..N).rev() {
        next[axis] = rest.checked_rem(sizes[axis]).unwrap_or_default();
        rest = rest.checked_div(sizes[axis]).unwrap_or_default();
    }
    part.map(move |_| {
        let now = next;
        for axis in (0..N).rev() {
            next[axis] += 1;
            if next[axis] < sizes[axis] {
                break;
            }
            next[axis] = 0;
        }
        now
    })
}
