//! Writers that sleep while others fence, sweep, write checkpoints and truncate (schedules 4, 6, 7, 9, 45), and the rules
//! that keep them harmless, broken one at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use std::time::Duration;

use chrono::TimeDelta;
use gristmill_core::log::{Data, FileZone, Sequence, layout};

use super::actors::{
    Range, commit, describe, keeper, maintain, open_raw, publish, raw_data, removal_of_all, settle, stage, try_append,
};
use super::checker::Checker;
use super::faults::FaultPlan;
use super::pauses::{Scene, at_every_step};
use super::world::{Scheduler, World, alone};
use super::{Violation, first_violation, for_seeds};
use crate::zone::rules::{Rule, Rules};
use crate::zone::{Appended, Surroundings, Zone, ZoneError, ZoneReader};

const FIRST: Range = Range { partition: 0, from: 0, to: 3 };

/// Runs something alone in the world, before the scene begins.
fn prepared<T: Send + 'static>(
    world: &World,
    process: impl Future<Output = Result<T, Violation>> + Send + 'static,
) -> Result<T, Violation> {
    alone(world, usize::MAX, process)?.ok_or("it died")?
}

/// Surroundings with a checkpoint every two entries, of which none is kept.
fn tight(world: &World, rules: Rules) -> Surroundings {
    Surroundings { checkpoint_every: 2, entries_kept: 0, ..world.process(FaultPlan::none(), rules).1 }
}

/// A zone that is open, with rows that are staged and not committed.
async fn loaded(surroundings: Surroundings, range: Range) -> Result<(Zone, Data), Violation> {
    let mut zone = open_raw(&surroundings).await?;
    let data = raw_data(&mut zone, vec![range]).await?;
    Ok((zone, data))
}

/// Commits some ranges of partition 0 with upkeep after each, so that checkpoints come and entries go.
async fn busy(surroundings: Surroundings, commits: u32) -> Result<(), Violation> {
    go_on(open_raw(&surroundings).await?, commits).await
}

async fn go_on(mut zone: Zone, commits: u32) -> Result<(), Violation> {
    for _ in 0..commits {
        let from = zone.fold().next(0);
        let data = raw_data(&mut zone, vec![Range { partition: 0, from, to: from + 2 }]).await?;
        commit(&mut zone, data).await?;
        maintain(&mut zone).await?;
    }
    Ok(())
}

/// What a worker does with what it holds: appends, publishes or discards; a zombie stops.
async fn finish(mut zone: Zone, data: Data) -> Result<(), Violation> {
    match try_append(&mut zone, data).await? {
        Some(Appended::Won(sequence)) => match zone.publish(sequence).await {
            Ok(()) | Err(ZoneError::Replaced { .. }) => Ok(()),
            Err(error) => Err(describe(&error)),
        },
        Some(lost) => {
            zone.discard_staged().await.map_err(|error| describe(&error))?;
            if lost.is_fenced() {
                zone.renew_incarnation().map_err(|error| describe(&error))?;
                let from = zone.fold().next(1);
                let data = raw_data(&mut zone, vec![Range { partition: 1, from, to: from + 2 }]).await?;
                commit(&mut zone, data).await?;
            }
            Ok(())
        }
        None => Ok(()),
    }
}

/// A zombie B and a reader C that stand at the first entry sleep while A goes on, writes checkpoints and truncates. B wakes
/// and appends; C wakes, folds and publishes what it finds.
fn zombies(rules: Rules) -> Result<usize, Violation> {
    at_every_step(|world| {
        let (b, held) = prepared(world, loaded(tight(world, rules), FIRST))?;
        let c = prepared(world, {
            let surroundings = tight(world, rules);
            async move { open_raw(&surroundings).await }
        })?;
        let a = busy(tight(world, Rules::all()), 6);
        let (mut c, settled) = (c, settle(world));
        Ok(Scene::new(finish(b, held), a).then(async move {
            match c.refresh().await {
                Ok(()) => c.publish_all().await.map_err(|error| describe(&error))?,
                Err(ZoneError::Replaced { .. }) => {}
                Err(error) => return Err(describe(&error)),
            }
            settled.await
        }))
    })
}

#[test]
fn schedule_04_a_zombie_that_takes_a_truncated_slot_again_publishes_nothing() {
    let steps = zombies(Rules::all()).expect("nothing that it does counts");
    assert!(steps > 10, "it was asleep at {steps} steps only");
}

#[test]
fn schedule_04_a_won_slot_that_nobody_confirms_publishes_what_no_entry_names() {
    let found = zombies(Rules::all_but(Rule::WonSlotIsConfirmed)).expect_err("it is found");
    assert!(found.contains("I5"), "{found}");
}

#[test]
fn schedule_04_a_fold_that_no_later_listing_has_verified_believes_a_slot_that_was_taken_again() {
    let found = zombies(Rules::all_but(Rule::FoldIsVerified)).expect_err("it is found");
    assert!(found.contains("I5") || found.contains("I4") || found.contains("corrupt"), "{found}");
}

/// A worker holds a closed staged file of partition 1. Two hours pass; another one commits, which moves the time of the
/// log, and looks for suspects. The worker wakes at each of its steps.
fn sweep(rules: Rules, outcomes: &Arc<[AtomicU32; 2]>) -> Result<usize, Violation> {
    at_every_step(|world| {
        let range = Range { partition: 1, from: 0, to: 3 };
        let sweeping = tight(world, rules);
        let sweeper = prepared(world, async move { open_raw(&sweeping).await })?;
        let (worker, held) = prepared(world, loaded(tight(world, rules), range))?;
        let (sleeping, clock, settled) = (world.clone(), world.clone(), settle(world));
        let outcomes = Arc::clone(outcomes);
        let incarnation = worker.incarnation();
        let meanwhile = async move {
            clock.pass(TimeDelta::hours(2));
            go_on(sweeper, 2).await
        };
        Ok(Scene::new(finish(worker, held), meanwhile).then(async move {
            let zone = open_raw(&sleeping.calm()).await?;
            let fenced_with_commit = zone.fold().last_commit(incarnation).is_some();
            outcomes[usize::from(fenced_with_commit)].fetch_add(1, Ordering::Relaxed);
            drop(zone);
            settled.await
        }))
    })
}

fn outcomes() -> Arc<[AtomicU32; 2]> {
    Arc::new([AtomicU32::new(0), AtomicU32::new(0)])
}

#[test]
fn schedule_06_a_sleeping_writer_is_swept_at_each_of_its_steps_and_loses_no_row() {
    sweep(Rules::all(), &outcomes()).expect("fenced or committed, never both");
}

#[test]
fn schedule_07_fence_and_commit_race_for_one_slot_with_both_outcomes() {
    let seen = outcomes();
    sweep(Rules::all(), &seen).expect("the zone is exact either way");
    let [lost, won] = [&seen[0], &seen[1]].map(|count| count.load(Ordering::Relaxed));
    assert!(lost > 0 && won > 0, "the commit has lost {lost} times and won {won} times");
}

#[test]
fn schedule_06_sweeping_by_age_deletes_what_is_committed_later() {
    let found = sweep(Rules::all_but(Rule::FencedBeforeSwept), &outcomes()).expect_err("it is found");
    assert!(found.contains("I4") || found.contains("has lost"), "{found}");
}

#[test]
fn schedule_06_a_fence_that_binds_nobody_corrupts_the_log() {
    let found = sweep(Rules::all_but(Rule::FencedAppendsNothing), &outcomes()).expect_err("it is found");
    assert!(found.contains("fenced"), "{found}");
}

#[test]
fn schedule_06_sweeping_before_publishing_deletes_committed_rows() {
    let found = sweep(Rules::all_but(Rule::PublishedBeforeSwept), &outcomes()).expect_err("it is found");
    assert!(found.contains("I4") || found.contains("has lost"), "{found}");
}

/// What a fenced writer puts into its staging after it was swept is swept again.
#[test]
fn schedule_06_a_swept_directory_that_fills_again_is_swept_again() {
    let world = World::new();
    let (mut worker, held) = prepared(&world, loaded(tight(&world, Rules::all()), FIRST)).expect("opened");
    drop(held);
    let incarnation = worker.incarnation();
    let (clock, sweeper) = (world.clone(), tight(&world, Rules::all()));
    let staging = World::url().join(&layout::staging(incarnation));
    prepared(&world, async move {
        let mut zone = open_raw(&sweeper).await?;
        for _ in 0..2 {
            clock.pass(TimeDelta::hours(2));
            let from = zone.fold().next(1);
            let data = raw_data(&mut zone, vec![Range { partition: 1, from, to: from + 1 }]).await?;
            commit(&mut zone, data).await?;
            let upkeep = zone.maintain().await.map_err(|error| describe(&error))?;
            assert!(upkeep.swept.contains(&incarnation), "{upkeep:?}");
            assert_eq!(clock.memory.files_below(&staging).len(), 0);
            // It has woken and stages on, not knowing yet.
            stage(&mut worker, vec!["0:9".to_owned()]).await?;
        }
        Ok(())
    })
    .expect("swept twice");
}

/// A committer that dies between its slot and its publication, and a checkpointer.
fn checkpointed(rules: Rules) -> Result<usize, Violation> {
    at_every_step(|world| {
        let checkpointing = tight(world, rules);
        let checkpointer = prepared(world, async move { open_raw(&checkpointing).await })?;
        let range = Range { partition: 1, from: 0, to: 3 };
        let (mut worker, held) = prepared(world, loaded(tight(world, rules), range))?;
        let dies = async move { try_append(&mut worker, held).await.map(drop) };
        Ok(Scene::new(dies, go_on(checkpointer, 5)).then(settle(world)))
    })
}

#[test]
fn a_checkpoint_covers_published_entries_only() {
    checkpointed(Rules::all()).expect("the zone is exact");
    let found = checkpointed(Rules::all_but(Rule::PublishedBeforeCheckpoint)).expect_err("it is found");
    assert!(found.contains("I5"), "{found}");
}

#[test]
fn truncation_without_a_checkpoint_is_found_by_the_next_reader() {
    let found = checkpointed(Rules::all_but(Rule::TruncatedBehindCheckpointOnly)).expect_err("it is found");
    assert!(found.contains("I1") || found.contains("corrupt"), "{found}");
}

/// Two checkpointers that truncate, and a reader that is slow at each of its steps.
#[test]
fn schedule_09_a_slow_reader_finds_a_whole_log_whenever_it_wakes() {
    at_every_step(|world| {
        prepared(world, busy(tight(world, Rules::all()), 3))?;
        let (reading, settled) = (world.calm(), settle(world));
        let reader = async move {
            let mut reader = ZoneReader::open(reading).await.map_err(|error| describe(&error))?;
            reader.refresh().await.map_err(|error| describe(&error))?;
            for live in reader.fold().live().values() {
                reader.read(&live.file).await.map_err(|error| describe(&error))?;
            }
            Ok(())
        };
        let (first, second) = (tight(world, Rules::all()), tight(world, Rules::all()));
        let checkpointers = async move { futures::try_join!(busy(first, 3), busy(second, 3)).map(drop) };
        Ok(Scene::new(reader, checkpointers).then(settled))
    })
    .expect("it reads a zone");
}

/// Everything at once: writers that sleep and wake, false suspicion, sweeps, checkpoints, truncation, faults.
fn upkeep_race(seed: u64, rules: Rules) -> Result<(), Violation> {
    let world = World::new();
    let mut scheduler = Scheduler::new(&world, seed).with_sleepers();
    for writer in 0..3 {
        let plan = FaultPlan::random(seed * 37 + writer, 4);
        let plan = if seed.is_multiple_of(3) { plan.with_links() } else { plan };
        let (number, surroundings) = world.process(plan, rules);
        let (checkpoint_every, entries_kept) = (2 + seed % 3, seed % 2);
        // Time flies here: patience would be at its end with the first pause.
        let surroundings = surroundings.with_patience(Duration::from_secs(10_000));
        let surroundings = Surroundings { checkpoint_every, entries_kept, ..surroundings };
        let own = 1 + i32::try_from(writer).expect("three writers");
        scheduler.spawn(number, keeper(world.clone(), surroundings, vec![0, own], 4, seed * 5 + writer));
    }
    scheduler.run()?;
    world.land_all();
    prepared(&world, settle(&world))
}

#[test]
fn schedule_09_writers_that_sleep_lose_and_repeat_nothing_while_others_sweep_and_truncate() {
    for_seeds(1100, |seed| upkeep_race(seed, Rules::all()));
}

/// Each is found by races alone, without a schedule made for it. A sweep without a fence is not among them: it loses rows
/// only between the close of a file and its append, which schedule 6 goes through step by step.
#[test]
fn a_broken_rule_of_upkeep_is_found_by_races() {
    for rule in [Rule::FencedAppendsNothing, Rule::TruncatedBehindCheckpointOnly] {
        let found = first_violation(400, |seed| upkeep_race(seed, Rules::all_but(rule)));
        assert!(found.is_some(), "{rule:?} is broken and no race shows it");
    }
}

#[test]
fn schedule_45_a_consumer_that_is_far_behind_gets_every_file_after_truncation() {
    let world = World::new();
    prepared(&world, busy(tight(&world, Rules::all()), 1)).expect("written");
    let reading = world.calm();
    let mut slow = prepared(&world, async move { ZoneReader::open(reading).await.map_err(|error| describe(&error)) })
        .expect("opened");
    prepared(&world, busy(tight(&world, Rules::all()), 20)).expect("written");
    let slots = World::url().join(&layout::slots(slow.fold().zone_id()));
    let left = world.memory.files_below(&slots).keys().filter(|path| path.ends_with(".json")).count();
    assert!(left < 5, "{left} entries are left");
    let delta = prepared(&world, async move {
        slow.refresh().await.map_err(|error| describe(&error))?;
        Ok(slow.fold().added_after(FileZone::Raw, 1).iter().map(|live| live.sequence).collect::<Vec<_>>())
    });
    assert_eq!(delta.expect("read"), (2..=21).map(Sequence).collect::<Vec<_>>());
    Checker::new(&world).check_at_rest().expect("the zone is exact");
}

#[test]
fn retired_files_go_after_the_grace_of_readers_and_not_before() {
    let world = World::new();
    prepared(&world, busy(tight(&world, Rules::all()), 1)).expect("written");
    let (clock, surroundings) = (world.clone(), tight(&world, Rules::all()));
    let retired = World::url().directory().join(layout::RETIRED);
    prepared(&world, async move {
        let mut zone = open_raw(&surroundings).await?;
        let removal = removal_of_all(&zone);
        let Appended::Won(sequence) = zone.remove(removal).await.map_err(|error| describe(&error))? else {
            return Err("nobody holds the files".to_owned());
        };
        publish(&mut zone, sequence).await?;
        for (minutes, left) in [(50, 1), (20, 0)] {
            clock.pass(TimeDelta::minutes(minutes));
            let from = zone.fold().next(1);
            let data = raw_data(&mut zone, vec![Range { partition: 1, from, to: from + 1 }]).await?;
            commit(&mut zone, data).await?;
            zone.looked_at = None;
            maintain(&mut zone).await?;
            let found = clock.memory.files_below(&retired).len();
            assert_eq!(usize::from(found > 0), left, "after {minutes} more minutes: {found} files");
        }
        Ok(())
    })
    .expect("deleted in time");
    Checker::new(&world).check_at_rest().expect("the zone is exact");
}
