//! Columns of the StreamIngest that an HourlyCompaction names.

use super::{ColumnPlan, IngestPlan, Problems};

/// The columns of a Processed zone: those named, and those that another field `needs`; all if none is named.
pub(super) fn kept_columns(
    at: &str,
    named: &[String],
    needed: &[&str],
    ingest: &IngestPlan,
    problems: &mut Problems,
) -> Vec<ColumnPlan> {
    check_names(at, named, ingest, problems);
    let columns = &ingest.record.columns;
    let kept = |column: &&ColumnPlan| {
        named.is_empty() || named.contains(&column.name) || needed.contains(&column.name.as_str())
    };
    columns.iter().filter(kept).cloned().collect()
}

/// A few columns whose order means something.
pub(super) fn check_columns(at: &str, columns: &[String], ingest: &IngestPlan, problems: &mut Problems) {
    if columns.len() > 16 {
        problems.add(at, format!("has {} columns; at most 16 are possible", columns.len()));
    }
    check_names(at, columns, ingest, problems);
}

fn check_names(at: &str, columns: &[String], ingest: &IngestPlan, problems: &mut Problems) {
    for (index, column) in columns.iter().enumerate() {
        if ingest.column(column).is_none() {
            problems.add(format!("{at}[{index}]"), unknown_column(column, ingest));
        } else if columns[..index].contains(column) {
            problems.add(format!("{at}[{index}]"), format!("{column:?} stands here twice; remove one"));
        }
    }
}

pub(super) fn unknown_column(column: &str, ingest: &IngestPlan) -> String {
    let names: Vec<&str> = ingest.record.columns.iter().map(|column| column.name.as_str()).collect();
    format!("{column:?} is not a column of StreamIngest {:?}; it has {}", ingest.name, names.join(", "))
}

pub(super) fn type_name(column: &ColumnPlan) -> String {
    if column.is_list() { "List".to_owned() } else { format!("{:?}", column.value_type.column_type()) }
}
