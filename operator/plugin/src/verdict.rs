//! Whether a resource is fine: what its conditions say, and what to do about those that are not as they should be. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Serialize;

use crate::kind::Kind;
use crate::resource::{HELD, Resource};

/// The answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Fine {
    /// Nothing is to be done.
    Yes,
    /// It is on its way.
    Waits,
    /// Somebody has to look.
    No,
}

impl Fine {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Fine::Yes => "yes",
            Fine::Waits => "waits",
            Fine::No => "no",
        }
    }
}

/// A condition that is not as it should be, or that is worth knowing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Remark {
    /// What it means for the answer.
    pub fine: Fine,
    /// Type of the condition.
    #[serde(rename = "type")]
    pub condition: String,
    /// True, False or Unknown.
    pub status: String,
    /// Reason of the condition.
    pub reason: String,
    /// What, where, and the next act.
    pub message: String,
    /// Since when (RFC 3339).
    pub since: Option<String>,
}

/// What is to be said of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The answer.
    pub fine: Fine,
    /// Reason of Ready.
    pub reason: String,
    /// Worst first.
    pub remarks: Vec<Remark>,
    /// Commands that help.
    pub next: Vec<String>,
}

/// Judges a resource by its conditions.
pub fn judge(resource: &Resource) -> Verdict {
    let mut remarks: Vec<Remark> = Vec::new();
    for condition in &resource.conditions {
        let Some(fine) = meaning(condition) else { continue };
        let is_told = remarks.iter().any(|told| told.message == condition.message && !told.message.is_empty());
        if !is_told {
            remarks.push(remark(fine, condition));
        }
    }
    remarks.extend(behind(resource));
    // Ready sums up the others, which say more.
    remarks.sort_by_key(|remark| std::cmp::Reverse(remark.fine));
    let ready = resource.condition("Ready");
    Verdict {
        fine: remarks.iter().map(|remark| remark.fine).max().unwrap_or(Fine::Yes),
        reason: ready.map_or_else(|| NOT_SEEN.to_owned(), |ready| ready.reason.clone()),
        next: next(resource),
        remarks,
    }
}

const NOT_SEEN: &str = "NotSeen";

/// What a condition means; nothing if it is as it should be, or of a type that this version does not know.
fn meaning(condition: &Condition) -> Option<Fine> {
    let (is_true, is_false) = (condition.status == "True", condition.status == "False");
    match condition.type_.as_str() {
        "Ready" | "Accepted" | "ResolvedRefs" | "BacklogWithinTarget" | "RejectedWithinBudget" => {
            match (is_true, is_false) {
                (true, _) => None,
                (_, true) => Some(Fine::No),
                _ => Some(Fine::Waits),
            }
        }
        "Stalled" => is_true.then_some(Fine::No),
        "Reconciling" => is_true.then_some(Fine::Waits),
        // Worth knowing, and as somebody wants it.
        "Suspended" | "ReconciliationPaused" | "ScalingLimited" => is_true.then_some(Fine::Yes),
        _ => None,
    }
}

fn remark(fine: Fine, condition: &Condition) -> Remark {
    let Condition { type_, status, reason, message, last_transition_time, observed_generation: _ } = condition;
    Remark {
        fine,
        condition: type_.clone(),
        status: status.clone(),
        reason: reason.clone(),
        message: message.clone(),
        since: Some(last_transition_time.0.to_string()),
    }
}

/// A status of a former spec, or none at all.
fn behind(resource: &Resource) -> Option<Remark> {
    let message = match (resource.condition("Ready"), resource.generation, resource.observed_generation) {
        (None, _, _) => {
            "no operator has looked at it yet; see `kubectl get pods -A -l app.kubernetes.io/name=gristmill-operator`"
                .to_owned()
        }
        (Some(_), Some(spec), Some(seen)) if seen < spec => format!(
            "the operator has not seen the newest change yet: the status is of generation {seen}, the spec of {spec}"
        ),
        (Some(_), _, _) => return None,
    };
    Some(Remark {
        fine: Fine::Waits,
        condition: "Ready".to_owned(),
        status: "Unknown".to_owned(),
        reason: NOT_SEEN.to_owned(),
        message,
        since: None,
    })
}

/// Commands of this plugin that help; the messages of conditions say the rest.
fn next(resource: &Resource) -> Vec<String> {
    let name = resource.to_name();
    let command = |verb: &str| format!("kubectl gristmill {verb} {name} -n {}", resource.namespace);
    let is_true = |wanted: &str| resource.condition(wanted).is_some_and(|condition| condition.status == "True");
    if is_true("Suspended") {
        return vec![command("resume")];
    }
    let is_refused = resource.condition("Accepted").is_some_and(|accepted| accepted.status == "False");
    match resource.condition("Ready") {
        Some(ready) if ready.status == "False" && !is_refused => match (ready.reason.as_str(), resource.kind) {
            (HELD, _) => vec![command("rejected"), command("resume")],
            (_, Kind::Ingest) => vec![command("logs")],
            (_, Kind::Compaction) => vec![command("logs"), command("run-now")],
        },
        Some(_) | None => Vec::new(),
    }
}
