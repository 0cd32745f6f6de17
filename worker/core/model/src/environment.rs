//! What happens without any process doing it: crashes, renames that land late, and a zone that is made anew.

use crate::entries::EntryId;
use crate::rules::Rule;
use crate::state::{At, File, INCARNATIONS, Place, Rename, SLOTS, State};
use crate::store;
use crate::world::{Label, Steps};

pub(crate) fn steps(state: &State, steps: &mut Steps<'_>) {
    crashes(state, steps);
    late_renames(state, steps);
    replacement(state, steps);
}

fn crashes(state: &State, steps: &mut Steps<'_>) {
    if state.left.crashes == 0 {
        return;
    }
    for (number, process) in state.processes.iter().enumerate() {
        if process.runs() && steps.world.case.roles[number].crashes {
            let mut next = *state;
            next.left.crashes -= 1;
            next.processes[number].end(At::Down);
            steps.add(Label::of(number, process.incarnation, "crashes"), next, 0);
        }
    }
}

fn late_renames(state: &State, steps: &mut Steps<'_>) {
    let history = &steps.world.history;
    for (index, hung) in state.hung.iter().enumerate() {
        let mut next = *state;
        next.end_hung(index);
        let is_here = hung.zone == state.zone || !history.holds(Rule::DirectoryPerZone);
        let (lands, what) = match hung.rename {
            Rename::None => continue,
            Rename::Create => (is_here, "a hung rename of a body lands at slot"),
            Rename::Publish => (state.is_at(hung.entry, Place::Staged), "a hung rename publishes"),
            Rename::RetirePublished => (state.is_at(hung.entry, Place::Published), "a hung rename retires"),
            Rename::RetireStaged => (state.is_at(hung.entry, Place::Staged), "a hung rename retires"),
            Rename::Checkpoint => (is_here, "a hung rename lands as checkpoint"),
        };
        let mut broken = 0;
        if lands {
            match hung.rename {
                Rename::None => {}
                Rename::Create => broken = store::create_slot(history, &mut next, hung.entry, hung.slot).broken,
                Rename::Publish => next.rename_file(hung.entry, Place::Staged, Place::Published),
                Rename::RetirePublished => next.rename_file(hung.entry, Place::Published, Place::Retired),
                Rename::RetireStaged => next.rename_file(hung.entry, Place::Staged, Place::Retired),
                Rename::Checkpoint => broken = store::add_checkpoint(history, &mut next, hung.log),
            }
        }
        let label = Label::of_nobody(what).entry(hung.entry).number(hung.slot);
        steps.add(label, next, broken);
    }
}

/// The directory is deleted and another zone is made in it. Processes know of nothing.
fn replacement(state: &State, steps: &mut Steps<'_>) {
    if state.left.replacements == 0 {
        return;
    }
    let world = steps.world;
    let mut next = *state;
    next.left.replacements -= 1;
    next.zone += 1;
    next.truth = world.history.begin(world.genesis(next.zone));
    next.slots = [EntryId::NONE; SLOTS];
    next.slots[0] = world.history.entry_at(next.truth, 0);
    next.checkpoints = Default::default();
    next.bodies = [EntryId::NONE; INCARNATIONS + 1];
    next.files = [File::default(); _];
    next.consumed = 0;
    steps.add(Label::of_nobody("the zone is deleted, and another is made in its place"), next, 0);
}
