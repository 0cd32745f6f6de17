//! The plan of an `HourlyCompaction`, checked against the `StreamIngest` that it refers to.

use std::time::Duration;

use chrono::DateTime;

use super::deduplication::DeduplicationPlan;
use super::ingest::hadoop_uses;
use super::pod::check_pod;
use super::processed::ProcessedPlan;
use super::reference::{ReferenceUse, check_names, referred};
use super::schedule::{self, DEFAULT_SCHEDULE, DEFAULT_TIME_ZONE, Schedule};
use super::schema::check_hourly_compaction;
use super::{
    ColumnPlan, HadoopPlan, IngestPlan, Invalid, LatenessPlan, Problems, Reference, SizingPlan, identity, kept_columns,
    refuse_local, within,
};
use crate::hourly_compaction::{HourlyCompaction, HourlyCompactionSpec, IngestRef, Keep};
use crate::processed::PartitionField;
use crate::projection::CompactionProjection;
use crate::raw::Compression;
use crate::stream_ingest::StreamIngest;

/// A run may start so late: the next hour's is then near.
const DEFAULT_STARTING_DEADLINE: Duration = Duration::from_secs(50 * 60);
/// Retries of a failed run before the next hour.
const DEFAULT_BACKOFF_LIMIT: i32 = 3;

/// Everything that a compaction decides by, validated.
#[derive(Debug, Clone)]
pub struct CompactionPlan {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, else `default`.
    pub namespace: String,
    /// The plan of the StreamIngest: its columns and its RAW zone.
    pub ingest: IngestPlan,
    /// When a run starts, in cron syntax.
    pub schedule: String,
    /// Time zone of the schedule.
    pub time_zone: String,
    /// How late a run may start.
    pub starting_deadline: Duration,
    /// How often a failed run is tried again.
    pub backoff_limit: i32,
    /// Directory of the Processed zone, without a trailing slash.
    pub processed_path: String,
    /// What names the directories, outermost first.
    pub partition_by: Vec<PartitionField>,
    /// Columns that the rows of a file are sorted by; after them by the key.
    pub sort_by: Vec<String>,
    /// A file is closed at this size, in bytes.
    pub target_size: u64,
    /// Files below this size are put together, in bytes; never above `target_size`.
    pub merge_below: u64,
    /// A file is closed at this many rows.
    pub max_records: Option<u64>,
    /// Compression of new files.
    pub compression: Compression,
    /// Parts that keys are spread over, 1 to 256.
    pub buckets: u32,
    /// Columns that identify a row.
    pub key: Vec<String>,
    /// Which row of a key stays.
    pub keep: Keep,
    /// Columns that decide which row of a key is the latest.
    pub order_by: Vec<String>,
    /// Which rows are late; none if there is no such thing.
    pub lateness: Option<LatenessPlan>,
    /// The columns of the zone, a part of the StreamIngest's in their order.
    pub columns: Vec<ColumnPlan>,
    /// How large a run may be.
    pub sizing: SizingPlan,
    /// How HDFS is found, and who we are to it: its own, else that of the StreamIngest.
    pub hadoop: Option<HadoopPlan>,
    /// Whether that is the StreamIngest's.
    is_hadoop_inherited: bool,
    /// No run is to start by the schedule.
    pub suspend: bool,
    /// Digest of the projection of both documents, `sha256:<hex>`.
    pub spec_digest: String,
}

impl CompactionPlan {
    /// Validates a compaction together with its StreamIngest.
    ///
    /// # Errors
    /// All problems of the HourlyCompaction; if it has none and the StreamIngest is invalid, those of the StreamIngest.
    pub fn try_new(compaction: &HourlyCompaction, ingest: &StreamIngest) -> Result<Self, Invalid> {
        let ingest_plan = IngestPlan::try_from(ingest)?;
        let mut problems = Problems::default();
        let (document, name, namespace) = identity("HourlyCompaction", &compaction.metadata, &mut problems);
        // No `..`: a new field must be given a meaning here.
        let HourlyCompactionSpec {
            ingest_ref,
            schedule,
            time_zone,
            starting_deadline,
            backoff_limit,
            processed,
            deduplication,
            lateness,
            columns,
            sizing,
            hadoop,
            suspend,
            pod,
        } = &compaction.spec;
        check_reference(ingest_ref, &namespace, &ingest_plan, &mut problems);
        let schedule = schedule.clone().unwrap_or_else(|| DEFAULT_SCHEDULE.into());
        check_schedule(&schedule, time_zone.as_deref(), &mut problems);
        let day = Duration::from_secs(24 * 3600);
        let deadline = starting_deadline.as_ref().map(|deadline| deadline.to_duration());
        // The controller looks every 10 s: what is shorter never starts.
        let shortest = Duration::from_secs(10);
        let deadline = within("spec.startingDeadline", deadline, shortest..=day, "10s to 24h", &mut problems);
        if let Some(retries) = backoff_limit.filter(|retries| !(0..=10).contains(retries)) {
            problems.add("spec.backoffLimit", format!("{retries} is outside 0 to 10"));
        }
        let ProcessedPlan { path, partition_by, sort_by, target_size, merge_below, max_records, compression, buckets } =
            ProcessedPlan::read(processed, &ingest_plan, &mut problems);
        let DeduplicationPlan { key, keep, order_by } =
            DeduplicationPlan::read(deduplication, &ingest_plan, &mut problems);
        let lateness = LatenessPlan::read("spec.lateness", lateness.as_ref(), &ingest_plan, &mut problems);
        let needed = [&key, &order_by, &sort_by].into_iter().flatten().map(String::as_str);
        let needed = needed.chain(partition_by.iter().map(|field| field.column.as_str()));
        let needed: Vec<&str> = needed.chain(lateness.iter().map(|lateness| lateness.column.as_str())).collect();
        let columns = kept_columns("spec.columns", columns, &needed, &ingest_plan, &mut problems);
        check_directories(&partition_by, &columns, &mut problems);
        let sizing = SizingPlan::read("spec.sizing", sizing.as_ref(), &mut problems);
        let hadoop = HadoopPlan::read("spec.hadoop", hadoop.as_ref(), &mut problems);
        check_names(&referred(&hadoop_uses(hadoop.as_ref())), &mut problems);
        check_pod("spec.pod", pod.as_ref(), &mut problems);
        check_hourly_compaction(&compaction.spec, &mut problems);
        if !problems.0.is_empty() {
            return Err(problems.into_invalid(document));
        }
        Ok(Self {
            name,
            namespace,
            schedule,
            time_zone: time_zone.clone().unwrap_or_else(|| DEFAULT_TIME_ZONE.into()),
            starting_deadline: deadline.unwrap_or(DEFAULT_STARTING_DEADLINE),
            backoff_limit: backoff_limit.unwrap_or(DEFAULT_BACKOFF_LIMIT),
            processed_path: path,
            partition_by,
            sort_by,
            target_size,
            merge_below,
            max_records,
            compression,
            buckets,
            key,
            keep,
            order_by,
            lateness,
            columns,
            sizing,
            is_hadoop_inherited: hadoop.is_none(),
            hadoop: hadoop.or_else(|| ingest_plan.hadoop.clone()),
            suspend: suspend.unwrap_or(false),
            spec_digest: CompactionProjection::new(compaction, ingest).digest(),
            ingest: ingest_plan,
        })
    }

    /// When the first run after a moment starts, both in seconds since 1970; None if there is none.
    pub fn next_start(&self, after: i64) -> Option<i64> {
        let schedule = Schedule::try_new(&self.schedule, &self.time_zone).expect("the plan has checked both");
        let next = schedule.next_after(DateTime::from_timestamp(after, 0)?)?;
        Some(next.timestamp())
    }

    /// HDFS user name of simple authentication, if a document names one.
    pub fn hdfs_user(&self) -> Option<&str> {
        self.hadoop.as_ref().and_then(HadoopPlan::simple_user)
    }

    /// The Secrets and ConfigMaps that a run reads, each once, in order of their names.
    pub fn references(&self) -> Vec<Reference> {
        referred(&self.reference_uses())
    }

    /// The fields that name them, those of the StreamIngest marked as such.
    pub fn reference_uses(&self) -> Vec<ReferenceUse> {
        let inherited = |used: ReferenceUse| ReferenceUse {
            field: format!("{} of StreamIngest {:?}", used.field, self.ingest.name),
            ..used
        };
        let uses = hadoop_uses(self.hadoop.as_ref());
        if self.is_hadoop_inherited { uses.into_iter().map(inherited).collect() } else { uses }
    }

    /// The plan, if pods can run it.
    ///
    /// # Errors
    /// The zone is a local directory.
    pub fn in_cluster(self) -> Result<Self, Invalid> {
        refuse_local(format!("HourlyCompaction {}", self.name), "spec.processed.path", &self.processed_path)?;
        Ok(self)
    }

    /// Moves both zones, and the group of the RAW zone, to another place: what `--local DIR` does.
    pub fn with_paths(mut self, raw_path: String, consumer_group: String, processed_path: String) -> Self {
        self.ingest = self.ingest.with_raw_path(raw_path, consumer_group);
        self.processed_path = processed_path;
        self
    }
}

fn check_reference(ingest_ref: &IngestRef, namespace: &str, ingest: &IngestPlan, problems: &mut Problems) {
    if ingest_ref.name != ingest.name || namespace != ingest.namespace {
        problems.add(
            "spec.ingestRef.name",
            format!(
                "{:?} in namespace {namespace:?} is not the StreamIngest at hand, {:?} in namespace {:?}; name one of the same namespace",
                ingest_ref.name, ingest.name, ingest.namespace
            ),
        );
    }
}

/// What CronJob would refuse, and what the client's own clock could not follow.
fn check_schedule(text: &str, time_zone: Option<&str>, problems: &mut Problems) {
    if let Err(error) = schedule::starts(text) {
        problems.add("spec.schedule", error.to_string());
    } else if let Err(error) = Schedule::try_new(text, time_zone.unwrap_or(DEFAULT_TIME_ZONE)) {
        problems.add("spec.timeZone", error.to_string());
    }
}

fn check_directories(partition_by: &[PartitionField], columns: &[ColumnPlan], problems: &mut Problems) {
    let mut named_by_value = 0;
    for (index, field) in partition_by.iter().enumerate() {
        let directory = field.directory_column();
        if directory == field.column {
            named_by_value += 1;
        } else if let Some(taken) = columns.iter().find(|column| column.name.eq_ignore_ascii_case(&directory)) {
            problems.add(
                format!("spec.processed.partitionBy[{index}]"),
                format!(
                    "would name its directories {directory:?}, as column {:?} is called; rename that column",
                    taken.name
                ),
            );
        }
    }
    if named_by_value > 0 && named_by_value == columns.len() {
        problems.add("spec.processed.partitionBy", "names every column; at least one must remain in the files");
    }
}
