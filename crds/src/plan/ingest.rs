//! The plan of a `StreamIngest`.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::kafka::{SecurityPlan, check_config, check_group, check_servers, check_topic};
use super::memory::{least_memory, longest_message};
use super::pod::check_pod;
use super::raw::RawPlan;
use super::reference::{ReferenceUse, check_names, referred};
use super::scaling::check_network;
use super::schema::check_stream_ingest;
use super::{
    ColumnPlan, HadoopIdentity, HadoopPlan, Invalid, Position, Problems, RecordPlan, Reference, RejectedPlan,
    RetentionPlan, RewindPlan, ScalingPlan, identity, refuse_local,
};
use crate::projection::IngestProjection;
use crate::raw::Compression;
use crate::source::{KafkaSource, OnDataLoss, Source};
use crate::stream_ingest::{StreamIngest, StreamIngestSpec};

/// Memory of a pod whose resource says nothing.
const DEFAULT_MEMORY: u64 = 256 << 20;

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
    pub start_from: Position,
    /// What happens when messages are gone before they were read.
    pub on_data_loss: OnDataLoss,
    /// Encryption and authentication towards Kafka.
    pub security: SecurityPlan,
    /// Settings of librdkafka, each one of [`crate::kafka_setting::KAFKA_SETTINGS`].
    pub kafka_config: BTreeMap<String, String>,
    /// How a message becomes rows.
    pub record: RecordPlan,
    /// What becomes of rejects, and how many are too many.
    pub rejected: RejectedPlan,
    /// Directory of the RAW zone, without a trailing slash.
    pub raw_path: String,
    /// A file is closed at this size, in bytes.
    pub target_size: u64,
    /// A file is closed at this many messages.
    pub max_records: Option<u64>,
    /// A file is closed at this age.
    pub max_age: Duration,
    /// Compression of new files.
    pub compression: Compression,
    /// When RAW files go; None keeps them for ever.
    pub retention: Option<RetentionPlan>,
    /// How HDFS is found, and who we are to it.
    pub hadoop: Option<HadoopPlan>,
    /// How many workers there may be.
    pub scaling: ScalingPlan,
    /// A rewind, to be made unless the log knows its nonce.
    pub rewind: Option<RewindPlan>,
    /// No pods are to run.
    pub suspend: bool,
    /// Memory of a pod in bytes; the default if the document does not say.
    pub pod_memory: u64,
    /// Digest of the worker's projection, `sha256:<hex>`.
    pub spec_digest: String,
}

impl IngestPlan {
    /// Looks a column up by its name.
    pub fn column(&self, name: &str) -> Option<&ColumnPlan> {
        self.record.column(name)
    }

    /// HDFS user name of simple authentication, if the document names one.
    pub fn hdfs_user(&self) -> Option<&str> {
        self.hadoop.as_ref().and_then(HadoopPlan::simple_user)
    }

    /// What is wrong with a worker of so many bytes of memory, if anything is: a sentence with the next act.
    pub fn short_memory(&self, memory: u64) -> Option<String> {
        let message = self.record.limits.message_bytes as u64;
        let least = least_memory(message);
        let longest = longest_message(memory) >> 20;
        let shorten = if longest == 0 { String::new() } else { format!(", or lower maxMessageSize to {longest}Mi") };
        (memory < least).then(|| {
            format!(
                "is {}Mi, and one message of {}Mi (record.limits.maxMessageSize) may take more: the process would be \
                 killed; write at least {}Mi{shorten}",
                memory >> 20,
                message.div_ceil(1 << 20),
                least >> 20,
            )
        })
    }

    /// The Secrets and ConfigMaps that a worker reads, each once, in order of their names.
    pub fn references(&self) -> Vec<Reference> {
        referred(&self.reference_uses())
    }

    /// The fields that name them.
    pub fn reference_uses(&self) -> Vec<ReferenceUse> {
        [kafka_uses(&self.security), hadoop_uses(self.hadoop.as_ref())].concat()
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
}

impl TryFrom<&StreamIngest> for IngestPlan {
    type Error = Invalid;

    fn try_from(ingest: &StreamIngest) -> Result<Self, Invalid> {
        let mut problems = Problems::default();
        let (document, name, namespace) = identity("StreamIngest", &ingest.metadata, &mut problems);
        // No `..`: a new field must be given a meaning here.
        let StreamIngestSpec { source, record, rejected, raw, hadoop, scaling, rewind, suspend, pod, network_policy } =
            &ingest.spec;
        let Source { kafka } = source;
        let KafkaSource { bootstrap_servers, topic, consumer_group, start_from, on_data_loss, security, config } =
            kafka;
        check_servers("spec.source.kafka.bootstrapServers", bootstrap_servers, &mut problems);
        check_topic("spec.source.kafka.topic", topic, &mut problems);
        check_group("spec.source.kafka.consumerGroup", consumer_group.as_deref(), &mut problems);
        let start_from = Position::of_start("spec.source.kafka.startFrom", start_from.as_ref(), &mut problems);
        let security = SecurityPlan::read("spec.source.kafka.security", security.as_ref(), &mut problems);
        check_config("spec.source.kafka.config", config, &mut problems);
        let record = RecordPlan::build("spec.record", record, &mut problems);
        let rejected = RejectedPlan::read("spec.rejected", rejected.as_ref(), &mut problems);
        let RawPlan { path, target_size, max_records, max_age, compression, retention } =
            RawPlan::read(raw, &mut problems);
        let hadoop = HadoopPlan::read("spec.hadoop", hadoop.as_ref(), &mut problems);
        let uses = [kafka_uses(&security), hadoop_uses(hadoop.as_ref())].concat();
        check_names(&referred(&uses), &mut problems);
        let scaling = ScalingPlan::read("spec.scaling", scaling.as_ref(), &mut problems);
        let rewind = RewindPlan::read("spec.rewind", rewind.as_ref(), &mut problems);
        check_pod("spec.pod", pod.as_ref(), &mut problems);
        let pod_memory = pod.as_ref().and_then(|pod| pod.memory.as_ref());
        check_network("spec.networkPolicy", network_policy.as_ref(), &mut problems);
        check_stream_ingest(&ingest.spec, &mut problems);
        let Some(record) = record.filter(|_| problems.0.is_empty()) else {
            return Err(problems.into_invalid(document));
        };
        Ok(Self {
            consumer_group: consumer_group.clone().unwrap_or_else(|| default_group(&namespace, &name, &raw.path)),
            name,
            namespace,
            bootstrap_servers: bootstrap_servers.clone(),
            topic: topic.clone(),
            start_from,
            on_data_loss: on_data_loss.unwrap_or_default(),
            security,
            kafka_config: config.clone(),
            record,
            rejected,
            raw_path: path,
            target_size,
            max_records,
            max_age,
            compression,
            retention,
            hadoop,
            scaling,
            rewind,
            suspend: suspend.unwrap_or(false),
            pod_memory: pod_memory.and_then(|memory| memory.to_bytes().ok()).unwrap_or(DEFAULT_MEMORY),
            spec_digest: IngestProjection::new(ingest).digest(),
        })
    }
}

/// The fields of the Kafka side that name a Secret or a ConfigMap.
fn kafka_uses(security: &SecurityPlan) -> Vec<ReferenceUse> {
    let at = |field: &str, reference| ReferenceUse { field: format!("spec.source.kafka.security.{field}"), reference };
    let tls = security.tls.as_ref();
    [
        tls.and_then(|tls| tls.ca.as_ref())
            .map(|key| at("tls.caConfigMapKeyRef", Reference::config_map(&key.config_map))),
        tls.and_then(|tls| tls.client_certificate.as_deref())
            .map(|name| at("tls.clientCertificateSecretRef", Reference::secret(name))),
        security.sasl.as_ref().map(|sasl| at("sasl.passwordSecretKeyRef", Reference::secret(&sasl.password.secret))),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The fields of `spec.hadoop` that name a Secret or a ConfigMap.
pub(super) fn hadoop_uses(hadoop: Option<&HadoopPlan>) -> Vec<ReferenceUse> {
    let at = |field: &str, reference| ReferenceUse { field: format!("spec.hadoop.{field}"), reference };
    let Some(HadoopPlan { config_map, umask: _, proxy_user: _, identity }) = hadoop else { return Vec::new() };
    let mut uses: Vec<ReferenceUse> =
        config_map.iter().map(|name| at("configMapRef", Reference::config_map(name))).collect();
    if let HadoopIdentity::Kerberos { principal: _, keytab, krb5_config } = identity {
        uses.push(at("kerberos.keytabSecretKeyRef", Reference::secret(&keytab.secret)));
        let krb5_config = krb5_config.iter();
        uses.extend(krb5_config.map(|key| at("kerberos.krb5ConfigMapKeyRef", Reference::config_map(&key.config_map))));
    }
    uses
}

/// `gristmill.<namespace>.<name>.<first 8 hex digits of the SHA-256 of the path as written>`.
///
/// The path is part of it so that equal names in two clusters that share one Kafka do not share a group.
fn default_group(namespace: &str, name: &str, raw_path: &str) -> String {
    let digest = Sha256::digest(raw_path.as_bytes());
    let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("gristmill.{namespace}.{name}.{hash}")
}
