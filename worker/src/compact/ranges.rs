//! Records by ranges of the key's hash: what does not fit into memory is spilled, and each range comes back whole.
//!
//! Records are collected in sets of some thousand; a set that is full is put in order of its ranges. So nothing in memory
//! grows but the list of sets, and the records of a range lie in one place in each of them.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gristmill_core::compact::{Contenders, KeyHash, Versions};

use super::spill::{Extent, Spill, SpillError};

/// A range has about this many bytes at the most, even if there is memory for more: it is sorted in a cache then.
const USUAL_RANGE: usize = 2 << 20;

/// More ranges would make the pieces that are spilled too small.
const MOST_BITS: u32 = 12;

/// Records of a set: enough that those of one range lie together, few enough for a cache.
const SET: usize = 16 << 10;

/// Bytes that are spilled at a time, about.
const SPILLED_AT_A_TIME: usize = 1 << 20;

/// Records that have a key.
pub(super) trait Records: Default + Send + Sync + 'static {
    fn len(&self) -> usize;
    fn key(&self, index: usize) -> KeyHash;
    fn memory(&self) -> usize;
    fn copy_to(&self, index: usize, other: &mut Self);
    /// Adds all of others.
    fn append(&mut self, other: &Self);
    /// None yet, with room for as many as these.
    fn with_room_of(other: &Self) -> Self;
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
            fn append(&mut self, other: &Self) {
                <$type>::append(self, other);
            }
            fn with_room_of(other: &Self) -> Self {
                <$type>::with_room_of(other)
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
    /// Records in no order, fewer than a set has.
    open: R,
    sets: Vec<Arc<Set<R>>>,
    memory: usize,
    spilled: Vec<Spilled>,
}

/// Records in order of their ranges.
struct Set<R> {
    records: R,
    /// Where each range ends.
    ends: Vec<u32>,
}

/// What was spilled of one range.
#[derive(Clone, Default)]
struct Spilled {
    extents: Vec<Extent>,
    /// Bytes that it takes in memory.
    memory: usize,
}

impl<R: Records> Set<R> {
    fn of(records: &R, bits: u32) -> Self {
        let mut ends = vec![0_u32; 1 << bits];
        for index in 0..records.len() {
            ends[records.key(index).range(bits)] += 1;
        }
        let mut next = Vec::with_capacity(ends.len());
        let mut end = 0;
        for count in &mut ends {
            next.push(end);
            end += *count;
            *count = end;
        }
        let mut order = vec![0_u32; records.len()];
        for index in 0..records.len() {
            let place = &mut next[records.key(index).range(bits)];
            order[*place as usize] = u32::try_from(index).expect("a set is short");
            *place += 1;
        }
        let mut ordered = R::with_room_of(records);
        for index in order {
            records.copy_to(index as usize, &mut ordered);
        }
        Self { records: ordered, ends }
    }

    /// Adds the records of a range to others.
    fn copy_range(&self, range: usize, other: &mut R) {
        let start = if range == 0 { 0 } else { self.ends[range - 1] };
        for index in start..self.ends[range] {
            self.records.copy_to(index as usize, other);
        }
    }

    fn memory(&self) -> usize {
        self.records.memory() + self.ends.len() * size_of::<u32>()
    }
}

impl<R: Records> Ranges<R> {
    /// Ranges for about `expected` bytes of records, of which `most_memory` stay in memory, and of which a range should
    /// have no more than `range_memory`.
    pub(super) fn new(expected: usize, most_memory: usize, range_memory: usize, spill: Arc<Spill>) -> Self {
        let wanted = expected.div_ceil(range_memory.clamp(1, USUAL_RANGE)).max(1);
        let bits = wanted.next_power_of_two().trailing_zeros().min(MOST_BITS);
        let spilled = vec![Spilled::default(); 1 << bits];
        let held = Held { open: R::default(), sets: Vec::new(), memory: 0, spilled };
        Self { bits, most_memory, spill, held: Mutex::new(held) }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        1 << self.bits
    }

    /// Takes records of any ranges.
    pub(super) fn add(&self, records: &R) -> Result<(), SpillError> {
        let full = {
            let mut held = self.lock();
            held.open.append(records);
            let memory = held.open.memory();
            let is_full = held.open.len() >= SET || memory > self.most_memory;
            is_full.then(|| {
                let next = R::with_room_of(&held.open);
                mem::replace(&mut held.open, next)
            })
        };
        full.map_or(Ok(()), |full| self.add_set(&full))
    }

    fn add_set(&self, records: &R) -> Result<(), SpillError> {
        let set = Set::of(records, self.bits);
        let mut held = self.lock();
        held.memory += set.memory();
        held.sets.push(Arc::new(set));
        if held.memory > self.most_memory { self.spill(&mut held) } else { Ok(()) }
    }

    fn spill(&self, held: &mut Held<R>) -> Result<(), SpillError> {
        let sets = mem::take(&mut held.sets);
        held.memory = 0;
        let (mut bytes, mut lengths) = (Vec::new(), Vec::new());
        for range in 0..self.count() {
            let mut records = R::default();
            sets.iter().for_each(|set| set.copy_range(range, &mut records));
            if records.len() > 0 {
                let start = bytes.len();
                records.encode(&mut bytes);
                lengths.push((range, bytes.len() - start));
                held.spilled[range].memory += records.memory();
            }
            if bytes.len() >= SPILLED_AT_A_TIME || range + 1 == self.count() {
                let mut rest = self.spill.append(&bytes)?;
                for (range, length) in lengths.drain(..) {
                    held.spilled[range].extents.push(rest.split_off(length));
                }
                bytes.clear();
            }
        }
        Ok(())
    }

    /// Says that all records are there.
    pub(super) fn complete(&self) -> Result<(), SpillError> {
        let open = mem::take(&mut self.lock().open);
        if open.len() == 0 { Ok(()) } else { self.add_set(&open) }
    }

    /// Bytes that a range takes when it is taken; all records must be there.
    pub(super) fn memory(&self, range: usize) -> usize {
        let held = self.lock();
        // Of those in memory an average does: all of them together are no more than their share.
        let in_set = |set: &Arc<Set<R>>| {
            let records = set.ends[range] - if range == 0 { 0 } else { set.ends[range - 1] };
            set.records.memory() / set.records.len().max(1) * records as usize
        };
        held.spilled[range].memory + held.sets.iter().map(in_set).sum::<usize>()
    }

    /// Takes a range out; all records must be there.
    pub(super) fn take(&self, range: usize) -> Result<R, SpillError> {
        let (sets, extents) = {
            let mut held = self.lock();
            (held.sets.clone(), mem::take(&mut held.spilled[range].extents))
        };
        let mut records = R::default();
        sets.iter().for_each(|set| set.copy_range(range, &mut records));
        for extent in extents {
            records.decode(&self.spill.read(extent)?);
        }
        Ok(records)
    }

    fn lock(&self) -> MutexGuard<'_, Held<R>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
