//! How the memory of a run is shared out, before it begins to work.
//!
//! A pass gives way to the next one, so that the shares of one pass together are what is needed at a time.

use super::gate::Gate;
use crate::memory::Memory;

/// The shares as parts of the whole.
const PART_OF_KEYS: usize = 6;
const PART_OF_READING: usize = 6;
const PART_OF_SORTING: usize = 5;
/// A row group that is larger than the share of reading is read alone, up to this part: the other shares of a pass have
/// no more than half.
const PART_OF_ONE_GROUP: usize = 3;

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
    /// The largest row group that can be read.
    pub row_group: usize,
    /// Rows that take part and are settled now.
    pub settling: usize,
    /// Rows that are written, before they are spilled; then what is merged of them.
    pub sorting: usize,
    /// Row groups in progress, of all files that are written at a time.
    pub writing: usize,
    /// What the shares are of.
    pub process: Memory,
}

impl Budget {
    /// Shares out the memory of a process.
    pub fn of(process: Memory) -> Self {
        let total = usize::try_from(process.buffers()).unwrap_or(usize::MAX);
        Self {
            keys: total / PART_OF_KEYS,
            filter: total / 12,
            reading: total / PART_OF_READING,
            row_group: total / PART_OF_ONE_GROUP,
            settling: total / PART_OF_KEYS,
            sorting: total / PART_OF_SORTING,
            writing: total / PART_OF_SORTING,
            process,
        }
    }

    /// Lets row groups in that are read.
    pub(super) fn gate_of_reading(&self) -> Gate {
        Gate::new(self.reading, self.to_read()).alone_up_to(self.row_group)
    }

    /// What the process needs to read a row group.
    fn to_read(self) -> Need {
        Need { part: PART_OF_ONE_GROUP, process: self.process }
    }

    /// What the process needs to settle so much at a time.
    pub(super) fn to_settle(self) -> Need {
        Need { part: PART_OF_KEYS, process: self.process }
    }

    /// What the process needs to merge so much at a time.
    pub(super) fn to_merge(self) -> Need {
        Need { part: PART_OF_SORTING, process: self.process }
    }
}

/// The memory that a process needs, by what one share must hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    part: usize,
    process: Memory,
}

impl Need {
    /// The memory of a process whose share has so many bytes.
    pub(super) fn of(self, bytes: usize) -> u64 {
        self.process.for_buffers((bytes as u64).saturating_mul(self.part as u64))
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(Memory::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest;

    #[rstest::rstest]
    #[case(128 << 20)]
    #[case(256 << 20)]
    #[case(8 << 30)]
    fn shares_of_a_pass_fit_into_the_memory_beside_the_process(#[case] memory: u64) {
        let process = Memory::of_bytes(memory);
        let Budget { keys, filter, reading, row_group, settling, sorting, writing, process: _ } = Budget::of(process);
        let total = usize::try_from(process.buffers()).unwrap();
        for pass in [keys + filter + reading, keys + settling + filter, sorting + reading, sorting + writing] {
            assert!(pass <= total / 2, "{pass} of {total}");
        }
        assert!(keys + filter + row_group <= total / 4 * 3 && sorting + row_group <= total / 4 * 3);
    }

    #[rstest::rstest]
    #[case(128 << 20)]
    #[case(256 << 20)]
    #[case(8 << 30)]
    fn every_row_group_of_an_ingest_can_be_read_with_its_memory(#[case] memory: u64) {
        let process = Memory::of_bytes(memory);
        let ingest::Budget { row_group, decoded, .. } = ingest::Budget::of(process);
        // It is complete when its encoders have so many bytes, which is seen after what was decoded has gone in.
        assert!(row_group + decoded <= Budget::of(process).row_group as u64);
    }

    #[rstest::rstest]
    #[case::alone(1)]
    #[case::beside_two_others(3)]
    fn number_that_a_refusal_names_is_enough(#[case] jobs: usize) {
        let process = Memory::default().shared_by(jobs);
        let named = |need: Need, bytes| Budget::of(Memory::of_bytes(need.of(bytes)).shared_by(jobs));
        for bytes in [40 << 20, (1 << 30) + 7] {
            let budget = Budget::of(process);
            assert!(named(budget.to_read(), bytes).row_group >= bytes);
            assert!(named(budget.to_settle(), bytes).settling >= bytes);
            assert!(named(budget.to_merge(), bytes).sorting >= bytes);
        }
    }
}
