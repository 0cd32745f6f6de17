//! Two zones that were given one consumer group.

use std::future::Future;

use futures::future::join3;
use gristmill_crds::report::IngestPhase;
use tokio_util::sync::CancellationToken;

use super::world::{Ended, HOUR, SECOND, World, send, with_workers};
use super::{Violation, for_seeds};
use crate::ingest::Until;
use crate::zone::Clock;

/// A worker until it is cancelled; it must not fail.
async fn work(world: &World, cancel: &CancellationToken) -> Result<(), Violation> {
    let process = world.process(&world.plan, Until::Cancelled, cancel.clone(), CancellationToken::new());
    match process.await {
        Ended::Done(Ok(_)) => Ok(()),
        ended => Err(format!("{}: {ended:?}", world.plan.raw_path)),
    }
}

/// Ends the workers with the script, whatever came of it.
async fn ending(
    script: impl Future<Output = Result<(), Violation>>,
    workers: [&CancellationToken; 2],
) -> Result<(), Violation> {
    let outcome = script.await;
    workers.into_iter().for_each(CancellationToken::cancel);
    outcome
}

async fn zone_id(world: &World) -> Result<String, Violation> {
    Ok(world.zone().await?.fold().zone_id().to_string())
}

/// What the one that stays out tells.
async fn told(out: &World, within: &World) -> Result<(), Violation> {
    let report = out.board().report();
    let words = [zone_id(out).await?, zone_id(within).await?, out.plan.consumer_group.clone()];
    if report.phase != IngestPhase::GroupShared || words.iter().any(|word| !report.message.contains(word)) {
        return Err(format!("{:?}: {}", report.phase, report.message));
    }
    Ok(())
}

/// The later one never joins, and comes to its own once the first is gone.
#[test]
fn zone_that_comes_to_the_group_of_another_stays_out_until_that_one_has_left() {
    for_seeds(30, |seed| {
        let world = World::new(seed, 4);
        let (first, second) = (&world, &world.beside("hdfs://simulated:8020/raw/second"));
        let (end_first, end_second) = (CancellationToken::new(), CancellationToken::new());
        let script = async {
            send(first, 30).await;
            first.caught_up(HOUR).await?;
            let (joined, _) = world.cluster.membership();
            first.timeline.sleep(600 * SECOND).await;
            told(second, first).await?;
            send(first, 30).await;
            first.caught_up(HOUR).await?;
            first.check().await?;
            if world.cluster.membership().0 != joined {
                return Err("the second one has joined the group".to_owned());
            }
            end_first.cancel();
            second.caught_up(HOUR).await?;
            second.check().await
        };
        let later = async {
            second.timeline.sleep(60 * SECOND).await;
            work(second, &end_second).await
        };
        let script = ending(script, [&end_first, &end_second]);
        let scenario = async {
            let (script, earlier, later) = join3(script, work(first, &end_first), later).await;
            script.and(earlier).and(later)
        };
        with_workers(&world, 0, scenario)
    });
}

/// Nobody tells for a while who is in the group: it is not taken for free.
#[test]
fn zone_that_waits_goes_on_waiting_while_no_broker_answers() {
    for_seeds(30, |seed| {
        let world = World::new(seed, 4);
        let (first, second) = (&world, &world.beside("hdfs://simulated:8020/raw/second"));
        let (end_first, end_second) = (CancellationToken::new(), CancellationToken::new());
        let script = async {
            send(first, 30).await;
            first.caught_up(HOUR).await?;
            first.timeline.sleep(300 * SECOND).await;
            told(second, first).await?;
            world.cluster.change(|state| state.down = true);
            for second_of_outage in 0..150 {
                first.timeline.sleep(SECOND).await;
                let phase = second.board().report().phase;
                if phase != IngestPhase::GroupShared {
                    return Err(format!("{phase:?} after {second_of_outage} s without brokers"));
                }
            }
            let message = second.board().report().message;
            if !message.contains("can't be seen") {
                return Err(format!("it does not say that nobody tells: {message}"));
            }
            world.cluster.change(|state| state.down = false);
            first.caught_up(HOUR).await
        };
        let later = async {
            second.timeline.sleep(60 * SECOND).await;
            work(second, &end_second).await
        };
        let script = ending(script, [&end_first, &end_second]);
        let scenario = async {
            let (script, earlier, later) = join3(script, work(first, &end_first), later).await;
            script.and(earlier).and(later)
        };
        with_workers(&world, 0, scenario)
    });
}

/// Both see an empty group, and find each other in it: one gives way, and neither loses a message.
#[test]
fn one_of_two_zones_that_come_at_the_same_moment_gives_way() {
    for_seeds(40, |seed| {
        let world = World::new(seed, 4);
        let (first, second) = (&world, &world.beside("hdfs://simulated:8020/raw/second"));
        let ends = [CancellationToken::new(), CancellationToken::new()];
        let script = async {
            send(first, 60).await;
            first.timeline.sleep(600 * SECOND).await;
            let phase = |world: &World| world.board().report().phase;
            let (within, out, end) = match (phase(first), phase(second)) {
                (IngestPhase::Ingesting, IngestPhase::GroupShared) => (first, second, &ends[0]),
                (IngestPhase::GroupShared, IngestPhase::Ingesting) => (second, first, &ends[1]),
                phases => return Err(format!("{phases:?}")),
            };
            told(out, within).await?;
            within.caught_up(HOUR).await?;
            within.check().await?;
            end.cancel();
            out.caught_up(HOUR).await?;
            out.check().await
        };
        let script = ending(script, [&ends[0], &ends[1]]);
        let scenario = async {
            let (script, one, other) = join3(script, work(first, &ends[0]), work(second, &ends[1])).await;
            script.and(one).and(other)
        };
        with_workers(&world, 0, scenario)
    });
}
