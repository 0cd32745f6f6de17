//! Which rows come too late.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, TimeUnit, TimestampMicrosecondType};
use chrono::TimeDelta;
use gristmill_crds::plan::LatenessPlan;

use super::schema::Conflict;
use crate::log::LogTime;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Rows whose time lies before the limit are late. A row without a time is never late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateRule {
    column: Arc<str>,
    limit: LogTime,
}

impl LateRule {
    /// The rule of a run over buckets that were processed through this time before it; none if no row can be late: the
    /// resource has no lateness, it can't be said yet how far the zone has come, or that is less than `allowed`.
    pub fn of(plan: Option<&LatenessPlan>, processed_through: Option<LogTime>) -> Option<Self> {
        let LatenessPlan { column, allowed, policy: _ } = plan?;
        let allowed = TimeDelta::from_std(*allowed).ok()?;
        let limit = processed_through?.utc().checked_sub_signed(allowed)?;
        Some(Self { column: Arc::from(column.as_str()), limit: LogTime::new(limit) })
    }

    /// The column that a batch must have.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// Rows before it are late.
    pub fn limit(&self) -> LogTime {
        self.limit
    }

    /// Which rows of a batch are late. A Date is late when the whole of its day, in UTC, lies before the limit.
    ///
    /// # Errors
    /// The batch lacks the column, or has it with a type that tells no time.
    pub fn late(&self, batch: &RecordBatch) -> Result<BooleanArray, Conflict> {
        let column = batch.column_by_name(&self.column).ok_or_else(|| Conflict::missing(&self.column))?;
        let limit = self.limit.utc().timestamp_micros();
        let late = |time: Option<i64>| Some(time.is_some_and(|time| time < limit));
        match column.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Ok(column.as_primitive::<TimestampMicrosecondType>().iter().map(late).collect())
            }
            DataType::Date32 => {
                let last_microsecond = |day: i32| i64::from(day).saturating_mul(DAY).saturating_add(DAY - 1);
                let days = column.as_primitive::<Date32Type>().iter();
                Ok(days.map(|day| late(day.map(last_microsecond))).collect())
            }
            other => Err(Conflict::no_time(&self.column, other)),
        }
    }
}
