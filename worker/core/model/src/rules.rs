//! Rules of the protocol that can be broken on purpose, to show that the check finds what each prevents.
//!
//! Where a rule is a step of a program, the program leaves it out. Where it is part of `valid`, the product's function
//! cannot be told to forget it; there the fold is told another entry than the log holds, one that it does not refuse and
//! that changes the zone as if the rule did not exist. The ledger and the invariants see the entry as it is.

use gristmill_core::log::{CommitId, Data, Entry, Fence, Fold, Incarnation, Kind, PartitionRange, Refusal, Refused};
use uuid::Uuid;

use crate::case::Case;
use crate::invariant::Invariant;

/// A rule of the protocol that can be broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// `valid` is asked before every attempt, not only after a defeat (F4).
    ValidBeforeEveryAttempt,
    /// Entries are deleted only when the checkpoint that covers them has its name (rule 4).
    TruncatedAfterCheckpoint,
    /// A range begins at the partition's next offset, in its generation (rule 8).
    RangesContinue,
    /// Each rewind opens the generation after the greatest (rule 10).
    EachRewindItsGeneration,
    /// An attempt ends by reading the slot and comparing commit ids (F1).
    CommitIdIsReadAgain,
    /// Nothing staged is deleted while an append is undecided (F1).
    NoDiscardWhileUndecided,
    /// Nobody deletes another's staging without a fence (F3).
    SweptOnlyBehindFence,
    /// What a swept writer has committed is published before its staging is deleted (rule 19).
    PublishedBeforeSwept,
    /// Replaced files are retired before new ones are published (F16).
    RetiredBeforePublished,
    /// Where entries remove files, they are published in the order of the log (rule 16).
    PublishedInSequence,
    /// A checkpoint is written only when everything up to it is published (rule 4).
    CheckpointOfPublished,
    /// A fold counts only if no greater checkpoint is listed after its last read (rule 5).
    FoldIsVerified,
    /// A fenced writer appends nothing, of whatever kind (rule 8).
    FencedAppendsNothing,
    /// The log of each zone has a directory of its own (rule 1).
    DirectoryPerZone,
    /// A won slot counts only if no checkpoint covers it, or one that holds our commit (rule 7).
    WonOnlyAboveCheckpoint,
    /// Each nonce is applied once (rule 10).
    NonceIsAppliedOnce,
    /// A RAW file leaves only behind every registered position (rule 10).
    RemovedBehindPositions,
    /// A consumer advances to the head that its delta was taken at (rule 21).
    AdvancesToHeadOfDelta,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::ValidBeforeEveryAttempt,
        Self::TruncatedAfterCheckpoint,
        Self::RangesContinue,
        Self::EachRewindItsGeneration,
        Self::CommitIdIsReadAgain,
        Self::NoDiscardWhileUndecided,
        Self::SweptOnlyBehindFence,
        Self::PublishedBeforeSwept,
        Self::RetiredBeforePublished,
        Self::PublishedInSequence,
        Self::CheckpointOfPublished,
        Self::FoldIsVerified,
        Self::FencedAppendsNothing,
        Self::DirectoryPerZone,
        Self::WonOnlyAboveCheckpoint,
        Self::NonceIsAppliedOnce,
        Self::RemovedBehindPositions,
        Self::AdvancesToHeadOfDelta,
    ];

    /// The invariants that it keeps, and the case in which the check finds the schedule, with no more faults than needed.
    pub fn protects(self) -> (&'static [Invariant], Case) {
        use Invariant::{I1, I2, I3, I4, I5, I6, I7, I8, I9, Verdict};
        let (invariants, case, (crashes, late, lost_replies)): (&[_], _, _) = match self {
            Self::ValidBeforeEveryAttempt => (&[I1], "two writers", (0, 0, 0)),
            Self::TruncatedAfterCheckpoint => (&[I1], "checkpoint and truncation", (1, 0, 0)),
            Self::RangesContinue => (&[I2, I3, I7], "two writers", (0, 0, 0)),
            Self::EachRewindItsGeneration => (&[I2], "two rewinds", (0, 0, 0)),
            Self::CommitIdIsReadAgain => (&[I4], "two writers", (0, 1, 1)),
            Self::NoDiscardWhileUndecided => (&[I4], "two writers", (0, 0, 0)),
            Self::SweptOnlyBehindFence | Self::PublishedBeforeSwept => (&[I4], "mutual sweep", (0, 0, 0)),
            Self::RetiredBeforePublished | Self::PublishedInSequence => (&[I5], "chain of rewrites", (0, 0, 0)),
            Self::CheckpointOfPublished => (&[I5], "retention below a checkpoint", (0, 0, 0)),
            Self::FoldIsVerified => (&[I5], "checkpoint and truncation", (0, 0, 0)),
            Self::FencedAppendsNothing => (&[I6, I4], "mutual sweep", (0, 0, 0)),
            Self::DirectoryPerZone => (&[I6], "zone re-created", (0, 0, 0)),
            Self::WonOnlyAboveCheckpoint => (&[Verdict], "checkpoint and truncation", (0, 0, 0)),
            Self::NonceIsAppliedOnce => (&[I7], "two rewinds", (0, 0, 0)),
            Self::RemovedBehindPositions => (&[I8], "retention with a consumer", (0, 0, 0)),
            Self::AdvancesToHeadOfDelta => (&[I9], "retention with a consumer", (0, 0, 0)),
        };
        let case = Case::named(case).expect("the table names cases that exist");
        (invariants, case.with_faults(crashes, late, lost_replies))
    }
}

/// What the fold is told instead of an entry, whatever it says of the entry.
pub(crate) fn rewritten(broken: Option<Rule>, entry: &Entry) -> Option<Entry> {
    let nothing = || {
        let nobody = Incarnation::new(Uuid::from_bytes(*entry.commit_id.as_bytes()));
        Some(Entry { kind: Kind::Fence(Fence { incarnation: nobody }), ..entry.clone() })
    };
    match (broken, &entry.kind) {
        (Some(Rule::FencedAppendsNothing), Kind::Fence(_))
        | (Some(Rule::RemovedBehindPositions), Kind::Consumer(_)) => nothing(),
        _ => None,
    }
}

/// What the fold is told instead of an entry that it refuses, if the broken rule is the reason.
pub(crate) fn excused(broken: Option<Rule>, entry: &Entry, fold: &Fold, refused: &Refused) -> Option<Entry> {
    match (broken?, &refused.refusal, &entry.kind) {
        (
            Rule::RangesContinue,
            Refusal::NotNext { .. } | Refusal::OtherGeneration { .. },
            Kind::Data(Data::Raw(data)),
        ) => {
            let mut data = data.clone();
            for range in &mut data.partitions {
                let from = fold.next(range.partition);
                let to = range.to.max(from);
                let accepted = u64::try_from(to - from).expect("it is not below");
                *range = PartitionRange { generation: fold.generation(), from, to, accepted, ..range.clone() };
            }
            Some(Entry { kind: Kind::Data(Data::Raw(data)), ..entry.clone() })
        }
        (Rule::EachRewindItsGeneration, Refusal::NotNextGeneration { .. }, Kind::Rewind(rewind))
        | (Rule::NonceIsAppliedOnce, Refusal::NonceIsUsed { .. }, Kind::Rewind(rewind)) => {
            let mut rewind = rewind.clone();
            rewind.generation = fold.generation() + 1;
            rewind.nonce = CommitId::to_string(&entry.commit_id);
            Some(Entry { kind: Kind::Rewind(rewind), ..entry.clone() })
        }
        _ => None,
    }
}
