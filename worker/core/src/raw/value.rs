//! One formatted text into one value: default, type, then the rules.

use gristmill_crds::plan::{ColumnPlan, Refusal, Scalar};

use super::format::Formatted;
use super::reason::Reason;
use super::text::{Sources, Text};
use crate::xml::Excerpt;

/// A value that is of its column's type and keeps its rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    Null,
    Text(Text),
    Boolean(bool),
    Int32(i32),
    Int64(i64),
    Float64(f64),
    /// Units of the last digit.
    Decimal(i128),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since 1970, UTC.
    Timestamp(i64),
    /// Items of the row from `start` to `end`.
    List {
        start: u32,
        end: u32,
    },
}

/// The values of one row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'v> {
    /// In the order of the columns.
    pub(super) values: &'v [Value],
    /// What lists point into.
    pub(super) items: &'v [Value],
    pub(super) texts: Texts<'v>,
}

/// What texts point into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Texts<'v> {
    pub(super) sources: Sources<'v>,
    pub(super) formatted: &'v str,
    pub(super) columns: &'v [ColumnPlan],
}

impl<'v> Texts<'v> {
    #[inline]
    pub(super) fn of(&self, text: Text) -> &'v str {
        match text {
            Text::Document(_) | Text::Arena(_) => self.sources.written(text),
            Text::Formatted(span) => span.of(self.formatted),
            Text::Default(column) => default(&self.columns[column as usize]),
        }
    }
}

fn default(column: &ColumnPlan) -> &str {
    column.default.as_deref().expect("only a column with a default has it as a text")
}

/// What is wrong with a column of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) reason: Reason,
    /// For a person.
    pub(super) message: String,
    /// Where the text stands, if the column has several.
    pub(super) offset: Option<usize>,
}

impl Problem {
    /// In a box, so that results are as small as the values that most of them are.
    pub(super) fn boxed(reason: Reason, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { reason, message: message.into(), offset: None })
    }

    pub(super) fn at(mut self: Box<Self>, offset: usize) -> Box<Self> {
        self.offset = Some(offset);
        self
    }
}

/// The value of a column; `index` is its place among the columns.
#[inline]
pub(super) fn read(
    index: usize,
    column: &ColumnPlan,
    formatted: Formatted,
    sources: Sources<'_>,
    made: &str,
) -> Result<Value, Box<Problem>> {
    let written = |text: Text| match text {
        Text::Formatted(span) => span.of(made),
        Text::Default(_) => default(column),
        Text::Document(_) | Text::Arena(_) => sources.written(text),
    };
    let text = match (formatted, &column.default) {
        (Formatted::Text(text), _) => text,
        (_, Some(_)) => Text::Default(u32::try_from(index).expect("a plan has at most 1,000 columns")),
        (_, None) if !column.required => return Ok(Value::Null),
        (Formatted::Missing, None) => {
            return Err(required("its element or attribute is missing".to_owned()));
        }
        (Formatted::Null(text), None) => {
            return Err(required(match written(text) {
                "" => "its text is empty".to_owned(),
                text => format!("{:?} is null by nullIf", Excerpt(text).to_string()),
            }));
        }
    };
    match column.value_type.read(written(text)) {
        Ok(Scalar::String(_)) => Ok(Value::Text(text)),
        Ok(Scalar::Boolean(value)) => Ok(Value::Boolean(value)),
        Ok(Scalar::Int32(value)) => Ok(Value::Int32(value)),
        Ok(Scalar::Int64(value)) => Ok(Value::Int64(value)),
        Ok(Scalar::Float64(value)) => Ok(Value::Float64(value)),
        Ok(Scalar::Decimal(value)) => Ok(Value::Decimal(value)),
        Ok(Scalar::Date(value)) => Ok(Value::Date(value)),
        Ok(Scalar::Timestamp(value)) => Ok(Value::Timestamp(value)),
        Err(refusal) => {
            let message = format!("{:?} {refusal}", Excerpt(written(text)).to_string());
            Err(Problem::boxed(reason(&refusal), message))
        }
    }
}

fn required(why: String) -> Box<Problem> {
    Problem::boxed(Reason::Required, format!("the column is required and {why}"))
}

fn reason(refusal: &Refusal<'_>) -> Reason {
    match refusal {
        Refusal::InvalidType(_) => Reason::InvalidType,
        Refusal::PatternMismatch(_) => Reason::PatternMismatch,
        Refusal::NotInEnum(_) => Reason::NotInEnum,
        Refusal::BelowMin(_) => Reason::BelowMin,
        Refusal::AboveMax(_) => Reason::AboveMax,
        Refusal::TooShort { .. } => Reason::TooShort,
        Refusal::TooLong { .. } => Reason::TooLong,
    }
}
