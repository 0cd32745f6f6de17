//! Records by ranges of the key's hash: what does not fit into memory is spilled, and each range comes back whole.
//!
//! Records are collected in sets of some thousand; a set that is full is put in order of its ranges. Many that come together
//! are a set of their own. So nothing in memory grows but the list of sets, and the records of a range lie in one place in
//! each of them.

use std::mem;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gristmill_core::compact::{Contenders, KeyHash, Versions};

use super::spill::{Extent, Spill, SpillError};

/// A range has about this many bytes at the most, even if there is memory for more: it is sorted in a cache then.
const USUAL_RANGE: usize = 2 << 20;

/// More ranges would make the pieces that are spilled too small.
const MOST_BITS: u32 = 12;

/// Records of a set: enough that those of one range lie together, few enough for a cache.
const SET: usize = 16 << 10;

/// So many that come together are not copied to others first: most of a batch of a file.
const SET_OF_ITS_OWN: usize = SET / 4;

/// Bytes that are spilled at a time, about.
const SPILLED_AT_A_TIME: usize = 1 << 20;

/// Records that have a key.
pub(super) trait Records: Default + Send + Sync + 'static {
    fn len(&self) -> usize;
    fn key(&self, index: usize) -> KeyHash;
    fn memory(&self) -> usize;
    fn copy_to(&self, index: usize, other: &mut Self);
    /// Adds some of others, one behind the other.
    fn append(&mut self, other: &Self, range: Range<usize>);
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
            fn append(&mut self, other: &Self, range: Range<usize>) {
                <$type>::append(self, other, range);
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

    /// Where the records of a range lie.
    fn range(&self, range: usize) -> Range<usize> {
        let start = if range == 0 { 0 } else { self.ends[range - 1] };
        start as usize..self.ends[range] as usize
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
        if records.len() >= SET_OF_ITS_OWN {
            return self.add_set(records);
        }
        let full = {
            let mut held = self.lock();
            held.open.append(records, 0..records.len());
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
            sets.iter().for_each(|set| records.append(&set.records, set.range(range)));
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
        let in_set = |set: &Arc<Set<R>>| set.records.memory() / set.records.len().max(1) * set.range(range).len();
        held.spilled[range].memory + held.sets.iter().map(in_set).sum::<usize>()
    }

    /// Takes a range out; all records must be there.
    pub(super) fn take(&self, range: usize) -> Result<R, SpillError> {
        let (sets, extents) = {
            let mut held = self.lock();
            (held.sets.clone(), mem::take(&mut held.spilled[range].extents))
        };
        let mut records = R::default();
        sets.iter().for_each(|set| records.append(&set.records, set.range(range)));
        for extent in extents {
            records.decode(&self.spill.read(extent)?);
        }
        Ok(records)
    }

    fn lock(&self) -> MutexGuard<'_, Held<R>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int32Array, RecordBatch};
    use gristmill_core::compact::{RowAddress, RowDigests, Side};

    use super::*;

    /// So many records from a number on, of keys in all ranges.
    fn records(first: u32, count: usize) -> Versions {
        let content: ArrayRef = Arc::new(Int32Array::from(vec![7]));
        let content = RecordBatch::try_from_iter([("content", content)]).unwrap();
        let digest = RowDigests::try_new(&content.schema()).unwrap().of(&content).unwrap()[0];
        let mut records = Versions::default();
        for row in (first..).take(count) {
            records.push(key(row), Side::Delta, RowAddress { file: 0, row }, digest);
        }
        records
    }

    fn key(row: u32) -> KeyHash {
        KeyHash(u128::from(row).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835))
    }

    /// Whether some are in memory, and some spilled, when all are there.
    #[rstest::rstest]
    #[case(usize::MAX, (true, false))]
    #[case(3 << 19, (true, true))]
    #[case(1, (false, true))]
    fn every_record_comes_back_in_its_range(#[case] memory: usize, #[case] places: (bool, bool)) {
        let directory = tempfile::tempdir().unwrap();
        let ranges = Ranges::new(16 << 20, memory, 1 << 20, Arc::new(Spill::new(directory.path())));
        assert!(ranges.count() > 1);
        // Few, which are collected, and so many that they are a set of their own.
        let mut all = 0;
        let few = SET_OF_ITS_OWN - 1;
        for count in [1, SET_OF_ITS_OWN, 3, 2 * SET, few, few, few, few, few, 100] {
            ranges.add(&records(all, count)).unwrap();
            all += u32::try_from(count).unwrap();
        }
        ranges.complete().unwrap();
        let is_spilled = |spilled: &Spilled| !spilled.extents.is_empty();
        let found = {
            let held = ranges.lock();
            (!held.sets.is_empty(), held.spilled.iter().any(is_spilled))
        };
        assert_eq!(found, places);
        let mut keys = Vec::new();
        for range in 0..ranges.count() {
            let records = ranges.take(range).unwrap();
            let of_range: Vec<KeyHash> = (0..records.len()).map(|index| records.key(index)).collect();
            assert!(of_range.iter().all(|key| key.range(ranges.bits) == range));
            keys.extend(of_range);
        }
        let mut expected: Vec<KeyHash> = (0..all).map(key).collect();
        keys.sort_unstable();
        expected.sort_unstable();
        assert!(keys == expected, "{} of {all} records", keys.len());
    }
}
