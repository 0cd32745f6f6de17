//! The keys of the delta, to tell which rows of the zone take part.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use gristmill_core::compact::KeyHash;

/// Bits of a block that a key sets.
const BITS_OF_A_KEY: usize = 8;
/// Words of a block: what a key sets lies in one line of the cache.
const BLOCK: usize = 8;
/// More bits a key tell nothing more.
const MOST_BITS_A_KEY: usize = 32;

/// Keys, some of them taken for known in vain if there is too little memory to hold all.
///
/// Almost every row of the zone is asked for, and almost none is known: a bloom filter answers first, a list of all keys
/// after it where there is room for one.
pub(super) struct KnownKeys {
    words: Vec<AtomicU64>,
    /// All keys, in order once they are complete.
    list: Option<Mutex<Vec<KeyHash>>>,
}

impl KnownKeys {
    /// Room for so many keys, in so much memory.
    pub(super) fn new(keys: usize, memory: usize) -> Self {
        let list_bytes = keys.saturating_mul(size_of::<KeyHash>());
        let (list, memory) =
            if list_bytes <= memory / 2 { (Some(Mutex::default()), memory - list_bytes) } else { (None, memory) };
        let wanted = keys.saturating_mul(MOST_BITS_A_KEY).div_ceil(64);
        let blocks = wanted.min(memory / 8).div_ceil(BLOCK).max(1);
        Self { words: (0..blocks * BLOCK).map(|_| AtomicU64::new(0)).collect(), list }
    }

    /// Adds keys; from several threads, if need be.
    pub(super) fn add(&self, keys: impl Iterator<Item = KeyHash> + Clone) {
        for key in keys.clone() {
            let block = self.block(key);
            for (word, bit) in places(key) {
                block[word].fetch_or(bit, Ordering::Relaxed);
            }
        }
        if let Some(list) = &self.list {
            list.lock().unwrap_or_else(PoisonError::into_inner).extend(keys);
        }
    }

    /// Says that all keys are there.
    pub(super) fn complete(self) -> CompleteKeys {
        let list = self.list.map(|list| {
            let mut list = list.into_inner().unwrap_or_else(PoisonError::into_inner);
            list.sort_unstable();
            list
        });
        CompleteKeys { words: self.words.into_iter().map(AtomicU64::into_inner).collect(), list }
    }

    fn block(&self, key: KeyHash) -> &[AtomicU64] {
        let start = block_of(key, self.words.len());
        &self.words[start..start + BLOCK]
    }
}

/// All keys of the delta.
pub(super) struct CompleteKeys {
    words: Vec<u64>,
    list: Option<Vec<KeyHash>>,
}

impl CompleteKeys {
    /// Whether the delta may have a key; never no if it has.
    pub(super) fn may_have(&self, key: KeyHash) -> bool {
        let start = block_of(key, self.words.len());
        let block = &self.words[start..start + BLOCK];
        places(key).all(|(word, bit)| block[word] & bit != 0)
            && self.list.as_ref().is_none_or(|list| list.binary_search(&key).is_ok())
    }
}

/// The first word of the block of a key. The hash's upper half says which, its lower half which bits.
fn block_of(key: KeyHash, words: usize) -> usize {
    let upper = (key.0 >> 64) as u64;
    let blocks = (words / BLOCK) as u128;
    usize::try_from((u128::from(upper) * blocks) >> 64).expect("it is less than the blocks") * BLOCK
}

/// Words of a block and the bit that a key sets in each: 3 bits of the hash say which word, 6 which bit of it.
fn places(key: KeyHash) -> impl Iterator<Item = (usize, u64)> {
    let lower = key.0 as u64;
    // The hash has 64 bits here, and 8 places of 9 bits need 72; a multiplication makes more of them.
    let spread = [lower, lower.wrapping_mul(0x9E37_79B9_7F4A_7C15)];
    (0..BITS_OF_A_KEY).map(move |place| {
        let bits = spread[place / 4] >> (28 + 9 * (place % 4));
        (usize::try_from(bits & 7).expect("3 bits"), 1 << ((bits >> 3) & 63))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without a pattern, as hashes are.
    fn keys(first: u64, count: u64) -> impl Iterator<Item = KeyHash> + Clone {
        let mix = |number: u64| {
            let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB)
        };
        (first..first + count).map(move |number| KeyHash((u128::from(mix(number)) << 64) | u128::from(mix(!number))))
    }

    fn known(count: u64, memory: usize) -> CompleteKeys {
        let known = KnownKeys::new(usize::try_from(count).unwrap(), memory);
        known.add(keys(0, count));
        known.complete()
    }

    #[rstest::rstest]
    #[case::with_a_list(1 << 20)]
    #[case::without_a_list(20_000)]
    #[case::in_hardly_any_memory(64)]
    fn key_that_is_known_is_never_missed(#[case] memory: usize) {
        let known = known(10_000, memory);
        assert!(keys(0, 10_000).all(|key| known.may_have(key)));
    }

    #[test]
    fn none_is_known_in_vain_where_all_are_held() {
        let known = known(10_000, 1 << 20);
        assert_eq!(keys(1_000_000, 100_000).filter(|key| known.may_have(*key)).count(), 0);
    }

    #[test]
    fn few_are_known_in_vain_at_16_bits_a_key() {
        let known = known(10_000, 20_000);
        assert!(known.list.is_none());
        let in_vain = keys(1_000_000, 100_000).filter(|key| known.may_have(*key)).count();
        assert!(in_vain < 500, "{in_vain} of 100,000");
    }
}
