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
        // Trouble with TLS comes as one of the connection, whoever of the two speaks it.
        let of_tls = ["SSL routines", "SSL handshake", "SSL_HANDSHAKE"].iter().any(|of_tls| words.contains(of_tls));
        let code = if of_tls { RDKafkaErrorCode::SSL } else { *code };
        let next_act = if hung_up(words) { SPEAKS_TLS } else { next_act(code) };
        write!(f, "{words}; {next_act}")
    }
}

/// A port that speaks TLS hangs up on whoever does not, without a word.
const SPEAKS_TLS: &str = "if this port of the brokers speaks TLS, set spec.source.kafka.security.tls";

/// Whether the other side ended the connection at the first request. librdkafka logs that, and tells nobody.
fn hung_up(words: &str) -> bool {
    words.contains("Disconnected") && words.contains("APIVERSION_QUERY")
}

/// What to look at, by the kind of the obstacle.
fn next_act(code: RDKafkaErrorCode) -> &'static str {
    match code {
        RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed => {
            "check the mechanism, the user and the password of spec.source.kafka.security.sasl"
        }
        RDKafkaErrorCode::SSL => {
            "check the certificates of spec.source.kafka.security.tls, and that this port of the brokers speaks TLS, not PLAINTEXT"
        }
        _ => "check spec.source.kafka.bootstrapServers and security, and that the brokers are up",
    }
}

impl ClientContext for Obstacles {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, "librdkafka: {message}");
        let words = message.split_once("]: ").map_or(message, |(_thread, words)| words);
        if hung_up(words) {
            self.note(&KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure), words);
        }
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
        insta::assert_snapshot!(told(&[certificate]), @"no broker of a:1 answers: ssl://a:1: SSL handshake failed; check the certificates of spec.source.kafka.security.tls, and that this port of the brokers speaks TLS, not PLAINTEXT");
        let plaintext = (
            RDKafkaErrorCode::BrokerTransportFailure,
            "ssl://a:1: SSL handshake failed: connecting to a PLAINTEXT broker listener?",
        );
        // The same port, when it has hung up before it answered.
        let closed = (
            RDKafkaErrorCode::BrokerTransportFailure,
            "ssl://a:1: Disconnected: SSL connection closed by peer (after 0ms in state SSL_HANDSHAKE)",
        );
        insta::assert_snapshot!(told(&[closed]), @"no broker of a:1 answers: ssl://a:1: Disconnected: SSL connection closed by peer (after 0ms in state SSL_HANDSHAKE); check the certificates of spec.source.kafka.security.tls, and that this port of the brokers speaks TLS, not PLAINTEXT");
        insta::assert_snapshot!(told(&[plaintext]), @"no broker of a:1 answers: ssl://a:1: SSL handshake failed: connecting to a PLAINTEXT broker listener?; check the certificates of spec.source.kafka.security.tls, and that this port of the brokers speaks TLS, not PLAINTEXT");
    }

    #[test]
    fn hanging_up_is_told_although_it_is_only_logged() {
        let obstacles = Obstacles::default();
        obstacles.log(RDKafkaLogLevel::Info, "FAIL", "[thrd:a:1/bootstrap]: a:1/bootstrap: Disconnected: connection closed by peer (after 0ms in state APIVERSION_QUERY)");
        obstacles.log(RDKafkaLogLevel::Info, "CONNECT", "[thrd:main]: a:1/bootstrap: connecting");
        obstacles.note(&KafkaError::Global(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        let told = KafkaFault::NoCluster { servers: "a:1".to_owned(), why: obstacles.last() }.to_string();
        insta::assert_snapshot!(told, @"no broker of a:1 answers: a:1/bootstrap: Disconnected: connection closed by peer (after 0ms in state APIVERSION_QUERY); if this port of the brokers speaks TLS, set spec.source.kafka.security.tls");
    }
}
