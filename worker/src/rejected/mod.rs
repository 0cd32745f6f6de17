//! The quarantine of a zone: what was rejected, why, and the message itself; of a Processed zone late rows.
//!
//! Rejected files are entries of the zone's log, so that what is read here is what was committed, and nothing twice. Columns
//! are read by name and only those that are asked for: payloads stay where they are until one is shown.

mod columns;

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use gristmill_core::log::{FileZone, Genesis, LiveFile};
use serde::Serialize;

use self::columns::Columns;
use crate::exit::{Exit, Failure};
use crate::parquet_file::{Error as ParquetError, ParquetReader};
use crate::zone::ZoneReader;

/// Where a message is in Kafka.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Coordinate {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

impl std::fmt::Display for Coordinate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// One thing that was wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reject {
    /// Where the message is.
    #[serde(flatten)]
    pub at: Coordinate,
    /// Counts the rewinds of the zone.
    pub generation: i32,
    /// Index of the row in its message; none for the message as a whole.
    pub record_index: Option<i32>,
    /// Reason code, for example `InvalidType`.
    pub reason: String,
    /// Column whose rule was broken.
    pub column: Option<String>,
    /// Path of the element.
    pub path: Option<String>,
    /// Line in the payload, from 1.
    pub line: Option<i64>,
    /// Position in the line, from 1.
    pub position: Option<i64>,
    /// What was wrong, in a sentence.
    pub message: String,
}

/// How often something was wrong, and the newest example of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReasonCount {
    /// Rejects.
    pub count: u64,
    /// The newest of them, by entry of the log and offset.
    #[serde(flatten)]
    pub sample: Reject,
}

/// A message of which something was rejected, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedMessage {
    /// What was wrong with it, in the order of its rows; never empty.
    pub rejects: Vec<Reject>,
    /// Kafka's timestamp.
    pub timestamp: Option<DateTime<Utc>>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// What was kept of its payload; none under `payload: None`.
    pub payload: Option<Vec<u8>>,
    /// Length of the whole payload.
    pub payload_length: i64,
    /// SHA-256 of the whole payload, in hex.
    pub payload_sha256: String,
}

/// Which rejects are asked for; the default is all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// These reason codes; none: any.
    pub reasons: Vec<String>,
    /// These partitions; none: any.
    pub partitions: Vec<i32>,
    /// Committed at this time or later.
    pub since: Option<DateTime<Utc>>,
}

impl Filter {
    fn takes_file(&self, live: &LiveFile) -> bool {
        live.file.zone == FileZone::Rejected && self.since.is_none_or(|since| live.time.utc() >= since)
    }

    fn takes(&self, reject: &Reject) -> bool {
        (self.reasons.is_empty() || self.reasons.contains(&reject.reason))
            && (self.partitions.is_empty() || self.partitions.contains(&reject.at.partition))
    }
}

/// Counts rejects by reason and column, the most frequent first.
///
/// # Errors
/// A file is lost or damaged, or the store fails.
pub async fn count(zone: &ZoneReader, filter: &Filter) -> Result<Vec<ReasonCount>, Failure> {
    let mut counts: BTreeMap<(String, Option<String>), ReasonCount> = BTreeMap::new();
    each(zone, filter, |reject| {
        let key = (reject.reason.clone(), reject.column.clone());
        match counts.get_mut(&key) {
            Some(known) => {
                known.count += 1;
                known.sample = reject;
            }
            None => {
                counts.insert(key, ReasonCount { count: 1, sample: reject });
            }
        }
    })
    .await?;
    let mut counts: Vec<_> = counts.into_values().collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.count));
    Ok(counts)
}

/// The newest rejects, oldest of them first.
///
/// # Errors
/// As [`count`].
pub async fn newest(zone: &ZoneReader, filter: &Filter, limit: usize) -> Result<Vec<Reject>, Failure> {
    let mut kept = std::collections::VecDeque::new();
    each(zone, filter, |reject| {
        if kept.len() == limit {
            kept.pop_front();
        }
        if limit > 0 {
            kept.push_back(reject);
        }
    })
    .await?;
    Ok(kept.into())
}

/// The message at these coordinates, once for each generation in which something of it was rejected; of a Processed zone
/// once for each late row, whose record holds the row itself.
///
/// # Errors
/// As [`count`].
pub async fn show(zone: &ZoneReader, partition: i32, offset: i64) -> Result<Vec<RejectedMessage>, Failure> {
    let by_row = matches!(zone.fold().genesis(), Genesis::Processed(_));
    let mut messages: BTreeMap<(i32, Option<i32>), RejectedMessage> = BTreeMap::new();
    for live in files(zone, &Filter::default()) {
        let reader = ParquetReader::open(zone, &live.file).await.map_err(damaged)?;
        let groups = groups_with(&reader, partition, offset).await?;
        if groups.is_empty() {
            continue;
        }
        let mut batches = reader.batches(&columns::WHOLE, groups).map_err(damaged)?;
        while let Some(batch) = batches.next().await.map_err(damaged)? {
            let columns = Columns::of(&batch);
            for row in 0..batch.num_rows() {
                let reject = columns.reject(row);
                if (reject.at.partition, reject.at.offset) != (partition, offset) {
                    continue;
                }
                let number = (reject.generation, reject.record_index.filter(|_| by_row));
                match messages.get_mut(&number) {
                    Some(message) => message.rejects.push(reject),
                    None => {
                        messages.insert(number, columns.message(row, reject));
                    }
                }
            }
        }
    }
    Ok(messages.into_values().collect())
}

/// The topic of a RAW zone; a Processed zone does not name one.
pub fn topic(zone: &ZoneReader) -> Option<&str> {
    match zone.fold().genesis() {
        Genesis::Raw(genesis) => Some(&genesis.topic),
        Genesis::Processed(_) => None,
    }
}

/// Calls back with every reject that the filter takes, in the order of the log.
async fn each(zone: &ZoneReader, filter: &Filter, mut take: impl FnMut(Reject)) -> Result<(), Failure> {
    for live in files(zone, filter) {
        let reader = ParquetReader::open(zone, &live.file).await.map_err(damaged)?;
        let groups = (0..reader.row_groups().len()).collect();
        let mut batches = reader.batches(&columns::REASONS, groups).map_err(damaged)?;
        while let Some(batch) = batches.next().await.map_err(damaged)? {
            let columns = Columns::of(&batch);
            (0..batch.num_rows())
                .map(|row| columns.reject(row))
                .filter(|reject| filter.takes(reject))
                .for_each(&mut take);
        }
    }
    Ok(())
}

/// Live rejected files, oldest entry first.
fn files<'z>(zone: &'z ZoneReader, filter: &Filter) -> Vec<&'z LiveFile> {
    let mut files: Vec<_> = zone.fold().live().values().filter(|live| filter.takes_file(live)).collect();
    files.sort_by_key(|live| live.sequence);
    files
}

/// The row groups that hold a coordinate: payloads of others are not read.
async fn groups_with(reader: &ParquetReader<'_>, partition: i32, offset: i64) -> Result<Vec<usize>, Failure> {
    let mut groups = Vec::new();
    for group in 0..reader.row_groups().len() {
        let mut batches = reader.batches(&columns::COORDINATES, vec![group]).map_err(damaged)?;
        let mut found = false;
        while let Some(batch) = batches.next().await.map_err(damaged)? {
            found |= holds(&batch, partition, offset);
        }
        if found {
            groups.push(group);
        }
    }
    Ok(groups)
}

fn holds(batch: &RecordBatch, partition: i32, offset: i64) -> bool {
    let columns = Columns::of(batch);
    (0..batch.num_rows()).any(|row| columns.place(row) == (partition, offset))
}

fn damaged(error: ParquetError) -> Failure {
    match error {
        ParquetError::Zone(error) => error.into(),
        ParquetError::Decode { .. } | ParquetError::Encode { .. } => Failure::new(Exit::Zone, "LostFile", &error),
    }
}
