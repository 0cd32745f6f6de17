//! Whether too many messages were rejected lately (F28): by the log, so that a restart and another worker judge alike.

use chrono::TimeDelta;
use gristmill_crds::BudgetAction;
use gristmill_crds::plan::RejectedBudget;

use super::fold::{Fold, RejectCounts};
use super::names::LogTime;

/// Messages of the budget's window: entries since then, but none from before the last resume, and what is about to be
/// appended.
pub fn rejects_in_window(fold: &Fold, about: RejectCounts, now: LogTime, budget: &RejectedBudget) -> RejectCounts {
    let window = TimeDelta::from_std(budget.window).unwrap_or(TimeDelta::MAX);
    // Clocks of writers may go back; effective time does not (F20).
    let now = fold.effective_time().max(now).utc();
    let from = now.checked_sub_signed(window).unwrap_or_default();
    fold.rejects_since(LogTime::new(from)).plus(about)
}

/// The counts by which consumption is to be held, if it is. Judged before an append; what is about to be appended is
/// appended all the same, since it is read already.
pub fn exceeds(fold: &Fold, about: RejectCounts, now: LogTime, budget: &RejectedBudget) -> Option<RejectCounts> {
    let counts = rejects_in_window(fold, about, now, budget);
    let exceeded = match budget.action {
        BudgetAction::Hold => budget.is_exceeded(counts.messages, counts.with_rejects),
        BudgetAction::Continue => false,
    };
    exceeded.then_some(counts)
}
