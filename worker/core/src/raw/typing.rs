//! The rows of a message that was read to its end: each as typed values, or what is wrong with it first.
//!
//! What is wrong first: an unknown element, else a repetition, else the first column that is not valid.

use gristmill_crds::plan::{ColumnPlan, Origin, RecordPlan, Repetition};

use super::format::{Formatted, Formatter};
use super::found::{Found, FoundTexts};
use super::reason::Reason;
use super::staging::{Repeat, StagedRow, Staging, Unknown};
use super::text::Sources;
use super::value::{self, Problem, Texts, Value, Values};

/// What is wrong with a row.
#[derive(Debug)]
pub(super) enum InvalidRow {
    /// A column.
    Column {
        column: usize,
        problem: Box<Problem>,
        /// Where its text stands; None if it is missing.
        offset: Option<usize>,
    },
    /// An element that no path leads to or through.
    Unknown(Unknown),
}

/// Types one row after the other, in buffers that are used again for the next message.
#[derive(Debug)]
pub(super) struct Typing {
    formatter: Formatter,
    /// By column: its first text in the row, as an index into the row's texts.
    first: Vec<Option<u32>>,
    /// By column: the value of an absolute path, typed once for all rows.
    absolute: Vec<Result<Value, Box<Problem>>>,
    values: Vec<Value>,
    /// Items of lists: those of absolute paths first, then those of the row.
    items: Vec<Value>,
    /// What of the buffers belongs to absolute paths.
    absolute_items: usize,
    absolute_text: usize,
    max_text_bytes: usize,
}

impl Typing {
    pub(super) fn new(plan: &RecordPlan) -> Self {
        let columns = plan.columns.len();
        Self {
            max_text_bytes: plan.limits.text_bytes,
            formatter: Formatter::default(),
            first: vec![None; columns],
            absolute: Vec::new(),
            values: Vec::with_capacity(columns),
            items: Vec::new(),
            absolute_items: 0,
            absolute_text: 0,
        }
    }

    /// Begins a message: types the values of its absolute paths.
    pub(super) fn begin(&mut self, plan: &RecordPlan, staging: &Staging, document: &str) {
        self.items.clear();
        self.formatter.clear();
        self.absolute.clear();
        self.absolute.resize_with(plan.columns.len(), || Ok(Value::Null));
        self.first.fill(None);
        let found = staging.absolute();
        for (index, text) in found.all().iter().enumerate() {
            self.first[text.column()].get_or_insert(narrow(index));
        }
        for (index, column) in plan.columns.iter().enumerate() {
            if column.path.origin == Origin::Root {
                let first = self.first[index].map(|at| &found.all()[at as usize]);
                let value = self.value(index, column, first, found, staging.sources(document));
                self.absolute[index] = value.map_err(|problem| match (problem.offset, first) {
                    (None, Some(first)) => problem.at(first.offset()),
                    _ => problem,
                });
            }
        }
        self.absolute_items = self.items.len();
        self.absolute_text = self.formatter.len();
    }

    /// Bytes of absolute paths that every row repeats.
    pub(super) fn absolute_bytes(&self, staging: &Staging) -> usize {
        let fixed = staging.absolute().len() * size_of::<Value>();
        fixed + staging.absolute_text_bytes() + self.absolute_text
    }

    /// The values of a row in the order of the columns.
    pub(super) fn row<'v>(
        &'v mut self,
        plan: &'v RecordPlan,
        staging: &'v Staging,
        document: &'v str,
        row: usize,
    ) -> Result<Values<'v>, InvalidRow> {
        let StagedRow { repeat, unknown, .. } = staging.rows()[row];
        if let Some(unknown) = unknown {
            return Err(InvalidRow::Unknown(unknown));
        }
        if let Some(repeat) = repeat.or(staging.absolute_repeat()) {
            return Err(repeated(repeat));
        }
        self.items.truncate(self.absolute_items);
        self.formatter.truncate(self.absolute_text);
        self.first.fill(None);
        let found = staging.found(row);
        for (index, text) in found.iter().enumerate() {
            self.first[text.column()].get_or_insert(narrow(index));
        }
        let (sources, texts) = (staging.sources(document), staging.found_texts());
        self.values.clear();
        for (index, column) in plan.columns.iter().enumerate() {
            let (offset, value) = match column.path.origin {
                Origin::Root => (None, self.absolute[index].clone()),
                Origin::Row => {
                    let first = self.first[index].map(|at| &found[at as usize]);
                    let value = self.value(index, column, first, texts, sources);
                    (first.map(Found::offset), value)
                }
            };
            match value {
                Ok(value) => self.values.push(value),
                Err(mut problem) => {
                    let offset = problem.offset.take().or(offset);
                    return Err(InvalidRow::Column { column: index, problem, offset });
                }
            }
        }
        let texts = Texts { sources, formatted: self.formatter.text(), columns: &plan.columns };
        Ok(Values { values: &self.values, items: &self.items, texts })
    }

    /// The value of a column whose first occurrence is `first`; none is a missing element or attribute.
    #[inline]
    fn value(
        &mut self,
        index: usize,
        column: &ColumnPlan,
        first: Option<&Found>,
        found: &FoundTexts,
        sources: Sources<'_>,
    ) -> Result<Value, Box<Problem>> {
        match (first, &column.repeated) {
            (None, _) => value::read(index, column, Formatted::Missing, sources, self.formatter.text()),
            (Some(only), Repetition::Refused | Repetition::First) => self.single(index, column, only, sources),
            (Some(first), Repetition::Last | Repetition::Join(_) | Repetition::List) => {
                self.several(index, column, found.chain(first), sources)
            }
        }
    }

    /// The value of one text.
    #[inline]
    fn single(
        &mut self,
        index: usize,
        column: &ColumnPlan,
        found: &Found,
        sources: Sources<'_>,
    ) -> Result<Value, Box<Problem>> {
        let formatted = self.formatter.format(column, found.text, sources);
        let value = value::read(index, column, formatted, sources, self.formatter.text());
        value.map_err(|problem| problem.at(found.offset()))
    }

    /// The value of a column that may have several texts and does not take the first alone.
    fn several<'f>(
        &mut self,
        index: usize,
        column: &ColumnPlan,
        chain: impl Iterator<Item = &'f Found> + Clone,
        sources: Sources<'_>,
    ) -> Result<Value, Box<Problem>> {
        match &column.repeated {
            Repetition::Refused | Repetition::First | Repetition::Last => {
                let last = chain.last().expect("a chain has at least one text");
                self.single(index, column, last, sources)
            }
            Repetition::Join(separator) => {
                let max_bytes = self.max_text_bytes;
                let joined = self.formatter.join(column, separator, chain.map(|found| found.text), sources, max_bytes);
                let too_long = || {
                    let message = format!("the texts put together are longer than {max_bytes} bytes");
                    Problem::boxed(Reason::TextTooLong, message)
                };
                value::read(index, column, joined.ok_or_else(too_long)?, sources, self.formatter.text())
            }
            Repetition::List => {
                let start = narrow(self.items.len());
                for found in chain {
                    let item = self.single(index, column, found, sources)?;
                    self.items.push(item);
                }
                Ok(Value::List { start, end: narrow(self.items.len()) })
            }
        }
    }
}

fn narrow(index: usize) -> u32 {
    u32::try_from(index).expect("a message has at most 2,000,000 values")
}

fn repeated(repeat: Repeat) -> InvalidRow {
    let message = "the element or attribute stands a second time and the column takes one; set repeated to allow it";
    let problem = Problem::boxed(Reason::RepeatedElement, message);
    InvalidRow::Column { column: repeat.column, problem, offset: Some(repeat.offset) }
}
