//! A Kafka topic, as the ingest needs it: facts about it, and its messages from given offsets.
//!
//! ```text
//! Connection          brokers and settings, of which every client is made
//! Source              what the ingest asks of Kafka; a simulated one stands beside librdkafka's
//!   ├─ TopicProbe     cluster id, topic id, offset ranges: asked without a group, so that asking disturbs nothing
//!   └─ GroupMember    the membership in the consumer group
//!        └─ Feed      what the member is told: assignments, messages, ends of partitions; one at a time, in order
//! ```
//!
//! Offsets come from the caller always. What the group has stored is written for tools and never read (F11).

mod cluster;
mod connection;
mod error;
mod feed;
mod ffi;
mod member;
mod probe;
mod reception;
mod security;
mod source;
mod too_large;
mod unreachable;

pub use cluster::KafkaSource;
pub use connection::Connection;
pub use error::KafkaFault;
pub(crate) use feed::size;
pub use feed::{Attended, Feed, SourceEvent};
pub use member::{GroupMember, MemberOptions};
pub use probe::{OffsetRange, TopicFacts, TopicProbe};
pub use reception::Reception;
pub use source::{Brokers, Change, Changes, Delivered, Member, MemberFacts, Position, Received, Source};
pub use unreachable::Obstacle;
pub(crate) use unreachable::{Obstacles, unreachable};
