//! The objects of a StreamIngest. Pure: equal inputs build equal objects.

mod network_policy;

use gristmill_crds::names::CPU;
use gristmill_crds::plan::{IngestPlan, Reference};
use gristmill_crds::{IngestProjection, PodOptions, Quantity, StreamIngest};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, ContainerPort, ContainerResizePolicy, HTTPGetAction, PodTemplateSpec, Probe, ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use super::resume;
use super::sizing::{Sizing, TemplateCpu};
use crate::context::Settings;
use crate::labels::{self, SIZING, STREAM_INGEST};
use crate::pod::{self, DOCUMENT, Process, Surroundings};
use crate::quantity;
use crate::rollout::is_rolled;
use crate::worker::ADMIN_PORT;

/// Memory of a worker unless the resource says more.
const DEFAULT_MEMORY: &str = "256Mi";

/// What must exist for a StreamIngest.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Account of its pod.
    pub service_account: ServiceAccount,
    /// Documents of its pod.
    pub config_map: ConfigMap,
    /// Its worker.
    pub deployment: Deployment,
    /// How many of its workers may be evicted at once.
    pub disruption_budget: PodDisruptionBudget,
    /// Who reaches its workers; none if the resource wants none.
    pub network_policy: Option<NetworkPolicy>,
}

/// Builds the objects of a resource that has a plan. The live Deployment tells whether pods are replaced anyway.
pub fn build(
    ingest: &StreamIngest,
    plan: &IngestPlan,
    sizing: &Sizing,
    live: Option<&Deployment>,
    settings: &Settings,
) -> Wanted {
    let projection = IngestProjection::new(ingest);
    let child = labels::ingest_name(&ingest.name_any());
    let config_map = labels::config_map_name(&child, &projection.digest());
    let policy = ingest.spec.network_policy.as_ref();
    let mut deployment = deployment(ingest, sizing, live, |cpu| template(ingest, plan, cpu, &config_map, settings));
    settings.installation.mark(&mut deployment);
    Wanted {
        deployment,
        disruption_budget: disruption_budget(ingest),
        network_policy: network_policy::network_policy(
            metadata(ingest, child.clone()),
            pods(ingest),
            policy,
            &settings.namespace,
        ),
        config_map: pod::config_map(metadata(ingest, config_map), &projection.documents()),
        service_account: pod::service_account(metadata(ingest, child)),
    }
}

/// The Deployment, with a template of the CPU that it keeps if nothing else replaces its pods.
fn deployment(
    ingest: &StreamIngest,
    sizing: &Sizing,
    live: Option<&Deployment>,
    template: impl Fn(u32) -> PodTemplateSpec,
) -> Deployment {
    let TemplateCpu { kept, next } = sizing.template;
    let kept = kept.map(|cpu| around(ingest, sizing, template(cpu)));
    match (kept, live) {
        (Some(kept), Some(live)) if !is_rolled(&kept, live) => kept,
        (Some(_) | None, _) => around(ingest, sizing, template(next)),
    }
}

fn template(
    ingest: &StreamIngest,
    plan: &IngestPlan,
    cpu: u32,
    config_map: &str,
    settings: &Settings,
) -> PodTemplateSpec {
    let name = ingest.name_any();
    let cpu = quantity::of_millicores(cpu).0;
    let options = PodOptions { cpu: Some(Quantity(cpu.clone())), ..ingest.spec.pod.clone().unwrap_or_default() };
    let options = settings.pod_defaults.complete(options);
    let references = plan.references();
    let surroundings = Surroundings {
        labels: labels::of_ingest(&name),
        service_account: &labels::ingest_name(&name),
        config_map,
        references: &references,
        options: &options,
    };
    let mut template = pod::template(container(&options, &references, settings), surroundings);
    if let Some(spec) = &mut template.spec {
        spec.volumes.get_or_insert_default().push(resume::volume());
    }
    // What a worker takes for its CPU until it is told more.
    template.metadata.get_or_insert_default().annotations.get_or_insert_default().insert(CPU.to_owned(), cpu);
    template
}

fn around(ingest: &StreamIngest, sizing: &Sizing, template: PodTemplateSpec) -> Deployment {
    let mut metadata = metadata(ingest, labels::ingest_name(&ingest.name_any()));
    metadata.annotations = sizing.written.clone().map(|memory| [(SIZING.to_owned(), memory)].into());
    Deployment {
        metadata,
        spec: Some(DeploymentSpec {
            replicas: sizing.replicas.replicas,
            selector: pods(ingest),
            // The old worker leaves before the new one comes: a surge needs quota for two and rebalances twice.
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::Int(0)),
                    max_unavailable: Some(IntOrString::Int(1)),
                }),
            }),
            // As many as there are ConfigMaps kept for them.
            revision_history_limit: Some(1),
            template,
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// One worker at a time may be evicted: the others take its partitions over and a drain of a node goes on. A minimum of
/// one would keep a single worker on its node for ever.
fn disruption_budget(ingest: &StreamIngest) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: metadata(ingest, labels::ingest_name(&ingest.name_any())),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(pods(ingest)),
            // A worker that is not ready does nothing that an eviction could disturb.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn pods(ingest: &StreamIngest) -> LabelSelector {
    LabelSelector { match_labels: Some([(STREAM_INGEST.to_owned(), ingest.name_any())].into()), ..Default::default() }
}

fn container(options: &PodOptions, references: &[Reference], settings: &Settings) -> Container {
    let admin_address = format!("0.0.0.0:{ADMIN_PORT}");
    let process = Process {
        args: [
            "ingest",
            "-f",
            DOCUMENT,
            "--admin-addr",
            &admin_address,
            "--resume-file",
            resume::FILE,
            "--cpu-file",
            resume::CPU_FILE,
        ]
        .map(str::to_owned)
        .into(),
        default_memory: DEFAULT_MEMORY,
        references,
        options,
    };
    let mut container = pod::container(process, settings);
    container.volume_mounts.get_or_insert_default().push(resume::mount());
    Container {
        ports: Some(vec![ContainerPort {
            name: Some("admin".to_owned()),
            container_port: i32::from(ADMIN_PORT),
            ..Default::default()
        }]),
        readiness_probe: Some(probe("/readyz")),
        liveness_probe: Some(probe("/healthz")),
        resize_policy: Some(vec![ContainerResizePolicy {
            resource_name: "cpu".to_owned(),
            restart_policy: "NotRequired".to_owned(),
        }]),
        ..container
    }
}

fn probe(path: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String("admin".to_owned()),
            ..Default::default()
        }),
        // A worker at its CPU request decodes in bursts; a second, the default, is too short for it.
        timeout_seconds: Some(5),
        ..Default::default()
    }
}

fn metadata(ingest: &StreamIngest, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: ingest.namespace(),
        labels: Some(labels::of_ingest(&ingest.name_any())),
        ..Default::default()
    }
}
