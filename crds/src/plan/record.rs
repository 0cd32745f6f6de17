//! The plan of a `record` block: the row's path and its columns.

use super::column::PatternBudget;
use super::{ColumnPlan, Problems, RowPath};
use crate::record::{Column, Record};

/// How a message becomes rows, validated.
#[derive(Debug, Clone)]
pub struct RecordPlan {
    /// Elements from the root to a row.
    pub row_path: RowPath,
    /// Columns in the order of the document; names are unique.
    pub columns: Vec<ColumnPlan>,
}

impl RecordPlan {
    /// Looks a column up by its name.
    pub fn column(&self, name: &str) -> Option<&ColumnPlan> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(super) fn build(at: &str, record: &Record, problems: &mut Problems) -> Option<Self> {
        // No `..`: a new field must be given a meaning here.
        let Record { row_path, columns } = record;
        let row_path = problems.check(&format!("{at}.rowPath"), row_path.parse::<RowPath>());
        let columns = build_columns(&format!("{at}.columns"), columns, problems);
        Some(Self { row_path: row_path?, columns })
    }
}

fn build_columns(at: &str, columns: &[Column], problems: &mut Problems) -> Vec<ColumnPlan> {
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
    let build = |(index, column)| ColumnPlan::build(&format!("{at}[{index}]"), column, &mut budget, problems);
    columns.iter().enumerate().filter_map(build).collect()
}
