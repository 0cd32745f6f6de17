//! The ingest over a simulated group and a simulated store: the worker's own code, under a schedule that a seed decides.
//!
//! ```text
//! Timeline   virtual time; which of the tasks that are ready goes on is drawn
//! Cluster    one topic and a group that rebalances cooperatively, forgets members and takes them back
//! Weather    a store that is slow, away, or reports what it has done as failed
//! World      processes that come and go over both; in the end each message is in the zone once
//! ```
//!
//! All tests together run 2,000 seeds and some, fewer where a run is long. `GRISTMILL_SIMULATION_SEED=<n>` runs the seeded
//! tests with that seed alone, `GRISTMILL_SIMULATION_SEEDS=<n>` with so many seeds each.

mod broker;
mod executor;
mod held;
mod member;
mod outage;
mod positions;
mod retention;
mod schedules;
mod shared_group;
mod store;
mod world;

/// Why a simulated run is not as the protocol promises.
type Violation = String;

/// Runs a scenario over many seeds and names the seed that fails.
fn for_seeds(count: u64, scenario: impl Fn(u64) -> Result<(), Violation>) {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("GRISTMILL_SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("GRISTMILL_SIMULATION_SEEDS").unwrap_or(count),
    };
    if number("GRISTMILL_SIMULATION_SEED").is_some() {
        // One seed is looked at closely. An earlier test of the process may have set it up.
        drop(tracing_subscriber::fmt().with_test_writer().with_max_level(tracing::Level::DEBUG).try_init());
    }
    for seed in seeds {
        if let Err(violation) = scenario(seed) {
            panic!("seed {seed}: {violation}\nagain with GRISTMILL_SIMULATION_SEED={seed}");
        }
    }
}
