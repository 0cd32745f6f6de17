//! Schedules of the zone protocol that concern a group over a failing store, by number.

use tokio_util::sync::CancellationToken;

use super::member::AHEAD;
use super::world::{Ended, HOUR, SECOND, Task, World, send, with_workers};
use super::{Violation, executor, for_seeds};
use crate::ingest::Until;
use crate::zone::Clock;

/// A worker that is killed or asked to end at times that are drawn, until the calm begins.
async fn restless(world: &World, calm: CancellationToken) -> Result<(), Violation> {
    loop {
        let (cancel, kill) = (CancellationToken::new(), CancellationToken::new());
        let fate = async {
            if calm.is_cancelled() {
                std::future::pending::<()>().await;
            }
            tokio::select! {
                biased;
                () = calm.cancelled() => std::future::pending().await,
                () = world.timeline.sleep(world.timeline.some(120 * SECOND)) => {}
            }
            if world.timeline.once_in(2) {
                kill.cancel()
            } else {
                cancel.cancel()
            }
            std::future::pending().await
        };
        let ended = tokio::select! {
            biased;
            ended = world.process(&world.plan, Until::Cancelled, cancel.clone(), kill.clone()) => ended,
            () = fate => unreachable!("it never ends"),
        };
        if let Ended::Done(Err(failure)) = ended
            && failure.exit != crate::exit::Exit::Store
        {
            return Err(format!("a worker failed: {failure}"));
        }
        world.timeline.sleep(world.timeline.some(20 * SECOND)).await;
    }
}

/// Three workers are killed, asked to end and put out of the group while the store fails now and then: each message is
/// in the zone once.
#[test]
fn workers_that_come_and_go_over_a_failing_store_commit_each_message_once() {
    for_seeds(80, |seed| {
        let world = World::new(seed, 8);
        world.weather.set_faults(40);
        let calm = CancellationToken::new();
        let scenario = async {
            send(&world, 300).await;
            calm.cancel();
            world.weather.set_faults(0);
            world.caught_up(HOUR).await?;
            world.check().await
        };
        let mut tasks: Vec<Task<'_>> = Vec::new();
        tasks.push(Box::pin(scenario));
        tasks.push(Box::pin(world.coordinate()));
        for _ in 0..3 {
            tasks.push(Box::pin(restless(&world, calm.clone())));
        }
        executor::run(&world.timeline, tasks)
    });
}

/// 31: the store is away for ten minutes while messages go on coming. The workers stay in the group, what waits in their
/// memory is bounded by the budget, and they go on.
#[test]
fn schedule_31_store_down_for_ten_minutes_is_waited_for_in_the_group_and_in_bounded_memory() {
    let held = 32 << 10;
    // Longer than the rest of a message by far, so that messages alone make up the memory.
    let large = format!("<library><book><record_id>1</record_id></book><!--{}--></library>", "x".repeat(4 << 10));
    for_seeds(100, |seed| {
        let mut world = World::new(seed, 4);
        world.budget.held = held;
        let scenario = async {
            send(&world, 40).await;
            world.weather.set_down(true);
            for number in 0..200 {
                world.cluster.append(number % 4, Some(large.clone()));
                world.timeline.sleep(world.timeline.some(2 * SECOND)).await;
            }
            world.timeline.sleep(600 * SECOND).await;
            let (joined, members) = world.cluster.membership();
            if (joined, members) != (2, 2) {
                return Err(format!("{joined} joined and {members} are members where two were to stay"));
            }
            // Both workers hold what the budget allows, the message that exceeds it, and what is fetched ahead.
            let most = world.cluster.most_in_memory();
            let allowed = 2 * (usize::try_from(held).expect("a small number") + (AHEAD + 2) * large.len());
            if most > allowed {
                return Err(format!("{most} bytes of messages in memory where {allowed} are allowed"));
            }
            world.weather.set_down(false);
            send(&world, 20).await;
            world.caught_up(HOUR).await?;
            world.check().await
        };
        with_workers(&world, 2, scenario)
    });
}

/// 27: one of eight partitions is revoked in the middle of a file, while the store is too slow to commit before the
/// deadline; then the assignment is lost; then ten rebalances in a row. There is progress all the time.
#[test]
fn schedule_27_rebalances_over_a_slow_store_lose_nothing_and_do_not_stop_progress() {
    for_seeds(60, |seed| {
        let world = World::new(seed, 8);
        let scenario = async {
            send(&world, 60).await;
            world.weather.set_slowness(200 * SECOND);
            let (cancel, kill) = (CancellationToken::new(), CancellationToken::new());
            let newcomer = world.process(&world.plan, Until::Cancelled, cancel.clone(), kill.clone());
            let storm = async {
                world.timeline.sleep(600 * SECOND).await;
                world.cluster.expel_all();
                world.timeline.sleep(60 * SECOND).await;
                world.weather.set_slowness(SECOND);
                kill.cancel();
            };
            drop(futures::future::join(newcomer, storm).await);
            let before = world.zone().await?.fold().head();
            for _ in 0..10 {
                send(&world, 10).await;
                let cancel = CancellationToken::new();
                let process = world.process(&world.plan, Until::Cancelled, cancel.clone(), CancellationToken::new());
                let leave = async {
                    world.timeline.sleep(25 * SECOND).await;
                    cancel.cancel();
                };
                drop(futures::future::join(process, leave).await);
            }
            let after = world.zone().await?.fold().head();
            if after <= before {
                return Err(format!("no commit in ten rebalances: {before} and {after}"));
            }
            world.caught_up(HOUR).await?;
            world.check().await
        };
        with_workers(&world, 1, scenario)
    });
}
