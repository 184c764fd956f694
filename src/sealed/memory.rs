//! Memory for keys: the one file of this module with unsafe code.
#![allow(unsafe_code, reason = "locked pages and volatile wiping have no safe interface; each block carries its proof")]

use std::mem::MaybeUninit;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::sync::atomic::{Ordering, compiler_fence};

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap_anonymous, munmap};
use zeroize::Zeroize;

/// One page is asked for; the kernel rounds up to its own page size in `mmap`, `mlock`, `madvise` and `munmap` alike.
const PAGE_LEN: usize = 4096;

/// 32 bytes on a page of their own: never swapped and never in a core dump where the system allows that, wiped on drop.
pub(super) struct KeyMemory(Place);

enum Place {
    /// A private anonymous mapping of `PAGE_LEN` bytes that nothing else refers to.
    Page(NonNull<[u8; 32]>),
    /// Where the system gives no page.
    Heap(Box<[u8; 32]>),
}

// SAFETY: `Page` owns its mapping alone, and it is reached only through `&self` (shared reads) and `&mut self`, as with a
// `Box<[u8; 32]>`, which is Send and Sync.
unsafe impl Send for KeyMemory {}
// SAFETY: as above.
unsafe impl Sync for KeyMemory {}

impl KeyMemory {
    /// 32 zeros.
    pub(super) fn zeroed() -> Self {
        Self(map_page().map_or_else(|| Place::Heap(Box::new([0; 32])), Place::Page))
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        match &self.0 {
            // SAFETY: the mapping is at least 32 bytes, readable, zero-filled at first and unmapped only in `drop`; the
            // reference borrows `self`, so no `&mut` to the bytes exists meanwhile.
            Place::Page(page) => unsafe { page.as_ref() },
            Place::Heap(bytes) => bytes,
        }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8; 32] {
        match &mut self.0 {
            // SAFETY: as in `bytes`, and `&mut self` makes this the only reference.
            Place::Page(page) => unsafe { page.as_mut() },
            Place::Heap(bytes) => bytes,
        }
    }
}

impl Drop for KeyMemory {
    fn drop(&mut self) {
        self.bytes_mut().zeroize();
        if let Place::Page(page) = self.0 {
            // SAFETY: the mapping was made by `map_page` with this length, is owned by `self` alone, and `self` is not
            // used again. Its failure would leave wiped memory behind, so the answer does not matter.
            let _ = unsafe { munmap(page.as_ptr().cast(), PAGE_LEN) };
        }
    }
}

fn map_page() -> Option<NonNull<[u8; 32]>> {
    // SAFETY: a null hint without MAP_FIXED makes a new mapping and touches no existing one.
    let page = unsafe {
        mmap_anonymous(ptr::null_mut(), PAGE_LEN, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE).ok()?
    };
    // SAFETY: the range was just mapped; locking it and leaving it out of core dumps change no byte. Both are best effort:
    // RLIMIT_MEMLOCK and old kernels may refuse them.
    unsafe {
        let _ = mlock(page, PAGE_LEN);
        let _ = madvise(page, PAGE_LEN, Advice::LinuxDontDump);
    }
    NonNull::new(page.cast())
}

/// A value on the heap whose bytes are wiped after it is dropped; for ring's key schedules, which do not wipe themselves.
pub(super) struct Wiped<T>(Box<MaybeUninit<T>>);

impl<T> Wiped<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Box::new(MaybeUninit::new(value)))
    }
}

impl<T> Deref for Wiped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: initialised in `new`, the only constructor; deinitialised only in `drop`.
        unsafe { self.0.assume_init_ref() }
    }
}

impl<T> Drop for Wiped<T> {
    fn drop(&mut self) {
        // SAFETY: initialised in `new` and dropped nowhere else; nobody can use it after this `drop`.
        unsafe { self.0.assume_init_drop() };
        let bytes = self.0.as_mut_ptr().cast::<u8>();
        for place in 0..size_of::<T>() {
            // SAFETY: the box still owns `size_of::<T>()` bytes, which as `MaybeUninit` may hold any pattern.
            unsafe { ptr::write_volatile(bytes.add(place), 0) };
        }
        compiler_fence(Ordering::SeqCst);
    }
}
