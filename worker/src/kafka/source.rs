//! What the ingest asks of Kafka: a wall with librdkafka on one side and a simulated broker on the other.
//!
//! Everything above it, the feed and the whole loop, is the same code over both.

use std::collections::BTreeMap;
use std::future::Future;

use gristmill_core::raw::Header;
use tokio::sync::mpsc;

use super::{KafkaFault, OffsetRange, TopicFacts};

/// A message as a member is given it. It may borrow the client's memory.
pub trait Delivered: Send + Sync {
    /// Its partition.
    fn partition(&self) -> i32;

    /// Its offset.
    fn offset(&self) -> i64;

    /// Milliseconds since 1970, where it has a time.
    fn timestamp(&self) -> Option<i64>;

    /// Epoch of the leader that it was read from, where the broker tells it.
    fn leader_epoch(&self) -> Option<i32>;

    /// Its key.
    fn key(&self) -> Option<&[u8]>;

    /// Its value; none for a tombstone.
    fn payload(&self) -> Option<&[u8]>;

    /// Its headers in their order.
    fn headers(&self) -> Vec<Header<'_>>;
}

/// Where a partition is read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The partition.
    pub partition: i32,
    /// The next offset.
    pub offset: i64,
    /// Epoch of the leader that the message before it was read from: by it brokers find out that they have lost what
    /// was read (KIP-320).
    pub leader_epoch: Option<i32>,
}

/// What a member receives besides rebalances.
#[derive(Debug)]
pub enum Received<M> {
    /// A message of a partition that was assigned.
    Message(M),
    /// A partition was read to its end.
    EndOfPartition(i32),
    /// A broker has no message at the offset that was asked for, or has another one than was read there before.
    OutOfRange,
    /// A broker's answer is larger than this member receives: some message is.
    TooLarge,
    /// An error; unless it is permanent, the member goes on by itself.
    Disturbed(KafkaFault),
}

/// A rebalance, as the group tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// These partitions are ours once they are taken with offsets.
    Assigned(Vec<i32>),
    /// These partitions go to others as soon as they are given back. The group waits for it.
    Revoked(Vec<i32>),
    /// These partitions are others' already.
    Lost(Vec<i32>),
}

/// Rebalances on their way from the group to the feed.
pub struct Changes(pub(crate) mpsc::Receiver<Change>);

/// A member of the consumer group, from its construction until it leaves.
pub trait Member: Send + Sync {
    /// A message that lies in the member's memory.
    type Message<'m>: Delivered
    where
        Self: 'm;

    /// The next thing that this member is told. Losing the race of a `select!` loses nothing.
    fn receive(&self) -> impl Future<Output = Received<Self::Message<'_>>> + Send;

    /// What [`Self::receive`] would give at once, without waiting.
    fn receive_now(&self) -> Option<Received<Self::Message<'_>>>;

    /// Takes assigned partitions from these positions.
    ///
    /// # Errors
    /// The client refuses.
    fn assign(&self, positions: &[Position]) -> Result<(), KafkaFault>;

    /// Gives revoked partitions back.
    fn give_back(&self, partitions: &[i32]);

    /// Fetches no more of these partitions.
    ///
    /// # Errors
    /// The client refuses.
    fn pause(&self, partitions: &[i32]) -> Result<(), KafkaFault>;

    /// Fetches paused partitions again. Where they are read on a seek must say.
    ///
    /// # Errors
    /// The client refuses.
    fn resume(&self, partitions: &[i32]) -> Result<(), KafkaFault>;

    /// Moves partitions that are ours. What was fetched before is not received any more, but for leftovers.
    fn seek(&self, positions: &[Position]) -> impl Future<Output = Result<(), KafkaFault>> + Send;

    /// Stores offsets in the group for the tools that show lag. Nothing of ours reads them: a failure is no failure.
    fn mirror(&self, offsets: &[(i32, i64)]);

    /// Leaves the group, so that another member gets the partitions without waiting for a time-out.
    fn leave(self) -> impl Future<Output = ()> + Send;
}

/// A member of the group, as the brokers describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberFacts {
    /// How its client calls itself.
    pub client_id: String,
    /// The address that it connects from.
    pub host: String,
}

/// Facts about one topic and its group, asked without being a member, so that asking disturbs nothing.
pub trait Brokers: Clone + Send + Sync {
    /// Which topic of which cluster this is.
    ///
    /// # Errors
    /// No broker answers, or the topic is not there.
    fn facts(&self) -> impl Future<Output = Result<TopicFacts, KafkaFault>> + Send;

    /// The offsets that each partition holds now.
    ///
    /// # Errors
    /// A partition has no leader, or no broker answers.
    fn ranges(
        &self,
        partitions: Vec<i32>,
    ) -> impl Future<Output = Result<BTreeMap<i32, OffsetRange>, KafkaFault>> + Send;

    /// The readable end of every partition that the topic has now.
    ///
    /// # Errors
    /// As [`Self::ranges`].
    fn ends(&self) -> impl Future<Output = Result<BTreeMap<i32, i64>, KafkaFault>> + Send;

    /// For every partition the offset of its first message that is not older; its end where there is none.
    ///
    /// # Errors
    /// As [`Self::ranges`].
    fn offsets_at(&self, timestamp: i64) -> impl Future<Output = Result<BTreeMap<i32, i64>, KafkaFault>> + Send;

    /// The first of these positions at which a broker's answer is larger than a member receives.
    ///
    /// # Errors
    /// As [`Self::ranges`].
    fn too_large_at(
        &self,
        positions: Vec<Position>,
    ) -> impl Future<Output = Result<Option<Position>, KafkaFault>> + Send;

    /// The members of the group now; none if there is no such group.
    ///
    /// # Errors
    /// The coordinator does not answer, or can't describe groups.
    fn members(&self) -> impl Future<Output = Result<Vec<MemberFacts>, KafkaFault>> + Send;
}

/// Kafka, as one ingest is given it.
pub trait Source {
    /// Answers questions.
    type Brokers: Brokers;
    /// Reads messages.
    type Member: Member;

    /// Whom to ask about the topic.
    ///
    /// # Errors
    /// The client refuses its settings.
    fn brokers(&self) -> Result<Self::Brokers, KafkaFault>;

    /// Joins the group by this client id; the first assignment comes with the changes.
    ///
    /// # Errors
    /// The client refuses its settings.
    fn join(&self, client_id: &str) -> Result<(Self::Member, Changes), KafkaFault>;
}
