//! Rows of messages that a later generation has read again: what `--rebuild` leaves out (F22).

use std::collections::HashMap;

use arrow::array::{Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::buffer::BooleanBuffer;

use super::reader::typed;
use super::schema::Conflict;
use crate::log::{Fold, Reading};

/// Which offsets were read again, by topic id and partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Superseded(HashMap<String, HashMap<i32, Vec<Again>>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Again {
    generation: i32,
    from: i64,
    to: i64,
}

impl Superseded {
    /// What the rewinds of a RAW zone have led to. A message counts as read again whatever came of it: rows, a reject, or
    /// nothing, where Kafka no longer had it between messages that were read. What was lost before it could be read does
    /// not.
    pub fn of(raw: &Fold) -> Self {
        let mut superseded = Self::default();
        for Reading { topic_id, partition, generation, from, to } in raw.readings() {
            let of_topic = superseded.0.entry(topic_id).or_default();
            of_topic.entry(partition).or_default().push(Again { generation, from, to });
        }
        superseded
    }

    /// Which rows of a batch were read again later; none if no row was.
    ///
    /// # Errors
    /// The batch lacks one of the columns that say where a row came from.
    pub fn find(&self, rows: &RecordBatch) -> Result<Option<BooleanBuffer>, Conflict> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let topics: &StringArray = typed(rows, "kafka_topic_id")?;
        let partitions: &Int32Array = typed(rows, "kafka_partition")?;
        let offsets: &Int64Array = typed(rows, "kafka_offset")?;
        let generations: &Int32Array = typed(rows, "generation")?;
        let is_old = |row: usize| {
            let again = self.0.get(topics.value(row)).and_then(|of_topic| of_topic.get(&partitions.value(row)));
            let (offset, generation) = (offsets.value(row), generations.value(row));
            again.is_some_and(|again| {
                again.iter().any(|again| again.generation > generation && (again.from..again.to).contains(&offset))
            })
        };
        let old = BooleanBuffer::collect_bool(rows.num_rows(), is_old);
        Ok((old.count_set_bits() > 0).then_some(old))
    }
}
