//! `explain-sizing`: how many workers an ingest needs, with how much CPU, and why.
//!
//! The operator's own function, over what the workers tell now and what the operator remembers. What the operator knows
//! of quotas, nodes and scalers is not computed again: its condition is printed beside.

use gristmill_crds::names::{CONTAINER, SIZING, STREAM_INGEST, ingest_name};
use gristmill_crds::plan::IngestPlan;
use gristmill_crds::report::IngestReport;
use gristmill_crds::{Quantity, StreamIngest};
use gristmill_sizing::{Facts, History, Limits, Phase, Size, Worker, decide};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, ResourceRequirements};
use kube::ResourceExt;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::error::{Error, describe};
use crate::resource::Resource;
use crate::table::{Column, Table, paragraph, since};
use crate::worker;

/// Columns of the names in an explanation, the space after them included.
const NAME_WIDTH: usize = 13;

/// What the operator remembers; of more it is nothing to us.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Remembered {
    decided: Option<Size>,
    /// A resize to more that is refused.
    refused: Option<Value>,
    history: History,
}

/// What the size is computed from.
#[derive(Debug, Default)]
pub struct Told {
    /// Workers, those included that have told nothing.
    pub workers: Vec<Worker>,
    /// Partitions of the topic, as workers told.
    pub partitions: Option<i32>,
    /// What the annotation of the Deployment says.
    pub remembered: Option<String>,
    /// Replicas of the Deployment.
    pub replicas: Option<i32>,
    /// Why workers are silent.
    pub silent: Vec<String>,
    /// Whether a node has not granted a worker its CPU.
    pub waits_for_cpu: bool,
}

/// Asks the workers, and reads what the operator remembers.
///
/// # Errors
/// The pods or the Deployment can't be read.
pub async fn read(cluster: &Cluster, stream: &Resource) -> Result<Told, Error> {
    let deployment: Option<Deployment> = cluster
        .api()
        .get_opt(&ingest_name(&stream.name))
        .await
        .map_err(|error| cluster.act("get", "deployments.apps").failed(error))?;
    let remembered = deployment.as_ref().and_then(|deployment| deployment.annotations().get(SIZING).cloned());
    let replicas = deployment.and_then(|deployment| deployment.spec?.replicas);
    let answers = match worker::of(cluster, &stream.name).await {
        Ok(workers) => workers.ask_each::<IngestReport>("/status").await,
        Err(error @ Error::NoWorker { .. }) => {
            let silent = vec![describe(&error)];
            return Ok(Told { remembered, replicas, silent, ..Told::default() });
        }
        Err(error) => return Err(error),
    };
    let mut told = hear(answers);
    let all = worker::pods(cluster, &format!("{STREAM_INGEST}={}", stream.name)).await?;
    let is_known = |pod: &Pod| told.workers.iter().any(|worker| worker.name == pod.name_any());
    let more: Vec<Worker> = all.iter().filter(|pod| !is_known(pod)).map(starting).collect();
    told.workers.extend(more);
    Ok(Told { remembered, replicas, ..told })
}

/// What all have told. Pure.
pub fn hear(answers: Vec<(Pod, Result<IngestReport, Error>)>) -> Told {
    let mut told = Told::default();
    for (pod, answer) in answers {
        told.waits_for_cpu |= is_waiting_for_cpu(&pod);
        match answer {
            Ok(report) => {
                told.partitions = told.partitions.max(Some(report.partitions).filter(|partitions| *partitions > 0));
                told.workers.push(Worker::of_report(pod.name_any(), &report, cpu(&pod)));
            }
            Err(error) => {
                told.silent.push(describe(&error));
                told.workers.push(Worker::silent(pod.name_any(), Phase::Ingesting, cpu(&pod)));
            }
        }
    }
    told
}

/// A pod that is not ready: it has no process, or one that owns nothing yet.
fn starting(pod: &Pod) -> Worker {
    Worker::silent(pod.name_any(), Phase::Starting, cpu(pod))
}

/// CPU that a pod has, in thousandths of a core: what it asks for, but for a resize that its node has not granted yet.
fn cpu(pod: &Pod) -> u32 {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let ours = containers.into_iter().find(|container| container.name == CONTAINER);
    let asked = ours.and_then(|container| requested(container.resources.as_ref()?));
    let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let ours = statuses.into_iter().find(|status| status.name == CONTAINER);
    let granted = ours.and_then(|status| requested(status.resources.as_ref()?));
    granted.filter(|_| is_waiting_for_cpu(pod)).or(asked).unwrap_or(0)
}

fn requested(resources: &ResourceRequirements) -> Option<u32> {
    Quantity(resources.requests.as_ref()?.get("cpu")?.0.clone()).to_millicores().ok()
}

/// Whether the node of a pod has not granted it the CPU that it asks for.
fn is_waiting_for_cpu(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "PodResizePending" && condition.status == "True")
}

/// The computation as a person reads it. Pure.
pub fn render(stream: &Resource, told: &Told, now: Timestamp) -> String {
    let mut text = paragraph(&format!("{} in {}", stream.to_name(), stream.namespace), 0);
    text += &workers(&told.workers);
    for why in &told.silent {
        text += &paragraph(why, 0);
    }
    text += "\n";
    text += &match explanation(stream, told, now) {
        Ok(explanation) => wrapped(&explanation),
        Err(why) => paragraph(&why, 0),
    };
    if let Some(sizing) = stream.ingest_status().sizing {
        let age = since(Some(&sizing.time), now);
        let said = format!("status.sizing is {age} old (words alone are not written again): {}", sizing.explanation);
        text += &paragraph(&said, 0);
    }
    if let Some(limited) = stream.condition("ScalingLimited").filter(|limited| limited.status != "False") {
        let said = format!("ScalingLimited={} {}: {}", limited.status, limited.reason, limited.message);
        text += &paragraph(&said, 0);
    }
    text
}

fn workers(workers: &[Worker]) -> String {
    let mut table = Table::new(&[
        Column::Text("WORKER"),
        Column::Figure("CPU"),
        Column::Figure("PARTITIONS"),
        Column::Figure("ARRIVAL/S"),
        Column::Figure("BACKLOG"),
        Column::Figure("PROCESSED/S"),
        Column::Figure("CPU USED"),
    ]);
    for worker in workers {
        let cpu = format!("{}m", worker.cpu);
        if worker.age.is_none() {
            let none = String::new;
            table.row([worker.name.clone(), cpu, none(), none(), none(), none(), none()]);
            continue;
        }
        let window = worker.window.as_secs_f64();
        let rate = |amount: f64| if window > 0.0 { amount / window } else { 0.0 };
        table.row([
            worker.name.clone(),
            cpu,
            worker.partitions.to_string(),
            worker.arrival.map(|arrival| format!("{arrival:.0}")).unwrap_or_default(),
            worker.backlog.to_string(),
            format!("{:.0}", rate(worker.records as f64)),
            format!("{:.0}m", 1000.0 * rate(worker.cpu_seconds)),
        ]);
    }
    if workers.is_empty() { String::new() } else { format!("\n{}", table.render()) }
}

/// Inputs, formula, result, what limits it, and what would change it; or why there is none.
fn explanation(stream: &Resource, told: &Told, now: Timestamp) -> Result<String, String> {
    let document = json!({
        "apiVersion": "gristmill.dev/v1alpha1", "kind": "StreamIngest",
        "metadata": {"name": stream.name, "namespace": stream.namespace}, "spec": stream.spec,
    });
    let ingest: StreamIngest = serde_json::from_value(document)
        .map_err(|error| format!("this version of the plugin cannot read the spec: {error}"))?;
    let plan = IngestPlan::try_from(&ingest).map_err(|invalid| format!("the spec is refused: {invalid}"))?;
    let remembered: Remembered =
        told.remembered.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let there = Size {
        replicas: told.replicas.and_then(|replicas| u32::try_from(replicas).ok()).unwrap_or(0),
        cpu: told.workers.iter().map(|worker| worker.cpu).max().unwrap_or(0),
    };
    let decided = remembered.decided.unwrap_or(there);
    // As for the operator, pods that wait for their CPU or are refused it have what they have.
    let is_blocked = told.waits_for_cpu || remembered.refused.is_some();
    let least = told.workers.iter().map(|worker| worker.cpu).filter(|_| is_blocked).min();
    let running = Size { cpu: least.unwrap_or(decided.cpu).min(decided.cpu), ..decided };
    let partitions = told.partitions.or(stream.ingest_status().partitions);
    let facts = Facts {
        time: u64::try_from(now.as_second()).unwrap_or(0),
        limits: Limits::of_plan(&plan.scaling),
        partitions: partitions.and_then(|partitions| u32::try_from(partitions).ok()).unwrap_or(0),
        workers: told.workers.clone(),
        obstacles: Vec::new(),
        running,
    };
    Ok(decide(&facts, &remembered.history).0.explanation())
}

/// Names stay in their column, and long values go on below themselves.
fn wrapped(explanation: &str) -> String {
    let line = |line: &str| {
        let (name, value) = line.split_at_checked(NAME_WIDTH).unwrap_or((line, ""));
        format!("{name}{}", paragraph(value, NAME_WIDTH).trim_start_matches(' '))
    };
    explanation.lines().map(line).collect()
}
