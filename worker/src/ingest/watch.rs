//! Looks at the topic from the side, so that the loop never waits for it: where its partitions end, and whether it is
//! still the same topic.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::kafka::{KafkaFault, TopicFacts, TopicProbe};

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
    },
    /// It does not answer.
    Blind {
        /// The first time in a row.
        since: Instant,
        /// Why not.
        fault: KafkaFault,
    },
}

/// A task that looks again and again; it ends with this value.
pub(super) struct TopicWatch {
    pub(super) looks: watch::Receiver<Look>,
    task: JoinHandle<()>,
}

impl TopicWatch {
    pub(super) fn begin(probe: TopicProbe) -> Self {
        let (sender, looks) = watch::channel(Look::None);
        let task = tokio::spawn(async move {
            let mut interval = tokio::time::interval(INTERVAL);
            interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                interval.tick().await;
                let seen = look(&probe).await;
                sender.send_modify(|last| {
                    *last = match seen {
                        Ok((facts, ends)) => Look::Seen { facts, ends },
                        Err(fault) => Look::Blind { since: blind_since(last), fault },
                    };
                });
            }
        });
        Self { looks, task }
    }
}

impl Drop for TopicWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn look(probe: &TopicProbe) -> Result<(TopicFacts, BTreeMap<i32, i64>), KafkaFault> {
    let facts = probe.facts().await?;
    let ends = probe.ends().await?;
    Ok((facts, ends))
}

fn blind_since(last: &Look) -> Instant {
    match last {
        Look::Blind { since, .. } => *since,
        Look::None | Look::Seen { .. } => Instant::now(),
    }
}
