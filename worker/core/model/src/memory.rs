//! How much memory this process has, as Linux tells it.

use std::fs;

/// Chunks between two looks: a look costs as much as some hundred states.
const RARELY: usize = 256 * 64;

/// Resident memory in bytes; 0 where the system does not tell.
pub(crate) fn resident() -> u64 {
    status("VmRSS:")
}

/// Resident memory at some of the places of a search, 0 at the others.
pub(crate) fn resident_rarely(place: usize) -> u64 {
    if place.is_multiple_of(RARELY) { resident() } else { 0 }
}

/// The most memory that was resident since [`forget_peak`], in bytes; 0 where the system does not tell.
pub fn peak() -> u64 {
    status("VmHWM:")
}

/// Starts to look for the peak anew. Where the system does not let us, the peak is that of the whole process.
pub fn forget_peak() {
    drop(fs::write("/proc/self/clear_refs", "5"));
}

fn status(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
