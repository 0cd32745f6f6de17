//! Entries that add no rows (rules 8 and 10).

use super::super::entry::{Consumer, Fence, Hold, PartitionRewind, Resume, Rewind};
use super::super::fold::{Fold, Source};
use super::super::names::{Digest, Incarnation};
use super::{Refusal, distinct};

pub(super) fn valid_rewind(fold: &Fold, rewind: &Rewind) -> Result<(), Refusal> {
    let Rewind { nonce, generation, cluster_id, topic_id, partitions } = rewind;
    if let Some(applied) = fold.rewinds().get(nonce) {
        return Err(Refusal::NonceIsUsed { nonce: nonce.clone(), sequence: applied.sequence });
    }
    let expected = fold.generation().saturating_add(1);
    if *generation != expected {
        return Err(Refusal::NotNextGeneration { found: *generation, expected });
    }
    distinct(partitions.iter().map(|place| place.partition), |partition| format!("partition {partition}"))?;
    let source = Source { cluster_id: cluster_id.clone(), topic_id: topic_id.clone() };
    let same_topic = fold.source() == Some(&source);
    for PartitionRewind { partition, next, gaps } in partitions {
        if *next < 0 {
            return Err(Refusal::NegativeOffset { partition: *partition, offset: *next });
        }
        let expected = if same_topic { passed_over(fold.next(*partition), *next) } else { 0 };
        if *gaps != expected {
            return Err(Refusal::OtherGaps { partition: *partition, found: *gaps, expected });
        }
    }
    Ok(())
}

/// Offsets that a partition passes over when it goes on at `next`.
pub(in crate::log) fn passed_over(before: i64, next: i64) -> u64 {
    next.checked_sub(before).and_then(|offsets| u64::try_from(offsets).ok()).unwrap_or(0)
}

/// A hold that was judged before the last resume counts messages that the resume has forgiven.
pub(super) fn valid_hold(fold: &Fold, hold: &Hold) -> Result<(), Refusal> {
    if let Some(held) = fold.held() {
        return Err(Refusal::Held(held.sequence));
    }
    if hold.judged_at > fold.head() {
        return Err(Refusal::JudgedAhead { judged_at: hold.judged_at, head: fold.head() });
    }
    match fold.last_resume() {
        Some(resumed) if hold.judged_at < resumed => Err(Refusal::ResumedMeanwhile(resumed)),
        Some(_) | None => Ok(()),
    }
}

pub(super) fn valid_resume(fold: &Fold, resume: &Resume, spec_digest: &Digest) -> Result<(), Refusal> {
    match (&resume.token, fold.held()) {
        (Some(token), _) if fold.has_resumed_by(token) => Err(Refusal::TokenIsUsed(token.clone())),
        (Some(_), _) => Ok(()),
        (None, None) => Err(Refusal::NotHeld),
        (None, Some(held)) if held.spec_digest == *spec_digest => Err(Refusal::SameResource(held.sequence)),
        (None, Some(_)) => Ok(()),
    }
}

pub(super) fn valid_fence(fold: &Fold, fence: &Fence, writer: Incarnation) -> Result<(), Refusal> {
    let Fence { incarnation } = fence;
    if *incarnation == writer {
        return Err(Refusal::FencesItself);
    }
    match fold.fenced().get(incarnation) {
        Some(sequence) => Err(Refusal::IsFencedAlready { incarnation: *incarnation, sequence: *sequence }),
        None => Ok(()),
    }
}

pub(super) fn valid_consumer(fold: &Fold, consumer: &Consumer) -> Result<(), Refusal> {
    let registered = fold.consumers().get(&consumer.id());
    let (position, state) = match (consumer, registered) {
        (Consumer::Register { .. }, None) | (Consumer::Leave { .. }, Some(_)) => return Ok(()),
        (Consumer::Register { id, .. }, Some(_)) => return Err(Refusal::IsRegistered(*id)),
        (Consumer::Advance { id, .. } | Consumer::Leave { id }, None) => return Err(Refusal::IsNotRegistered(*id)),
        (Consumer::Advance { position, .. }, Some(state)) => (*position, state),
    };
    if position < state.position {
        return Err(Refusal::ConsumerGoesBack { from: state.position, to: position });
    }
    if position > fold.head().position() {
        return Err(Refusal::ConsumerIsAhead { position, head: fold.head() });
    }
    Ok(())
}
