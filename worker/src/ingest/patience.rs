//! Waiting for what is away: Kafka or the store, for as long as the caller waits, and no longer than a signal allows.

use std::sync::Arc;
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta};
use gristmill_crds::report::IngestPhase;
use tokio_util::sync::CancellationToken;

use super::status::StatusBoard;
use crate::exit::{Exit, Failure};
use crate::kafka::KafkaFault;
use crate::parquet_file::Error as ParquetError;
use crate::store::StoreErrorKind;
use crate::zone::{Clock, ZoneError, ZoneFault};

/// First pause between two attempts; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause: what is back should be noticed soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long the worker waits for what is away.
#[derive(Clone)]
pub(super) struct Patience {
    pub(super) clock: Arc<dyn Clock>,
    /// Nothing: for ever.
    pub(super) limit: Option<Duration>,
    pub(super) cancel: CancellationToken,
    pub(super) board: StatusBoard,
}

/// Failures in a row of work that is begun anew after each; it ends when the work succeeds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Trouble {
    /// Uptime of the process at the first.
    since: Option<Duration>,
    pause: Option<Duration>,
}

impl Trouble {
    fn waited(&mut self, now: Duration) -> Duration {
        now.saturating_sub(*self.since.get_or_insert(now))
    }

    fn pause(&mut self) -> Duration {
        let pause = self.pause.map_or(FIRST_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
        self.pause = Some(pause);
        pause
    }
}

/// An error that may pass by waiting.
pub(super) trait Passing: Sized {
    /// The phase of the worker while it waits; none if waiting is no use.
    fn phase(&self) -> Option<IngestPhase>;

    /// What somebody can look at meanwhile; empty where the error says it itself.
    fn advice(&self) -> &'static str;

    /// How the process ends with it.
    fn into_failure(self) -> Failure;
}

/// What waiting ended with.
pub(super) enum Waited<T> {
    Done(T),
    /// A signal came first.
    Cancelled,
}

impl Patience {
    /// Repeats an attempt until it succeeds.
    ///
    /// # Errors
    /// The last error, if waiting is no use or was too long.
    pub(super) async fn repeat<T, E: Passing>(
        &self,
        mut attempt: impl AsyncFnMut() -> Result<T, E>,
    ) -> Result<Waited<T>, Failure> {
        let began = self.clock.uptime();
        let mut pause = FIRST_PAUSE;
        let mut borne: Option<Failure> = None;
        let mut has_failed = false;
        loop {
            self.board.turn();
            // An attempt may take longer than is left; then the last one says why.
            let too_long = async {
                match (self.limit, borne.take()) {
                    (Some(limit), Some(failure)) => {
                        self.clock.sleep((began + limit).saturating_sub(self.clock.uptime())).await;
                        failure
                    }
                    _ => std::future::pending().await,
                }
            };
            let outcome = tokio::select! {
                biased;
                outcome = attempt() => outcome,
                () = self.cancel.cancelled() => return Ok(Waited::Cancelled),
                failure = too_long => return Err(failure),
            };
            match outcome {
                Ok(done) => {
                    if has_failed {
                        self.board.passed();
                    }
                    return Ok(Waited::Done(done));
                }
                Err(error) => borne = Some(self.endure(error, self.clock.uptime() - began)?),
            }
            has_failed = true;
            tokio::select! {
                () = self.clock.sleep(pause) => {}
                () = self.cancel.cancelled() => return Ok(Waited::Cancelled),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Says what is waited for and waits a little, before work that failed is begun anew; or gives up.
    ///
    /// # Errors
    /// The error, if waiting is no use or the work has failed for too long.
    pub(super) async fn endure_again<E: Passing>(&self, error: E, trouble: &mut Trouble) -> Result<(), Failure> {
        self.endure(error, trouble.waited(self.clock.uptime()))?;
        tokio::select! {
            () = self.clock.sleep(trouble.pause()) => {}
            () = self.cancel.cancelled() => {}
        }
        Ok(())
    }

    /// Lets an error pass that waiting may help against, without waiting.
    ///
    /// # Errors
    /// Waiting is no use.
    pub(super) fn bear(&self, error: &ZoneError) -> Result<(), Failure> {
        match error.phase() {
            Some(_) => Ok(()),
            None => Err(Failure::new(error.exit(), error.reason(), error)),
        }
    }

    /// Says what is waited for, or gives up; what is borne is given back.
    ///
    /// # Errors
    /// The error, if waiting is no use or was too long.
    pub(super) fn endure<E: Passing>(&self, error: E, waited: Duration) -> Result<Failure, Failure> {
        self.board.turn();
        let (phase, advice) = (error.phase(), error.advice());
        let failure = error.into_failure();
        match phase {
            Some(phase) if self.limit.is_none_or(|limit| waited < limit) => {
                self.tell(phase, &failure, advice, waited);
                Ok(failure)
            }
            Some(_) | None => Err(failure),
        }
    }

    /// Says that the zone's store is away although nothing has to wait for it now.
    pub(super) fn tell_away(&self, error: &ZoneError, trouble: &mut Trouble) {
        if let Some(phase) = error.phase() {
            let failure = Failure::new(error.exit(), error.reason(), error);
            self.tell(phase, &failure, error.advice(), trouble.waited(self.clock.uptime()));
        }
    }

    /// What is away, where, since when, and what to look at.
    fn tell(&self, phase: IngestPhase, failure: &Failure, advice: &str, waited: Duration) {
        let since = self.clock.now() - TimeDelta::from_std(waited).unwrap_or_default();
        let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
        let advice = if advice.is_empty() { String::new() } else { format!("{advice}; ") };
        self.board.phase(phase, format!("{failure}; so since {since}; {advice}it is tried again"));
    }
}

impl Passing for KafkaFault {
    fn phase(&self) -> Option<IngestPhase> {
        (!self.is_permanent()).then_some(IngestPhase::SourceUnavailable)
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Client { .. } | Self::NoCluster { .. } | Self::NoTopic { .. } | Self::NoTopicId { .. } => "",
            Self::Ask { .. } | Self::Consume { .. } if self.is_denial() => "",
            Self::Ask { .. } | Self::Consume { .. } => {
                "see whether the brokers run and this host reaches each of their advertised listeners"
            }
        }
    }

    fn into_failure(self) -> Failure {
        Failure::new(Exit::Kafka, self.reason(), &self)
    }
}

impl Passing for ZoneError {
    fn phase(&self) -> Option<IngestPhase> {
        match self.fault() {
            ZoneFault::StoreUnavailable => Some(IngestPhase::StoreUnavailable),
            // Login, permission or quota: somebody puts it right, and nothing here has to be started again for that (F37).
            ZoneFault::StoreRefuses if self.reason() == "StoreDenied" => Some(IngestPhase::StoreUnavailable),
            ZoneFault::StoreRefuses | ZoneFault::ZoneRefuses | ZoneFault::Ours => None,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Store { source, .. } if source.kind == StoreErrorKind::Denied => {
                "see to the permissions and the quota of the directory; messages wait in Kafka"
            }
            // The error itself says what to look at.
            Self::Store { source, .. } if source.kind == StoreErrorKind::LoginFailed => "messages wait in Kafka",
            Self::Store { zone, .. } if zone.starts_with("hdfs://") => {
                "see whether the NameNode runs, has left safe mode (hdfs dfsadmin -safemode get) and is reached from this \
                 host, and the DataNodes too; messages wait in Kafka"
            }
            _ => "see whether the volume of the directory is there and writable; messages wait in Kafka",
        }
    }

    fn into_failure(self) -> Failure {
        self.into()
    }
}

impl Passing for ParquetError {
    fn phase(&self) -> Option<IngestPhase> {
        match self {
            ParquetError::Zone(error) => error.phase(),
            ParquetError::Encode { .. } | ParquetError::Decode { .. } => None,
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            ParquetError::Zone(error) => error.advice(),
            ParquetError::Encode { .. } | ParquetError::Decode { .. } => "",
        }
    }

    fn into_failure(self) -> Failure {
        match self {
            ParquetError::Zone(error) => error.into(),
            ParquetError::Encode { .. } | ParquetError::Decode { .. } => Failure::new(Exit::Bug, "Internal", &self),
        }
    }
}

#[cfg(test)]
mod tests {
    use gristmill_crds::plan::IngestPlan;
    use gristmill_crds::report::IngestPhase;

    use super::*;
    use crate::documents::Documents;
    use crate::store::StoreError;

    fn plan() -> IngestPlan {
        let documents = Documents::parse("books.yaml".as_ref(), crate::demo::BOOKS).expect("the quickstart is valid");
        documents.ingest_plan(None).expect("the quickstart is valid")
    }

    fn unavailable() -> ZoneError {
        let (kind, message) = (StoreErrorKind::Unavailable, "connection refused".to_owned());
        let source = StoreError { kind, act: "write", path: "/raw/1.staged".to_owned(), message };
        ZoneError::Store { zone: "hdfs://namenode/raw".to_owned(), source }
    }

    #[test]
    fn login_that_fails_is_waited_for_and_not_taken_for_a_permission() {
        let (kind, message) = (StoreErrorKind::LoginFailed, "the Kerberos login failed".to_owned());
        let source = StoreError { kind, act: "write", path: "/raw/1.staged".to_owned(), message };
        let error = ZoneError::Store { zone: "hdfs://namenode/raw".to_owned(), source };
        assert_eq!((error.phase(), error.reason()), (Some(IngestPhase::StoreUnavailable), "StoreDenied"));
        assert!(!error.advice().contains("permissions") && !error.advice().contains("quota"), "{}", error.advice());
    }

    #[tokio::test]
    async fn work_that_fails_again_and_again_is_given_up_after_the_wait_although_it_is_begun_anew() {
        let cancel = CancellationToken::new();
        // A pause ends at once.
        cancel.cancel();
        let clock = Arc::new(crate::zone::SystemClock);
        let patience =
            Patience { clock, limit: Some(Duration::from_nanos(1)), cancel, board: StatusBoard::new(&plan()) };
        let mut trouble = Trouble::default();
        patience.endure_again(unavailable(), &mut trouble).await.expect("the first failure is borne");
        let failure = patience.endure_again(unavailable(), &mut trouble).await.expect_err("the wait is over");
        assert_eq!((failure.exit, failure.reason), (Exit::Store, "StoreUnavailable"));
    }

    #[test]
    fn outage_is_told_with_what_where_since_when_and_what_to_look_at() {
        let board = StatusBoard::new(&plan());
        let (clock, cancel) = (Arc::new(crate::zone::SystemClock), CancellationToken::new());
        let patience = Patience { clock, limit: None, cancel, board: board.clone() };
        let before = chrono::Utc::now();
        drop(patience.endure(unavailable(), Duration::from_secs(90)).expect("it is borne"));
        let message = board.report().message;
        let (what, rest) = message.split_once("; so since ").expect("it tells since when");
        assert!(what.contains("hdfs://namenode/raw") && what.contains("connection refused"), "{message}");
        let since: chrono::DateTime<chrono::Utc> = rest.split(';').next().unwrap_or_default().parse().expect("a time");
        assert!((88..=91).contains(&(before - since).num_seconds()), "{message}");
        for part in ["NameNode", "hdfs dfsadmin -safemode get", "DataNodes", "messages wait in Kafka"] {
            assert!(rest.contains(part), "no {part} in {message}");
        }
    }

    #[test]
    fn topic_that_is_missing_is_told_without_advice_about_brokers() {
        let (topic, servers) = ("books".to_owned(), "kafka:9092".to_owned());
        assert_eq!(KafkaFault::NoTopic { topic: topic.clone(), servers }.advice(), "");
        let ask = |code| KafkaFault::Ask {
            act: "read",
            topic: topic.clone(),
            source: rdkafka::error::KafkaError::MetadataFetch(code),
        };
        assert_eq!(ask(rdkafka::types::RDKafkaErrorCode::TopicAuthorizationFailed).advice(), "");
        assert!(ask(rdkafka::types::RDKafkaErrorCode::BrokerTransportFailure).advice().contains("listeners"));
    }

    /// A worker without partitions has nothing to commit that would say that the store is there again.
    #[tokio::test]
    async fn what_was_said_before_an_outage_is_said_again_after_it() {
        let board = StatusBoard::new(&plan());
        let (clock, cancel) = (Arc::new(crate::zone::SystemClock), CancellationToken::new());
        let patience = Patience { clock, limit: None, cancel, board: board.clone() };
        board.phase(IngestPhase::Ingesting, "reads 0 partitions");
        let mut failures = 2;
        let attempt = async || {
            failures -= 1;
            let phase = board.report().phase;
            if failures < 0 { Ok(phase) } else { Err(unavailable()) }
        };
        let Waited::Done(phase) = patience.repeat(attempt).await.expect("it passes") else { panic!("nobody cancels") };
        assert_eq!(phase, IngestPhase::StoreUnavailable);
        let report = board.report();
        assert_eq!((report.phase, report.message.as_str()), (IngestPhase::Ingesting, "reads 0 partitions"));
    }
}
