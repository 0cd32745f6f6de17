//! What both resources' statuses have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The log of a zone, as far as it has been read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ZoneStatus {
    /// Id of the zone, made once when the zone was created.
    pub id: String,
    /// Format of the zone's log.
    pub format: i32,
    /// Sequence of the newest entry.
    pub sequence: i64,
    /// Time of the newest entry (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_commit_time: Option<String>,
}
