//! A producer with a pace: sends, waits for room, and knows at the end whether every message arrived.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use tokio::time::{Interval, interval};

use super::{Error, Target};
use crate::kafka::without_value;

/// How long one message may wait for its broker.
pub(super) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(120);

/// How long a full queue is left to drain: at 100,000 messages a second a tenth of it goes meanwhile.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(10);

/// Sends messages to one topic.
pub(super) struct Sender<'t> {
    target: &'t Target,
    producer: ThreadedProducer<Deliveries>,
    pace: Option<Interval>,
}

impl<'t> Sender<'t> {
    /// Makes the topic if it is not there, and a producer that sends at most `rate` messages a second (0: no limit).
    pub(super) async fn connect(target: &'t Target, rate: u32) -> Result<Self, Error> {
        create_topic(target).await?;
        let mut config = target.connection.client_config();
        // Without it a retried batch may stand in the topic twice, and a test would count it as our duplicate.
        config.set("enable.idempotence", "true").set("message.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string());
        for (name, value) in [("linger.ms", "5"), ("client.id", "gristmill-produce")] {
            if !target.connection.sets(name) {
                config.set(name, value);
            }
        }
        let producer = config.create_with_context(Deliveries::default());
        let producer = producer.map_err(|source| connect_error(target, source))?;
        Ok(Self { target, producer, pace: (rate > 0).then(|| interval(Duration::from_secs(1) / rate)) })
    }

    /// Sends one message when its turn comes; no value is a tombstone.
    pub(super) async fn send(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Error> {
        if let Some(pace) = &mut self.pace {
            pace.tick().await;
        }
        let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&self.target.topic).key(key);
        record.payload = value;
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), returned)) => {
                    record = returned;
                    tokio::time::sleep(FULL_QUEUE_PAUSE).await;
                }
                Err((source, _)) => return Err(Error::Send { topic: self.target.topic.clone(), source }),
            }
        }
    }

    /// Waits for the answer to every message.
    pub(super) async fn finish(self) -> Result<(), Error> {
        let Self { target, producer, pace: _ } = self;
        let undelivered = |count, source| Error::Undelivered { topic: target.topic.clone(), count, source };
        let failures = Arc::clone(&producer.context().failures);
        let flushed = tokio::task::spawn_blocking(move || {
            let result = producer.flush(DELIVERY_TIMEOUT);
            result.map_err(|error| (usize::try_from(producer.in_flight_count()).unwrap_or(0).max(1), error))
        });
        match flushed.await {
            Ok(Err((open, error))) => return Err(undelivered(open, error)),
            Err(_) => return Err(undelivered(1, KafkaError::Canceled)),
            Ok(Ok(())) => {}
        }
        let failures = failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match failures.first.clone() {
            Some(first) => Err(undelivered(failures.count, first)),
            None => Ok(()),
        }
    }
}

/// Counts the messages that brokers refused: flushing alone does not tell.
#[derive(Debug, Default)]
struct Deliveries {
    failures: Arc<Mutex<Failures>>,
}

#[derive(Debug, Default)]
struct Failures {
    count: usize,
    first: Option<KafkaError>,
}

impl ClientContext for Deliveries {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, "librdkafka: {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, "librdkafka: {reason}");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        if let Err((error, _)) = result {
            let mut failures = self.failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            failures.count += 1;
            failures.first.get_or_insert_with(|| error.clone());
        }
    }
}

async fn create_topic(target: &Target) -> Result<(), Error> {
    let admin: AdminClient<DefaultClientContext> =
        target.connection.client_config().create().map_err(|source| connect_error(target, source))?;
    let admin = Arc::new(admin);
    if exists(Arc::clone(&admin), target).await? {
        return Ok(());
    }
    let topic = NewTopic::new(&target.topic, target.partitions, TopicReplication::Fixed(-1));
    let failed = |source| Error::CreateTopic { topic: target.topic.clone(), source };
    let options = AdminOptions::new().operation_timeout(Some(DELIVERY_TIMEOUT));
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
async fn exists(admin: Arc<AdminClient<DefaultClientContext>>, target: &Target) -> Result<bool, Error> {
    let unreachable = |source| connect_error(target, source);
    let asked = tokio::task::spawn_blocking(move || admin.inner().fetch_metadata(None, DELIVERY_TIMEOUT));
    let metadata = asked.await.map_err(|_| unreachable(KafkaError::Canceled))?.map_err(unreachable)?;
    Ok(metadata.topics().iter().any(|topic| topic.name() == target.topic))
}

fn connect_error(target: &Target, source: KafkaError) -> Error {
    Error::Connect { servers: target.connection.servers().to_owned(), source: without_value(source) }
}
