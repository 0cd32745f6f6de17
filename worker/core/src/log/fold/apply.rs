//! How one entry changes the state.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::entry::{
    Consumer, Data, Entry, Fence, FileEntry, FileSchema, FileZone, Genesis, Hold, Kind, MessageCounts, PartitionRewind,
    ProcessedData, RawData, Remove, RemovedFile, Resume, Rewind,
};
use super::super::layout;
use super::super::names::{Digest, Sequence, ZoneId};
use super::super::publication::{Publication, Publish, Retire};
use super::super::valid::{Refused, valid, valid_genesis};
use super::window::{RejectCounts, Window};
use super::{
    AppliedRewind, ConsumerState, FileKey, Fold, Held, LastCommit, LiveFile, NOTHING_CONSUMED, PartitionState,
    RemovedTotals, Run, SchemaState, Source,
};

/// Runs that the fold remembers: a week of hourly ones, so that it stays bounded.
const RUNS_KEPT: usize = 168;

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
        let first = LastCommit { sequence: Sequence::GENESIS, commit_id: entry.commit_id, time: entry.time };
        let mut fold = Self {
            genesis: genesis.clone(),
            head: Sequence::GENESIS,
            head_commit: entry.commit_id,
            effective_time: entry.time,
            source: None,
            generation: 0,
            rewinds: BTreeMap::new(),
            partitions: BTreeMap::new(),
            past: MessageCounts::default(),
            positions: BTreeMap::new(),
            processed_through: BTreeMap::new(),
            live: BTreeMap::new(),
            schemas: BTreeMap::new(),
            last_commits: BTreeMap::from([(entry.incarnation, first)]),
            fenced: BTreeMap::new(),
            consumers: BTreeMap::new(),
            held: None,
            resume_tokens: BTreeSet::new(),
            last_resume: None,
            window: Window::default(),
            runs: VecDeque::new(),
            removed: RemovedTotals::default(),
            readings: Vec::new(),
        };
        match genesis {
            Genesis::Raw(raw) => {
                for start in &raw.partitions {
                    fold.partitions.insert(start.partition, PartitionState::at(&raw.topic_id, 0, start.start_offset));
                }
                fold.source = Some(Source { cluster_id: raw.cluster_id.clone(), topic_id: raw.topic_id.clone() });
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
        let Entry { commit_id, incarnation, time, spec_digest, kind } = entry;
        self.head = sequence;
        self.head_commit = *commit_id;
        self.effective_time = self.effective_time.max(*time);
        let last = LastCommit { sequence, commit_id: *commit_id, time: self.effective_time };
        self.last_commits.insert(*incarnation, last);
        match kind {
            Kind::Data(Data::Raw(data)) => return self.take_raw(data),
            Kind::Data(Data::Processed(data)) => return self.take_processed(data),
            Kind::Remove(remove) => return self.take_removal(remove),
            Kind::Genesis(_) => {}
            Kind::Rewind(rewind) => self.take_rewind(rewind),
            Kind::Hold(hold) => self.take_hold(hold, spec_digest),
            Kind::Resume(resume) => self.take_resume(resume),
            Kind::Fence(Fence { incarnation }) => {
                self.fenced.insert(*incarnation, sequence);
            }
            Kind::Consumer(consumer) => self.take_consumer(consumer),
        }
        Publication::default()
    }

    fn take_raw(&mut self, data: &RawData) -> Publication {
        let RawData { partitions, added, removed, schemas } = data;
        for range in partitions {
            let state = self
                .partitions
                .entry(range.partition)
                .or_insert_with(|| PartitionState::at(&range.topic_id, range.generation, range.from));
            if range.gaps > 0 {
                // Nobody has read what was lost: older readings of it stay what they are. A gap is found before anything is
                // read behind it, and what was read before it is committed first: it stands at the front of a range.
                self.readings.extend(state.reading(range.partition, range.from));
                let lost = i64::try_from(range.gaps).unwrap_or(i64::MAX);
                state.begun = Some(range.from.saturating_add(lost).min(range.to));
            }
            state.next = range.to;
            state.counts.add(range.counts());
            state.max_timestamp = state.max_timestamp.max(range.max_timestamp);
            state.leader_epoch = range.leader_epoch.or(state.leader_epoch);
        }
        self.window.add(self.effective_time, RejectCounts::of(partitions));
        self.describe(schemas);
        self.exchange(added, removed)
    }

    fn describe(&mut self, schemas: &[FileSchema]) {
        for schema in schemas {
            let state = self.schemas.entry(schema.id.clone());
            state.or_insert(SchemaState { described: None, live_files: 0 }).described = Some(schema.clone());
        }
    }

    fn take_processed(&mut self, data: &ProcessedData) -> Publication {
        let ProcessedData { raw_zone_id: _, buckets, added, removed, run } = data;
        for range in buckets {
            self.positions.insert(range.bucket, range.to_seq);
            match range.processed_through {
                Some(time) => self.processed_through.insert(range.bucket, time),
                None => self.processed_through.remove(&range.bucket),
            };
        }
        self.runs.push_front(Run { sequence: self.head, summary: run.clone() });
        self.runs.truncate(RUNS_KEPT);
        self.exchange(added, removed)
    }

    fn take_rewind(&mut self, rewind: &Rewind) {
        let Rewind { nonce, generation, cluster_id, topic_id, partitions } = rewind;
        self.generation = *generation;
        self.rewinds.insert(nonce.clone(), AppliedRewind { sequence: self.head, generation: *generation });
        let ended = self.partitions.iter().filter_map(|(partition, state)| state.reading(*partition, state.next));
        self.readings.extend(ended);
        let source = Source { cluster_id: cluster_id.clone(), topic_id: topic_id.clone() };
        if self.source.as_ref() != Some(&source) {
            // Offsets of the topic that was read mean nothing in the one that follows; what became of them still counts.
            self.past = self.totals();
            self.partitions.clear();
            self.source = Some(source);
        }
        for state in self.partitions.values_mut() {
            state.generation = *generation;
            state.begun = Some(state.next);
        }
        for PartitionRewind { partition, next, gaps } in partitions {
            let state = self.partitions.entry(*partition);
            let state = state.or_insert_with(|| PartitionState::at(topic_id, *generation, *next));
            state.next = *next;
            state.begun = Some(*next);
            state.counts.add(MessageCounts { gaps: *gaps, ..MessageCounts::default() });
            state.max_timestamp = None;
            state.leader_epoch = None;
        }
    }

    fn take_hold(&mut self, hold: &Hold, spec_digest: &Digest) {
        self.held = Some(Held {
            sequence: self.head,
            since: self.effective_time,
            spec_digest: spec_digest.clone(),
            hold: hold.clone(),
        });
    }

    fn take_resume(&mut self, resume: &Resume) {
        let Resume { token } = resume;
        self.resume_tokens.extend(token.clone());
        self.held = None;
        self.last_resume = Some(self.head);
        self.window.clear();
    }

    fn take_consumer(&mut self, consumer: &Consumer) {
        let advanced_at = self.effective_time;
        match consumer {
            Consumer::Register { id, name } => {
                let state = ConsumerState { name: name.clone(), position: NOTHING_CONSUMED, advanced_at };
                self.consumers.insert(*id, state);
            }
            Consumer::Advance { id, position } => {
                if let Some(state) = self.consumers.get_mut(id) {
                    (state.position, state.advanced_at) = (*position, advanced_at);
                }
            }
            Consumer::Leave { id } => {
                self.consumers.remove(id);
            }
        }
    }

    fn take_removal(&mut self, remove: &Remove) -> Publication {
        let Remove { files, reason: _, archive: _ } = remove;
        for RemovedFile { zone, path } in files {
            if let Some(live) = self.live.get(&FileKey { zone: *zone, path: path.clone() }) {
                self.removed.files += 1;
                // Only forged entries reach the end of the numbers.
                self.removed.bytes = self.removed.bytes.saturating_add(live.file.bytes);
                match zone {
                    FileZone::Rejected => self.removed.rejected_files += 1,
                    FileZone::Raw | FileZone::Processed => {
                        self.removed.rows = self.removed.rows.saturating_add(live.file.rows);
                    }
                }
            }
        }
        self.exchange(&[], files)
    }

    fn exchange(&mut self, added: &[FileEntry], removed: &[RemovedFile]) -> Publication {
        let mut publication = Publication::default();
        for RemovedFile { zone, path } in removed {
            let Some(LiveFile { file, .. }) = self.live.remove(&FileKey { zone: *zone, path: path.clone() }) else {
                continue;
            };
            self.count_schema(&file, |live_files| live_files.saturating_sub(1));
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
            self.count_schema(file, |live_files| live_files + 1);
            let live = LiveFile { sequence: self.head, time: self.effective_time, file: file.clone() };
            self.live.insert(FileKey { zone: file.zone, path: file.path.clone() }, live);
        }
        publication
    }

    /// Rejected files are all of one schema, and a Processed zone compares its columns itself.
    fn count_schema(&mut self, file: &FileEntry, count: impl Fn(u64) -> u64) {
        if file.zone == FileZone::Raw {
            let state = self.schemas.entry(file.schema.clone());
            let state = state.or_insert(SchemaState { described: None, live_files: 0 });
            state.live_files = count(state.live_files);
        }
    }
}
