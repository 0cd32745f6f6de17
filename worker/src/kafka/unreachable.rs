//! Why brokers let no client in, in librdkafka's words: a wrong password, a wrong CA, TLS on one side alone.
//!
//! A question to brokers that can't be reached ends with a time-out. What stood in the way is told apart from it, by
//! events of the client.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::KafkaFault;

/// How long events are looked for that came with the time-out already.
const EVENTS_WITHIN: Duration = Duration::from_millis(50);

/// What a client was told last of its connections.
#[derive(Debug, Default)]
pub(crate) struct Obstacles(Mutex<Option<Obstacle>>);

/// What stands between a client and its brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    code: RDKafkaErrorCode,
    words: String,
}

impl Obstacles {
    /// The last one.
    pub(crate) fn last(&self) -> Option<Obstacle> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers an event, unless it only says that some other event was the last one.
    pub(crate) fn note(&self, error: &KafkaError, words: &str) {
        tracing::debug!(%error, "librdkafka: {words}");
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        if code != RDKafkaErrorCode::AllBrokersDown {
            let obstacle = Obstacle { code, words: words.to_owned() };
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(obstacle);
        }
    }
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { code, words } = self;
        // An error of the TLS library itself comes as one of the connection.
        let code = if words.contains("SSL routines") { RDKafkaErrorCode::SSL } else { *code };
        write!(f, "{words}; {}", next_act(code))
    }
}

/// What to look at, by the kind of the obstacle.
fn next_act(code: RDKafkaErrorCode) -> &'static str {
    match code {
        RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => {
            "check the mechanism, the user and the password of spec.source.kafka.security.sasl"
        }
        RDKafkaErrorCode::SSL => {
            "check the certificates of spec.source.kafka.security.tls, and that this port of the brokers speaks TLS"
        }
        _ => "check spec.source.kafka.bootstrapServers and security, and that the brokers are up",
    }
}

impl ClientContext for Obstacles {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, "librdkafka: {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.note(&error, reason);
    }
}

impl ConsumerContext for Obstacles {}

/// The fault of brokers that did not answer this client.
pub(crate) fn unreachable(client: &BaseConsumer<Obstacles>, servers: &str) -> KafkaFault {
    // Events wait until somebody polls, and nobody else does. Without a time-out a poll ends at the first log line.
    while client.poll(EVENTS_WITHIN).is_some() {}
    KafkaFault::NoCluster { servers: servers.to_owned(), why: client.context().last() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(events: &[(RDKafkaErrorCode, &str)]) -> String {
        let obstacles = Obstacles::default();
        for (code, words) in events {
            obstacles.note(&KafkaError::Global(*code), words);
        }
        KafkaFault::NoCluster { servers: "a:1".to_owned(), why: obstacles.last() }.to_string()
    }

    #[test]
    fn last_obstacle_is_told_with_what_to_look_at() {
        insta::assert_snapshot!(told(&[]), @"no broker of a:1 answers; check spec.source.kafka.bootstrapServers and security, and that the brokers are up");
        let refused = (RDKafkaErrorCode::BrokerTransportFailure, "a:1/bootstrap: Connect failed");
        let down = (RDKafkaErrorCode::AllBrokersDown, "1/1 brokers are down");
        insta::assert_snapshot!(told(&[refused, down]), @"no broker of a:1 answers: a:1/bootstrap: Connect failed; check spec.source.kafka.bootstrapServers and security, and that the brokers are up");
        let password = (RDKafkaErrorCode::Authentication, "sasl_ssl://a:1: SASL authentication error");
        insta::assert_snapshot!(told(&[refused, password, down]), @"no broker of a:1 answers: sasl_ssl://a:1: SASL authentication error; check the mechanism, the user and the password of spec.source.kafka.security.sasl");
        let certificate = (RDKafkaErrorCode::SSL, "ssl://a:1: SSL handshake failed");
        insta::assert_snapshot!(told(&[certificate]), @"no broker of a:1 answers: ssl://a:1: SSL handshake failed; check the certificates of spec.source.kafka.security.tls, and that this port of the brokers speaks TLS");
    }
}
