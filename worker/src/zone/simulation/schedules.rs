//! Schedules of the protocol, one by one; the number is that of its list.

use std::time::Duration;

use bytes::Bytes;
use gristmill_core::log::{Data, FileEntry, layout};

use super::Violation;
use super::actors::{Range, append, describe, open_once, open_raw, publish, raw_data, raw_expected, stage};
use super::checker::Checker;
use super::faults::{Fault, FaultPlan};
use super::world::{World, alone};
use crate::store::StorePath;
use crate::zone::rules::{Rule, Rules};
use crate::zone::{Appended, Surroundings, Zone, ZoneError};

const FIRST: Range = Range { partition: 0, from: 0, to: 3 };

/// Runs one process whose store fails as planned.
fn run<T: Send + 'static, F: Future<Output = Result<T, Violation>> + Send + 'static>(
    world: &World,
    plan: FaultPlan,
    rules: Rules,
    process: impl FnOnce(Surroundings) -> F,
) -> Result<T, Violation> {
    let (number, surroundings) = world.process(plan, rules);
    alone(world, number, process(surroundings))?.ok_or("the process died")?
}

async fn commit_first(surroundings: Surroundings) -> Result<Appended, Violation> {
    let mut zone = open_raw(&surroundings).await?;
    let data = raw_data(&mut zone, vec![FIRST]).await?;
    let appended = append(&mut zone, data).await?.ok_or("it was given up")?;
    match appended {
        Appended::Won(sequence) => publish(&mut zone, sequence).await?,
        Appended::Lost(_) => zone.discard_staged().await.map_err(|error| describe(&error))?,
    }
    Ok(appended)
}

fn at_rest(world: &World) -> Result<(), Violation> {
    run(world, FaultPlan::none(), Rules::all(), |surroundings| async move { open_raw(&surroundings).await.map(drop) })?;
    Checker::new(world).check_at_rest()
}

/// The name of slot 1 in a path.
const SLOT_1: &str = "00000000000000000001.json";

/// The run of schedules 1 and 2: slot 1 meets a fault.
fn commit_with(fault: Fault, rules: Rules) -> Result<(), Violation> {
    let world = World::new();
    let appended = run(&world, FaultPlan::at_path(SLOT_1, fault), rules, commit_first)?;
    world.land_all();
    at_rest(&world)?;
    let head = Checker::new(&world).head()?;
    match appended {
        Appended::Won(sequence) if sequence == head && head.0 == 1 => Ok(()),
        other => Err(format!("{other:?} at head {head}")),
    }
}

/// Schedule 1.
#[test]
fn schedule_01_a_commit_whose_reply_was_lost_is_committed_once() {
    commit_with(Fault::FailAfter, Rules::all()).expect("committed once, its files intact");
}

#[test]
fn a_writer_that_does_not_read_its_commit_id_again_deletes_what_it_committed() {
    let violation = commit_with(Fault::FailAfter, Rules::all_but(Rule::CommitIdIsReadAgain)).expect_err("it is found");
    assert!(violation.contains("I4"), "{violation}");
}

/// Schedule 2.
#[test]
fn schedule_02_a_create_that_lands_after_its_deadline_is_decided_once() {
    for later in 0..12 {
        commit_with(Fault::Hang(later), Rules::all()).unwrap_or_else(|violation| panic!("{later}: {violation}"));
    }
}

#[test]
fn discarding_while_undecided_deletes_what_lands_later() {
    let world = World::new();
    let plan = FaultPlan::at_path(SLOT_1, Fault::Hang(10));
    let rules = Rules::all_but(Rule::NoDiscardWhileUndecided);
    let given_up = run(&world, plan, rules, |surroundings| commit_first(surroundings.with_patience(Duration::ZERO)));
    assert_eq!(given_up, Err("it was given up".to_owned()));
    world.land_all();
    let violation = at_rest(&world).expect_err("the log has what the writer gave up");
    assert!(violation.contains("I4"), "{violation}");
}

/// Schedule 3: a zombie's head is moved on by its background reader, so its first attempt meets an empty slot.
fn zombie(rules: Rules) -> Result<(), Violation> {
    let world = World::new();
    let (_, successor) = world.process(FaultPlan::none(), Rules::all());
    run(&world, FaultPlan::none(), rules, |surroundings| async move {
        let mut zombie = open_raw(&surroundings).await?;
        let held = raw_data(&mut zombie, vec![FIRST]).await?;
        let committed = commit_first(successor).await?;
        assert!(matches!(committed, Appended::Won(_)), "the successor comes first");
        zombie.refresh().await.map_err(|error| describe(&error))?;
        match append(&mut zombie, held).await? {
            Some(Appended::Lost(_)) => Ok(()),
            other => Err(format!("the zombie's append ended as {other:?}")),
        }
    })?;
    at_rest(&world)
}

/// Schedule 3.
#[test]
fn schedule_03_a_zombie_whose_head_is_current_is_refused_before_its_first_attempt() {
    zombie(Rules::all()).expect("the zombie loses");
}

#[test]
fn an_append_that_is_not_validated_first_corrupts_the_log() {
    let violation = zombie(Rules::all_but(Rule::ValidBeforeEveryAttempt)).expect_err("it is found");
    assert!(violation.contains("I1") || violation.contains("corrupt"), "{violation}");
}

/// Schedule 5: the directory is removed and another zone is made in it under a running worker.
fn replaced_zone(rules: Rules) -> Result<Appended, Violation> {
    let world = World::new();
    let (removing, successor) = (world.clone(), world.calm());
    run(&world, FaultPlan::none(), rules, |surroundings| async move {
        let mut old = open_raw(&surroundings).await?;
        removing.remove_zone();
        open_raw(&successor).await?;
        let data = raw_data(&mut old, vec![FIRST]).await?;
        append(&mut old, data).await?.ok_or_else(|| "it was given up".to_owned())
    })
}

/// Schedule 5.
#[test]
fn schedule_05_a_writer_of_a_zone_that_was_replaced_stops() {
    let violation = replaced_zone(Rules::all()).expect_err("it stops");
    assert!(violation.contains("was replaced"), "{violation}");
}

#[test]
fn without_a_look_at_the_zone_file_a_writer_of_a_replaced_zone_believes_to_have_won() {
    let appended = replaced_zone(Rules::all_but(Rule::ZoneIsStillOurs)).expect("it believes");
    assert!(matches!(appended, Appended::Won(_)));
}

/// Commits a range and publishes it after something was done to its files.
async fn commit_then(
    surroundings: Surroundings,
    meddle: impl FnOnce(&FileEntry) + Send,
) -> Result<Result<(), ZoneError>, Violation> {
    let mut zone = open_raw(&surroundings).await?;
    let data = raw_data(&mut zone, vec![FIRST]).await?;
    let Data::Raw(raw) = &data else { return Err("RAW data was staged".to_owned()) };
    let file = raw.added[0].clone();
    match append(&mut zone, data).await? {
        Some(Appended::Won(sequence)) => {
            meddle(&file);
            Ok(zone.publish(sequence).await)
        }
        other => Err(format!("{other:?}")),
    }
}

/// Schedule 13.
#[test]
fn schedule_13_publication_makes_a_directory_again_that_was_removed_under_it() {
    let world = World::new();
    let plan = FaultPlan::none();
    plan.remove_before_rename(World::url().directory().join("ingest_date=2026-11-23/ingest_hour=05"));
    let committed = run(&world, plan.clone(), Rules::all(), commit_first).expect("published in the end");
    assert!(matches!(committed, Appended::Won(_)));
    at_rest(&world).expect("the zone is exact");
    assert!(plan.has_removed(), "the directory was there to be removed");
}

fn truncated_file(rules: Rules) -> Result<(), Violation> {
    let world = World::new();
    let meddler = world.clone();
    let published = run(&world, FaultPlan::none(), rules, |surroundings| {
        commit_then(surroundings, move |file| {
            meddler.meddle(&World::url().join(&file.staged), b"0:0\n");
        })
    })?;
    let lost = matches!(published, Err(ZoneError::LostFile { .. }));
    let visible = world.memory.files_below(World::url().directory()).keys().any(|path| path.ends_with(".parquet"));
    if lost && !visible { Ok(()) } else { Err(format!("lost {lost}, visible {visible}")) }
}

/// Schedule 14.
#[test]
fn schedule_14_a_file_of_another_length_is_lost_and_not_published() {
    truncated_file(Rules::all()).expect("LostFile");
    assert!(truncated_file(Rules::all_but(Rule::RecordedLength)).is_err());
}

/// Schedule 14, for a process that comes later.
#[test]
fn schedule_14_a_zone_with_a_lost_file_is_refused_by_name() {
    let world = World::new();
    let meddler = world.clone();
    let published = run(&world, FaultPlan::none(), Rules::all(), |surroundings| {
        commit_then(surroundings, move |file| {
            meddler.meddle(&World::url().join(&file.staged), b"0:0\n");
        })
    });
    assert!(matches!(published, Ok(Err(_))));
    let reopened = run(&world, FaultPlan::none(), Rules::all(), |surroundings| async move {
        Ok(open_once(&surroundings, &raw_expected()).await.map(drop))
    });
    let Ok(Err(error @ ZoneError::LostFile { .. })) = reopened else { panic!("it is refused: {reopened:?}") };
    let told = error.to_string();
    assert!(
        told.contains("it has 4 bytes where 8 were committed; what was committed has 8 bytes and the digest "),
        "{told}"
    );
}

/// Schedule 15.
#[test]
fn schedule_15_rows_of_a_file_whose_close_failed_go_into_another_name() {
    for fault in [Fault::FailBefore, Fault::FailAfter] {
        let world = World::new();
        // Of the first file: created, two rows written, closed.
        let rehearsal = FaultPlan::none();
        let closes = run(&world, rehearsal.clone(), Rules::all(), |surroundings| async move {
            let mut zone = open_raw(&surroundings).await?;
            stage(&mut zone, vec!["0:0".to_owned()]).await.map(drop)
        });
        closes.expect("a rehearsal");
        let close = rehearsal.operations();
        let world = World::new();
        let faulty = FaultPlan::at(close + 1, fault);
        let committed = run(&world, faulty, Rules::all(), commit_first).expect("committed");
        assert!(matches!(committed, Appended::Won(_)));
        at_rest(&world).expect("the zone is exact");
        let staging: StorePath = World::url().directory().join(layout::STAGING);
        let left = world.memory.files_below(&staging);
        assert_eq!(
            left.keys().filter(|path| path.ends_with("/1.staged")).count(),
            1,
            "the burned name stays: {left:?}"
        );
    }
}

/// The place of a zone is a directory of its own.
#[test]
fn a_directory_that_holds_other_things_is_refused_and_left_alone() {
    let world = World::new();
    world.memory.replace(&World::url().directory().join("thesis.docx"), Bytes::from_static(b"draft"));
    let opened = run(&world, FaultPlan::none(), Rules::all(), |surroundings| async move {
        Ok(open_once(&surroundings, &raw_expected()).await.map(drop))
    });
    let Ok(Err(error @ ZoneError::ForeignDirectory { .. })) = opened else { panic!("it is refused") };
    assert!(error.to_string().contains("thesis.docx"), "{error}");
    assert_eq!(world.memory.files_below(World::url().directory()).len(), 1);
}

/// What a caller does whose future may be dropped: the append is still there to be decided.
#[test]
fn an_append_whose_future_is_dropped_is_decided_later() {
    let world = World::new();
    run(&world, FaultPlan::none(), Rules::all(), |surroundings| async move {
        let mut zone: Zone = open_raw(&surroundings).await?;
        let data = raw_data(&mut zone, vec![FIRST]).await?;
        {
            let mut appending = Box::pin(zone.append(data));
            // Far enough for the body to be written and the slot to be tried.
            for _ in 0..8 {
                assert!(futures::poll!(appending.as_mut()).is_pending());
            }
        }
        assert!(matches!(zone.discard_staged().await, Err(ZoneError::Undecided { .. })));
        let decided = zone.decide().await.map_err(|error| describe(&error))?;
        assert!(matches!(decided, Some(Appended::Won(_))), "{decided:?}");
        zone.publish_all().await.map_err(|error| describe(&error))
    })
    .expect("decided");
    at_rest(&world).expect("the zone is exact");
}

/// What an opening costs grows with the log and not with its square; files are looked at by directory.
#[test]
fn opening_a_long_log_reads_each_slot_once() {
    const COMMITS: u32 = 100;
    let world = World::new();
    let written = run(&world, FaultPlan::none(), Rules::all(), |surroundings| {
        super::actors::raw_worker(surroundings, vec![0, 1], COMMITS, 1)
    });
    written.expect("written");
    let plan = FaultPlan::none();
    let opened =
        run(&world, plan.clone(), Rules::all(), |surroundings| async move { open_raw(&surroundings).await.map(drop) });
    opened.expect("opened");
    // Beside the slots: zone.json, three kinds of listings, the empty slot after the last.
    assert!(plan.operations() <= u64::from(COMMITS) + 10, "{} operations", plan.operations());
}
