//! The membership in a consumer group: settings, rebalances, positions.
//!
//! The rebalance callback does what can't wait and tells the rest: it gives revoked partitions back at once, since the
//! open file is dropped whole on any revocation, and leaves assigned ones to the [`Feed`](super::Feed), which takes
//! them with offsets of the zone's log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use tokio::sync::mpsc;

use super::{Connection, KafkaFault};

/// How long a seek may take: it only tells librdkafka's own thread.
const SEEK_TIMEOUT: Duration = Duration::from_secs(30);
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
    /// Bytes that librdkafka may fetch ahead.
    pub prefetch_bytes: u64,
}

/// A member of the consumer group, from its construction until [`GroupMember::leave`] or its drop.
pub struct GroupMember {
    pub(super) consumer: Arc<StreamConsumer<Rebalances>>,
    pub(super) topic: String,
}

/// A rebalance, as the callback tells it.
#[derive(Debug)]
pub(super) enum Change {
    /// These partitions are ours once they are taken with offsets.
    Assigned(Vec<i32>),
    /// These partitions are no longer ours; they are given back already.
    Revoked(Vec<i32>),
}

impl GroupMember {
    /// Joins the group; the first assignment comes with the feed's events.
    ///
    /// # Errors
    /// librdkafka refuses the settings.
    pub fn join(options: &MemberOptions) -> Result<(Self, Changes), KafkaFault> {
        let (changes, heard) = mpsc::channel(CHANGES);
        let failed = |source| options.connection.refused(source);
        let consumer: StreamConsumer<Rebalances> =
            configuration(options).create_with_context(Rebalances { changes }).map_err(failed)?;
        consumer.subscribe(&[&options.topic]).map_err(failed)?;
        Ok((Self { consumer: Arc::new(consumer), topic: options.topic.clone() }, Changes(heard)))
    }

    /// Leaves the group, so that another member gets the partitions without waiting for a time-out.
    ///
    /// Whoever leaves has committed already, so brokers that do not answer are waited for briefly: what is left then
    /// goes on by itself, and the group notices by its time-out.
    pub async fn leave(self) {
        // Closing talks to the coordinator and blocks, for as long as the coordinator is away.
        let closed = tokio::task::spawn_blocking(move || drop(self));
        if !matches!(tokio::time::timeout(LEAVE_TIMEOUT, closed).await, Ok(Ok(()))) {
            tracing::warn!("the consumer did not leave its group in order; the brokers give its partitions away later");
        }
    }

    /// Stores offsets in the group for the tools that show lag. Nothing of ours reads them, so a failure is no failure.
    pub fn mirror(&self, offsets: &[(i32, i64)]) {
        let mirrored = self.list(offsets).and_then(|list| self.consumer.commit(&list, CommitMode::Async));
        if let Err(error) = mirrored {
            tracing::debug!(%error, "offsets not mirrored to the group");
        }
    }

    pub(super) fn assign(&self, offsets: &[(i32, i64)]) -> Result<(), KafkaFault> {
        self.list(offsets)
            .and_then(|list| self.consumer.incremental_assign(&list))
            .map_err(|source| self.fault("take partitions of", source))
    }

    pub(super) fn pause(&self, partitions: &[(i32, i64)]) -> Result<(), KafkaFault> {
        let paused = self.list(partitions).and_then(|list| self.consumer.pause(&list));
        paused.map_err(|source| self.fault("pause", source))
    }

    /// Reads paused partitions on, from these offsets.
    pub(super) async fn resume(&self, offsets: &[(i32, i64)]) -> Result<(), KafkaFault> {
        let resumed = self.list(offsets).and_then(|list| self.consumer.resume(&list));
        resumed.map_err(|source| self.fault("resume", source))?;
        self.seek(offsets).await
    }

    /// Moves partitions that are ours. What librdkafka has fetched or told before is dropped by its version barrier.
    pub(super) async fn seek(&self, offsets: &[(i32, i64)]) -> Result<(), KafkaFault> {
        let mut open = offsets.to_vec();
        let deadline = Instant::now() + SEEK_TIMEOUT;
        while !open.is_empty() {
            let list = self.list(&open).map_err(|source| self.fault("seek in", source))?;
            let consumer = Arc::clone(&self.consumer);
            let sought = tokio::task::spawn_blocking(move || consumer.seek_partitions(list, SEEK_TIMEOUT)).await;
            let answer = sought.unwrap_or(Err(KafkaError::Canceled)).map_err(|source| self.fault("seek in", source))?;
            let unfinished = unfinished(&answer);
            open.retain(|(partition, _)| unfinished.contains(partition));
            if !open.is_empty() {
                if Instant::now() > deadline {
                    return Err(self.fault("seek in", KafkaError::Seek("partitions are not read yet".into())));
                }
                tokio::time::sleep(SEEK_PAUSE).await;
            }
        }
        Ok(())
    }

    pub(super) fn fault(&self, act: &'static str, source: KafkaError) -> KafkaFault {
        KafkaFault::Consume { act, topic: self.topic.clone(), source }
    }

    fn list(&self, offsets: &[(i32, i64)]) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (partition, offset) in offsets {
            list.add_partition_offset(&self.topic, *partition, Offset::Offset(*offset))?;
        }
        Ok(list)
    }
}

/// Partitions that librdkafka could not move: it has been told of them and has not begun to read them.
fn unfinished(answer: &TopicPartitionList) -> Vec<i32> {
    let elements = answer.elements();
    elements.iter().filter(|element| element.error().is_err()).map(|element| element.partition()).collect()
}

fn configuration(options: &MemberOptions) -> ClientConfig {
    let MemberOptions { connection, topic: _, group, client_id, prefetch_bytes } = options;
    // Half waits in the queue, half is what a response that is under way may add to it.
    let half = prefetch_bytes / 2;
    let mut config = connection.client_config();
    config
        .set("group.id", group)
        .set("client.id", client_id)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("partition.assignment.strategy", "cooperative-sticky")
        // A worker that was killed frees its partitions after this; one that leaves does so at once.
        .set("session.timeout.ms", "15000")
        // The default of 5 min would leave a new partition unread for so long.
        .set("topic.metadata.refresh.interval.ms", "60000")
        .set("queued.max.messages.kbytes", (half / 1024).clamp(1024, 1 << 20).to_string())
        .set("fetch.max.bytes", half.clamp(1 << 20, 50 << 20).to_string())
        .set_log_level(RDKafkaLogLevel::Warning);
    config
}

/// Rebalances on their way from the callback to the feed.
pub struct Changes(pub(super) mpsc::Receiver<Change>);

/// Hears of rebalances.
pub(super) struct Rebalances {
    changes: mpsc::Sender<Change>,
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
        let partitions = list.elements().iter().map(|element| element.partition()).collect();
        let assigned = RDKafkaErrorCode::from(code) == RDKafkaErrorCode::AssignPartitions;
        let heard = if assigned {
            self.changes.try_send(Change::Assigned(partitions))
        } else {
            give_back(consumer, list);
            self.changes.try_send(Change::Revoked(partitions))
        };
        if heard.is_err() && assigned {
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
