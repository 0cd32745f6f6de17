//! The pod that both kinds share: one process of the CLI, reading one mounted document, under the
//! Pod Security Standard `restricted`.

use std::collections::BTreeMap;
use std::sync::Arc;

use gristmill_crds::{PodOptions, Quantity};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMap, ConfigMapVolumeSource, Container, EmptyDirVolumeSource, EnvVar, EnvVarSource,
    ObjectFieldSelector, PodSecurityContext, PodSpec, ResourceFieldSelector, ResourceRequirements, SeccompProfile,
    SecurityContext, ServiceAccount, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::context::Settings;
use crate::quantity;

/// Name of the container; its state and its termination message are read back by it.
pub const CONTAINER: &str = "gristmill";
/// Where the documents are mounted.
pub const DOCUMENT: &str = "/etc/gristmill/resource.yaml";
/// Key of the documents in their ConfigMap.
pub const DOCUMENT_KEY: &str = "resource.yaml";

/// CPU that a pod requests unless the resource says more: one decoding thread at half load.
const DEFAULT_CPU: &str = "500m";

/// What differs between the pods of the two kinds.
pub struct Process<'a> {
    /// Arguments of the CLI.
    pub args: Vec<String>,
    /// Memory when the resource names none.
    pub default_memory: &'static str,
    /// The resource's wishes.
    pub options: Option<&'a PodOptions>,
}

/// The container of a process.
pub fn container(process: Process<'_>, settings: &Settings) -> Container {
    Container {
        name: CONTAINER.to_owned(),
        image: Some(settings.worker_image.clone()),
        image_pull_policy: settings.image_pull_policy.map(|policy| policy.as_str().to_owned()),
        resources: Some(resources(process.options, process.default_memory)),
        args: Some(process.args),
        env: Some(vec![
            environment(
                "GRISTMILL_MEMORY",
                EnvVarSource {
                    resource_field_ref: Some(ResourceFieldSelector {
                        resource: "limits.memory".to_owned(),
                        ..Default::default()
                    }),
                    ..Default::default()
                },
            ),
            environment(
                "POD_NAME",
                EnvVarSource {
                    field_ref: Some(ObjectFieldSelector {
                        field_path: "metadata.name".to_owned(),
                        ..Default::default()
                    }),
                    ..Default::default()
                },
            ),
        ]),
        volume_mounts: Some(vec![
            VolumeMount {
                name: "resource".to_owned(),
                mount_path: "/etc/gristmill".to_owned(),
                read_only: Some(true),
                ..Default::default()
            },
            VolumeMount { name: "tmp".to_owned(), mount_path: "/tmp".to_owned(), ..Default::default() },
        ]),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Default::default() }),
            read_only_root_filesystem: Some(true),
            ..Default::default()
        }),
        // A process that dies before it can write its report leaves the end of its log instead.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Default::default()
    }
}

/// The pod around a container.
///
/// No user id is fixed: the image has a numeric one, and OpenShift assigns its own.
pub fn spec(container: Container, service_account: &str, config_map: &str) -> PodSpec {
    PodSpec {
        service_account_name: Some(service_account.to_owned()),
        automount_service_account_token: Some(false),
        // Off, since a Service called gristmill-log would otherwise set the variable GRISTMILL_LOG_PORT, and the
        // CLI reads GRISTMILL_ variables.
        enable_service_links: Some(false),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..Default::default() }),
            ..Default::default()
        }),
        containers: vec![container],
        volumes: Some(vec![
            Volume {
                name: "resource".to_owned(),
                config_map: Some(ConfigMapVolumeSource { name: config_map.to_owned(), ..Default::default() }),
                ..Default::default()
            },
            Volume { name: "tmp".to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Default::default() },
        ]),
        ..Default::default()
    }
}

/// The account of a pod. It has no permission and no token: workers do not speak to the API server.
pub fn service_account(metadata: ObjectMeta) -> ServiceAccount {
    ServiceAccount { metadata, automount_service_account_token: Some(false), ..Default::default() }
}

/// The documents of a pod, one YAML stream.
///
/// Immutable, so that a running pod and its ConfigMap never differ, and kubelets need not watch it.
pub fn config_map(metadata: ObjectMeta, documents: &[serde_json::Value]) -> ConfigMap {
    let text: Vec<String> = documents.iter().map(gristmill_crds::yaml).collect();
    ConfigMap {
        metadata,
        immutable: Some(true),
        data: Some(BTreeMap::from([(DOCUMENT_KEY.to_owned(), text.join("---\n"))])),
        ..Default::default()
    }
}

/// The same ConfigMap with the text of the live one, if that has its name.
///
/// The name holds the digest of the documents, so only their layout can differ: an older version of the operator
/// wrote them. An immutable map can't be written again, and need not be.
pub fn with_live_text(mut wanted: ConfigMap, live: &[Arc<ConfigMap>]) -> ConfigMap {
    let live = live.iter().find(|live| live.metadata.name == wanted.metadata.name && live.immutable == Some(true));
    if let Some(live) = live {
        wanted.data.clone_from(&live.data);
    }
    wanted
}

/// Name of the ConfigMap that a pod spec mounts.
pub fn mounted_config_map(spec: &PodSpec) -> Option<&str> {
    spec.volumes.iter().flatten().find_map(|volume| volume.config_map.as_ref()).map(|source| source.name.as_str())
}

/// Memory as request and as limit; CPU as request only, so that a pod may use what its node has idle.
fn resources(options: Option<&PodOptions>, default_memory: &str) -> ResourceRequirements {
    let PodOptions { cpu, memory } = options.cloned().unwrap_or_default();
    let cpu = quantity::cpu(&cpu.unwrap_or_else(|| Quantity(DEFAULT_CPU.to_owned())));
    let memory = quantity::memory(&memory.unwrap_or_else(|| Quantity(default_memory.to_owned())));
    ResourceRequirements {
        requests: Some(BTreeMap::from([("cpu".to_owned(), cpu), ("memory".to_owned(), memory.clone())])),
        limits: Some(BTreeMap::from([("memory".to_owned(), memory)])),
        ..Default::default()
    }
}

fn environment(name: &str, value_from: EnvVarSource) -> EnvVar {
    EnvVar { name: name.to_owned(), value_from: Some(value_from), ..Default::default() }
}
