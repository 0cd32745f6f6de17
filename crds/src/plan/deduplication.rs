//! Which rows are the same, which of them stays, and which come too late.

use std::time::Duration;

use super::columns::{check_columns, type_name, unknown_column};
use super::{ColumnPlan, IngestPlan, Problems, within};
use crate::hourly_compaction::{Deduplication, Keep, LatePolicy, Lateness};
use crate::record::ColumnType;

/// What identifies a row, and which row of a key stays.
#[derive(Debug)]
pub(super) struct DeduplicationPlan {
    pub(super) key: Vec<String>,
    pub(super) keep: Keep,
    pub(super) order_by: Vec<String>,
}

/// Which rows are late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatenessPlan {
    /// The column with the time of a row: a Timestamp or a Date.
    pub column: String,
    /// How far behind a row may be.
    pub allowed: Duration,
    /// What becomes of late rows.
    pub policy: LatePolicy,
}

impl DeduplicationPlan {
    pub(super) fn read(deduplication: &Deduplication, ingest: &IngestPlan, problems: &mut Problems) -> Self {
        // No `..`: a new field must be given a meaning here.
        let Deduplication { key, keep, order_by } = deduplication;
        check_key(key, ingest, problems);
        check_order(order_by, ingest, problems);
        Self { key: key.clone(), keep: keep.unwrap_or_default(), order_by: order_by.clone() }
    }
}

fn check_key(key: &[String], ingest: &IngestPlan, problems: &mut Problems) {
    let at = "spec.deduplication.key";
    if key.is_empty() {
        problems.add(at, "is empty; name the columns that identify a row");
    }
    check_columns(at, key, ingest, problems);
    for (index, column) in key.iter().enumerate() {
        let refused = |c: &&ColumnPlan| c.is_list() || c.value_type.column_type() == ColumnType::Float64;
        if let Some(refused) = ingest.column(column).filter(refused) {
            problems.add(
                format!("{at}[{index}]"),
                format!("{column:?} is a {}, which can't be a key; use another column", type_name(refused)),
            );
        }
    }
}

/// Columns whose order decides: lists have none.
fn check_order(order_by: &[String], ingest: &IngestPlan, problems: &mut Problems) {
    let at = "spec.deduplication.orderBy";
    check_columns(at, order_by, ingest, problems);
    for (index, column) in order_by.iter().enumerate() {
        if ingest.column(column).is_some_and(ColumnPlan::is_list) {
            let message = format!("{column:?} is a List, which has no order; use another column");
            problems.add(format!("{at}[{index}]"), message);
        }
    }
}

impl LatenessPlan {
    pub(super) fn read(
        at: &str,
        lateness: Option<&Lateness>,
        ingest: &IngestPlan,
        problems: &mut Problems,
    ) -> Option<Self> {
        let Lateness { column, allowed, policy } = lateness?;
        match ingest.column(column) {
            None => problems.add(format!("{at}.column"), unknown_column(column, ingest)),
            Some(found) if !tells_time(found) => problems.add(
                format!("{at}.column"),
                format!("{column:?} is a {}, which tells no time; choose a Timestamp or a Date", type_name(found)),
            ),
            Some(_) => {}
        }
        let century = Duration::from_secs(36_525 * 24 * 3600);
        let allowed = Some(allowed.to_duration());
        let allowed = within(&format!("{at}.allowed"), allowed, Duration::ZERO..=century, "0s to 36525d", problems)?;
        Some(Self { column: column.clone(), allowed, policy: policy.unwrap_or_default() })
    }
}

fn tells_time(column: &ColumnPlan) -> bool {
    !column.is_list() && [ColumnType::Timestamp, ColumnType::Date].contains(&column.value_type.column_type())
}
