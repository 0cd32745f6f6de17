//! The rows of a message that was read to its end: each as typed values, or what is wrong with it first.

use gristmill_crds::plan::{ColumnPlan, Origin};

use super::reason::Reason;
use super::rows::Value;
use super::staging::{Found, Repeat, Staging};
use super::value::{Problem, value};

/// The first thing that is wrong with a row: a repetition, else the first column that is not valid.
#[derive(Debug)]
pub(super) struct InvalidColumn {
    pub(super) column: usize,
    pub(super) problem: Problem,
    /// Where its text stands; None if it is missing.
    pub(super) offset: Option<usize>,
}

/// Types one row after the other.
#[derive(Debug)]
pub(super) struct Typing<'t> {
    columns: &'t [ColumnPlan],
    staging: &'t Staging,
    text: &'t str,
    /// By column: the value of an absolute path, typed once for all rows; None for the other columns.
    absolute: Vec<Option<Result<Value<'t>, Problem>>>,
    /// By column: what the current row has.
    found: Vec<Option<&'t Found>>,
    values: Vec<Value<'t>>,
}

impl<'t> Typing<'t> {
    pub(super) fn new(columns: &'t [ColumnPlan], staging: &'t Staging, text: &'t str) -> Self {
        let absolute = |(index, column): (usize, &ColumnPlan)| match column.path.origin {
            Origin::Row => None,
            Origin::Root => Some(value(column, staging.absolute(index).map(|found| staging.text(text, found)))),
        };
        Self {
            columns,
            staging,
            text,
            absolute: columns.iter().enumerate().map(absolute).collect(),
            found: vec![None; columns.len()],
            values: Vec::with_capacity(columns.len()),
        }
    }

    /// The values of a row in the order of the columns.
    pub(super) fn row(&mut self, row: usize) -> Result<&[Value<'t>], InvalidColumn> {
        if let Some(repeat) = self.staging.rows()[row].repeat.or(self.staging.absolute_repeat()) {
            return Err(repeated(repeat));
        }
        self.found.fill(None);
        for found in self.staging.found(row) {
            self.found[found.column()] = Some(found);
        }
        self.values.clear();
        for column in 0..self.columns.len() {
            let value = self.value(column)?;
            self.values.push(value);
        }
        Ok(&self.values)
    }

    fn value(&self, index: usize) -> Result<Value<'t>, InvalidColumn> {
        let (found, outcome) = match &self.absolute[index] {
            Some(outcome) => (self.staging.absolute(index), outcome.clone()),
            None => {
                let found = self.found[index];
                (found, value(&self.columns[index], found.map(|found| self.staging.text(self.text, found))))
            }
        };
        outcome.map_err(|problem| InvalidColumn { column: index, problem, offset: found.map(Found::offset) })
    }
}

fn repeated(repeat: Repeat) -> InvalidColumn {
    let message = "the element or attribute stands a second time and the column takes one";
    let problem = Problem::new(Reason::RepeatedElement, message);
    InvalidColumn { column: repeat.column, problem, offset: Some(repeat.offset) }
}
