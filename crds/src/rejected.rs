//! What becomes of messages and rows that are not valid, and how many of them are too many.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar::{HumanDuration, Percent, Period};

/// What becomes of invalid messages, and how many are too many.
///
/// They are kept beside the RAW zone, each with its reason and place. The budget counts messages with at least one reject.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rejected {
    /// Messages with a reject that are tolerated, in percent of the messages of the window. Default 10.
    ///
    /// From 0 to 100; quote decimals: "0.5". More of them, and the action follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_percent: Option<Percent>,
    /// With fewer messages in the window than this, never Hold. Default 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub min_messages: Option<i64>,
    /// How far back messages are counted. Default 10m, from 1s to 24h. It never reaches back over the last resume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<HumanDuration>,
    /// Hold (the default) or Continue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<BudgetAction>,
    /// What is kept of a rejected message: Full, Truncated (the default: its first 64 KiB) or None. Its digest is always kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<PayloadPolicy>,
    /// How long rejects stay. Default: for ever. Payloads may hold personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RejectedRetention>,
}

/// What happens when more messages are rejected than the budget allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BudgetAction {
    /// What is decided is committed, and consumption stops.
    ///
    /// It goes on when source, record, rejected, raw or rewind change, or by `gristmill resume`; never by a restart.
    #[default]
    Hold,
    /// Consumption goes on; the condition RejectedWithinBudget says so.
    Continue,
}

/// What is kept of a rejected message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PayloadPolicy {
    /// All of it.
    Full,
    /// Its first 64 KiB.
    #[default]
    Truncated,
    /// Its digest and length only.
    None,
}

/// How long rejects stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RejectedRetention {
    /// Age at which a file of rejects is deleted, counted from its commit, for example 90d. Units d (24 hours), h, m, s and ms.
    pub after: Period,
}
