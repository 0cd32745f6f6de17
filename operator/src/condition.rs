//! Conditions as Kubernetes' tools read them.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::error::{Error, Fault};
use crate::reason::Reason;
use crate::served_schema::Outdated;

/// The API allows 32,768 characters; the rest of a longer message is cut.
const LONGEST_MESSAGE: usize = 32_000;

/// Types of the conditions, in the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionType {
    /// The spec is valid.
    Accepted,
    /// Every Secret and ConfigMap that the spec names is there.
    ResolvedRefs,
    /// The resource does what it is for.
    Ready,
    /// The wanted state is on its way; written only while that is so.
    Reconciling,
    /// Only an act of a user helps; written only while that is so.
    Stalled,
    /// What waits is young enough.
    BacklogWithinTarget,
    /// There are no more rejects than the budget allows.
    RejectedWithinBudget,
    /// There are fewer workers than are wanted, or others than the operator decides.
    ScalingLimited,
    /// No pods are to run; written only while that is so.
    Suspended,
    /// The operator applies nothing; written only while that is so.
    ReconciliationPaused,
}

impl ConditionType {
    /// All types.
    pub const ALL: [ConditionType; 10] = [
        ConditionType::Accepted,
        ConditionType::ResolvedRefs,
        ConditionType::Ready,
        ConditionType::Reconciling,
        ConditionType::Stalled,
        ConditionType::BacklogWithinTarget,
        ConditionType::RejectedWithinBudget,
        ConditionType::ScalingLimited,
        ConditionType::Suspended,
        ConditionType::ReconciliationPaused,
    ];

    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            ConditionType::Accepted => "Accepted",
            ConditionType::ResolvedRefs => "ResolvedRefs",
            ConditionType::Ready => "Ready",
            ConditionType::Reconciling => "Reconciling",
            ConditionType::Stalled => "Stalled",
            ConditionType::BacklogWithinTarget => "BacklogWithinTarget",
            ConditionType::RejectedWithinBudget => "RejectedWithinBudget",
            ConditionType::ScalingLimited => "ScalingLimited",
            ConditionType::Suspended => "Suspended",
            ConditionType::ReconciliationPaused => "ReconciliationPaused",
        }
    }
}

/// What a condition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// `True`, `False` or `Unknown`.
    pub status: Truth,
    /// Why, in one word.
    pub reason: Reason,
    /// What, where, and the next act.
    pub message: String,
}

/// Status of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It is not known yet.
    Unknown,
}

impl Truth {
    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Truth::True => "True",
            Truth::False => "False",
            Truth::Unknown => "Unknown",
        }
    }
}

impl State {
    /// What a condition says that was written before.
    pub fn of(condition: &Condition) -> Self {
        let status = match condition.status.as_str() {
            "True" => Truth::True,
            "False" => Truth::False,
            _ => Truth::Unknown,
        };
        Self { status, reason: Reason::Reported(condition.reason.clone()), message: condition.message.clone() }
    }

    /// A state that holds.
    pub fn holds(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: Truth::True, reason, message: message.into() }
    }

    /// A state that does not hold.
    pub fn fails(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: Truth::False, reason, message: message.into() }
    }

    /// A state that is not known yet.
    pub fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: Truth::Unknown, reason, message: message.into() }
    }
}

/// What an outcome says of the spec. Of an outdated definition it tells where the spec is not refused: pods run meanwhile.
pub fn accepted<T>(outcome: &Result<T, Error>, outdated: Option<&Outdated>) -> State {
    match outcome {
        Err(error) if error.fault() == Fault::Spec => State::fails(error.reason(), error.to_message()),
        Ok(_) | Err(_) => match outdated {
            Some(outdated) => State::holds(Reason::CrdOutdated, outdated.to_string()),
            None => State::holds(Reason::Valid, ""),
        },
    }
}

/// The conditions that say whether tools may wait: on the way, or stuck. At most one of them is written.
pub fn progress(states: &[(ConditionType, State)]) -> Option<(ConditionType, State)> {
    let failed = |wanted: ConditionType| {
        let of_type = states.iter().filter(move |(condition_type, _)| *condition_type == wanted);
        of_type.map(|(_, state)| state).find(|state| state.status != Truth::True)
    };
    let as_true = |state: &State| State { status: Truth::True, ..state.clone() };
    let ready = failed(ConditionType::Ready);
    if let Some(stalling) =
        failed(ConditionType::Accepted).into_iter().chain(ready).find(|state| state.reason.is_stalling())
    {
        return Some((ConditionType::Stalled, as_true(stalling)));
    }
    let on_the_way = ready.filter(|state| state.reason.is_transition() || state.reason == Reason::ApplyFailed)?;
    Some((ConditionType::Reconciling, as_true(on_the_way)))
}

/// The conditions of these states.
pub fn all(
    previous: &[Condition],
    states: Vec<(ConditionType, State)>,
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    states.into_iter().map(|(condition_type, state)| next(previous, condition_type, state, generation, now)).collect()
}

/// The condition of this type; its transition time is kept while its status is the same.
pub fn next(
    previous: &[Condition],
    condition_type: ConditionType,
    state: State,
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    let status = state.status.as_str();
    let since = find(previous, condition_type)
        .filter(|condition| condition.status == status)
        .map_or(Time(now), |condition| condition.last_transition_time.clone());
    Condition {
        type_: condition_type.as_str().to_owned(),
        status: status.to_owned(),
        reason: state.reason.to_string(),
        message: bounded(state.message),
        observed_generation: generation,
        last_transition_time: since,
    }
}

/// The condition of this type, if it was ever written.
pub fn find(conditions: &[Condition], condition_type: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == condition_type.as_str())
}

/// The condition of this type, if it was told of this very spec that it does not hold.
pub fn failed_before(
    conditions: &[Condition],
    condition_type: ConditionType,
    generation: Option<i64>,
) -> Option<&Condition> {
    let is_of_spec = |known: &&Condition| known.observed_generation == generation;
    find(conditions, condition_type).filter(is_of_spec).filter(|known| known.status == Truth::False.as_str())
}

/// Whether conditions differ in more than their text: a message with figures changes all the time.
pub fn differ(left: &[Condition], right: &[Condition]) -> bool {
    let essence = |condition: &Condition| {
        (condition.type_.clone(), condition.status.clone(), condition.reason.clone(), condition.observed_generation)
    };
    left.iter().map(essence).ne(right.iter().map(essence))
}

fn bounded(mut message: String) -> String {
    if message.len() > LONGEST_MESSAGE {
        let end = (0..=LONGEST_MESSAGE).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
        message.push_str(" ... (cut)");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_that_the_api_server_would_refuse_is_cut_between_characters() {
        let state = State::fails(Reason::Invalid, "é".repeat(20_000));
        let condition = next(&[], ConditionType::Accepted, state, Some(1), Timestamp::UNIX_EPOCH);
        assert!(condition.message.len() < 32_768 && condition.message.ends_with("é ... (cut)"));
    }
}
