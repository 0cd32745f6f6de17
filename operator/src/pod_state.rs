//! What a pod says of itself: whether it comes, runs or fails, and why.

use gristmill_crds::report::FailureReport;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateTerminated, ContainerStatus, Pod, PodCondition,
};
use kube::ResourceExt;

use crate::labels::HOURLY_COMPACTION;
use crate::missing::{self, Missing};
use crate::pod::CONTAINER;
use crate::reason::Reason;

/// The end of a log that stands in for a report: its last lines are enough for a condition.
const LONGEST_LOG: usize = 1_000;

/// State of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodState {
    /// It is scheduled, pulled or started, and nothing has gone wrong.
    Coming(String),
    /// The same, and the events that would tell what keeps it can't be listed.
    Unexplained(String),
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
    /// The process's own reason if it left a report, else what the cluster says.
    pub reason: Reason,
    /// What is wrong, and the next act.
    pub message: String,
    /// The Secrets and ConfigMaps that the kubelet misses, if that is it.
    pub missing: Vec<Missing>,
}

/// The state of a pod of ours.
pub fn read(pod: &Pod) -> PodState {
    let status = pod.status.clone().unwrap_or_default();
    let container = container_status(pod);
    match container.and_then(|container| container.state.as_ref()) {
        Some(ContainerState { running: Some(running), .. }) => PodState::Running {
            since: running.started_at.as_ref().map(|time| time.0),
            last_failure: container.and_then(last_termination).and_then(|ended| former_failure(pod, ended)),
        },
        Some(ContainerState { terminated: Some(ended), .. }) => {
            failure(pod, ended).map_or(PodState::Ended, PodState::Failing)
        }
        Some(ContainerState { waiting: Some(waiting), .. }) => {
            let reason = waiting.reason.as_deref().unwrap_or("waiting");
            let ended = container.and_then(last_termination).and_then(|ended| former_failure(pod, ended));
            match (reason, ended) {
                ("ContainerCreating" | "PodInitializing" | "waiting", _) => PodState::Coming(reason.to_owned()),
                ("CrashLoopBackOff", Some(failure)) => PodState::Failing(failure),
                (_, _) => PodState::Failing(waits(pod, reason, waiting.message.as_deref())),
            }
        }
        Some(_) | None if status.phase.as_deref() == Some("Failed") => {
            let message = sentence(status.reason.as_deref().unwrap_or("Failed"), status.message.as_deref());
            PodState::Failing(plain(Reason::WorkerUnavailable, format!("{message}; another pod takes its place")))
        }
        Some(_) | None => match unschedulable(pod) {
            Some(message) => PodState::Failing(plain(
                Reason::Unschedulable,
                format!(
                    "{}; give the cluster a node that fits, or change cpu, memory, nodeSelector, tolerations or affinity of spec.pod{}",
                    sentence("no node takes it", Some(&message)),
                    if is_run(pod) { ", or in mode Auto maxCpuPerPod or maxMemoryPerPod of spec.sizing" } else { "" },
                ),
            )),
            None => PodState::Coming("Pending".to_owned()),
        },
    }
}

/// The state of a pod on its way of which the cluster tells this.
///
/// That a volume can't be mounted stands nowhere but in events; each volume has its own.
pub fn with_event(state: PodState, event: &str, note: &str, missing: Vec<Missing>) -> PodState {
    match state {
        PodState::Coming(_) => PodState::Failing(Failure {
            reason: missing.first().map_or(Reason::WorkerUnavailable, Missing::reason),
            message: format!("{event}: {}; the kubelet tries again within two minutes", note.trim_end_matches('.')),
            missing,
        }),
        state @ (PodState::Unexplained(_) | PodState::Running { .. } | PodState::Failing(_) | PodState::Ended) => state,
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

/// What the process of a pod that ended badly left: its report, else the end of its log.
pub fn failure(pod: &Pod, ended: &ContainerStateTerminated) -> Option<Failure> {
    failure_with_log(pod, ended, "")
}

/// The same of the process before the one that the pod has now.
fn former_failure(pod: &Pod, ended: &ContainerStateTerminated) -> Option<Failure> {
    failure_with_log(pod, ended, " --previous")
}

/// `flag` is what `kubectl logs` needs to show the log of the process.
fn failure_with_log(pod: &Pod, ended: &ContainerStateTerminated, flag: &str) -> Option<Failure> {
    if ended.exit_code == 0 {
        return None;
    }
    let text = ended.message.as_deref().unwrap_or_default().trim();
    if let Ok(FailureReport { reason, message, needs_memory: _ }) = serde_json::from_str::<FailureReport>(text) {
        return Some(plain(Reason::reported(&reason).unwrap_or(Reason::CrashLoop), message));
    }
    let tail = if text.is_empty() { String::new() } else { format!("; its log ends with: {}", tail(text)) };
    let (name, namespace) = (pod.name_any(), pod.namespace().unwrap_or_default());
    Some(match ended.reason.as_deref() {
        Some("OOMKilled") => {
            let act = if is_run(pod) {
                "raise spec.pod.memory; in mode Auto the next run has twice as much, up to spec.sizing.maxMemoryPerPod"
            } else {
                "raise spec.pod.memory"
            };
            plain(Reason::OutOfMemory, format!("its process was killed for its memory; {act}{tail}"))
        }
        cause => {
            let cause = cause.filter(|cause| *cause != "Error").map(|cause| format!("{cause}, ")).unwrap_or_default();
            let message = format!(
                "its process ended with {cause}exit code {}{tail}; see `kubectl logs -n {namespace} {name}{flag}`",
                ended.exit_code
            );
            plain(Reason::CrashLoop, message)
        }
    })
}

/// Why a container waits that is not simply on its way.
fn waits(pod: &Pod, reason: &str, message: Option<&str>) -> Failure {
    let told = sentence(reason, message);
    match reason {
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "RegistryUnavailable"
        | "ImageInspectError" => {
            let image = pod.spec.as_ref().and_then(|spec| spec.containers.first()?.image.as_deref());
            let image = image.map(|image| format!(" of {image}")).unwrap_or_default();
            let message = format!(
                "{told}; see that the registry{image} is up, or correct spec.pod.image or spec.pod.imagePullSecrets"
            );
            plain(Reason::ImagePullFailed, message)
        }
        "CrashLoopBackOff" => {
            let (name, namespace) = (pod.name_any(), pod.namespace().unwrap_or_default());
            plain(Reason::CrashLoop, format!("{told}; see `kubectl logs -n {namespace} {name} --previous`"))
        }
        _ => {
            let missing = message.and_then(missing::read);
            let reason = missing.as_ref().map_or(Reason::WorkerUnavailable, Missing::reason);
            Failure { reason, message: told, missing: missing.into_iter().collect() }
        }
    }
}

/// The container of our process, as it was asked for.
pub fn container(pod: &Pod) -> Option<&Container> {
    pod.spec.as_ref()?.containers.iter().find(|container| container.name == CONTAINER)
}

fn container_status(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.iter().flatten().find(|container| container.name == CONTAINER)
}

fn last_termination(container: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    container.last_state.as_ref()?.terminated.as_ref()
}

/// Since when no node takes a pod.
pub fn unschedulable_since(pod: &Pod) -> Option<Timestamp> {
    not_scheduled(pod)?.last_transition_time.as_ref().map(|time| time.0)
}

fn unschedulable(pod: &Pod) -> Option<String> {
    not_scheduled(pod).map(|condition| condition.message.clone().unwrap_or_default())
}

fn not_scheduled(pod: &Pod) -> Option<&PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == "PodScheduled" && condition.status == "False")
}

/// Whether a pod is one of a compaction's runs, the size of which the operator may decide.
fn is_run(pod: &Pod) -> bool {
    pod.labels().contains_key(HOURLY_COMPACTION)
}

fn plain(reason: Reason, message: String) -> Failure {
    Failure { reason, message, missing: Vec::new() }
}

fn sentence(reason: &str, message: Option<&str>) -> String {
    match message.map(|message| message.trim().trim_end_matches('.')) {
        Some(message) if !message.is_empty() => format!("{reason}: {message}"),
        Some(_) | None => reason.to_owned(),
    }
}

fn tail(text: &str) -> &str {
    let start = text.len().saturating_sub(LONGEST_LOG);
    let start = (start..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    &text[start..]
}
