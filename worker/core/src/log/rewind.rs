//! What a rewind says in its entry, given where the zone stands.

use std::collections::BTreeMap;

use super::entry::{PartitionRewind, Rewind};
use super::fold::{Fold, Source};
use super::valid::passed_over;

/// A rewind as `spec.rewind` asks for it, its positions resolved to offsets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RewindPlan {
    /// `spec.rewind.nonce`.
    pub nonce: String,
    /// The topic that is read from now on.
    pub source: Source,
    /// Where each named partition goes on; others keep their place, or begin at 0 in another topic.
    pub next: BTreeMap<i32, i64>,
}

/// The entry that applies a rewind to the zone as it stands; `None` if its nonce was applied.
///
/// It is made anew whenever the zone has moved on: generation and gaps depend on where it stands.
pub fn rewind_entry(fold: &Fold, plan: &RewindPlan) -> Option<Rewind> {
    let RewindPlan { nonce, source, next } = plan;
    if fold.rewinds().contains_key(nonce) {
        return None;
    }
    let same_topic = fold.source() == Some(source);
    let place = |(partition, next): (&i32, &i64)| PartitionRewind {
        partition: *partition,
        next: *next,
        gaps: if same_topic { passed_over(fold.next(*partition), *next) } else { 0 },
    };
    Some(Rewind {
        nonce: nonce.clone(),
        generation: fold.generation().saturating_add(1),
        cluster_id: source.cluster_id.clone(),
        topic_id: source.topic_id.clone(),
        partitions: next.iter().map(place).collect(),
    })
}
