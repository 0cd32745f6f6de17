//! Names of directories.

use chrono::NaiveDate;
use proptest::prelude::*;
use rstest::rstest;

use crate::compact::{DirectoryError, directory};
use crate::log::{PartitionValue, TypedValue, ZonePath};

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
    fn value_comes_back_from_its_name(value in "\\PC{1,40}|[\u{0}-\u{7f}]{1,40}") {
        let path = directory(&[of("c", text(&value))]).expect("40 characters are short");
        let name = path.strip_prefix("c=").expect("the column stands first");
        prop_assert_eq!(decoded(name), value);
        prop_assert!(!name.contains(['/', ':', '*', '?', '\0']));
        prop_assert!(path.parse::<ZonePath>().is_ok());
    }
}
