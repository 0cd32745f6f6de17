//! Records by ranges of the key's hash: what does not fit into memory is spilled, and each range comes back whole.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use gristmill_core::compact::{Contenders, KeyHash, Versions};

use super::spill::{Extent, Spill, SpillError};

/// A range has about this many bytes at the most, even if there is memory for more: it is sorted in a cache then.
const USUAL_RANGE: usize = 2 << 20;

/// More ranges would make the pieces that are spilled too small.
const MOST_BITS: u32 = 12;

/// Records that have a key.
pub(super) trait Records: Default + Send + 'static {
    fn len(&self) -> usize;
    fn key(&self, index: usize) -> KeyHash;
    fn memory(&self) -> usize;
    fn copy_to(&self, index: usize, other: &mut Self);
    fn encode(&self, bytes: &mut Vec<u8>);
    fn decode(&mut self, bytes: &[u8]);
}

macro_rules! records {
    ($type:ty) => {
        impl Records for $type {
            fn len(&self) -> usize {
                <$type>::len(self)
            }
            fn key(&self, index: usize) -> KeyHash {
                <$type>::key(self, index)
            }
            fn memory(&self) -> usize {
                <$type>::memory(self)
            }
            fn copy_to(&self, index: usize, other: &mut Self) {
                <$type>::copy_to(self, index, other);
            }
            fn encode(&self, bytes: &mut Vec<u8>) {
                <$type>::encode(self, bytes);
            }
            fn decode(&mut self, bytes: &[u8]) {
                <$type>::decode(self, bytes);
            }
        }
    };
}
records!(Contenders);
records!(Versions);

/// Records of a whole run.
pub(super) struct Ranges<R> {
    bits: u32,
    most_memory: usize,
    spill: Arc<Spill>,
    held: Mutex<Held<R>>,
}

struct Held<R> {
    ranges: Vec<Range<R>>,
    memory: usize,
}

/// What has come of one range.
struct Range<R> {
    records: R,
    spilled: Vec<Extent>,
    /// Bytes that all of it takes in memory.
    memory: usize,
}

impl<R: Records> Ranges<R> {
    /// Ranges for about `expected` bytes of records, of which `most_memory` stay in memory, and of which a range should
    /// have no more than `range_memory`.
    pub(super) fn new(expected: usize, most_memory: usize, range_memory: usize, spill: Arc<Spill>) -> Self {
        let wanted = expected.div_ceil(range_memory.clamp(1, USUAL_RANGE)).max(1);
        let bits = wanted.next_power_of_two().trailing_zeros().min(MOST_BITS);
        let ranges = (0..1_usize << bits).map(|_| Range { records: R::default(), spilled: Vec::new(), memory: 0 });
        Self { bits, most_memory, spill, held: Mutex::new(Held { ranges: ranges.collect(), memory: 0 }) }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        1 << self.bits
    }

    /// Takes records of any ranges.
    pub(super) fn add(&self, records: &R) -> Result<(), SpillError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Held { ranges, memory } = &mut *held;
        for index in 0..records.len() {
            records.copy_to(index, &mut ranges[records.key(index).range(self.bits)].records);
        }
        *memory += records.memory();
        if *memory > self.most_memory {
            *memory = 0;
            for range in ranges {
                range.spill(&self.spill)?;
            }
        }
        Ok(())
    }

    /// Bytes that a range takes when it is taken.
    pub(super) fn memory(&self, range: usize) -> usize {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let Range { records, spilled: _, memory } = &held.ranges[range];
        memory + records.memory()
    }

    /// Takes a range out.
    pub(super) fn take(&self, range: usize) -> Result<R, SpillError> {
        let Range { mut records, spilled, memory: _ } = {
            let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
            let empty = Range { records: R::default(), spilled: Vec::new(), memory: 0 };
            mem::replace(&mut held.ranges[range], empty)
        };
        for extent in spilled {
            records.decode(&self.spill.read(extent)?);
        }
        Ok(records)
    }
}

impl<R: Records> Range<R> {
    fn spill(&mut self, spill: &Spill) -> Result<(), SpillError> {
        if self.records.len() == 0 {
            return Ok(());
        }
        let records = mem::take(&mut self.records);
        let mut bytes = Vec::new();
        records.encode(&mut bytes);
        self.spilled.push(spill.append(&bytes)?);
        self.memory += records.memory();
        Ok(())
    }
}
