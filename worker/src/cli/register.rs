//! The compactions of `gristmill run` enter RAW's register of consumers before its retention takes rows off.
//!
//! A compaction registers at its first run, which the schedule may put hours away, and who is not registered holds nothing.
//! Here all are known from the start, so that none of them finds rows gone.

use std::time::Duration;

use gristmill_crds::plan::{CompactionPlan, IngestPlan};
use tokio::sync::watch;

use crate::compact::{self, Zones};
use crate::exit::Failure;
use crate::ingest::Awaited;
use crate::zone::Clock;

/// First pause between two tries; it doubles. A new RAW zone is there a moment after the ingest begins.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Compactions that are to be registered in one RAW zone.
pub(super) struct Registration<'p> {
    compactions: Vec<&'p CompactionPlan>,
    left: watch::Sender<Vec<String>>,
}

impl<'p> Registration<'p> {
    /// The compactions of an ingest. A suspended one too: it is to find its rows when somebody lets it go on. None where
    /// RAW keeps everything.
    pub(super) fn of(ingest: &IngestPlan, compactions: impl IntoIterator<Item = &'p CompactionPlan>) -> Self {
        let is_of = |plan: &&CompactionPlan| ingest.retention.is_some() && plan.ingest.raw_path == ingest.raw_path;
        let compactions: Vec<_> = compactions.into_iter().filter(is_of).collect();
        let left = watch::Sender::new(compactions.iter().map(|plan| name(plan)).collect());
        Self { compactions, left }
    }

    /// What the ingest waits for before it takes rows off its zone.
    pub(super) fn awaited(&self) -> Awaited {
        Awaited::of(self.left.subscribe())
    }

    /// Registers all, however long it takes; what fails is logged once and tried again.
    pub(super) async fn register(self, clock: &dyn Clock, zones: impl Fn(&CompactionPlan) -> Result<Zones, Failure>) {
        let (mut pause, mut told) = (FIRST_PAUSE, String::new());
        let mut left = self.compactions;
        loop {
            let mut failed = Vec::new();
            for plan in left {
                match try_one(plan, &zones).await {
                    Ok(()) => self.left.send_modify(|left| left.retain(|waiting| *waiting != name(plan))),
                    Err(failure) => {
                        // The ingest makes its zone when it has seen the topic.
                        if failure.reason != "NotAZone" && failure.message != told {
                            let (compaction, reason) = (name(plan), failure.reason);
                            tracing::warn!(compaction, reason, error = failure.message, "{}", NOT_REGISTERED);
                            told = failure.message;
                        }
                        failed.push(plan);
                    }
                }
            }
            if failed.is_empty() {
                return;
            }
            left = failed;
            clock.sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

const NOT_REGISTERED: &str =
    "the compaction is not registered in RAW's log; until it is, retention takes no rows off RAW";

async fn try_one(
    plan: &CompactionPlan,
    zones: &impl Fn(&CompactionPlan) -> Result<Zones, Failure>,
) -> Result<(), Failure> {
    Ok(compact::register(plan, &zones(plan)?).await?)
}

fn name(plan: &CompactionPlan) -> String {
    format!("{}/{}", plan.namespace, plan.name)
}
