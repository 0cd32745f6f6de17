//! Bringing a fold up to date: probe until a slot is empty, then list the checkpoints (rules 5 and 20).

use gristmill_core::log::{Sequence, is_overtaken};

use crate::history::FoldId;
use crate::invariant::Invariant;
use crate::rules::Rule;
use crate::state::{At, Because, Process, SLOTS};
use crate::world::Label;

use super::Turn;

impl Turn<'_, '_> {
    /// Reads the slot after head.
    pub(super) fn probe(&mut self) {
        let slot = self.head() + 1;
        if usize::from(slot) >= SLOTS {
            // The case ends here: no process goes further.
            return;
        }
        let entry = self.slot(slot);
        if entry.is_some() {
            let label = self.label("reads and folds slot").number(slot).entry(entry);
            return self.fold_in(label, entry);
        }
        let label = self.label("finds no slot").number(slot);
        if !self.holds(Rule::FoldIsVerified) {
            self.up_to_date(label, self.process);
        } else if self.steps.world.case.budget.checkpoints == 0 {
            self.at_once(At::List);
        } else {
            self.go(label, |process| process.at = At::List);
        }
    }

    /// Takes an entry into the fold, or finds that it may not follow.
    pub(super) fn fold_in(&mut self, label: Label, entry: crate::entries::EntryId) {
        let longer = self.history().apply(self.process.fold, entry);
        if !longer.is_some() {
            return self.go(label, |process| process.at = At::ListRefused);
        }
        let head = self.history().facts(longer).head;
        let visible = self.history().facts(longer).visible & 1 << head;
        self.go(label, |process| {
            process.fold = longer;
            process.unpublished |= visible;
            process.at = At::Probe;
        });
    }

    /// Lists the checkpoints, all slots being read.
    pub(super) fn list(&mut self) {
        match self.greater_checkpoint() {
            Some(checkpoint) => self.restart(checkpoint),
            None => {
                let label = self.label("lists no greater checkpoint at head").number(self.head());
                let verified = Process { verified: self.head(), ..self.process };
                self.up_to_date(label, verified);
            }
        }
    }

    /// Lists the checkpoints, a slot holding what the fold refuses: a re-created name, or a corrupt log.
    pub(super) fn list_refused(&mut self) {
        match self.greater_checkpoint() {
            Some(checkpoint) => self.restart(checkpoint),
            None => self.stop("ends: the log is corrupt"),
        }
    }

    fn greater_checkpoint(&self) -> Option<FoldId> {
        let sequence = |head: u8| Some(Sequence(u64::from(head)));
        let newest = self.greatest_checkpoint()?;
        let head = self.history().facts(newest).head;
        is_overtaken(sequence(self.process.verified), sequence(head)).then_some(newest)
    }

    fn restart(&mut self, checkpoint: FoldId) {
        let head = self.history().facts(checkpoint).head;
        let label = self.label("begins again from checkpoint").number(head);
        self.go(label, |process| {
            process.fold = checkpoint;
            process.verified = head;
            process.unpublished = 0;
            process.at = At::Probe;
        });
    }

    /// Begins again from the newest checkpoint, or from genesis, to ask it for its entry.
    pub(super) fn restart_from_newest(&mut self) {
        let genesis = self.history().at(self.process.fold, 0);
        let newest = self.greatest_checkpoint().unwrap_or(genesis);
        self.process.because = Because::Ask;
        self.restart(newest);
    }

    /// Goes on with what the fold was read for.
    pub(super) fn up_to_date(&mut self, label: Label, mut process: Process) {
        process.because = Because::Nothing;
        match self.process.because {
            Because::Nothing => unreachable!("a fold is read for something"),
            Because::Refresh => {
                process.rest();
                self.go(label, |next| *next = process);
            }
            Because::Open => self.publish_all(label, *self.state, process, 0),
            Because::Append => self.decide(label, process),
            Because::Ask => self.answered(label, process),
            Because::Missing => self.judge_missing(label, process),
            Because::Delta => self.take_delta(label, process),
            Because::Advance => self.append_advance(label, process),
        }
    }

    /// Ends with an error: a false alarm, unless the zone is no longer the one that this process has opened.
    pub(super) fn stop(&mut self, what: &'static str) {
        let is_replaced = self.facts().zone != self.state.zone;
        let broken = if is_replaced { 0 } else { Invariant::NoFalseAlarm.bit() };
        let mut process = self.process;
        process.end(At::Stopped);
        self.go_to(self.label(what), *self.state, process, broken);
    }
}
