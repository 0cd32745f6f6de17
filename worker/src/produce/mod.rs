//! Sends messages to a topic, sample books or the files of a folder, and makes the topic if it is not there.

pub mod books;
mod folder;
mod sender;

use std::path::PathBuf;
use std::time::Duration;

use rdkafka::error::KafkaError;
use tokio_util::sync::CancellationToken;

use self::books::{BookMessage, Kind};
pub use self::folder::{FileMessage, FolderMessages};
use self::sender::{Sender, Sent};
use crate::exit::{Exit, Failure};
use crate::kafka::{Connection, KafkaFault, Obstacle};

/// Why messages could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client refuses its settings, or no broker answers.
    #[error("{}; without a document these are --bootstrap-servers and --config", with_causes(.0))]
    Connect(Box<KafkaFault>),
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
    #[error("{count} messages to topic {topic:?} are not confirmed after {} s{}", wait.as_secs(), obstacle(why.as_deref()))]
    Undelivered {
        /// The topic.
        topic: String,
        /// Messages that are not in the topic as far as we know.
        count: usize,
        /// How long they were waited for.
        wait: Duration,
        /// What stood between us and the brokers, if the client was told.
        why: Option<Box<Obstacle>>,
        /// Why the first of them failed.
        source: Box<KafkaError>,
    },
    /// A file or folder can't be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder holds nothing to send.
    #[error("{} holds no file to send; name a folder with one document a file", folder.display())]
    NoFiles {
        /// The folder.
        folder: PathBuf,
    },
}

fn obstacle(why: Option<&Obstacle>) -> String {
    why.map_or_else(|| "; are the brokers up?".to_owned(), |why| format!(": {why}"))
}

fn with_causes(fault: &KafkaFault) -> String {
    Failure::new(Exit::Kafka, "SourceUnavailable", fault).message
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Read { .. } | Error::NoFiles { .. } => Failure::new(Exit::Usage, "Unreadable", &error),
            Error::Connect(_) | Error::CreateTopic { .. } | Error::Send { .. } | Error::Undelivered { .. } => {
                Failure::new(Exit::Kafka, "SourceUnavailable", &error)
            }
        }
    }
}

/// Where messages go.
#[derive(Debug, Clone)]
pub struct Target {
    /// The brokers.
    pub connection: Connection,
    /// The topic.
    pub topic: String,
    /// Partitions of the topic if it has to be made.
    pub partitions: i32,
    /// How long brokers may be away, and a message may wait for its answer.
    pub wait: Duration,
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
    /// Messages whose books were updated long before those around them.
    pub late: usize,
    /// Messages with a key and no value.
    pub tombstones: usize,
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
            Kind::Late => self.late += 1,
            Kind::Tombstone => self.tombstones += 1,
        }
    }
}

/// What was sent of a folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct FolderSummary {
    /// Messages: one a file.
    pub messages: usize,
    /// Bytes of all files.
    pub bytes: usize,
}

/// Sends book messages, at most `rate` a second (0: as fast as the brokers take them), and waits for all answers.
/// Cancelling ends it early, with what was sent until then confirmed.
///
/// # Errors
/// No connection, a topic that can't be made, or messages without an answer.
pub async fn produce(
    target: &Target,
    messages: impl Iterator<Item = BookMessage>,
    rate: u32,
    cancel: &CancellationToken,
) -> Result<Summary, Error> {
    let mut summary = Summary::default();
    let Some(mut sender) = Sender::connect(target, rate, cancel).await? else { return Ok(summary) };
    for message in messages {
        match sender.send(message.key.as_bytes(), message.value()).await? {
            Sent::Queued => summary.count(&message),
            Sent::Cancelled => break,
        }
    }
    sender.finish().await?;
    Ok(summary)
}

/// Sends the files of a folder in the same way.
///
/// # Errors
/// As [`produce`], or a file that can't be read; those before it are sent then.
pub async fn produce_folder(
    target: &Target,
    messages: FolderMessages,
    rate: u32,
    cancel: &CancellationToken,
) -> Result<FolderSummary, Error> {
    let mut summary = FolderSummary::default();
    let Some(mut sender) = Sender::connect(target, rate, cancel).await? else { return Ok(summary) };
    for message in messages {
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                sender.finish().await?;
                return Err(error);
            }
        };
        match sender.send(message.key.as_bytes(), Some(&message.payload)).await? {
            Sent::Queued => {
                summary.messages += 1;
                summary.bytes += message.payload.len();
            }
            Sent::Cancelled => break,
        }
    }
    sender.finish().await?;
    Ok(summary)
}
