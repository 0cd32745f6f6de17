//! Schedules of the rejected budget, and of a zone that several would own, by number.

use gristmill_crds::report::IngestPhase;
use tokio_util::sync::CancellationToken;

use super::for_seeds;
use super::world::{BAD, GOOD, HOUR, SECOND, World, with_workers};
use crate::ingest::Until;
use crate::zone::Clock;

/// Sends as many messages of which each second is not well-formed.
fn send_half_bad(world: &World, messages: usize) {
    let partitions = world.cluster.lock().partitions.len();
    for number in 0..messages {
        let payload = if number % 2 == 0 { BAD } else { GOOD };
        world.cluster.append(number % partitions, Some(payload.to_owned()));
    }
}

/// 50: three restarts while the rejected budget holds it: it stays held. After a resume the old window does not hold it
/// again, and new rejects do.
#[test]
fn schedule_50_a_hold_outlives_restarts_and_a_resume_forgives_the_window() {
    for_seeds(25, |seed| {
        let world = World::new(seed, 4);
        let scenario = async {
            send_half_bad(&world, 3000);
            let message = world.fails_with(&world.plan, "RejectedBudgetExceeded").await?;
            if !message.contains("NotWellFormed") || !message.contains("books/") {
                return Err(format!("no reason with a place: {message}"));
            }
            let held = world.zone().await?.fold().head();
            for _ in 0..3 {
                world.fails_with(&world.plan, "RejectedBudgetExceeded").await?;
                let cancel = CancellationToken::new();
                let process = world.process(&world.plan, Until::Cancelled, cancel.clone(), CancellationToken::new());
                let look = async {
                    world.timeline.sleep(120 * SECOND).await;
                    let report = world.board().report();
                    cancel.cancel();
                    report
                };
                let (_, report) = futures::future::join(process, look).await;
                if report.phase != IngestPhase::Held || report.message != message {
                    return Err(format!("{:?}: {}", report.phase, report.message));
                }
            }
            if world.zone().await?.fold().head() != held {
                return Err("something was committed while it was held".to_owned());
            }
            world.resume("token-1").await?;
            (0..40).for_each(|_| world.cluster.append(0, Some(GOOD.to_owned())));
            world.catch_up(&world.plan).await.map_err(|failure| failure.to_string())?;
            world.check().await?;
            send_half_bad(&world, 3000);
            world.fails_with(&world.plan, "RejectedBudgetExceeded").await.map(drop)
        };
        with_workers(&world, 0, scenario)
    });
}

/// Two workers of which one finds the budget exceeded: both stop, stay in the group, and go on when somebody resumes.
#[test]
fn hold_stops_every_worker_and_a_resume_lets_them_go_on() {
    for_seeds(40, |seed| {
        let world = World::new(seed, 4);
        let scenario = async {
            send_half_bad(&world, 3000);
            loop {
                world.timeline.sleep(5 * SECOND).await;
                if world.zone().await.is_ok_and(|zone| zone.fold().held().is_some()) {
                    break;
                }
                if world.timeline.uptime() > HOUR {
                    return Err("never held".to_owned());
                }
            }
            world.timeline.sleep(30 * SECOND).await;
            let held = world.zone().await?.fold().head();
            (0..40).for_each(|_| world.cluster.append(0, Some(GOOD.to_owned())));
            world.timeline.sleep(300 * SECOND).await;
            if world.zone().await?.fold().head() != held {
                return Err("something was committed while it was held".to_owned());
            }
            world.resume("token-1").await?;
            world.caught_up(HOUR).await?;
            world.check().await
        };
        with_workers(&world, 2, scenario)
    });
}

/// Another resource than the one that was held goes on by itself.
#[test]
fn changed_resource_ends_a_hold() {
    for_seeds(40, |seed| {
        let world = World::new(seed, 2);
        let mut corrected = world.plan.clone();
        corrected.spec_digest = gristmill_core::log::Digest::of(b"corrected").to_string();
        let scenario = async {
            send_half_bad(&world, 3000);
            world.fails_with(&world.plan, "RejectedBudgetExceeded").await?;
            world.catch_up(&corrected).await.map_err(|failure| failure.to_string())?;
            world.check().await
        };
        with_workers(&world, 0, scenario)
    });
}

/// 48: workers of one group share a zone; another group and another topic are refused by name.
#[test]
fn schedule_48_another_group_is_refused_by_name() {
    for_seeds(60, |seed| {
        let world = World::new(seed, 4);
        let mut laptop = world.plan.clone();
        laptop.consumer_group = "gristmill.laptop".to_owned();
        let scenario = async {
            super::world::send(&world, 30).await;
            world.caught_up(HOUR).await?;
            let message = world.fails_with(&laptop, "ZoneMismatch").await?;
            if !message.contains("gristmill.laptop") || !message.contains(&world.plan.consumer_group) {
                return Err(format!("it names not both: {message}"));
            }
            world.check().await
        };
        with_workers(&world, 2, scenario)
    });
}
