//! Events of a resource: one when a condition turns, none while it stays.
//!
//! What is compared is the status as it was written last with the one that was just written, so that a restart of the
//! operator tells nothing anew. Repeated events of one reason and one action become a series of one event, which keeps the
//! note of the first.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType};
use tracing::warn;

use crate::condition::ConditionType;
use crate::context::Operator;
use crate::error::Error;
use crate::events::Subject;
use crate::reason::Reason;
use crate::resource::CustomResource;

/// The API allows 1 kB in a note.
const LONGEST_NOTE: usize = 1_000;
/// It allows so many bytes in an action.
const LONGEST_ACTION: usize = 128;

/// What the operator does when it tells of a condition.
const RECONCILE: &str = "Reconcile";

/// A condition that has turned.
#[derive(Debug, Clone, Copy)]
pub struct Transition<'a> {
    /// What it says now.
    pub condition: &'a Condition,
    /// Whether somebody should look.
    pub severity: EventType,
}

/// The conditions that have turned, one for each reason: those of one cause share it.
pub fn transitions<'a>(previous: &[Condition], next: &'a [Condition]) -> Vec<Transition<'a>> {
    let mut told: Vec<Transition<'a>> = Vec::new();
    for condition in next {
        let before = previous.iter().find(|before| before.type_ == condition.type_);
        let same = before.is_some_and(|before| before.status == condition.status && before.reason == condition.reason);
        let is_told = told.iter().any(|other| other.condition.reason == condition.reason);
        if same || is_told || condition.status == "Unknown" {
            continue;
        }
        let was_bad = before.is_some_and(is_bad);
        if is_bad(condition) {
            told.push(Transition { condition, severity: EventType::Warning });
        } else if was_bad || is_news(condition) {
            told.push(Transition { condition, severity: EventType::Normal });
        }
    }
    told
}

/// Publishes what has turned. An event that can't be written is logged: the status has it.
pub async fn publish<K, S>(
    operator: &Operator,
    resource: &CustomResource<K, S>,
    previous: &[Condition],
    next: &[Condition],
) {
    for Transition { condition, severity } in transitions(previous, next) {
        let event = event(severity, &condition.reason, RECONCILE, note(condition));
        tell(operator, resource, event, Subject::Spec(condition.observed_generation)).await;
    }
}

/// Publishes that a size was changed, and why. Like a condition's, the event is not worth a failure.
///
/// What the change begins with, up to a colon, is the action of its event: another change is another event then.
pub async fn publish_resize<K, S>(
    operator: &Operator,
    resource: &CustomResource<K, S>,
    reason: Reason,
    change: String,
) {
    let action = change.split_once(": ").map_or(change.as_str(), |(action, _)| action);
    let action = action[..action.floor_char_boundary(LONGEST_ACTION)].to_owned();
    let event = event(EventType::Normal, reason.as_str(), &action, change.clone());
    tell(operator, resource, event, Subject::Change(change)).await;
}

/// Publishes that something which was asked for has no effect.
pub async fn publish_warning<K, S>(operator: &Operator, resource: &CustomResource<K, S>, reason: Reason, note: &str) {
    let event = event(EventType::Warning, reason.as_str(), RECONCILE, note.to_owned());
    tell(operator, resource, event, Subject::Spec(resource.metadata.generation)).await;
}

/// Publishes that another installation of the operator has the resource, and says so in the log, once for as long.
pub async fn publish_elsewhere<K, S>(operator: &Operator, resource: &CustomResource<K, S>, error: &Error) {
    let message = error.to_message();
    let event = event(EventType::Warning, error.reason().as_str(), RECONCILE, message.clone());
    if tell(operator, resource, event, Subject::Spec(resource.metadata.generation)).await {
        warn!(resource = resource.title(), error = message, "the resource is left alone");
    }
}

fn event(type_: EventType, reason: &str, action: &str, mut note: String) -> Event {
    note.truncate(note.floor_char_boundary(LONGEST_NOTE));
    Event { type_, reason: reason.to_owned(), note: Some(note), action: action.to_owned(), secondary: None }
}

/// Whether it was news. An event that can't be written is: nobody has been told.
async fn tell<K, S>(operator: &Operator, resource: &CustomResource<K, S>, event: Event, subject: Subject) -> bool {
    let reference = ObjectReference {
        api_version: Some(resource.kind.api_version.clone()),
        kind: Some(resource.kind.kind.clone()),
        name: Some(resource.name().to_owned()),
        namespace: Some(resource.namespace().to_owned()),
        uid: resource.metadata.uid.clone(),
        ..Default::default()
    };
    match operator.events.publish(&event, subject, &reference, (operator.now)()).await {
        Ok(is_news) => is_news,
        Err(error) => {
            warn!(resource = resource.title(), reason = event.reason, %error, "event not written");
            true
        }
    }
}

fn note(condition: &Condition) -> String {
    match condition.message.as_str() {
        "" => format!("{} is {}", condition.type_, condition.status),
        message => message.to_owned(),
    }
}

/// Whether a condition says that something is wrong; of a way to the wanted state nothing is.
fn is_bad(condition: &Condition) -> bool {
    let is = |condition_type: ConditionType| condition.type_ == condition_type.as_str();
    if is(ConditionType::Stalled) || is(ConditionType::ScalingLimited) {
        return condition.status == "True";
    }
    if condition.reason == Reason::CrdOutdated.as_str() {
        return true;
    }
    let on_the_way = ["Pending", "Starting", "RollingOut", "Draining"].contains(&condition.reason.as_str());
    condition.status == "False" && !on_the_way
}

/// Whether a condition that is as it should be is worth a word: that a spec is valid, and others of its kind, is not.
fn is_news(condition: &Condition) -> bool {
    [ConditionType::Ready, ConditionType::Suspended, ConditionType::ReconciliationPaused]
        .iter()
        .any(|told| condition.type_ == told.as_str())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use rstest::rstest;

    use super::*;

    fn conditions(text: &str) -> Vec<Condition> {
        let condition = |text: &str| {
            let mut words = text.split(['=', '/']).map(str::to_owned);
            let mut word = || words.next().expect("TYPE=STATUS/REASON");
            let (type_, status, reason) = (word(), word(), word());
            let last_transition_time = Time(jiff::Timestamp::UNIX_EPOCH);
            Condition { type_, status, reason, message: String::new(), observed_generation: None, last_transition_time }
        };
        text.split_whitespace().map(condition).collect()
    }

    #[rstest]
    #[case::first_look("", "Accepted=True/Valid ResolvedRefs=True/Resolved Ready=Unknown/Pending", &[])]
    #[case::flows("Ready=Unknown/Pending", "Ready=True/Ingesting", &["Normal Ingesting"])]
    #[case::stays("Ready=True/Ingesting", "Ready=True/Ingesting", &[])]
    #[case::one_cause("Accepted=True/Valid Ready=True/Ingesting", "Accepted=False/Invalid Ready=False/Invalid Stalled=True/Invalid", &["Warning Invalid"])]
    #[case::mended("Accepted=False/Invalid Ready=False/Invalid", "Accepted=True/Valid Ready=False/RollingOut", &["Normal Valid", "Normal RollingOut"])]
    #[case::limited("ScalingLimited=False/DesiredWithinRange", "ScalingLimited=True/QuotaExceeded", &["Warning QuotaExceeded"])]
    #[case::limit_ends("ScalingLimited=True/QuotaExceeded", "ScalingLimited=False/DesiredWithinRange", &["Normal DesiredWithinRange"])]
    #[case::not_reported("BacklogWithinTarget=True/WithinTarget", "BacklogWithinTarget=Unknown/NotReported", &[])]
    #[case::reported_again("BacklogWithinTarget=Unknown/NotReported", "BacklogWithinTarget=True/WithinTarget", &[])]
    #[case::another_reason("Ready=False/SourceUnavailable", "Ready=False/StoreUnavailable", &["Warning StoreUnavailable"])]
    #[case::outdated("Accepted=True/Valid", "Accepted=True/CRDOutdated", &["Warning CRDOutdated"])]
    #[case::up_to_date("Accepted=True/CRDOutdated", "Accepted=True/Valid", &["Normal Valid"])]
    #[case::suspended("Ready=True/Ingesting", "Ready=True/Suspended Suspended=True/Suspended", &["Normal Suspended"])]
    fn turned_conditions_are_told_once_for_each_reason(
        #[case] previous: &str,
        #[case] next: &str,
        #[case] expected: &[&str],
    ) {
        let (previous, next) = (conditions(previous), conditions(next));
        let told = transitions(&previous, &next);
        let told: Vec<String> =
            told.iter().map(|turned| format!("{:?} {}", turned.severity, turned.condition.reason)).collect();
        assert_eq!(told, expected);
    }
}
