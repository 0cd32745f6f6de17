//! The membership in a consumer group: settings, rebalances, positions.
//!
//! The rebalance callback does what can't wait and tells the rest. Lost partitions are others' already. Assigned ones are
//! taken by the [`Feed`](super::Feed) with offsets of the zone's log, and revoked ones are given back by it once the open
//! file is committed: until then the group waits.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use gristmill_core::raw::Header;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message, Timestamp};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::mpsc;

use super::source::{Change, Changes, Delivered, Member, Position, Received};
use super::{Connection, KafkaFault, Reception, ffi};

/// How long a seek may take: it only tells librdkafka's own thread.
const SEEK_TIMEOUT: Duration = Duration::from_secs(30);
/// How long librdkafka may take to begin with a partition that it was just given, before it is given it anew.
const STARTED_WITHIN: Duration = Duration::from_millis(500);
/// Pause between two attempts to seek a partition that librdkafka has not begun to read yet.
const SEEK_PAUSE: Duration = Duration::from_millis(20);
/// How long leaving the group may take. With the time for the last commit it ends before a pod is killed.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Rebalances that may wait to be heard. The feed hears each before the next poll, so two are never exceeded.
const CHANGES: usize = 64;

/// What a member is made of.
#[derive(Debug, Clone)]
pub struct MemberOptions {
    /// The brokers.
    pub connection: Connection,
    /// The topic.
    pub topic: String,
    /// The group.
    pub group: String,
    /// What brokers call this client in their logs and metrics.
    pub client_id: String,
    /// How much may be received at a time.
    pub reception: Reception,
}

/// A member of the consumer group, from its construction until [`GroupMember::leave`] or its drop.
pub struct GroupMember {
    consumer: Arc<StreamConsumer<Rebalances>>,
    topic: String,
    wanted: Wanted,
}

impl GroupMember {
    /// Joins the group; the first assignment comes with the feed's events.
    ///
    /// # Errors
    /// librdkafka refuses the settings.
    pub fn join(options: &MemberOptions) -> Result<(Self, Changes), KafkaFault> {
        let (changes, heard) = mpsc::channel(CHANGES);
        let wanted = Wanted::default();
        let failed = |source| options.connection.refused(source);
        let consumer: StreamConsumer<Rebalances> = configuration(options)
            .create_with_context(Rebalances { changes, wanted: Arc::clone(&wanted) })
            .map_err(failed)?;
        consumer.subscribe(&[&options.topic]).map_err(failed)?;
        Ok((Self { consumer: Arc::new(consumer), topic: options.topic.clone(), wanted }, Changes(heard)))
    }

    fn fault(&self, act: &'static str, source: KafkaError) -> KafkaFault {
        KafkaFault::Consume { act, topic: self.topic.clone(), source }
    }

    fn received<'m>(&self, received: KafkaResult<BorrowedMessage<'m>>) -> Received<BorrowedMessage<'m>> {
        match received {
            Ok(message) => Received::Message(message),
            Err(KafkaError::PartitionEOF(partition)) => Received::EndOfPartition(partition),
            Err(error) => match error.rdkafka_error_code() {
                Some(
                    RDKafkaErrorCode::AutoOffsetReset
                    | RDKafkaErrorCode::OffsetOutOfRange
                    | RDKafkaErrorCode::LogTruncation,
                ) => Received::OutOfRange,
                // An answer above `receive.message.max.bytes` ends the connection by the first of these.
                Some(RDKafkaErrorCode::BadMessage | RDKafkaErrorCode::MessageSizeTooLarge) => Received::TooLarge,
                _ => Received::Disturbed(self.fault("read", error)),
            },
        }
    }

    fn list(&self, positions: &[Position]) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(positions.len());
        for Position { partition, offset, leader_epoch } in positions {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))?;
            if let Some(epoch) = leader_epoch {
                ffi::set_leader_epoch(&mut list, &self.topic, *partition, *epoch);
            }
        }
        Ok(list)
    }

    fn assign_anew(&self, positions: &[Position]) -> Result<(), KafkaFault> {
        let partitions: Vec<i32> = positions.iter().map(|position| position.partition).collect();
        self.consumer
            .incremental_unassign(&self.names(&partitions))
            .and_then(|()| self.consumer.incremental_assign(&self.list(positions)?))
            .map_err(|source| self.fault("take partitions anew of", source))
    }

    fn names(&self, partitions: &[i32]) -> TopicPartitionList {
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition(&self.topic, *partition);
        }
        list
    }
}

impl Member for GroupMember {
    type Message<'m> = BorrowedMessage<'m>;

    async fn receive(&self) -> Received<BorrowedMessage<'_>> {
        self.received(self.consumer.recv().await)
    }

    fn receive_now(&self) -> Option<Received<BorrowedMessage<'_>>> {
        self.consumer.recv().now_or_never().map(|received| self.received(received))
    }

    fn assign(&self, positions: &[Position]) -> Result<(), KafkaFault> {
        self.list(positions)
            .and_then(|list| self.consumer.incremental_assign(&list))
            .map_err(|source| self.fault("take partitions of", source))
    }

    fn give_back(&self, partitions: &[i32]) {
        lock(&self.wanted).retain(|partition| !partitions.contains(partition));
        if let Err(error) = self.consumer.incremental_unassign(&self.names(partitions)) {
            tracing::debug!(%error, "partitions were not ours to give back");
        }
    }

    fn pause(&self, partitions: &[i32]) -> Result<(), KafkaFault> {
        self.consumer.pause(&self.names(partitions)).map_err(|source| self.fault("pause", source))
    }

    fn resume(&self, partitions: &[i32]) -> Result<(), KafkaFault> {
        self.consumer.resume(&self.names(partitions)).map_err(|source| self.fault("resume", source))
    }

    /// What librdkafka has fetched or told before is dropped by its version barrier.
    ///
    /// A partition of which it has told that an offset was refused, it reads no more and does not seek in: that one is
    /// given to it anew. The seek follows all the same, since an assignment is not compared with what the leader holds.
    async fn seek(&self, positions: &[Position]) -> Result<(), KafkaFault> {
        let mut open = positions.to_vec();
        let began = Instant::now();
        let mut is_anew = false;
        while !open.is_empty() {
            let list = self.list(&open).map_err(|source| self.fault("seek in", source))?;
            let consumer = Arc::clone(&self.consumer);
            let sought = tokio::task::spawn_blocking(move || consumer.seek_partitions(list, SEEK_TIMEOUT)).await;
            let answer = sought.unwrap_or(Err(KafkaError::Canceled)).map_err(|source| self.fault("seek in", source))?;
            let unfinished = unfinished(&answer);
            open.retain(|position| unfinished.contains(&position.partition));
            if open.is_empty() {
                break;
            }
            if began.elapsed() > SEEK_TIMEOUT {
                return Err(self.fault("seek in", KafkaError::Seek("partitions are not read yet".into())));
            }
            if !is_anew && began.elapsed() > STARTED_WITHIN {
                is_anew = true;
                self.assign_anew(&open)?;
            }
            tokio::time::sleep(SEEK_PAUSE).await;
        }
        Ok(())
    }

    fn mirror(&self, offsets: &[(i32, i64)]) {
        let positions = offsets.iter().map(|(partition, offset)| Position {
            partition: *partition,
            offset: *offset,
            leader_epoch: None,
        });
        let list = self.list(&positions.collect::<Vec<_>>());
        if let Err(error) = list.and_then(|list| self.consumer.commit(&list, CommitMode::Async)) {
            tracing::debug!(%error, "offsets not mirrored to the group");
        }
    }

    /// Whoever leaves has committed already, so brokers that do not answer are waited for briefly: what is left then
    /// goes on by itself, and the group notices by its time-out.
    async fn leave(self) {
        // Closing talks to the coordinator and blocks, for as long as the coordinator is away.
        let closed = tokio::task::spawn_blocking(move || drop(self));
        if !matches!(tokio::time::timeout(LEAVE_TIMEOUT, closed).await, Ok(Ok(()))) {
            tracing::warn!("the consumer did not leave its group in order; the brokers give its partitions away later");
        }
    }
}

impl Drop for GroupMember {
    fn drop(&mut self) {
        // librdkafka closes when every revocation is answered, and waits for ever until then.
        let wanted: Vec<_> = lock(&self.wanted).iter().copied().collect();
        if !wanted.is_empty() {
            self.give_back(&wanted);
        }
    }
}

/// Partitions that librdkafka could not move: it has been told of them and has not begun to read them.
fn unfinished(answer: &TopicPartitionList) -> Vec<i32> {
    let elements = answer.elements();
    elements.iter().filter(|element| element.error().is_err()).map(|element| element.partition()).collect()
}

fn configuration(options: &MemberOptions) -> ClientConfig {
    let MemberOptions { connection, topic: _, group, client_id, reception } = options;
    let mut config = connection.client_config();
    config
        .set("group.id", group)
        .set("client.id", client_id)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set_log_level(RDKafkaLogLevel::Warning);
    reception.configure(&mut config);
    let mut unless_set = |name, value| {
        if !connection.sets(name) {
            config.set(name, value);
        }
    };
    // The default of 5 min would leave a new partition unread for so long.
    unless_set("topic.metadata.refresh.interval.ms", "60000");
    // The default of 1 has an answer for each message that arrives alone, which costs more than to decode it: a worker
    // took 22 thousandths of a core instead of 3 at 100/s, and 54 instead of 11 at 1000/s. A message waits for others
    // for fetch.wait.max.ms, half a second by default.
    unless_set("fetch.min.bytes", "100000");
    // librdkafka lets a partition rest for this long when the queue is full, by default 1 s. A queue of little memory is full
    // several times a second: 200,000 messages took 7 s that take 3 s so, with the same CPU.
    unless_set("fetch.queue.backoff.ms", "10");
    // In a group of KIP-848 the brokers decide on both, and librdkafka refuses them.
    if connection.setting("group.protocol") != Some("consumer") {
        unless_set("partition.assignment.strategy", "cooperative-sticky");
        // A worker that was killed frees its partitions after this; one that leaves does so at once.
        unless_set("session.timeout.ms", "15000");
    }
    config
}

/// Hears of rebalances.
pub(super) struct Rebalances {
    changes: mpsc::Sender<Change>,
    /// Revoked partitions that were not given back yet.
    wanted: Wanted,
}

type Wanted = Arc<Mutex<BTreeSet<i32>>>;

fn lock(wanted: &Wanted) -> MutexGuard<'_, BTreeSet<i32>> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ClientContext for Rebalances {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, "librdkafka: {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, "librdkafka: {reason}");
    }
}

impl ConsumerContext for Rebalances {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let partitions: Vec<i32> = list.elements().iter().map(|element| element.partition()).collect();
        let change = match RDKafkaErrorCode::from(code) {
            RDKafkaErrorCode::AssignPartitions => Change::Assigned(partitions),
            _ if consumer.assignment_lost() => {
                give_back(consumer, list);
                Change::Lost(partitions)
            }
            _ => {
                lock(&self.wanted).extend(&partitions);
                Change::Revoked(partitions)
            }
        };
        let answered = matches!(change, Change::Lost(_));
        if self.changes.try_send(change).is_err() && !answered {
            // Nobody reads any more: the consumer is being closed, and librdkafka waits for an answer to go on.
            give_back(consumer, list);
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "offsets not mirrored to the group");
        }
    }
}

fn give_back(consumer: &BaseConsumer<Rebalances>, list: &TopicPartitionList) {
    if let Err(error) = consumer.incremental_unassign(list) {
        tracing::debug!(%error, "partitions were not ours to give back");
    }
}

/// A client whose troubles are told by its caller, once, and not by librdkafka at every attempt.
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, "librdkafka: {message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, "librdkafka: {reason}");
    }
}

impl ConsumerContext for Quiet {}

impl Delivered for BorrowedMessage<'_> {
    fn partition(&self) -> i32 {
        Message::partition(self)
    }

    fn offset(&self) -> i64 {
        Message::offset(self)
    }

    fn timestamp(&self) -> Option<i64> {
        match Message::timestamp(self) {
            Timestamp::CreateTime(time) | Timestamp::LogAppendTime(time) => Some(time),
            Timestamp::NotAvailable => None,
        }
    }

    fn leader_epoch(&self) -> Option<i32> {
        ffi::leader_epoch(self)
    }

    fn key(&self) -> Option<&[u8]> {
        Message::key(self)
    }

    fn payload(&self) -> Option<&[u8]> {
        Message::payload(self)
    }

    fn headers(&self) -> Vec<Header<'_>> {
        ffi::message_headers(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configured(settings: &[(&str, &str)]) -> ClientConfig {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        configuration(&MemberOptions {
            connection: Connection::plaintext("127.0.0.1:1").with_settings(settings),
            topic: "books".to_owned(),
            group: "group".to_owned(),
            client_id: "test".to_owned(),
            reception: Reception { queued: 1 << 20, fetch: 1 << 20, message: 16 << 20, margin: 0 },
        })
    }

    #[test]
    fn settings_of_the_resource_are_kept_but_for_those_that_exactly_once_rests_on() {
        let config = configured(&[("session.timeout.ms", "30000"), ("isolation.level", "read_uncommitted")]);
        assert_eq!(config.get("session.timeout.ms"), Some("30000"));
        assert_eq!(config.get("partition.assignment.strategy"), Some("cooperative-sticky"));
        assert_eq!(config.get("isolation.level"), Some("read_committed"));
        assert_eq!(configured(&[]).get("session.timeout.ms"), Some("15000"));
    }

    #[test]
    fn full_queue_lets_a_partition_rest_for_moments_unless_the_resource_says_how_long() {
        assert_eq!(configured(&[]).get("fetch.queue.backoff.ms"), Some("10"));
        assert_eq!(configured(&[("fetch.queue.backoff.ms", "500")]).get("fetch.queue.backoff.ms"), Some("500"));
    }

    #[tokio::test]
    async fn group_of_kip_848_is_joined_without_the_settings_that_its_brokers_decide_on() {
        let config = configured(&[("group.protocol", "consumer")]);
        assert_eq!(config.get("session.timeout.ms"), None);
        assert_eq!(config.get("partition.assignment.strategy"), None);
        drop(config.create::<StreamConsumer>().expect("librdkafka takes these settings together"));
    }

    #[tokio::test]
    async fn longest_answer_is_a_fetch_and_a_message_together() {
        let config = configured(&[]);
        let longest = ((1 + 16 + 1) << 20).to_string();
        assert_eq!(config.get("receive.message.max.bytes"), Some(longest.as_str()));
        drop(config.create::<StreamConsumer>().expect("librdkafka takes these sizes together"));
    }
}
