//! Schedules that concern where the zone begins, goes on and goes back to, by number.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::DateTime;
use gristmill_crds::OnDataLoss;
use gristmill_crds::plan::{Position, RewindPlan};
use tokio_util::sync::CancellationToken;

use super::for_seeds;
use super::world::{Ended, GOOD, HOUR, Landed, SECOND, World, send, with_workers};
use crate::ingest::Until;
use crate::zone::Clock;

fn rewind(nonce: &str, to: Position) -> Option<RewindPlan> {
    Some(RewindPlan { nonce: nonce.to_owned(), to })
}

/// 20: a transaction's marker is the last offset. The run that catches up ends, and when retention has taken everything
/// nothing is taken for lost.
#[test]
fn schedule_20_trailing_commit_marker_is_passed_and_never_taken_for_a_loss() {
    for_seeds(160, |seed| {
        let world = World::new(seed, 2);
        let scenario = async {
            send(&world, 10).await;
            world.cluster.append_marker(0);
            world.cluster.append_marker(1);
            world.catch_up(&world.plan).await.map_err(|failure| failure.to_string())?;
            let ends = world.cluster.ends();
            let zone = world.zone().await?;
            if ends.iter().any(|(partition, end)| zone.fold().next(*partition) != *end) {
                return Err(format!("it ended before {ends:?}"));
            }
            let absent = zone.fold().totals().absent;
            if absent != 2 {
                return Err(format!("{absent} absent"));
            }
            for (partition, end) in [(0, ends[&0]), (1, ends[&1])] {
                world.cluster.delete_below(partition, end);
            }
            send(&world, 5).await;
            world.catch_up(&world.plan).await.map(drop).map_err(|failure| failure.to_string())
        };
        with_workers(&world, 0, scenario)
    });
}

/// 24: the brokers of another cluster answer under the same address.
#[test]
fn schedule_24_another_cluster_is_refused_and_a_rewind_is_the_way_out() {
    for_seeds(160, |seed| {
        let mut world = World::new(seed, 2);
        world.plan.rewind = None;
        let moved = {
            let mut plan = world.plan.clone();
            plan.rewind = rewind("moved", Position::Earliest);
            plan
        };
        let scenario = async {
            send(&world, 20).await;
            world.catch_up(&world.plan).await.map_err(|failure| failure.to_string())?;
            let first = world.landed().await?;
            world.cluster.change(|state| {
                (state.cluster_id, state.topic_id) = ("cluster-2".to_owned(), "topic-2".to_owned());
                state.partitions.iter_mut().for_each(|log| *log = Default::default());
            });
            send(&world, 30).await;
            let message = world.fails_with(&world.plan, "TopicReplaced").await?;
            if !message.contains("spec.rewind") {
                return Err(format!("no way out: {message}"));
            }
            world.catch_up(&moved).await.map_err(|failure| failure.to_string())?;
            let Landed { rows, rejects } = world.expect(1, |_| 0);
            let expected = Landed { rows: &rows | &first.rows, rejects: &rejects | &first.rejects };
            let landed = world.landed().await?;
            if landed != expected {
                return Err(format!("{landed:?} where {expected:?} was due"));
            }
            // The nonce is used; the document that names it stays as it is.
            world.catch_up(&moved).await.map(drop).map_err(|failure| failure.to_string())
        };
        with_workers(&world, 0, scenario)
    });
}

/// 25: `startFrom: Latest` is resolved once, whatever happens before the first commit; partitions that are added while
/// the workers run, and while none does, are read from their first message.
#[test]
fn schedule_25_latest_is_resolved_once_and_new_partitions_begin_at_their_first_message() {
    for_seeds(120, |seed| {
        let mut world = World::new(seed, 2);
        world.plan.start_from = Position::Latest;
        let scenario = async {
            send(&world, 10).await;
            let begins = world.cluster.ends();
            let kill = CancellationToken::new();
            let process = world.process(&world.plan, Until::Cancelled, CancellationToken::new(), kill.clone());
            let crash = async {
                while world.zone().await.is_err() {
                    world.timeline.sleep(SECOND).await;
                }
                send(&world, 10).await;
                kill.cancel();
            };
            drop(futures::future::join(process, crash).await);
            world.cluster.grow();
            send(&world, 20).await;
            let cancel = CancellationToken::new();
            let process = world.process(&world.plan, Until::Cancelled, cancel.clone(), CancellationToken::new());
            let grow = async {
                world.timeline.sleep(20 * SECOND).await;
                world.cluster.grow();
                send(&world, 20).await;
                let caught_up = world.caught_up(HOUR).await;
                cancel.cancel();
                caught_up
            };
            let (_, caught_up) = futures::future::join(process, grow).await;
            caught_up?;
            let expected = world.expect(0, |partition| begins.get(&partition).copied().unwrap_or(0));
            let landed = world.landed().await?;
            if landed == expected { Ok(()) } else { Err(format!("{landed:?} where {expected:?} was due")) }
        };
        with_workers(&world, 0, scenario)
    });
}

/// 26: an admin tool moves the offsets of the group in both directions; no assignment follows it.
#[test]
fn schedule_26_offsets_that_a_tool_has_stored_in_the_group_have_no_effect() {
    for_seeds(100, |seed| {
        let world = World::new(seed, 4);
        let scenario = async {
            send(&world, 20).await;
            world.caught_up(HOUR).await?;
            let forward = world.timeline.once_in(2);
            world.cluster.change(|state| {
                state.stored = (0..4).map(|partition| (partition, if forward { 1_000_000 } else { 0 })).collect();
            });
            world.cluster.expel_all();
            send(&world, 20).await;
            world.caught_up(HOUR).await?;
            world.check().await
        };
        with_workers(&world, 2, scenario)
    });
}

/// 29: retention is faster than the worker, under both policies.
#[test]
fn schedule_29_messages_that_retention_took_are_a_loss_or_a_counted_gap() {
    for_seeds(280, |seed| {
        let mut world = World::new(seed, 1);
        let gaps = seed % 2 == 1;
        world.plan.on_data_loss = if gaps { OnDataLoss::RecordGap } else { OnDataLoss::Fail };
        let scenario = async {
            send(&world, 20).await;
            world.catch_up(&world.plan).await.map_err(|failure| failure.to_string())?;
            let read = world.cluster.ends()[&0];
            send(&world, 40).await;
            let lost = 1 + i64::try_from(world.timeline.lot(30)).expect("a small number");
            world.cluster.delete_below(0, read + lost);
            if !gaps {
                let message = world.fails_with(&world.plan, "DataLoss").await?;
                let range = format!("offsets {read} to {} of books/0", read + lost - 1);
                return if message.contains(&range) { Ok(()) } else { Err(message) };
            }
            world.catch_up(&world.plan).await.map_err(|failure| failure.to_string())?;
            let zone = world.zone().await?;
            let counted = zone.fold().totals();
            if counted.gaps != u64::try_from(lost).expect("a small number") {
                return Err(format!("{lost} lost, {counted:?}"));
            }
            let Landed { rows, .. } = world.expect(0, |_| 0);
            let landed = world.landed().await?;
            if landed.rows.is_superset(&rows) { Ok(()) } else { Err("rows that are held are missing".to_owned()) }
        };
        with_workers(&world, 0, scenario)
    });
}

/// 29: the same while the worker runs and lags.
#[test]
fn schedule_29_retention_overtakes_a_lagging_worker_and_the_gap_is_counted_once() {
    for_seeds(80, |seed| {
        let mut world = World::new(seed, 2);
        world.plan.on_data_loss = OnDataLoss::RecordGap;
        let scenario = async {
            for _ in 0..6 {
                send(&world, 20).await;
                for partition in 0..2 {
                    let (low, high) = {
                        let state = world.cluster.lock();
                        (state.partitions[partition].low, state.partitions[partition].high)
                    };
                    let ahead = u64::try_from(high - low).expect("an advance");
                    let taken = i64::try_from(world.timeline.lot(ahead + 1)).expect("few");
                    world.cluster.delete_below(partition, low + taken);
                }
            }
            world.caught_up(HOUR).await?;
            let zone = world.zone().await?;
            // Retention may have been there before the zone was.
            let gristmill_core::log::Genesis::Raw(genesis) = zone.fold().genesis() else { unreachable!("a RAW zone") };
            let before: i64 = genesis.partitions.iter().map(|start| start.start_offset).sum();
            let sum = world.cluster.ends().values().sum::<i64>() - before;
            let counted = zone.fold().totals();
            if counted.offsets() != u64::try_from(sum).ok() {
                return Err(format!("{sum} offsets, {counted:?}"));
            }
            world.landed().await.map(drop)
        };
        with_workers(&world, 1, scenario)
    });
}

/// 30: a leader is elected that had not received everything: the partition ends before what was read.
#[test]
fn schedule_30_truncated_partition_is_a_loss_or_is_read_anew_in_a_new_generation() {
    for_seeds(200, |seed| {
        let mut world = World::new(seed, 1);
        let gaps = seed % 2 == 1;
        world.plan.on_data_loss = if gaps { OnDataLoss::RecordGap } else { OnDataLoss::Fail };
        let scenario = async {
            send(&world, 20).await;
            world.catch_up(&world.plan).await.map_err(|failure| failure.to_string())?;
            let before = world.landed().await?;
            let end = world.cluster.ends()[&0] - 5;
            world.cluster.elect_unclean(0, end);
            if !gaps {
                let message = world.fails_with(&world.plan, "DataLoss").await?;
                return if message.contains("truncated") { Ok(()) } else { Err(message) };
            }
            world.cluster.append(0, None);
            world.cluster.append(0, Some(GOOD.to_owned()));
            let cancel = CancellationToken::new();
            let process = world.process(&world.plan, Until::Cancelled, cancel.clone(), CancellationToken::new());
            let wait = async {
                let caught_up = world.caught_up(HOUR).await;
                cancel.cancel();
                caught_up
            };
            let (ended, caught_up) = futures::future::join(process, wait).await;
            caught_up.map_err(|error| format!("{error}: {ended:?}"))?;
            let Landed { rows, rejects } = world.expect(1, |_| 0);
            let expected = Landed { rows: &rows | &before.rows, rejects: &rejects | &before.rejects };
            let landed = world.landed().await?;
            if landed == expected { Ok(()) } else { Err(format!("{landed:?} where {expected:?} was due")) }
        };
        with_workers(&world, 0, scenario)
    });
}

/// 30: the new leader has taken more than the old one since, so that offsets tell nothing and the epoch alone does; while
/// the worker runs and while none does, beside a partition that is read on.
#[test]
fn schedule_30_other_messages_in_place_of_those_read_are_a_loss() {
    for_seeds(20, |seed| {
        let world = World::new(seed, 2);
        let (while_down, idle) = (world.timeline.once_in(2), world.timeline.once_in(2));
        let scenario = async {
            send(&world, 40).await;
            world.catch_up(&world.plan).await.map_err(|failure| failure.to_string())?;
            let before = world.landed().await?;
            let read = world.cluster.ends()[&0];
            let elect = || {
                world.cluster.elect_unclean(0, read - 1);
                (0..if idle { 1 } else { 10 }).for_each(|_| world.cluster.append(0, Some(GOOD.to_owned())));
            };
            if while_down {
                elect();
            }
            let (kill, never) = (CancellationToken::new(), CancellationToken::new());
            let process = world.process(&world.plan, Until::Cancelled, never, kill.clone());
            let others = async {
                if !while_down {
                    // It has been assigned and reads on before the election.
                    world.timeline.sleep(60 * SECOND).await;
                    elect();
                }
                for _ in 0..50 {
                    world.cluster.append(1, Some(GOOD.to_owned()));
                    world.timeline.sleep(SECOND).await;
                }
                world.timeline.sleep(HOUR).await;
                kill.cancel();
            };
            let ended = match futures::future::select(Box::pin(process), Box::pin(others)).await {
                futures::future::Either::Left((ended, _)) => ended,
                futures::future::Either::Right(_) => return Err("it reads on as if nothing were lost".to_owned()),
            };
            let Ended::Done(Err(failure)) = ended else { return Err(format!("{ended:?} where DataLoss was due")) };
            if failure.reason != "DataLoss" || !failure.message.contains("spec.rewind") {
                return Err(format!("{failure:?} where DataLoss was due"));
            }
            let landed = world.landed().await?;
            let of_0 = |landed: &Landed| landed.rows.iter().filter(|row| row.1 == 0).copied().collect::<Vec<_>>();
            let (kept, now) = (of_0(&before), of_0(&landed));
            if kept == now { Ok(()) } else { Err(format!("partition 0 was read on: {now:?}")) }
        };
        with_workers(&world, 0, scenario)
    });
}

/// 32: a rewind comes while workers have commits in flight; two workers apply one nonce; an old nonce comes back.
#[test]
fn schedule_32_a_nonce_rewinds_once_whoever_brings_it_and_whenever() {
    for_seeds(50, |seed| {
        let world = World::new(seed, 4);
        let mut again = world.plan.clone();
        again.rewind = rewind("again", Position::Earliest);
        let scenario = async {
            send(&world, 40).await;
            world.timeline.sleep(world.timeline.some(30 * SECOND)).await;
            let cancel = CancellationToken::new();
            let process = || world.process(&again, Until::Cancelled, cancel.clone(), CancellationToken::new());
            let read = async {
                world.timeline.sleep(60 * SECOND).await;
                send(&world, 40).await;
                let caught_up = world.caught_up(HOUR).await;
                cancel.cancel();
                caught_up
            };
            let (first, second, caught_up) = futures::future::join3(process(), process(), read).await;
            caught_up.map_err(|error| format!("{error}: {first:?} {second:?}"))?;
            let zone = world.zone().await?;
            if zone.fold().generation() != 1 {
                return Err(format!("generation {}", zone.fold().generation()));
            }
            let landed = world.landed().await?;
            let mut newest = world.expect(1, |_| 0);
            if !newest.rows.is_subset(&landed.rows) {
                return Err("the new generation does not hold everything".to_owned());
            }
            newest.rows.extend(landed.rows.iter().filter(|row| row.0 == 0));
            newest.rejects.extend(landed.rejects.iter().filter(|reject| reject.0 == 0));
            if landed != newest {
                return Err("there are rows that nobody sent".to_owned());
            }
            // The document goes back to where it was, and forth again.
            world.catch_up(&world.plan).await.map_err(|failure| failure.to_string())?;
            world.catch_up(&again).await.map_err(|failure| failure.to_string())?;
            let generation = world.zone().await?.fold().generation();
            if generation == 1 { Ok(()) } else { Err(format!("generation {generation} by an old nonce")) }
        };
        with_workers(&world, 2, scenario)
    });
}

/// 32: a rewind leads to the end as it is when it is resolved, past the one that was seen before: nothing was truncated.
#[test]
fn schedule_32_rewind_past_an_end_that_was_seen_before_is_no_truncation() {
    for_seeds(60, |seed| {
        let mut world = World::new(seed, 1);
        world.plan.on_data_loss = OnDataLoss::RecordGap;
        let mut skipping = world.plan.clone();
        let ahead = DateTime::from_timestamp(4_000_000_000, 0).expect("a time");
        skipping.rewind = rewind("skip", Position::Timestamp(ahead));
        let scenario = async {
            send(&world, 20).await;
            world.catch_up(&world.plan).await.map_err(|failure| failure.to_string())?;
            let cancel = CancellationToken::new();
            let process = world.process(&skipping, Until::Cancelled, cancel.clone(), CancellationToken::new());
            let messages = async {
                for _ in 0..1000 {
                    world.cluster.append(0, Some(GOOD.to_owned()));
                    world.timeline.sleep(Duration::from_millis(5)).await;
                }
                let caught_up = world.caught_up(HOUR).await;
                cancel.cancel();
                caught_up
            };
            let (ended, caught_up) = futures::future::join(process, messages).await;
            caught_up.map_err(|error| format!("{error}: {ended:?}"))?;
            let generation = world.zone().await?.fold().generation();
            if generation == 1 { Ok(()) } else { Err(format!("generation {generation} by one rewind")) }
        };
        with_workers(&world, 0, scenario)
    });
}

/// 30: several workers find one truncation, each at another moment and so with another end: one rewind.
#[test]
fn schedule_30_truncation_that_several_workers_find_is_one_rewind() {
    for_seeds(60, |seed| {
        let mut world = World::new(seed, 2);
        world.plan.on_data_loss = OnDataLoss::RecordGap;
        let scenario = async {
            send(&world, 200).await;
            world.catch_up(&world.plan).await.map_err(|failure| failure.to_string())?;
            let end = world.cluster.ends()[&0] - 80;
            world.cluster.elect_unclean(0, end);
            let cancel = CancellationToken::new();
            let process = || world.process(&world.plan, Until::Cancelled, cancel.clone(), CancellationToken::new());
            let messages = async {
                for _ in 0..60 {
                    world.cluster.append(0, Some(GOOD.to_owned()));
                    world.timeline.sleep(Duration::from_millis(3)).await;
                }
                let caught_up = world.caught_up(HOUR).await;
                cancel.cancel();
                caught_up
            };
            let (one, other, caught_up) = futures::future::join3(process(), process(), messages).await;
            caught_up.map_err(|error| format!("{error}: {one:?} {other:?}"))?;
            let generation = world.zone().await?.fold().generation();
            if generation == 1 { Ok(()) } else { Err(format!("generation {generation} by one truncation")) }
        };
        with_workers(&world, 0, scenario)
    });
}

/// A rewind of an empty zone says where it begins, before `startFrom` does.
#[test]
fn rewind_of_an_empty_zone_wins_over_start_from() {
    for_seeds(140, |seed| {
        let mut world = World::new(seed, 1);
        world.plan.start_from = Position::Latest;
        world.plan.rewind = rewind("first", Position::Offsets(BTreeMap::from([(0, 3)])));
        let scenario = async {
            send(&world, 10).await;
            world.catch_up(&world.plan).await.map_err(|failure| failure.to_string())?;
            let (landed, expected) = (world.landed().await?, world.expect(1, |_| 3));
            if landed == expected { Ok(()) } else { Err(format!("{landed:?} where {expected:?} was due")) }
        };
        with_workers(&world, 0, scenario)
    });
}

/// A zone begins at the first message of a time or later.
#[test]
fn zone_begins_at_a_timestamp() {
    for_seeds(140, |seed| {
        let mut world = World::new(seed, 2);
        let (begins, time) = {
            (0..20).for_each(|_| world.send());
            let begins = world.cluster.ends();
            let later = world.timeline.now() + chrono::TimeDelta::seconds(1);
            (begins, later)
        };
        world.plan.start_from = Position::Timestamp(time);
        let scenario = async {
            world.timeline.sleep(2 * SECOND).await;
            send(&world, 20).await;
            world.catch_up(&world.plan).await.map_err(|failure| failure.to_string())?;
            let (landed, expected) = (world.landed().await?, world.expect(0, |partition| begins[&partition]));
            if landed == expected { Ok(()) } else { Err(format!("{landed:?} where {expected:?} was due")) }
        };
        with_workers(&world, 0, scenario)
    });
}

/// An offset that the brokers do not hold is refused with what they hold.
#[test]
fn start_at_an_offset_that_is_not_there_is_refused() {
    for_seeds(60, |seed| {
        let mut world = World::new(seed, 1);
        world.plan.start_from = Position::Offsets(BTreeMap::from([(0, 50)]));
        let scenario = async {
            send(&world, 10).await;
            let message = world.fails_with(&world.plan, "Invalid").await?;
            let said = "offset 50 of partition 0 is not there, the brokers hold offsets 0 to 10";
            if message.contains(said) { Ok(()) } else { Err(message) }
        };
        with_workers(&world, 0, scenario)
    });
}

/// A topic with fewer partitions is another topic.
#[test]
fn schedule_23_topic_with_fewer_partitions_is_replaced() {
    for_seeds(120, |seed| {
        let world = World::new(seed, 3);
        let scenario = async {
            send(&world, 30).await;
            world.catch_up(&world.plan).await.map_err(|failure| failure.to_string())?;
            world.cluster.change(|state| drop(state.partitions.pop()));
            let cancel = CancellationToken::new();
            match world.process(&world.plan, Until::Cancelled, cancel, CancellationToken::new()).await {
                Ended::Done(Err(failure)) if failure.reason == "TopicReplaced" => Ok(()),
                ended => Err(format!("{ended:?} where TopicReplaced was due")),
            }
        };
        with_workers(&world, 0, scenario)
    });
}
