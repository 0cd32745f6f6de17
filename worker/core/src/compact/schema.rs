//! The columns of a Processed file, whether those of live files can go on in them, and rows of older files in the form of
//! today's.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
    new_null_array,
};
use arrow::datatypes::{DataType, Date32Type, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use gristmill_crds::plan::ColumnPlan;

use crate::log::{PartitionField, PartitionTransform, PartitionValue, TypedValue};
use crate::raw;

/// RAW's columns that every Processed file carries, as its last ones: later duels are decided by them (F23).
pub const CARRIED_COLUMNS: [&str; 6] =
    ["kafka_topic_id", "kafka_partition", "kafka_offset", "kafka_timestamp", "record_index", "generation"];

/// A column that can't be what the resource says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column {column:?} {problem}")]
pub struct Conflict {
    /// The column.
    pub column: String,
    /// What is wrong, and the next act.
    pub problem: String,
}

impl Conflict {
    pub(super) fn missing(column: &str) -> Self {
        Self { column: column.to_owned(), problem: "is missing; the file is not one of this zone".to_owned() }
    }

    pub(super) fn no_key(column: &str, found: &DataType) -> Self {
        Self { column: column.to_owned(), problem: format!("is a {found}, which can't be a key") }
    }

    pub(super) fn no_time(column: &str, found: &DataType) -> Self {
        Self { column: column.to_owned(), problem: format!("is a {found}, which tells no time") }
    }

    pub(super) fn not_ours(column: &str, found: &DataType) -> Self {
        Self { column: column.to_owned(), problem: format!("is a {found}; the file is not one of this zone") }
    }

    pub(super) fn rows(error: ArrowError) -> Self {
        Self { column: "orderBy".to_owned(), problem: error.to_string() }
    }

    fn other_type(column: &str, found: &DataType, expected: &DataType) -> Self {
        let problem = format!(
            "is a {found} there and a {expected} in the resource; give the column its old type, or a new name for the new type"
        );
        Self { column: column.to_owned(), problem }
    }

    fn changed_type(column: &str, found: &DataType, expected: &DataType) -> Self {
        let problem = format!(
            "is a {found} there and a {expected} in the resource; give the column its old type, or a new name for the new type, or create a new HourlyCompaction with its own processed.path"
        );
        Self { column: column.to_owned(), problem }
    }

    fn two_types(column: &str, found: &DataType, other: &DataType) -> Self {
        let problem = format!(
            "is a {found} there and a {other} in another file of the zone, and not among the columns of the resource; drop it for good with `gristmill compact --rebuild`, or create a new HourlyCompaction with its own processed.path"
        );
        Self { column: column.to_owned(), problem }
    }
}

/// The columns of a zone's rows.
#[derive(Debug, Clone)]
pub struct Layout {
    user_columns: usize,
    dropped_columns: usize,
    by_value: Vec<String>,
    rows: SchemaRef,
    file: SchemaRef,
    file_columns: Vec<usize>,
}

impl Layout {
    /// The layout of a zone of these columns. What names a directory by its very value is not repeated in the file.
    pub fn new(columns: &[ColumnPlan], partition_by: &[PartitionField]) -> Self {
        let raw = raw::row_schema(columns);
        let carried = |field: &&Arc<Field>| CARRIED_COLUMNS.contains(&field.name().as_str());
        let user: Vec<_> = raw.fields().iter().take(columns.len()).cloned().collect();
        let carried: Vec<_> = raw.fields().iter().filter(carried).cloned().collect();
        let by_value = partition_by.iter().filter(|field| field.transform == PartitionTransform::Identity);
        Self::of(&user, &[], &carried, by_value.map(|field| field.column.clone()).collect())
    }

    fn of(user: &[FieldRef], dropped: &[FieldRef], carried: &[FieldRef], by_value: Vec<String>) -> Self {
        let fields: Vec<FieldRef> = [user, dropped, carried].concat();
        let in_file = |index: &usize| !by_value.contains(fields[*index].name());
        let file_columns: Vec<usize> = (0..fields.len()).filter(in_file).collect();
        let file = Schema::new(file_columns.iter().map(|index| Arc::clone(&fields[*index])).collect::<Vec<_>>());
        Self {
            user_columns: user.len(),
            dropped_columns: dropped.len(),
            by_value,
            rows: Arc::new(Schema::new(fields)),
            file: Arc::new(file),
            file_columns,
        }
    }

    /// The same with columns that only files have: rows that are carried over keep them, behind the user's.
    #[must_use]
    pub fn with_dropped(&self, dropped: &[FieldRef]) -> Self {
        let (user, carried) = self.rows.fields().split_at(self.user_columns);
        Self::of(user, dropped, &carried[self.dropped_columns..], self.by_value.clone())
    }

    /// The columns of a file that are dropped ones.
    pub fn dropped_in_file(&self) -> Vec<usize> {
        let dropped = self.user_columns..self.user_columns + self.dropped_columns;
        (0..).zip(&self.file_columns).filter(|(_, column)| dropped.contains(column)).map(|(index, _)| index).collect()
    }

    /// A whole row: the user's columns, then dropped ones if there are any, then the carried ones.
    pub fn rows(&self) -> &SchemaRef {
        &self.rows
    }

    /// A row as a file holds it: without the columns that name its directory.
    pub fn file(&self) -> &SchemaRef {
        &self.file
    }

    /// Where the columns of a file are in a whole row.
    pub fn file_columns(&self) -> &[usize] {
        &self.file_columns
    }

    /// The user's columns: duplicates that are equal in them change nothing.
    pub fn user_columns(&self) -> Schema {
        Schema::new(self.rows.fields().iter().take(self.user_columns).cloned().collect::<Vec<_>>())
    }

    /// Checks that a live file's columns go on, so that a listing shows one type only (F34), and adds those that the
    /// resource does not have any more to `dropped`. Columns that the file lacks are null in it.
    ///
    /// # Errors
    /// A column has another type than in the resource, or than in a file before.
    pub fn take_dropped(&self, file: &Schema, dropped: &mut Vec<FieldRef>) -> Result<(), Conflict> {
        for field in file.fields() {
            let (name, found) = (field.name(), field.data_type());
            if self.rows.field_with_name(name).is_ok() {
                self.keeps(name, found)?;
            } else if let Some(other) = dropped.iter().find(|other| other.name() == name) {
                if other.data_type() != found {
                    return Err(Conflict::two_types(name, found, other.data_type()));
                }
            } else {
                dropped.push(Arc::new(Field::new(name, found.clone(), true)));
            }
        }
        Ok(())
    }

    /// Checks the columns that a live file's directory names by value, as [`Self::take_dropped`] does those inside. The
    /// resource has all of them, since genesis holds them.
    ///
    /// # Errors
    /// A column has another type.
    pub fn keeps_partition(&self, partition: &[PartitionValue]) -> Result<(), Conflict> {
        let mut by_value = partition.iter().filter(|value| self.by_value.contains(&value.column));
        by_value.try_for_each(|value| self.keeps(&value.column, repeated(&value.value, 0).data_type()))
    }

    fn keeps(&self, column: &str, found: &DataType) -> Result<(), Conflict> {
        match self.rows.field_with_name(column) {
            Ok(field) if field.data_type() == found => Ok(()),
            Ok(field) => Err(Conflict::changed_type(column, found, field.data_type())),
            Err(_) => Err(Conflict::missing(column)),
        }
    }

    /// Some columns of a whole row.
    ///
    /// # Errors
    /// There is no such column.
    pub fn select(&self, names: &[&str]) -> Result<SchemaRef, Conflict> {
        let fields: Vec<_> = names
            .iter()
            .map(|name| {
                let index = self.rows.index_of(name).map_err(|_| Conflict::missing(name))?;
                Ok(Arc::clone(&self.rows.fields()[index]))
            })
            .collect::<Result<_, Conflict>>()?;
        Ok(Arc::new(Schema::new(fields)))
    }
}

/// Rows in the form of `target`: a column that the file's directory names has its value, one that the file lacks is
/// null, others are left out.
///
/// # Errors
/// A column has another type, or is missing and never null.
pub fn conform(batch: &RecordBatch, target: &SchemaRef, partition: &[PartitionValue]) -> Result<RecordBatch, Conflict> {
    let rows = batch.num_rows();
    let columns: Vec<ArrayRef> = target
        .fields()
        .iter()
        .map(|field| {
            let column = match batch.column_by_name(field.name()) {
                Some(column) => Arc::clone(column),
                None => match partition.iter().find(|value| value.column == *field.name()) {
                    Some(PartitionValue { value, .. }) => repeated(value, rows),
                    None if field.is_nullable() => new_null_array(field.data_type(), rows),
                    None => return Err(Conflict::missing(field.name())),
                },
            };
            if column.data_type() == field.data_type() {
                Ok(column)
            } else {
                Err(Conflict::other_type(field.name(), column.data_type(), field.data_type()))
            }
        })
        .collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(target), columns, &options)
        .map_err(|error| Conflict { column: "batch".to_owned(), problem: error.to_string() })
}

fn repeated(value: &TypedValue, rows: usize) -> ArrayRef {
    match value {
        TypedValue::String(value) => Arc::new(StringArray::from(vec![value.as_deref(); rows])),
        TypedValue::Int32(value) => Arc::new(Int32Array::from(vec![*value; rows])),
        TypedValue::Int64(value) => Arc::new(Int64Array::from(vec![*value; rows])),
        TypedValue::Boolean(value) => Arc::new(BooleanArray::from(vec![*value; rows])),
        TypedValue::Date(value) => {
            let days = value.map(Date32Type::from_naive_date);
            Arc::new(Date32Array::from(vec![days; rows]))
        }
    }
}
