//! The zone under a seeded scheduler: the very code of the worker over a store that fails, hangs and dies on purpose.
//!
//! ```text
//! World      one memory store, one clock, one source of ids, the renames that hang
//! Process    a future that stops at each store operation; the scheduler picks by seed who goes on
//! Checker    after every change of the store: what must hold always; in the end: what must hold at rest
//! ```
//!
//! A test that is named `schedule_<n>_..` is that schedule of the protocol's list. `GRISTMILL_SIMULATION_SEED=<n>` runs the
//! seeded tests with that seed alone, `GRISTMILL_SIMULATION_SEEDS=<n>` with so many seeds each.

mod actors;
mod archiving;
mod checker;
mod crashes;
mod faults;
mod history;
mod pauses;
mod power;
mod publications;
mod races;
mod remade;
mod retention;
mod schedules;
mod steering;
mod upkeep;
mod world;

/// Why a simulated run is not as the protocol promises.
type Violation = String;

/// Runs a seeded scenario over many seeds and names the seed that fails.
fn for_seeds(count: u64, scenario: impl Fn(u64) -> Result<(), Violation>) {
    let only = std::env::var("GRISTMILL_SIMULATION_SEED").ok().and_then(|seed| seed.parse().ok());
    let more = std::env::var("GRISTMILL_SIMULATION_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    let seeds = only.map_or(0..more.unwrap_or(count), |seed: u64| seed..seed + 1);
    for seed in seeds {
        if let Err(violation) = scenario(seed) {
            panic!("seed {seed}: {violation}\nagain with GRISTMILL_SIMULATION_SEED={seed}");
        }
    }
}

/// The first seed of a scenario that ends in a violation: for tests that break a rule and want to see it found.
fn first_violation(count: u64, scenario: impl Fn(u64) -> Result<(), Violation>) -> Option<Violation> {
    (0..count).find_map(|seed| scenario(seed).err())
}
