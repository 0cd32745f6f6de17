//! The narrowest type that holds all texts of a column.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// Digits of a Decimal that Parquet stores in 8 and in 16 bytes.
const PRECISIONS: [usize; 2] = [18, 38];

/// A type with what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inferred {
    Boolean,
    Int32,
    Int64,
    Decimal { precision: usize, scale: usize },
    Float64,
    Date,
    Timestamp,
    String,
}

/// What the texts of a column have in common. An empty text says nothing of the type.
#[derive(Debug, Default)]
pub(super) struct Texts {
    /// Texts that are not empty.
    pub(super) count: usize,
    pub(super) empty: usize,
    /// The first that is not empty.
    pub(super) example: Option<String>,
    /// True for numbers such as 007 and +1: as numbers they would lose something.
    pub(super) has_padded_number: bool,
    /// True if a time has no offset from UTC.
    pub(super) lacks_offset: bool,
    booleans: usize,
    integers_of_32: usize,
    integers_of_64: usize,
    decimals: usize,
    floats: usize,
    dates: usize,
    timestamps: usize,
    integer_digits: usize,
    fraction_digits: usize,
}

impl Texts {
    /// Takes one text; white space at its ends does not count, as the decoder trims.
    pub(super) fn add(&mut self, text: &str) {
        let text = text.trim_matches([' ', '\t', '\n', '\r']);
        if text.is_empty() {
            self.empty += 1;
            return;
        }
        self.count += 1;
        if self.example.is_none() {
            self.example = Some(text.chars().take(60).collect());
        }
        self.booleans += usize::from(matches!(text, "true" | "false"));
        self.add_number(text);
        self.dates += usize::from(is_date(text));
        if let Some(has_offset) = timestamp(text) {
            self.timestamps += 1;
            self.lacks_offset |= !has_offset;
        }
    }

    fn add_number(&mut self, text: &str) {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (integer, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if integer.is_empty() || !digits(integer) || !digits(fraction) || unsigned.ends_with('.') {
            // What is no plain number may still be one with an exponent.
            let legal = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'e' | b'E');
            let is_float = matches!(text, "INF" | "-INF" | "NaN")
                || (text.bytes().all(legal) && text.parse().is_ok_and(f64::is_finite));
            self.floats += usize::from(is_float);
            let rest = text.strip_prefix('+').unwrap_or_default();
            self.has_padded_number |= !rest.is_empty() && digits(rest);
            return;
        }
        if integer.len() > 1 && integer.starts_with('0') {
            self.has_padded_number = true;
            return;
        }
        self.decimals += 1;
        self.floats += usize::from(text.parse().is_ok_and(f64::is_finite));
        self.integer_digits = self.integer_digits.max(integer.len());
        self.fraction_digits = self.fraction_digits.max(fraction.len());
        if !unsigned.contains('.') {
            self.integers_of_32 += usize::from(text.parse::<i32>().is_ok());
            self.integers_of_64 += usize::from(text.parse::<i64>().is_ok());
        }
    }

    pub(super) fn inferred(&self) -> Inferred {
        let all = |count: usize| self.count > 0 && count == self.count;
        let needed = self.integer_digits + self.fraction_digits;
        let precision = PRECISIONS.into_iter().find(|precision| needed <= *precision);
        if all(self.booleans) {
            Inferred::Boolean
        } else if all(self.integers_of_32) {
            Inferred::Int32
        } else if all(self.integers_of_64) {
            Inferred::Int64
        } else if let Some(precision) = precision.filter(|_| all(self.decimals)) {
            Inferred::Decimal { precision, scale: self.fraction_digits }
        } else if all(self.floats) {
            Inferred::Float64
        } else if all(self.dates) {
            Inferred::Date
        } else if all(self.timestamps) {
            Inferred::Timestamp
        } else {
            Inferred::String
        }
    }
}

fn is_date(text: &str) -> bool {
    text.len() == "2026-11-23".len()
        && text.as_bytes()[0].is_ascii_digit()
        && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

/// Whether a time has an offset from UTC; none if it is no time.
fn timestamp(text: &str) -> Option<bool> {
    let has_date = text.get(..10).is_some_and(is_date) && text.as_bytes().get(10) == Some(&b'T');
    if !has_date {
        return None;
    }
    if DateTime::parse_from_rfc3339(text).is_ok() {
        return Some(true);
    }
    NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").is_ok().then_some(false)
}
