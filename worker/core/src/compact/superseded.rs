//! Rows of messages that a later generation has read again: what `--rebuild` leaves out (F22).

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::buffer::BooleanBuffer;

use super::reader::typed;
use super::schema::Conflict;
use crate::log::{Fold, Reading};

/// Which offsets were read again, by topic id and partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Superseded(HashMap<String, HashMap<i32, Generations>>);

/// The greatest generation that has read an offset, as steps: from an offset on, up to the next one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Generations(Vec<(i64, Option<i32>)>);

impl Generations {
    /// Each reading begins at an offset and ends before another; there the greatest of those that are under way changes.
    fn of(readings: &[Reading]) -> Self {
        let begins = readings.iter().map(|reading| (reading.from, reading.generation, 1));
        let ends = readings.iter().map(|reading| (reading.to, reading.generation, -1));
        let mut changes: Vec<(i64, i32, i32)> = begins.chain(ends).collect();
        changes.sort_unstable();
        let (mut steps, mut under_way) = (Vec::new(), BTreeMap::<i32, i32>::new());
        for changes in changes.chunk_by(|a, b| a.0 == b.0) {
            for (_, generation, change) in changes {
                *under_way.entry(*generation).or_default() += change;
            }
            under_way.retain(|_, readings| *readings > 0);
            steps.push((changes[0].0, under_way.last_key_value().map(|(generation, _)| *generation)));
        }
        Self(steps)
    }

    fn at(&self, offset: i64) -> Option<i32> {
        let after = self.0.partition_point(|(from, _)| *from <= offset);
        self.0[..after].last().and_then(|(_, generation)| *generation)
    }
}

impl Superseded {
    /// What the rewinds of a RAW zone have led to. A message counts as read again whatever came of it: rows, a reject, or
    /// nothing, where Kafka no longer had it between messages that were read. What was lost before it could be read does
    /// not.
    pub fn of(raw: &Fold) -> Self {
        let mut readings: HashMap<String, HashMap<i32, Vec<Reading>>> = HashMap::new();
        for reading in raw.readings() {
            let of_topic = readings.entry(reading.topic_id.clone()).or_default();
            of_topic.entry(reading.partition).or_default().push(reading);
        }
        let of_topic = |readings: HashMap<i32, Vec<Reading>>| {
            readings.into_iter().map(|(partition, readings)| (partition, Generations::of(&readings))).collect()
        };
        Self(readings.into_iter().map(|(topic, readings)| (topic, of_topic(readings))).collect())
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
        // Rows of one partition stand together.
        let mut last: Option<(&str, i32, Option<&Generations>)> = None;
        let is_old = |row: usize| {
            let (topic, partition) = (topics.value(row), partitions.value(row));
            let read = match last {
                Some((of_topic, of_partition, read)) if (of_topic, of_partition) == (topic, partition) => read,
                _ => self.0.get(topic).and_then(|of_topic| of_topic.get(&partition)),
            };
            last = Some((topic, partition, read));
            read.and_then(|read| read.at(offsets.value(row))) > Some(generations.value(row))
        };
        let old = BooleanBuffer::collect_bool(rows.num_rows(), is_old);
        Ok((old.count_set_bits() > 0).then_some(old))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn steps_say_what_all_readings_say(spans in proptest::collection::vec((1..5i32, 0..12i64, 0..8i64), 0..8)) {
            let reading = |(generation, from, length): &(i32, i64, i64)| Reading {
                topic_id: "topic-id".to_owned(),
                partition: 0,
                generation: *generation,
                from: *from,
                to: from + length,
            };
            let readings: Vec<Reading> = spans.iter().map(reading).collect();
            let steps = Generations::of(&readings);
            for offset in -1..22 {
                let has = |reading: &&Reading| (reading.from..reading.to).contains(&offset);
                let greatest = readings.iter().filter(has).map(|reading| reading.generation).max();
                prop_assert_eq!(steps.at(offset), greatest, "at {}", offset);
            }
        }
    }
}
