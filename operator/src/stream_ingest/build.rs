//! The objects of a StreamIngest. Pure: equal inputs build equal objects.

use gristmill_crds::plan::{IngestPlan, Reference};
use gristmill_crds::{IngestProjection, PodOptions, StreamIngest};
use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, ContainerPort, ContainerResizePolicy, HTTPGetAction, Probe, ServiceAccount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;

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
}

/// Builds the objects of a resource that has a plan.
pub fn build(ingest: &StreamIngest, plan: &IngestPlan, settings: &Settings) -> Wanted {
    let projection = IngestProjection::new(ingest);
    let child = labels::ingest_name(&ingest.name_any());
    let config_map = labels::config_map_name(&child, &projection.digest());
    Wanted {
        deployment: deployment(ingest, plan, &config_map, settings),
        config_map: pod::config_map(metadata(ingest, config_map), &projection.documents()),
        service_account: pod::service_account(metadata(ingest, child)),
    }
}

fn deployment(ingest: &StreamIngest, plan: &IngestPlan, config_map: &str, settings: &Settings) -> Deployment {
    let name = ingest.name_any();
    let child = labels::ingest_name(&name);
    let options = ingest.spec.pod.clone().unwrap_or_default();
    let references = plan.references();
    let surroundings = Surroundings {
        labels: labels::of_ingest(&name),
        service_account: &child,
        config_map,
        references: &references,
        options: &options,
    };
    let template = pod::template(container(&options, &references, settings), surroundings);
    Deployment {
        metadata: metadata(ingest, child),
        spec: Some(DeploymentSpec {
            replicas: Some(if plan.suspend { 0 } else { plan.scaling.initial_replicas() }),
            selector: LabelSelector {
                match_labels: Some([(STREAM_INGEST.to_owned(), name)].into()),
                ..Default::default()
            },
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

fn container(options: &PodOptions, references: &[Reference], settings: &Settings) -> Container {
    let admin_address = format!("0.0.0.0:{ADMIN_PORT}");
    let process = Process {
        args: ["ingest", "-f", DOCUMENT, "--admin-addr", &admin_address].map(str::to_owned).into(),
        default_memory: DEFAULT_MEMORY,
        references,
        options,
    };
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
        ..pod::container(process, settings)
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
