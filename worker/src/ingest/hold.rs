//! The rejected budget: too many rejects stop consumption, by an entry that all workers heed (F28).
//!
//! A held worker stays in the group, reads nothing, and looks at the log for what ends the hold: an entry of another, a
//! token of a user, or its own resource being another than the one that was held.

use std::time::Duration;

use gristmill_core::log::{Digest, Hold, HoldReason, RejectCounts, exceeds};
use gristmill_crds::plan::RejectedBudget;
use gristmill_crds::report::IngestPhase;

use super::interruption::Step;
use super::patience::Passing;
use super::worker::{Worker, attend};
use crate::exit::{Exit, Failure};
use crate::kafka::Source;
use crate::zone::Appended;

/// How often a held worker looks at the log.
const LOOK: Duration = Duration::from_secs(5);

/// A hold that was judged and is to be appended after the file that exceeds the budget.
#[derive(Debug)]
pub(super) struct Judged(Hold);

impl<S: Source> Worker<'_, S> {
    /// Judges the budget before an append.
    pub(super) fn judge(&self, about: RejectCounts) -> Option<Judged> {
        let budget = &self.plan.rejected.budget;
        let RejectCounts { messages, with_rejects } = exceeds(self.zone.fold(), about, self.zone.now(), budget)?;
        let message = format!(
            "{} % of {messages} messages in {} s have rejects, where {} % are tolerated: {}; correct spec.record or \
             the producer, then go on by `gristmill resume -f FILE`, or for a resource of a cluster by `kubectl \
             gristmill resume NAME`",
            RejectedBudget::share(messages, with_rejects),
            budget.window.as_secs(),
            budget.max_percent(),
            self.open.reasons(&self.plan.topic),
        );
        let judged_at = self.zone.fold().head();
        let reason = HoldReason::RejectedBudgetExceeded;
        Some(Judged(Hold { reason, judged_at, messages, messages_with_rejects: with_rejects, message }))
    }

    /// Appends a hold that was judged; one that others have made needless is left out.
    pub(super) async fn hold(&mut self, Judged(hold): Judged) -> Step {
        let (zone, patience) = (&mut self.zone, &self.patience);
        let work = patience.repeat(async || match zone.decide().await? {
            Some(decided) => Ok(decided),
            None => zone.hold(hold.clone()).await,
        });
        match Step::from(attend(&mut self.feed, self.grace, work).await??)? {
            Appended::Won(sequence) => tracing::warn!(sequence = sequence.0, "held: {}", hold.message),
            Appended::Lost(refusal) => tracing::info!(%refusal, "not held"),
        }
        self.heed_hold().await
    }

    /// Stops where the log says that consumption is held, and goes on where it no longer does.
    pub(super) async fn heed_hold(&mut self) -> Step {
        loop {
            let Some(held) = self.zone.fold().held() else {
                return self.end_hold().await;
            };
            let ours: Digest = self.plan.spec_digest.parse().map_err(|error| {
                let error: gristmill_core::log::InvalidName = error;
                Failure::new(Exit::Bug, "Internal", &error)
            })?;
            let token = self.resume_token().filter(|token| !self.zone.fold().has_resumed_by(token));
            if held.spec_digest == ours && token.is_none() {
                return self.stay_held().await;
            }
            let (zone, patience) = (&mut self.zone, &self.patience);
            let work = patience.repeat(async || match zone.decide().await? {
                Some(decided) => Ok(decided),
                None => zone.resume(token.clone()).await,
            });
            match Step::from(attend(&mut self.feed, self.grace, work).await??)? {
                Appended::Won(sequence) => tracing::info!(sequence = sequence.0, ?token, "resumed"),
                Appended::Lost(refusal) => tracing::info!(%refusal, "resumed by another"),
            }
        }
    }

    async fn stay_held(&mut self) -> Step {
        let Some(held) = self.zone.fold().held() else { return Ok(()) };
        let message = held.hold.message.clone();
        if self.targets.is_some() {
            return Err(Failure { exit: Exit::Rejected, reason: "RejectedBudgetExceeded", message }.into());
        }
        self.look_at = Some(self.clock.uptime() + LOOK);
        if !self.is_held {
            self.is_held = true;
            self.drop_open();
            self.feed.suspend().map_err(Passing::into_failure)?;
            // What was told before is dropped as well: it is read again when the hold ends.
            self.feed.seek(&self.progress.positions()).await.map_err(Passing::into_failure)?;
        }
        self.patience.board.phase(IngestPhase::Held, message);
        Ok(())
    }

    async fn end_hold(&mut self) -> Step {
        if !std::mem::take(&mut self.is_held) {
            return Ok(());
        }
        self.look_at = None;
        self.feed.seek(&self.progress.positions()).await.map_err(Passing::into_failure)?;
        self.feed.go_on().await.map_err(Passing::into_failure)?;
        self.ingesting();
        Ok(())
    }

    /// Looks at the log now and then while consumption is held.
    pub(super) async fn look_if_held(&mut self) -> Step {
        if self.look_at.is_none_or(|at| self.clock.uptime() < at) {
            return Ok(());
        }
        self.settle(self.grace).await
    }

    /// A token by which a user wants to go on, as it stands in the file that the pod is given.
    fn resume_token(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.resume_file.as_ref()?).ok()?;
        Some(text.trim().to_owned()).filter(|token| !token.is_empty())
    }
}
