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
    #[error("cannot {act} of topic {topic:?}")]
    Ask {
        /// What was asked, as a verb.
        act: &'static str,
        /// The topic.
        topic: String,
        /// Why.
        source: KafkaError,
    },
    /// The consumer can't go on.
    #[error("cannot {act} topic {topic:?}")]
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

/// Errors after which librdkafka's client is of no use, and refusals that only an administrator can lift.
fn is_fatal(error: &KafkaError) -> bool {
    matches!(error, KafkaError::MessageConsumptionFatal(_))
        || matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::GroupAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed
            )
        )
}
