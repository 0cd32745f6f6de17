//! Making entries visible (rules 16 and 17).

use gristmill_core::log::{Sequence, due};

use crate::entries::EntryId;
use crate::rules::Rule;
use crate::state::{At, Because, Hung, Place, Process, Rename, State, Then};
use crate::world::Label;

use super::Turn;
use super::append::{hang, spend};

impl Turn<'_, '_> {
    /// Publishes an entry, with those that have to come first, or goes on if it is published.
    pub(super) fn publish(&mut self, label: Label, mut process: Process, wanted: u8, broken: u32) {
        process.due = if process.unpublished >> wanted & 1 == 1 { self.due(&process, wanted) } else { 0 };
        self.publish_next(label, *self.state, process, broken);
    }

    /// Publishes whatever this process has folded and not seen published, and goes on with `then`.
    pub(super) fn publish_all(&mut self, label: Label, state: State, mut process: Process, broken: u32) {
        process.due = process.unpublished;
        self.publish_next(label, state, process, broken);
    }

    fn due(&self, process: &Process, wanted: u8) -> u16 {
        if !self.holds(Rule::PublishedInSequence) {
            return 1 << wanted;
        }
        let history = self.history();
        let publication =
            |sequence| (Sequence(u64::from(sequence)), history.product_publication(process.fold, sequence));
        let unpublished = sequences(process.unpublished).map(publication);
        due(unpublished, Sequence(u64::from(wanted))).into_iter().map(|sequence| 1 << sequence.0).sum()
    }

    /// Begins with the next entry that is due, or with what comes after.
    fn publish_next(&mut self, label: Label, state: State, mut process: Process, broken: u32) {
        process.file = 0;
        if process.due != 0 {
            process.publishing = process.due.trailing_zeros() as u8;
            (process.ours, process.defeated) = (EntryId::NONE, false);
            return self.next_file(label, state, process, broken);
        }
        process.publishing = 0;
        process.ours = EntryId::NONE;
        match process.then {
            Then::DeleteStaging => process.at = At::DeleteStaging,
            Then::Checkpoint if process.unpublished == 0 => process.at = self.checkpoint_step(&mut process),
            // The log went on while it was read again: there will be another try.
            Then::Checkpoint if self.holds(Rule::CheckpointOfPublished) => process.rest(),
            Then::Checkpoint => process.at = At::ConfirmCheckpoint,
            Then::Idle if process.queued.is_some() => {
                let queued = process.queued;
                process.rest();
                (process.ours, process.at) = (queued, At::Prepare);
            }
            Then::Idle => process.rest(),
        }
        self.go_to(label, state, process, broken);
    }

    /// The files of the entry that is published, in their order, and whether each is retired.
    fn renames(&self, process: &Process) -> std::vec::IntoIter<(EntryId, bool)> {
        let renames = self.history().publication(process.fold, process.publishing);
        let retire = renames.retire.iter().map(|file| (*file, true));
        let publish = renames.publish.iter().map(|file| (*file, false));
        let mut all: Vec<_> = retire.chain(publish).collect();
        if !self.holds(Rule::RetiredBeforePublished) {
            all.reverse();
        }
        all.into_iter()
    }

    fn file(&self) -> EntryId {
        let mut renames = self.renames(&self.process);
        renames.nth(usize::from(self.process.file)).map_or(EntryId::NONE, |(file, _)| file)
    }

    fn next_file(&mut self, label: Label, state: State, mut process: Process, broken: u32) {
        match self.renames(&process).nth(usize::from(process.file)) {
            Some((_, true)) => process.at = At::LookToRetire,
            Some((_, false)) => process.at = At::LookPublished,
            None => {
                let done = !(1 << process.publishing);
                process.unpublished &= done;
                process.due &= done;
                return self.publish_next(label, state, process, broken);
            }
        }
        self.go_to(label, state, process, broken);
    }

    fn file_done(&mut self, label: Label, state: State) {
        let process = Process { file: self.process.file + 1, ..self.process };
        self.next_file(label, state, process, 0);
    }

    fn look(&mut self, place: Place, found: Option<At>, missing: Option<At>, what: [&'static str; 2]) {
        let file = self.file();
        let is_there = self.state.is_at(file, place);
        let label = self.label(what[usize::from(!is_there)]).entry(file);
        match if is_there { found } else { missing } {
            Some(at) => self.go(label, |process| process.at = at),
            None => self.file_done(label, *self.state),
        }
    }

    pub(super) fn look_published(&mut self) {
        let what = ["finds published", "finds not published"];
        self.look(Place::Published, None, Some(At::LookStaged), what);
    }

    pub(super) fn look_staged(&mut self) {
        let what = ["finds staged", "finds not staged"];
        self.look(Place::Staged, Some(At::RenamePublish), Some(At::LookPublishedAgain), what);
    }

    pub(super) fn look_published_again(&mut self) {
        let file = self.file();
        if self.state.is_at(file, Place::Published) {
            let label = self.label("finds published by now").entry(file);
            return self.file_done(label, *self.state);
        }
        let label = self.label("finds nowhere").entry(file);
        self.go(label, |process| {
            (process.at, process.because, process.ours) = (At::Probe, Because::Missing, file);
        });
    }

    /// The fold is up to date: is the file that is nowhere still live?
    pub(super) fn judge_missing(&mut self, label: Label, mut process: Process) {
        let file = process.ours;
        if self.history().facts(process.fold).live.iter().any(|(live, _)| *live == file) {
            return self.stop("ends: a live file is lost");
        }
        process.unpublished &= !(1 << process.publishing);
        process.due &= process.unpublished;
        self.publish_next(label, *self.state, process, 0);
    }

    pub(super) fn rename_publish(&mut self) {
        self.rename(Rename::Publish, Place::Staged, Place::Published, At::LookPublished, "publishes");
    }

    pub(super) fn look_to_retire(&mut self) {
        let what = ["finds published, to retire", "finds not published, to retire"];
        self.look(Place::Published, Some(At::RetirePublished), Some(At::LookStagedToRetire), what);
    }

    pub(super) fn look_staged_to_retire(&mut self) {
        let what = ["finds staged, to retire", "finds not staged, to retire"];
        self.look(Place::Staged, Some(At::RetireStaged), Some(At::LookToRetireAgain), what);
    }

    pub(super) fn look_to_retire_again(&mut self) {
        let what = ["finds published by now, to retire", "finds nowhere, so retired"];
        self.look(Place::Published, Some(At::RetirePublished), None, what);
    }

    pub(super) fn retire(&mut self) {
        let (rename, from) = match self.process.at {
            At::RetireStaged => (Rename::RetireStaged, Place::Staged),
            _ => (Rename::RetirePublished, Place::Published),
        };
        self.rename(rename, from, Place::Retired, At::LookToRetire, "retires");
    }

    /// Renames a file without overwriting. Whatever but success the rename reports, the file is looked for anew.
    fn rename(&mut self, rename: Rename, from: Place, to: Place, look: At, what: &'static str) {
        let file = self.file();
        let again = Process { at: look, ..self.process };
        if !self.state.is_at(file, from) {
            let label = self.label("is too late to rename").entry(file);
            return self.go_to(label, *self.state, again, 0);
        }
        let mut state = *self.state;
        state.rename_file(file, from, to);
        self.file_done(self.label(what).entry(file), state);
        if let Some(state) = spend(state, |left| &mut left.lost_replies) {
            self.go_to(self.label("renames, and the reply is lost").entry(file), state, again, 0);
        }
        let hung = Hung { rename, entry: file, ..Hung::default() };
        if let Some(state) = hang(*self.state, hung) {
            self.go_to(self.label("stops to wait for a rename that hangs").entry(file), state, again, 0);
        }
    }

    /// Reads the files of a delta, wherever each is.
    pub(super) fn read_delta(&mut self) {
        let Process { fold, target, file: index, .. } = self.process;
        let facts = self.history().facts(fold);
        let position = facts.position.unwrap_or(-1);
        let mut delta: Vec<_> = facts.live.iter().copied().filter(|(_, added)| *added as i8 > position).collect();
        delta.sort_unstable_by_key(|(_, added)| *added);
        let Some((file, added)) = delta.get(usize::from(index)).copied() else {
            return self.advance(target);
        };
        let places = self.state.places(file);
        if places & (Place::Staged as u8 | Place::Published as u8) == 0 {
            let broken = self.is_in_truth(file, added);
            return if broken {
                self.stop("ends: a file of its delta is lost")
            } else {
                self.go(self.label("finds that a file of its delta is gone").entry(file), Process::rest)
            };
        }
        let mut state = *self.state;
        if self.is_in_truth(file, added) {
            state.consumed |= 1 << added;
        }
        let process = Process { file: index + 1, ..self.process };
        self.go_to(self.label("reads").entry(file), state, process, 0);
    }

    fn is_in_truth(&self, file: EntryId, added: u8) -> bool {
        self.history().node(self.state.truth).ledger.live.contains(&(file, added))
    }
}

pub(super) fn sequences(mask: u16) -> impl Iterator<Item = u8> + Clone {
    (0..16).filter(move |sequence| mask >> sequence & 1 == 1)
}
