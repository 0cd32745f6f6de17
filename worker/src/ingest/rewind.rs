//! Positions in the topic: where a new zone begins, and where a rewind goes. Each is resolved to offsets once (F10).

use std::collections::BTreeMap;

use gristmill_core::log::{Fold, RewindPlan, Source};
use gristmill_crds::plan::{IngestPlan, Position};

use super::patience::{Patience, Waited};
use super::standing::{Standing, standing};
use crate::exit::{Exit, Failure};
use crate::kafka::{Brokers, OffsetRange, TopicFacts};
use crate::zone::{Rewound, Zone, ZoneError};

/// A position as offsets of partitions; of those that it names alone, if it names some.
///
/// # Errors
/// An offset lies outside of what the brokers hold.
pub(super) async fn resolve(
    at: &str,
    position: &Position,
    ranges: &BTreeMap<i32, OffsetRange>,
    brokers: &impl Brokers,
    patience: &Patience,
) -> Result<Waited<BTreeMap<i32, i64>>, Failure> {
    let ask = async |time| patience.repeat(async || brokers.offsets_at(time).await).await;
    resolve_by(at, position, ranges, ask).await
}

/// The same, where `offsets_at` asks for the offsets of a time in milliseconds since 1970.
///
/// # Errors
/// As [`resolve`], and those of the question.
pub(super) async fn resolve_by(
    at: &str,
    position: &Position,
    ranges: &BTreeMap<i32, OffsetRange>,
    offsets_at: impl AsyncFnOnce(i64) -> Result<Waited<BTreeMap<i32, i64>>, Failure>,
) -> Result<Waited<BTreeMap<i32, i64>>, Failure> {
    let edge =
        |edge: fn(&OffsetRange) -> i64| ranges.iter().map(|(partition, range)| (*partition, edge(range))).collect();
    let offsets = match position {
        Position::Earliest => edge(|range| range.low),
        Position::Latest => edge(|range| range.high),
        Position::Timestamp(time) => return offsets_at(time.timestamp_millis()).await,
        Position::Offsets(offsets) => {
            for (partition, offset) in offsets {
                check_held(at, *partition, *offset, ranges)?;
            }
            offsets.clone()
        }
    };
    Ok(Waited::Done(offsets))
}

fn check_held(at: &str, partition: i32, offset: i64, ranges: &BTreeMap<i32, OffsetRange>) -> Result<(), Failure> {
    let held = match ranges.get(&partition) {
        Some(OffsetRange { low, high }) if (*low..=*high).contains(&offset) => return Ok(()),
        Some(OffsetRange { low, high }) => format!("the brokers hold offsets {low} to {high}"),
        None => format!("the topic has partitions 0 to {}", ranges.len().saturating_sub(1)),
    };
    let message = format!("{at}.offsets: offset {offset} of partition {partition} is not there, {held}; correct it");
    Err(Failure { exit: Exit::Usage, reason: "Invalid", message })
}

/// Applies `spec.rewind`, unless the log knows its nonce.
///
/// # Errors
/// Its offsets are not there; the zone refuses; Kafka or the store is away for too long.
pub(super) async fn apply(
    plan: &IngestPlan,
    zone: &mut Zone,
    facts: &TopicFacts,
    brokers: &impl Brokers,
    patience: &Patience,
) -> Result<Waited<()>, Failure> {
    let Some(wanted) = plan.rewind.as_ref().filter(|wanted| !zone.fold().rewinds().contains_key(&wanted.nonce)) else {
        return Ok(Waited::Done(()));
    };
    let all: Vec<i32> = (0..facts.partitions).collect();
    let Waited::Done(ranges) = patience.repeat(async || brokers.ranges(all.clone()).await).await? else {
        return Ok(Waited::Cancelled);
    };
    let next = match resolve("spec.rewind", &wanted.to, &ranges, brokers, patience).await? {
        Waited::Done(next) => next,
        Waited::Cancelled => return Ok(Waited::Cancelled),
    };
    let source = Source { cluster_id: facts.cluster_id.clone(), topic_id: facts.topic_id.clone() };
    let rewound = RewindPlan { nonce: wanted.nonce.clone(), source, next };
    let Waited::Done(rewound) = patience.repeat(async || append_rewind(zone, &rewound).await).await? else {
        return Ok(Waited::Cancelled);
    };
    tracing::info!(nonce = wanted.nonce, generation = zone.fold().generation(), ?rewound, "rewind");
    Ok(Waited::Done(()))
}

/// The rewind of partitions that were truncated: each is read anew from what it holds, in a new generation, since nobody
/// tells from which offset on its messages are others than were read. What was read before stays in the generation that
/// ends.
///
/// The first worker that appends one ends the generation; whoever comes second judges the new one by itself.
///
/// # Errors
/// Messages are lost or a partition was truncated, and `onDataLoss` is `Fail`.
pub(super) fn truncated(
    plan: &IngestPlan,
    fold: &Fold,
    facts: &TopicFacts,
    ranges: &BTreeMap<i32, OffsetRange>,
) -> Result<Option<RewindPlan>, Failure> {
    let mut next = BTreeMap::new();
    let nonce = format!("truncated in generation {}", fold.generation());
    for (partition, range) in ranges {
        let read = fold.next(*partition);
        if let Standing::Truncated { end } = standing(read, *range).allowed(plan, *partition, read)? {
            tracing::warn!("{}", Standing::Truncated { end }.describe(&plan.topic, *partition, read));
            next.insert(*partition, range.low);
        }
    }
    let source = Source { cluster_id: facts.cluster_id.clone(), topic_id: facts.topic_id.clone() };
    Ok((!next.is_empty()).then_some(RewindPlan { nonce, source, next }))
}

/// Appends a rewind and waits until it is decided.
pub(super) async fn append_rewind(zone: &mut Zone, plan: &RewindPlan) -> Result<Rewound, ZoneError> {
    loop {
        zone.decide().await?;
        match zone.rewind(plan).await? {
            Rewound::Fenced => drop(zone.renew_incarnation()?),
            rewound => return Ok(rewound),
        }
    }
}
