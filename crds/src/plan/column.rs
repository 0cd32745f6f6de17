//! A column as typed rules: everything that can be decided before the first message is.

use std::str::FromStr;

use chrono::NaiveDate;
use regex::{Regex, RegexBuilder};

use super::{ColumnPath, DIRECTORY_COLUMNS, METADATA_COLUMNS, Problems};
use crate::record::{Column, ColumnType};
use crate::scalar::Bound;

/// Closed interval of valid values; an absent end is open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range<T> {
    /// Smallest valid value.
    pub min: Option<T>,
    /// Greatest valid value.
    pub max: Option<T>,
}

impl<T: PartialOrd> Range<T> {
    /// True if `value` is below the range.
    pub fn is_above(&self, value: &T) -> bool {
        self.min.as_ref().is_some_and(|min| value < min)
    }

    /// True if `value` is above the range.
    pub fn is_below(&self, value: &T) -> bool {
        self.max.as_ref().is_some_and(|max| value > max)
    }
}

/// Type of a column with the range of its valid values.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueType {
    /// UTF-8 text.
    String,
    /// true, false, 1 or 0.
    Boolean,
    /// 32-bit signed integer.
    Int32(Range<i32>),
    /// 64-bit signed integer.
    Int64(Range<i64>),
    /// 64-bit floating point number.
    Float64(Range<f64>),
    /// Calendar day.
    Date(Range<NaiveDate>),
}

impl ValueType {
    /// The type as a document names it.
    pub fn column_type(&self) -> ColumnType {
        match self {
            ValueType::String => ColumnType::String,
            ValueType::Boolean => ColumnType::Boolean,
            ValueType::Int32(_) => ColumnType::Int32,
            ValueType::Int64(_) => ColumnType::Int64,
            ValueType::Float64(_) => ColumnType::Float64,
            ValueType::Date(_) => ColumnType::Date,
        }
    }
}

/// One column, validated.
#[derive(Debug, Clone)]
pub struct ColumnPlan {
    /// Name in Parquet.
    pub name: String,
    /// Where the text is found.
    pub path: ColumnPath,
    /// Type and range.
    pub value_type: ValueType,
    /// Null rejects the row.
    pub required: bool,
    /// White space at both ends is removed first.
    pub trim: bool,
    /// Texts that become null.
    pub null_if: Vec<String>,
    /// Expression that a String must match.
    pub pattern: Option<Regex>,
}

impl ColumnPlan {
    pub(super) fn build(
        at: &str,
        column: &Column,
        budget: &mut PatternBudget,
        problems: &mut Problems,
    ) -> Option<Self> {
        // No `..`: a new field must be given a meaning here.
        let Column { name, path, column_type, required, trim, null_if, pattern, min, max } = column;
        let column_type = column_type.unwrap_or_default();
        let before = problems.0.len();
        check_name(at, name, problems);
        let path = problems.check(&format!("{at}.path"), path.parse::<ColumnPath>());
        let value_type = value_type(at, column_type, min.as_ref(), max.as_ref(), problems);
        let pattern = match pattern {
            Some(_) if column_type != ColumnType::String => {
                problems.add(
                    format!("{at}.pattern"),
                    format!(
                        "a pattern applies to String, and the type is {column_type:?}; remove it or use min and max"
                    ),
                );
                None
            }
            Some(pattern) => problems.check(&format!("{at}.pattern"), budget.compile(pattern)),
            None => None,
        };
        if problems.0.len() > before {
            return None;
        }
        Some(Self {
            name: name.clone(),
            path: path?,
            value_type: value_type?,
            required: required.unwrap_or(false),
            trim: trim.unwrap_or(true),
            null_if: null_if.clone(),
            pattern,
        })
    }
}

fn check_name(at: &str, name: &str, problems: &mut Problems) {
    let at = format!("{at}.name");
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= 128;
    if !valid {
        problems.add(at, format!("{name:?} is not a column name; write at most 128 letters, digits and \"_\""));
    } else if METADATA_COLUMNS.contains(&name) || DIRECTORY_COLUMNS.contains(&name) {
        problems.add(at, format!("{name:?} is a column that every RAW row has already; choose another name"));
    }
}

/// Memory that the compiled patterns of one resource may take together.
///
/// A pattern of ten characters can compile to 10 MiB, a resource has up to 1000 of them, and the operator compiles those
/// of everybody: without a limit one resource takes the memory of all others.
pub(super) struct PatternBudget {
    left: usize,
}

impl PatternBudget {
    /// Room for about a hundred usual patterns with `\d`, and for many more without.
    const BYTES: usize = 8 << 20;
    /// Sizes that a pattern is tried with and counted as; the crate does not tell the size of what it has compiled.
    const SIZES: [usize; 5] = [8 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20];

    pub(super) fn new() -> Self {
        Self { left: Self::BYTES }
    }

    fn compile(&mut self, pattern: &str) -> Result<Regex, String> {
        for size in Self::SIZES.into_iter().filter(|size| *size <= self.left) {
            match RegexBuilder::new(pattern).size_limit(size).build() {
                Ok(regex) => {
                    self.left -= size;
                    return Ok(regex);
                }
                Err(regex::Error::CompiledTooBig(_)) => {}
                Err(error) => {
                    // The crate's text is a drawing of several lines; its last line is the sentence.
                    let text = error.to_string();
                    let sentence = text.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
                    return Err(format!("{pattern:?} is not a regular expression (Rust regex): {sentence}"));
                }
            }
        }
        Err(format!(
            "{pattern:?} is too large: 4 MiB is the most that one pattern takes when compiled, and {} MiB all of a \
             resource; repeat less, or write [0-9] for \\d and [A-Za-z0-9_] for \\w, which stand for all of Unicode",
            Self::BYTES >> 20
        ))
    }
}

fn value_type(
    at: &str,
    column_type: ColumnType,
    min: Option<&Bound>,
    max: Option<&Bound>,
    problems: &mut Problems,
) -> Option<ValueType> {
    match column_type {
        ColumnType::String | ColumnType::Boolean => {
            for (field, bound) in [("min", min), ("max", max)] {
                if bound.is_some() {
                    problems.add(
                        format!("{at}.{field}"),
                        format!("{field} applies to numbers and dates, and the type is {column_type:?}; remove it"),
                    );
                }
            }
            Some(if column_type == ColumnType::String { ValueType::String } else { ValueType::Boolean })
        }
        ColumnType::Int32 => range(at, "an integer of 32 bits", min, max, problems).map(ValueType::Int32),
        ColumnType::Int64 => range(at, "an integer of 64 bits", min, max, problems).map(ValueType::Int64),
        ColumnType::Float64 => range(at, "a number, quoted, such as \"0.01\"", min, max, problems)
            .filter(|range: &Range<f64>| {
                let finite = [range.min, range.max].into_iter().flatten().all(f64::is_finite);
                if !finite {
                    problems.add(format!("{at}.min"), "min and max of a Float64 must be finite numbers");
                }
                finite
            })
            .map(ValueType::Float64),
        ColumnType::Date => {
            range(at, "a date, quoted, such as \"2026-01-31\"", min, max, problems).map(ValueType::Date)
        }
    }
}

fn range<T: FromStr + PartialOrd>(
    at: &str,
    expected: &str,
    min: Option<&Bound>,
    max: Option<&Bound>,
    problems: &mut Problems,
) -> Option<Range<T>> {
    let mut parse = |field: &str, bound: Option<&Bound>| -> Option<Option<T>> {
        let Some(bound) = bound else { return Some(None) };
        let text = bound.to_text();
        let parsed = text.parse::<T>().map_err(|_| format!("{text:?} is not {expected}"));
        problems.check(&format!("{at}.{field}"), parsed).map(Some)
    };
    let (min, max) = (parse("min", min), parse("max", max));
    let (min, max) = (min?, max?);
    if let (Some(low), Some(high)) = (&min, &max)
        && low > high
    {
        problems.add(format!("{at}.min"), "min is greater than max; no value would be valid");
        return None;
    }
    Some(Range { min, max })
}
