//! How a message becomes rows: the row's path, its columns and their rules.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar::Bound;

/// How a message becomes rows.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// Path of the element that is one row, from the root, for example /library/book.
    ///
    /// Names are separated by "/"; a name matches an element of any namespace.
    #[schemars(length(min = 2, max = 1024), regex(pattern = "^/"))]
    pub row_path: String,
    /// Columns of the row, at most 1000.
    #[schemars(length(min = 1, max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub columns: Vec<Column>,
}

/// One column: where its text is found, what it is formatted to, and which values are valid.
///
/// The order is fixed: trim, nullIf, type, then the rules required, pattern, min and max. A row that breaks a rule is rejected with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Column {
    /// Name of the column in Parquet. Names that begin with kafka_ and record_index, generation, ingest_date, ingest_hour are reserved.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub name: String,
    /// Path of the value relative to the row, or from the root of the message when it begins with "/".
    ///
    /// Names separated by "/"; the last step may be @attribute or text(). Examples: title, author/name, @id, /library/@region.
    #[schemars(length(min = 1, max = 1024))]
    pub path: String,
    /// Type of the column. Default String. Boolean takes true, false, 1 and 0; Date takes YYYY-MM-DD.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub column_type: Option<ColumnType>,
    /// Rejects the row when the value is null: the element is missing, is empty (other types than String), or nullIf matched. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// Removes white space at both ends before anything else. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trim: Option<bool>,
    /// Texts that become null, compared after trimming, for example ["", "N/A"]. Quote words such as "NO".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 256)))]
    pub null_if: Vec<String>,
    /// Regular expression (Rust regex, not anchored) that a String must match, for example ^[0-9a-f-]{36}$.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub pattern: Option<String>,
    /// Smallest valid value of an Int32, Int64, Float64 or Date. Quote decimals and dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Bound>,
    /// Greatest valid value of an Int32, Int64, Float64 or Date. Quote decimals and dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Bound>,
}

/// Type of a column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ColumnType {
    /// Text in UTF-8.
    #[default]
    String,
    /// true or 1, false or 0.
    Boolean,
    /// 32-bit signed integer.
    Int32,
    /// 64-bit signed integer.
    Int64,
    /// 64-bit floating point number.
    Float64,
    /// Calendar day, YYYY-MM-DD.
    Date,
}
