//! A text into a value of its column's type that keeps the column's rules, or why it does not.

use std::fmt;

use chrono::NaiveDate;

use super::lexical::{self, NoDecimal};
use super::pattern::Pattern;
use super::time::{Formats, NoTimestamp, Zone};
use crate::record::ColumnType;

/// A value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar<'t> {
    /// Text.
    String(&'t str),
    /// true or false.
    Boolean(bool),
    /// 32-bit signed integer.
    Int32(i32),
    /// 64-bit signed integer.
    Int64(i64),
    /// 64-bit floating point number.
    Float64(f64),
    /// Units of the last digit.
    Decimal(i128),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970, UTC.
    Timestamp(i64),
}

/// A value of a resource, with the text that a person wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<T> {
    /// The value.
    pub value: T,
    /// As it stands in the document.
    pub text: String,
}

/// Rules of a type whose values have an order.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules<T> {
    /// The valid values; none is every value.
    pub allowed: Vec<Written<T>>,
    /// Smallest valid value.
    pub min: Option<Written<T>>,
    /// Greatest valid value.
    pub max: Option<Written<T>>,
}

impl<T> Default for Rules<T> {
    fn default() -> Self {
        Self { allowed: Vec::new(), min: None, max: None }
    }
}

/// Rules of a String.
#[derive(Debug, Clone, Default)]
pub struct TextRules {
    /// Expression that it must match.
    pub pattern: Option<Pattern>,
    /// The valid texts; none is every text.
    pub allowed: Vec<String>,
    /// Fewest characters.
    pub min_length: Option<usize>,
    /// Most characters.
    pub max_length: Option<usize>,
}

/// Type of a column's values, with the rules that they keep.
#[derive(Debug, Clone)]
pub enum ValueType {
    /// UTF-8 text.
    String(TextRules),
    /// true, false, 1 or 0.
    Boolean(Rules<bool>),
    /// 32-bit signed integer.
    Int32(Rules<i32>),
    /// 64-bit signed integer.
    Int64(Rules<i64>),
    /// 64-bit floating point number.
    Float64(Rules<f64>),
    /// Exact number.
    Decimal {
        /// Most digits.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
        /// In units of the last digit.
        rules: Rules<i128>,
    },
    /// Calendar day.
    Date {
        /// Texts that are a day.
        formats: Formats,
        /// What days are valid.
        rules: Rules<NaiveDate>,
    },
    /// Instant.
    Timestamp {
        /// Texts that are an instant.
        formats: Formats,
        /// Zone of a text without an offset.
        zone: Zone,
        /// In microseconds since 1970, UTC.
        rules: Rules<i64>,
    },
}

/// Why a text is not a valid value of its column. What it displays goes on behind the text: `is below min 5`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal<'p> {
    /// It is not of the type.
    InvalidType(String),
    /// It does not match the pattern.
    PatternMismatch(&'p str),
    /// It is none of the valid values.
    NotInEnum(Vec<&'p str>),
    /// It is below min.
    BelowMin(&'p str),
    /// It is above max.
    AboveMax(&'p str),
    /// It has fewer characters than minLength.
    TooShort {
        /// What it has.
        length: usize,
        /// What it needs.
        min: usize,
    },
    /// It has more characters than maxLength.
    TooLong {
        /// What it has.
        length: usize,
        /// What is allowed.
        max: usize,
    },
}

/// Values that a refusal lists.
const LISTED: usize = 10;

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::InvalidType(expected) => write!(f, "is not {expected}"),
            Refusal::PatternMismatch(pattern) => write!(f, "does not match the pattern {pattern}"),
            Refusal::NotInEnum(allowed) => {
                let listed: Vec<_> = allowed.iter().take(LISTED).map(|text| format!("{text:?}")).collect();
                let more = if allowed.len() > LISTED { ", …" } else { "" };
                write!(f, "is none of {}{more}", listed.join(", "))
            }
            Refusal::BelowMin(min) => write!(f, "is below min {min}"),
            Refusal::AboveMax(max) => write!(f, "is above max {max}"),
            Refusal::TooShort { length, min } => {
                write!(f, "has a length of {length} characters, below minLength {min}")
            }
            Refusal::TooLong { length, max } => write!(f, "has a length of {length} characters, above maxLength {max}"),
        }
    }
}

impl ValueType {
    /// The type as a document names it.
    pub fn column_type(&self) -> ColumnType {
        match self {
            ValueType::String(_) => ColumnType::String,
            ValueType::Boolean(_) => ColumnType::Boolean,
            ValueType::Int32(_) => ColumnType::Int32,
            ValueType::Int64(_) => ColumnType::Int64,
            ValueType::Float64(_) => ColumnType::Float64,
            ValueType::Decimal { .. } => ColumnType::Decimal,
            ValueType::Date { .. } => ColumnType::Date,
            ValueType::Timestamp { .. } => ColumnType::Timestamp,
        }
    }

    /// The value of a text that is not null.
    ///
    /// # Errors
    /// The first thing that is wrong: the type, then the rules pattern, enum, min and max, minLength and maxLength.
    pub fn read<'t>(&self, text: &'t str) -> Result<Scalar<'t>, Refusal<'_>> {
        match self {
            ValueType::String(rules) => rules.check(text).map(|()| Scalar::String(text)),
            ValueType::Boolean(rules) => self.typed(lexical::boolean(text), rules).map(Scalar::Boolean),
            // Rust reads exactly XSD's form: an optional sign and digits.
            ValueType::Int32(rules) => self.typed(text.parse().ok(), rules).map(Scalar::Int32),
            ValueType::Int64(rules) => self.typed(text.parse().ok(), rules).map(Scalar::Int64),
            ValueType::Float64(rules) => {
                let number = self.typed(lexical::float(text), rules)?;
                not_nan_in_range(rules, number).map(Scalar::Float64)
            }
            ValueType::Decimal { precision, scale, rules } => {
                let units = lexical::decimal(text, *precision, *scale).map_err(|problem| self.no_decimal(problem))?;
                rules.check(units).map(Scalar::Decimal)
            }
            ValueType::Date { formats, rules } => {
                self.typed(formats.date(text), rules).map(|date| Scalar::Date(date.to_epoch_days()))
            }
            ValueType::Timestamp { formats, zone, rules } => {
                let micros = formats.timestamp(text, *zone).map_err(|problem| self.no_timestamp(problem))?;
                rules.check(micros).map(Scalar::Timestamp)
            }
        }
    }

    fn typed<'p, T: PartialOrd + Copy>(&'p self, value: Option<T>, rules: &'p Rules<T>) -> Result<T, Refusal<'p>> {
        match value {
            Some(value) => rules.check(value),
            None => Err(Refusal::InvalidType(self.expected())),
        }
    }

    /// What a text of the type is, for a person.
    pub(super) fn expected(&self) -> String {
        match self {
            ValueType::String(_) => "a String".to_owned(),
            ValueType::Boolean(_) => "a Boolean: true, false, 1 or 0".to_owned(),
            ValueType::Int32(_) => "an Int32: an integer of 32 bits".to_owned(),
            ValueType::Int64(_) => "an Int64: an integer of 64 bits".to_owned(),
            ValueType::Float64(_) => "a Float64: such as -1.5, 2e3, INF, -INF or NaN".to_owned(),
            ValueType::Decimal { .. } => "a Decimal: digits with or without a point, such as -12.50".to_owned(),
            ValueType::Date { formats, .. } => match formats.written() {
                None => "a Date: a day as YYYY-MM-DD".to_owned(),
                Some(formats) => format!("a Date: a day as {formats}"),
            },
            ValueType::Timestamp { formats, .. } => match formats.written() {
                None => "a Timestamp: such as 2026-01-31T08:15:00Z".to_owned(),
                Some(formats) => format!("a Timestamp: a time as {formats}"),
            },
        }
    }

    fn no_decimal(&self, problem: NoDecimal) -> Refusal<'_> {
        Refusal::InvalidType(match (problem, self) {
            (NoDecimal::TooManyDigits, ValueType::Decimal { precision, scale, .. }) => format!(
                "a Decimal({precision}, {scale}): it has more than {} digits before or {scale} behind the point",
                precision - scale
            ),
            _ => self.expected(),
        })
    }

    fn no_timestamp(&self, problem: NoTimestamp) -> Refusal<'_> {
        Refusal::InvalidType(match (problem, self) {
            (NoTimestamp::Skipped, ValueType::Timestamp { zone, .. }) => {
                format!("a time that occurs in {zone}: clocks were put forward over it")
            }
            _ => self.expected(),
        })
    }
}

impl<T: PartialOrd + Copy> Rules<T> {
    fn check(&self, value: T) -> Result<T, Refusal<'_>> {
        if !self.allowed.is_empty() && self.allowed.iter().all(|allowed| allowed.value != value) {
            return Err(Refusal::NotInEnum(self.allowed.iter().map(|allowed| allowed.text.as_str()).collect()));
        }
        match (&self.min, &self.max) {
            (Some(min), _) if value < min.value => Err(Refusal::BelowMin(&min.text)),
            (_, Some(max)) if value > max.value => Err(Refusal::AboveMax(&max.text)),
            _ => Ok(value),
        }
    }
}

/// NaN compares with nothing, so it is in no range (XSD says so too).
fn not_nan_in_range(rules: &Rules<f64>, number: f64) -> Result<f64, Refusal<'_>> {
    match (number.is_nan(), &rules.min, &rules.max) {
        (true, Some(min), _) => Err(Refusal::BelowMin(&min.text)),
        (true, None, Some(max)) => Err(Refusal::AboveMax(&max.text)),
        _ => Ok(number),
    }
}

impl TextRules {
    fn check(&self, text: &str) -> Result<(), Refusal<'_>> {
        if let Some(pattern) = self.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
            return Err(Refusal::PatternMismatch(pattern.as_str()));
        }
        if !self.allowed.is_empty() && self.allowed.iter().all(|allowed| allowed != text) {
            return Err(Refusal::NotInEnum(self.allowed.iter().map(String::as_str).collect()));
        }
        // A text has at most as many characters as bytes, and at least a quarter of them.
        if self.min_length.is_some_and(|min| text.len() < min.saturating_mul(4)) {
            let (length, min) = (text.chars().count(), self.min_length.unwrap_or(0));
            if length < min {
                return Err(Refusal::TooShort { length, min });
            }
        }
        if self.max_length.is_some_and(|max| text.len() > max) {
            let (length, max) = (text.chars().count(), self.max_length.unwrap_or(usize::MAX));
            if length > max {
                return Err(Refusal::TooLong { length, max });
            }
        }
        Ok(())
    }
}
