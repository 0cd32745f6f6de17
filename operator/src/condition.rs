//! Conditions as Kubernetes' tools read them.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::error::{Error, Fault};

/// The API allows 32,768 characters; the rest of a longer message is cut.
const LONGEST_MESSAGE: usize = 32_000;

/// Types of the conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionType {
    /// The resource does what it is for.
    Ready,
    /// The spec is valid.
    Accepted,
    /// No pods are to run; written only while that is so.
    Suspended,
}

impl ConditionType {
    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            ConditionType::Ready => "Ready",
            ConditionType::Accepted => "Accepted",
            ConditionType::Suspended => "Suspended",
        }
    }
}

/// What a condition says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// `True`, `False` or `Unknown`.
    pub status: Truth,
    /// One word in PascalCase.
    pub reason: String,
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
    /// A state that holds.
    pub fn holds(reason: &str, message: impl Into<String>) -> Self {
        Self { status: Truth::True, reason: reason.to_owned(), message: message.into() }
    }

    /// A state that does not hold.
    pub fn fails(reason: &str, message: impl Into<String>) -> Self {
        Self { status: Truth::False, reason: reason.to_owned(), message: message.into() }
    }

    /// A state that is not known yet.
    pub fn unknown(reason: &str, message: impl Into<String>) -> Self {
        Self { status: Truth::Unknown, reason: reason.to_owned(), message: message.into() }
    }
}

/// What an outcome says of the spec.
pub fn accepted<T>(outcome: &Result<T, Error>) -> State {
    match outcome {
        Err(error) if error.fault() == Fault::Spec => State::fails(error.reason(), error.to_message()),
        Ok(_) | Err(_) => State::holds("Valid", ""),
    }
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
        reason: state.reason,
        message: bounded(state.message),
        observed_generation: generation,
        last_transition_time: since,
    }
}

/// The condition of this type, if it was ever written.
pub fn find(conditions: &[Condition], condition_type: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == condition_type.as_str())
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
        let state = State::fails("Invalid", "é".repeat(20_000));
        let condition = next(&[], ConditionType::Accepted, state, Some(1), Timestamp::UNIX_EPOCH);
        assert!(condition.message.len() < 32_768 && condition.message.ends_with("é ... (cut)"));
    }
}
