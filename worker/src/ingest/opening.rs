//! Opening the zone for a topic: a new one begins where `startFrom` says, an old one must be of this very topic.

use std::collections::BTreeMap;

use gristmill_core::log::{Digest, InvalidName, PartitionStart};
use gristmill_crds::plan::{IngestPlan, Position};

use super::patience::{Patience, Trouble, Waited};
use crate::exit::{Exit, Failure};
use crate::kafka::{Brokers, OffsetRange, TopicFacts};
use crate::zone::{Expected, Opened, Surroundings, Zone};

/// A zone and the topic that it belongs to, which still holds what the zone has not read.
pub(super) struct Opening {
    pub(super) zone: Zone,
    pub(super) facts: TopicFacts,
    /// Readable ends of all partitions after the zone was opened.
    pub(super) ends: BTreeMap<i32, i64>,
}

/// Opens the zone, and makes it where there is none.
///
/// # Errors
/// The zone belongs to another cluster, topic or group, or is damaged; messages are lost; Kafka or the store is away
/// for too long.
pub(super) async fn open(
    plan: &IngestPlan,
    surroundings: &Surroundings,
    probe: &impl Brokers,
    patience: &Patience,
) -> Result<Waited<Opening>, Failure> {
    let digest: Digest =
        plan.spec_digest.parse().map_err(|error: InvalidName| Failure::new(Exit::Bug, "Internal", &error))?;
    let Waited::Done(facts) = patience.repeat(async || probe.facts().await).await? else {
        return Ok(Waited::Cancelled);
    };
    let expected = Expected::Raw {
        cluster_id: facts.cluster_id.clone(),
        topic: plan.topic.clone(),
        topic_id: facts.topic_id.clone(),
        group: plan.consumer_group.clone(),
        rewind: None,
    };
    let all: Vec<i32> = (0..facts.partitions).collect();
    let ask = async || probe.ranges(all.clone()).await;
    let mut trouble = Trouble::default();
    let zone = loop {
        let attempt = async || Zone::open(surroundings.clone(), expected.clone(), digest.clone()).await;
        let Waited::Done(opened) = patience.repeat(attempt).await? else { return Ok(Waited::Cancelled) };
        let empty = match opened {
            Opened::Ready(zone) => break zone,
            Opened::Empty(empty) => empty,
        };
        let Waited::Done(ranges) = patience.repeat(ask).await? else { return Ok(Waited::Cancelled) };
        match empty.create_raw(starts(&plan.start_from, &ranges)?).await {
            Ok(zone) => break zone,
            // Whether the zone was made is found out by opening it.
            Err(error) => patience.endure_again(error, &mut trouble).await?,
        }
    };
    let Waited::Done(ranges) = patience.repeat(ask).await? else { return Ok(Waited::Cancelled) };
    for (partition, range) in &ranges {
        still_held(plan, *partition, zone.fold().next(*partition), *range)?;
    }
    let ends = ranges.into_iter().map(|(partition, range)| (partition, range.high)).collect();
    Ok(Waited::Done(Opening { zone, facts, ends }))
}

/// `startFrom`, resolved once and for all (F10).
///
/// # Errors
/// A time: this version looks none up.
fn starts(position: &Position, ranges: &BTreeMap<i32, OffsetRange>) -> Result<Vec<PartitionStart>, Failure> {
    let start = |(partition, range): (&i32, &OffsetRange)| {
        let start_offset = match position {
            Position::Earliest => range.low,
            Position::Latest => range.high,
            Position::Offsets(offsets) => offsets.get(partition).copied().unwrap_or(range.low),
            Position::Timestamp(_) => {
                let message =
                    "spec.source.kafka.startFrom: this version begins at no Timestamp; write Offsets".to_owned();
                return Err(Failure { exit: Exit::Usage, reason: "Invalid", message });
            }
        };
        Ok(PartitionStart { partition: *partition, start_offset })
    };
    ranges.iter().map(start).collect()
}

/// The topic must still be the one that genesis names.
///
/// # Errors
/// Another topic of the same name, or one with fewer partitions, stands in its place.
pub(super) fn same_topic(plan: &IngestPlan, ours: &TopicFacts, now: &TopicFacts) -> Result<(), Failure> {
    if ours.cluster_id == now.cluster_id && ours.topic_id == now.topic_id && ours.partitions <= now.partitions {
        return Ok(());
    }
    let describe = |facts: &TopicFacts| {
        format!("cluster {}, topic id {}, {} partitions", facts.cluster_id, facts.topic_id, facts.partitions)
    };
    let message = format!(
        "topic {:?} is not the one that zone {} was made for ({}): it is now {}; write a new raw.path for it",
        plan.topic,
        plan.raw_path,
        describe(ours),
        describe(now)
    );
    Err(Failure { exit: Exit::Zone, reason: "TopicReplaced", message })
}

/// The next offset must lie within what the broker holds: asked, since a reset policy alone is not trusted (F9).
///
/// # Errors
/// Messages are gone, or the topic is shorter than what was read.
pub(super) fn still_held(plan: &IngestPlan, partition: i32, next: i64, range: OffsetRange) -> Result<(), Failure> {
    let OffsetRange { low, high } = range;
    let place = format!("{}/{partition}", plan.topic);
    let message = if next < low {
        format!(
            "the brokers have deleted offsets {next} to {} of {place} before they were read; lengthen the topic's \
             retention, and write a new raw.path to go on from what is left",
            low - 1
        )
    } else if next > high {
        format!(
            "{place} ends at offset {high}, but zone {} has read up to {next}: the partition was truncated; write a \
             new raw.path to go on with what it holds now",
            plan.raw_path
        )
    } else {
        return Ok(());
    };
    Err(Failure { exit: Exit::DataLoss, reason: "DataLoss", message })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: OffsetRange = OffsetRange { low: 100, high: 200 };

    #[test]
    fn new_zone_begins_at_the_edge_that_start_from_names() {
        let ranges = BTreeMap::from([(0, RANGE)]);
        let earliest = PartitionStart { partition: 0, start_offset: 100 };
        assert_eq!(starts(&Position::Earliest, &ranges).expect("a start"), [earliest]);
        let latest = PartitionStart { partition: 0, start_offset: 200 };
        assert_eq!(starts(&Position::Latest, &ranges).expect("a start"), [latest]);
    }
}
