//! Which invariants a state breaks, by the true log and the store alone.

use crate::entries::EntryId;
use crate::history::History;
use crate::invariant::Invariant;
use crate::ledger::{Ledger, Left};
use crate::state::{At, Place, State};

/// Those that hold in every state.
pub(crate) fn state(history: &History, state: &State) -> u32 {
    let ledger = &history.node(state.truth).ledger;
    let mut broken = 0;
    let mut check = |holds: bool, invariant: Invariant| broken |= if holds { 0 } else { invariant.bit() };
    for (file, _) in &ledger.live {
        let places = state.places(*file);
        check(places & (Place::Staged as u8 | Place::Published as u8) != 0, Invariant::I4);
        check(places & Place::Retired as u8 == 0, Invariant::I8);
    }
    for file in state.files.iter().filter(|file| file.entry.is_some() && file.places & Place::Published as u8 != 0) {
        if ledger.holds(file.entry) {
            continue;
        }
        let Some(left) = ledger.left.iter().find(|left| left.file == file.entry) else {
            check(false, Invariant::I5);
            continue;
        };
        check(!is_replaced_in_view(state, ledger, left), Invariant::I5);
        // Nobody looks below a checkpoint any more: what is visible there stays so.
        check(newest_checkpoint(history, state) < left.sequence, Invariant::I5);
    }
    for sequence in newest_checkpoint(history, state)..=ledger.head {
        // The slot of the checkpoint itself may be gone.
        let is_covered = sequence == newest_checkpoint(history, state) && sequence > 0;
        check(is_covered || state.slots[usize::from(sequence)].is_some(), Invariant::I1);
    }
    broken
}

/// Whether a file that holds the rows of one that left is listed beside it.
fn is_replaced_in_view(state: &State, ledger: &Ledger, left: &Left) -> bool {
    let mut by = left.replaced_by;
    while by.is_some() {
        if state.is_at(by, Place::Published) {
            return true;
        }
        by = ledger.left.iter().find(|left| left.file == by).map_or(EntryId::NONE, |left| left.replaced_by);
    }
    false
}

pub(crate) fn newest_checkpoint(history: &History, state: &State) -> u8 {
    state.checkpoints.iter().filter(|log| log.is_some()).map(|log| history.facts(*log).head).max().unwrap_or(0)
}

/// What must hold where nothing more can happen.
pub(crate) fn rest(history: &History, state: &State) -> u32 {
    let stuck = state.processes.iter().any(|process| process.runs() && process.at != At::Idle);
    let mut awake = state.processes.iter().filter(|process| process.runs() && process.fold == state.truth);
    let is_awake = awake.next().is_some();
    let ledger = &history.node(state.truth).ledger;
    let is_shown = |file: EntryId| state.is_at(file, Place::Published);
    let equal =
        ledger.live.iter().all(|(file, _)| is_shown(*file)) && !ledger.left.iter().any(|left| is_shown(left.file));
    if stuck || is_awake && !equal { Invariant::Rest.bit() } else { 0 }
}
