//! The rejected budget, exactly, and what is kept of rejects.

use std::time::Duration;

use super::{Problems, within};
use crate::rejected::{BudgetAction, PayloadPolicy, Rejected, RejectedRetention};
use crate::scalar::InvalidScalar;

/// Default share of messages with a reject, in ten-thousandths of a percent: 10 %.
const DEFAULT_MAX_PERCENT: u32 = 10 * 10_000;
/// Below this many messages a share says nothing.
const DEFAULT_MIN_MESSAGES: u64 = 1000;
/// Default window.
const DEFAULT_WINDOW: Duration = Duration::from_secs(600);

/// What becomes of rejects, and how many are too many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedPlan {
    /// How many are too many.
    pub budget: RejectedBudget,
    /// What is kept of a message.
    pub payload: PayloadPolicy,
    /// Age at which a file of rejects is deleted; None keeps it for ever.
    pub retention: Option<Duration>,
}

/// How many messages with a reject are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RejectedBudget {
    /// Tolerated share, in ten-thousandths of a percent.
    max_ten_thousandths: u32,
    /// Below this many messages in the window the budget is never exceeded.
    pub min_messages: u64,
    /// How far back messages count.
    pub window: Duration,
    /// What happens when it is exceeded.
    pub action: BudgetAction,
}

impl RejectedBudget {
    /// Whether `rejected` of `messages` are more than the budget allows.
    pub fn is_exceeded(&self, messages: u64, rejected: u64) -> bool {
        // In whole numbers, so that exactly the tolerated share is never "more".
        messages >= self.min_messages
            && u128::from(rejected) * 1_000_000 > u128::from(messages) * u128::from(self.max_ten_thousandths)
    }

    /// The tolerated share as a person writes it, for example `5` or `0.5`.
    pub fn max_percent(&self) -> String {
        percent(self.max_ten_thousandths)
    }

    /// The share of `rejected` in `messages` in percent, with one decimal more than the API shows of most figures: `0.25`.
    pub fn share(messages: u64, rejected: u64) -> String {
        let hundredths = (u128::from(rejected) * 10_000).checked_div(u128::from(messages)).unwrap_or(0);
        percent(u32::try_from(hundredths * 100).unwrap_or(100 * 10_000))
    }
}

fn percent(ten_thousandths: u32) -> String {
    let text = format!("{}.{:04}", ten_thousandths / 10_000, ten_thousandths % 10_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl RejectedPlan {
    pub(super) fn read(at: &str, rejected: Option<&Rejected>, problems: &mut Problems) -> Self {
        let Rejected { max_percent, min_messages, window, action, payload, retention } =
            rejected.cloned().unwrap_or_default();
        let max_ten_thousandths = max_percent
            .and_then(|percent| problems.check(&format!("{at}.maxPercent"), percent.to_ten_thousandths()))
            .unwrap_or(DEFAULT_MAX_PERCENT);
        let min_messages = match min_messages.map(u64::try_from) {
            None => DEFAULT_MIN_MESSAGES,
            Some(Ok(count)) if count > 0 => count,
            Some(_) => {
                problems.add(format!("{at}.minMessages"), "is not a number of messages; write 1 or more");
                DEFAULT_MIN_MESSAGES
            }
        };
        let day = Duration::from_secs(24 * 3600);
        let window = window.map(|window| window.to_duration());
        let window = within(&format!("{at}.window"), window, Duration::from_secs(1)..=day, "1s to 24h", problems);
        let retention = retention.map(|RejectedRetention { after }| after.to_duration());
        Self {
            budget: RejectedBudget {
                max_ten_thousandths,
                min_messages,
                window: window.unwrap_or(DEFAULT_WINDOW),
                action: action.unwrap_or_default(),
            },
            payload: payload.unwrap_or_default(),
            retention: retention_age(&format!("{at}.retention.after"), retention, problems),
        }
    }
}

/// The age at which a file goes: a second, so that a try on a laptop shows it, to a century.
pub(super) fn retention_age(
    at: &str,
    after: Option<Result<Duration, InvalidScalar>>,
    problems: &mut Problems,
) -> Option<Duration> {
    let century = Duration::from_secs(36_525 * 24 * 3600);
    within(at, after, Duration::from_secs(1)..=century, "1s to 36525d", problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(max_percent: &str, min_messages: i64) -> RejectedBudget {
        let rejected: Rejected =
            serde_json::from_value(serde_json::json!({"maxPercent": max_percent, "minMessages": min_messages}))
                .expect("a block");
        RejectedPlan::read("spec.rejected", Some(&rejected), &mut Problems::default()).budget
    }

    #[test]
    fn exactly_the_tolerated_share_is_within_the_budget() {
        let budget = budget("2.5", 1000);
        assert!(!budget.is_exceeded(1000, 25));
        assert!(budget.is_exceeded(1000, 26));
        assert!(!budget.is_exceeded(999, 999), "below minMessages a share says nothing");
        assert!(!budget.is_exceeded(u64::MAX, u64::MAX / 40));
    }

    #[test]
    fn shares_are_texts_without_needless_digits() {
        assert_eq!(budget("2.50", 1).max_percent(), "2.5");
        assert_eq!(RejectedBudget::share(812_345, 1_201), "0.14");
        assert_eq!(RejectedBudget::share(3, 3), "100");
        assert_eq!(RejectedBudget::share(0, 0), "0");
    }
}
