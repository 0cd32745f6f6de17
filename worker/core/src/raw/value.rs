//! One text into one value: trim, nullIf, type, then required, pattern, min and max.
//!
//! Lexical forms are those of XML Schema, not Rust's.

use chrono::NaiveDate;
use gristmill_crds::plan::{ColumnPlan, Range, ValueType};

use super::reason::Reason;
use super::rows::Value;
use crate::xml::Excerpt;

/// What is wrong with a column of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) reason: Reason,
    /// For a person.
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

/// The value of a column whose element or attribute has the text `written`, or is missing.
pub(super) fn value<'t>(column: &ColumnPlan, written: Option<&'t str>) -> Result<Value<'t>, Problem> {
    let trimmed = written.map(|text| if column.trim { text.trim_matches([' ', '\t', '\n', '\r']) } else { text });
    let text = trimmed.filter(|text| !column.null_if.iter().any(|null| null == text));
    let value = match text {
        None => Value::Null,
        Some("") if column.value_type != ValueType::String => Value::Null,
        Some(text) => typed(&column.value_type, text)?,
    };
    match value {
        Value::Null if column.required => {
            let message = match trimmed {
                None => "the column is required and its element or attribute is missing".to_owned(),
                Some("") => "the column is required and its text is empty".to_owned(),
                Some(text) => {
                    format!("the column is required and {:?} is null by nullIf", Excerpt(text).to_string())
                }
            };
            Err(Problem::new(Reason::Required, message))
        }
        Value::String(text) => match &column.pattern {
            Some(pattern) if !pattern.is_match(text) => {
                let message =
                    format!("{:?} does not match the pattern {}", Excerpt(text).to_string(), pattern.as_str());
                Err(Problem::new(Reason::PatternMismatch, message))
            }
            _ => Ok(value),
        },
        _ => Ok(value),
    }
}

fn typed<'t>(value_type: &ValueType, text: &'t str) -> Result<Value<'t>, Problem> {
    match value_type {
        ValueType::String => Ok(Value::String(text)),
        ValueType::Boolean => match text {
            "true" | "1" => Ok(Value::Boolean(true)),
            "false" | "0" => Ok(Value::Boolean(false)),
            _ => Err(invalid(text, "a Boolean: true, false, 1 or 0")),
        },
        ValueType::Int32(range) => {
            // Rust reads exactly XSD's form: an optional sign and digits.
            let number = text.parse().map_err(|_| invalid(text, "an Int32: an integer of 32 bits"))?;
            in_range(range, number).map(Value::Int32)
        }
        ValueType::Int64(range) => {
            let number = text.parse().map_err(|_| invalid(text, "an Int64: an integer of 64 bits"))?;
            in_range(range, number).map(Value::Int64)
        }
        ValueType::Float64(range) => {
            let number = float(text).ok_or_else(|| invalid(text, "a Float64: such as -1.5, 2e3, INF, -INF or NaN"))?;
            not_nan_in_range(range, number)?;
            in_range(range, number).map(Value::Float64)
        }
        ValueType::Date(range) => {
            let date = date(text).ok_or_else(|| invalid(text, "a Date: a day as YYYY-MM-DD"))?;
            in_range(range, date).map(|date| Value::Date(date.to_epoch_days()))
        }
    }
}

fn invalid(text: &str, expected: &str) -> Problem {
    Problem::new(Reason::InvalidType, format!("{:?} is not {expected}", Excerpt(text).to_string()))
}

fn in_range<T: PartialOrd + std::fmt::Display>(range: &Range<T>, value: T) -> Result<T, Problem> {
    match (&range.min, &range.max) {
        (Some(min), _) if range.is_above(&value) => {
            Err(Problem::new(Reason::BelowMin, format!("{value} is below min {min}")))
        }
        (_, Some(max)) if range.is_below(&value) => {
            Err(Problem::new(Reason::AboveMax, format!("{value} is above max {max}")))
        }
        _ => Ok(value),
    }
}

/// NaN compares with nothing, so it is in no range (XSD says so too).
fn not_nan_in_range(range: &Range<f64>, number: f64) -> Result<(), Problem> {
    match (number.is_nan(), range.min, range.max) {
        (true, Some(min), _) => Err(Problem::new(Reason::BelowMin, format!("NaN is not at least min {min}"))),
        (true, None, Some(max)) => Err(Problem::new(Reason::AboveMax, format!("NaN is not at most max {max}"))),
        _ => Ok(()),
    }
}

/// XSD's double: decimal digits with an optional exponent, `INF`, `-INF` or `NaN`.
///
/// A number too great for 64 bits is refused; XSD 1.1 would make it infinite without a word.
fn float(text: &str) -> Option<f64> {
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

fn date(text: &str) -> Option<NaiveDate> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else { return None };
    let number = |digits: &[u8]| {
        digits
            .iter()
            .try_fold(0_u32, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
    };
    let year = number(&[y1, y2, y3, y4]).filter(|year| *year > 0)?;
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, number(&[m1, m2])?, number(&[d1, d2])?)
}
