//! Why Kafka could not be asked or read.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::unreachable::Obstacle;

/// Why Kafka could not be asked or read.
#[derive(Debug, thiserror::Error)]
pub enum KafkaFault {
    /// The client refuses its settings.
    #[error("cannot make a Kafka client for {servers}")]
    Client {
        /// The brokers as given.
        servers: String,
        /// Why.
        source: KafkaError,
    },
    /// No broker told which cluster this is.
    #[error("no broker of {servers} answers{}", obstacle(why.as_ref()))]
    NoCluster {
        /// The brokers as given.
        servers: String,
        /// What stood in the way, if the client was told.
        why: Option<Obstacle>,
    },
    /// The topic is not there.
    #[error("topic {topic:?} does not exist in the cluster of {servers}; create it or correct spec.source.kafka.topic")]
    NoTopic {
        /// The topic.
        topic: String,
        /// The brokers as given.
        servers: String,
    },
    /// Brokers too old to know topic ids (before Kafka 2.8).
    #[error("the brokers of {servers} tell no id of topic {topic:?}; Kafka 2.8 or newer is needed")]
    NoTopicId {
        /// The topic.
        topic: String,
        /// The brokers as given.
        servers: String,
    },
    /// A question was not answered.
    #[error("cannot {act} of topic {topic:?}{}", rights(source))]
    Ask {
        /// What was asked, as a verb.
        act: &'static str,
        /// The topic.
        topic: String,
        /// Why.
        source: KafkaError,
    },
    /// The consumer can't go on.
    #[error("cannot {act} topic {topic:?}{}", rights(source))]
    Consume {
        /// What was tried, as a verb.
        act: &'static str,
        /// The topic.
        topic: String,
        /// Why.
        source: KafkaError,
    },
}

fn obstacle(why: Option<&Obstacle>) -> String {
    let unknown = "; check spec.source.kafka.bootstrapServers and security, and that the brokers are up";
    why.map_or_else(|| unknown.to_owned(), |why| format!(": {why}"))
}

impl KafkaFault {
    /// Whether a document must be changed first; everything else may pass by waiting.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Client { .. } | Self::NoTopicId { .. } => true,
            Self::NoCluster { .. } | Self::NoTopic { .. } => false,
            Self::Ask { source, .. } | Self::Consume { source, .. } => is_fatal(source),
        }
    }

    /// Whether the brokers know who comes and refuse it.
    pub fn is_denial(&self) -> bool {
        matches!(self, Self::Ask { source, .. } | Self::Consume { source, .. } if !rights(source).is_empty())
    }

    /// A PascalCase reason for conditions.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoTopic { .. } => "TopicNotFound",
            Self::NoTopicId { .. } => "UnsupportedBroker",
            Self::Client { .. } | Self::NoCluster { .. } | Self::Ask { .. } | Self::Consume { .. } => {
                "SourceUnavailable"
            }
        }
    }
}

/// Errors after which librdkafka's client is of no use.
fn is_fatal(error: &KafkaError) -> bool {
    matches!(error, KafkaError::MessageConsumptionFatal(_))
}

/// What the Kafka user lacks, where the brokers know who comes and refuse. An administrator lifts that while a worker
/// waits.
fn rights(error: &KafkaError) -> &'static str {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => {
            "; grant the user of spec.source.kafka.security the operations Read and Describe on the topic"
        }
        Some(RDKafkaErrorCode::GroupAuthorizationFailed) => {
            "; grant the user of spec.source.kafka.security the operation Read on the consumer group"
        }
        Some(RDKafkaErrorCode::ClusterAuthorizationFailed) => {
            "; grant the user of spec.source.kafka.security the operation Describe on the cluster"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_rights_are_named_and_waited_for() {
        let told = |code| {
            let fault = KafkaFault::Ask {
                act: "list the partitions",
                topic: "books".to_owned(),
                source: KafkaError::MetadataFetch(code),
            };
            assert!(!fault.is_permanent(), "an administrator may lift it");
            assert_eq!(fault.is_denial(), code != RDKafkaErrorCode::RequestTimedOut);
            fault.to_string()
        };
        insta::assert_snapshot!(told(RDKafkaErrorCode::TopicAuthorizationFailed), @r#"cannot list the partitions of topic "books"; grant the user of spec.source.kafka.security the operations Read and Describe on the topic"#);
        insta::assert_snapshot!(told(RDKafkaErrorCode::GroupAuthorizationFailed), @r#"cannot list the partitions of topic "books"; grant the user of spec.source.kafka.security the operation Read on the consumer group"#);
        insta::assert_snapshot!(told(RDKafkaErrorCode::RequestTimedOut), @r#"cannot list the partitions of topic "books""#);
    }
}
