//! How the memory of a run is shared out, before it begins to work.
//!
//! A pass gives way to the next one, so that the shares of one pass together are what is needed at a time.

use gristmill_crds::Quantity;
use gristmill_crds::scalar::InvalidScalar;

/// Memory of a run on a laptop, and of a pod whose resource says nothing.
const DEFAULT_MEMORY: u64 = 256 << 20;
/// What the process needs beside its buffers: code, the store's client, the runtime, the folds of both logs.
const BASE: u64 = 96 << 20;
/// Below this share of everything no row group of a usual file can be read.
const LEAST: u64 = 32 << 20;

/// The shares as parts of the whole.
const PART_OF_KEYS: usize = 6;
const PART_OF_READING: usize = 5;
const PART_OF_SORTING: usize = 4;

/// The shares, in bytes.
///
/// Pass 1 holds `keys`, `filter` and `reading`, then `keys`, `filter` and `settling`; pass 2 holds `sorting` and `reading`,
/// then `sorting` and `writing`. Each of these is at most half of what there is: buffers grow to twice what is in them, and
/// allocators keep some of what they were given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Rows that take part, before they are spilled.
    pub keys: usize,
    /// What tells whether the zone's rows take part.
    pub filter: usize,
    /// Row groups as they are fetched, of all files that are read at a time.
    pub reading: usize,
    /// Rows that take part and are settled now.
    pub settling: usize,
    /// Rows that are written, before they are spilled; then what is merged of them.
    pub sorting: usize,
    /// Row groups in progress, of all files that are written at a time.
    pub writing: usize,
}

impl Budget {
    /// Shares out the memory of a process.
    pub fn of_memory(memory: u64) -> Self {
        let total = usize::try_from(memory.saturating_sub(BASE).max(LEAST)).unwrap_or(usize::MAX);
        Self {
            keys: total / PART_OF_KEYS,
            filter: total / 12,
            reading: total / PART_OF_READING,
            settling: total / PART_OF_KEYS,
            sorting: total / PART_OF_SORTING,
            writing: total / PART_OF_SORTING,
        }
    }

    /// The memory of a process with which a share that is one of so many parts has so many bytes.
    fn memory_for(bytes: usize, part: usize) -> u64 {
        BASE + (bytes as u64).saturating_mul(part as u64)
    }

    /// Memory with which `bytes` could be read at a time.
    pub(super) fn to_read(bytes: usize) -> u64 {
        Self::memory_for(bytes, PART_OF_READING)
    }

    /// Memory with which `bytes` could be settled at a time.
    pub(super) fn to_settle(bytes: usize) -> u64 {
        Self::memory_for(bytes, PART_OF_KEYS)
    }

    /// Memory with which `bytes` could be merged at a time.
    pub(super) fn to_merge(bytes: usize) -> u64 {
        Self::memory_for(bytes, PART_OF_SORTING)
    }

    /// Shares out what `GRISTMILL_MEMORY` says, bytes or a quantity such as 256Mi; 256Mi if it is not set.
    ///
    /// # Errors
    /// It is no size.
    pub fn of_variable(value: Option<&str>) -> Result<Self, InvalidScalar> {
        let memory = value.map_or(Ok(DEFAULT_MEMORY), |text| Quantity(text.to_owned()).to_bytes())?;
        Ok(Self::of_memory(memory))
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::of_memory(DEFAULT_MEMORY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(128 << 20)]
    #[case(256 << 20)]
    #[case(8 << 30)]
    fn shares_of_a_pass_fit_into_the_memory_beside_the_process(#[case] memory: u64) {
        let Budget { keys, filter, reading, settling, sorting, writing } = Budget::of_memory(memory);
        let total = usize::try_from(memory - BASE).unwrap();
        for pass in [keys + filter + reading, keys + settling + filter, sorting + reading, sorting + writing] {
            assert!(pass <= total / 2, "{pass} of {total}");
        }
    }

    #[test]
    fn number_that_a_refusal_names_is_enough() {
        for bytes in [1, 40 << 20, (1 << 30) + 7] {
            assert!(Budget::of_memory(Budget::to_read(bytes)).reading >= bytes.min(LEAST as usize / 5));
            assert!(Budget::of_memory(Budget::to_read(bytes) + 64).reading >= bytes);
            assert!(Budget::of_memory(Budget::to_merge(bytes) + 64).sorting >= bytes);
        }
    }

    #[test]
    fn variable_is_read_as_bytes_or_quantity() {
        assert_eq!(Budget::of_variable(Some("536870912")).unwrap(), Budget::of_variable(Some("512Mi")).unwrap());
        assert_eq!(Budget::of_variable(None).unwrap(), Budget::of_memory(256 << 20));
        assert!(Budget::of_variable(Some("much")).is_err());
    }
}
