//! Names of directories.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Date32Array, Float64Array, Int32Array, TimestampMicrosecondArray};
use arrow::datatypes::Date32Type;
use chrono::{DateTime, NaiveDate, Utc};
use proptest::prelude::*;
use rstest::rstest;

use crate::compact::{DirectoryError, directory, partition_value};
use crate::log::{PartitionField, PartitionTransform, PartitionValue, TypedValue, ZonePath};

fn of(column: &str, value: TypedValue) -> PartitionValue {
    PartitionValue { column: column.to_owned(), value }
}

fn text(value: &str) -> TypedValue {
    TypedValue::String(Some(value.to_owned()))
}

#[rstest]
#[case(TypedValue::Int32(Some(-5)), "c=-5")]
#[case(TypedValue::Int64(Some(i64::MAX)), "c=9223372036854775807")]
#[case(TypedValue::Boolean(Some(true)), "c=true")]
#[case(TypedValue::Date(NaiveDate::from_ymd_opt(2026, 1, 2)), "c=2026-01-02")]
#[case(TypedValue::Int32(None), "c=__HIVE_DEFAULT_PARTITION__")]
#[case(TypedValue::String(None), "c=__HIVE_DEFAULT_PARTITION__")]
#[case(text(""), "c=__HIVE_DEFAULT_PARTITION__")]
#[case(text("__HIVE_DEFAULT_PARTITION__"), "c=%5F_HIVE_DEFAULT_PARTITION__")]
#[case(text("a/b: 50%?"), "c=a%2Fb%3A 50%25%3F")]
#[case(text("\0\n\u{7f}"), "c=%00%0A%7F")]
#[case(text(".."), "c=..")]
#[case(text("Grüße"), "c=Grüße")]
fn value_names_its_directory_as_hive_does(#[case] value: TypedValue, #[case] expected: &str) {
    assert_eq!(directory(&[of("c", value)]).as_deref(), Ok(expected));
}

fn field(transform: PartitionTransform) -> PartitionField {
    PartitionField { column: "c".to_owned(), transform }
}

fn of_first(transform: PartitionTransform, array: &dyn Array) -> Result<String, DirectoryError> {
    partition_value(&field(transform), array, 0).and_then(|value| directory(&[value]))
}

fn timestamp(text: &str) -> TimestampMicrosecondArray {
    let time: DateTime<Utc> = text.parse().expect("a time");
    TimestampMicrosecondArray::from(vec![time.timestamp_micros()]).with_timezone("UTC")
}

#[rstest]
#[case::year(PartitionTransform::Year, "2026-11-23T05:59:59.999999Z", "c_year=2026")]
#[case::month(PartitionTransform::Month, "2026-11-23T05:59:59.999999Z", "c_month=2026-11")]
#[case::day(PartitionTransform::Day, "2026-11-23T05:59:59.999999Z", "c_day=2026-11-23")]
#[case::hour(PartitionTransform::Hour, "2026-11-23T05:59:59.999999Z", "c_hour=2026-11-23-05")]
#[case::first_of_its_year(PartitionTransform::Year, "2026-01-01T00:00:00Z", "c_year=2026")]
#[case::last_of_its_year(PartitionTransform::Year, "2025-12-31T23:59:59.999999Z", "c_year=2025")]
#[case::leap_day(PartitionTransform::Day, "2024-02-29T12:00:00Z", "c_day=2024-02-29")]
#[case::before_1970(PartitionTransform::Hour, "1969-12-31T23:59:59.999999Z", "c_hour=1969-12-31-23")]
#[case::early_year(PartitionTransform::Month, "0033-04-03T15:00:00Z", "c_month=0033-04")]
fn time_names_its_directory_in_utc(#[case] transform: PartitionTransform, #[case] time: &str, #[case] name: &str) {
    assert_eq!(of_first(transform, &timestamp(time)).as_deref(), Ok(name));
}

#[rstest]
#[case(PartitionTransform::Identity, "c=2024-02-29")]
#[case(PartitionTransform::Year, "c_year=2024")]
#[case(PartitionTransform::Month, "c_month=2024-02")]
#[case(PartitionTransform::Day, "c_day=2024-02-29")]
fn day_names_its_directory(#[case] transform: PartitionTransform, #[case] name: &str) {
    let day = Date32Type::from_naive_date(NaiveDate::from_ymd_opt(2024, 2, 29).expect("a leap year"));
    assert_eq!(of_first(transform, &Date32Array::from(vec![day])).as_deref(), Ok(name));
}

#[rstest]
#[case(PartitionTransform::Year, TypedValue::Int32(None))]
#[case(PartitionTransform::Month, TypedValue::String(None))]
#[case(PartitionTransform::Day, TypedValue::Date(None))]
#[case(PartitionTransform::Hour, TypedValue::String(None))]
fn row_without_a_time_lies_in_the_directory_of_null(
    #[case] transform: PartitionTransform,
    #[case] expected: TypedValue,
) {
    let none = TimestampMicrosecondArray::from(vec![None::<i64>]).with_timezone("UTC");
    let value = partition_value(&field(transform), &none, 0).expect("null has a directory");
    assert_eq!(value.value, expected);
    assert!(directory(&[value]).expect("a name").ends_with("=__HIVE_DEFAULT_PARTITION__"));
}

#[rstest]
#[case::time_by_value(PartitionTransform::Identity, Arc::new(timestamp("2026-11-23T05:00:00Z")) as ArrayRef)]
#[case::hour_of_a_day(PartitionTransform::Hour, Arc::new(Date32Array::from(vec![1])))]
#[case::month_of_a_number(PartitionTransform::Month, Arc::new(Int32Array::from(vec![2026])))]
#[case::number_with_a_point(PartitionTransform::Identity, Arc::new(Float64Array::from(vec![1.0])))]
fn type_without_directories_is_refused(#[case] transform: PartitionTransform, #[case] array: ArrayRef) {
    let error = of_first(transform, &array).expect_err("no directories");
    assert!(matches!(error, DirectoryError::Type { .. }), "{error}");
}

/// Null would be another value.
#[rstest]
#[case(PartitionTransform::Identity)]
#[case(PartitionTransform::Year)]
fn day_outside_the_calendar_is_refused(#[case] transform: PartitionTransform) {
    let error = of_first(transform, &Date32Array::from(vec![i32::MAX])).expect_err("no calendar has it");
    assert_eq!(
        error.to_string(),
        r#"column "c" has a value 2147483647 days from 1970, which no calendar has; reject such values by min and max of the column"#
    );
}

#[test]
fn levels_are_in_the_order_of_the_columns() {
    let values = [of("year", TypedValue::Int32(Some(2020))), of("kind", text("a"))];
    assert_eq!(directory(&values).as_deref(), Ok("year=2020/kind=a"));
}

#[test]
fn value_too_long_for_a_name_is_refused_with_column_and_act() {
    let error = directory(&[of("title", text(&"/".repeat(100)))]).expect_err("306 bytes are no name");
    assert!(matches!(error, DirectoryError::TooLong { bytes: 306, .. }), "{error}");
    assert!(error.to_string().contains(r#"column "title" has a value of 100 characters"#), "{error}");
    assert!(error.to_string().contains("reject such values by a pattern"), "{error}");
}

/// What a reader does with a name.
fn decoded(name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let [first, tail @ ..] = rest {
        if let (b'%', [high, low, tail @ ..]) = (first, tail) {
            let digit = |byte: u8| char::from(byte).to_digit(16).expect("only % is followed by anything but digits");
            bytes.push(u8::try_from(digit(*high) * 16 + digit(*low)).expect("two digits"));
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).expect("characters are escaped whole")
}

proptest! {
    #[test]
    fn finer_directories_lie_within_coarser_ones(micros in -62_135_596_800_000_000i64..253_402_300_800_000_000) {
        let array = TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC");
        let name = |transform| {
            let name = of_first(transform, &array).expect("years 1 to 9999 have names");
            name.split_once('=').expect("column and value").1.to_owned()
        };
        let [year, month, day, hour] = [
            PartitionTransform::Year,
            PartitionTransform::Month,
            PartitionTransform::Day,
            PartitionTransform::Hour,
        ]
        .map(name);
        let year = format!("{year:0>4}");
        prop_assert!(year == month[..4] && month == day[..7] && day == hour[..10]);
    }

    #[test]
    fn value_comes_back_from_its_name(value in "\\PC{1,40}|[\u{0}-\u{7f}]{1,40}") {
        let path = directory(&[of("c", text(&value))]).expect("40 characters are short");
        let name = path.strip_prefix("c=").expect("the column stands first");
        prop_assert_eq!(decoded(name), value);
        prop_assert!(!name.contains(['/', ':', '*', '?', '\0']));
        prop_assert!(path.parse::<ZonePath>().is_ok());
    }
}
