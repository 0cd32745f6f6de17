//! What a pod says of itself: whether it comes, runs or fails, and why.

use gristmill_crds::report::FailureReport;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, ContainerStatus, Pod};
use kube::ResourceExt;

use crate::pod::CONTAINER;

/// The end of a log that stands in for a report: its last lines are enough for a condition.
const LONGEST_LOG: usize = 1_000;

/// State of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodState {
    /// It is scheduled, pulled or started, and nothing has gone wrong.
    Coming(String),
    /// Its process runs.
    Running {
        /// Since when.
        since: Option<Timestamp>,
        /// How the process before it ended, if it failed.
        last_failure: Option<Failure>,
    },
    /// It can't start, or its process failed.
    Failing(Failure),
    /// Its process ended well.
    Ended,
}

/// Why a pod fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The process's own reason, if it left a report.
    pub reason: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// The state of a pod of ours.
pub fn read(pod: &Pod) -> PodState {
    let status = pod.status.clone().unwrap_or_default();
    let container = container_status(pod);
    match container.and_then(|container| container.state.as_ref()) {
        Some(ContainerState { running: Some(running), .. }) => PodState::Running {
            since: running.started_at.as_ref().map(|time| time.0),
            last_failure: container.and_then(last_termination).and_then(failure),
        },
        Some(ContainerState { terminated: Some(ended), .. }) => {
            failure(ended).map_or(PodState::Ended, PodState::Failing)
        }
        Some(ContainerState { waiting: Some(waiting), .. }) => {
            let reason = waiting.reason.as_deref().unwrap_or("waiting");
            let ended = container.and_then(last_termination).and_then(failure);
            match (reason, ended) {
                ("ContainerCreating" | "PodInitializing" | "waiting", _) => PodState::Coming(reason.to_owned()),
                ("CrashLoopBackOff", Some(failure)) => PodState::Failing(failure),
                (_, _) => PodState::Failing(plain(sentence(reason, waiting.message.as_deref()))),
            }
        }
        Some(_) | None if status.phase.as_deref() == Some("Failed") => {
            PodState::Failing(plain(sentence(status.reason.as_deref().unwrap_or("Failed"), status.message.as_deref())))
        }
        Some(_) | None => match unschedulable(pod) {
            Some(message) => PodState::Failing(plain(sentence("Unschedulable", Some(&message)))),
            None => PodState::Coming("Pending".to_owned()),
        },
    }
}

/// How the process of a pod ended, if it did.
pub fn termination(pod: &Pod) -> Option<&ContainerStateTerminated> {
    container_status(pod)?.state.as_ref()?.terminated.as_ref()
}

/// The newest of these pods that is not being deleted, else the newest.
pub fn newest<P: AsRef<Pod> + Clone>(pods: &[P]) -> Option<P> {
    let age = |pod: &P| {
        let pod = pod.as_ref();
        (pod.metadata.deletion_timestamp.is_none(), pod.creation_timestamp(), pod.name_any())
    };
    pods.iter().max_by_key(|pod| age(pod)).cloned()
}

/// How often the process of a pod was started again.
pub fn restarts(pod: &Pod) -> i32 {
    container_status(pod).map_or(0, |container| container.restart_count)
}

/// What a process that ended badly left: its report, else the end of its log.
pub fn failure(ended: &ContainerStateTerminated) -> Option<Failure> {
    if ended.exit_code == 0 {
        return None;
    }
    let message = ended.message.as_deref().unwrap_or_default().trim();
    if let Ok(report) = serde_json::from_str::<FailureReport>(message) {
        let FailureReport { reason, message } = report;
        return Some(Failure { reason: is_reason(&reason).then_some(reason), message });
    }
    let cause = match ended.reason.as_deref() {
        Some("OOMKilled") => "it was killed for its memory; raise spec.pod.memory".to_owned(),
        Some(reason) if reason != "Error" => format!("{reason}, exit code {}", ended.exit_code),
        Some(_) | None => format!("exit code {}", ended.exit_code),
    };
    Some(plain(if message.is_empty() { cause } else { format!("{cause}; its log ends with: {}", tail(message)) }))
}

fn container_status(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.iter().flatten().find(|container| container.name == CONTAINER)
}

fn last_termination(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    container.last_state.as_ref()?.terminated.as_ref()
}

fn unschedulable(pod: &Pod) -> Option<String> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let refused = |condition: &&k8s_openapi::api::core::v1::PodCondition| {
        condition.type_ == "PodScheduled" && condition.status == "False"
    };
    conditions.iter().find(refused).map(|condition| condition.message.clone().unwrap_or_default())
}

fn plain(message: String) -> Failure {
    Failure { reason: None, message }
}

fn sentence(reason: &str, message: Option<&str>) -> String {
    match message {
        Some(message) if !message.is_empty() => format!("{reason}: {message}"),
        Some(_) | None => reason.to_owned(),
    }
}

/// The API server refuses a condition whose reason is no single word.
fn is_reason(word: &str) -> bool {
    let mut characters = word.chars();
    characters.next().is_some_and(|c| c.is_ascii_uppercase())
        && characters.all(|c| c.is_ascii_alphanumeric())
        && word.len() <= 64
}

fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(LONGEST_LOG);
    let start = (start..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    &text[start..]
}
