//! Whether an entry may follow the entries so far (rules 8 to 10).
//!
//! Writers ask before every attempt, readers while they fold: a log that breaks these rules is refused, not repaired.

mod control;
mod files;
mod processed;
mod raw;
mod refusal;

use std::collections::BTreeSet;

use gristmill_crds::PartitionField;

use super::entry::{Data, Entry, Genesis, Kind, ProcessedGenesis, RawGenesis};
use super::fold::Fold;
use super::names::ZoneId;

pub(super) use control::passed_over;
pub use refusal::{Refusal, Refused};

/// Most buckets of a Processed zone: a position is kept for each.
const MAX_BUCKETS: u32 = 256;

/// Whether an entry may take slot 0 of a zone; gives its genesis.
///
/// # Errors
/// It is no genesis, or that of another zone.
pub fn valid_genesis(zone: ZoneId, entry: &Entry) -> Result<&Genesis, Refusal> {
    let Kind::Genesis(genesis) = &entry.kind else {
        return Err(Refusal::NoGenesis(entry.kind.name()));
    };
    let found = match genesis {
        Genesis::Raw(RawGenesis { zone_id, partitions, .. }) => {
            distinct(partitions.iter().map(|start| start.partition), |partition| format!("partition {partition}"))?;
            *zone_id
        }
        Genesis::Processed(ProcessedGenesis { buckets, .. }) if !(1..=MAX_BUCKETS).contains(buckets) => {
            return Err(Refusal::Buckets(*buckets));
        }
        Genesis::Processed(ProcessedGenesis { zone_id, partition_by, .. }) => {
            let directories: Vec<String> = partition_by.iter().map(PartitionField::directory_column).collect();
            distinct(directories.iter(), |directory| format!("directory column {directory}"))?;
            *zone_id
        }
    };
    if found == zone { Ok(genesis) } else { Err(Refusal::ForeignGenesis { found, expected: zone }) }
}

/// Whether an entry may take the slot after the fold's head.
///
/// # Errors
/// The first rule that it breaks.
pub fn valid(fold: &Fold, entry: &Entry) -> Result<(), Refusal> {
    if fold.is_fenced(entry.incarnation) {
        return Err(Refusal::Fenced(entry.incarnation));
    }
    match (&entry.kind, fold.genesis()) {
        (Kind::Genesis(_), _) => Err(Refusal::SecondGenesis),
        (Kind::Fence(fence), _) => control::valid_fence(fold, fence, entry.incarnation),
        (Kind::Data(Data::Raw(data)), Genesis::Raw(_)) => raw::valid_data(fold, data, entry.incarnation),
        (Kind::Data(Data::Processed(data)), Genesis::Processed(genesis)) => {
            processed::valid_data(fold, genesis, data, entry.incarnation)
        }
        (Kind::Rewind(rewind), Genesis::Raw(_)) => control::valid_rewind(fold, rewind),
        (Kind::Hold(hold), Genesis::Raw(_)) => control::valid_hold(fold, hold),
        (Kind::Resume(resume), Genesis::Raw(_)) => control::valid_resume(fold, resume, &entry.spec_digest),
        (Kind::Consumer(consumer), Genesis::Raw(_)) => control::valid_consumer(fold, consumer),
        (Kind::Remove(remove), Genesis::Raw(_)) => raw::valid_removal(fold, remove),
        (Kind::Data(Data::Processed(_)), Genesis::Raw(_))
        | (
            Kind::Data(Data::Raw(_))
            | Kind::Rewind(_)
            | Kind::Hold(_)
            | Kind::Resume(_)
            | Kind::Consumer(_)
            | Kind::Remove(_),
            Genesis::Processed(_),
        ) => Err(Refusal::WrongZoneKind),
    }
}

fn distinct<T: Ord + Copy>(items: impl Iterator<Item = T>, name: impl Fn(T) -> String) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for item in items {
        if !seen.insert(item) {
            return Err(Refusal::Twice(name(item)));
        }
    }
    Ok(())
}
