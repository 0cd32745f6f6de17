//! What the log says of a store that is away: one line at its start, then one a minute. Each operation is repeated by itself,
//! and several are while one outage lasts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use tracing::{debug, warn};

use crate::store::{StoreError, ZoneUrl};

/// Time between two lines of one outage.
const BETWEEN_LINES: Duration = Duration::from_secs(60);
/// Repetitions come more often than this while a store is away: a transfer has a deadline of two minutes.
const OVER_AFTER: Duration = Duration::from_secs(150);

/// The outage of a store, as the operations of one process see it; clones share it.
#[derive(Clone, Default)]
pub(super) struct Outage(Arc<Mutex<Option<Seen>>>);

/// What is known of an outage.
#[derive(Debug, Clone, Copy)]
struct Seen {
    since: DateTime<Utc>,
    last: DateTime<Utc>,
    told: DateTime<Utc>,
}

impl Outage {
    /// Tells of an operation that is repeated, unless the outage was told of within a minute.
    pub(super) fn tell(&self, zone: &ZoneUrl, error: &StoreError, now: DateTime<Utc>) {
        match self.note(now) {
            Some(since) => {
                let since = since.to_rfc3339_opts(SecondsFormat::Secs, true);
                warn!(%zone, %error, since, "the store does not answer; see whether it runs and this host reaches it; operations are repeated");
            }
            None => debug!(%zone, %error, "store operation is repeated"),
        }
    }

    /// Since when the outage lasts, if it is time for a line.
    fn note(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = |from: DateTime<Utc>| (now - from).to_std().unwrap_or_default();
        let (since, is_due) = match *seen {
            Some(outage) if passed(outage.last) < OVER_AFTER => (outage.since, passed(outage.told) >= BETWEEN_LINES),
            Some(_) | None => (now, true),
        };
        let told = if is_due { now } else { seen.map_or(now, |outage| outage.told) };
        *seen = Some(Seen { since, last: now, told });
        is_due.then_some(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outage_is_told_at_its_start_and_once_a_minute() {
        let outage = Outage::default();
        let at = |second: i64| DateTime::from_timestamp(1_800_000_000 + second, 0).expect("a time");
        let lines: Vec<i64> = (0..=150).filter(|second| outage.clone().note(at(*second)) == Some(at(0))).collect();
        assert_eq!(lines, [0, 60, 120]);
        // Back for long, and away again.
        assert_eq!(outage.note(at(1000)), Some(at(1000)));
        assert_eq!(outage.note(at(1001)), None);
    }
}
