//! The directories of a Processed zone: `<column>=<value>`, one level a partition column, as Hive writes them.
//!
//! A plain reader takes the value from the name, ours from the log entry, where it stands with its type. Hive, Spark and
//! their readers have no name for an empty String: it shares the directory of null. In the log the two are apart, in
//! files of their own, so that compactions return each as it came; a plain reader sees null for both.

use std::fmt::Write as _;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Date32Type, Int32Type, Int64Type};
use chrono::NaiveDate;

use crate::log::{PartitionValue, TypedValue};

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
    /// The column's type has no directory names.
    #[error("column {column:?} is a {found}, which makes no directories; partition by another column")]
    Type {
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
}

/// The value of a partition column in one row.
///
/// # Errors
/// The column's type makes no directories.
pub fn partition_value(column: &str, array: &dyn Array, row: usize) -> Result<PartitionValue, DirectoryError> {
    let valid = array.is_valid(row);
    let value = match array.data_type() {
        DataType::Utf8 => TypedValue::String(valid.then(|| array.as_string::<i32>().value(row).to_owned())),
        DataType::Int32 => TypedValue::Int32(valid.then(|| array.as_primitive::<Int32Type>().value(row))),
        DataType::Int64 => TypedValue::Int64(valid.then(|| array.as_primitive::<Int64Type>().value(row))),
        DataType::Boolean => TypedValue::Boolean(valid.then(|| array.as_boolean().value(row))),
        DataType::Date32 => {
            let date = |days: i32| Date32Type::to_naive_date_opt(days);
            TypedValue::Date(valid.then(|| date(array.as_primitive::<Date32Type>().value(row))).flatten())
        }
        other => return Err(DirectoryError::Type { column: column.to_owned(), found: other.to_string() }),
    };
    Ok(PartitionValue { column: column.to_owned(), value })
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
