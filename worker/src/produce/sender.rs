//! A producer with a pace: sends, waits for room, and knows at the end whether every message arrived.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use tokio::time::{Interval, interval};
use tokio_util::sync::CancellationToken;

use super::{Error, Target};
use crate::kafka::{Obstacles, unreachable};

/// How long a full queue is left to drain: at 100,000 messages a second a tenth of it goes meanwhile.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(10);
/// Waiting that a person notices: from then on it is told.
const NOTICED: Duration = Duration::from_secs(2);
/// How long what was sent before a signal may take to be confirmed.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);
/// How often a signal is looked for while answers are waited for.
const LOOK: Duration = Duration::from_millis(100);

/// Sends messages to one topic.
pub(super) struct Sender<'t> {
    target: &'t Target,
    producer: ThreadedProducer<Deliveries>,
    pace: Option<Interval>,
    cancel: &'t CancellationToken,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is on its way.
    Queued,
    /// A signal came first.
    Cancelled,
}

impl<'t> Sender<'t> {
    /// Makes the topic if it is not there, and a producer that sends at most `rate` messages a second (0: no limit); none
    /// if a signal comes first.
    pub(super) async fn connect(
        target: &'t Target,
        rate: u32,
        cancel: &'t CancellationToken,
    ) -> Result<Option<Self>, Error> {
        let topic_is_there = told(|| format!("brokers {}", target.connection.servers()), target.wait, topic(target));
        tokio::select! {
            biased;
            () = cancel.cancelled() => return Ok(None),
            made = topic_is_there => made?,
        }
        let mut config = target.connection.client_config();
        // Without it a retried batch may stand in the topic twice, and a test would count it as our duplicate.
        config.set("enable.idempotence", "true").set("message.timeout.ms", target.wait.as_millis().to_string());
        for (name, value) in [("linger.ms", "5"), ("client.id", "gristmill-produce")] {
            if !target.connection.sets(name) {
                config.set(name, value);
            }
        }
        let producer = config.create_with_context(Deliveries::default());
        let producer = producer.map_err(|source| refused(target, source))?;
        Ok(Some(Self { target, producer, pace: (rate > 0).then(|| interval(Duration::from_secs(1) / rate)), cancel }))
    }

    /// Sends one message when its turn comes; no value is a tombstone.
    ///
    /// # Errors
    /// An earlier one was refused, or not confirmed in time.
    pub(super) async fn send(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<Sent, Error> {
        if let Some(pace) = &mut self.pace {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => {}
                _ = pace.tick() => {}
            }
        }
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.target.topic).key(key);
        record.payload = value;
        while !self.cancel.is_cancelled() {
            self.context().outcome(self.target)?;
            match self.producer.send(record) {
                Ok(()) => return Ok(Sent::Queued),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), returned)) => {
                    record = returned;
                    tokio::time::sleep(FULL_QUEUE_PAUSE).await;
                }
                Err((source, _)) => return Err(Error::Send { topic: self.target.topic.clone(), source }),
            }
        }
        Ok(Sent::Cancelled)
    }

    /// Waits for the answer to every message; after a signal for a while only.
    pub(super) async fn finish(self) -> Result<(), Error> {
        let what = || format!("the answers of topic {:?}", self.target.topic);
        told(what, self.target.wait, self.flush()).await?;
        self.context().outcome(self.target)
    }

    async fn flush(&self) -> Result<(), Error> {
        let (producer, cancel, wait) = (self.producer.clone(), self.cancel.clone(), self.target.wait);
        let flushed = tokio::task::spawn_blocking(move || {
            let mut deadline = Instant::now() + wait;
            loop {
                if cancel.is_cancelled() {
                    deadline = deadline.min(Instant::now() + DRAIN_WITHIN);
                }
                match producer.flush(LOOK) {
                    Err(error) if Instant::now() > deadline => {
                        return Err((usize::try_from(producer.in_flight_count()).unwrap_or(0).max(1), error));
                    }
                    Err(_) => {}
                    Ok(()) => return Ok(()),
                }
            }
        });
        let undelivered = |count, source| self.context().undelivered(self.target, count, source);
        match flushed.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err((open, error))) => Err(undelivered(open, error)),
            Err(_) => Err(undelivered(1, KafkaError::Canceled)),
        }
    }

    fn context(&self) -> &Deliveries {
        self.producer.context()
    }
}

/// Does what may have to wait for brokers, and says so once that takes long.
async fn told<T>(what: impl Fn() -> String, wait: Duration, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    tokio::select! {
        outcome = &mut work => return outcome,
        () = tokio::time::sleep(NOTICED) => {}
    }
    tracing::warn!("waits for {}; gives up after {} s, see --wait", what(), wait.as_secs());
    work.await
}

/// Counts the messages that brokers refused: flushing alone does not tell.
#[derive(Debug, Default)]
struct Deliveries {
    failures: Mutex<Failures>,
    obstacles: Obstacles,
}

#[derive(Debug, Default)]
struct Failures {
    count: usize,
    first: Option<KafkaError>,
}

impl Deliveries {
    fn failures(&self) -> MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether every answer until now was a good one.
    fn outcome(&self, target: &Target) -> Result<(), Error> {
        let failures = self.failures();
        match &failures.first {
            Some(first) => Err(self.undelivered(target, failures.count, first.clone())),
            None => Ok(()),
        }
    }

    fn undelivered(&self, target: &Target, count: usize, source: KafkaError) -> Error {
        Error::Undelivered {
            topic: target.topic.clone(),
            count,
            wait: target.wait,
            why: self.obstacles.last().map(Box::new),
            source: Box::new(source),
        }
    }
}

impl ClientContext for Deliveries {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, "librdkafka: {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.obstacles.note(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        if let Err((error, _)) = result {
            let mut failures = self.failures();
            failures.count += 1;
            failures.first.get_or_insert_with(|| error.clone());
        }
    }
}

/// Makes the topic if it is not there.
async fn topic(target: &Target) -> Result<(), Error> {
    if exists(target).await? {
        return Ok(());
    }
    let admin: AdminClient<DefaultClientContext> =
        target.connection.client_config().create().map_err(|source| refused(target, source))?;
    let topic = NewTopic::new(&target.topic, target.partitions, TopicReplication::Fixed(-1));
    let failed = |source| Error::CreateTopic { topic: target.topic.clone(), source };
    let options = AdminOptions::new().operation_timeout(Some(target.wait)).request_timeout(Some(target.wait));
    let results = admin.create_topics([&topic], &options).await.map_err(failed)?;
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((_, code)) => return Err(failed(KafkaError::AdminOp(code))),
        }
    }
    Ok(())
}

/// Asks for all topics: brokers may make a topic on their own when one is asked for by name.
async fn exists(target: &Target) -> Result<bool, Error> {
    let client: BaseConsumer<Obstacles> = target
        .connection
        .client_config()
        .create_with_context(Obstacles::default())
        .map_err(|source| refused(target, source))?;
    let (topic, wait, servers) = (target.topic.clone(), target.wait, target.connection.servers().to_owned());
    let asked = tokio::task::spawn_blocking(move || match client.fetch_metadata(None, wait) {
        Ok(metadata) => Ok(metadata.topics().iter().any(|known| known.name() == topic)),
        Err(_) => Err(unreachable(&client, &servers)),
    });
    let answer = asked.await.unwrap_or_else(|_| Err(target.connection.refused(KafkaError::Canceled)));
    answer.map_err(|fault| Error::Connect(Box::new(fault)))
}

fn refused(target: &Target, source: KafkaError) -> Error {
    Error::Connect(Box::new(target.connection.refused(source)))
}
