//! What the log says of a store that is away: one line at its start, then one a minute. Each operation is repeated by itself,
//! and several are while one outage lasts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use tracing::{debug, warn};

use super::Clock;
use crate::store::{StoreError, ZoneUrl};

/// Time between two lines of one outage.
const BETWEEN_LINES: Duration = Duration::from_secs(60);
/// Repetitions come more often than this while a store is away: a transfer has a deadline of two minutes.
const OVER_AFTER: Duration = Duration::from_secs(150);

/// The outage of a store, as the operations of one process see it; clones share it.
#[derive(Clone, Default)]
pub(super) struct Outage(Arc<Mutex<Option<Seen>>>);

/// What is known of outages. Ages are by the uptime, which nobody sets.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// The time when the one that lasts has begun.
    since: DateTime<Utc>,
    last: Duration,
    told: Duration,
    is_over: bool,
}

impl Outage {
    /// Tells of an operation that is repeated, unless there was a line within a minute.
    pub(super) fn tell(&self, zone: &ZoneUrl, error: &StoreError, clock: &dyn Clock) {
        match self.note(clock.now(), clock.uptime()) {
            Some(since) => {
                let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
                warn!(%zone, %error, since, "the store is unavailable; see whether it runs and this host reaches it; operations are repeated");
            }
            None => debug!(%zone, %error, "store operation is repeated"),
        }
    }

    /// An operation that was repeated has succeeded. What fails from now on is another outage.
    pub(super) fn end(&self) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = seen.map(|seen| Seen { is_over: true, ..seen });
    }

    /// Since when the outage lasts, if it is time for a line.
    fn note(&self, now: DateTime<Utc>, uptime: Duration) -> Option<DateTime<Utc>> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = |from: Duration| uptime.saturating_sub(from);
        let since = seen.filter(|seen| !seen.is_over && passed(seen.last) < OVER_AFTER).map_or(now, |seen| seen.since);
        // A store that comes and goes has one line a minute too.
        let told = seen.map(|seen| seen.told).filter(|told| passed(*told) < BETWEEN_LINES);
        *seen = Some(Seen { since, last: uptime, told: told.unwrap_or(uptime), is_over: false });
        told.is_none().then_some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("a time") + Duration::from_secs(second)
    }

    fn note(outage: &Outage, second: u64) -> Option<DateTime<Utc>> {
        outage.clone().note(at(second), Duration::from_secs(second))
    }

    #[test]
    fn outage_is_told_at_its_start_and_once_a_minute() {
        let outage = Outage::default();
        let lines: Vec<u64> = (0..=150).filter(|second| note(&outage, *second) == Some(at(0))).collect();
        assert_eq!(lines, [0, 60, 120]);
        // Back for long, and away again.
        assert_eq!(note(&outage, 1000), Some(at(1000)));
        assert_eq!(note(&outage, 1001), None);
    }

    #[test]
    fn repetition_that_succeeds_ends_an_outage_and_lines_stay_a_minute_apart() {
        let outage = Outage::default();
        for second in [0, 120, 240] {
            assert_eq!(note(&outage, second), Some(at(second)));
            outage.end();
        }
        assert_eq!(note(&outage, 250), None);
        assert_eq!(note(&outage, 300), Some(at(250)));
    }

    #[test]
    fn clock_that_is_set_back_silences_nothing() {
        let outage = Outage::default();
        assert_eq!(note(&outage, 0), Some(at(0)));
        let back = at(0) - Duration::from_secs(3600);
        assert_eq!(outage.note(back, Duration::from_secs(60)), Some(at(0)));
    }
}
