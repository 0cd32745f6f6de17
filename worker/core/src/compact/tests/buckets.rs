//! The bucket of a key.

use proptest::prelude::*;
use rstest::rstest;

use crate::compact::{Bucket, KeyHash, Shard};

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

#[rstest]
#[case(8, 3, vec![0..2, 2..5, 5..8])]
#[case(4, 4, vec![0..1, 1..2, 2..3, 3..4])]
#[case(256, 1, vec![0..256])]
fn shards_are_even_parts_in_order(
    #[case] buckets: u32,
    #[case] count: u32,
    #[case] expected: Vec<std::ops::Range<u32>>,
) {
    let shard = |index| format!("{index}/{count}").parse::<Shard>().expect("a shard").buckets(buckets);
    assert_eq!((0..count).map(shard).collect::<Result<Vec<_>, _>>(), Ok(expected));
}

#[rstest]
#[case("3/3")]
#[case("0/0")]
#[case("-1/3")]
#[case("1")]
#[case("/3")]
#[case("1/")]
fn what_is_no_shard_is_refused_with_what_one_looks_like(#[case] text: &str) {
    let error = text.parse::<Shard>().expect_err("it is none").to_string();
    assert!(error.contains(&format!("{text:?}")) && error.contains("INDEX/COUNT"), "{error}");
}

proptest! {
    #[test]
    fn bucket_exists(hash: u128, buckets in 1..=256u32) {
        prop_assert!(Bucket::of(KeyHash(hash), buckets).0 < buckets);
    }

    #[test]
    fn every_bucket_is_in_one_shard_and_no_shard_is_empty(buckets in 1..=256u32, count in 1..=256u32) {
        let shard = |index| format!("{index}/{count}").parse::<Shard>().expect("a shard").buckets(buckets);
        let shards: Result<Vec<_>, _> = (0..count).map(shard).collect();
        prop_assert_eq!(shards.is_ok(), count <= buckets);
        let shards = shards.unwrap_or_default();
        let sizes: Vec<u32> = shards.iter().map(|shard| shard.end - shard.start).collect();
        if let (Some(least), Some(most)) = (sizes.iter().min(), sizes.iter().max()) {
            prop_assert!(*least > 0 && most - least <= 1);
            prop_assert_eq!(shards.into_iter().flatten().collect::<Vec<_>>(), (0..buckets).collect::<Vec<_>>());
        }
    }
}
