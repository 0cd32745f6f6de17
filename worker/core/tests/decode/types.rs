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

/// The value of a Decimal of six digits, two of them behind the point.
#[rstest]
#[case("1.5", "1.50")]
#[case("-1.50", "-1.50")]
#[case("+.5", "0.50")]
#[case("5.", "5.00")]
#[case("0", "0.00")]
#[case("-0", "0.00")]
#[case("0001.5000", "1.50")]
#[case("9999.99", "9999.99")]
#[case("-9999.99", "-9999.99")]
#[case("", "null")]
#[case("10000", "InvalidType")]
#[case("1.505", "InvalidType")]
#[case("1e2", "InvalidType")]
#[case("1,5", "InvalidType")]
#[case(".", "InvalidType")]
#[case("-", "InvalidType")]
#[case("1.2.3", "InvalidType")]
#[case("INF", "InvalidType")]
#[case("٣", "InvalidType")]
fn decimal(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(value(json!({"type": "Decimal", "precision": 6, "scale": 2}), text), expected);
}

#[rstest]
#[case(38, 0, "99999999999999999999999999999999999999", "99999999999999999999999999999999999999")]
#[case(38, 0, "100000000000000000000000000000000000000", "InvalidType")]
#[case(38, 38, "0.00000000000000000000000000000000000001", "0.00000000000000000000000000000000000001")]
#[case(38, 38, "1", "InvalidType")]
#[case(1, 1, "-0.9", "-0.9")]
#[case(1, 0, "10", "InvalidType")]
fn decimals_of_every_size(#[case] precision: u8, #[case] scale: u8, #[case] text: &str, #[case] expected: &str) {
    assert_eq!(value(json!({"type": "Decimal", "precision": precision, "scale": scale}), text), expected);
}

#[rstest]
#[case("2026-01-31T08:15:00Z", "2026-01-31T08:15:00Z")]
#[case("2026-01-31T08:15:00", "2026-01-31T08:15:00Z")]
#[case("2026-01-31t08:15:00z", "2026-01-31T08:15:00Z")]
#[case("2026-01-31T08:15:00+02:30", "2026-01-31T05:45:00Z")]
#[case("2026-01-31T23:15:00-14:00", "2026-02-01T13:15:00Z")]
#[case("2026-01-31T08:15:00.25Z", "2026-01-31T08:15:00.250Z")]
#[case("2026-01-31T08:15:00.123456789Z", "2026-01-31T08:15:00.123456Z")]
#[case("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z")]
#[case("2026-01-31T24:00:00Z", "2026-02-01T00:00:00Z")]
#[case("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z")]
#[case("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z")]
#[case("", "null")]
#[case("9999-12-31T23:59:59-01:00", "InvalidType")]
#[case("2026-01-31", "InvalidType")]
#[case("2026-01-31 08:15:00Z", "InvalidType")]
#[case("2026-01-31T08:15Z", "InvalidType")]
#[case("2026-01-31T08:15:00.Z", "InvalidType")]
#[case("2026-01-31T08:15:60Z", "InvalidType")]
#[case("2026-01-31T24:00:01Z", "InvalidType")]
#[case("2026-02-30T08:15:00Z", "InvalidType")]
#[case("2026-01-31T08:15:00+0230", "InvalidType")]
#[case("2026-01-31T08:15:00+15:00", "InvalidType")]
#[case("2026-01-31T08:15:00+02:60", "InvalidType")]
#[case("2026-01-31T08:15:00Zé", "InvalidType")]
fn timestamp(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(value(json!({"type": "Timestamp"}), text), expected);
}

/// Clocks in Berlin: put forward on 2026-03-29 at 2:00, back on 2026-10-25 at 3:00.
#[rstest]
#[case::winter("2026-01-31T08:15:00", "2026-01-31T07:15:00Z")]
#[case::summer("2026-07-31T08:15:00", "2026-07-31T06:15:00Z")]
#[case::with_an_offset("2026-07-31T08:15:00Z", "2026-07-31T08:15:00Z")]
#[case::before_the_gap("2026-03-29T01:59:59", "2026-03-29T00:59:59Z")]
#[case::in_the_gap("2026-03-29T02:30:00", "InvalidType")]
#[case::after_the_gap("2026-03-29T03:00:00", "2026-03-29T01:00:00Z")]
#[case::twice_is_the_earlier("2026-10-25T02:30:00", "2026-10-25T00:30:00Z")]
#[case::after_the_overlap("2026-10-25T03:00:00", "2026-10-25T02:00:00Z")]
fn a_time_without_an_offset_is_of_the_columns_zone(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(value(json!({"type": "Timestamp", "timeZone": "Europe/Berlin"}), text), expected);
}

#[rstest]
#[case::day_first("Date", json!(["%d.%m.%Y"]), "23.11.2026", "2026-11-23")]
#[case::no_default_beside_formats("Date", json!(["%d.%m.%Y"]), "2026-11-23", "InvalidType")]
#[case::the_first_that_fits("Date", json!(["%d.%m.%Y", "%Y%m%d"]), "20261123", "2026-11-23")]
#[case::in_their_order("Date", json!(["%d/%m/%Y", "%m/%d/%Y"]), "02/03/2026", "2026-03-02")]
#[case::names_of_months("Date", json!(["%e %B %Y"]), "23 November 2026", "2026-11-23")]
#[case::two_digit_years("Date", json!(["%d.%m.%y"]), "23.11.69", "2069-11-23")]
#[case::day_of_year("Date", json!(["%Y-%j"]), "2026-327", "2026-11-23")]
#[case::no_such_day("Date", json!(["%d.%m.%Y"]), "31.11.2026", "InvalidType")]
#[case::text_behind("Date", json!(["%d.%m.%Y"]), "23.11.2026x", "InvalidType")]
#[case::year_of_five_digits("Date", json!(["%Y-%m-%d"]), "+12026-01-01", "InvalidType")]
#[case::time_is_cut_off("Date", json!(["%Y-%m-%dT%H:%M:%S"]), "2026-11-23T23:59:59", "2026-11-23")]
#[case::date_and_time("Timestamp", json!(["%Y%m%d%H%M%S"]), "20261123081500", "2026-11-23T08:15:00Z")]
#[case::offset("Timestamp", json!(["%d.%m.%Y %H:%M %z"]), "23.11.2026 08:15 +0100", "2026-11-23T07:15:00Z")]
#[case::fraction("Timestamp", json!(["%Y-%m-%d %H:%M:%S%.f"]), "2026-11-23 08:15:00.5", "2026-11-23T08:15:00.500Z")]
#[case::midnight("Timestamp", json!(["%d.%m.%Y"]), "23.11.2026", "2026-11-23T00:00:00Z")]
#[case::seconds_since_1970("Timestamp", json!(["%s"]), "1763885700", "2025-11-23T08:15:00Z")]
#[case::twelve_hours("Timestamp", json!(["%Y-%m-%d %I:%M %p"]), "2026-11-23 08:15 PM", "2026-11-23T20:15:00Z")]
fn texts_in_formats(#[case] column_type: &str, #[case] formats: Value, #[case] text: &str, #[case] expected: &str) {
    assert_eq!(value(json!({"type": column_type, "formats": formats}), text), expected);
}

#[rstest]
#[case::midnight_of_the_zone(json!({"type": "Timestamp", "formats": ["%Y-%m-%d"], "timeZone": "Asia/Tokyo"}), "2026-11-23", "2026-11-22T15:00:00Z")]
#[case::seconds_have_no_zone(json!({"type": "Timestamp", "formats": ["%s"], "timeZone": "Asia/Tokyo"}), "0", "1970-01-01T00:00:00Z")]
fn formats_and_zones(#[case] column: Value, #[case] text: &str, #[case] expected: &str) {
    assert_eq!(value(column, text), expected);
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
#[case::decimal_too_low(json!({"type": "Decimal", "precision": 5, "scale": 2, "min": "0.01"}), "0", "BelowMin")]
#[case::decimal_at_min(json!({"type": "Decimal", "precision": 5, "scale": 2, "min": "0.01"}), "0.010", "0.01")]
#[case::timestamp_too_late(json!({"type": "Timestamp", "max": "2026-01-01T00:00:00Z"}), "2026-01-01T00:30:00-01:00", "AboveMax")]
#[case::bounds_as_formats(json!({"type": "Date", "formats": ["%d.%m.%Y"], "min": "01.01.2026"}), "31.12.2025", "BelowMin")]
#[case::collapsed(json!({"collapse": true}), " a \t\n b  c ", "a b c")]
#[case::collapsed_without_trim(json!({"collapse": true, "trim": false}), "\ta  b ", " a b ")]
#[case::nothing_to_collapse(json!({"collapse": true}), "a b", "a b")]
#[case::null_if_after_collapse(json!({"collapse": true, "nullIf": ["not known"]}), "not\n  known", "null")]
#[case::no_collapse(json!({}), "a  b", "a  b")]
#[case::default_of_null_if(json!({"nullIf": ["-"], "default": "none"}), "-", "none")]
#[case::default_of_an_empty_number(json!({"type": "Int32", "default": 7}), "", "7")]
#[case::empty_string_is_not_null(json!({"default": "none"}), "", "")]
#[case::default_is_not_null(json!({"nullIf": ["-"], "default": "x", "required": true}), "-", "x")]
#[case::default_is_not_null_again(json!({"nullIf": ["-"], "default": "-"}), "-", "-")]
#[case::default_decimal(json!({"type": "Decimal", "precision": 4, "scale": 2, "default": "0.5"}), "", "0.50")]
#[case::in_enum(json!({"enum": ["new", "used"]}), "used", "used")]
#[case::not_in_enum(json!({"enum": ["new", "used"]}), "Used", "NotInEnum")]
#[case::enum_spares_null(json!({"enum": ["new"], "nullIf": [""]}), "", "null")]
#[case::number_in_enum(json!({"type": "Int32", "enum": [1, 2]}), "02", "2")]
#[case::number_not_in_enum(json!({"type": "Int32", "enum": [1, 2]}), "3", "NotInEnum")]
#[case::decimal_in_enum(json!({"type": "Decimal", "precision": 4, "scale": 2, "enum": ["0.5"]}), "0.50", "0.50")]
#[case::truth_in_enum(json!({"type": "Boolean", "enum": ["true"]}), "0", "NotInEnum")]
#[case::pattern_before_enum(json!({"pattern": "^a", "enum": ["b"]}), "c", "PatternMismatch")]
#[case::enum_before_min(json!({"type": "Int32", "enum": [5], "min": 2}), "1", "NotInEnum")]
#[case::enum_before_length(json!({"enum": ["ab"], "minLength": 2}), "a", "NotInEnum")]
#[case::type_before_rules(json!({"type": "Int32", "enum": [5]}), "x", "InvalidType")]
#[case::long_enough(json!({"minLength": 2}), "éé", "éé")]
#[case::too_short_in_characters(json!({"minLength": 2}), "é", "TooShort")]
#[case::short_enough_in_characters(json!({"maxLength": 2}), "éé", "éé")]
#[case::too_long(json!({"maxLength": 2}), "abc", "TooLong")]
#[case::length_after_trim(json!({"maxLength": 2}), " ab ", "ab")]
#[case::range_spares_null(json!({"type": "Int32", "min": 5}), "", "null")]
fn rules(#[case] column: Value, #[case] text: &str, #[case] expected: &str) {
    assert_eq!(value(column, text), expected);
}
