//! The columns of files, so that the log alone can tell whether two files can be read together (F34).

use arrow::datatypes::Schema;
use serde::{Deserialize, Serialize};

use crate::raw::schema_id;

/// The columns that files with this schema id have; told by the first entry that uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileSchema {
    /// What [`super::FileEntry::schema`] names it by.
    pub id: String,
    /// The columns, in their order.
    pub columns: Vec<SchemaColumn>,
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SchemaColumn {
    /// Its name.
    pub name: String,
    /// Its type, as Arrow writes it.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether it may hold no value.
    pub nullable: bool,
}

impl FileSchema {
    /// Describes a schema.
    pub fn of(schema: &Schema) -> Self {
        let column = |field: &arrow::datatypes::FieldRef| SchemaColumn {
            name: field.name().clone(),
            data_type: field.data_type().to_string(),
            nullable: field.is_nullable(),
        };
        Self { id: schema_id(schema), columns: schema.fields().iter().map(column).collect() }
    }

    /// The first column whose type in the other schema is another: such files cannot be read side by side.
    ///
    /// A column that only one of them has is null in the other's rows, so it disturbs nobody unless it must have a
    /// value; a name is never used again with another type.
    pub fn conflict<'a>(&'a self, other: &'a Self) -> Option<(&'a SchemaColumn, &'a SchemaColumn)> {
        self.columns.iter().find_map(|ours| {
            let theirs = other.columns.iter().find(|theirs| theirs.name == ours.name)?;
            (theirs.data_type != ours.data_type).then_some((ours, theirs))
        })
    }
}
