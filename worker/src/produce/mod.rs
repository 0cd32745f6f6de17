//! Sends sample messages to a topic, and makes the topic if it is not there.

pub mod books;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};

use self::books::{BookMessage, Kind};
use crate::exit::{Exit, Failure};

/// How long one message may wait for its broker.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(120);

/// Why messages could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client refuses its settings.
    #[error("cannot connect to Kafka at {servers}")]
    Connect {
        /// The brokers as given.
        servers: String,
        /// Why.
        source: KafkaError,
    },
    /// The topic is not there and can't be made.
    #[error("cannot create topic {topic:?}; create it with another tool, or ask for the right to")]
    CreateTopic {
        /// The topic.
        topic: String,
        /// Why.
        source: KafkaError,
    },
    /// A message could not be queued.
    #[error("cannot send to topic {topic:?}")]
    Send {
        /// The topic.
        topic: String,
        /// Why.
        source: KafkaError,
    },
    /// Messages were refused, or not confirmed in time.
    #[error("{count} messages to topic {topic:?} were not delivered within {} s; are the brokers up?", DELIVERY_TIMEOUT.as_secs())]
    Undelivered {
        /// The topic.
        topic: String,
        /// Messages that are not in the topic as far as we know.
        count: usize,
        /// Why the first of them failed.
        source: KafkaError,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::new(Exit::Kafka, "SourceUnavailable", &error)
    }
}

/// Where messages go.
#[derive(Debug, Clone)]
pub struct Target {
    /// Comma-separated brokers.
    pub bootstrap_servers: String,
    /// The topic.
    pub topic: String,
    /// Partitions of the topic if it has to be made.
    pub partitions: i32,
}

/// What was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Messages.
    pub messages: usize,
    /// Books in them, bad ones included.
    pub books: usize,
    /// Messages that repeat an earlier one.
    pub duplicates: usize,
    /// Messages that are not well-formed.
    pub malformed: usize,
    /// Messages with a book that breaks a rule.
    pub invalid: usize,
    /// Bytes of all payloads.
    pub bytes: usize,
}

impl Summary {
    fn count(&mut self, message: &BookMessage) {
        self.messages += 1;
        self.books += message.books;
        self.bytes += message.payload.len();
        match message.kind {
            Kind::Plain => {}
            Kind::Duplicate => self.duplicates += 1,
            Kind::Malformed => self.malformed += 1,
            Kind::Invalid => self.invalid += 1,
        }
    }
}

/// Sends every message, at most `rate` a second (0: as fast as the brokers take them), and waits for all answers.
///
/// # Errors
/// No connection, a topic that can't be made, or messages without an answer.
pub async fn produce(
    target: &Target,
    messages: impl Iterator<Item = BookMessage>,
    rate: u32,
) -> Result<Summary, Error> {
    create_topic(target).await?;
    let producer = connect(target)?;
    let mut summary = Summary::default();
    let mut pace = (rate > 0).then(|| tokio::time::interval(Duration::from_secs(1) / rate));
    for message in messages {
        if let Some(pace) = &mut pace {
            pace.tick().await;
        }
        summary.count(&message);
        send(&producer, target, &message).await?;
    }
    confirm(producer, target).await?;
    Ok(summary)
}

/// Waits for the answer to every message.
async fn confirm(producer: ThreadedProducer<Deliveries>, target: &Target) -> Result<(), Error> {
    let undelivered = |count, source| Error::Undelivered { topic: target.topic.clone(), count, source };
    let failures = Arc::clone(&producer.context().failures);
    let flushed = tokio::task::spawn_blocking(move || {
        let result = producer.flush(DELIVERY_TIMEOUT);
        result.map_err(|error| (producer.in_flight_count().max(1) as usize, error))
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

impl ClientContext for Deliveries {}

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
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &target.bootstrap_servers)
        .create()
        .map_err(|source| Error::Connect { servers: target.bootstrap_servers.clone(), source })?;
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
    let unreachable = |source| Error::Connect { servers: target.bootstrap_servers.clone(), source };
    let asked = tokio::task::spawn_blocking(move || admin.inner().fetch_metadata(None, DELIVERY_TIMEOUT));
    let metadata = asked.await.map_err(|_| unreachable(KafkaError::Canceled))?.map_err(unreachable)?;
    Ok(metadata.topics().iter().any(|topic| topic.name() == target.topic))
}

fn connect(target: &Target) -> Result<ThreadedProducer<Deliveries>, Error> {
    ClientConfig::new()
        .set("bootstrap.servers", &target.bootstrap_servers)
        // Without it a retried batch may stand in the topic twice, and a test would count it as our duplicate.
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("message.timeout.ms", DELIVERY_TIMEOUT.as_millis().to_string())
        .create_with_context(Deliveries::default())
        .map_err(|source| Error::Connect { servers: target.bootstrap_servers.clone(), source })
}

async fn send(producer: &ThreadedProducer<Deliveries>, target: &Target, message: &BookMessage) -> Result<(), Error> {
    let mut record = BaseRecord::to(&target.topic).key(&message.key).payload(&message.payload);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), returned)) => {
                record = returned;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err((source, _)) => return Err(Error::Send { topic: target.topic.clone(), source }),
        }
    }
}
