//! For how long the process keeps what it has freed, before the kernel has it back.
//!
//! A page that comes back is zeroed again, which costs time; one that is kept counts as memory of the process. mimalloc keeps
//! it for a second. So long is right where there is much memory; with little, what is kept is a large part of it.
#![expect(unsafe_code, reason = "mimalloc's crate has no safe call for its options")]

use std::ffi::c_long;
use std::time::Duration;

use libmimalloc_sys::{mi_option_set_default, mi_option_t, mi_option_use_numa_nodes};

use crate::memory::Memory;

/// Usually: an ingest of 400,000 messages took 120 MiB so and 137 with 100 ms, and the same CPU. Of compactions those with
/// less than 1Gi: 10 million rows with 512Mi took up to 334 MiB so, and up to 530 with 100 ms.
pub const USUAL: Duration = Duration::from_millis(10);
/// Of a compaction with less than 2Gi. 10 ms would take a tenth more seconds.
const OF_ENOUGH: Duration = Duration::from_millis(100);
/// Of one with more: what mimalloc does by itself. 40 million rows with 4Gi took 78 s of CPU and 1.14 GiB so, and 100 s
/// and 1.08 GiB with 100 ms.
const OF_MUCH: Duration = Duration::from_secs(1);

/// Of a process that compacts, whatever else it does. docs/profile-compaction.md has the measurements.
pub fn of_compaction(process: Memory) -> Duration {
    match process.bytes() >> 30 {
        0 => USUAL,
        1 => OF_ENOUGH,
        2.. => OF_MUCH,
    }
}

/// The crate does not name the option. mimalloc's header counts it just before this one, and counts new ones from the end.
const PURGE_DELAY: mi_option_t = mi_option_use_numa_nodes - 1;

/// Keeps what is freed from now on for so long, unless the environment has said for how long (`MIMALLOC_PURGE_DELAY`, in
/// milliseconds). To be called first of all, while the process has one thread.
pub fn keep_freed(delay: Duration) {
    let milliseconds = c_long::try_from(delay.as_millis()).unwrap_or(c_long::MAX);
    // SAFETY: it stores a number in a table of mimalloc's own, which is there for as long as the process; a place outside
    // the table is left alone. Another thread could only read the number, an aligned word, before or after.
    unsafe { mi_option_set_default(PURGE_DELAY, milliseconds) }
}

#[cfg(test)]
mod tests {
    use libmimalloc_sys::mi_option_get;

    use super::*;

    #[rstest::rstest]
    #[case(1023 << 20, 10)]
    #[case(1 << 30, 100)]
    #[case(2047 << 20, 100)]
    #[case(2 << 30, 1000)]
    #[case(64 << 30, 1000)]
    fn compaction_keeps_it_the_longer_the_more_memory_it_has(#[case] bytes: u64, #[case] milliseconds: u64) {
        assert_eq!(of_compaction(Memory::of_bytes(bytes)), Duration::from_millis(milliseconds));
    }

    /// The options beside it have other values to begin with, so that a new order of them is seen here.
    #[test]
    fn option_is_the_delay_of_the_allocator_and_is_set() {
        // SAFETY: it reads a number of mimalloc's own. Nobody else touches it: the tests of the library have another allocator.
        let delay = || unsafe { mi_option_get(PURGE_DELAY) };
        assert_eq!(delay(), 1000, "what mimalloc does by itself, with no MIMALLOC_PURGE_DELAY in the environment");
        keep_freed(Duration::from_millis(17));
        assert_eq!(delay(), 17);
    }
}
