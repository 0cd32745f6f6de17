//! The bucket of a key.

use proptest::prelude::*;
use rstest::rstest;

use crate::compact::{Bucket, KeyHash};

/// Zones outlive versions: a key keeps its bucket.
#[rstest]
#[case(0, 1, 0)]
#[case(u128::MAX, 1, 0)]
#[case(7, 4, 3)]
#[case(u128::from(u64::MAX), 256, 255)]
#[case(1 << 64, 256, 0)]
#[case(0xc7bd_35bc_4a65_3973_6dd1_6e1d_aa5a_4132, 10, 2)]
fn bucket_is_the_low_half_of_the_hash_modulo_their_number(
    #[case] hash: u128,
    #[case] buckets: u32,
    #[case] expected: u32,
) {
    assert_eq!(Bucket::of(KeyHash(hash), buckets), Bucket(expected));
}

proptest! {
    #[test]
    fn bucket_exists(hash: u128, buckets in 1..=256u32) {
        prop_assert!(Bucket::of(KeyHash(hash), buckets).0 < buckets);
    }
}
