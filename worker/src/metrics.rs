//! The metrics of an ingest worker: their names, what they mean, and the text that `/metrics` answers.
//!
//! Counters are this process's own since it started, so that a sum over the workers of a resource is right. What the
//! zone's log says is the same for all workers and stands in gauges (`gristmill_zone_...`), of which the maximum counts.
//! Constant labels are `namespace` and `name` of the resource; there is none for a partition.

mod process;
mod snapshot;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use gristmill_core::log::LogTime;
use gristmill_crds::plan::IngestPlan;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tokio::sync::watch;

use gristmill_crds::report::IngestReport;

/// Content type of the answer: OpenMetrics, which Prometheus asks for.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper bounds of the commit histogram in seconds: from a local disk to a NameNode that fails over.
const COMMIT_SECONDS: [f64; 10] = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0];

type Label = [(&'static str, &'static str); 1];
type CompactionLabel = [(&'static str, String); 1];
type ReasonLabel = [(&'static str, String); 1];
type Seconds = Counter<f64, AtomicU64>;

/// The metrics of one worker; clones share them.
#[derive(Clone)]
pub struct IngestMetrics(Arc<Metrics>);

impl fmt::Debug for IngestMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IngestMetrics")
    }
}

struct Metrics {
    registry: Registry,
    messages: Family<Label, Counter>,
    rows: Counter,
    rejects: Family<ReasonLabel, Counter>,
    commits: Counter,
    files: Counter,
    written_bytes: Counter,
    read_messages: Counter,
    read_bytes: Counter,
    decode_seconds: Seconds,
    encode_seconds: Seconds,
    store_wait_seconds: Seconds,
    commit_seconds: Histogram,
    budget_bytes: Gauge,
    budget_limit_bytes: Gauge,
    processed_through: Family<CompactionLabel, Gauge<f64, AtomicU64>>,
}

/// What a commit has made durable.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// Messages of which at least one row was written.
    pub accepted: u64,
    /// Messages of which no row was written.
    pub rejected: u64,
    /// Messages without a value.
    pub tombstones: u64,
    /// Offsets that Kafka did not deliver.
    pub absent: u64,
    /// Offsets that were lost and recorded as such.
    pub gaps: u64,
    /// Rows in RAW files.
    pub rows: u64,
    /// Files, those of rejects included.
    pub files: u64,
    /// Bytes of these files.
    pub bytes: u64,
    /// From sealing the files until the entry was published.
    pub took: Duration,
}

impl IngestMetrics {
    /// All at zero. `report` is what the gauges are read from when somebody asks.
    pub fn new(plan: &IngestPlan, report: watch::Receiver<IngestReport>) -> Self {
        let labels = [("namespace", plan.namespace.clone()), ("name", plan.name.clone())];
        let labels = labels.map(|(key, value)| (key.into(), value.into()));
        let mut registry = Registry::with_labels(labels.into_iter());
        let metrics = Metrics {
            messages: Family::default(),
            rows: Counter::default(),
            rejects: Family::default(),
            commits: Counter::default(),
            files: Counter::default(),
            written_bytes: Counter::default(),
            read_messages: Counter::default(),
            read_bytes: Counter::default(),
            decode_seconds: Seconds::default(),
            encode_seconds: Seconds::default(),
            store_wait_seconds: Seconds::default(),
            commit_seconds: Histogram::new(COMMIT_SECONDS),
            budget_bytes: Gauge::default(),
            budget_limit_bytes: Gauge::default(),
            processed_through: Family::default(),
            registry: Registry::default(),
        };
        metrics.register(&mut registry);
        registry.register_collector(Box::new(snapshot::Snapshot { report }));
        registry.register_collector(Box::new(process::Process));
        // Known from the start, so that a rate over the first commit is not missed.
        for result in RESULTS {
            drop(metrics.messages.get_or_create(&[("result", result)]));
        }
        Self(Arc::new(Metrics { registry, ..metrics }))
    }

    /// The text of an answer to `GET /metrics`.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.0.registry).expect("a String takes every write");
        text
    }

    /// Messages were decoded, committed or not.
    pub fn decoded(&self, messages: u64, bytes: u64, took: Duration) {
        self.0.read_messages.inc_by(messages);
        self.0.read_bytes.inc_by(bytes);
        self.0.decode_seconds.inc_by(took.as_secs_f64());
    }

    /// Rows were encoded to Parquet and handed to the store.
    pub fn encoded(&self, took: Duration) {
        self.0.encode_seconds.inc_by(took.as_secs_f64());
    }

    /// Encoding or a commit waited for the store.
    pub fn waited_for_store(&self, waited: Duration) {
        self.0.store_wait_seconds.inc_by(waited.as_secs_f64());
    }

    /// An entry was appended and published.
    pub fn committed(&self, committed: &Committed) {
        let Committed { accepted, rejected, tombstones, absent, gaps, rows, files, bytes, took } = *committed;
        for (result, count) in RESULTS.into_iter().zip([accepted, rejected, tombstones, absent, gaps]) {
            self.0.messages.get_or_create(&[("result", result)]).inc_by(count);
        }
        self.0.commits.inc();
        self.0.rows.inc_by(rows);
        self.0.files.inc_by(files);
        self.0.written_bytes.inc_by(bytes);
        self.0.commit_seconds.observe(took.as_secs_f64());
    }

    /// Reject records of this reason were committed.
    pub fn rejected(&self, reason: &str, count: u64) {
        self.0.rejects.get_or_create(&[("reason", reason.to_owned())]).inc_by(count);
    }

    /// So many bytes are buffered.
    pub fn buffered(&self, bytes: u64) {
        self.0.budget_bytes.set(signed(bytes));
    }

    /// A compaction of the zone in this process has every message before this time.
    pub fn processed_through(&self, compaction: &str, time: LogTime) {
        let seconds = time.utc().timestamp_millis() as f64 / 1000.0;
        self.0.processed_through.get_or_create(&[("compaction", compaction.to_owned())]).set(seconds);
    }

    /// So many bytes may be buffered.
    pub fn budget(&self, limit: u64) {
        self.0.budget_limit_bytes.set(signed(limit));
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// What became of an offset, in the order of the identity.
pub(crate) const RESULTS: [&str; 5] = ["accepted", "rejected", "tombstone", "absent", "gap"];

impl Metrics {
    /// Names and meanings. A counter's name gets `_total` behind it.
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "gristmill_ingest_messages",
            "Offsets that this worker has committed, by what became of each",
            self.messages.clone(),
        );
        registry.register("gristmill_ingest_rows", "Rows that this worker has committed", self.rows.clone());
        registry.register(
            "gristmill_ingest_rejects",
            "Reject records that this worker has committed, by reason",
            self.rejects.clone(),
        );
        registry.register("gristmill_ingest_commits", "Entries that this worker has committed", self.commits.clone());
        registry.register("gristmill_ingest_files", "Files that this worker has committed", self.files.clone());
        registry.register_with_unit(
            "gristmill_ingest_written",
            "Bytes of the files that this worker has committed",
            Unit::Bytes,
            self.written_bytes.clone(),
        );
        registry.register(
            "gristmill_ingest_read_messages",
            "Messages that this worker has decoded, committed or not",
            self.read_messages.clone(),
        );
        registry.register_with_unit(
            "gristmill_ingest_read",
            "Bytes of the payloads that this worker has decoded",
            Unit::Bytes,
            self.read_bytes.clone(),
        );
        registry.register_with_unit(
            "gristmill_ingest_decode",
            "Time spent on decoding and validating messages",
            Unit::Seconds,
            self.decode_seconds.clone(),
        );
        registry.register_with_unit(
            "gristmill_ingest_encode",
            "Time spent on encoding rows to Parquet and handing them to the store",
            Unit::Seconds,
            self.encode_seconds.clone(),
        );
        registry.register_with_unit(
            "gristmill_ingest_store_wait",
            "Time of encoding and of commits that was spent on waiting for the store",
            Unit::Seconds,
            self.store_wait_seconds.clone(),
        );
        registry.register_with_unit(
            "gristmill_ingest_commit_duration",
            "Time from sealing the files of a commit until its entry was published",
            Unit::Seconds,
            self.commit_seconds.clone(),
        );
        registry.register_with_unit(
            "gristmill_ingest_budget_used",
            "Bytes that are buffered: decoded rows, row groups in progress and messages that wait",
            Unit::Bytes,
            self.budget_bytes.clone(),
        );
        registry.register_with_unit(
            "gristmill_ingest_budget_limit",
            "Bytes that may be buffered",
            Unit::Bytes,
            self.budget_limit_bytes.clone(),
        );
        registry.register_with_unit(
            "gristmill_compaction_processed_through_timestamp",
            "Every message before it is in the Processed zone of a compaction that runs in this process",
            Unit::Seconds,
            self.processed_through.clone(),
        );
    }
}

#[cfg(test)]
mod tests;
