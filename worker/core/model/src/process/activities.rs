//! What a process may begin while it does nothing else.

use gristmill_core::log::{RewindPlan, Source, rewind_entry, to_sweep};

use crate::entries::{CLUSTER_ID, EntryId, Offsets, Saying, TOPIC_ID, incarnation_id};
use crate::history::{Before, FoldId};
use crate::rules::Rule;
use crate::state::{At, Because, Budget, INCARNATIONS, Place, Process, STARTS, State};
use crate::world::{Label, incarnation};

use super::Turn;
use super::append::spend;
use super::publish::sequences;

impl Turn<'_, '_> {
    /// Starts again, as another incarnation, from the greatest checkpoint.
    pub(super) fn start(&mut self) {
        let role = self.steps.world.case.roles[self.number];
        if !role.restarts || usize::from(self.process.starts) >= STARTS {
            return;
        }
        let history = self.history();
        let genesis = history.begin(self.steps.world.genesis(self.state.zone));
        let greatest = self.state.checkpoints.iter().copied().rfind(|log: &FoldId| log.is_some());
        let fold = greatest.unwrap_or(genesis);
        let head = history.facts(fold).head;
        let starts = self.process.starts + 1;
        let process = Process {
            incarnation: incarnation(self.number, starts),
            starts,
            at: At::Probe,
            because: Because::Open,
            fold,
            verified: head,
            ..Process::default()
        };
        let label = Label::of(self.number, process.incarnation, "starts from checkpoint").number(head);
        self.go_to(label, *self.state, process, 0);
    }

    /// Adds everything that an idle process may begin.
    pub(super) fn choose(&mut self) {
        let role = self.steps.world.case.roles[self.number];
        if role.refreshes {
            self.refresh();
            self.publish_others();
        }
        if role.ingests {
            self.ingest();
        }
        if role.rewrites {
            self.rewrite();
        }
        if role.sweeps {
            self.sweep_another();
        }
        if role.checkpoints {
            self.begin_checkpoint();
        }
        if role.rewinds {
            self.rewind();
        }
        if role.removes {
            self.remove();
        }
        if role.consumes {
            self.consume();
        }
    }

    fn refresh(&mut self) {
        // Where there is nothing to find the step would change nothing but the place in the program.
        let slot = usize::from(self.head()) + 1;
        let is_behind = self.slot(slot as u8).is_some();
        let greatest = self.greatest_checkpoint().map_or(0, |log| self.history().facts(log).head);
        if is_behind || self.process.verified != self.head() || greatest > self.process.verified {
            // The first read of the refresh is the step.
            let before = self.process;
            self.process = Process { at: At::Probe, because: Because::Refresh, ..before };
            self.probe();
            self.process = before;
        }
    }

    /// An entry that waits for its committer for too long is published by whoever has folded it.
    fn publish_others(&mut self) {
        if self.process.verified != self.head() && self.holds(Rule::FoldIsVerified) {
            return;
        }
        for sequence in sequences(self.process.unpublished) {
            let label = self.label("sees unpublished entry").number(sequence);
            self.publish(label, self.process, sequence, 0);
        }
    }

    /// Closes a staged file for partitions that it owns, or believes that it does.
    fn ingest(&mut self) {
        let case = &self.steps.world.case;
        let (sets, limit) = (case.partition_sets, case.offsets);
        for set in sets {
            let next = self.facts().next;
            let ranges: Option<Vec<_>> = set
                .iter()
                .map(|partition| {
                    let from = next[usize::from(*partition)];
                    (from < limit).then_some(Offsets { partition: *partition, from, to: from + 1 })
                })
                .collect();
            if let Some(ranges) = ranges {
                let generation = self.facts().generation;
                self.stage(*self.state, 0, Saying::Raw { generation, ranges });
            }
        }
    }

    /// Closes a second file behind the one that is about to be appended.
    pub(super) fn queue_another(&mut self) {
        let case = &self.steps.world.case;
        if !case.queues || self.process.queued.is_some() {
            return;
        }
        let Saying::Raw { generation, ranges } = self.saying(self.process.ours).clone() else {
            return;
        };
        let limit = case.offsets;
        let behind =
            |range: &Offsets| (range.to < limit).then_some(Offsets { from: range.to, to: range.to + 1, ..*range });
        let Some(ranges) = ranges.iter().map(behind).collect() else {
            return;
        };
        let file = self.entry(0, Saying::Raw { generation, ranges });
        let mut state = *self.state;
        if self.state.has_room_for_a_file() && !self.state.files.iter().any(|found| found.entry == file) {
            state.put(file, Place::Staged as u8);
            let process = Process { queued: file, ..self.process };
            self.go_to(self.label("closes behind it").entry(file), state, process, 0);
        }
    }

    fn stage(&mut self, mut state: State, number: u8, saying: Saying) {
        let file = self.entry(number, saying);
        let is_used = self.state.files.iter().any(|found| found.entry == file);
        if !self.state.has_room_for_a_file() || is_used {
            return;
        }
        state.put(file, Place::Staged as u8);
        let case = &self.steps.world.case;
        let Budget { fences, replacements, revocations, .. } = case.budget;
        if fences == 0 && replacements == 0 && revocations == 0 && !case.queues {
            // Nobody can tell the moment between file and body.
            return self.propose_as(self.label("closes a staged file, and prepares"), state, file);
        }
        let process = Process { at: At::Prepare, ours: file, ..self.process };
        self.go_to(self.label("closes staged file of").entry(file), state, process, 0);
    }

    /// Begins to append an entry without a file.
    fn propose(&mut self, state: State, number: u8, saying: Saying) {
        let entry = self.entry(number, saying);
        self.propose_as(self.label("prepares"), state, entry);
    }

    fn propose_as(&mut self, label: Label, mut state: State, entry: EntryId) {
        let process = Process { at: At::Probe, because: Because::Append, ours: entry, ..self.process };
        state.bodies[usize::from(self.process.incarnation)] = entry;
        self.go_to(label.entry(entry), state, process, 0);
    }

    /// A compaction: rewrites every live file into one.
    fn rewrite(&mut self) {
        if let Some(state) = spend(*self.state, |left| &mut left.runs) {
            let facts = self.facts();
            let removes: Vec<_> = facts.live.iter().map(|(file, _)| *file).collect();
            let from = facts.position.expect("a Processed zone has a position");
            self.stage(state, state.left.runs, Saying::Run { from, removes });
        }
    }

    fn sweep_another(&mut self) {
        for other in 1..=INCARNATIONS as u8 {
            let own = self.process.incarnation;
            let stages = |file: &crate::state::File| {
                let author = file.entry.is_some().then(|| self.history().entries.describe(file.entry).author);
                author == Some(other) && file.places & Place::Staged as u8 != 0
            };
            let has_body = self.state.bodies[usize::from(other)].is_some();
            if other == own || !(has_body || self.state.files.iter().any(stages)) {
                continue;
            }
            if !self.holds(Rule::SweptOnlyBehindFence) {
                if let Some(state) = spend(*self.state, |left| &mut left.fences) {
                    let label = self.label("takes for ended, by age, incarnation").number(other);
                    let process = Process { at: At::DeleteStaging, target: other, ..self.process };
                    self.go_to(label, state, process, 0);
                }
                continue;
            }
            let fold = &self.history().node(self.process.fold).fold;
            let swept = to_sweep(fold, [incarnation_id(other)], incarnation_id(own));
            let is_fenced = !swept.is_empty() || self.facts().fenced >> other & 1 == 1;
            if is_fenced {
                if self.process.verified == self.head() {
                    let label = self.label("sweeps fenced incarnation").number(other);
                    self.sweep(label, self.process, other, 0);
                }
            } else if let Some(state) = spend(*self.state, |left: &mut Budget| &mut left.fences) {
                self.propose(state, 0, Saying::Fence { incarnation: other });
            }
        }
    }

    fn rewind(&mut self) {
        let Some(state) = spend(*self.state, |left| &mut left.rewinds) else {
            return;
        };
        for nonce in 0..2 {
            let source = Source { cluster_id: CLUSTER_ID.to_owned(), topic_id: TOPIC_ID.to_owned() };
            let plan = RewindPlan { nonce: nonce.to_string(), source, next: [(0, 0), (1, 0)].into() };
            let entry = rewind_entry(&self.history().node(self.process.fold).fold, &plan);
            let generation = entry.map(|rewind| rewind.generation as u8);
            let repeated = (!self.holds(Rule::NonceIsAppliedOnce)).then_some(self.facts().generation + 1);
            if let Some(generation) = generation.or(repeated) {
                self.propose(state, 0, Saying::Rewind { nonce, generation });
            }
        }
    }

    /// Retention: any file may be old enough.
    fn remove(&mut self) {
        let Some(state) = spend(*self.state, |left| &mut left.removals) else {
            return;
        };
        for (file, _) in self.facts().live.clone() {
            let entry = self.entry(state.left.removals, Saying::Remove { file });
            if self.history().before(self.process.fold, entry) == Before::Take {
                self.propose(state, state.left.removals, Saying::Remove { file });
            }
        }
    }

    fn consume(&mut self) {
        let Some(state) = spend(*self.state, |left| &mut left.deltas) else {
            return;
        };
        if self.facts().registered {
            let process = Process { at: At::Probe, because: Because::Delta, ..self.process };
            self.go_to(self.label("begins a run"), state, process, 0);
        } else {
            self.propose(state, state.left.deltas, Saying::Register);
        }
    }

    /// The fold is up to date: what is live above the position is the delta.
    pub(super) fn take_delta(&mut self, label: Label, mut process: Process) {
        let facts = self.history().facts(process.fold);
        let is_new = facts.position.is_some_and(|position| position < facts.head as i8);
        if is_new {
            (process.at, process.target, process.file) = (At::ReadDelta, facts.head, 0);
        } else {
            process.rest();
        }
        self.go(label, |next| *next = process);
    }

    /// All files of the delta are read and its rows are committed to the consumer's own zone.
    pub(super) fn advance(&mut self, head: u8) {
        if self.holds(Rule::AdvancesToHeadOfDelta) {
            self.process.file = 0;
            self.process.target = 0;
            self.propose(*self.state, self.state.left.deltas, Saying::Advance { position: head });
        } else {
            let label = self.label("has read its delta");
            let process = Process { at: At::Probe, because: Because::Advance, file: 0, target: 0, ..self.process };
            self.go_to(label, *self.state, process, 0);
        }
    }

    pub(super) fn append_advance(&mut self, _: Label, process: Process) {
        self.process = process;
        self.process.at = At::Idle;
        let position = self.head();
        self.propose(*self.state, self.state.left.deltas, Saying::Advance { position });
    }
}
