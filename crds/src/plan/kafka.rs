//! The Kafka side of a plan: brokers, topic, group, settings, encryption and authentication.

use std::collections::BTreeMap;

use super::Problems;
use super::reference::{self, ConfigMapKey, SecretKey};
use crate::kafka_setting::{KAFKA_SETTINGS, KafkaSetting};
use crate::source::{KafkaSasl, KafkaSecurity, KafkaTls, SaslMechanism};

/// Encryption and authentication towards Kafka. It holds names of secrets, never secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecurityPlan {
    /// Encryption, if the document asks for it.
    pub tls: Option<TlsPlan>,
    /// Authentication, if the document asks for it.
    pub sasl: Option<SaslPlan>,
}

/// Encryption towards Kafka.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsPlan {
    /// Certificates that the brokers' are checked against; the system's without it.
    pub ca: Option<ConfigMapKey>,
    /// Secret with `tls.crt` and `tls.key` of this client.
    pub client_certificate: Option<String>,
}

/// Authentication towards Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaslPlan {
    /// How the password is proved.
    pub mechanism: SaslMechanism,
    /// The user.
    pub username: String,
    /// Where the password is.
    pub password: SecretKey,
}

pub(super) fn check_servers(at: &str, servers: &str, problems: &mut Problems) {
    if servers.len() > 4096 {
        problems.add(at, "has more than 4096 characters; a few brokers to begin with are enough");
    }
    for server in servers.split(',') {
        let valid = server.trim().rsplit_once(':').is_some_and(|(host, port)| {
            // A blank in it is a comma that was forgotten.
            !host.is_empty() && !host.contains(char::is_whitespace) && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
        if !valid {
            problems.add(at, format!("{server:?} is not a broker; write host:port, several separated by commas"));
        }
    }
}

pub(super) fn check_topic(at: &str, topic: &str, problems: &mut Problems) {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if topic.is_empty() || topic.len() > 249 || !topic.chars().all(legal) || topic == "." || topic == ".." {
        let message =
            format!("{topic:?} is not a topic name; write at most 249 letters, digits, \".\", \"_\" and \"-\"");
        problems.add(at, message);
    }
}

pub(super) fn check_group(at: &str, group: Option<&str>, problems: &mut Problems) {
    if group.is_some_and(|group| group.is_empty() || group.len() > 255) {
        problems.add(at, "is not a consumer group; write 1 to 255 characters, or remove it for the default");
    }
}

pub(super) fn check_config(at: &str, config: &BTreeMap<String, String>, problems: &mut Problems) {
    for (name, value) in config {
        let Some(setting) = KafkaSetting::find(name) else {
            let names: Vec<&str> = KAFKA_SETTINGS.iter().map(|setting| setting.name).collect();
            problems.add(
                format!("{at}.{name}"),
                format!("is not a setting that a resource may name; remove it, or choose from {}", names.join(", ")),
            );
            continue;
        };
        if let Err(expected) = setting.check(value) {
            problems.add(format!("{at}.{name}"), format!("{value:?} is not a value of it; write {expected}"));
        }
    }
    if config.get("group.protocol").map(String::as_str) == Some("consumer") {
        for name in ["session.timeout.ms", "heartbeat.interval.ms"] {
            if config.contains_key(name) {
                problems.add(
                    format!("{at}.{name}"),
                    "is the brokers' to decide with group.protocol consumer (group.consumer.* there); remove it",
                );
            }
        }
    } else if config.contains_key("group.remote.assignor") {
        problems.add(
            format!("{at}.group.remote.assignor"),
            "has an effect with group.protocol consumer only; write that or remove it",
        );
    }
}

impl SecurityPlan {
    pub(super) fn read(at: &str, security: Option<&KafkaSecurity>, problems: &mut Problems) -> Self {
        let Some(KafkaSecurity { tls, sasl }) = security else { return Self::default() };
        let tls = tls.as_ref().map(|KafkaTls { ca_config_map_key_ref, client_certificate_secret_ref }| {
            let at_ca = format!("{at}.tls.caConfigMapKeyRef");
            let at_client = format!("{at}.tls.clientCertificateSecretRef");
            TlsPlan {
                ca: ca_config_map_key_ref.as_ref().map(|key| reference::config_map_key(&at_ca, key, problems)),
                client_certificate: client_certificate_secret_ref
                    .as_ref()
                    .map(|secret| reference::name(&at_client, &secret.name, problems)),
            }
        });
        let sasl = sasl.as_ref().map(|KafkaSasl { mechanism, username, password_secret_key_ref }| {
            if username.is_empty() || username.len() > 256 {
                problems.add(format!("{at}.sasl.username"), "is not a user name; write 1 to 256 characters");
            }
            SaslPlan {
                mechanism: *mechanism,
                username: username.clone(),
                password: reference::secret_key(
                    &format!("{at}.sasl.passwordSecretKeyRef"),
                    password_secret_key_ref,
                    problems,
                ),
            }
        });
        Self { tls, sasl }
    }
}
