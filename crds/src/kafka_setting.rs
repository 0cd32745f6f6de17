//! The settings of librdkafka that a resource may name, with the values that librdkafka takes.
//!
//! It is a list of what is allowed, since librdkafka has settings that load libraries, run commands and read files
//! (plugin.library.paths, sasl.kerberos.kinit.cmd, ssl.*.location), and settings that exactly-once rests on
//! (enable.auto.commit, isolation.level, auto.offset.reset, partition.assignment.strategy).

use std::ops::RangeInclusive;

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// A setting that a resource may name.
#[derive(Debug, Clone)]
pub struct KafkaSetting {
    /// Its name in librdkafka.
    pub name: &'static str,
    /// The values that it takes.
    pub values: SettingValues,
    /// What it is for, as `kubectl explain` shows it.
    pub meaning: &'static str,
}

/// Values of a setting.
#[derive(Debug, Clone)]
pub enum SettingValues {
    /// An integer of a range.
    Integer(RangeInclusive<i64>),
    /// One of a few words.
    Word(&'static [&'static str]),
    /// Letters, digits, ".", "_", ":", "/" and "-".
    Name,
}

const BOOLEAN: SettingValues = SettingValues::Word(&["true", "false"]);

const fn setting(name: &'static str, values: SettingValues, meaning: &'static str) -> KafkaSetting {
    KafkaSetting { name, values, meaning }
}

const fn integer(name: &'static str, from: i64, to: i64, meaning: &'static str) -> KafkaSetting {
    setting(name, SettingValues::Integer(from..=to), meaning)
}

/// Every setting that a resource may name, by name.
pub static KAFKA_SETTINGS: [KafkaSetting; 27] = [
    setting("broker.address.family", SettingValues::Word(&["any", "v4", "v6"]), "IP versions that are tried."),
    integer("broker.address.ttl", 0, 86_400_000, "Milliseconds for which a broker's address is remembered."),
    setting("check.crcs", BOOLEAN, "Whether checksums of messages are verified; costs CPU."),
    setting(
        "client.dns.lookup",
        SettingValues::Word(&["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"]),
        "How names of brokers are looked up.",
    ),
    setting(
        "client.rack",
        SettingValues::Name,
        "Rack or zone of the client: brokers then serve it from the nearest replica.",
    ),
    integer(
        "connections.max.idle.ms",
        0,
        2_147_483_647,
        "Milliseconds after which an idle connection is closed; 0 never.",
    ),
    integer("fetch.error.backoff.ms", 0, 300_000, "Milliseconds until a fetch that failed is repeated."),
    integer(
        "fetch.max.bytes",
        1,
        1_000_000_000,
        "Bytes of one answer of a broker. Memory of the worker grows with it.",
    ),
    integer("fetch.min.bytes", 1, 100_000_000, "Bytes that a broker waits for before it answers; 100000 by default."),
    integer(
        "fetch.queue.backoff.ms",
        0,
        300_000,
        "Milliseconds until a partition is fetched again when its queue is full; 10 by default.",
    ),
    integer("fetch.wait.max.ms", 0, 300_000, "Milliseconds that a broker waits for fetch.min.bytes; 500 by default."),
    setting(
        "group.protocol",
        SettingValues::Word(&["classic", "consumer"]),
        "consumer is KIP-848: brokers of Kafka 4 assign partitions.",
    ),
    setting(
        "group.remote.assignor",
        SettingValues::Word(&["uniform", "range"]),
        "Assignor of the brokers, with group.protocol consumer.",
    ),
    integer(
        "heartbeat.interval.ms",
        1,
        3_600_000,
        "Milliseconds between two heartbeats; a third of session.timeout.ms at most.",
    ),
    integer("max.partition.fetch.bytes", 1, 1_000_000_000, "Bytes of one partition in an answer of a broker."),
    integer(
        "max.poll.interval.ms",
        1,
        86_400_000,
        "Milliseconds after which a worker that hangs loses its partitions.",
    ),
    integer("metadata.max.age.ms", 1, 86_400_000, "Milliseconds for which what is known of the cluster is used."),
    integer(
        "queued.max.messages.kbytes",
        1,
        2_097_151,
        "KiB that are fetched ahead; the worker's memory may allow less.",
    ),
    integer("reconnect.backoff.max.ms", 0, 3_600_000, "Milliseconds between two attempts to connect, at most."),
    integer(
        "reconnect.backoff.ms",
        0,
        3_600_000,
        "Milliseconds between the first two attempts to connect, 40 by default. Half of it passes between the first two connections of a client.",
    ),
    integer("retry.backoff.max.ms", 1, 300_000, "Milliseconds between two attempts of a request, at most."),
    integer("retry.backoff.ms", 1, 300_000, "Milliseconds between the first two attempts of a request."),
    integer(
        "session.timeout.ms",
        1,
        3_600_000,
        "Milliseconds after which a silent worker loses its partitions. Default 15000.",
    ),
    integer("socket.connection.setup.timeout.ms", 1_000, 2_147_483_647, "Milliseconds that connecting may take."),
    setting("socket.keepalive.enable", BOOLEAN, "Whether TCP keep-alives are sent: firewalls drop silent connections."),
    integer("socket.timeout.ms", 10, 300_000, "Milliseconds that a request may take."),
    integer(
        "topic.metadata.refresh.interval.ms",
        -1,
        3_600_000,
        "Milliseconds after which new partitions are noticed.",
    ),
];

impl KafkaSetting {
    /// The setting of this name, if a resource may name it.
    pub fn find(name: &str) -> Option<&'static KafkaSetting> {
        KAFKA_SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Whether librdkafka takes this value, or what it takes.
    ///
    /// # Errors
    /// A phrase such as `an integer from 1 to 100`.
    pub fn check(&self, value: &str) -> Result<(), String> {
        match &self.values {
            SettingValues::Integer(range) => {
                let valid = value.parse::<i64>().is_ok_and(|value| range.contains(&value));
                valid.then_some(()).ok_or_else(|| format!("an integer from {} to {}", range.start(), range.end()))
            }
            SettingValues::Word(words) => {
                words.contains(&value).then_some(()).ok_or_else(|| format!("one of {}", words.join(", ")))
            }
            SettingValues::Name => {
                let legal = |c: char| c.is_ascii_alphanumeric() || "._:/-".contains(c);
                let valid = !value.is_empty() && value.len() <= 256 && value.chars().all(legal);
                valid
                    .then_some(())
                    .ok_or_else(|| "a name of letters, digits, \".\", \"_\", \":\", \"/\" and \"-\"".to_owned())
            }
        }
    }

    fn schema(&self) -> Value {
        let mut schema = json!({"type": "string", "description": self.meaning, "maxLength": 256});
        match &self.values {
            // The range is the plan's: JSON schema compares numbers only.
            SettingValues::Integer(_) => schema["pattern"] = json!("^-?[0-9]{1,10}$"),
            SettingValues::Word(words) => schema["enum"] = json!(words),
            SettingValues::Name => schema["pattern"] = json!("^[A-Za-z0-9._:/-]+$"),
        }
        schema
    }
}

/// A property for each setting, so that `kubectl explain` lists them and the API server refuses others.
pub(crate) fn schema(_: &mut SchemaGenerator) -> Schema {
    let properties: Map<String, Value> =
        KAFKA_SETTINGS.iter().map(|setting| (setting.name.to_owned(), setting.schema())).collect();
    schemars::json_schema!({"type": "object", "properties": properties})
}
