//! What a worker says while its store is away, and after it.

use gristmill_crds::report::IngestPhase;

use super::for_seeds;
use super::world::{HOUR, SECOND, World, send, with_workers};
use crate::zone::Clock;

/// Nothing is to be committed meanwhile: upkeep finds the outage, and its end.
#[test]
fn worker_of_a_silent_topic_says_that_the_store_is_away_and_that_it_is_back() {
    for_seeds(10, |seed| {
        let world = World::new(seed, 1);
        let scenario = async {
            send(&world, 10).await;
            world.caught_up(HOUR).await?;
            world.timeline.sleep(60 * SECOND).await;
            let before = world.board().report();
            let began = world.timeline.now();
            world.weather.set_down(true);
            world.timeline.sleep(600 * SECOND).await;
            let report = world.board().report();
            let parts = ["hdfs://simulated:8020/raw/books", "; so since ", "safe mode", "messages wait in Kafka"];
            if report.phase != IngestPhase::StoreUnavailable || parts.iter().any(|part| !report.message.contains(part))
            {
                return Err(format!("{:?}: {}", report.phase, report.message));
            }
            let since = report.message.split("; so since ").nth(1).and_then(|rest| rest.split(';').next());
            let since: chrono::DateTime<chrono::Utc> = since.and_then(|since| since.parse().ok()).ok_or("no time")?;
            if (since - began).num_seconds() > 60 {
                return Err(format!("away since {began}, and it says {since}"));
            }
            world.weather.set_down(false);
            world.timeline.sleep(60 * SECOND).await;
            let after = world.board().report();
            if (after.phase, &after.message) != (before.phase, &before.message) {
                return Err(format!("{:?}: {}", after.phase, after.message));
            }
            Ok(())
        };
        with_workers(&world, 1, scenario)
    });
}
