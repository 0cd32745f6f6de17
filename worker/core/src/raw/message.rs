//! What goes into the decoder and what it says of it.

use std::borrow::Cow;
use std::fmt;

/// One header of a Kafka message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header<'a> {
    /// Its key; a message may have several headers of one key.
    pub key: Cow<'a, str>,
    /// Its value, if it has one.
    pub value: Option<&'a [u8]>,
}

/// The headers of a message.
///
/// They go with the first reject of a message. Of one without rejects they are not asked for, since librdkafka allocates to
/// read them, also where there are none.
pub trait Headers {
    /// All of them in their order.
    fn read(&self) -> Vec<Header<'_>>;
}

/// Those of a message that has none.
#[derive(Debug, Clone, Copy)]
pub struct NoHeaders;

impl Headers for NoHeaders {
    fn read(&self) -> Vec<Header<'_>> {
        Vec::new()
    }
}

impl fmt::Debug for dyn Headers + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Headers")
    }
}

/// One Kafka message with its coordinates.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Name of the topic.
    pub topic: &'a str,
    /// The topic's id, which a topic created anew under the same name does not share.
    pub topic_id: &'a str,
    /// Partition of the topic.
    pub partition: i32,
    /// Offset in the partition.
    pub offset: i64,
    /// How often the partition's offsets were read anew before this reading.
    pub generation: i32,
    /// Kafka's timestamp in microseconds since 1970, UTC.
    pub timestamp_micros: Option<i64>,
    /// The key as sent.
    pub key: Option<&'a [u8]>,
    /// The value as sent; none is a tombstone.
    pub payload: Option<&'a [u8]>,
    /// Its headers.
    pub headers: &'a dyn Headers,
}

/// What became of a message: exactly one of these, as the zone's identity counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// At least one row was written; or none stood in the message, and the resource accepts that.
    Accepted {
        /// Rows written.
        rows: u32,
        /// Rows of the same message that were not, each with a reject record.
        rejected_rows: u32,
    },
    /// No row was written, and at least one reject record was.
    Rejected {
        /// Reject records that stand for a row; 0 if one record stands for the message.
        rejected_rows: u32,
    },
    /// The message has no value.
    Tombstone,
}
