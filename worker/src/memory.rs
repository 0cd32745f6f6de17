//! The memory of the process: how much there is, and how much of it is for buffers.
//!
//! What a job holds follows from this by shares (`ingest` and `compact` have a `Budget` each), so that the figures that all
//! of them rest on stand here alone.

use gristmill_crds::Quantity;

use crate::exit::{Exit, Failure};

/// Memory of a process on a laptop, and of a pod whose resource says nothing.
const DEFAULT: u64 = 256 << 20;
/// What the process needs beside its buffers: code, librdkafka or the store's client, the runtime, the folds of the logs.
const BASE: u64 = 96 << 20;
/// With fewer buffers no Parquet file is worth its footer, and no row group of a usual one can be read.
const LEAST_BUFFERS: u64 = 32 << 20;

/// The memory of a process, and how many jobs share it evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    bytes: u64,
    sharers: u64,
}

impl Memory {
    /// So many bytes for one job.
    pub const fn of_bytes(bytes: u64) -> Self {
        Self { bytes, sharers: 1 }
    }

    /// What `--memory` or `GRISTMILL_MEMORY` says: bytes, or a quantity such as 256Mi.
    ///
    /// # Errors
    /// It is no size.
    pub fn of_argument(text: &str) -> Result<Self, Failure> {
        let bytes = Quantity(text.to_owned()).to_bytes().map_err(|error| Failure {
            exit: Exit::Usage,
            reason: "Invalid",
            message: format!("--memory or GRISTMILL_MEMORY: {error}"),
        })?;
        Ok(Self::of_bytes(bytes))
    }

    /// The same memory for so many jobs.
    pub fn shared_by(self, jobs: usize) -> Self {
        Self { sharers: jobs.max(1) as u64, ..self }
    }

    /// All of it, in bytes.
    pub fn bytes(self) -> u64 {
        self.bytes
    }

    /// Bytes that one job may have, with what the process needs beside its buffers.
    pub fn of_a_job(self) -> u64 {
        self.bytes / self.sharers
    }

    /// Bytes that the buffers of one job may have.
    pub fn buffers(self) -> u64 {
        self.of_a_job().saturating_sub(BASE).max(LEAST_BUFFERS)
    }

    /// The memory of a process, shared as this one is, in which the buffers of one job may have so many bytes.
    pub fn for_buffers(self, bytes: u64) -> u64 {
        BASE.saturating_add(bytes).saturating_mul(self.sharers)
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::of_bytes(DEFAULT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn argument_is_read_as_bytes_or_quantity() {
        assert_eq!(Memory::of_argument("536870912").unwrap(), Memory::of_argument("512Mi").unwrap());
        assert!(Memory::of_argument("much").unwrap_err().message.starts_with("--memory or GRISTMILL_MEMORY"));
    }

    #[rstest::rstest]
    #[case(1)]
    #[case(3)]
    fn memory_that_is_named_for_buffers_has_them(#[case] jobs: usize) {
        let shared = Memory::default().shared_by(jobs);
        let wanted = 300 << 20;
        let named = Memory::of_bytes(shared.for_buffers(wanted)).shared_by(jobs);
        assert_eq!(named.buffers(), wanted);
    }

    #[test]
    fn little_memory_leaves_some_for_buffers() {
        assert_eq!(Memory::of_bytes(1).buffers(), LEAST_BUFFERS);
    }
}
