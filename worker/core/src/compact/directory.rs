//! The directories of a Processed zone: `<column>=<value>`, one level a partition column, as Hive writes them.
//!
//! A transform other than Identity has a column of its own, `<column>_month=2026-11`: the source column stays in the
//! file. Years, months, days and hours are those of UTC. A plain reader takes the value from the name, ours from the log entry, where it stands with its type. Hive, Spark and
//! their readers have no name for an empty String: it shares the directory of null. In the log the two are apart, in
//! files of their own, so that compactions return each as it came; a plain reader sees null for both.

use std::fmt::Write as _;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime};

use crate::log::{PartitionField, PartitionTransform, PartitionValue, TypedValue};

/// Hive's name of null.
const NULL_NAME: &str = "__HIVE_DEFAULT_PARTITION__";

/// Longest name of a directory in bytes, of HDFS (dfs.namenode.fs-limits.max-component-length) and of Linux.
const MAX_NAME_BYTES: usize = 255;

/// A value that can't name a directory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// File systems refuse the name.
    #[error(
        "column {column:?} has a value of {} characters, whose directory name would have {bytes} bytes, of which file systems take {MAX_NAME_BYTES}; it begins {:?}; partition by another column in a new HourlyCompaction with its own processed.path, and reject such values by a pattern such as ^.{{0,80}}$", 
        value.chars().count(), value.chars().take(40).collect::<String>()
    )]
    TooLong {
        /// The column.
        column: String,
        /// The value.
        value: String,
        /// Length of the name.
        bytes: usize,
    },
    /// The column's type has no directory names by the transform.
    #[error("column {column:?} is a {found}, which makes no directories by {transform:?}; partition by another column")]
    Type {
        /// The column.
        column: String,
        /// Its type.
        found: String,
        /// How its values become names.
        transform: PartitionTransform,
    },
    /// A date or time that no calendar has.
    #[error(
        "column {column:?} has a value {units} {unit} from 1970, which no calendar has; reject such values by min and max of the column"
    )]
    Calendar {
        /// The column.
        column: String,
        /// How far from 1970.
        units: i64,
        /// Days or microseconds.
        unit: &'static str,
    },
}

/// The value that names the directory of one row, from the row's value of the field's column.
///
/// # Errors
/// The column's type makes no directories by the transform, or the value is outside the calendar.
pub fn partition_value(
    field: &PartitionField,
    array: &dyn Array,
    row: usize,
) -> Result<PartitionValue, DirectoryError> {
    let value = match field.transform {
        PartitionTransform::Identity => identity(field, array, row)?,
        PartitionTransform::Year => TypedValue::Int32(instant(field, array, row)?.map(|instant| instant.year())),
        PartitionTransform::Month => formatted(field, array, row, "%Y-%m")?,
        PartitionTransform::Day => TypedValue::Date(instant(field, array, row)?.map(|instant| instant.date())),
        PartitionTransform::Hour => formatted(field, array, row, "%Y-%m-%d-%H")?,
    };
    Ok(PartitionValue { column: field.directory_column(), value })
}

fn identity(field: &PartitionField, array: &dyn Array, row: usize) -> Result<TypedValue, DirectoryError> {
    let valid = array.is_valid(row);
    Ok(match array.data_type() {
        DataType::Utf8 => TypedValue::String(valid.then(|| array.as_string::<i32>().value(row).to_owned())),
        DataType::Int32 => TypedValue::Int32(valid.then(|| array.as_primitive::<Int32Type>().value(row))),
        DataType::Int64 => TypedValue::Int64(valid.then(|| array.as_primitive::<Int64Type>().value(row))),
        DataType::Boolean => TypedValue::Boolean(valid.then(|| array.as_boolean().value(row))),
        DataType::Date32 => TypedValue::Date(instant(field, array, row)?.map(|instant| instant.date())),
        _ => return Err(no_directories(field, array)),
    })
}

fn formatted(
    field: &PartitionField,
    array: &dyn Array,
    row: usize,
    format: &str,
) -> Result<TypedValue, DirectoryError> {
    let text = |instant: NaiveDateTime| instant.format(format).to_string();
    Ok(TypedValue::String(instant(field, array, row)?.map(text)))
}

/// The day or the time of a row in UTC.
fn instant(field: &PartitionField, array: &dyn Array, row: usize) -> Result<Option<NaiveDateTime>, DirectoryError> {
    let hour = field.transform == PartitionTransform::Hour;
    let (units, unit, instant) = match array.data_type() {
        DataType::Date32 if !hour => {
            let days = array.is_valid(row).then(|| array.as_primitive::<Date32Type>().value(row));
            let Some(days) = days else { return Ok(None) };
            let midnight = NaiveDate::from_epoch_days(days).map(|date| date.and_time(NaiveTime::MIN));
            (i64::from(days), "days", midnight)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) if field.transform != PartitionTransform::Identity => {
            let micros = array.is_valid(row).then(|| array.as_primitive::<TimestampMicrosecondType>().value(row));
            let Some(micros) = micros else { return Ok(None) };
            (micros, "microseconds", DateTime::from_timestamp_micros(micros).map(|time| time.naive_utc()))
        }
        _ => return Err(no_directories(field, array)),
    };
    match instant {
        Some(instant) => Ok(Some(instant)),
        None => Err(DirectoryError::Calendar { column: field.column.clone(), units, unit }),
    }
}

fn no_directories(field: &PartitionField, array: &dyn Array) -> DirectoryError {
    let found = array.data_type().to_string();
    DirectoryError::Type { column: field.column.clone(), found, transform: field.transform }
}

/// The directory of rows with these values, relative to the zone.
///
/// # Errors
/// A name is too long.
pub fn directory(values: &[PartitionValue]) -> Result<String, DirectoryError> {
    let mut path = String::new();
    for PartitionValue { column, value } in values {
        let text = text(value);
        let name = format!("{}={}", encode(column), value_name(text.as_deref()));
        if name.len() > MAX_NAME_BYTES {
            let (column, value) = (column.clone(), text.unwrap_or_default());
            return Err(DirectoryError::TooLong { column, value, bytes: name.len() });
        }
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(&name);
    }
    Ok(path)
}

fn text(value: &TypedValue) -> Option<String> {
    match value {
        TypedValue::String(value) => value.clone(),
        TypedValue::Int32(value) => value.map(|value| value.to_string()),
        TypedValue::Int64(value) => value.map(|value| value.to_string()),
        TypedValue::Boolean(value) => value.map(|value| value.to_string()),
        TypedValue::Date(value) => value.map(|value: NaiveDate| value.to_string()),
    }
}

fn value_name(text: Option<&str>) -> String {
    match text {
        None | Some("") => NULL_NAME.to_owned(),
        // A value that is spelled like Hive's null; readers decode it before they compare.
        Some(NULL_NAME) => NULL_NAME.replacen('_', "%5F", 1),
        Some(text) => encode(text),
    }
}

/// Percent-encodes what Hive does: control characters and what means something in a path, a glob or a file name.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii_control() || "\"#%'*/:=?\\{[]^".contains(character) {
            write!(encoded, "%{:02X}", u32::from(character)).expect("a String takes every write");
        } else {
            encoded.push(character);
        }
    }
    encoded
}
