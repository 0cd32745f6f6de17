//! The schedules of PROTOCOL.md that concern Kafka, by number.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::world::{Ended, World};
use super::{Violation, executor, for_seeds};
use crate::ingest::Until;
use crate::zone::Clock;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Runs a scenario beside workers that are started again whenever they end or are killed.
fn with_workers<'a>(
    world: &'a World,
    workers: usize,
    scenario: impl Future<Output = Result<(), Violation>> + 'a,
) -> Result<(), Violation> {
    let calm = CancellationToken::new();
    let ending = calm.clone();
    let mut tasks: Vec<std::pin::Pin<Box<dyn Future<Output = Result<(), Violation>> + 'a>>> = Vec::new();
    tasks.push(Box::pin(async move {
        scenario.await?;
        ending.cancel();
        Ok(())
    }));
    tasks.push(Box::pin(world.coordinate()));
    for _ in 0..workers {
        tasks.push(Box::pin(work(world)));
    }
    executor::run(&world.timeline, tasks)
}

/// A worker that is started again whenever it ends.
async fn work(world: &World) -> Result<(), Violation> {
    loop {
        let never = CancellationToken::new();
        match world.process(&world.plan, Until::Cancelled, never.clone(), never).await {
            Ended::Done(Err(failure)) => return Err(format!("a worker failed: {failure}")),
            Ended::Done(Ok(_)) | Ended::Killed => {}
        }
    }
}

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
            if world.timeline.once_in(2) { kill.cancel() } else { cancel.cancel() }
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

/// Sends messages now and then.
async fn send(world: &World, messages: u64) {
    for _ in 0..messages {
        world.send();
        if world.timeline.once_in(4) {
            world.timeline.sleep(world.timeline.some(10 * SECOND)).await;
        }
    }
}

/// Three workers are killed, asked to end and put out of the group while the store fails now and then: each message is
/// in the zone once.
#[test]
fn workers_that_come_and_go_over_a_failing_store_commit_each_message_once() {
    for_seeds(60, |seed| {
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
        let mut tasks: Vec<std::pin::Pin<Box<dyn Future<Output = Result<(), Violation>> + '_>>> = Vec::new();
        tasks.push(Box::pin(scenario));
        tasks.push(Box::pin(world.coordinate()));
        for _ in 0..3 {
            tasks.push(Box::pin(restless(&world, calm.clone())));
        }
        executor::run(&world.timeline, tasks)
    });
}

/// 31: the store is away for ten minutes.
#[test]
fn schedule_31_store_down_for_ten_minutes_is_waited_for_in_the_group() {
    for_seeds(20, |seed| {
        let world = World::new(seed, 4);
        let scenario = async {
            send(&world, 40).await;
            world.weather.set_down(true);
            send(&world, 40).await;
            world.timeline.sleep(600 * SECOND).await;
            world.weather.set_down(false);
            send(&world, 20).await;
            world.caught_up(HOUR).await?;
            world.check().await
        };
        with_workers(&world, 2, scenario)
    });
}
