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

/// The status of a resource that no operator has seen: tools then wait instead of taking it for healthy.
pub(crate) fn pending() -> serde_json::Value {
    serde_json::json!({"conditions": [{
        "type": "Ready",
        "status": "Unknown",
        "reason": "Pending",
        "message": "no operator has looked at this resource yet; is gristmill-operator running?",
        "lastTransitionTime": "1970-01-01T00:00:00Z",
    }]})
}
