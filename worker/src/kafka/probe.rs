//! Facts about a topic and a group, asked by a client that is no member of any group.
//!
//! Every question has a time-out and runs where blocking is allowed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataBroker;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::source::{Brokers, MemberFacts, Position};
use super::unreachable::{Obstacles, unreachable};
use super::{Connection, KafkaFault, KafkaSource, Reception, ffi, too_large};

/// How long one question waits: librdkafka needs up to a few seconds to find out that a broker is gone.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long one question waits at least: below it brokers that are up would not be found.
const LEAST_TIMEOUT: Duration = Duration::from_secs(1);

/// How long one broker of several waits, before the next is asked.
const BROKER_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the coordinator of the group waits: work goes on without its answer.
const GROUP_TIMEOUT: Duration = Duration::from_secs(5);

/// Asks about one topic and its group.
#[derive(Clone)]
pub struct TopicProbe {
    client: Arc<BaseConsumer<Obstacles>>,
    connection: Connection,
    servers: String,
    topic: String,
    group: String,
    reception: Reception,
    timeout: Duration,
}

/// What names a topic beyond its name: both ids change when another topic stands where this one stood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicFacts {
    /// Kafka's id of the cluster.
    pub cluster_id: String,
    /// Kafka's id of the topic.
    pub topic_id: String,
    /// Its partitions, from 0.
    pub partitions: i32,
}

/// The offsets that a partition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetRange {
    /// Offset of the oldest message that is still there.
    pub low: i64,
    /// The next offset that will be readable: the last stable offset.
    pub high: i64,
}

impl TopicProbe {
    /// A client of these brokers. Nothing is contacted yet. No question waits longer than the caller does, or than 1 s
    /// if that is more.
    ///
    /// # Errors
    /// librdkafka refuses the settings.
    pub fn new(source: &KafkaSource) -> Result<Self, KafkaFault> {
        let KafkaSource { connection, topic, group, reception, wait } = source;
        let client = connection
            .client_config()
            .set("client.id", "gristmill-probe")
            // Ends are asked at this level: what an open transaction has written is not readable yet.
            .set("isolation.level", "read_committed")
            .create_with_context(Obstacles::default())
            .map_err(|source| connection.refused(source))?;
        let servers = connection.servers().to_owned();
        Ok(Self {
            client: Arc::new(client),
            connection: connection.clone(),
            servers,
            topic: topic.clone(),
            group: group.clone(),
            reception: *reception,
            timeout: wait.map_or(TIMEOUT, |wait| wait.clamp(LEAST_TIMEOUT, TIMEOUT)),
        })
    }

    /// The number of partitions, and the ids of the brokers.
    fn layout(&self) -> Result<(i32, Vec<i32>), KafkaFault> {
        let failed = |source| self.no_topic_or("list the partitions", source);
        let metadata = self.client.fetch_metadata(Some(&self.topic), self.timeout).map_err(failed)?;
        let brokers = metadata.brokers().iter().map(MetadataBroker::id).collect();
        let topic = metadata.topics().iter().find(|topic| topic.name() == self.topic);
        match topic.map(|topic| (topic.error(), topic.partitions().len())) {
            Some((None, count)) if count > 0 => Ok((i32::try_from(count).unwrap_or(i32::MAX), brokers)),
            Some((Some(error), _)) => Err(failed(KafkaError::MetadataFetch(error.into()))),
            _ => Err(failed(KafkaError::MetadataFetch(RDKafkaErrorCode::UnknownTopicOrPartition))),
        }
    }

    /// The topic's id as the first broker tells it that answers.
    fn topic_id(&self, brokers: &[i32]) -> Result<Option<String>, KafkaFault> {
        let mut last = KafkaFault::NoCluster { servers: self.servers.clone(), why: None };
        for broker in brokers {
            match ffi::topic_id(self.client.client(), &self.topic, *broker, BROKER_TIMEOUT.min(self.timeout)) {
                Ok(id) => return Ok(id),
                Err(source) => last = self.no_topic_or("tell the id", source),
            }
        }
        Err(last)
    }

    /// One offset per partition, none where no message is as young as the time that is asked for. Looking up a "time" of
    /// -1 or -2 asks all brokers for ends or beginnings at once, where `fetch_watermarks` takes two requests for each
    /// partition.
    fn edge(&self, partitions: &[i32], edge: Offset) -> Result<BTreeMap<i32, Option<i64>>, KafkaFault> {
        let failed = |source| self.no_topic_or("look up the offsets", source);
        let mut list = TopicPartitionList::with_capacity(partitions.len());
        for partition in partitions {
            list.add_partition_offset(&self.topic, *partition, edge).map_err(failed)?;
        }
        let answer = self.client.offsets_for_times(list, self.timeout).map_err(failed)?;
        let mut offsets = BTreeMap::new();
        for element in answer.elements() {
            element.error().map_err(failed)?;
            let offset = match (element.offset(), edge) {
                (Offset::Offset(offset), _) => Some(offset),
                // No message is as young as the time that was asked for.
                (Offset::End, Offset::Offset(_)) => None,
                _ => return Err(failed(KafkaError::MetadataFetch(RDKafkaErrorCode::NoOffset))),
            };
            offsets.insert(element.partition(), offset);
        }
        Ok(offsets)
    }

    fn no_topic_or(&self, act: &'static str, source: KafkaError) -> KafkaFault {
        let topic = self.topic.clone();
        match source.rdkafka_error_code() {
            Some(
                RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownTopicId,
            ) => KafkaFault::NoTopic { topic, servers: self.servers.clone() },
            _ => KafkaFault::Ask { act, topic, source },
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Self) -> Result<T, KafkaFault> + Send + 'static,
    ) -> Result<T, KafkaFault> {
        let probe = self.clone();
        tokio::task::spawn_blocking(move || question(&probe)).await.unwrap_or_else(|_| {
            // The runtime ends while the question is asked; its task is gone with it.
            Err(KafkaFault::Ask { act: "go on asking", topic: self.topic.clone(), source: KafkaError::Canceled })
        })
    }
}

impl Brokers for TopicProbe {
    async fn facts(&self) -> Result<TopicFacts, KafkaFault> {
        self.blocking(|probe| {
            let servers = probe.servers.clone();
            let cluster_id = probe.client.client().fetch_cluster_id(probe.timeout);
            let cluster_id = cluster_id.ok_or_else(|| unreachable(&probe.client, &servers))?;
            let (partitions, brokers) = probe.layout()?;
            let topic_id = probe.topic_id(&brokers)?;
            let topic_id = topic_id.ok_or_else(|| KafkaFault::NoTopicId { topic: probe.topic.clone(), servers })?;
            Ok(TopicFacts { cluster_id, topic_id, partitions })
        })
        .await
    }

    async fn ranges(&self, partitions: Vec<i32>) -> Result<BTreeMap<i32, OffsetRange>, KafkaFault> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.blocking(move |probe| {
            let low = probe.edge(&partitions, Offset::Beginning)?;
            let high = probe.edge(&partitions, Offset::End)?;
            let range = |((partition, low), (_, high)): ((i32, Option<i64>), (i32, Option<i64>))| {
                Some((partition, OffsetRange { low: low?, high: high? }))
            };
            Ok(low.into_iter().zip(high).filter_map(range).collect())
        })
        .await
    }

    async fn ends(&self) -> Result<BTreeMap<i32, i64>, KafkaFault> {
        self.blocking(|probe| {
            let partitions: Vec<i32> = (0..probe.layout()?.0).collect();
            let ends = probe.edge(&partitions, Offset::End)?;
            Ok(ends.into_iter().filter_map(|(partition, end)| Some((partition, end?))).collect())
        })
        .await
    }

    async fn offsets_at(&self, timestamp: i64) -> Result<BTreeMap<i32, i64>, KafkaFault> {
        self.blocking(move |probe| {
            let partitions: Vec<i32> = (0..probe.layout()?.0).collect();
            // Negative times are librdkafka's words for the edges.
            let offsets = probe.edge(&partitions, Offset::Offset(timestamp.max(0)))?;
            let ends = probe.edge(&partitions, Offset::End)?;
            Ok(offsets.into_iter().filter_map(|(partition, at)| Some((partition, at.or(ends[&partition])?))).collect())
        })
        .await
    }

    async fn too_large_at(&self, positions: Vec<Position>) -> Result<Option<Position>, KafkaFault> {
        self.blocking(move |probe| {
            too_large::first(probe.connection.client_config(), &probe.topic, probe.reception, positions)
        })
        .await
    }

    async fn members(&self) -> Result<Vec<MemberFacts>, KafkaFault> {
        self.blocking(|probe| {
            ffi::group_members(probe.client.client(), &probe.group, GROUP_TIMEOUT.min(probe.timeout))
                .map_err(|source| probe.no_topic_or("describe the consumer group", source))
        })
        .await
    }
}
