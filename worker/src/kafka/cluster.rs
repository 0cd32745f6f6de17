//! Kafka through librdkafka, as one ingest is given it.

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
}

impl Source for KafkaSource {
    type Brokers = TopicProbe;
    type Member = GroupMember;

    fn brokers(&self) -> Result<TopicProbe, KafkaFault> {
        TopicProbe::new(&self.connection, &self.topic, self.reception)
    }

    fn join(&self, client_id: &str) -> Result<(GroupMember, Changes), KafkaFault> {
        let Self { connection, topic, group, reception } = self.clone();
        GroupMember::join(&MemberOptions { connection, topic, group, client_id: client_id.to_owned(), reception })
    }
}
