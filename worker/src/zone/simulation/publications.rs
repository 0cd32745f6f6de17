//! Runs that rewrite files, and publication by several processes at once (schedule 12, without sweeps).

use super::actors::compaction;
use super::checker::Checker;
use super::faults::FaultPlan;
use super::world::{Scheduler, World};
use super::{Violation, first_violation, for_seeds};
use crate::zone::rules::{Rule, Rules};

/// Two compactions and two that come later to recover, all of which publish what they find.
fn rewrite(seed: u64, rules: Rules) -> Result<(), Violation> {
    let world = World::new();
    let mut scheduler = Scheduler::new(&world, seed);
    for process in 0..4 {
        let plan = FaultPlan::random(seed * 17 + process, 4);
        let plan = if seed.is_multiple_of(2) { plan.with_links() } else { plan };
        let (number, surroundings) = world.process(plan, rules);
        let runs = if process < 2 { 3 } else { 1 };
        scheduler.spawn(number, compaction(surroundings, runs, seed + process));
    }
    scheduler.run()?;
    world.land_all();
    let (number, surroundings) = world.process(FaultPlan::none(), rules);
    scheduler.spawn(number, compaction(surroundings, 1, seed));
    scheduler.run()?;
    Checker::new(&world).check_at_rest()
}

#[test]
fn schedule_12_a_listing_never_shows_a_row_of_a_rewritten_file_twice() {
    for_seeds(300, |seed| rewrite(seed, Rules::all()));
}

#[test]
fn publishing_new_files_before_old_ones_are_retired_shows_rows_twice() {
    let found = first_violation(400, |seed| rewrite(seed, Rules::all_but(Rule::RetiredBeforePublished)));
    assert!(found.expect("it is found").contains("is visible twice"));
}

#[test]
fn publishing_out_of_order_shows_old_rows_beside_new_ones() {
    let found = first_violation(400, |seed| rewrite(seed, Rules::all_but(Rule::PublishedInSequence)));
    assert!(found.expect("it is found").contains("I5"));
}

#[test]
fn a_leftover_of_link_and_unlink_stays_if_nobody_removes_it() {
    let found = first_violation(400, |seed| rewrite(seed, Rules::all_but(Rule::LeftoverIsRemoved)));
    assert!(found.expect("it is found").contains("still has its staged name"));
}
