//! Offsets that brokers refuse: of a leader that has just changed it passes, of one that lacks what was read it does not.
//!
//! librdkafka does not say whose offset it was, so what is counted is which partitions stand still over it.

use std::collections::BTreeMap;
use std::time::Duration;

/// How long partitions that are not concerned are read on before all are looked at.
const PAUSE: Duration = Duration::from_secs(1);
/// Refusals in a row that a partition bears: a leader that has just changed makes one or two.
const BORNE: u32 = 5;
/// Refusals further apart than this have nothing to do with each other.
const APART: Duration = Duration::from_secs(30);

/// Where a partition stands when an offset was refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standstill {
    /// The partition.
    pub(super) partition: i32,
    /// Its next offset.
    pub(super) next: i64,
    /// The brokers hold more of it.
    pub(super) is_behind: bool,
}

/// What was refused of late.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    due: Option<Duration>,
    checked: Option<Duration>,
    /// The next offset of each partition, and how often it was found there in a row.
    stood: BTreeMap<i32, (i64, u32)>,
}

impl Refusals {
    /// An offset was refused.
    pub(super) fn note(&mut self, now: Duration) {
        self.due.get_or_insert(now + PAUSE);
    }

    /// Whether it is time to look at all partitions.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.due.is_some_and(|due| now >= due)
    }

    /// Looks at all partitions; whether one of them will never be read on: it has more to be read, or none has, and it
    /// has stood still over all refusals that are borne.
    pub(super) fn check(&mut self, now: Duration, partitions: impl Iterator<Item = Standstill>) -> bool {
        self.due = None;
        if self.checked.replace(now).is_none_or(|before| now - before > APART) {
            self.stood.clear();
        }
        let before = std::mem::take(&mut self.stood);
        let (mut is_behind, mut all, mut any) = (false, true, false);
        for Standstill { partition, next, is_behind: behind } in partitions {
            let times = before.get(&partition).filter(|(stood, _)| *stood == next).map_or(0, |(_, times)| *times) + 1;
            self.stood.insert(partition, (next, times));
            is_behind |= behind && times > BORNE;
            all &= times > BORNE;
            any = true;
        }
        is_behind || (any && all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32, next: i64, is_behind: bool) -> Standstill {
        Standstill { partition, next, is_behind }
    }

    /// Refusals a second apart, at each of which partition 0 stands where `at` says; how many until one is given up.
    fn given_up(partitions: impl Fn(i64) -> Vec<Standstill>) -> Option<i64> {
        let mut refusals = Refusals::default();
        (1..20).find(|round| {
            let now = Duration::from_secs(u64::try_from(*round).expect("a small number"));
            refusals.note(now);
            assert!(refusals.is_due(now + PAUSE));
            refusals.check(now + PAUSE, partitions(*round).into_iter())
        })
    }

    #[test]
    fn partition_that_stands_still_although_there_is_more_is_given_up() {
        assert_eq!(given_up(|_| vec![at(0, 100, true)]), Some(6));
        assert_eq!(given_up(|round| vec![at(0, 100, true), at(1, round, true)]), Some(6), "beside one that is read");
    }

    #[test]
    fn partition_that_moves_on_is_borne() {
        assert_eq!(given_up(|round| vec![at(0, round, true)]), None);
        assert_eq!(given_up(|round| vec![at(0, round, true), at(1, 100, false)]), None, "the other is at its end");
    }

    #[test]
    fn all_at_their_ends_and_refused_again_and_again_are_given_up() {
        assert_eq!(given_up(|_| vec![at(0, 100, false), at(1, 7, false)]), Some(6));
    }

    #[test]
    fn refusals_far_apart_are_not_added_up() {
        let mut refusals = Refusals::default();
        let far = |round: u32| round * (APART + PAUSE);
        assert!((1..20).all(|round| !refusals.check(far(round), [at(0, 100, true)].into_iter())));
    }

    #[test]
    fn refusals_of_one_moment_are_looked_at_once() {
        let mut refusals = Refusals::default();
        refusals.note(Duration::ZERO);
        refusals.note(Duration::from_millis(900));
        assert!(!refusals.is_due(Duration::from_millis(999)) && refusals.is_due(PAUSE));
        refusals.check(PAUSE, std::iter::empty());
        assert!(!refusals.is_due(Duration::from_secs(60)));
    }
}
