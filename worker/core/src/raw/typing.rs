//! The rows of a message that was read to its end: each as typed values, or what is wrong with it first.
//!
//! What is wrong first: an unknown element, else a repetition, else the first column that is not valid.

use gristmill_crds::plan::{ColumnPlan, Origin, RecordPlan, Repetition};

use super::format::{Formatted, Formatter};
use super::found::Found;
use super::reason::Reason;
use super::staging::{Repeat, StagedRow, Staging, Unknown};
use super::value::{self, Problem, Texts, Value, Values};

/// What is wrong with a row.
#[derive(Debug)]
pub(super) enum InvalidRow {
    /// A column.
    Column {
        column: usize,
        problem: Problem,
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
    absolute: Vec<Result<Value, Problem>>,
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
                let chain = first.map(|first| found.chain(first));
                let value = self.value(index, column, chain, staging, document);
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
        self.values.clear();
        for (index, column) in plan.columns.iter().enumerate() {
            let (offset, value) = match column.path.origin {
                Origin::Root => (None, self.absolute[index].clone()),
                Origin::Row => {
                    let first = self.first[index].map(|at| &found[at as usize]);
                    let chain = first.map(|first| staging.chain(first));
                    (first.map(Found::offset), self.value(index, column, chain, staging, document))
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
        let texts =
            Texts { sources: staging.sources(document), formatted: self.formatter.text(), columns: &plan.columns };
        Ok(Values { values: &self.values, items: &self.items, texts })
    }

    /// The value of a column whose occurrences are `chain`; none is a missing element or attribute.
    fn value<'f>(
        &mut self,
        index: usize,
        column: &ColumnPlan,
        chain: Option<impl Iterator<Item = &'f Found> + Clone>,
        staging: &Staging,
        document: &str,
    ) -> Result<Value, Problem> {
        let sources = staging.sources(document);
        let Self { formatter, items, max_text_bytes, .. } = self;
        let single = |formatter: &Formatter, formatted: Formatted| {
            value::read(index, column, formatted, sources, formatter.text())
        };
        let Some(mut chain) = chain else { return single(formatter, Formatted::Missing) };
        match &column.repeated {
            Repetition::Refused | Repetition::First | Repetition::Last => {
                let last = column.repeated == Repetition::Last;
                let found = if last { chain.last() } else { chain.next() }.expect("a chain has at least one text");
                let formatted = formatter.format(column, found.text, sources);
                single(formatter, formatted).map_err(|problem| problem.at(found.offset()))
            }
            Repetition::Join(separator) => {
                let texts = chain.map(|found| found.text);
                let formatted = formatter.join(column, separator, texts, sources, *max_text_bytes);
                let too_long = || {
                    let message = format!("the texts put together are longer than {max_text_bytes} bytes");
                    Problem::new(Reason::TextTooLong, message)
                };
                single(formatter, formatted.ok_or_else(too_long)?)
            }
            Repetition::List => {
                let start = narrow(items.len());
                for found in chain {
                    let formatted = formatter.format(column, found.text, sources);
                    items.push(single(formatter, formatted).map_err(|problem| problem.at(found.offset()))?);
                }
                Ok(Value::List { start, end: narrow(items.len()) })
            }
        }
    }
}

fn narrow(index: usize) -> u32 {
    u32::try_from(index).expect("a message has at most 2,000,000 values")
}

fn repeated(repeat: Repeat) -> InvalidRow {
    let message = "the element or attribute stands a second time and the column takes one; set repeated to allow it";
    let problem = Problem::new(Reason::RepeatedElement, message);
    InvalidRow::Column { column: repeat.column, problem, offset: Some(repeat.offset) }
}
