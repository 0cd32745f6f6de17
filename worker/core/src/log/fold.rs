//! What the entries so far add up to.
//!
//! The fold is a pure function of the slots 0 to head, so every process that read them agrees. It holds no history but
//! what a decision or a reader needs: a checkpoint is this value and nothing more.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::entry::{
    Data, Entry, FileEntry, FileZone, Genesis, Kind, MessageCounts, ProcessedData, ProcessedGenesis, RawData,
    RawGenesis, RemovedFile, RunSummary,
};
use super::layout::{self, ZonePath};
use super::names::{CommitId, Incarnation, LogTime, Sequence, ZoneId};
use super::publication::{Publication, Publish, Retire};
use super::valid::{Refused, valid, valid_genesis};

/// Runs that the fold remembers: a week of hourly ones, so that it stays bounded.
const RUNS_KEPT: usize = 168;

/// Position before the first run: genesis itself is still to be consumed.
pub(super) const NOTHING_CONSUMED: i64 = -1;

/// The state of a zone as its log tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold {
    genesis: Genesis,
    head: Sequence,
    head_commit: CommitId,
    effective_time: LogTime,
    partitions: BTreeMap<i32, PartitionState>,
    positions: BTreeMap<u32, i64>,
    live: BTreeMap<FileKey, LiveFile>,
    last_commits: HashMap<Incarnation, (Sequence, CommitId)>,
    runs: VecDeque<Run>,
}

/// Which file: its published name in its zone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey {
    /// Whose directory `path` is relative to.
    pub zone: FileZone,
    /// The published name.
    pub path: ZonePath,
}

/// A file that belongs to the zone.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveFile {
    /// The entry that added it: what a consumer's position is compared with.
    pub sequence: Sequence,
    /// Effective time of that entry.
    pub time: LogTime,
    /// What the entry says of it.
    pub file: FileEntry,
}

/// Where a partition of the topic stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionState {
    /// Kafka's id of the topic.
    pub topic_id: String,
    /// Counts the rewinds of the zone.
    pub generation: i32,
    /// The next offset to fetch.
    pub next: i64,
    /// What became of all offsets so far, over all generations.
    pub counts: MessageCounts,
    /// Newest timestamp of a message, in milliseconds.
    pub max_timestamp: Option<i64>,
}

/// A run of the compaction, as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Entry of the run.
    pub sequence: Sequence,
    /// What it did.
    pub summary: RunSummary,
}

impl Fold {
    /// Begins with the entry of slot 0.
    ///
    /// # Errors
    /// The entry is no genesis, or that of another zone.
    pub fn begin(zone: ZoneId, entry: &Entry) -> Result<Self, Refused> {
        let genesis = valid_genesis(zone, entry).map_err(|refusal| Refused {
            sequence: Sequence::GENESIS,
            commit_id: entry.commit_id,
            refusal,
        })?;
        let mut fold = Self {
            genesis: genesis.clone(),
            head: Sequence::GENESIS,
            head_commit: entry.commit_id,
            effective_time: entry.time,
            partitions: BTreeMap::new(),
            positions: BTreeMap::new(),
            live: BTreeMap::new(),
            last_commits: HashMap::from([(entry.incarnation, (Sequence::GENESIS, entry.commit_id))]),
            runs: VecDeque::new(),
        };
        match genesis {
            Genesis::Raw(raw) => {
                for start in &raw.partitions {
                    fold.partitions.insert(start.partition, PartitionState::at(&raw.topic_id, start.start_offset));
                }
            }
            Genesis::Processed(processed) => {
                fold.positions = (0..processed.buckets).map(|bucket| (bucket, NOTHING_CONSUMED)).collect();
            }
        }
        Ok(fold)
    }

    /// Takes the entry of the slot after head, and says what makes it visible.
    ///
    /// # Errors
    /// The entry may not follow: the log is corrupt, or this is not its slot. The fold is unchanged then.
    pub fn apply(&mut self, entry: &Entry) -> Result<Publication, Refused> {
        let sequence = self.head.next();
        valid(self, entry).map_err(|refusal| Refused { sequence, commit_id: entry.commit_id, refusal })?;
        Ok(self.take(sequence, entry))
    }

    fn take(&mut self, sequence: Sequence, entry: &Entry) -> Publication {
        let Entry { commit_id, incarnation, time, spec_digest: _, kind } = entry;
        self.head = sequence;
        self.head_commit = *commit_id;
        self.effective_time = self.effective_time.max(*time);
        self.last_commits.insert(*incarnation, (sequence, *commit_id));
        match kind {
            Kind::Genesis(_) => Publication::default(),
            Kind::Data(Data::Raw(data)) => self.take_raw(data),
            Kind::Data(Data::Processed(data)) => self.take_processed(data),
        }
    }

    fn take_raw(&mut self, data: &RawData) -> Publication {
        let RawData { partitions, added, removed } = data;
        for range in partitions {
            let state = self
                .partitions
                .entry(range.partition)
                .or_insert_with(|| PartitionState::at(&range.topic_id, range.from));
            state.next = range.to;
            state.counts.add(range.counts());
            state.max_timestamp = state.max_timestamp.max(range.max_timestamp);
        }
        self.exchange(added, removed)
    }

    fn take_processed(&mut self, data: &ProcessedData) -> Publication {
        let ProcessedData { raw_zone_id: _, buckets, added, removed, run } = data;
        for range in buckets {
            self.positions.insert(range.bucket, range.to_seq);
        }
        self.runs.push_front(Run { sequence: self.head, summary: run.clone() });
        self.runs.truncate(RUNS_KEPT);
        self.exchange(added, removed)
    }

    fn exchange(&mut self, added: &[FileEntry], removed: &[RemovedFile]) -> Publication {
        let mut publication = Publication::default();
        for RemovedFile { zone, path } in removed {
            let Some(LiveFile { file, .. }) = self.live.remove(&FileKey { zone: *zone, path: path.clone() }) else {
                continue;
            };
            let retired = layout::retired(self.head, path);
            publication.retire.push(Retire { zone: *zone, path: path.clone(), staged: file.staged, retired });
        }
        for file in added {
            publication.publish.push(Publish {
                zone: file.zone,
                path: file.path.clone(),
                staged: file.staged.clone(),
                bytes: file.bytes,
            });
            let live = LiveFile { sequence: self.head, time: self.effective_time, file: file.clone() };
            self.live.insert(FileKey { zone: file.zone, path: file.path.clone() }, live);
        }
        publication
    }

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

    /// The partitions of a RAW zone that genesis or an entry names.
    pub fn partitions(&self) -> &BTreeMap<i32, PartitionState> {
        &self.partitions
    }

    /// The next offset to fetch of a partition; one that the log does not know begins at 0, whatever `startFrom` says.
    pub fn next(&self, partition: i32) -> i64 {
        self.partitions.get(&partition).map_or(0, |state| state.next)
    }

    /// The generation that new ranges belong to.
    pub fn generation(&self) -> i32 {
        self.partitions.values().map(|state| state.generation).max().unwrap_or(0)
    }

    /// How far each bucket of a Processed zone has consumed the RAW zone; -1 before the first run.
    pub fn positions(&self) -> &BTreeMap<u32, i64> {
        &self.positions
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

    /// The last commit of a writer and its slot.
    pub fn last_commit(&self, incarnation: Incarnation) -> Option<(Sequence, CommitId)> {
        self.last_commits.get(&incarnation).copied()
    }

    /// The last runs of a Processed zone, newest first.
    pub fn runs(&self) -> impl ExactSizeIterator<Item = &Run> {
        self.runs.iter()
    }

    /// What became of all offsets of all partitions so far.
    pub fn totals(&self) -> MessageCounts {
        let mut totals = MessageCounts::default();
        for state in self.partitions.values() {
            totals.add(state.counts);
        }
        totals
    }
}

impl PartitionState {
    fn at(topic_id: &str, next: i64) -> Self {
        Self {
            topic_id: topic_id.to_owned(),
            generation: 0,
            next,
            counts: MessageCounts::default(),
            max_timestamp: None,
        }
    }
}
