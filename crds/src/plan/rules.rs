//! The type of a column and its rules, built from what a document says: each field must suit the type.

use chrono::NaiveDate;

use super::Problems;
use super::lexical::MAX_PRECISION;
use super::pattern::PatternBudget;
use super::time::{Format, Formats, Zone};
use super::value::{Rules, Scalar, TextRules, ValueType, Written};
use crate::record::{Column, ColumnType};
use crate::scalar::Bound;

/// Most entries of `enum`.
const MAX_ALLOWED: usize = 256;

/// The type with its rules; none if a field does not suit it.
pub(super) fn value_type(
    at: &str,
    column: &Column,
    budget: &mut PatternBudget,
    problems: &mut Problems,
) -> Option<ValueType> {
    let column_type = column.column_type.unwrap_or_default();
    let before = problems.0.len();
    check_fields(at, column, column_type, problems);
    let bare = bare(at, column, column_type, problems);
    if column.allowed.len() > MAX_ALLOWED {
        problems.add(
            format!("{at}.enum"),
            format!("has {} values; at most {MAX_ALLOWED} are possible", column.allowed.len()),
        );
    }
    let rules = RuleReader { at, column, bare: bare.as_ref()? };
    let value_type = match rules.bare.clone() {
        ValueType::String(_) => ValueType::String(text_rules(at, column, budget, problems)),
        ValueType::Boolean(_) => ValueType::Boolean(rules.read(problems, |value| match value {
            Scalar::Boolean(value) => Some(value),
            _ => None,
        })),
        ValueType::Int32(_) => ValueType::Int32(rules.read(problems, |value| match value {
            Scalar::Int32(value) => Some(value),
            _ => None,
        })),
        ValueType::Int64(_) => ValueType::Int64(rules.read(problems, |value| match value {
            Scalar::Int64(value) => Some(value),
            _ => None,
        })),
        ValueType::Float64(_) => ValueType::Float64(rules.read(problems, |value| match value {
            Scalar::Float64(value) if value.is_finite() => Some(value),
            _ => None,
        })),
        ValueType::Decimal { precision, scale, .. } => {
            let rules = rules.read(problems, |value| match value {
                Scalar::Decimal(value) => Some(value),
                _ => None,
            });
            ValueType::Decimal { precision, scale, rules }
        }
        ValueType::Date { formats, .. } => {
            let rules = rules.read(problems, |value| match value {
                Scalar::Date(days) => NaiveDate::from_epoch_days(days),
                _ => None,
            });
            ValueType::Date { formats, rules }
        }
        ValueType::Timestamp { formats, zone, .. } => {
            let rules = rules.read(problems, |value| match value {
                Scalar::Timestamp(value) => Some(value),
                _ => None,
            });
            ValueType::Timestamp { formats, zone, rules }
        }
    };
    (problems.0.len() == before).then_some(value_type)
}

/// Refuses a field that means nothing for the type.
fn check_fields(at: &str, column: &Column, column_type: ColumnType, problems: &mut Problems) {
    use ColumnType::{Boolean, Date, Decimal, Float64, Int32, Int64, String, Timestamp};
    const TEXT: &[ColumnType] = &[String];
    const ORDERED: &[ColumnType] = &[Int32, Int64, Float64, Decimal, Date, Timestamp];
    debug_assert!(!ORDERED.contains(&Boolean));
    let instead = if TEXT.contains(&column_type) { "remove it" } else { "remove it or use min and max" };
    let fields: [(&str, bool, &[ColumnType], &str, &str); 9] = [
        ("pattern", column.pattern.is_some(), TEXT, "String", instead),
        ("minLength", column.min_length.is_some(), TEXT, "String", instead),
        ("maxLength", column.max_length.is_some(), TEXT, "String", instead),
        ("min", column.min.is_some(), ORDERED, "numbers, Date and Timestamp", "remove it"),
        ("max", column.max.is_some(), ORDERED, "numbers, Date and Timestamp", "remove it"),
        (
            "formats",
            !column.formats.is_empty(),
            &[Date, Timestamp],
            "Date and Timestamp",
            "remove it or change the type",
        ),
        ("timeZone", column.time_zone.is_some(), &[Timestamp], "Timestamp", "remove it or change the type"),
        ("precision", column.precision.is_some(), &[Decimal], "Decimal", "remove it or write type: Decimal"),
        ("scale", column.scale.is_some(), &[Decimal], "Decimal", "remove it or write type: Decimal"),
    ];
    for (field, present, types, named, act) in fields {
        if present && !types.contains(&column_type) {
            problems.add(
                format!("{at}.{field}"),
                format!("{field} applies to {named}, and the type is {column_type:?}; {act}"),
            );
        }
    }
}

/// The type without rules.
fn bare(at: &str, column: &Column, column_type: ColumnType, problems: &mut Problems) -> Option<ValueType> {
    Some(match column_type {
        ColumnType::String => ValueType::String(TextRules::default()),
        ColumnType::Boolean => ValueType::Boolean(Rules::default()),
        ColumnType::Int32 => ValueType::Int32(Rules::default()),
        ColumnType::Int64 => ValueType::Int64(Rules::default()),
        ColumnType::Float64 => ValueType::Float64(Rules::default()),
        ColumnType::Decimal => {
            let (precision, scale) = digits(at, column, problems)?;
            ValueType::Decimal { precision, scale, rules: Rules::default() }
        }
        ColumnType::Date => {
            ValueType::Date { formats: formats(at, &column.formats, problems)?, rules: Rules::default() }
        }
        ColumnType::Timestamp => {
            let formats = formats(at, &column.formats, problems);
            let zone = match &column.time_zone {
                Some(name) => problems.check(&format!("{at}.timeZone"), Zone::try_new(name)),
                None => Some(Zone::UTC),
            };
            ValueType::Timestamp { formats: formats?, zone: zone?, rules: Rules::default() }
        }
    })
}

fn digits(at: &str, column: &Column, problems: &mut Problems) -> Option<(u8, u8)> {
    let mut read = |field: &str, value: Option<i32>, range: std::ops::RangeInclusive<u8>, example: u8| match value {
        None => {
            problems.add(
                format!("{at}.{field}"),
                format!("is missing; a Decimal needs it, for example {field}: {example}"),
            );
            None
        }
        Some(value) => {
            let digits = u8::try_from(value).ok().filter(|digits| range.contains(digits));
            if digits.is_none() {
                problems
                    .add(format!("{at}.{field}"), format!("{value} is outside {} to {}", range.start(), range.end()));
            }
            digits
        }
    };
    let precision = read("precision", column.precision, 1..=MAX_PRECISION, 10);
    let scale = read("scale", column.scale, 0..=MAX_PRECISION, 2);
    let (precision, scale) = (precision?, scale?);
    if scale > precision {
        problems.add(
            format!("{at}.scale"),
            format!(
                "{scale} is above precision {precision}; precision counts all digits, scale those behind the point"
            ),
        );
        return None;
    }
    Some((precision, scale))
}

fn formats(at: &str, written: &[String], problems: &mut Problems) -> Option<Formats> {
    if written.is_empty() {
        return Some(Formats::Iso);
    }
    if written.len() > 16 {
        problems.add(format!("{at}.formats"), format!("has {} formats; at most 16 are possible", written.len()));
    }
    let formats: Vec<Option<Format>> = written
        .iter()
        .enumerate()
        .map(|(index, format)| problems.check(&format!("{at}.formats[{index}]"), Format::try_new(format)))
        .collect();
    formats.into_iter().collect::<Option<_>>().map(Formats::Strftime)
}

fn text_rules(at: &str, column: &Column, budget: &mut PatternBudget, problems: &mut Problems) -> TextRules {
    let pattern = column.pattern.as_ref();
    let pattern = pattern.and_then(|pattern| problems.check(&format!("{at}.pattern"), budget.compile(pattern)));
    let mut length = |field: &str, length: Option<i32>| {
        let length = length?;
        let read = usize::try_from(length).map_err(|_| format!("{length} is negative; write a number of characters"));
        problems.check(&format!("{at}.{field}"), read)
    };
    let (min_length, max_length) = (length("minLength", column.min_length), length("maxLength", column.max_length));
    if min_length.zip(max_length).is_some_and(|(min, max)| min > max) {
        problems.add(format!("{at}.minLength"), "minLength is greater than maxLength; no text would be valid");
    }
    let allowed = column.allowed.iter().map(|value| value.to_text().into_owned()).collect();
    TextRules { pattern, allowed, min_length, max_length }
}

/// Reads enum, min and max as the column's own texts are read.
struct RuleReader<'c> {
    at: &'c str,
    column: &'c Column,
    bare: &'c ValueType,
}

impl RuleReader<'_> {
    fn read<T: PartialOrd + Copy>(&self, problems: &mut Problems, take: impl Fn(Scalar<'_>) -> Option<T>) -> Rules<T> {
        let Self { at, column, bare } = self;
        let mut one = |field: String, bound: &Bound| {
            let text = bound.to_text().into_owned();
            let value = bare.read(&text).map_err(|refusal| format!("{text:?} {refusal}"));
            let value = value.and_then(|value| take(value).ok_or_else(|| format!("{text:?} is not a finite number")));
            let value = problems.check(&format!("{at}.{field}"), value)?;
            Some(Written { value, text })
        };
        let allowed = column.allowed.iter().enumerate();
        let allowed = allowed.filter_map(|(index, bound)| one(format!("enum[{index}]"), bound)).collect();
        let min = column.min.as_ref().and_then(|bound| one("min".to_owned(), bound));
        let max = column.max.as_ref().and_then(|bound| one("max".to_owned(), bound));
        if min.as_ref().zip(max.as_ref()).is_some_and(|(min, max)| min.value > max.value) {
            problems.add(format!("{at}.min"), "min is greater than max; no value would be valid");
        }
        Rules { allowed, min, max }
    }
}
