//! Appending an entry (rules 5 to 7), and what follows from its outcome.

use gristmill_core::log::{AfterAttempt, AfterWin, Sequence, after_attempt, after_win};

use crate::entries::{EntryId, Saying};
use crate::history::{Before, FoldId};
use crate::invariant::Invariant;
use crate::rules::Rule;
use crate::state::{At, Because, Hung, Place, Process, Rename, Report, State};
use crate::store;
use crate::world::{Label, incarnation};

use super::Turn;

impl Turn<'_, '_> {
    /// Writes the body.
    pub(super) fn prepare(&mut self) {
        let label = self.label("prepares").entry(self.process.ours);
        let mut state = *self.state;
        state.bodies[usize::from(self.process.incarnation)] = self.process.ours;
        let process = Process { at: At::Probe, because: Because::Append, ..self.process };
        self.go_to(label, state, process, 0);
        self.queue_another();
        self.revoke_before();
    }

    /// The fold is up to date: may the entry follow?
    pub(super) fn decide(&mut self, label: Label, mut process: Process) {
        let knows_itself = self.holds(Rule::CommitIdIsReadAgain) || !process.defeated;
        process.at = match self.history().before(process.fold, process.ours) {
            Before::AlreadyThere if knows_itself => At::ConfirmThere,
            Before::AlreadyThere => At::Discard,
            Before::Lost if process.defeated || self.holds(Rule::ValidBeforeEveryAttempt) => At::Discard,
            Before::Lost | Before::Take => At::Create,
        };
        self.go(label, |next| *next = process);
    }

    /// Renames the body to the slot after head.
    pub(super) fn create(&mut self) {
        let Process { ours, incarnation, .. } = self.process;
        let slot = self.head() + 1;
        let body_is_there = self.is_here() && self.state.bodies[usize::from(incarnation)] == ours;
        let mut state = *self.state;
        let before = self.process;
        let done = |report| Process { at: At::ReadSlot, report, ..before };
        if !body_is_there {
            let label = self.label("finds neither body nor directory for slot").number(slot);
            return self.go_to(label, state, done(Report::NotFound), 0);
        }
        let created = store::create_slot(self.history(), &mut state, ours, slot);
        if !created.done {
            let label = self.label("finds taken slot").number(slot);
            self.go_to(label, state, done(Report::AlreadyExists), 0);
        } else {
            let label = self.label("takes slot").number(slot).entry(ours);
            self.go_to(label, state, done(Report::Done), created.broken);
            if let Some(state) = spend(state, |left| &mut left.lost_replies) {
                let label = self.label("takes slot (the reply is lost)").number(slot).entry(ours);
                self.go_to(label, state, done(Report::Unknown), created.broken);
            }
        }
        let hung = Hung { rename: Rename::Create, entry: ours, slot, zone: self.facts().zone, log: FoldId::NONE };
        if let Some(state) = hang(*self.state, hung) {
            let label = self.label("stops to wait for a create that hangs, of slot").number(slot);
            self.go_to(label, state, done(Report::Unknown), 0);
        }
    }

    /// Reads the slot that it tried to take, whatever the attempt reported.
    pub(super) fn read_slot(&mut self) {
        let slot = self.head() + 1;
        let found = self.slot(slot);
        if !self.found_in_slot(found) {
            let at = match self.process.report {
                Report::Unknown => At::Create,
                Report::Nothing | Report::Done | Report::AlreadyExists | Report::NotFound => At::LookBody,
            };
            let label = self.label("reads slot: nobody has taken").number(slot);
            self.go(label, |process| (process.at, process.report) = (at, Report::Nothing));
        }
        self.discard_undecided();
    }

    /// Decides by what a slot holds; false if that is nothing.
    fn found_in_slot(&mut self, found: EntryId) -> bool {
        let slot = self.head() + 1;
        let entries = &self.history().entries;
        let commit = entries.entry(self.process.ours).commit_id;
        let found_entry = found.is_some().then(|| entries.entry(found));
        let is_certain = self.process.report == Report::Done || self.holds(Rule::CommitIdIsReadAgain);
        let decided = match after_attempt(commit, found_entry) {
            AfterAttempt::CheckStillOurZone if !is_certain => AfterAttempt::FoldThenDecideAgain,
            decided => decided,
        };
        let (what, at, is_defeat) = match decided {
            AfterAttempt::RepeatSameSlot => return false,
            AfterAttempt::CheckStillOurZone => ("finds its own entry in slot", At::ConfirmZone, false),
            AfterAttempt::FoldThenDecideAgain => ("finds another's entry in slot", At::Probe, true),
        };
        let label = self.label(what).number(slot).entry(found);
        self.go(label, |process| {
            process.at = at;
            process.because = if is_defeat { Because::Append } else { Because::Nothing };
            process.defeated |= is_defeat;
            process.report = Report::Nothing;
        });
        true
    }

    /// "Not found" is said of a missing body and of a missing directory alike; the body decides.
    pub(super) fn look_body(&mut self) {
        let is_there = self.state.bodies[usize::from(self.process.incarnation)] == self.process.ours;
        let (what, at) = if is_there {
            ("finds its body where it was", At::ConfirmRepeat)
        } else {
            ("finds its body gone", At::ReadSlotAgain)
        };
        self.go(self.label(what), |process| process.at = at);
    }

    /// A rename that hung may have landed between the look at the slot and the look at the body.
    pub(super) fn read_slot_again(&mut self) {
        let slot = self.head() + 1;
        let found = self.slot(slot);
        if !self.found_in_slot(found) {
            let label = self.label("finds still nobody's slot").number(slot);
            self.go(label, |process| process.at = At::AskZone);
        }
    }

    /// Whether the place is still our zone's: only then it goes on.
    pub(super) fn confirm_zone(&mut self, then: At) {
        if self.steps.world.case.budget.replacements == 0 {
            self.at_once(then);
        } else if self.zone_is_ours() {
            self.go(self.label("reads zone.json: its zone"), |process| process.at = then);
        } else {
            self.stop_replaced();
        }
    }

    /// Whether a slot that it has won counts (rule 7): first the zone, then the checkpoints.
    pub(super) fn confirm_own_slot(&mut self) {
        if self.holds(Rule::WonOnlyAboveCheckpoint) {
            self.confirm_zone(At::ConfirmSlot);
        } else if self.zone_is_ours() {
            self.take_own();
        } else {
            self.stop_replaced();
        }
    }

    pub(super) fn confirm_slot(&mut self) {
        let won = Sequence(u64::from(self.head() + 1));
        let newest = self.greatest_checkpoint().map(|log| Sequence(u64::from(self.history().facts(log).head)));
        match after_win(won, true, newest) {
            AfterWin::Won => self.take_own(),
            AfterWin::AskCheckpoint(_) => {
                let label = self.label("lists a checkpoint that covers slot").number(self.head() + 1);
                self.go(label, |process| process.at = At::AskZone);
            }
            AfterWin::Replaced => self.stop_replaced(),
        }
    }

    /// Folds its own entry, which stands.
    fn take_own(&mut self) {
        let longer = self.history().apply(self.process.fold, self.process.ours);
        if !longer.is_some() {
            return self.stop("ends: its own entry may not follow");
        }
        let facts = self.history().facts(longer);
        let process = Process {
            fold: longer,
            verified: facts.head,
            unpublished: self.process.unpublished | facts.visible & 1 << facts.head,
            ..self.process
        };
        self.won(self.label("has won"), process);
    }

    pub(super) fn confirm_there(&mut self) {
        if self.zone_is_ours() {
            self.won(self.label("reads zone.json: its zone, and its entry is in the fold: has won"), self.process);
        } else {
            self.stop_replaced();
        }
    }

    /// The newest checkpoint and what comes after it are read: do they hold its entry?
    pub(super) fn answered(&mut self, label: Label, process: Process) {
        let ours = self.history().entries.entry(process.ours);
        let last = self.history().node(process.fold).fold.last_commit(ours.incarnation);
        if last.is_some_and(|(_, commit)| commit == ours.commit_id) {
            self.won(label, process);
        } else {
            self.stop_replaced();
        }
    }

    fn zone_is_ours(&self) -> bool {
        self.facts().zone == self.state.zone || !self.holds(Rule::DirectoryPerZone)
    }

    fn won(&mut self, label: Label, process: Process) {
        let ours = process.ours;
        let is_replaced = self.facts().zone != self.state.zone;
        let stands = is_replaced || self.history().contains(self.state.truth, ours);
        let broken = if stands { 0 } else { Invariant::Verdict.bit() };
        let label = label.entry(ours);
        let author = self.history().entries.entry(ours).incarnation;
        let last = self.history().node(process.fold).fold.last_commit(author);
        let sequence = last.map_or(0, |(sequence, _)| sequence.0 as u8);
        match *self.saying(ours) {
            Saying::Fence { incarnation } => self.sweep(label, process, incarnation, broken),
            _ => self.publish(label, process, sequence, broken),
        }
    }

    fn stop_replaced(&mut self) {
        let stands = self.history().contains(self.state.truth, self.process.ours);
        let is_replaced = self.facts().zone != self.state.zone;
        // A writer that slept until its name was below a checkpoint has nothing in the log, and must stop too.
        let broken = if is_replaced || !stands { 0 } else { Invariant::NoFalseAlarm.bit() };
        let mut process = self.process;
        process.end(At::Stopped);
        self.go_to(self.label("ends: the zone was replaced"), *self.state, process, broken);
    }

    /// Drops what the lost entry was for. An incarnation that was put out deletes nothing, and goes on as another.
    pub(super) fn discard(&mut self) {
        let Process { ours, queued, incarnation: own, .. } = self.process;
        let is_ours_in_log = self.history().contains(self.state.truth, ours);
        let broken = if is_ours_in_log { Invariant::Verdict.bit() } else { 0 };
        let mut state = *self.state;
        let mut process = self.process;
        let label = if self.facts().fenced >> own & 1 == 1 {
            process.starts += 1;
            process.incarnation = incarnation(self.number, process.starts);
            self.label("is fenced: goes on as another incarnation")
        } else {
            state.bodies[usize::from(own)] = EntryId::NONE;
            for lost in [ours, queued] {
                state.put(lost, state.places(lost) & !(Place::Staged as u8));
            }
            self.label("has lost: drops").entry(ours)
        };
        let fenced = match *self.saying(ours) {
            Saying::Fence { incarnation } if self.facts().fenced >> incarnation & 1 == 1 => Some(incarnation),
            _ => None,
        };
        process.rest();
        match fenced {
            // Another sweeper was faster with the fence; both sweep.
            Some(incarnation) if process.incarnation == own => {
                self.go_to_sweep(label, state, process, incarnation, broken);
            }
            Some(_) | None => self.go_to(label, state, process, broken),
        }
    }

    /// Partitions are revoked before the append has begun.
    fn revoke_before(&mut self) {
        if !self.saying(self.process.ours).adds_a_file() {
            return;
        }
        if let Some(state) = spend(*self.state, |left| &mut left.revocations) {
            let label = self.label("has its partitions revoked before it appends");
            let process = Process { at: At::Discard, ..self.process };
            self.go_to(label, state, process, 0);
        }
    }

    /// Partitions are revoked while the append is undecided: only the broken rule lets it drop anything.
    fn discard_undecided(&mut self) {
        if self.holds(Rule::NoDiscardWhileUndecided) || !self.saying(self.process.ours).adds_a_file() {
            return;
        }
        if let Some(mut state) = spend(*self.state, |left| &mut left.revocations) {
            let ours = self.process.ours;
            state.put(ours, state.places(ours) & !(Place::Staged as u8));
            let mut process = self.process;
            process.rest();
            let label = self.label("has its partitions revoked: drops").entry(ours);
            self.go_to(label, state, process, 0);
        }
    }
}

/// The state with one less of something, if there is any left.
pub(super) fn spend(mut state: State, of: impl Fn(&mut crate::state::Budget) -> &mut u8) -> Option<State> {
    let left = of(&mut state.left);
    *left = left.checked_sub(1)?;
    Some(state)
}

/// The state with a rename that may land late.
pub(super) fn hang(state: State, hung: Hung) -> Option<State> {
    let mut state = spend(state, |left| &mut left.late)?;
    state.hang(hung).then_some(state)
}
