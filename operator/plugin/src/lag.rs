//! `lag`: how far behind each ingest is, from its status; by partition from one of its workers.

use std::cmp::Reverse;

use gristmill_crds::StreamIngestStatus;
use gristmill_crds::report::{PartitionReport, PartitionsReport};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::error::Error;
use crate::resource::Resource;
use crate::table::{Column, Table, since};
use crate::worker;

/// How far behind each ingest is.
pub fn render(streams: &[Resource], now: Timestamp) -> String {
    let mut table = Table::new(&[
        Column::Text("NAMESPACE"),
        Column::Text("NAME"),
        Column::Text("TOPIC"),
        Column::Figure("PARTITIONS"),
        Column::Figure("RECORDS"),
        Column::Figure("SECONDS"),
        Column::Text("WATERMARK"),
        Column::Figure("SEEN"),
    ]);
    for stream in streams {
        let StreamIngestStatus { partitions, lag, watermark, observed_time, .. } = stream.ingest_status();
        table.row([
            stream.namespace.clone(),
            stream.name.clone(),
            stream.text("/source/kafka/topic").to_owned(),
            partitions.map(|partitions| partitions.to_string()).unwrap_or_default(),
            lag.map(|lag| lag.records.to_string()).unwrap_or_default(),
            lag.and_then(|lag| lag.seconds).map(|seconds| seconds.to_string()).unwrap_or_default(),
            watermark.as_deref().map(to_the_second).unwrap_or_default(),
            since(observed_time.as_deref(), now),
        ]);
    }
    match table.render() {
        text if text.is_empty() => "there is no StreamIngest here; -A looks in all namespaces\n".to_owned(),
        text => text,
    }
}

/// The same for scripts.
pub fn json(streams: &[Resource]) -> Value {
    let one = |stream: &Resource| {
        let StreamIngestStatus { partitions, lag, watermark, observed_time, .. } = stream.ingest_status();
        json!({
            "namespace": stream.namespace,
            "name": stream.name,
            "topic": stream.text("/source/kafka/topic"),
            "partitions": partitions,
            "lag": lag,
            "watermark": watermark,
            "observedTime": observed_time,
        })
    };
    streams.iter().map(one).collect()
}

/// Asks a worker for every partition.
///
/// # Errors
/// None can be asked.
pub async fn partitions(cluster: &Cluster, stream: &Resource) -> Result<Vec<PartitionReport>, Error> {
    let workers = worker::of(cluster, &stream.name).await?;
    let mut all: Vec<PartitionReport> = Vec::new();
    loop {
        let from = all.last().map_or(0, |last| last.partition.saturating_add(1));
        let PartitionsReport { total, partitions } = workers.ask(&format!("/partitions?from={from}")).await?;
        let is_last = partitions.is_empty();
        all.extend(partitions);
        if is_last || all.len() >= total {
            return Ok(all);
        }
    }
}

/// Partitions, those that are furthest behind first.
pub fn render_partitions(stream: &Resource, partitions: &[PartitionReport], now: Timestamp) -> String {
    if partitions.is_empty() {
        return format!(
            "the worker of {} does not know the partitions yet; ask again in a few seconds\n",
            stream.to_name()
        );
    }
    let mut partitions: Vec<&PartitionReport> = partitions.iter().collect();
    partitions.sort_by_key(|partition| (Reverse(behind(partition)), partition.partition));
    let mut table = Table::new(&[
        Column::Figure("PARTITION"),
        Column::Figure("COMMITTED"),
        Column::Figure("END"),
        Column::Figure("RECORDS"),
        Column::Figure("SECONDS"),
        Column::Text("COMPLETE THROUGH"),
    ]);
    for partition in partitions {
        let PartitionReport { partition: number, next, end, complete_through } = partition;
        table.row([
            number.to_string(),
            next.to_string(),
            end.to_string(),
            behind(partition).to_string(),
            seconds(partition, now),
            complete_through.as_deref().map(to_the_second).unwrap_or_default(),
        ]);
    }
    table.render()
}

fn behind(partition: &PartitionReport) -> i64 {
    (partition.end - partition.next).max(0)
}

fn seconds(partition: &PartitionReport, now: Timestamp) -> String {
    if behind(partition) == 0 {
        return "0".to_owned();
    }
    let complete = partition.complete_through.as_ref().and_then(|time| time.parse::<Timestamp>().ok());
    complete.map(|time| now.duration_since(time).as_secs().max(0).to_string()).unwrap_or_default()
}

/// A time without its fraction, which nobody reads.
fn to_the_second(time: &str) -> String {
    let parsed = time.parse::<Timestamp>().ok();
    let whole = parsed.and_then(|time| Timestamp::from_second(time.as_second()).ok());
    whole.map_or_else(|| time.to_owned(), |time| time.to_string())
}
