//! Sweeping, checkpoints and truncation (rules 4 and 19).

use gristmill_core::log::{Sequence, Truncation, checkpoint_is_due, to_truncate};

use crate::entries::EntryId;
use crate::history::FoldId;
use crate::rules::Rule;
use crate::state::{At, Hung, Place, Process, Rename, State, Then};
use crate::store;
use crate::world::Label;

use super::Turn;
use super::append::{hang, spend};

impl Turn<'_, '_> {
    /// The writer is fenced: whatever is committed is published, and then its staging goes.
    pub(super) fn sweep(&mut self, label: Label, process: Process, incarnation: u8, broken: u32) {
        self.go_to_sweep(label, *self.state, process, incarnation, broken);
    }

    pub(super) fn go_to_sweep(&mut self, label: Label, state: State, process: Process, swept: u8, broken: u32) {
        let mut process = Process { then: Then::DeleteStaging, target: swept, ..process };
        if self.holds(Rule::PublishedBeforeSwept) {
            self.publish_all(label, state, process, broken);
        } else {
            process.rest();
            (process.at, process.target) = (At::DeleteStaging, swept);
            self.go_to(label, state, process, broken);
        }
    }

    /// Deletes the staging directory of a writer that was put out.
    pub(super) fn delete_staging(&mut self) {
        let swept = self.process.target;
        let mut state = *self.state;
        state.bodies[usize::from(swept)] = EntryId::NONE;
        for file in self.state.files {
            if file.entry.is_some() && self.history().entries.describe(file.entry).author == swept {
                state.put(file.entry, state.places(file.entry) & !(Place::Staged as u8));
            }
        }
        let mut process = self.process;
        process.rest();
        self.go_to(self.label("deletes the staging of incarnation").number(swept), state, process, 0);
    }

    /// Begins with a checkpoint, which is due: first everything is published.
    pub(super) fn begin_checkpoint(&mut self) {
        let newest = self.greatest_checkpoint().map(|log| Sequence(u64::from(self.history().facts(log).head)));
        // The product writes one every 256 entries; here after each.
        let is_due = checkpoint_is_due(Sequence(u64::from(self.head())), newest, 1);
        let has_room = self.state.checkpoints.iter().any(|log| !log.is_some());
        if !is_due || !has_room {
            return;
        }
        if let Some(state) = spend(*self.state, |left| &mut left.checkpoints) {
            let label = self.label("finds a checkpoint due at head").number(self.head());
            let process = Process { then: Then::Checkpoint, ..self.process };
            if self.holds(Rule::CheckpointOfPublished) {
                self.publish_all(label, state, process, 0);
            } else {
                self.go_to(label, state, Process { at: At::ConfirmCheckpoint, ..process }, 0);
            }
        }
    }

    /// What is done first once everything is published.
    pub(super) fn checkpoint_step(&self, process: &mut Process) -> At {
        if self.holds(Rule::TruncatedAfterCheckpoint) {
            return At::ConfirmCheckpoint;
        }
        process.then = Then::Idle;
        process.target = self.history().facts(process.fold).head;
        At::Truncate
    }

    /// Gives the body of a checkpoint its name. Whatever the rename reports, the name is looked for.
    pub(super) fn write_checkpoint(&mut self) {
        let log = self.process.fold;
        let head = self.head();
        let mut written = self.process;
        written.rest();
        (written.at, written.target) = (At::Truncate, head);
        if !self.is_here() {
            return self.stop("ends: there is no place for its checkpoint");
        }
        let mut state = *self.state;
        let broken = store::add_checkpoint(self.history(), &mut state, log);
        self.go_to(self.label("writes checkpoint").number(head), state, written, broken);
        let hung = Hung { rename: Rename::Checkpoint, log, zone: self.facts().zone, ..Hung::default() };
        if let Some(state) = hang(*self.state, hung) {
            let label = self.label("stops to wait for a rename that hangs, of checkpoint").number(head);
            self.go_to(label, state, self.process, 0);
        }
    }

    /// Deletes the oldest of what the checkpoint covers. The model keeps no entries for slow readers: safety needs none.
    pub(super) fn truncate(&mut self) {
        let checkpoint = self.process.target;
        let sequence = |log: &FoldId| Sequence(u64::from(self.history().facts(*log).head));
        let checkpoints: Vec<_> = self.state.checkpoints.iter().filter(|log| log.is_some()).map(sequence).collect();
        let taken = (0..self.state.slots.len()).filter(|slot| self.state.slots[*slot].is_some());
        let slots = taken.map(|slot| Sequence(slot as u64));
        let Truncation { slots, checkpoints } = to_truncate(Sequence(u64::from(checkpoint)), slots, checkpoints, 0);
        let mut state = *self.state;
        if let Some(slot) = slots.first().filter(|_| self.is_here()) {
            state.slots[slot.0 as usize] = EntryId::NONE;
            self.go_to(self.label("deletes slot").number(slot.0 as u8), state, self.process, 0);
        } else if let Some(older) = checkpoints.first().filter(|_| self.is_here()) {
            let older = older.0 as u8;
            store::remove_checkpoint(self.history(), &mut state, older);
            self.go_to(self.label("deletes checkpoint").number(older), state, self.process, 0);
        } else {
            let label = self.label("finds no more below checkpoint").number(checkpoint);
            self.go(label, Process::rest);
        }
    }
}
