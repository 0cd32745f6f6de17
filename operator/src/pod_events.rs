//! Why a pod does not come: what the cluster tells in events alone, such as a volume that can't be mounted.
//!
//! Events are not watched. They are listed for a pod that has been on its way for longer than usual, so that they cost
//! nothing while all is well.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use tracing::warn;

use crate::context::Operator;
use crate::pod_state::{self, PodState};

/// A pod whose volumes and image are at hand starts within this time.
const USUAL: SignedDuration = SignedDuration::from_secs(10);

/// Events of a pod that are read: repeated ones are one event, so that there are never many.
const MOST: u32 = 100;

/// The state of a pod on its way, with what events say of it.
pub async fn explained(pod: &Pod, state: PodState, operator: &Operator) -> PodState {
    let PodState::Coming(_) = state else { return state };
    let taken = pod.status.as_ref().and_then(|status| status.start_time.as_ref());
    if taken.is_none_or(|taken| (operator.now)().duration_since(taken.0) < USUAL) {
        return state;
    }
    let (Some(namespace), Some(uid)) = (pod.namespace(), pod.uid()) else { return state };
    let api: Api<Event> = Api::namespaced(operator.client.clone(), &namespace);
    let parameters = ListParams::default().fields(&format!("involvedObject.uid={uid}")).limit(MOST);
    match api.list(&parameters).await {
        Ok(events) => match trouble(&events.items) {
            Some((reason, note)) => pod_state::with_event(state, reason, note),
            None => state,
        },
        Err(error) => {
            // The pod is told as pending; the next reconcile asks again.
            warn!(%namespace, pod = pod.name_any(), %error, "cannot list events");
            state
        }
    }
}

/// Reason and note of the newest event, if it is a warning: a later success has made earlier warnings history.
fn trouble(events: &[Event]) -> Option<(&str, &str)> {
    let is_warning = |event: &&Event| event.type_.as_deref() == Some("Warning");
    let newest = events.iter().max_by_key(|event| (time(event), is_warning(event)))?;
    let newest = Some(newest).filter(is_warning)?;
    Some((newest.reason.as_deref().unwrap_or("Warning"), newest.message.as_deref().unwrap_or_default()))
}

/// When an event was seen last.
fn time(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref()).map(|time| time.0);
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    let first = event.event_time.as_ref().map(|time| time.0);
    let made = event.metadata.creation_timestamp.as_ref().map(|time| time.0);
    series.max(last).max(first).or(made)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, reason: &str, last: &str) -> Event {
        serde_json::from_value(json!({
            "metadata": {}, "involvedObject": {}, "type": kind, "reason": reason, "message": "why", "lastTimestamp": last,
        }))
        .expect("an event")
    }

    #[test]
    fn warning_is_told_while_nothing_has_happened_since() {
        let scheduled = event("Normal", "Scheduled", "2026-11-23T05:00:00Z");
        let failed = event("Warning", "FailedMount", "2026-11-23T05:00:00Z");
        let pulling = event("Normal", "Pulling", "2026-11-23T05:02:00Z");
        assert_eq!(trouble(&[failed.clone(), scheduled.clone()]), Some(("FailedMount", "why")));
        assert_eq!(trouble(&[pulling, failed, scheduled]), None);
        assert_eq!(trouble(&[]), None);
    }
}
