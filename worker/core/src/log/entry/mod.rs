//! The body of an entry: what one commit says.
//!
//! Field names and order are those of the JSON; `wire` adds the envelope. A kind that this version does not know is
//! refused when it is read, so an older worker never skips what a newer one has decided.

mod control;
mod data;
mod file;
mod genesis;
mod schema;

pub use control::{Consumer, Fence, Hold, HoldReason, PartitionRewind, RemovalReason, Remove, Resume, Rewind};
pub use data::{
    BucketRange, BucketSpan, Data, MessageCounts, PartitionRange, ProcessedData, RawData, RunCost, RunFiles, RunKind,
    RunRows, RunSummary,
};
pub use file::{FileEntry, FileZone, PartitionValue, RemovedFile, TypedValue};
pub use genesis::{Genesis, PartitionStart, ProcessedGenesis, RawGenesis};
pub use schema::{FileSchema, SchemaColumn};

use super::names::{CommitId, Digest, Incarnation, LogTime};

/// One entry of the log. Its sequence is the name of its slot and nowhere else (F6).
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Identity of this commit.
    pub commit_id: CommitId,
    /// The process that wrote it.
    pub incarnation: Incarnation,
    /// Clock of the writer when it prepared the entry.
    pub time: LogTime,
    /// Digest of the resource that the writer worked by.
    pub spec_digest: Digest,
    /// What it says.
    pub kind: Kind,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// The first entry: what the zone is for.
    Genesis(Genesis),
    /// Files and the progress that they stand for, in one act.
    Data(Data),
    /// A new generation of offsets.
    Rewind(Rewind),
    /// Consumption stops.
    Hold(Hold),
    /// Consumption goes on.
    Resume(Resume),
    /// A writer is put out for good.
    Fence(Fence),
    /// A consumer comes, moves on or goes.
    Consumer(Consumer),
    /// Files leave a RAW zone.
    Remove(Remove),
}

impl Kind {
    /// The names of all kinds, as the JSON has them.
    pub const NAMES: [&str; 8] = ["Genesis", "Data", "Rewind", "Hold", "Resume", "Fence", "Consumer", "Remove"];

    /// The name of the kind as the JSON has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Genesis(_) => "Genesis",
            Self::Data(_) => "Data",
            Self::Rewind(_) => "Rewind",
            Self::Hold(_) => "Hold",
            Self::Resume(_) => "Resume",
            Self::Fence(_) => "Fence",
            Self::Consumer(_) => "Consumer",
            Self::Remove(_) => "Remove",
        }
    }

    /// The files that the entry adds.
    pub fn added(&self) -> &[FileEntry] {
        match self {
            Self::Data(Data::Raw(data)) => &data.added,
            Self::Data(Data::Processed(data)) => &data.added,
            Self::Genesis(_)
            | Self::Rewind(_)
            | Self::Hold(_)
            | Self::Resume(_)
            | Self::Fence(_)
            | Self::Consumer(_)
            | Self::Remove(_) => &[],
        }
    }
}

macro_rules! kind_from {
    ($($body:ident),+) => {
        $(impl From<$body> for Kind {
            fn from(body: $body) -> Self {
                Self::$body(body)
            }
        })+
    };
}

kind_from!(Genesis, Data, Rewind, Hold, Resume, Fence, Consumer, Remove);
