//! Text into values: lexical forms, the order of the rules, and what refuses a value.

use rstest::rstest;
use serde_json::{Value, json};

use crate::{decode, plan};

/// The value of a column for a text, or the reason of its reject.
fn value(mut column: Value, text: &str) -> String {
    column["name"] = json!("c");
    column["path"] = json!("@v");
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;");
    let escaped = escaped.replace('\t', "&#9;").replace('\n', "&#10;").replace('\r', "&#13;");
    let decoded = decode(&plan("/r", json!([column])), format!("<r v='{escaped}'/>"));
    match decoded.rejects().first() {
        None => decoded.row().remove(0),
        Some(reject) => reject.reason.clone(),
    }
}

#[rstest]
#[case("0", "0")]
#[case("-1", "-1")]
#[case("+7", "7")]
#[case("007", "7")]
#[case("-0", "0")]
#[case(" 42\t", "42")]
#[case("", "null")]
#[case("  ", "null")]
#[case("2147483647", "2147483647")]
#[case("-2147483648", "-2147483648")]
#[case("2147483648", "InvalidType")]
#[case("1.0", "InvalidType")]
#[case("1e3", "InvalidType")]
#[case("0x10", "InvalidType")]
#[case("1 000", "InvalidType")]
#[case("+", "InvalidType")]
#[case("--1", "InvalidType")]
#[case("٣", "InvalidType")]
#[case("\u{A0}1", "InvalidType")]
fn int32(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(value(json!({"type": "Int32"}), text), expected);
}

#[rstest]
#[case("2147483648", "2147483648")]
#[case("9223372036854775807", "9223372036854775807")]
#[case("-9223372036854775808", "-9223372036854775808")]
#[case("9223372036854775808", "InvalidType")]
fn int64(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(value(json!({"type": "Int64"}), text), expected);
}

#[rstest]
#[case("1", "1.0")]
#[case("-1.50", "-1.5")]
#[case("+.5", "0.5")]
#[case("5.", "5.0")]
#[case("1e3", "1000.0")]
#[case("1E-2", "0.01")]
#[case("INF", "inf")]
#[case("-INF", "-inf")]
#[case("NaN", "NaN")]
#[case("", "null")]
#[case("inf", "InvalidType")]
#[case("infinity", "InvalidType")]
#[case("nan", "InvalidType")]
#[case("+INF", "InvalidType")]
#[case("-NaN", "InvalidType")]
#[case("1e999", "InvalidType")]
#[case("1,5", "InvalidType")]
#[case(".", "InvalidType")]
#[case("e5", "InvalidType")]
#[case("1e", "InvalidType")]
#[case("1_000", "InvalidType")]
#[case("0x1p3", "InvalidType")]
fn float64(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(value(json!({"type": "Float64"}), text), expected);
}

#[rstest]
#[case("true", "true")]
#[case("1", "true")]
#[case("false", "false")]
#[case("0", "false")]
#[case("", "null")]
#[case("True", "InvalidType")]
#[case("yes", "InvalidType")]
#[case("2", "InvalidType")]
fn boolean(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(value(json!({"type": "Boolean"}), text), expected);
}

#[rstest]
#[case("2026-11-23", "2026-11-23")]
#[case("1969-12-31", "1969-12-31")]
#[case("2024-02-29", "2024-02-29")]
#[case("0001-01-01", "0001-01-01")]
#[case("9999-12-31", "9999-12-31")]
#[case("", "null")]
#[case("2025-02-29", "InvalidType")]
#[case("2026-13-01", "InvalidType")]
#[case("2026-1-1", "InvalidType")]
#[case("26-01-01", "InvalidType")]
#[case("+2026-01-01", "InvalidType")]
#[case("0000-01-01", "InvalidType")]
#[case("2026-01-01Z", "InvalidType")]
#[case("2026/01/01", "InvalidType")]
#[case("2026-01-0１", "InvalidType")]
fn date(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(value(json!({"type": "Date"}), text), expected);
}

#[rstest]
#[case::trimmed(json!({}), " a b\n", "a b")]
#[case::not_trimmed(json!({"trim": false}), " a ", " a ")]
#[case::only_xml_white_space(json!({}), "\u{A0}a", "\u{A0}a")]
#[case::empty_stays(json!({}), "", "")]
#[case::null_if_empty(json!({"nullIf": [""]}), " ", "null")]
#[case::null_if_after_trim(json!({"nullIf": ["N/A"]}), " N/A ", "null")]
#[case::null_if_without_trim(json!({"nullIf": ["N/A"], "trim": false}), " N/A", " N/A")]
#[case::null_if_before_type(json!({"nullIf": ["-"], "type": "Int32"}), "-", "null")]
#[case::no_trim_no_number(json!({"trim": false, "type": "Int32"}), " 1", "InvalidType")]
#[case::required_empty_text(json!({"required": true}), "", "")]
#[case::required_null(json!({"required": true, "nullIf": [""]}), "", "Required")]
#[case::required_empty_number(json!({"required": true, "type": "Int32"}), "", "Required")]
#[case::pattern(json!({"pattern": "^[0-9]+$"}), "12", "12")]
#[case::pattern_after_trim(json!({"pattern": "^[0-9]+$"}), " 12 ", "12")]
#[case::pattern_anywhere(json!({"pattern": "b"}), "abc", "abc")]
#[case::pattern_fails(json!({"pattern": "^[0-9]+$"}), "x", "PatternMismatch")]
#[case::pattern_spares_null(json!({"pattern": "^[0-9]+$", "nullIf": ["x"]}), "x", "null")]
#[case::lowest(json!({"type": "Int32", "min": 5, "max": 6}), "5", "5")]
#[case::highest(json!({"type": "Int32", "min": 5, "max": 6}), "6", "6")]
#[case::too_low(json!({"type": "Int32", "min": 5}), "4", "BelowMin")]
#[case::too_high(json!({"type": "Int64", "max": 5}), "6", "AboveMax")]
#[case::float_too_low(json!({"type": "Float64", "min": "0.01"}), "0.001", "BelowMin")]
#[case::float_infinite(json!({"type": "Float64", "max": "1"}), "INF", "AboveMax")]
#[case::nan_has_no_minimum(json!({"type": "Float64", "min": "0"}), "NaN", "BelowMin")]
#[case::nan_has_no_maximum(json!({"type": "Float64", "max": "0"}), "NaN", "AboveMax")]
#[case::date_too_early(json!({"type": "Date", "min": "2026-01-01"}), "2025-12-31", "BelowMin")]
#[case::date_too_late(json!({"type": "Date", "max": "2026-01-01"}), "2026-01-02", "AboveMax")]
#[case::range_spares_null(json!({"type": "Int32", "min": 5}), "", "null")]
fn rules(#[case] column: Value, #[case] text: &str, #[case] expected: &str) {
    assert_eq!(value(column, text), expected);
}
