//! Why an entry may not stand where it does.

use super::super::names::{CommitId, Incarnation, Sequence, ZoneId};
use super::MAX_BUCKETS;

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
        /// The id of genesis, or of the last rewind.
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
    /// A run that computes the zone anew and leaves some of it.
    #[error("it computes the zone anew and does not replace every file and move every bucket on")]
    PartialRebuild,
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
    /// The writer was put out: it takes a new incarnation and goes on from the fold.
    #[error("its writer {0} was fenced")]
    Fenced(Incarnation),
    /// The zone is held.
    #[error("the zone is held since entry {0}")]
    Held(Sequence),
    /// More messages with rejects than messages.
    #[error("partition {partition}: {accepted_with_rejects} of {accepted} accepted messages have rejects")]
    MoreRejectsThanMessages {
        /// The partition.
        partition: i32,
        /// Accepted messages.
        accepted: u64,
        /// Those with rejects.
        accepted_with_rejects: u64,
    },
    /// A schema id with other columns than before.
    #[error("it describes schema {0} otherwise than an entry before it")]
    SchemaDescribedOtherwise(String),
    /// A column that live files hold with another type (F34).
    #[error("column `{column}` is a {found} and live files hold it as a {expected}; give the new type a new name")]
    OtherColumnType {
        /// The column.
        column: String,
        /// Its type in the entry.
        found: String,
        /// Its type in live files.
        expected: String,
    },
    /// A rewind that was applied before.
    #[error("rewind `{nonce}` was applied by entry {sequence}")]
    NonceIsUsed {
        /// The nonce.
        nonce: String,
        /// The entry that applied it.
        sequence: Sequence,
    },
    /// A rewind that was prepared before another one.
    #[error("it opens generation {found}, the next one is {expected}")]
    NotNextGeneration {
        /// The generation in the entry.
        found: i32,
        /// The one that comes next.
        expected: i32,
    },
    /// A place that no partition has.
    #[error("partition {partition}: {offset} is no offset")]
    NegativeOffset {
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
    },
    /// A rewind that was prepared before the partition moved on.
    #[error("partition {partition}: it counts {found} offsets that it passes over, there are {expected}")]
    OtherGaps {
        /// The partition.
        partition: i32,
        /// What the entry says.
        found: u64,
        /// What it had to say.
        expected: u64,
    },
    /// A hold that was judged at an entry that does not exist.
    #[error("it was judged at entry {judged_at}, the head is {head}")]
    JudgedAhead {
        /// The entry in the hold.
        judged_at: Sequence,
        /// The head.
        head: Sequence,
    },
    /// A hold that was judged before a resume.
    #[error("entry {0} has resumed since it was judged")]
    ResumedMeanwhile(Sequence),
    /// A resume token that was used before.
    #[error("resume token `{0}` was used before")]
    TokenIsUsed(String),
    /// A resume without a token, and nothing is held.
    #[error("the zone is not held")]
    NotHeld,
    /// A resume without a token by the resource that was held.
    #[error("the resource is the one that entry {0} holds")]
    SameResource(Sequence),
    /// A writer that fences itself.
    #[error("a writer does not fence itself")]
    FencesItself,
    /// A fence of a writer that was fenced before.
    #[error("writer {incarnation} was fenced by entry {sequence}")]
    IsFencedAlready {
        /// The writer.
        incarnation: Incarnation,
        /// The entry that fenced it.
        sequence: Sequence,
    },
    /// A consumer that is registered registers.
    #[error("consumer {0} is registered")]
    IsRegistered(ZoneId),
    /// A consumer that is not registered advances or leaves.
    #[error("consumer {0} is not registered")]
    IsNotRegistered(ZoneId),
    /// A consumer's position would go back.
    #[error("the consumer's position would go back from {from} to {to}")]
    ConsumerGoesBack {
        /// Its position.
        from: i64,
        /// The one in the entry.
        to: i64,
    },
    /// A consumer's position would be behind the end of the log.
    #[error("the consumer would be at entry {position}, the head is {head}")]
    ConsumerIsAhead {
        /// The position in the entry.
        position: i64,
        /// The head.
        head: Sequence,
    },
    /// A removed file that a registered consumer has not consumed.
    #[error("it removes {path} of entry {sequence}; consumer {consumer} is at {position}")]
    StillToBeConsumed {
        /// The file.
        path: String,
        /// The entry that added it.
        sequence: Sequence,
        /// What users call the consumer.
        consumer: String,
        /// Where it is.
        position: i64,
    },
}
