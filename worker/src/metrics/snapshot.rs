//! Gauges that are read from the worker's report when somebody asks.

use chrono::DateTime;
use gristmill_crds::report::IngestReport;
use gristmill_crds::{MessageCounts, RetentionStatus};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use tokio::sync::watch;

use super::RESULTS;

/// The report of a worker as gauges.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) report: watch::Receiver<IngestReport>,
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let report = self.report.borrow().clone();
        let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: f64| {
            ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?)
        };
        gauge(
            "gristmill_ingest_partitions",
            "Partitions of the topic; 0 until known.",
            None,
            f64::from(report.partitions),
        )?;
        if let Some(lag) = &report.lag {
            let help = "Messages between the ends of the topic and what is committed, all partitions together.";
            gauge("gristmill_ingest_lag_messages", help, None, count(lag.records))?;
            if let Some(seconds) = lag.seconds {
                let help = "Age of the oldest message that is not committed; 0 when there is none.";
                gauge("gristmill_ingest_lag", help, Some(&Unit::Seconds), count(seconds))?;
            }
        }
        if let Some(work) = &report.work {
            let help = "Threads that decode.";
            gauge("gristmill_ingest_decode_threads", help, None, f64::from(work.decode_threads))?;
            let help = "Messages of this worker's partitions that it has not read yet, committed or not.";
            gauge("gristmill_ingest_backlog_messages", help, None, work.backlog as f64)?;
            if let Some(arrival) = work.arrival {
                let help = "Messages a second that arrive in this worker's partitions.";
                gauge("gristmill_ingest_arrival_messages_per_second", help, None, arrival)?;
            }
        }
        if let Some(time) = report.watermark.as_deref().and_then(seconds) {
            let help = "Every message before this time is committed, in seconds since 1970.";
            gauge("gristmill_zone_watermark_timestamp", help, Some(&Unit::Seconds), time)?;
        }
        if let Some(zone) = &report.zone {
            gauge("gristmill_zone_sequence", "Newest entry of the RAW zone's log.", None, count(zone.sequence))?;
            if let Some(time) = zone.last_commit_time.as_deref().and_then(seconds) {
                let help = "Time of the newest entry of the RAW zone's log, in seconds since 1970.";
                gauge("gristmill_zone_last_commit_timestamp", help, Some(&Unit::Seconds), time)?;
            }
        }
        retention(&mut encoder, &report)?;
        phase(&mut encoder, &report)?;
        offsets(&mut encoder, &report.messages)
    }
}

/// One series, whose label is the phase.
fn phase(encoder: &mut DescriptorEncoder<'_>, report: &IngestReport) -> Result<(), std::fmt::Error> {
    let help = "What the worker does now: 1 for the phase that it is in.";
    let mut metric = encoder.encode_descriptor("gristmill_ingest_phase", help, None, MetricType::Gauge)?;
    ConstGauge::new(1).encode(metric.encode_family(&[("phase", report.phase.reason())])?)
}

/// What retention has done over the whole log; nothing where the resource keeps everything.
fn retention(encoder: &mut DescriptorEncoder<'_>, report: &IngestReport) -> Result<(), std::fmt::Error> {
    let Some(RetentionStatus { removed_files, removed_bytes, held_by, oldest_file_time }) = &report.retention else {
        return Ok(());
    };
    let mut gauge = |name: &str, help: &str, unit: Option<&Unit>, value: f64| {
        ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, unit, MetricType::Gauge)?)
    };
    let help = "Files that retention has taken off the RAW zone and its rejects.";
    gauge("gristmill_zone_removed_files", help, None, count(*removed_files))?;
    let help = "Bytes of the files that retention has taken off.";
    gauge("gristmill_zone_removed", help, Some(&Unit::Bytes), count(removed_bytes.parse().unwrap_or(i64::MAX)))?;
    let help = "1 while a consumer or the archive holds files whose time has come; /status names it.";
    gauge("gristmill_zone_retention_held", help, None, if held_by.is_empty() { 0.0 } else { 1.0 })?;
    if let Some(time) = oldest_file_time.as_deref().and_then(seconds) {
        let help = "Commit time of the oldest live file of the RAW zone, in seconds since 1970.";
        gauge("gristmill_zone_oldest_file_timestamp", help, Some(&Unit::Seconds), time)?;
    }
    Ok(())
}

/// The identity over the whole log.
fn offsets(encoder: &mut DescriptorEncoder<'_>, counts: &MessageCounts) -> Result<(), std::fmt::Error> {
    let MessageCounts { accepted, rejected, tombstones, absent, gaps } = *counts;
    let help = "Offsets that the RAW zone's log accounts for, by what became of each: the same for all workers.";
    let mut metric = encoder.encode_descriptor("gristmill_zone_messages", help, None, MetricType::Gauge)?;
    for (result, count) in RESULTS.into_iter().zip([accepted, rejected, tombstones, absent, gaps]) {
        ConstGauge::new(count).encode(metric.encode_family(&[("result", result)])?)?;
    }
    Ok(())
}

/// Above 2^53 a gauge is off by some units, of which nobody takes note.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a floating-point number")]
fn count(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a floating-point number")]
fn seconds(time: &str) -> Option<f64> {
    let time = DateTime::parse_from_rfc3339(time).ok()?;
    Some(time.timestamp_millis() as f64 / 1000.0)
}
