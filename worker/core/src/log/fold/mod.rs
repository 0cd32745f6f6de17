//! What the entries so far add up to.
//!
//! The fold is a pure function of the slots 0 to head, so every process that read them agrees. It holds no history but
//! what a decision or a reader needs: a checkpoint is this value and nothing more.

mod apply;
mod record;
mod state;
mod window;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::entry::{FileZone, Genesis, MessageCounts, ProcessedGenesis, RawGenesis};
use super::names::{CommitId, Incarnation, LogTime, Sequence, ZoneId};

pub use record::{LiveRecord, UnreadableFold};
pub use state::{
    AppliedRewind, ConsumerState, FileKey, Held, LastCommit, LiveFile, PartitionState, Reading, RemovedTotals, Run,
    SchemaState, Source,
};
pub use window::RejectCounts;

/// Position before the first run: genesis itself is still to be consumed.
pub(super) const NOTHING_CONSUMED: i64 = -1;

/// The state of a zone as its log tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold {
    genesis: Genesis,
    head: Sequence,
    head_commit: CommitId,
    effective_time: LogTime,
    source: Option<Source>,
    generation: i32,
    rewinds: BTreeMap<String, AppliedRewind>,
    partitions: BTreeMap<i32, PartitionState>,
    /// What became of the offsets of topic ids that are no longer read.
    past: MessageCounts,
    positions: BTreeMap<u32, i64>,
    processed_through: BTreeMap<u32, LogTime>,
    live: BTreeMap<FileKey, LiveFile>,
    schemas: BTreeMap<String, SchemaState>,
    last_commits: BTreeMap<Incarnation, LastCommit>,
    fenced: BTreeMap<Incarnation, Sequence>,
    consumers: BTreeMap<ZoneId, ConsumerState>,
    held: Option<Held>,
    resume_tokens: BTreeSet<String>,
    last_resume: Option<Sequence>,
    window: window::Window,
    runs: VecDeque<Run>,
    removed: RemovedTotals,
    /// What generations after the first have read, but for the last stretch of each partition.
    readings: Vec<Reading>,
}

impl Fold {
    /// What the zone is for.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The zone's id.
    pub fn zone_id(&self) -> ZoneId {
        match &self.genesis {
            Genesis::Raw(RawGenesis { zone_id, .. }) | Genesis::Processed(ProcessedGenesis { zone_id, .. }) => *zone_id,
        }
    }

    /// The last slot that was folded.
    pub fn head(&self) -> Sequence {
        self.head
    }

    /// The commit of the last slot.
    pub fn head_commit(&self) -> CommitId {
        self.head_commit
    }

    /// The newest time of any entry: writers' clocks may go back, this one does not (F20).
    pub fn effective_time(&self) -> LogTime {
        self.effective_time
    }

    /// The topic that a RAW zone reads now: that of genesis, or of the last rewind.
    pub fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }

    /// The partitions of a RAW zone that genesis or an entry names.
    pub fn partitions(&self) -> &BTreeMap<i32, PartitionState> {
        &self.partitions
    }

    /// The next offset to fetch of a partition; one that the log does not know begins at 0, whatever `startFrom` says.
    pub fn next(&self, partition: i32) -> i64 {
        self.partitions.get(&partition).map_or(0, |state| state.next)
    }

    /// The generation that new ranges belong to, of every partition: a rewind is zone-wide.
    pub fn generation(&self) -> i32 {
        self.generation
    }

    /// The rewinds that were applied, by nonce.
    pub fn rewinds(&self) -> &BTreeMap<String, AppliedRewind> {
        &self.rewinds
    }

    /// How far each bucket of a Processed zone has consumed the RAW zone; -1 before the first run.
    pub fn positions(&self) -> &BTreeMap<u32, i64> {
        &self.positions
    }

    /// Up to when each bucket of a Processed zone has every message; a bucket of which that can't be said is not named.
    pub fn processed_through(&self) -> &BTreeMap<u32, LogTime> {
        &self.processed_through
    }

    /// Up to when all of a Processed zone has every message, unless a producer's clock goes back.
    pub fn all_processed_through(&self) -> Option<LogTime> {
        self.positions.keys().map(|bucket| self.processed_through.get(bucket).copied()).min().flatten()
    }

    /// The files that belong to the zone, by name.
    pub fn live(&self) -> &BTreeMap<FileKey, LiveFile> {
        &self.live
    }

    /// The files of one kind that an entry above a position has added, oldest first: a consumer's delta (rule 21).
    pub fn added_after(&self, zone: FileZone, position: i64) -> Vec<&LiveFile> {
        let newer = |live: &&LiveFile| live.file.zone == zone && live.sequence.position() > position;
        let mut delta: Vec<_> = self.live.values().filter(newer).collect();
        delta.sort_by(|a, b| (a.sequence, &a.file.path).cmp(&(b.sequence, &b.file.path)));
        delta
    }

    /// The schemas that entries have used, by id. A writer describes those that are not described here.
    pub fn schemas(&self) -> &BTreeMap<String, SchemaState> {
        &self.schemas
    }

    /// The last commit of a writer and its slot.
    pub fn last_commit(&self, incarnation: Incarnation) -> Option<(Sequence, CommitId)> {
        self.last_commits.get(&incarnation).map(|last| (last.sequence, last.commit_id))
    }

    /// What each writer has last done.
    pub fn last_commits(&self) -> &BTreeMap<Incarnation, LastCommit> {
        &self.last_commits
    }

    /// The writers that were put out, with the entry that did it.
    pub fn fenced(&self) -> &BTreeMap<Incarnation, Sequence> {
        &self.fenced
    }

    /// Whether a writer was put out.
    pub fn is_fenced(&self, incarnation: Incarnation) -> bool {
        self.fenced.contains_key(&incarnation)
    }

    /// The registered consumers of a RAW zone, by the id of their own zone.
    pub fn consumers(&self) -> &BTreeMap<ZoneId, ConsumerState> {
        &self.consumers
    }

    /// The hold that nobody has ended.
    pub fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// Whether a resume token was used.
    pub fn has_resumed_by(&self, token: &str) -> bool {
        self.resume_tokens.contains(token)
    }

    /// The last entry that ended a hold, or would have.
    pub fn last_resume(&self) -> Option<Sequence> {
        self.last_resume
    }

    /// Messages of entries whose effective time is `from` or later, and not before the last resume.
    pub fn rejects_since(&self, from: LogTime) -> RejectCounts {
        self.window.since(from)
    }

    /// The last runs of a Processed zone, newest first.
    pub fn runs(&self) -> impl ExactSizeIterator<Item = &Run> {
        self.runs.iter()
    }

    /// What retention has taken off the zone so far, rejects included.
    pub fn removed(&self) -> RemovedTotals {
        self.removed
    }

    /// The offsets that generations after the first have read without a gap.
    pub fn readings(&self) -> impl Iterator<Item = Reading> {
        let last = self.partitions.iter().filter_map(|(partition, state)| state.reading(*partition, state.next));
        self.readings.iter().cloned().chain(last)
    }

    /// What became of all offsets of all partitions so far, of earlier topic ids too.
    pub fn totals(&self) -> MessageCounts {
        let mut totals = self.past;
        for state in self.partitions.values() {
            totals.add(state.counts);
        }
        totals
    }
}
