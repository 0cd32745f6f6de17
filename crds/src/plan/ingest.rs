//! The plan of a `StreamIngest`.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{ColumnPlan, Invalid, Problems, RecordPlan, identity, refuse_local, zone_url};
use crate::projection::IngestProjection;
use crate::shared::{Hadoop, PodOptions};
use crate::stream_ingest::{KafkaSource, Raw, RawFiles, Source, StartPosition, StreamIngest, StreamIngestSpec};

/// Default size of a closed RAW file: HDFS' default block.
const DEFAULT_TARGET_SIZE: u64 = 128 << 20;
/// Default age at which an open RAW file is committed: at most 288 files a day and worker.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(300);

/// Everything that an ingest worker decides by, validated.
#[derive(Debug, Clone)]
pub struct IngestPlan {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, else `default`.
    pub namespace: String,
    /// Brokers to begin with.
    pub bootstrap_servers: String,
    /// The topic.
    pub topic: String,
    /// The consumer group: as written, or derived from namespace, name and RAW path.
    pub consumer_group: String,
    /// Where a new zone begins.
    pub start_from: StartPosition,
    /// How a message becomes rows.
    pub record: RecordPlan,
    /// Directory of the RAW zone, without a trailing slash.
    pub raw_path: String,
    /// A file is closed at this size, in bytes.
    pub target_size: u64,
    /// A file is closed at this age.
    pub max_age: Duration,
    /// HDFS user name, if the document names one.
    pub hdfs_user: Option<String>,
    /// Digest of the worker's projection, `sha256:<hex>`.
    pub spec_digest: String,
}

impl IngestPlan {
    /// Looks a column up by its name.
    pub fn column(&self, name: &str) -> Option<&ColumnPlan> {
        self.record.column(name)
    }

    /// The plan, if pods can run it.
    ///
    /// # Errors
    /// The zone is a local directory.
    pub fn in_cluster(self) -> Result<Self, Invalid> {
        refuse_local(format!("StreamIngest {}", self.name), "spec.raw.path", &self.raw_path)?;
        Ok(self)
    }

    /// Moves the zone, and the group that belongs to it, to another place: what `--local DIR` does.
    pub fn with_raw_path(mut self, raw_path: String, consumer_group: String) -> Self {
        self.raw_path = raw_path;
        self.consumer_group = consumer_group;
        self
    }

    /// Reads from other brokers: what `demo` does with its in-process broker.
    pub fn with_bootstrap_servers(mut self, bootstrap_servers: String) -> Self {
        self.bootstrap_servers = bootstrap_servers;
        self
    }
}

impl TryFrom<&StreamIngest> for IngestPlan {
    type Error = Invalid;

    fn try_from(ingest: &StreamIngest) -> Result<Self, Invalid> {
        let mut problems = Problems::default();
        let (document, name, namespace) = identity("StreamIngest", &ingest.metadata, &mut problems);
        // No `..`: a new field must be given a meaning here.
        let StreamIngestSpec { source, record, raw, hadoop, pod } = &ingest.spec;
        let Source { kafka } = source;
        let KafkaSource { bootstrap_servers, topic, consumer_group, start_from } = kafka;
        check_servers(bootstrap_servers, &mut problems);
        check_topic(topic, &mut problems);
        let record = RecordPlan::build("spec.record", record, &mut problems);
        let Raw { path, files } = raw;
        let raw_path = zone_url("spec.raw.path", path, &mut problems);
        let (target_size, max_age) = files_options(files.as_ref(), &mut problems);
        let hdfs_user = hadoop_user("spec.hadoop", hadoop.as_ref(), &mut problems);
        check_pod("spec.pod", pod.as_ref(), &mut problems);
        let Some(record) = record.filter(|_| problems.0.is_empty()) else {
            return Err(problems.into_invalid(document));
        };
        Ok(Self {
            consumer_group: consumer_group.clone().unwrap_or_else(|| default_group(&namespace, &name, path)),
            name,
            namespace,
            bootstrap_servers: bootstrap_servers.clone(),
            topic: topic.clone(),
            start_from: start_from.as_ref().map(|start| start.position).unwrap_or_default(),
            record,
            raw_path,
            target_size,
            max_age,
            hdfs_user,
            spec_digest: IngestProjection::new(ingest).digest(),
        })
    }
}

/// `gristmill.<namespace>.<name>.<first 8 hex digits of the SHA-256 of the path as written>`.
///
/// The path is part of it so that equal names in two clusters that share one Kafka do not share a group.
fn default_group(namespace: &str, name: &str, raw_path: &str) -> String {
    let digest = Sha256::digest(raw_path.as_bytes());
    let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("gristmill.{namespace}.{name}.{hash}")
}

fn check_servers(servers: &str, problems: &mut Problems) {
    for server in servers.split(',') {
        let valid = server
            .trim()
            .rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0));
        if !valid {
            problems.add(
                "spec.source.kafka.bootstrapServers",
                format!("{server:?} is not a broker; write host:port, several separated by commas"),
            );
        }
    }
}

fn check_topic(topic: &str, problems: &mut Problems) {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if topic.is_empty() || topic.len() > 249 || !topic.chars().all(legal) || topic == "." || topic == ".." {
        problems.add(
            "spec.source.kafka.topic",
            format!("{topic:?} is not a topic name; write at most 249 letters, digits, \".\", \"_\" and \"-\""),
        );
    }
}

fn files_options(files: Option<&RawFiles>, problems: &mut Problems) -> (u64, Duration) {
    let RawFiles { target_size, max_age } = files.cloned().unwrap_or_default();
    let at = "spec.raw.files.targetSize";
    let target_size = match target_size.map(|size| size.to_bytes()) {
        Some(Ok(size)) if (1 << 20..=8 << 30).contains(&size) => size,
        Some(Ok(size)) => {
            problems.add(at, format!("{size} bytes is outside 1Mi to 8Gi"));
            DEFAULT_TARGET_SIZE
        }
        Some(Err(error)) => {
            problems.add(at, error.to_string());
            DEFAULT_TARGET_SIZE
        }
        None => DEFAULT_TARGET_SIZE,
    };
    let at = "spec.raw.files.maxAge";
    let max_age = match max_age.map(|age| age.to_duration()) {
        Some(Ok(age)) if age >= Duration::from_secs(1) && age <= Duration::from_secs(24 * 3600) => age,
        Some(Ok(_)) => {
            problems.add(at, "is outside 1s to 24h");
            DEFAULT_MAX_AGE
        }
        Some(Err(error)) => {
            problems.add(at, error.to_string());
            DEFAULT_MAX_AGE
        }
        None => DEFAULT_MAX_AGE,
    };
    (target_size, max_age)
}

pub(super) fn hadoop_user(at: &str, hadoop: Option<&Hadoop>, problems: &mut Problems) -> Option<String> {
    let user = &hadoop?.simple.user;
    let mut characters = user.chars();
    let valid = characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && user.len() <= 64;
    if !valid {
        problems.add(
            format!("{at}.simple.user"),
            format!("{user:?} is not a user name; write letters, digits, \".\", \"_\" and \"-\""),
        );
    }
    Some(user.clone())
}

pub(super) fn check_pod(at: &str, pod: Option<&PodOptions>, problems: &mut Problems) {
    let Some(PodOptions { cpu, memory }) = pod else { return };
    if let Some(memory) = memory {
        let at = format!("{at}.memory");
        match memory.to_bytes() {
            // Below it the process has no room for one open file beside its own code and librdkafka's buffers.
            Ok(bytes) if bytes < 128 << 20 => {
                problems.add(at, format!("{:?} is too small; write at least 128Mi", memory.0))
            }
            Ok(_) => {}
            Err(error) => problems.add(at, error.to_string()),
        }
    }
    if let Some(cpu) = cpu {
        let (number, unit) = cpu.0.strip_suffix('m').map_or((cpu.0.as_str(), 1.0), |number| (number, 0.001));
        // A thousandth is what Kubernetes counts in; more than a node of today has is a slip.
        if !number.parse::<f64>().is_ok_and(|value| (0.001..=100_000.0).contains(&(value * unit))) {
            problems.add(format!("{at}.cpu"), format!("{:?} is not an amount of CPU such as 500m or \"1.5\"", cpu.0));
        }
    }
}
