//! Why a pod does not come: what the cluster tells in events alone, such as a volume that can't be mounted.
//!
//! Events are not watched. They are listed for a pod that has been on its way for longer than usual, and for a Job that has
//! no pod for as long, so that they cost nothing while all is well.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use tracing::warn;

use crate::context::Operator;
use crate::missing::{self, Missing};
use crate::pod_state::{self, PodState};

/// A pod whose volumes and image are at hand starts within this time.
const USUAL: SignedDuration = SignedDuration::from_secs(10);

/// Events of a pod that are read: repeated ones are one event, so that there are never many.
const MOST: u32 = 100;

/// Warnings that keep a pod from its start. Others, such as `DNSConfigForming`, do not, and are repeated for ever.
const TROUBLES: [&str; 5] =
    ["FailedMount", "FailedMapVolume", "FailedAttachVolume", "FailedCreatePodSandBox", "NetworkNotReady"];

/// The kubelet tries to mount again after two minutes at the latest, with some time for the attempt: what it has not
/// repeated since then is history.
const REPEATED_WITHIN: SignedDuration = SignedDuration::from_secs(150);

/// The state of a pod on its way, with what events say of it.
pub async fn explained(pod: &Pod, state: PodState, operator: &Operator) -> PodState {
    let PodState::Coming(what) = &state else { return state };
    let taken = pod.status.as_ref().and_then(|status| status.start_time.as_ref());
    if taken.is_none_or(|taken| (operator.now)().duration_since(taken.0) < USUAL) {
        return state;
    }
    let Some(events) = events_of(pod, operator).await else { return PodState::Unexplained(what.clone()) };
    match trouble(&events) {
        Some((reason, note)) => pod_state::with_event(state, reason, note, missing(&events)),
        None => state,
    }
}

/// Whether the API server refuses the pods of a Job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It does not, by the newest that the Job controller tells.
    No,
    /// It does, in these words.
    Yes(String),
    /// Events can't be listed.
    Unknown,
}

/// Whether the API server refuses the pods of a Job, and why.
pub async fn refused_pods(job: &Job, operator: &Operator) -> Refused {
    match events_of(job, operator).await {
        Some(events) => refusal(&events).map_or(Refused::No, |words| Refused::Yes(words.to_owned())),
        None => Refused::Unknown,
    }
}

/// Events of an object, unless they can't be listed: the next reconcile asks again.
async fn events_of<K: ResourceExt>(object: &K, operator: &Operator) -> Option<Vec<Event>> {
    let (Some(namespace), Some(uid)) = (object.namespace(), object.uid()) else { return None };
    let api: Api<Event> = Api::namespaced(operator.client.clone(), &namespace);
    let parameters = ListParams::default().fields(&format!("involvedObject.uid={uid}")).limit(MOST);
    match api.list(&parameters).await {
        Ok(events) => Some(events.items),
        Err(error) => {
            warn!(%namespace, object = object.name_any(), %error, "cannot list events");
            None
        }
    }
}

/// What the newest event of a Job says, if that is of a pod which can't be created.
fn refusal<'e>(events: &'e [Event]) -> Option<&'e str> {
    let newest = events.iter().max_by_key(|event| time(event))?;
    // A pod has a new name with each try, and the same sentence is no news.
    let words = |note: &'e str| note.split_once(" is forbidden: ").map_or(note, |(_, words)| words);
    (newest.reason.as_deref() == Some("FailedCreate")).then(|| words(note(newest)))
}

/// Reason and note of the newest trouble, if nothing has gone well since. One that names what is missing is told before
/// others of its time, such as the time that ran out for all volumes together.
fn trouble(events: &[Event]) -> Option<(&str, &str)> {
    let told =
        recent_troubles(events).into_iter().max_by_key(|event| (missing::read(note(event)).is_some(), time(event)))?;
    Some((reason(told)?, note(told)))
}

/// All that is missing by these events, in an order that does not depend on which one was repeated last.
fn missing(events: &[Event]) -> Vec<Missing> {
    let troubles = recent_troubles(events).into_iter();
    let mut missing: Vec<Missing> = troubles.filter_map(|event| missing::read(note(event))).collect();
    let place = |missing: &Missing| (missing.reason().to_string(), missing.name.clone(), missing.key.clone());
    missing.sort_by_key(place);
    missing.dedup();
    missing
}

/// Troubles since which nothing has gone well, and which the kubelet has had lately.
fn recent_troubles(events: &[Event]) -> Vec<&Event> {
    let success = events.iter().filter(|event| event.type_.as_deref() != Some("Warning")).map(time).max().flatten();
    let troubles = events.iter().filter(|event| reason(event).is_some() && time(event) >= success);
    let newest = troubles.clone().filter_map(time).max();
    let is_recent = |event: &&Event| match (time(event), newest) {
        (Some(time), Some(newest)) => newest.duration_since(time) < REPEATED_WITHIN,
        (time, newest) => time == newest,
    };
    troubles.filter(is_recent).collect()
}

fn reason(event: &Event) -> Option<&str> {
    event.reason.as_deref().filter(|reason| TROUBLES.contains(reason))
}

fn note(event: &Event) -> &str {
    event.message.as_deref().unwrap_or_default()
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

    #[test]
    fn warning_that_keeps_no_pod_from_its_start_is_not_told() {
        let mounted = event("Normal", "Pulling", "2026-11-23T05:00:00Z");
        let dns = event("Warning", "DNSConfigForming", "2026-11-23T05:01:00Z");
        assert_eq!(trouble(&[mounted, dns.clone()]), None);
        let failed = event("Warning", "FailedMount", "2026-11-23T05:00:30Z");
        assert_eq!(trouble(&[failed, dns]), Some(("FailedMount", "why")));
    }

    #[test]
    fn job_whose_newest_event_is_another_one_has_its_pod() {
        let refused = event("Warning", "FailedCreate", "2026-11-23T05:00:00Z");
        let created = event("Normal", "SuccessfulCreate", "2026-11-23T05:01:00Z");
        assert_eq!(refusal(std::slice::from_ref(&refused)), Some("why"));
        assert_eq!(refusal(&[refused, created]), None);
        assert_eq!(refusal(&[]), None);
    }

    #[test]
    fn missing_objects_keep_their_order_whichever_was_tried_last() {
        let of = |object: &str, time: &str| {
            let mut event = event("Warning", "FailedMount", time);
            event.message = Some(format!("MountVolume.SetUp failed for volume \"reference-0\" : {object} not found"));
            event
        };
        let both = |secret: &str, map: &str| missing(&[of("secret \"books\"", secret), of("configmap \"books\"", map)]);
        let first = both("2026-11-23T05:00:00Z", "2026-11-23T05:01:00Z");
        assert_eq!(first.len(), 2);
        assert_eq!(first, both("2026-11-23T05:01:00Z", "2026-11-23T05:00:00Z"));
    }

    #[test]
    fn trouble_that_names_what_is_missing_is_told_before_later_ones_of_its_time() {
        let note = "MountVolume.SetUp failed for volume \"reference-0\" : secret \"books\" not found";
        let mut missing = event("Warning", "FailedMount", "2026-11-23T05:00:00Z");
        missing.message = Some(note.to_owned());
        let later = |time| event("Warning", "FailedMount", time);
        assert_eq!(trouble(&[missing.clone(), later("2026-11-23T05:02:00Z")]), Some(("FailedMount", note)));
        assert_eq!(trouble(&[missing, later("2026-11-23T05:04:00Z")]), Some(("FailedMount", "why")), "history");
    }
}
