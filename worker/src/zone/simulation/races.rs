//! Several writers on one RAW zone, with faults chosen by seed.

use std::time::Duration;

use super::actors::{PARTITIONS, raw_worker};
use super::checker::Checker;
use super::faults::FaultPlan;
use super::world::{Scheduler, World};
use super::{Violation, first_violation, for_seeds};
use crate::zone::rules::{Rule, Rules};

/// Who writes which partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Assignment {
    /// Each its own.
    Disjoint,
    /// All write partition 0, as zombies do.
    Overlapping,
}

fn race(seed: u64, assignment: Assignment, rules: Rules) -> Result<(), Violation> {
    let world = World::new();
    let mut scheduler = Scheduler::new(&world, seed);
    for writer in 0..3 {
        let plan = FaultPlan::random(seed * 31 + writer, 5);
        let plan = if seed.is_multiple_of(3) { plan.with_links() } else { plan };
        let (number, surroundings) = world.process(plan, rules);
        // Without patience each fault reaches the worker, which then has to decide what it left undecided.
        let surroundings =
            if seed.is_multiple_of(2) { surroundings.with_patience(Duration::ZERO) } else { surroundings };
        let own = 1 + i32::try_from(writer).expect("three writers") % (PARTITIONS - 1);
        let partitions = match assignment {
            Assignment::Disjoint => vec![own],
            Assignment::Overlapping => vec![0, own],
        };
        scheduler.spawn(number, raw_worker(surroundings, partitions, 3, seed + writer));
    }
    scheduler.run()?;
    world.land_all();
    let (number, surroundings) = world.process(FaultPlan::none(), Rules::all());
    scheduler.spawn(number, raw_worker(surroundings, vec![0], 1, seed));
    scheduler.run()?;
    Checker::new(&world).check_at_rest()
}

#[test]
fn writers_of_different_partitions_lose_and_repeat_nothing() {
    for_seeds(300, |seed| race(seed, Assignment::Disjoint, Rules::all()));
}

#[test]
fn writers_of_one_partition_lose_and_repeat_nothing() {
    for_seeds(300, |seed| race(seed, Assignment::Overlapping, Rules::all()));
}

/// Each is found by races alone, without a schedule made for it.
#[test]
fn a_broken_rule_is_found_by_races() {
    for rule in [Rule::CommitIdIsReadAgain, Rule::ValidBeforeEveryAttempt, Rule::NoDiscardWhileUndecided] {
        let found = first_violation(300, |seed| race(seed, Assignment::Overlapping, Rules::all_but(rule)));
        assert!(found.is_some(), "{rule:?} is broken and no race shows it");
    }
}

/// Schedule 8.
#[test]
fn schedule_08_eight_writers_fill_the_log_densely_and_nobody_starves() {
    const WRITERS: u64 = 8;
    const COMMITS: u32 = 200;
    let world = World::new();
    let mut scheduler = Scheduler::new(&world, 1).checked_at_rest_only();
    let mut plans = Vec::new();
    for writer in 0..WRITERS {
        let plan = FaultPlan::none();
        plans.push(plan.clone());
        let (number, surroundings) = world.process(plan, Rules::all());
        let partition = 10 + i32::try_from(writer).expect("eight writers");
        scheduler.spawn(number, raw_worker(surroundings, vec![partition], COMMITS, writer));
    }
    scheduler.run().expect("every writer ends");
    let mut checker = Checker::new(&world);
    checker.check_at_rest().expect("the zone is exact");
    assert_eq!(checker.head().expect("there is a log").0, WRITERS * u64::from(COMMITS));
    for plan in plans {
        let attempts = plan.slot_renames();
        // Each lost attempt is another's commit: eight in turn lose seven times each at worst.
        assert!(attempts <= WRITERS * u64::from(COMMITS), "{attempts} attempts for {COMMITS} commits");
    }
}
