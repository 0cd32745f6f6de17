//! When a file is old enough to be committed.
//!
//! A file that is dropped again and again at every rebalance would never be committed: after two in a row the age is
//! halved, and again with each that follows, until a commit succeeds (F12). Workers that were given their partitions at
//! the same time would commit at the same time for ever: each age is a little shorter by chance.

use std::time::Duration;

/// Dropped files in a row before files are committed sooner.
const BORNE: u32 = 2;
/// No age is below this: a commit costs the store some hundred milliseconds.
const SHORTEST: Duration = Duration::from_secs(1);
/// An age is shorter by up to this part.
const JITTER: u32 = 10;

/// The age of the next file.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    wanted: Duration,
    discards: u32,
    /// Where the sequence of chances stands.
    chance: u32,
}

impl Pace {
    /// Files of at most this age. `chance` is any number that other workers do not have.
    pub(super) fn new(wanted: Duration, chance: u32) -> Self {
        Self { wanted, discards: 0, chance }
    }

    /// A file was dropped.
    pub(super) fn discarded(&mut self) {
        self.discards = self.discards.saturating_add(1);
    }

    /// A file was committed; the next one's age differs from it.
    pub(super) fn committed(&mut self) {
        self.discards = 0;
        // A linear congruence: what matters is that two workers do not stay in step.
        self.chance = self.chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    }

    /// How old the next file may become.
    pub(super) fn max_age(&self) -> Duration {
        let halvings = (self.discards + 1).saturating_sub(BORNE).min(31);
        let age = self.wanted / (1 << halvings);
        let age = age.max(SHORTEST.min(self.wanted));
        age - age / JITTER * (self.chance >> 16 & 0xFF) / 0x100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[rstest::rstest]
    #[case::none(0, 60_000)]
    #[case::one_may_happen(1, 60_000)]
    #[case::two_in_a_row(2, 30_000)]
    #[case::three_in_a_row(3, 15_000)]
    #[case::never_below_a_second(40, 1_000)]
    fn age_is_halved_after_two_dropped_files_in_a_row(#[case] discards: u32, #[case] milliseconds: u64) {
        let mut pace = Pace::new(MINUTE, 0);
        (0..discards).for_each(|_| pace.discarded());
        assert_eq!(pace.max_age(), Duration::from_millis(milliseconds));
    }

    #[test]
    fn commit_restores_the_age() {
        let mut pace = Pace::new(MINUTE, 0);
        (0..5).for_each(|_| pace.discarded());
        pace.committed();
        assert!(pace.max_age() > MINUTE * 9 / 10);
    }

    #[test]
    fn workers_that_began_together_do_not_commit_together() {
        let ages: std::collections::BTreeSet<_> =
            (0..8).map(|chance| Pace::new(MINUTE, chance << 20).max_age()).collect();
        assert_eq!(ages.len(), 8);
        assert!(ages.iter().all(|age| *age <= MINUTE && *age >= MINUTE * 9 / 10), "{ages:?}");
    }

    #[test]
    fn age_below_a_second_is_left_as_it_is_wanted() {
        assert_eq!(Pace::new(Duration::from_millis(300), 0).max_age(), Duration::from_millis(300));
    }
}
