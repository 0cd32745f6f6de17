//! What a process does next, wherever it stands: the order of operations is that of the worker's zone.

mod activities;
mod append;
mod publish;
mod refresh;
mod upkeep;

use crate::entries::{Description, EntryId, Saying};
use crate::history::{Facts, FoldId, History};
use crate::rules::Rule;
use crate::state::{At, Process, State};
use crate::store;
use crate::world::{Label, Steps};

/// One process that is about to do one operation.
struct Turn<'a, 'b> {
    state: &'a State,
    number: usize,
    process: Process,
    steps: &'a mut Steps<'b>,
}

/// Adds every step of a process.
pub(crate) fn steps(state: &State, number: usize, steps: &mut Steps<'_>) {
    let process = state.processes[number];
    Turn { state, number, process, steps }.act();
}

impl Turn<'_, '_> {
    /// Adds every step from where the program stands.
    fn act(&mut self) {
        let turn = self;
        match turn.process.at {
            At::Down | At::Stopped => turn.start(),
            At::Idle => turn.choose(),
            At::Prepare => turn.prepare(),
            At::Probe => turn.probe(),
            At::List => turn.list(),
            At::ListRefused => turn.list_refused(),
            At::Create => turn.create(),
            At::ReadSlot => turn.read_slot(),
            At::LookBody => turn.look_body(),
            At::ReadSlotAgain => turn.read_slot_again(),
            At::ConfirmRepeat => turn.confirm_zone(At::Create),
            At::ConfirmZone => turn.confirm_own_slot(),
            At::ConfirmSlot => turn.confirm_slot(),
            At::ConfirmThere => turn.confirm_there(),
            At::AskZone => turn.confirm_zone(At::Restart),
            At::Restart => turn.restart_from_newest(),
            At::Discard => turn.discard(),
            At::LookPublished => turn.look_published(),
            At::LookStaged => turn.look_staged(),
            At::RenamePublish => turn.rename_publish(),
            At::LookPublishedAgain => turn.look_published_again(),
            At::LookToRetire => turn.look_to_retire(),
            At::LookStagedToRetire => turn.look_staged_to_retire(),
            At::LookToRetireAgain => turn.look_to_retire_again(),
            At::RetirePublished | At::RetireStaged => turn.retire(),
            At::DeleteStaging => turn.delete_staging(),
            At::ConfirmCheckpoint => turn.confirm_zone(At::WriteCheckpoint),
            At::WriteCheckpoint => turn.write_checkpoint(),
            At::Truncate => turn.truncate(),
            At::ReadDelta => turn.read_delta(),
        }
    }

    /// Goes on with the next operation in the same step, the one before being a read that finds the same in every schedule.
    fn at_once(&mut self, at: At) {
        self.process.at = at;
        self.act();
    }

    fn history(&self) -> &History {
        &self.steps.world.history
    }

    fn holds(&self, rule: Rule) -> bool {
        self.history().holds(rule)
    }

    fn facts(&self) -> &Facts {
        self.history().facts(self.process.fold)
    }

    fn head(&self) -> u8 {
        self.facts().head
    }

    /// Whether the place still holds the zone that this process has opened. It does not know.
    fn is_here(&self) -> bool {
        self.facts().zone == self.state.zone || !self.holds(Rule::DirectoryPerZone)
    }

    /// The entry of a slot, as this process would read it.
    fn slot(&self, sequence: u8) -> EntryId {
        if self.is_here() { self.state.slots[usize::from(sequence)] } else { EntryId::NONE }
    }

    /// The greatest checkpoint, as this process would list it.
    fn greatest_checkpoint(&self) -> Option<FoldId> {
        store::greatest_checkpoint(self.state).filter(|_| self.is_here())
    }

    fn label(&self, what: &'static str) -> Label {
        Label::of(self.number, self.process.incarnation, what)
    }

    /// Adds a step that changes this process only.
    fn go(&mut self, label: Label, change: impl FnOnce(&mut Process)) {
        let mut process = self.process;
        change(&mut process);
        self.go_to(label, *self.state, process, 0);
    }

    /// Adds a step that changes the store too.
    fn go_to(&mut self, label: Label, mut state: State, process: Process, broken: u32) {
        state.processes[self.number] = process;
        self.steps.add(label, state, broken);
    }

    fn entry(&self, number: u8, saying: Saying) -> EntryId {
        let Self { process, .. } = self;
        self.history().entries.id(Description { zone: self.facts().zone, author: process.incarnation, number, saying })
    }

    fn saying(&self, entry: EntryId) -> &Saying {
        &self.history().entries.describe(entry).saying
    }
}
