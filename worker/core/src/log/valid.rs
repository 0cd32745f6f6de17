//! Whether an entry may follow the entries so far (rules 8 to 10).
//!
//! Writers ask before every attempt, readers while they fold: a log that breaks these rules is refused, not repaired.

use std::collections::BTreeSet;

use super::entry::{
    BucketRange, Data, Entry, FileEntry, FileZone, Genesis, IdentityPartition, Kind, PartitionRange, ProcessedData,
    ProcessedGenesis, RawData, RawGenesis, RemovedFile,
};
use super::fold::{FileKey, Fold};
use super::names::{CommitId, Sequence, ZoneId};

/// An entry that may not stand where it does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {sequence} (commit {commit_id}) may not follow the entries before it: {refusal}")]
pub struct Refused {
    /// Its slot.
    pub sequence: Sequence,
    /// Its commit.
    pub commit_id: CommitId,
    /// Why.
    pub refusal: Refusal,
}

/// Most buckets of a Processed zone: a position is kept for each.
const MAX_BUCKETS: u32 = 256;

/// Why an entry may not follow the entries so far.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Slot 0 holds something else.
    #[error("the first entry is of kind {0}, not Genesis")]
    NoGenesis(&'static str),
    /// A genesis at another slot than 0.
    #[error("a genesis stands at slot 0 only")]
    SecondGenesis,
    /// The genesis names another zone than the directory it lies in.
    #[error("its zone id is {found}, that of zone.json is {expected}")]
    ForeignGenesis {
        /// The id in the genesis.
        found: ZoneId,
        /// The id in `zone.json`.
        expected: ZoneId,
    },
    /// A Processed genesis with a number of buckets that no zone has.
    #[error("a Processed zone has 1 to {MAX_BUCKETS} buckets, not {0}")]
    Buckets(u32),
    /// An entry of a Processed zone in a RAW log, or the reverse.
    #[error("it is an entry of another kind of zone")]
    WrongZoneKind,
    /// Something that an entry may name once is named twice.
    #[error("it names {0} twice")]
    Twice(String),
    /// Messages of another topic of the same name.
    #[error("partition {partition}: topic id {found}, the zone holds topic id {expected}")]
    OtherTopic {
        /// The partition.
        partition: i32,
        /// The id in the entry.
        found: String,
        /// The id in the genesis.
        expected: String,
    },
    /// A range of another generation than the partition's.
    #[error("partition {partition}: generation {found}, the zone is at {expected}")]
    OtherGeneration {
        /// The partition.
        partition: i32,
        /// The generation in the entry.
        found: i32,
        /// The generation of the partition.
        expected: i32,
    },
    /// A range that does not begin where the log stands: another writer was faster, or offsets were skipped.
    #[error("partition {partition}: begins at offset {found}, the zone continues at {expected}")]
    NotNext {
        /// The partition.
        partition: i32,
        /// Where the range begins.
        found: i64,
        /// Where it had to begin.
        expected: i64,
    },
    /// The identity of a range does not hold.
    #[error(
        "partition {partition}: offsets {from} to {to} are not accepted + rejected + tombstones + absent + gaps = {counted}"
    )]
    Identity {
        /// The partition.
        partition: i32,
        /// Where the range begins.
        from: i64,
        /// Where it ends.
        to: i64,
        /// What was counted.
        counted: String,
    },
    /// Another RAW zone than that of the genesis.
    #[error("it read RAW zone {found}, this zone consumes {expected}")]
    OtherRawZone {
        /// The id in the entry.
        found: ZoneId,
        /// The id in the genesis.
        expected: ZoneId,
    },
    /// A bucket that does not exist.
    #[error("bucket {0} does not exist")]
    NoSuchBucket(u32),
    /// A run that began at another position: another run was faster.
    #[error("bucket {bucket}: begins behind RAW entry {found}, the zone stands at {expected}")]
    NotAtPosition {
        /// The bucket.
        bucket: u32,
        /// Where the run begins.
        found: i64,
        /// Where it had to begin.
        expected: i64,
    },
    /// A position would go back.
    #[error("bucket {bucket}: the position would go back from {from} to {to}")]
    PositionGoesBack {
        /// The bucket.
        bucket: u32,
        /// Where the run begins.
        from: i64,
        /// Where it ends.
        to: i64,
    },
    /// A removed file is not live.
    #[error("it removes {0}, which is not a live file")]
    RemovedIsNotLive(String),
    /// A RAW data entry that removes files.
    #[error("a data entry of a RAW zone removes no files")]
    RawRemoves,
    /// An added file that is already live.
    #[error("it adds {0}, which is already a live file")]
    AddedIsLive(String),
    /// An added file that has no place in this zone.
    #[error("it adds {path}: {why}")]
    Misplaced {
        /// The published name.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

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
        Genesis::Processed(ProcessedGenesis { zone_id, .. }) => *zone_id,
    };
    if found == zone { Ok(genesis) } else { Err(Refusal::ForeignGenesis { found, expected: zone }) }
}

/// Whether an entry may take the slot after the fold's head.
///
/// # Errors
/// The first rule that it breaks.
pub fn valid(fold: &Fold, entry: &Entry) -> Result<(), Refusal> {
    match (&entry.kind, fold.genesis()) {
        (Kind::Genesis(_), _) => Err(Refusal::SecondGenesis),
        (Kind::Data(Data::Raw(data)), Genesis::Raw(genesis)) => valid_raw(fold, genesis, data),
        (Kind::Data(Data::Processed(data)), Genesis::Processed(genesis)) => valid_processed(fold, genesis, data),
        (Kind::Data(Data::Raw(_)), Genesis::Processed(_)) | (Kind::Data(Data::Processed(_)), Genesis::Raw(_)) => {
            Err(Refusal::WrongZoneKind)
        }
    }
}

fn valid_raw(fold: &Fold, genesis: &RawGenesis, data: &RawData) -> Result<(), Refusal> {
    let RawData { partitions, added, removed } = data;
    distinct(partitions.iter().map(|range| range.partition), |partition| format!("partition {partition}"))?;
    for range in partitions {
        valid_range(fold, genesis, range)?;
    }
    if !removed.is_empty() {
        return Err(Refusal::RawRemoves);
    }
    valid_added(fold, added, |file| match file {
        FileEntry { zone: FileZone::Raw | FileZone::Rejected, bucket: None, partition: None, .. } => Ok(()),
        _ => Err("a file of a RAW zone is Raw or Rejected and has neither bucket nor partition"),
    })
}

fn valid_range(fold: &Fold, genesis: &RawGenesis, range: &PartitionRange) -> Result<(), Refusal> {
    let PartitionRange { partition, ref topic_id, generation, from, to, .. } = *range;
    if *topic_id != genesis.topic_id {
        let (found, expected) = (topic_id.clone(), genesis.topic_id.clone());
        return Err(Refusal::OtherTopic { partition, found, expected });
    }
    let expected = fold.partitions().get(&partition).map_or(fold.generation(), |state| state.generation);
    if generation != expected {
        return Err(Refusal::OtherGeneration { partition, found: generation, expected });
    }
    let expected = fold.next(partition);
    if from != expected {
        return Err(Refusal::NotNext { partition, found: from, expected });
    }
    let offsets = to.checked_sub(from).and_then(|offsets| u64::try_from(offsets).ok());
    let counted = range.counts().offsets();
    if offsets.is_none() || offsets != counted {
        let counted = counted.map_or_else(|| "more than can be".to_owned(), |counted| counted.to_string());
        return Err(Refusal::Identity { partition, from, to, counted });
    }
    Ok(())
}

fn valid_processed(fold: &Fold, genesis: &ProcessedGenesis, data: &ProcessedData) -> Result<(), Refusal> {
    let ProcessedData { raw_zone_id, buckets, added, removed, run: _ } = data;
    if *raw_zone_id != genesis.raw_zone_id {
        return Err(Refusal::OtherRawZone { found: *raw_zone_id, expected: genesis.raw_zone_id });
    }
    distinct(buckets.iter().map(|range| range.bucket), |bucket| format!("bucket {bucket}"))?;
    for range in buckets {
        valid_position(fold, range)?;
    }
    distinct(removed.iter().map(|file| &file.path), |path| path.to_string())?;
    for RemovedFile { zone, path } in removed {
        if !fold.live().contains_key(&FileKey { zone: *zone, path: path.clone() }) {
            return Err(Refusal::RemovedIsNotLive(path.to_string()));
        }
    }
    valid_added(fold, added, |file| {
        let FileEntry { zone: FileZone::Processed, bucket: Some(bucket), partition: Some(partition), .. } = file else {
            return Err("a file of a Processed zone is Processed and has bucket and partition");
        };
        if *bucket >= genesis.buckets {
            return Err("its bucket does not exist");
        }
        let columns = genesis.partition_by.iter().map(|IdentityPartition { column, .. }| column);
        if !columns.eq(partition.iter().map(|value| &value.column)) {
            return Err("its partition values are not those of partitionBy");
        }
        Ok(())
    })
}

fn valid_position(fold: &Fold, range: &BucketRange) -> Result<(), Refusal> {
    let BucketRange { bucket, from_seq, to_seq } = *range;
    let expected = *fold.positions().get(&bucket).ok_or(Refusal::NoSuchBucket(bucket))?;
    if from_seq != expected {
        return Err(Refusal::NotAtPosition { bucket, found: from_seq, expected });
    }
    if to_seq < from_seq {
        return Err(Refusal::PositionGoesBack { bucket, from: from_seq, to: to_seq });
    }
    Ok(())
}

/// Added files are new, in their zone, and where readers look for data.
fn valid_added(
    fold: &Fold,
    added: &[FileEntry],
    belongs: impl Fn(&FileEntry) -> Result<(), &'static str>,
) -> Result<(), Refusal> {
    // By name alone: `_retired` holds RAW and rejected files side by side.
    distinct(added.iter().map(|file| file.path.name()), |name| name.to_owned())?;
    distinct(added.iter().map(|file| &file.staged), |path| path.to_string())?;
    for file in added {
        let misplaced = |why| Refusal::Misplaced { path: file.path.to_string(), why };
        belongs(file).map_err(misplaced)?;
        if !file.path.is_data() {
            return Err(misplaced("that is no name of a data file"));
        }
        if !file.staged.is_staged() {
            return Err(misplaced("its staged name is none"));
        }
        if fold.live().contains_key(&FileKey { zone: file.zone, path: file.path.clone() }) {
            return Err(Refusal::AddedIsLive(file.path.to_string()));
        }
    }
    Ok(())
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
