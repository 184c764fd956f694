//! Memory that was freed, given back to the system. Unsafe code lives here, each use with its proof.

#![allow(unsafe_code, reason = "the C library's call has no safe wrapper")]

/// Gives back to the system what the C library keeps of freed memory: after a model was unloaded, its memory is to be
/// another process' or another model's. Only glibc keeps so much that this matters; elsewhere it does nothing.
pub fn return_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: `malloc_trim` takes a number and no pointer, may be called from any thread at any time (it locks each arena
    // in turn), and gives back only pages that no live allocation is on.
    let _ = unsafe { libc::malloc_trim(0) };
}
