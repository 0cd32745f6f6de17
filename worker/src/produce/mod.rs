//! Sends messages to a topic, sample books or the files of a folder, and makes the topic if it is not there.

pub mod books;
mod folder;
mod sender;

use std::path::PathBuf;

use rdkafka::error::KafkaError;
use tokio_util::sync::CancellationToken;

use self::books::{BookMessage, Kind};
pub use self::folder::{FileMessage, FolderMessages};
use self::sender::{DELIVERY_TIMEOUT, Sender};
use crate::exit::{Exit, Failure};
use crate::kafka::Connection;

/// Why messages could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client refuses its settings, or no broker answers.
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

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Read { .. } | Error::NoFiles { .. } => Failure::new(Exit::Usage, "Unreadable", &error),
            Error::Connect { .. } | Error::CreateTopic { .. } | Error::Send { .. } | Error::Undelivered { .. } => {
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
    let mut sender = Sender::connect(target, rate).await?;
    let mut summary = Summary::default();
    for message in messages {
        if cancel.is_cancelled() {
            break;
        }
        sender.send(message.key.as_bytes(), message.value()).await?;
        summary.count(&message);
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
    let mut sender = Sender::connect(target, rate).await?;
    let mut summary = FolderSummary::default();
    for message in messages {
        if cancel.is_cancelled() {
            break;
        }
        let message = match message {
            Ok(message) => message,
            Err(error) => {
                sender.finish().await?;
                return Err(error);
            }
        };
        sender.send(message.key.as_bytes(), Some(&message.payload)).await?;
        summary.messages += 1;
        summary.bytes += message.payload.len();
    }
    sender.finish().await?;
    Ok(summary)
}
