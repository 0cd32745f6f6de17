//! The plan of a `record` block: the row's path, its columns, and what becomes of messages that are not as expected.

use super::path::{ColumnPath, Origin, Prefixes, is_name};
use super::pattern::PatternBudget;
use super::{ColumnPlan, Problems, RowPath};
use crate::record::{Column, Limits, Namespace, OnEmptyMessage, OnInvalidRow, Record, UnknownElements};
use crate::scalar::Quantity;

/// How a message becomes rows, validated.
#[derive(Debug, Clone)]
pub struct RecordPlan {
    /// Elements from the root to a row.
    pub row_path: RowPath,
    /// What becomes of a message without rows.
    pub on_empty_message: OnEmptyMessage,
    /// What becomes of a message with an invalid row.
    pub on_invalid_row: OnInvalidRow,
    /// What becomes of elements that no path leads to or through.
    pub unknown_elements: UnknownElements,
    /// What one message may ask for.
    pub limits: MessageLimits,
    /// Columns in the order of the document; names are unique.
    pub columns: Vec<ColumnPlan>,
}

impl RecordPlan {
    /// The innermost element around the rows, but for the root, that an absolute path leads through; none if there is none.
    pub(super) fn parent_in_common(&self, path: &ColumnPath) -> Option<String> {
        let steps = if path.origin == Origin::Root { path.steps.as_slice() } else { &[] };
        let common = self.row_path.steps().iter().zip(steps).take_while(|(row, step)| row == step).count();
        (common > 1).then(|| steps[..common].iter().map(|step| format!("/{step}")).collect())
    }
}

/// What one message may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageLimits {
    /// Longest message in bytes.
    pub message_bytes: usize,
    /// Deepest nesting of elements.
    pub depth: usize,
    /// Most attributes of one element.
    pub attributes: usize,
    /// Longest text of one column in bytes.
    pub text_bytes: usize,
    /// Most rows.
    pub rows: usize,
}

impl Default for MessageLimits {
    fn default() -> Self {
        Self { message_bytes: 16 << 20, depth: 128, attributes: 1_000, text_bytes: 10 << 20, rows: 100_000 }
    }
}

/// Longest message that a limit may allow: offsets in it have 32 bits, and a worker's memory is a multiple of it.
const MAX_MESSAGE_BYTES: u64 = 128 << 20;

impl RecordPlan {
    /// Looks a column up by its name.
    pub fn column(&self, name: &str) -> Option<&ColumnPlan> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(super) fn build(at: &str, record: &Record, problems: &mut Problems) -> Option<Self> {
        // No `..`: a new field must be given a meaning here.
        let Record { row_path, namespaces, on_empty_message, on_invalid_row, unknown_elements, limits, columns } =
            record;
        let prefixes = prefixes(&format!("{at}.namespaces"), namespaces, problems);
        let row_path = problems.check(&format!("{at}.rowPath"), RowPath::parse(row_path, &prefixes));
        let limits = message_limits(&format!("{at}.limits"), limits.as_ref(), problems);
        let columns = build_columns(&format!("{at}.columns"), columns, &prefixes, problems);
        Some(Self {
            row_path: row_path?,
            on_empty_message: on_empty_message.unwrap_or_default(),
            on_invalid_row: on_invalid_row.unwrap_or_default(),
            unknown_elements: unknown_elements.unwrap_or_default(),
            limits,
            columns,
        })
    }
}

fn prefixes(at: &str, namespaces: &[Namespace], problems: &mut Problems) -> Prefixes {
    if namespaces.len() > 32 {
        problems.add(at, format!("has {} namespaces; at most 32 are possible", namespaces.len()));
    }
    for (index, Namespace { prefix, uri }) in namespaces.iter().enumerate() {
        let field = |name: &str| format!("{at}[{index}].{name}");
        if !is_name(prefix) || prefix.chars().count() > 64 {
            problems.add(
                field("prefix"),
                format!("{prefix:?} is not a prefix; write at most 64 letters, digits, \"_\", \"-\" and \".\""),
            );
        } else if matches!(prefix.as_str(), "xml" | "xmlns") {
            problems.add(field("prefix"), format!("{prefix:?} has a meaning of its own in XML; choose another prefix"));
        } else if namespaces[..index].iter().any(|other| other.prefix == *prefix) {
            problems.add(field("prefix"), format!("{prefix:?} stands here twice; remove one"));
        }
        if uri.is_empty() || uri.chars().count() > 1024 {
            problems
                .add(field("uri"), "is empty or has more than 1024 characters; write the URI as documents declare it");
        }
    }
    Prefixes::new(namespaces.iter().map(|Namespace { prefix, uri }| (prefix.clone(), uri.clone())))
}

fn message_limits(at: &str, limits: Option<&Limits>, problems: &mut Problems) -> MessageLimits {
    // No `..`: a new field must be given a meaning here.
    let Limits { max_message_size, max_depth, max_attributes, max_text_size, max_rows_per_message } =
        limits.cloned().unwrap_or_default();
    let default = MessageLimits::default();
    let mut size = |field: &str, size: Option<Quantity>, min: u64, default: usize| {
        let Some(size) = size else { return default };
        let in_range = size.to_bytes().map_err(|error| error.to_string()).and_then(|bytes| {
            let range = min..=MAX_MESSAGE_BYTES;
            let within = usize::try_from(bytes).ok().filter(|_| range.contains(&bytes));
            within.ok_or_else(|| format!("{:?} is outside {min} bytes to 128Mi", size.0))
        });
        problems.check(&format!("{at}.{field}"), in_range).unwrap_or(default)
    };
    let message_bytes = size("maxMessageSize", max_message_size, 1 << 10, default.message_bytes);
    let text_bytes = size("maxTextSize", max_text_size, 1, default.text_bytes);
    let mut count = |field: &str, count: Option<i32>, max: usize, default: usize| {
        let Some(count) = count else { return default };
        let within = usize::try_from(count).ok().filter(|count| (1..=max).contains(count));
        let within = within.ok_or_else(|| format!("{count} is outside 1 to {max}"));
        problems.check(&format!("{at}.{field}"), within).unwrap_or(default)
    };
    MessageLimits {
        message_bytes,
        depth: count("maxDepth", max_depth, 10_000, default.depth),
        attributes: count("maxAttributes", max_attributes, 100_000, default.attributes),
        text_bytes,
        rows: count("maxRowsPerMessage", max_rows_per_message, 1_000_000, default.rows),
    }
}

fn build_columns(at: &str, columns: &[Column], prefixes: &Prefixes, problems: &mut Problems) -> Vec<ColumnPlan> {
    if columns.is_empty() {
        problems.add(at, "is empty; write at least one column with name and path");
    }
    if columns.len() > 1000 {
        problems.add(at, format!("has {} columns; at most 1000 are possible", columns.len()));
    }
    let mut seen = std::collections::BTreeMap::new();
    for (index, column) in columns.iter().enumerate() {
        // Hive, Spark and DuckDB compare column names without regard to case.
        if let Some(first) = seen.insert(column.name.to_ascii_lowercase(), index) {
            problems.add(
                format!("{at}[{index}].name"),
                format!("{:?} is also the name of columns[{first}] (case does not count); choose another", column.name),
            );
        }
    }
    let mut budget = PatternBudget::new();
    let build = |(index, column)| ColumnPlan::build(&format!("{at}[{index}]"), column, prefixes, &mut budget, problems);
    columns.iter().enumerate().filter_map(build).collect()
}
