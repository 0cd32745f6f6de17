//! Upkeep of the zone between commits: entries that others could not publish, fences and sweeps, checkpoints.

use std::time::Duration;

use super::interruption::Step;
use super::patience::Trouble;
use super::worker::{Worker, attend};
use crate::kafka::Source;

/// How often upkeep is asked for; what it does each time is little.
const EVERY: Duration = Duration::from_secs(10);

impl<S: Source> Worker<'_, S> {
    pub(super) async fn upkeep(&mut self) -> Step {
        let now = self.clock.uptime();
        if now < self.upkeep_at {
            return Ok(());
        }
        self.upkeep_at = now + EVERY;
        let zone = &mut self.zone;
        match attend(&mut self.feed, self.grace, zone.maintain()).await? {
            Ok(upkeep) if upkeep.is_fenced => self.start_over().await,
            Ok(upkeep) => {
                tracing::debug!(?upkeep, "upkeep");
                self.upkeep_trouble = Trouble::default();
                self.patience.board.store_is_back();
                Ok(())
            }
            Err(error) => {
                tracing::debug!(%error, "upkeep is tried again");
                self.patience.bear(&error)?;
                // A worker whose topic is silent finds out here, and nowhere else.
                self.patience.tell_away(&error, &mut self.upkeep_trouble);
                Ok(())
            }
        }
    }
}
