//! Files that an entry adds or removes.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::super::layout::ZonePath;
use super::super::names::Digest;

/// The directory that a file's path is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FileZone {
    /// The RAW zone's own.
    Raw,
    /// The sibling `<zone>_rejected` of a RAW or Processed zone, whose files are entries of that zone's log.
    Rejected,
    /// The Processed zone's own.
    Processed,
}

/// A file that an entry adds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileEntry {
    /// Whose directory `path` is relative to.
    pub zone: FileZone,
    /// Its published name.
    pub path: ZonePath,
    /// Its name before publication, relative to the directory of the log's zone.
    pub staged: ZonePath,
    /// Rows in it.
    pub rows: u64,
    /// Its length; a file of another length is never published.
    pub bytes: u64,
    /// Digest of its bytes.
    pub digest: Digest,
    /// Id of the schema that it was written with.
    pub schema: String,
    /// Of a Processed file: the one bucket whose keys it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u32>,
    /// Of a Processed file: the value of each column that names a directory. The file does not repeat those columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<Vec<PartitionValue>>,
}

/// The value of a partition column for a whole file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartitionValue {
    /// The column.
    pub column: String,
    /// Its value, with its type.
    pub value: TypedValue,
}

/// A value of a type that can name a directory; the inner `None` is null.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "type", content = "value", deny_unknown_fields)]
pub enum TypedValue {
    /// Text.
    String(Option<String>),
    /// A 32-bit integer.
    Int32(Option<i32>),
    /// A 64-bit integer.
    Int64(Option<i64>),
    /// True or false.
    Boolean(Option<bool>),
    /// A day.
    Date(Option<NaiveDate>),
}

/// A file that an entry removes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemovedFile {
    /// Whose directory `path` is relative to.
    pub zone: FileZone,
    /// Its published name.
    pub path: ZonePath,
}
