//! Texts into values: the lexical forms of XML Schema, which are not always Rust's.
//!
//! One parser for a message's texts and for the bounds and defaults of a resource, so that the two can't disagree.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

/// Greatest number of digits that a Decimal has.
pub const MAX_PRECISION: u8 = 38;

/// `true` or `1`, `false` or `0`.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Decimal digits with an optional exponent, `INF`, `-INF` or `NaN`.
///
/// A number too great for 64 bits is refused; XSD 1.1 would make it infinite without a word.
pub(super) fn float(text: &str) -> Option<f64> {
    match text {
        "INF" => return Some(f64::INFINITY),
        "-INF" => return Some(f64::NEG_INFINITY),
        "NaN" => return Some(f64::NAN),
        _ => {}
    }
    // What Rust reads beside these forms is spelled with other letters: inf, infinity, nan.
    let legal = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    text.bytes().all(legal).then_some(text)?.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Why a text is no Decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoDecimal {
    /// It is no number of digits and a point.
    Form,
    /// It has more digits than the column.
    TooManyDigits,
}

/// A number of digits and a point, as an integer of units of the last digit: `1.5` with scale 2 is 150.
///
/// Zeros that say nothing count neither before nor behind the point.
pub(super) fn decimal(text: &str, precision: u8, scale: u8) -> Result<i128, NoDecimal> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let point = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
    let (whole, fraction) = (&digits[..point], digits.get(point + 1..).unwrap_or_default());
    if whole.len() + fraction.len() == 0 || !whole.iter().chain(fraction).all(u8::is_ascii_digit) {
        return Err(NoDecimal::Form);
    }
    let kept = fraction.len().min(usize::from(scale));
    if fraction[kept..].iter().any(|digit| *digit != b'0') {
        return Err(NoDecimal::TooManyDigits);
    }
    let padding = std::iter::repeat_n(&b'0', usize::from(scale) - kept);
    let (mut units, mut significant) = (0_i128, 0_u8);
    for digit in whole.iter().chain(&fraction[..kept]).chain(padding) {
        if units > 0 || *digit != b'0' {
            significant += 1;
        }
        if significant > precision {
            return Err(NoDecimal::TooManyDigits);
        }
        // 38 digits fit into 127 bits.
        units = units * 10 + i128::from(digit - b'0');
    }
    Ok(if negative { -units } else { units })
}

/// `YYYY-MM-DD`, from the year 0001.
pub(super) fn date(text: &str) -> Option<NaiveDate> {
    date_of(text.as_bytes())
}

fn date_of(bytes: &[u8]) -> Option<NaiveDate> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else { return None };
    let year = number(&[y1, y2, y3, y4]).filter(|year| *year > 0)?;
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, number(&[m1, m2])?, number(&[d1, d2])?)
}

/// A date, `T`, and a time of day to the second or finer, with the offset in seconds east if there is one.
///
/// Both RFC 3339 and XSD: `T` and `Z` may be small letters, 24:00:00 is the end of a day, an offset is at most 14 hours.
/// Digits behind the microsecond are cut off.
pub(super) fn date_time(text: &str) -> Option<(NaiveDateTime, Option<i32>)> {
    let (date, rest) = text.as_bytes().split_at_checked(10)?;
    let date = date_of(date)?;
    let (&[separator, h1, h2, b':', m1, m2, b':', s1, s2], rest) = rest.split_first_chunk::<9>()? else { return None };
    if !matches!(separator, b'T' | b't') {
        return None;
    }
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[m1, m2])?, number(&[s1, s2])?);
    let (micros, rest) = fraction(rest)?;
    let offset = offset(rest)?;
    if (hour, minute, second, micros) == (24, 0, 0, 0) {
        return Some((date.succ_opt()?.and_time(NaiveTime::MIN), offset));
    }
    let time = NaiveTime::from_hms_micro_opt(hour, minute, second, micros)?;
    Some((date.and_time(time), offset))
}

/// Microseconds of a fraction of a second, and what stands behind it.
fn fraction(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let [b'.', digits @ ..] = bytes else { return Some((0, bytes)) };
    let length = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
    if length == 0 {
        return None;
    }
    let digit = |index: usize| if index < length { u32::from(digits[index] - b'0') } else { 0 };
    Some(((0..6).fold(0, |micros, index| micros * 10 + digit(index)), &digits[length..]))
}

/// Seconds east of Greenwich; the inner `None` is no offset.
fn offset(bytes: &[u8]) -> Option<Option<i32>> {
    match bytes {
        [] => Some(None),
        [b'Z' | b'z'] => Some(Some(0)),
        &[sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (number(&[h1, h2])?, number(&[m1, m2]).filter(|minutes| *minutes < 60)?);
            let seconds = i32::try_from(hours * 3600 + minutes * 60).ok().filter(|seconds| *seconds <= 14 * 3600)?;
            Some(Some(if sign == b'-' { -seconds } else { seconds }))
        }
        _ => None,
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0_u32, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

/// Microseconds since 1970 of a time in UTC, if its year has four digits: more than that few readers take.
pub(super) fn micros(utc: NaiveDateTime) -> Option<i64> {
    in_four_digits(utc.date()).then(|| utc.and_utc().timestamp_micros())
}

/// True for the years 0001 to 9999.
pub(super) fn in_four_digits(date: NaiveDate) -> bool {
    chrono::Datelike::year(&date).clamp(1, 9999) == chrono::Datelike::year(&date)
}

/// A local time less its offset in seconds.
pub(super) fn to_utc(local: NaiveDateTime, offset: i32) -> Option<NaiveDateTime> {
    local.checked_sub_signed(TimeDelta::seconds(offset.into()))
}
