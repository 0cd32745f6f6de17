//! Rewinds, holds, consumers and clocks while others commit (schedules 24, 32, 42, 43, 49, 50).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use gristmill_core::log::{Hold, HoldReason, LogTime, Refusal, RejectCounts, RewindPlan, Sequence, Source};

use super::Violation;
use super::actors::{
    Range, commit, describe, open_once, open_raw, publish, raw_data, raw_expected, raw_zone_id, removal_of_all, settle,
    try_append,
};
use super::checker::Checker;
use super::faults::{Fault, FaultPlan};
use super::pauses::{Scene, at_every_step};
use super::world::{Scheduler, World, alone};
use crate::zone::rules::Rules;
use crate::zone::{Appended, Clock, Expected, Rewound, Surroundings, Zone, ZoneError};

fn prepared<T: Send + 'static>(
    world: &World,
    process: impl Future<Output = Result<T, Violation>> + Send + 'static,
) -> Result<T, Violation> {
    alone(world, usize::MAX, process)?.ok_or("it died")?
}

fn opened(world: &World) -> Result<Zone, Violation> {
    let surroundings = world.calm();
    prepared(world, async move { open_raw(&surroundings).await })
}

/// Commits the next messages of a partition.
async fn commit_next(zone: &mut Zone, partition: i32, count: i64) -> Result<Option<Sequence>, Violation> {
    let from = zone.fold().next(partition);
    let data = raw_data(zone, vec![Range { partition, from, to: from + count }]).await?;
    commit(zone, data).await
}

fn rewind_to(nonce: &str, next: i64) -> RewindPlan {
    let source = Source { cluster_id: "cluster".to_owned(), topic_id: "topic-1".to_owned() };
    RewindPlan { nonce: nonce.to_owned(), source, next: [(0, next)].into() }
}

async fn rewind(zone: &mut Zone, plan: &RewindPlan) -> Result<Rewound, Violation> {
    zone.rewind(plan).await.map_err(|error| describe(&error))
}

/// Three messages of partition 0 are committed, and the next are on their way.
fn writer_in_flight(world: &World) -> Result<(Zone, gristmill_core::log::Data), Violation> {
    let mut zone = opened(world)?;
    prepared(world, async move {
        commit_next(&mut zone, 0, 3).await?;
        let data = raw_data(&mut zone, vec![Range { partition: 0, from: 3, to: 6 }]).await?;
        Ok((zone, data))
    })
}

#[test]
fn schedule_32_a_rewind_comes_before_or_after_a_commit_in_flight() {
    let steps = at_every_step(|world| {
        let (mut writer, held) = writer_in_flight(world)?;
        let mut other = opened(world)?;
        let sleeper = async move {
            commit(&mut writer, held).await?;
            // From wherever the fold stands now, in whatever generation.
            commit_next(&mut writer, 0, 2).await.map(drop)
        };
        let meanwhile = async move {
            let applied = rewind(&mut other, &rewind_to("n", 1)).await?;
            assert!(matches!(applied, Rewound::Applied(_)), "{applied:?}");
            commit_next(&mut other, 0, 2).await.map(drop)
        };
        Ok(Scene::new(sleeper, meanwhile).then(settle(world)))
    });
    assert!(steps.expect("each generation is contiguous") > 10);
}

/// A rewind that goes forward counts what it passes over, so it is made anew when the partition has moved on.
#[test]
fn schedule_32_a_rewind_in_flight_is_made_anew_when_a_commit_comes_first() {
    at_every_step(|world| {
        let mut writer = opened(world)?;
        let mut rewinding = opened(world)?;
        let sleeper = async move {
            let applied = rewind(&mut rewinding, &rewind_to("n", 9)).await?;
            assert!(matches!(applied, Rewound::Applied(_)), "{applied:?}");
            assert_eq!((rewinding.fold().next(0), rewinding.fold().generation()), (9, 1));
            Ok(())
        };
        let meanwhile = async move { commit_next(&mut writer, 0, 2).await.map(drop) };
        Ok(Scene::new(sleeper, meanwhile).then(settle(world)))
    })
    .expect("applied once");
}

#[test]
fn schedule_32_one_nonce_is_applied_once_by_two_workers_and_not_again_when_it_comes_back() {
    at_every_step(|world| {
        let (mut first, mut second, mut third) = (opened(world)?, opened(world)?, opened(world)?);
        let settled = settle(world);
        let sleeper = async move { rewind(&mut first, &rewind_to("n", 0)).await.map(drop) };
        let meanwhile = async move {
            rewind(&mut second, &rewind_to("n", 0)).await?;
            rewind(&mut second, &rewind_to("m", 0)).await.map(drop)
        };
        Ok(Scene::new(sleeper, meanwhile).then(async move {
            let again = rewind(&mut third, &rewind_to("n", 0)).await?;
            assert!(matches!(again, Rewound::Before(_)), "{again:?}");
            assert_eq!(third.fold().generation(), 2);
            settled.await
        }))
    })
    .expect("two rewinds, two generations");
}

/// Who comes first, a consumer's registration or a removal, decides what the other may.
#[test]
fn schedule_42_a_consumer_registers_while_retention_removes_in_both_orders() {
    at_every_step(|world| {
        let mut zone = opened(world)?;
        let mut retention = prepared(world, async move { commit_next(&mut zone, 0, 3).await.map(|_| zone) })?;
        let mut consumer = opened(world)?;
        let registered = Arc::new(AtomicBool::new(false));
        let first = Arc::clone(&registered);
        let sleeper = async move {
            let removal = removal_of_all(&retention);
            match retention.remove(removal).await.map_err(|error| describe(&error))? {
                Appended::Won(sequence) => publish(&mut retention, sequence).await,
                Appended::Lost(Refusal::StillToBeConsumed { position: -1, .. }) => {
                    first.store(true, Ordering::Relaxed);
                    Ok(())
                }
                Appended::Lost(refusal) => Err(refusal.to_string()),
            }
        };
        let meanwhile = async move {
            let outcome = consumer.register(raw_zone_id(), "library.books".to_owned()).await;
            assert!(matches!(outcome, Ok(Appended::Won(_))), "{outcome:?}");
            Ok(())
        };
        let (settled, looking) = (settle(world), world.calm());
        let scene = Scene::new(sleeper, meanwhile).then(async move {
            let zone = open_raw(&looking).await?;
            let kept = !zone.fold().live().is_empty();
            assert_eq!(kept, registered.load(Ordering::Relaxed));
            settled.await
        });
        Ok(scene)
    })
    .expect("what a consumer needs stays");
    let mut world_outcomes = Vec::new();
    for consumer_first in [true, false] {
        let world = World::new();
        let mut zone = opened(&world).expect("opened");
        let outcome = prepared(&world, async move {
            commit_next(&mut zone, 0, 3).await?;
            if consumer_first {
                zone.register(raw_zone_id(), "c".to_owned()).await.map_err(|error| describe(&error)).map(drop)?;
            }
            zone.remove(removal_of_all(&zone)).await.map_err(|error| describe(&error))
        });
        world_outcomes.push(matches!(outcome, Ok(Appended::Won(_))));
    }
    assert_eq!(world_outcomes, [false, true]);
}

/// A removal whose process dies at any operation: entry, retirement, deletion are finished by whoever comes next.
#[test]
fn schedule_43_a_removal_that_dies_at_any_operation_is_finished_by_the_next() {
    let remove = |world: &World, plan: FaultPlan| -> Result<(), Violation> {
        let (number, surroundings) = world.process(plan, Rules::all());
        let mut scheduler = Scheduler::new(world, 0);
        scheduler.spawn(number, async move {
            let mut zone = open_raw(&surroundings).await?;
            commit_next(&mut zone, 0, 3).await?;
            let removal = removal_of_all(&zone);
            if let Appended::Won(sequence) = zone.remove(removal).await.map_err(|error| describe(&error))? {
                publish(&mut zone, sequence).await?;
            }
            Ok(())
        });
        scheduler.run()
    };
    let rehearsal = FaultPlan::none();
    remove(&World::new(), rehearsal.clone()).expect("a run without faults ends");
    for operation in 1..=rehearsal.operations() {
        for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::FailAfter] {
            let world = World::new();
            remove(&world, FaultPlan::at(operation, fault)).unwrap_or_else(|error| panic!("{operation}: {error}"));
            world.land_all();
            prepared(&world, settle(&world)).unwrap_or_else(|error| panic!("{fault:?} at {operation}: {error}"));
        }
    }
}

/// A clock beside that of the world.
struct Skewed {
    world: World,
    by: TimeDelta,
}

#[async_trait]
impl Clock for Skewed {
    fn now(&self) -> DateTime<Utc> {
        self.world.now() + self.by
    }

    fn uptime(&self) -> Duration {
        self.world.uptime()
    }

    async fn sleep(&self, duration: Duration) {
        self.world.sleep(duration).await;
    }
}

#[test]
fn schedule_49_a_writer_whose_clock_is_far_off_commits_nothing_and_moves_no_time() {
    for days in [-40, 40] {
        let world = World::new();
        let mut zone = opened(&world).expect("opened");
        let before = prepared(&world, async move {
            commit_next(&mut zone, 0, 2).await?;
            // Another writer's staged file, closed and not committed.
            let data = raw_data(&mut zone, vec![Range { partition: 1, from: 0, to: 2 }]).await?;
            Ok((zone.fold().effective_time(), zone, data))
        });
        let (effective, mut other, held) = before.expect("committed");
        let clock = Arc::new(Skewed { world: world.clone(), by: TimeDelta::days(days) });
        let skewed = Surroundings { clock, ..world.calm() };
        prepared(&world, async move {
            let mut zone = open_raw(&skewed).await?;
            let data = raw_data(&mut zone, vec![Range { partition: 0, from: 2, to: 4 }]).await?;
            let refused = zone.append(data).await;
            let Err(error @ ZoneError::ClockSkew { .. }) = refused else { return Err(format!("{refused:?}")) };
            assert!(error.to_string().contains(" s off the store's"), "{error}");
            let upkeep = zone.maintain().await.map_err(|error| describe(&error))?;
            assert_eq!(upkeep, crate::zone::Upkeep::default(), "it suspects nobody and deletes nothing");
            assert_eq!(zone.fold().effective_time(), effective);
            // The other one goes on.
            let appended = try_append(&mut other, held).await?;
            let Some(Appended::Won(sequence)) = appended else { return Err(format!("{appended:?}")) };
            publish(&mut other, sequence).await
        })
        .expect("refused");
        Checker::new(&world).check_at_rest().expect("the zone is exact");
    }
}

#[test]
fn schedule_50_a_hold_outlives_restarts_and_does_not_come_back_after_a_resume() {
    let world = World::new();
    let surroundings = world.calm();
    prepared(&world, async move {
        let mut zone = open_raw(&surroundings).await?;
        let began = zone.fold().effective_time();
        commit_next(&mut zone, 0, 4).await?;
        let RejectCounts { messages, with_rejects } = zone.fold().rejects_since(began);
        assert_eq!((messages, with_rejects), (4, 1));
        let judged = |judged_at| Hold {
            reason: HoldReason::RejectedBudgetExceeded,
            judged_at,
            messages,
            messages_with_rejects: with_rejects,
            message: "1 of 4 messages has rejects".to_owned(),
        };
        let hold = judged(zone.fold().head());
        assert!(matches!(zone.hold(hold.clone()).await, Ok(Appended::Won(_))));
        for _restart in 0..3 {
            zone = open_raw(&surroundings).await?;
            assert_eq!(zone.fold().held().map(|held| &held.hold), Some(&hold));
            assert_eq!(commit_next(&mut zone, 0, 1).await?, None, "nothing is committed while it is held");
        }
        let token = || Some("go-on".to_owned());
        assert!(matches!(zone.resume(token()).await, Ok(Appended::Won(_))));
        assert_eq!(zone.fold().rejects_since(began), RejectCounts::default());
        // A worker that judged before the resume, and the token that is still in the resource.
        let slow = zone.hold(judged(hold.judged_at)).await;
        assert!(matches!(slow, Ok(Appended::Lost(Refusal::ResumedMeanwhile(_)))), "{slow:?}");
        let again = zone.resume(token()).await;
        assert!(matches!(again, Ok(Appended::Lost(Refusal::TokenIsUsed(_)))), "{again:?}");
        zone = open_raw(&surroundings).await?;
        assert!(commit_next(&mut zone, 0, 2).await?.is_some());
        assert_eq!(zone.fold().rejects_since(LogTime::new(began.utc())).messages, 2);
        Ok(())
    })
    .expect("held and resumed");
    Checker::new(&world).check_at_rest().expect("the zone is exact");
}

/// Another cluster, or a topic that was created anew, is refused; a rewind that was not applied yet is the way out (F9).
#[test]
fn schedule_24_another_cluster_or_topic_is_refused_until_a_rewind_adopts_it() {
    let world = World::new();
    let mut zone = opened(&world).expect("opened");
    prepared(&world, async move { commit_next(&mut zone, 0, 3).await.map(drop) }).expect("committed");
    let expected = |cluster: &str, topic: &str, nonce: Option<&str>| match raw_expected() {
        Expected::Raw { topic: name, group, .. } => Expected::Raw {
            cluster_id: cluster.to_owned(),
            topic: name,
            topic_id: topic.to_owned(),
            group,
            rewind: nonce.map(str::to_owned),
        },
        processed @ Expected::Processed { .. } => processed,
    };
    let surroundings = world.calm();
    prepared(&world, async move {
        for (cluster, topic) in [("mirror", "topic-1"), ("cluster", "topic-2")] {
            let refused = open_once(&surroundings, &expected(cluster, topic, None)).await.map(drop);
            assert_eq!(refused.expect_err("it is refused").reason(), "TopicReplaced");
        }
        let new = expected("cluster", "topic-2", Some("new-topic"));
        let mut zone = open_once(&surroundings, &new).await.map_err(|error| describe(&error))?;
        let source = Source { cluster_id: "cluster".to_owned(), topic_id: "topic-2".to_owned() };
        let plan = RewindPlan { nonce: "new-topic".to_owned(), source, next: [(0, 0)].into() };
        assert!(matches!(rewind(&mut zone, &plan).await?, Rewound::Applied(_)));
        assert!(commit_next(&mut zone, 0, 2).await?.is_some());
        drop(zone);
        open_once(&surroundings, &new).await.map(drop).map_err(|error| describe(&error))?;
        let old = open_once(&surroundings, &expected("cluster", "topic-1", Some("new-topic"))).await.map(drop);
        assert_eq!(old.expect_err("the old topic is another one now").reason(), "TopicReplaced");
        Ok(())
    })
    .expect("adopted");
    Checker::new(&world).check_at_rest().expect("the zone is exact");
}
