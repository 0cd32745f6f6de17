//! Finds the partition whose next message is larger than a member receives.
//!
//! librdkafka ends the connection when an answer is too long and does not say whose messages were in it; it would ask
//! again for ever. So each position is asked for alone, by a client with the same bounds that is in no group.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::member::Quiet;
use super::source::Position;
use super::{KafkaFault, Reception};

/// How long one partition may take to answer: the longest answer takes a second on a slow network.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The first of these positions at which an answer is longer than is received; none if all can be read.
pub(super) fn first(
    mut config: ClientConfig,
    topic: &str,
    reception: Reception,
    positions: Vec<Position>,
) -> Result<Option<Position>, KafkaFault> {
    let failed =
        |source| KafkaFault::Ask { act: "find the message that is too large", topic: topic.to_owned(), source };
    config
        // librdkafka wants a name although nothing of it is used.
        .set("group.id", "gristmill-probe")
        .set("client.id", "gristmill-probe")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true");
    // One batch and no more: whatever else lies in the partition makes no answer longer.
    Reception { fetch: 0, margin: 0, ..reception }.configure(&mut config);
    config.set("max.partition.fetch.bytes", "1");
    let consumer: BaseConsumer<Quiet> = config.create_with_context(Quiet).map_err(failed)?;
    for position in positions {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, position.partition, Offset::Offset(position.offset)).map_err(failed)?;
        consumer.assign(&list).map_err(failed)?;
        if is_too_large(&consumer).map_err(failed)? {
            return Ok(Some(position));
        }
    }
    Ok(None)
}

fn is_too_large(consumer: &BaseConsumer<Quiet>) -> Result<bool, KafkaError> {
    let deadline = Instant::now() + TIMEOUT;
    while Instant::now() < deadline {
        match consumer.poll(Duration::from_secs(1)) {
            Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return Ok(false),
            Some(Err(error)) => match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::BadMessage | RDKafkaErrorCode::MessageSizeTooLarge) => return Ok(true),
                // The partition has another trouble, which is found where it is read.
                Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => return Ok(false),
                _ => {}
            },
            None => {}
        }
    }
    Err(KafkaError::MetadataFetch(RDKafkaErrorCode::OperationTimedOut))
}
