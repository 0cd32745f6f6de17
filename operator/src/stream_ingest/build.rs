//! The objects of a StreamIngest. Pure: equal inputs build equal objects.

mod network_policy;

use gristmill_crds::plan::{IngestPlan, Reference};
use gristmill_crds::{IngestProjection, PodOptions, StreamIngest};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, ContainerPort, ContainerResizePolicy, HTTPGetAction, Probe, ServiceAccount,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

use super::resume;
use super::size::Size;
use crate::context::Settings;
use crate::labels::{self, STREAM_INGEST};
use crate::pod::{self, DOCUMENT, Process, Surroundings};
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

/// Builds the objects of a resource that has a plan.
pub fn build(ingest: &StreamIngest, plan: &IngestPlan, size: &Size, settings: &Settings) -> Wanted {
    let projection = IngestProjection::new(ingest);
    let child = labels::ingest_name(&ingest.name_any());
    let config_map = labels::config_map_name(&child, &projection.digest());
    let policy = ingest.spec.network_policy.as_ref();
    Wanted {
        deployment: deployment(ingest, plan, size, &config_map, settings),
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

fn deployment(
    ingest: &StreamIngest,
    plan: &IngestPlan,
    size: &Size,
    config_map: &str,
    settings: &Settings,
) -> Deployment {
    let name = ingest.name_any();
    let child = labels::ingest_name(&name);
    let options = settings.pod_defaults.complete(ingest.spec.pod.clone().unwrap_or_default());
    let references = plan.references();
    let surroundings = Surroundings {
        labels: labels::of_ingest(&name),
        service_account: &child,
        config_map,
        references: &references,
        options: &options,
    };
    let mut template = pod::template(container(&options, &references, settings), surroundings);
    if let Some(spec) = &mut template.spec {
        spec.volumes.get_or_insert_default().push(resume::volume());
    }
    Deployment {
        metadata: metadata(ingest, child),
        spec: Some(DeploymentSpec {
            replicas: size.replicas,
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
        args: ["ingest", "-f", DOCUMENT, "--admin-addr", &admin_address, "--resume-file", resume::FILE]
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
