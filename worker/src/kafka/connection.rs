//! How brokers are reached: their addresses, and librdkafka's settings for security and tuning.
//!
//! Consumer, probe, admin client and producer are all made from one [`Connection`], so that what lets one of them in
//! lets in all. Values of settings may be secrets: nothing here prints one.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaConfRes;

use super::KafkaFault;

/// Brokers, and the settings that every client of them has.
#[derive(Clone, PartialEq, Eq)]
pub struct Connection {
    servers: String,
    settings: BTreeMap<String, String>,
}

impl Connection {
    /// Brokers (comma-separated host:port) without TLS and without a password.
    pub fn plaintext(servers: impl Into<String>) -> Self {
        Self { servers: servers.into(), settings: BTreeMap::new() }
    }

    /// The same settings for other brokers.
    #[must_use]
    pub fn with_servers(self, servers: impl Into<String>) -> Self {
        Self { servers: servers.into(), ..self }
    }

    /// The same brokers with more settings of librdkafka; a later one replaces an earlier one of the same name.
    #[must_use]
    pub fn with_settings(mut self, settings: impl IntoIterator<Item = (String, String)>) -> Self {
        self.settings.extend(settings);
        self
    }

    /// The brokers as given.
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// The value of a setting, if it is set.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).map(String::as_str)
    }

    /// Whether the settings have this name: what we would choose ourselves must not replace it.
    pub fn sets(&self, name: &str) -> bool {
        self.settings.contains_key(name)
    }

    /// What a client of these brokers begins with.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.servers);
        // librdkafka gives up its bootstrap connection once it knows the brokers, and lets half of this pass before the
        // next one: 50 ms by default, 20 so, for each client. A handshake that takes longer may have a second bootstrap
        // broker asked too. After a failure the pause still doubles, up to 10 s.
        config.set("reconnect.backoff.ms", "40");
        for (name, value) in &self.settings {
            config.set(name, value);
        }
        config
    }

    /// The fault of a client that can't be made. librdkafka repeats the refused value; it may be a secret.
    pub fn refused(&self, source: KafkaError) -> KafkaFault {
        KafkaFault::Client { servers: self.servers.clone(), source: without_value(source) }
    }
}

/// Names of settings only: a value may be a password.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.settings.keys().collect();
        f.debug_struct("Connection").field("servers", &self.servers).field("settings", &names).finish()
    }
}

/// The same error with the refused value of a setting taken out; librdkafka's own description repeats it too.
fn without_value(error: KafkaError) -> KafkaError {
    match error {
        KafkaError::ClientConfig(result, _, name, _) => {
            let description = match result {
                RDKafkaConfRes::RD_KAFKA_CONF_UNKNOWN => "librdkafka knows no such setting",
                RDKafkaConfRes::RD_KAFKA_CONF_INVALID | RDKafkaConfRes::RD_KAFKA_CONF_OK => {
                    "librdkafka refuses the value of this setting"
                }
            };
            KafkaError::ClientConfig(result, description.to_owned(), name, "(not shown)".to_owned())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::consumer::BaseConsumer;

    use super::*;
    use crate::exit::{Exit, Failure};

    const PASSWORD: &str = "correct horse battery staple";

    fn connection(settings: &[(&str, &str)]) -> Connection {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Connection::plaintext("127.0.0.1:1").with_settings(settings)
    }

    #[test]
    fn a_password_is_in_no_debug_output() {
        let connection = connection(&[("sasl.password", PASSWORD)]);
        let text = format!("{connection:?} {:?}", connection.client_config());
        assert!(text.contains("sasl.password") && !text.contains(PASSWORD), "{text}");
    }

    #[test]
    fn backoff_between_connections_is_40_ms_unless_the_settings_say_otherwise() {
        let backoff = |settings: &[(&str, &str)]| {
            connection(settings).client_config().get("reconnect.backoff.ms").map(str::to_owned)
        };
        assert_eq!(backoff(&[]).as_deref(), Some("40"));
        assert_eq!(backoff(&[("reconnect.backoff.ms", "500")]).as_deref(), Some("500"));
    }

    #[test]
    fn a_refused_value_is_not_repeated_in_the_error() {
        // A password in the place of a number, as a slip in a document has it.
        let connection = connection(&[("security.protocol", PASSWORD)]);
        let Err(error) = connection.client_config().create::<BaseConsumer>() else { panic!("it is no protocol") };
        let failure = Failure::new(Exit::Kafka, "SourceUnavailable", &connection.refused(error));
        assert!(failure.message.contains("security.protocol"), "{failure}");
        assert!(!failure.message.contains(PASSWORD), "{failure}");
    }
}
