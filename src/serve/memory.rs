//! How much memory a load may take beside what is served.

use crate::model::{memory_limit, resident_memory};

/// At its highest, a load needs about so many times the length of the model's files: as bytes, as the engine reads them
/// and as it packs them.
const PEAK: u64 = 3;
/// This part of the limit is kept for requests: bodies, decoded images, what graphs work with.
const WORKING_PART: u64 = 8;

/// What a load of files of `len` bytes needs at its highest, in bytes.
pub fn peak(len: u64) -> u64 {
    len.saturating_mul(PEAK)
}

/// Bytes that a load may take where the process holds `held` of `limit`.
pub(super) fn free(limit: u64, held: u64) -> u64 {
    limit.saturating_sub(held.saturating_add(limit / WORKING_PART))
}

/// A load would not fit beside what is served.
#[derive(Debug, thiserror::Error)]
#[error("the model needs about {needed} bytes of memory while it is loaded, {free} are free")]
pub(super) struct TooLarge {
    needed: u64,
    free: u64,
}

/// Whether files of `len` bytes can be loaded now. Where the system tells no limit, they can.
pub(super) fn check(len: u64) -> Result<(), TooLarge> {
    let (Some(limit), Some(held)) = (memory_limit(), resident_memory()) else { return Ok(()) };
    let (needed, free) = (peak(len), free(limit, held));
    if needed > free { Err(TooLarge { needed, free }) } else { Ok(()) }
}
