//! The identity of rows.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use rstest::rstest;

use super::rows::{batch, contenders, read, row, zone};
use crate::compact::{ContenderReader, KeyHash, KeyHasher, NullKeys, Side, Topics};

/// The hash of one value with the coordinates of the usual row.
fn hash(columns: &[(&str, ArrayRef)]) -> KeyHash {
    let usual = batch(&[row("unused")]);
    let schema = usual.schema();
    let coordinates =
        schema.fields().iter().skip(2).map(|field| {
            (field.name().clone(), Arc::clone(usual.column_by_name(field.name()).expect("it is its own")))
        });
    let keys = columns.iter().map(|(name, column)| ((*name).to_owned(), Arc::clone(column)));
    let batch =
        RecordBatch::try_from_iter_with_nullable(keys.chain(coordinates).map(|(name, array)| (name, array, true)));
    let batch = batch.expect("one row each");
    let key: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    let key: Vec<&str> = key.iter().map(String::as_str).collect();
    read(&batch, &key, &[], Side::Delta, &Topics::default()).key(0)
}

fn text(value: Option<&str>) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

/// Files name no hash, but a bucket of later versions is made from it, and zones outlive versions.
#[rstest]
#[case::string(text(Some("a-1")), GOLDEN[0])]
#[case::empty_string(text(Some("")), GOLDEN[1])]
#[case::int32(Arc::new(Int32Array::from(vec![-7])) as ArrayRef, GOLDEN[2])]
#[case::int64(Arc::new(Int64Array::from(vec![-7])) as ArrayRef, GOLDEN[2])]
#[case::date(Arc::new(Date32Array::from(vec![-7])) as ArrayRef, GOLDEN[2])]
#[case::timestamp(Arc::new(TimestampMicrosecondArray::from(vec![-7]).with_timezone("UTC")) as ArrayRef, GOLDEN[2])]
#[case::decimal(Arc::new(decimal(-7)) as ArrayRef, GOLDEN[5])]
#[case::boolean(Arc::new(BooleanArray::from(vec![true])) as ArrayRef, GOLDEN[3])]
#[case::null(text(None), GOLDEN[4])]
fn key_hash_is_what_it_was_in_every_version(#[case] value: ArrayRef, #[case] expected: u128) {
    assert_eq!(format!("{:#034x}", hash(&[("key", value)]).0), format!("{expected:#034x}"));
}

fn decimal(units: i128) -> Decimal128Array {
    Decimal128Array::from(vec![units]).with_precision_and_scale(10, 2).expect("few digits")
}

/// Computed by another implementation, over bytes put together by hand.
const GOLDEN: [u128; 6] = [
    0xc7bd35bc_4a653973_6dd16e1d_aa5a4132,
    0x7b18dba2_4d6ccec1_dc903647_a40baf79,
    0xce5972f3_f8ff0aa1_b57fffe7_d1f073a4,
    0x1b19fe7d_21df65b9_5bc414fc_5624af10,
    0x15371ced_60e7d39f_f3967c73_87edcbbb,
    0x2dd91478_f7afd6d4_987548bb_7ce972c7,
];

#[test]
fn columns_of_a_key_do_not_run_into_each_other() {
    let split = |first, second| hash(&[("first", text(Some(first))), ("second", text(Some(second)))]);
    assert_ne!(split("ab", "c"), split("a", "bc"));
    assert_ne!(split("", "a"), split("a", ""));
}

#[test]
fn rows_with_a_null_in_their_key_are_told_apart_by_their_source() {
    let nameless = |partition, offset| super::rows::Row { id: None, ..row("") }.in_partition(partition).at(offset);
    let rows =
        contenders(&[nameless(0, 1), nameless(0, 2), nameless(1, 1), nameless(0, 1)], Side::Delta, &Topics::default());
    assert_ne!(rows.key(0), rows.key(1));
    assert_ne!(rows.key(0), rows.key(2));
    assert_eq!(rows.key(0), rows.key(3));
}

#[test]
fn key_that_spells_out_a_source_is_not_that_source() {
    let source = super::rows::Row { id: None, ..row("") };
    let spelled = hash(&[
        ("topic", text(Some("topic-id"))),
        ("partition", Arc::new(Int64Array::from(vec![0]))),
        ("offset", Arc::new(Int64Array::from(vec![0]))),
        ("index", Arc::new(Int64Array::from(vec![0]))),
    ]);
    assert_ne!(contenders(&[source], Side::Delta, &Topics::default()).key(0), spelled);
}

#[test]
fn another_zone_hashes_the_same_key_to_something_else() {
    let batch = batch(&[row("a")]);
    let key = ["id".to_owned()];
    let of = |zone: &str| {
        let hasher = KeyHasher::new(zone.parse().expect("that is a UUID"));
        let reader = ContenderReader::try_new(hasher, &key, &[], &batch.schema()).expect("columns");
        reader.hashes(&batch).expect("columns")[0]
    };
    assert_ne!(of("00010203-0405-4607-8809-0a0b0c0d0e0f"), of("00010203-0405-4607-8809-0a0b0c0d0e00"));
}

#[test]
fn float_can_not_be_a_key() {
    let batch = batch(&[row("a")]);
    let reader =
        ContenderReader::try_new(KeyHasher::new(zone()), &["score".to_owned()], &[], &batch.schema()).expect("columns");
    let error = reader.hashes(&batch).expect_err("a Float64 is no key");
    assert_eq!(error.to_string(), r#"column "score" is a Float64, which can't be a key"#);
}

#[test]
fn key_columns_alone_tell_whether_a_key_may_be_known() {
    let batch = batch(&[row("a"), row("b")]);
    let reader =
        ContenderReader::try_new(KeyHasher::new(zone()), &["id".to_owned()], &[], &batch.schema()).expect("columns");
    let known = reader.hashes(&batch).expect("columns")[1];
    let any = |rows: &RecordBatch, nulls| reader.any_known(rows, |key| key == known, nulls).expect("columns");
    assert!(any(&batch, NullKeys::AreNotKnown));
    assert!(!any(&batch.slice(0, 1), NullKeys::MayBeKnown));
    let nameless = super::rows::batch(&[super::rows::Row { id: None, ..row("") }]);
    assert!(any(&nameless, NullKeys::MayBeKnown));
    assert!(!any(&nameless, NullKeys::AreNotKnown));
}
