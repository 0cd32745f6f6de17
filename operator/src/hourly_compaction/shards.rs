//! A run that several pods share: an Indexed Job, of which each pod has a shard of the zone's buckets. Pure.

use std::collections::BTreeMap;

use gristmill_crds::report::of_shards;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::endings::{Ending, is_complete};
use crate::pod_state::{self, Failure};

/// Annotation by which the Job controller numbers the pods of an Indexed Job.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// The argument by which a pod knows its shard, up to their number. Kubernetes puts the pod's index into it.
///
/// As an argument and not as a variable of its own: the Job controller appends JOB_COMPLETION_INDEX to the environment,
/// and a variable sees only those before it.
const ARGUMENT: &str = "--shard=$(JOB_COMPLETION_INDEX)/";

/// The argument of the pods of a run that so many share.
pub fn argument(count: u32) -> String {
    format!("{ARGUMENT}{count}")
}

/// The part of a run that a pod has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// From 0.
    pub index: u32,
    /// How many share the run.
    pub count: u32,
}

impl Shard {
    /// The shard of a pod, if it shares a run.
    pub fn of(pod: &Pod) -> Option<Self> {
        let index = pod.annotations().get(INDEX)?.parse().ok()?;
        let arguments = pod_state::container(pod)?.args.iter().flatten();
        let count = arguments.filter_map(|argument| argument.strip_prefix(ARGUMENT)).next()?.parse().ok()?;
        Some(Self { index, count })
    }
}

/// How a shared run ended, by the endings of its pods. None while it goes on and nothing has gone wrong.
pub fn ending(job: Option<&Job>, endings: &[(Shard, Ending)]) -> Option<Ending> {
    let (Shard { count, .. }, _) = endings.first()?;
    // A shard that has ended well is done, even if Kubernetes ran its index twice.
    let done: BTreeMap<u32, &Ending> = endings
        .iter()
        .filter(|(_, ending)| ending.result.is_ok())
        .map(|(shard, ending)| (shard.index, ending))
        .collect();
    let open = || endings.iter().filter(|(shard, ending)| ending.result.is_err() && !done.contains_key(&shard.index));
    if let Some((shard, failed)) = open().max_by_key(|(_, ending)| ending.time) {
        // The last one is told, and the next run has memory enough for each.
        let refused = open().filter_map(|(_, ending)| ending.memory_refused);
        let memory_refused = refused.max_by_key(|refused| refused.least());
        return Some(Ending { memory_refused, ..named(*shard, failed) });
    }
    let is_whole = done.len() as u64 == u64::from(*count);
    // Pods of a Job that is complete may be gone, by a drained node: what they told is not known.
    if !is_whole && !job.is_some_and(is_complete) {
        return None;
    }
    let last = done.values().max_by_key(|ending| ending.time)?;
    let told = done.values().filter_map(|ending| ending.result.as_ref().ok()?.clone());
    let reports: Vec<_> = told.collect();
    let mut report = of_shards(&reports);
    if reports.len() as u64 != u64::from(*count) {
        // Figures of a part of the run are not those of the run.
        report.iter_mut().for_each(|report| report.runs.clear());
    }
    let cpu = done.values().map(|ending| ending.cpu).collect::<Option<Vec<u32>>>();
    Some(Ending {
        time: last.time,
        began: done.values().filter_map(|ending| ending.began).min(),
        job: last.job.clone(),
        trigger: last.trigger,
        cpu: cpu.map(|cpu| cpu.into_iter().fold(0, u32::saturating_add)),
        memory_refused: None,
        result: Ok(report),
    })
}

/// A failure that says which shard it is of.
fn named(Shard { index, count }: Shard, failed: &Ending) -> Ending {
    let result = failed
        .result
        .clone()
        .map_err(|failure| Failure { message: format!("shard {index}/{count}: {}", failure.message), ..failure });
    Ending { result, ..failed.clone() }
}
