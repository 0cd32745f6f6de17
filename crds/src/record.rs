//! How a message becomes rows: the row's path, its columns and their rules.
//!
//! No field below has a default in the schema: the plan holds the defaults, so that the server writes none into the
//! columns of a resource and GitOps tools see no difference.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar::{Bound, Quantity};

/// How a message becomes rows.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// Path of the element that is one row, from the root, for example /library/book.
    ///
    /// Names are separated by "/". A name without a prefix matches an element of any namespace, unless namespaces is set.
    #[schemars(length(min = 2, max = 1024), regex(pattern = "^/"))]
    pub row_path: String,
    /// Prefixes that paths may use, at most 32. Default none: a name in a path matches any namespace.
    ///
    /// With at least one entry, a name without a prefix matches only elements and attributes without a namespace, as in XPath.
    /// The prefixes are those of the paths; a document may use others for the same URI.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["prefix".into()]))]
    pub namespaces: Vec<Namespace>,
    /// What becomes of a well-formed message in which no element matches rowPath. Default Reject, with the reason NoRows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_empty_message: Option<OnEmptyMessage>,
    /// What becomes of a message of which a row is invalid. Default RejectRow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_invalid_row: Option<OnInvalidRow>,
    /// What becomes of elements that no path leads to or through. Default Ignore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_elements: Option<UnknownElements>,
    /// What one message may ask for. A message beyond a limit is rejected with the limit's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Columns of the row, at most 1000.
    #[schemars(length(min = 1, max = 1000))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub columns: Vec<Column>,
}

/// A prefix and the namespace that it stands for in paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Namespace {
    /// Prefix as paths write it, for example b in /b:library/b:book.
    #[schemars(length(min = 1, max = 64))]
    pub prefix: String,
    /// URI of the namespace as documents declare it, compared character by character, for example urn:example:books.
    #[schemars(length(min = 1, max = 1024))]
    pub uri: String,
}

/// What becomes of a message without rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnEmptyMessage {
    /// It is rejected as NoRows; the record names the root that was found.
    #[default]
    Reject,
    /// It is accepted with no row.
    Accept,
}

/// What becomes of a message with an invalid row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnInvalidRow {
    /// The invalid row is rejected and the others are written.
    #[default]
    RejectRow,
    /// The message is rejected: one record for each invalid row, and no row is written.
    RejectMessage,
}

/// What becomes of elements that no path leads to or through.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UnknownElements {
    /// They are passed over.
    #[default]
    Ignore,
    /// The row that has one is rejected as UnknownElement; outside of rows, the message. Attributes do not count.
    Reject,
}

/// What one message may ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Longest message in bytes. Default 16Mi, from 1Ki to 128Mi. Reason MessageTooLarge.
    ///
    /// A worker needs several times this much memory for one message: raise pod.memory with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_message_size: Option<Quantity>,
    /// Deepest nesting of elements. Default 128. Reason TooDeep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_depth: Option<i32>,
    /// Most attributes of one element, declarations of namespaces included. Default 1000. Reason TooManyAttributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_attributes: Option<i32>,
    /// Longest text of one column in bytes. Default 10Mi, from 1 to 128Mi. Reason TextTooLong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_text_size: Option<Quantity>,
    /// Most rows of one message. Default 100000. Reason TooManyRows.
    ///
    /// Apart from it a message has at most 2000000 values, nulls included: with 100 columns at most 20000 rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_rows_per_message: Option<i32>,
}

/// One column: where its text is found, what it is formatted to, and which values are valid.
///
/// The order is fixed: trim, collapse, nullIf, default, type, then the rules required, pattern, enum, min and max,
/// minLength and maxLength. A row that breaks a rule is rejected with the reason.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.type) && self.type == 'Decimal' ? has(self.precision) && has(self.scale) : !has(self.precision) && !has(self.scale)")
        .message("precision and scale belong to a Decimal, which needs both; write for example type: Decimal, precision: 10, scale: 2"),
    validation = Rule::new("!has(self.formats) || size(self.formats) == 0 || (has(self.type) && self.type in ['Date', 'Timestamp'])")
        .message("formats apply to Date and Timestamp; remove them or change the type"),
    validation = Rule::new("!has(self.timeZone) || (has(self.type) && self.type == 'Timestamp')")
        .message("timeZone applies to Timestamp; remove it or change the type"),
    validation = Rule::new("!has(self.separator) || (has(self.repeated) && self.repeated == 'Join')")
        .message("separator applies to repeated: Join; remove it or set repeated"),
    validation = Rule::new("!(has(self.pattern) || has(self.minLength) || has(self.maxLength)) || !has(self.type) || self.type == 'String'")
        .message("pattern, minLength and maxLength apply to String; remove them or use min and max")
)]
pub struct Column {
    /// Name of the column in Parquet. Names that begin with kafka_ and record_index, generation, ingest_date, ingest_hour are reserved.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[A-Za-z_][A-Za-z0-9_]*$"))]
    pub name: String,
    /// Path of the value relative to the row, or from the root of the message when it begins with "/".
    ///
    /// Names separated by "/"; the last step may be @attribute or text(). Examples: title, author/name, @id, /library/@region.
    /// The text of an element is its own text, not that of its children. A value outside the rows may stand before or after them.
    #[schemars(length(min = 1, max = 1024))]
    pub path: String,
    /// Type of the column. Default String. The texts that it takes are those of XML Schema, for example 1 and true for a Boolean.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub column_type: Option<ColumnType>,
    /// Most digits of a Decimal, from 1 to 38.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 38))]
    pub precision: Option<i32>,
    /// Digits of a Decimal behind the point, from 0 to its precision. A value with more of them is rejected, not rounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 38))]
    pub scale: Option<i32>,
    /// Forms of a Date or Timestamp in the notation of strftime, tried in their order, for example ["%d.%m.%Y", "%Y-%m-%d"]. At most 16.
    ///
    /// Default for a Date is YYYY-MM-DD, for a Timestamp RFC 3339 with or without an offset, such as 2026-01-31T08:15:00.25Z.
    /// Formats replace the default. A Timestamp's format without a time of day means midnight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub formats: Vec<String>,
    /// Time zone of a Timestamp whose text has no offset, for example Europe/Berlin. Default Etc/UTC.
    ///
    /// A time that occurs twice when clocks are put back is the earlier one; one that clocks skip is rejected as InvalidType.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
    /// What a second occurrence of the element or attribute in a row means. Unset, it rejects the row as RepeatedElement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeated: Option<Repeated>,
    /// What stands between the texts that repeated: Join puts together. Default ",".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub separator: Option<String>,
    /// Removes white space at both ends before anything else. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trim: Option<bool>,
    /// Makes one blank of each run of white space, line ends included. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collapse: Option<bool>,
    /// Texts that become null, compared after trim and collapse, for example ["", "N/A"]. Quote words such as "NO".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub null_if: Vec<String>,
    /// Text that stands for null: a missing element, an empty one of other types than String, or one that nullIf matched.
    ///
    /// Default none. It must be of the type and keep the rules. Quote decimals and dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Bound>,
    /// Rejects the row when the value is null: the element is missing, is empty (other types than String), or nullIf matched. Default false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// Regular expression (Rust regex, not anchored) that a String must match, for example ^[0-9a-f-]{36}$.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub pattern: Option<String>,
    /// The valid values, for example ["new", "used"]; at most 256. Quote decimals and dates.
    #[serde(rename = "enum", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub allowed: Vec<Bound>,
    /// Smallest valid value of a number, Date or Timestamp. Quote decimals and dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Bound>,
    /// Greatest valid value of a number, Date or Timestamp. Quote decimals and dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Bound>,
    /// Fewest characters of a String.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000_000))]
    pub min_length: Option<i32>,
    /// Most characters of a String.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000_000))]
    pub max_length: Option<i32>,
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
    /// 64-bit floating point number; INF, -INF and NaN included.
    Float64,
    /// Exact number of precision digits, scale of them behind the point.
    Decimal,
    /// Calendar day.
    Date,
    /// Instant in microseconds, UTC. Further digits of a second are cut off.
    Timestamp,
}

/// What a second occurrence of a column's element or attribute means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Repeated {
    /// The first occurrence counts.
    First,
    /// The last occurrence counts.
    Last,
    /// The texts, nulls left out, are put together with separator between them. For String.
    Join,
    /// The column is a list of the values. Formats and rules apply to each; it is null if there is none.
    List,
}
