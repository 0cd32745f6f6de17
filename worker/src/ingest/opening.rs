//! Opening the zone for a topic: a new one begins where `startFrom` says, an old one must be of this very topic.

use std::collections::BTreeMap;

use gristmill_core::log::{Digest, InvalidName, PartitionStart};
use gristmill_crds::plan::IngestPlan;

use super::patience::{Patience, Trouble, Waited};
use super::rewind;
use crate::exit::{Exit, Failure};
use crate::kafka::{Brokers, OffsetRange, TopicFacts};
use crate::local::is_of_folder;
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
        rewind: plan.rewind.as_ref().map(|rewind| rewind.nonce.clone()),
    };
    let all: Vec<i32> = (0..facts.partitions).collect();
    let ask = async || probe.ranges(all.clone()).await;
    let mut trouble = Trouble::default();
    let mut zone = loop {
        let attempt = async || Zone::open(surroundings.clone(), expected.clone(), digest.clone()).await;
        let Waited::Done(opened) = patience.repeat(attempt).await.map_err(|failure| with_way_out(plan, failure))?
        else {
            return Ok(Waited::Cancelled);
        };
        let empty = match opened {
            Opened::Ready(zone) => break zone,
            Opened::Empty(empty) => empty,
        };
        let Waited::Done(ranges) = patience.repeat(ask).await? else { return Ok(Waited::Cancelled) };
        let Waited::Done(starts) = starts(plan, &ranges, probe, patience).await? else {
            return Ok(Waited::Cancelled);
        };
        match empty.create_raw(starts).await {
            Ok(zone) => break zone,
            // Whether the zone was made is found out by opening it.
            Err(error) => patience.endure_again(error, &mut trouble).await?,
        }
    };
    let Waited::Done(()) = rewind::apply(plan, &mut zone, &facts, probe, patience).await? else {
        return Ok(Waited::Cancelled);
    };
    let known = zone.fold().partitions().keys().max().map_or(0, |last| last + 1);
    if known > facts.partitions {
        return Err(replaced(plan, &TopicFacts { partitions: known, ..facts.clone() }, &facts));
    }
    // Refuses losses that are not allowed. Before anybody asks whether the zone has caught up: it stands beyond the ends
    // of partitions that were truncated.
    let ranges = loop {
        // Asked after the log was last read: what was committed since lies beyond older ends, and was not truncated.
        let Waited::Done(ranges) = patience.repeat(ask).await? else { return Ok(Waited::Cancelled) };
        let Some(rewind) = rewind::truncated(plan, zone.fold(), &facts, &ranges)? else { break ranges };
        let Waited::Done(_) = patience.repeat(async || rewind::append_rewind(&mut zone, &rewind).await).await? else {
            return Ok(Waited::Cancelled);
        };
    };
    let ends = ranges.into_iter().map(|(partition, range)| (partition, range.high)).collect();
    Ok(Waited::Done(Opening { zone, facts, ends }))
}

/// Where the partitions of a new zone begin, resolved once and for all (F10). A rewind says so before `startFrom` does.
///
/// # Errors
/// As [`rewind::resolve`].
async fn starts(
    plan: &IngestPlan,
    ranges: &BTreeMap<i32, OffsetRange>,
    probe: &impl Brokers,
    patience: &Patience,
) -> Result<Waited<Vec<PartitionStart>>, Failure> {
    let (at, position) = match &plan.rewind {
        Some(rewind) => ("spec.rewind", &rewind.to),
        None => ("spec.source.kafka.startFrom", &plan.start_from),
    };
    let Waited::Done(offsets) = rewind::resolve(at, position, ranges, probe, patience).await? else {
        return Ok(Waited::Cancelled);
    };
    let start = |(partition, range): (&i32, &OffsetRange)| PartitionStart {
        partition: *partition,
        start_offset: offsets.get(partition).copied().unwrap_or(range.low),
    };
    Ok(Waited::Done(ranges.iter().map(start).collect()))
}

/// A topic that was replaced has a way out that the zone does not know of.
fn with_way_out(plan: &IngestPlan, mut failure: Failure) -> Failure {
    if failure.reason == "TopicReplaced" {
        failure.message.push_str(REPLACED_WAY_OUT);
    }
    let is_of_group = failure.reason == "ZoneMismatch" && failure.message.contains(&plan.consumer_group);
    if is_of_group && is_of_folder(&plan.consumer_group) {
        failure.message.push_str(FOLDER_WAY_OUT);
    }
    failure
}

/// The way out where the topic was replaced (F9).
const REPLACED_WAY_OUT: &str = "; to go on with the topic that is there now, from its first message and in a new \
                                generation of this zone, set spec.rewind: {nonce: <a new one>, position: Earliest}";

/// The way out where `--local` names the folder by another path than the one that the zone was begun by.
const FOLDER_WAY_OUT: &str = "; --local gives each folder a group: name it by the path that the zone was begun by, move it \
                              back if it was moved, or begin anew in an empty one";

/// The topic must still be the one that the zone reads.
///
/// # Errors
/// Another topic of the same name, or one with fewer partitions, stands in its place.
pub(super) fn same_topic(plan: &IngestPlan, ours: &TopicFacts, now: &TopicFacts) -> Result<(), Failure> {
    if ours.cluster_id == now.cluster_id && ours.topic_id == now.topic_id && ours.partitions <= now.partitions {
        return Ok(());
    }
    Err(replaced(plan, ours, now))
}

/// The failure of a zone whose topic was replaced.
pub(super) fn replaced(plan: &IngestPlan, ours: &TopicFacts, now: &TopicFacts) -> Failure {
    let describe = |facts: &TopicFacts| {
        format!("cluster {}, topic id {}, {} partitions", facts.cluster_id, facts.topic_id, facts.partitions)
    };
    let message = format!(
        "topic {:?} is not the one that zone {} reads ({}): it is now {}{REPLACED_WAY_OUT}",
        plan.topic,
        plan.raw_path,
        describe(ours),
        describe(now)
    );
    Failure { exit: Exit::Zone, reason: "TopicReplaced", message }
}
