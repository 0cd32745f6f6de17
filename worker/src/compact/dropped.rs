//! Columns that the resource has no more and files of the zone still hold: a row that is carried over keeps its values, a
//! row that is written anew has none. So what a reader of all files sees does not depend on which of them were rewritten.
//!
//! The files of a place have such a column as long as one of the rows that they carry over has a value in it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use gristmill_core::compact::Layout;
use gristmill_core::raw::schema_id;

use super::Error;
use super::order::Piece;
use super::places::Place;

/// Finds the values in dropped columns among the rows that are written.
pub(super) struct DroppedColumns {
    file: SchemaRef,
    /// Where they are in a file's row.
    columns: Vec<usize>,
    /// Places by number, and their columns with a value.
    held: Mutex<HashSet<(u32, usize)>>,
}

/// The columns of the files of each place.
pub(super) struct FileColumns {
    file: SchemaRef,
    dropped: Vec<usize>,
    held: HashMap<Place, Vec<usize>>,
}

/// The columns of the files of one place.
pub(super) struct ColumnsOfPlace {
    pub(super) schema: SchemaRef,
    /// Names the schema in an entry.
    pub(super) id: String,
    /// Those of the rows that the files have, if not all.
    some: Option<Vec<usize>>,
}

impl DroppedColumns {
    /// Those of a layout.
    pub(super) fn of(layout: &Layout) -> Self {
        Self { file: Arc::clone(layout.file()), columns: layout.dropped_in_file(), held: Mutex::default() }
    }

    /// Looks at rows that are written.
    pub(super) fn look(&self, piece: &Piece) {
        for column in &self.columns {
            let values = piece.rows.column(*column);
            if values.null_count() == values.len() {
                continue;
            }
            let mut start = 0;
            for (place, rows) in &piece.places {
                let rows = *rows as usize;
                if values.slice(start, rows).null_count() < rows {
                    self.held.lock().unwrap_or_else(PoisonError::into_inner).insert((*place, *column));
                }
                start += rows;
            }
        }
    }

    /// Says that all rows were looked at; `places` are told by their numbers.
    pub(super) fn finish(self, places: &[Place]) -> FileColumns {
        let mut held: HashMap<Place, Vec<usize>> = HashMap::new();
        for (place, column) in self.held.into_inner().unwrap_or_else(PoisonError::into_inner) {
            held.entry(places[place as usize].clone()).or_default().push(column);
        }
        FileColumns { file: self.file, dropped: self.columns, held }
    }
}

impl FileColumns {
    /// The columns of the files of a place.
    pub(super) fn of(&self, place: &Place) -> Result<ColumnsOfPlace, Error> {
        let held = self.held.get(place).map_or(&[] as &[usize], Vec::as_slice);
        if held.len() == self.dropped.len() {
            return Ok(ColumnsOfPlace { schema: Arc::clone(&self.file), id: schema_id(&self.file), some: None });
        }
        let is_left = |column: &usize| !self.dropped.contains(column) || held.contains(column);
        let some: Vec<usize> = (0..self.file.fields().len()).filter(is_left).collect();
        let schema = Arc::new(self.file.project(&some).map_err(failed)?);
        Ok(ColumnsOfPlace { id: schema_id(&schema), schema, some: Some(some) })
    }
}

impl ColumnsOfPlace {
    /// Rows with the columns of the files.
    pub(super) fn project(&self, rows: RecordBatch) -> Result<RecordBatch, Error> {
        match &self.some {
            Some(columns) => rows.project(columns).map_err(failed),
            None => Ok(rows),
        }
    }
}

fn failed(source: arrow::error::ArrowError) -> Error {
    Error::Arrow { act: "leave out dropped columns", source }
}
