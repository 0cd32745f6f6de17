//! Kafka through librdkafka, as one ingest is given it.

use std::time::Duration;

use super::source::{Changes, Source};
use super::{Connection, GroupMember, KafkaFault, MemberOptions, Reception, TopicProbe};

/// One topic of a Kafka cluster, and the group that reads it.
#[derive(Debug, Clone)]
pub struct KafkaSource {
    /// The brokers.
    pub connection: Connection,
    /// The topic.
    pub topic: String,
    /// The group.
    pub group: String,
    /// How much may be received at a time.
    pub reception: Reception,
    /// How long the caller waits for brokers that are away; nothing waits for ever.
    pub wait: Option<Duration>,
}

impl Source for KafkaSource {
    type Brokers = TopicProbe;
    type Member = GroupMember;

    fn brokers(&self) -> Result<TopicProbe, KafkaFault> {
        TopicProbe::new(self)
    }

    fn join(&self, client_id: &str) -> Result<(GroupMember, Changes), KafkaFault> {
        let Self { connection, topic, group, reception, wait: _ } = self.clone();
        GroupMember::join(&MemberOptions { connection, topic, group, client_id: client_id.to_owned(), reception })
    }
}
