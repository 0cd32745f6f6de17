//! Looks at the topic from the side, so that the loop never waits for it: where its partitions end, and whether it is
//! still the same topic.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use crate::kafka::{Brokers, KafkaFault, TopicFacts};
use crate::zone::Clock;

/// Three small requests each time; lag and an undelivered tail are noticed within two looks.
const INTERVAL: Duration = Duration::from_secs(5);

/// What was seen last.
#[derive(Debug)]
pub(super) enum Look {
    /// Nothing yet.
    None,
    /// The topic answered.
    Seen {
        /// Which topic answered.
        facts: TopicFacts,
        /// Its readable ends, asked for before this look was told.
        ends: BTreeMap<i32, i64>,
        /// When that was asked.
        read_at: DateTime<Utc>,
        /// Uptime of the process when the answer was there.
        answered_at: Duration,
    },
    /// It does not answer.
    Blind {
        /// Uptime of the process at the first time in a row.
        since: Duration,
        /// Why not.
        fault: KafkaFault,
    },
}

/// Looks again and again, and tells; it never ends by itself.
pub(super) async fn watch(brokers: impl Brokers, clock: &dyn Clock, told: watch::Sender<Look>) {
    loop {
        let read_at = clock.now();
        let seen = look(&brokers).await;
        let now = clock.uptime();
        told.send_modify(|last| {
            *last = match seen {
                Ok((facts, ends)) => Look::Seen { facts, ends, read_at, answered_at: now },
                Err(fault) => Look::Blind { since: blind_since(last, now), fault },
            };
        });
        clock.sleep(INTERVAL).await;
    }
}

async fn look(brokers: &impl Brokers) -> Result<(TopicFacts, BTreeMap<i32, i64>), KafkaFault> {
    let facts = brokers.facts().await?;
    let ends = brokers.ends().await?;
    Ok((facts, ends))
}

fn blind_since(last: &Look, now: Duration) -> Duration {
    match last {
        Look::Blind { since, .. } => *since,
        Look::None | Look::Seen { .. } => now,
    }
}
