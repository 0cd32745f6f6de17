//! A Kafka topic, as the ingest needs it: facts about it, and its messages from given offsets.
//!
//! ```text
//! Connection      brokers and settings, of which every client is made
//! TopicProbe      cluster id, topic id, offset ranges: asked without a group, so that asking disturbs nothing
//! GroupMember     the membership in the consumer group
//!   └─ Feed       what the member is told: assignments, messages, ends of partitions; one at a time, in order
//! ```
//!
//! Offsets come from the caller always. What the group has stored is written for tools and never read (F11).

mod connection;
mod error;
mod feed;
mod ffi;
mod member;
mod probe;
mod security;

pub use connection::Connection;
pub(crate) use connection::without_value;
pub use error::KafkaFault;
pub use feed::{Feed, SourceEvent};
pub use ffi::{leader_epoch, message_headers};
pub use member::{Changes, GroupMember, MemberOptions};
pub use probe::{OffsetRange, TopicFacts, TopicProbe};
