//! One writer, a fault at every single operation, and recoverers that crash as well (schedules 10 and 11).

use std::time::Duration;

use chrono::TimeDelta;

use super::Violation;
use super::actors::{keeper, open_raw, raw_worker, stage};
use super::checker::Checker;
use super::faults::{Fault, FaultPlan};
use super::world::{Scheduler, World, alone};
use crate::zone::Surroundings;
use crate::zone::rules::Rules;

/// A worker that makes the zone and commits twice.
fn write(world: &World, plan: FaultPlan) -> Result<(), Violation> {
    let (number, surroundings) = world.process(plan, Rules::all());
    let mut scheduler = Scheduler::new(world, 0);
    scheduler.spawn(number, raw_worker(surroundings, vec![0, 1], 2, 7));
    scheduler.run()
}

/// A process that opens the zone, and with that publishes what was left, then commits once.
fn recover(world: &World, plan: FaultPlan) -> Result<(), Violation> {
    let (number, surroundings) = world.process(plan, Rules::all());
    let mut scheduler = Scheduler::new(world, 0);
    scheduler.spawn(number, raw_worker(surroundings, vec![1, 2], 1, 8));
    scheduler.run()
}

/// Recovers without faults, lands what hangs, opens once more, and looks whether all is as it must be.
fn settle(world: &World) -> Result<(), Violation> {
    recover(world, FaultPlan::none())?;
    world.land_all();
    // A rename may have landed in the midst of the recovery: the next opener publishes what it committed.
    let (number, surroundings) = world.process(FaultPlan::none(), Rules::all());
    let mut scheduler = Scheduler::new(world, 0);
    scheduler.spawn(number, async move { open_raw(&surroundings).await.map(drop) });
    scheduler.run()?;
    Checker::new(world).check_at_rest()
}

fn settled(world: &World, context: impl Fn() -> String) {
    if let Err(violation) = settle(world) {
        panic!("{}: {violation}", context());
    }
}

fn plan(operation: u64, fault: Fault, links: bool) -> FaultPlan {
    let plan = FaultPlan::at(operation, fault);
    if links { plan.with_links() } else { plan }
}

fn calm(links: bool) -> FaultPlan {
    if links { FaultPlan::none().with_links() } else { FaultPlan::none() }
}

/// A run without faults: how many operations there are to fail.
fn rehearse(links: bool) -> FaultPlan {
    let rehearsal = calm(links);
    let world = World::new();
    write(&world, rehearsal.clone()).expect("a run without faults ends");
    settled(&world, || "without faults".to_owned());
    rehearsal
}

#[test]
fn schedule_10_a_zone_is_exact_after_a_fault_at_any_operation() {
    for links in [false, true] {
        for operation in 1..=rehearse(links).operations() {
            for fault in [Fault::FailBefore, Fault::FailAfter, Fault::CrashBefore, Fault::CrashAfter] {
                let world = World::new();
                let context = || format!("{fault:?} at operation {operation}, links {links}");
                write(&world, plan(operation, fault, links)).unwrap_or_else(|error| panic!("{}: {error}", context()));
                settled(&world, context);
            }
        }
    }
}

#[test]
fn schedule_11_a_zone_is_exact_after_a_recoverer_crashed_at_any_change_of_any_crashed_run() {
    for links in [false, true] {
        for crash in rehearse(links).mutations() {
            let crashed = World::new();
            write(&crashed, plan(crash, Fault::CrashAfter, links)).unwrap_or_else(|error| panic!("{error}"));
            let rehearsal = calm(links);
            recover(&crashed.fork(), rehearsal.clone()).unwrap_or_else(|error| panic!("crash after {crash}: {error}"));
            for second in rehearsal.mutations() {
                let world = crashed.fork();
                let context = || format!("crash after {crash}, recoverer after {second}, links {links}");
                let recovery = plan(second, Fault::CrashAfter, links);
                recover(&world, recovery).unwrap_or_else(|error| panic!("{}: {error}", context()));
                settled(&world, context);
            }
        }
    }
}

#[test]
fn schedule_02_a_rename_that_lands_late_changes_nothing_that_was_decided() {
    for rename in rehearse(false).renames() {
        for later in 0..40 {
            for fault in [Fault::Hang(later), Fault::HangAndCrash(later)] {
                let world = World::new();
                let context = || format!("{fault:?} at operation {rename}");
                write(&world, plan(rename, fault, false)).unwrap_or_else(|error| panic!("{}: {error}", context()));
                settled(&world, context);
            }
        }
    }
}

#[test]
fn a_second_opener_of_a_fresh_place_takes_the_first_ones_zone() {
    for seed in 0..50 {
        let world = World::new();
        let mut scheduler = Scheduler::new(&world, seed);
        for _ in 0..3 {
            let (number, surroundings) = world.process(FaultPlan::none(), Rules::all());
            scheduler.spawn(number, async move { open_raw(&surroundings).await.map(drop) });
        }
        scheduler.run().unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        settled(&world, || format!("seed {seed}"));
    }
}

/// A world with a zone whose only writer has died with a staged file, two hours ago.
fn with_a_dead_writer() -> World {
    let world = World::new();
    let surroundings = world.calm();
    let died = alone(&world, usize::MAX, async move {
        let mut zone = open_raw(&surroundings).await?;
        stage(&mut zone, vec!["0:0".to_owned()]).await.map(drop)
    });
    assert!(matches!(died, Ok(Some(Ok(())))), "{died:?}");
    world.pass(TimeDelta::hours(2));
    world
}

/// A worker that commits, fences and sweeps the dead one, writes checkpoints and truncates.
fn keep_up(world: &World, plan: FaultPlan) -> Result<(), Violation> {
    let (number, surroundings) = world.process(plan, Rules::all());
    // Time flies here: patience would be at its end with the first pause.
    let surroundings = surroundings.with_patience(Duration::from_secs(10_000));
    let surroundings = Surroundings { checkpoint_every: 2, entries_kept: 0, ..surroundings };
    let mut scheduler = Scheduler::new(world, 0);
    scheduler.spawn(number, keeper(world.clone(), surroundings, vec![0], 2, 7));
    scheduler.run()
}

#[test]
fn schedule_10_a_zone_is_exact_after_a_fault_at_any_operation_of_its_upkeep() {
    let rehearsal = FaultPlan::none();
    keep_up(&with_a_dead_writer(), rehearsal.clone()).expect("a run without faults ends");
    for operation in 1..=rehearsal.operations() {
        for fault in [Fault::FailBefore, Fault::FailAfter, Fault::CrashBefore, Fault::CrashAfter] {
            let world = with_a_dead_writer();
            let context = || format!("{fault:?} at operation {operation}");
            keep_up(&world, FaultPlan::at(operation, fault)).unwrap_or_else(|error| panic!("{}: {error}", context()));
            settled(&world, context);
        }
    }
}

#[test]
fn schedule_11_a_zone_is_exact_after_upkeep_crashed_at_any_change_of_a_crashed_upkeep() {
    let rehearsal = FaultPlan::none();
    keep_up(&with_a_dead_writer(), rehearsal.clone()).expect("a run without faults ends");
    for (turn, crash) in rehearsal.mutations().into_iter().enumerate() {
        let crashed = with_a_dead_writer();
        keep_up(&crashed, FaultPlan::at(crash, Fault::CrashAfter)).unwrap_or_else(|error| panic!("{crash}: {error}"));
        let again = FaultPlan::none();
        keep_up(&crashed.fork(), again.clone()).unwrap_or_else(|error| panic!("crash after {crash}: {error}"));
        // Every fifth, another fifth each time: all pairs would take minutes.
        for second in again.mutations().into_iter().skip(turn % 5).step_by(5) {
            let world = crashed.fork();
            let context = || format!("crash after {crash}, upkeep after {second}");
            let plan = FaultPlan::at(second, Fault::CrashAfter);
            keep_up(&world, plan).unwrap_or_else(|error| panic!("{}: {error}", context()));
            settled(&world, context);
        }
    }
}
