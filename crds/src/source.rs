//! Where messages come from, and where a new zone or a rewind begins in them.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reference::{ConfigMapKeyRef, SecretKeyRef, SecretRef};

/// Where messages come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Source {
    /// A Kafka topic.
    pub kafka: KafkaSource,
}

/// One Kafka topic.
///
/// A worker needs the ACLs Read and Describe on the topic and Read on the consumer group.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = Rule::new(
    "has(self.consumerGroup) == has(oldSelf.consumerGroup) && (!has(self.consumerGroup) || self.consumerGroup == oldSelf.consumerGroup)"
).message("source.kafka.consumerGroup can't be changed, added or removed: the zone's log holds it; create a new StreamIngest with its own raw.path for another group"))]
pub struct KafkaSource {
    /// Comma-separated host:port list of brokers to begin with, for example kafka-0.kafka:9092,kafka-1.kafka:9092.
    #[schemars(length(min = 1, max = 4096))]
    pub bootstrap_servers: String,
    /// Name of the topic. It can't be changed: offsets in the zone's log belong to this topic.
    #[schemars(length(min = 1, max = 249), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("source.kafka.topic can't be changed; create a new StreamIngest with its own raw.path for another topic: `gristmill inspect --json` prints where this one stands, for its startFrom"))]
    pub topic: String,
    /// Consumer group. Default gristmill.NAMESPACE.NAME.HASH with 8 hex digits of the SHA-256 of raw.path.
    ///
    /// It is fixed when the zone is created and can't be changed. Offsets are committed to it for lag tools and never
    /// read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub consumer_group: Option<String>,
    /// Where to begin when the zone is new. Default {position: Earliest}.
    ///
    /// It is resolved once, when the zone is created, and is without effect afterwards: spec.rewind moves a zone that has
    /// a log. A partition that is added to the topic later begins at offset 0, whatever stands here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_from: Option<StartFrom>,
    /// What to do when the brokers have deleted messages before they were read. Default Fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_data_loss: Option<OnDataLoss>,
    /// Encryption and authentication. Default: neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security: Option<KafkaSecurity>,
    /// Settings of librdkafka, for example {fetch.max.bytes: "52428800"}. Values are quoted texts.
    ///
    /// Only settings of fetching, timing and the group's protocol are taken. Those that exactly-once rests on, and those that
    /// name files or commands, are not among them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::kafka_setting::schema")]
    pub config: BTreeMap<String, String>,
}

/// Where to begin in a topic.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.timestamp) == (self.position == 'Timestamp')")
        .message("timestamp is set if and only if position is Timestamp"),
    validation = Rule::new("has(self.offsets) == (self.position == 'Offsets')")
        .message("offsets is set if and only if position is Offsets")
)]
pub struct StartFrom {
    /// Earliest, Latest, Timestamp or Offsets.
    pub position: StartPosition,
    /// With position Timestamp: the first message of this time or later (RFC 3339), for example 2026-11-23T02:00:00Z.
    ///
    /// A partition without such a message begins at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("format" = "date-time"))]
    pub timestamp: Option<String>,
    /// With position Offsets: the first offset to read of each partition. A partition that is not named begins at its earliest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 4096))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["partition".into()]))]
    pub offsets: Vec<PartitionOffset>,
}

/// A position in a topic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StartPosition {
    /// The oldest message that the brokers hold.
    #[default]
    Earliest,
    /// The end of the topic: only messages that come later.
    Latest,
    /// The first message of a time or later.
    Timestamp,
    /// An offset for each partition.
    Offsets,
}

/// An offset of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PartitionOffset {
    /// The partition, from 0.
    #[schemars(range(min = 0))]
    pub partition: i32,
    /// The offset of the next message to read.
    #[schemars(range(min = 0))]
    pub offset: i64,
}

/// What to do when messages are gone before they were read: deleted by the topic's retention, or truncated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnDataLoss {
    /// Stop with DataLoss, and name partition and offsets. Nothing is skipped.
    #[default]
    Fail,
    /// Write the lost range into the log as a gap, count it, and go on with what is left.
    RecordGap,
}

/// Encryption and authentication towards Kafka.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KafkaSecurity {
    /// Encrypts the connection and checks the brokers' certificates and host names. Write {} to trust the system's CAs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<KafkaTls>,
    /// Tells the brokers who connects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sasl: Option<KafkaSasl>,
}

/// Encryption towards Kafka.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KafkaTls {
    /// Certificates (PEM) that the brokers' certificates are checked against. Default: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_config_map_key_ref: Option<ConfigMapKeyRef>,
    /// Certificate and key by which this client is known: a Secret of type kubernetes.io/tls with tls.crt and tls.key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate_secret_ref: Option<SecretRef>,
}

/// Authentication towards Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KafkaSasl {
    /// Plain, ScramSha256 or ScramSha512. Plain sends the password as it is: use it with tls only.
    pub mechanism: SaslMechanism,
    /// Name of the Kafka user.
    #[schemars(length(min = 1, max = 256))]
    pub username: String,
    /// The password of the user.
    pub password_secret_key_ref: SecretKeyRef,
}

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SaslMechanism {
    /// SASL/PLAIN: the password is sent.
    Plain,
    /// SASL/SCRAM-SHA-256.
    ScramSha256,
    /// SASL/SCRAM-SHA-512.
    ScramSha512,
}

/// Reads a topic again from another position, or skips a part of it. RAW then holds a new generation of the messages.
///
/// The rows of former generations stay; HourlyCompaction takes the newest generation of each message.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("has(self.timestamp) == (self.position == 'Timestamp')")
        .message("timestamp is set if and only if position is Timestamp"),
    validation = Rule::new("has(self.offsets) == (self.position == 'Offsets')")
        .message("offsets is set if and only if position is Offsets")
)]
pub struct Rewind {
    /// A text that was never used for this zone, 1 to 63 characters, for example 2026-11-23-bad-feed.
    ///
    /// Each nonce acts once: a nonce that the log knows, also one that comes back by a revert, does nothing. Leave the block in
    /// place or remove it, as you like.
    #[schemars(length(min = 1, max = 63))]
    pub nonce: String,
    /// Earliest, Latest, Timestamp or Offsets. It may lie before or behind the zone's position.
    pub position: StartPosition,
    /// With position Timestamp: the first message of this time or later (RFC 3339), for example 2026-11-23T02:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), extend("format" = "date-time"))]
    pub timestamp: Option<String>,
    /// With position Offsets: the next offset of each partition. A partition that is not named goes on where it stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 4096))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["partition".into()]))]
    pub offsets: Vec<PartitionOffset>,
}
