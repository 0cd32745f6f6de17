//! The pod that both kinds share: one process of the CLI, reading one mounted document, under the
//! Pod Security Standard `restricted`.

mod defaults;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use gristmill_crds::names::CONTAINER;
use gristmill_crds::plan::{Reference, ReferenceKind};
use gristmill_crds::{PodOptions, Quantity};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMap, ConfigMapVolumeSource, Container, EmptyDirVolumeSource, EnvVar, EnvVarSource,
    ObjectFieldSelector, PodSecurityContext, PodSpec, PodTemplateSpec, ResourceFieldSelector, ResourceRequirements,
    SeccompProfile, SecretVolumeSource, SecurityContext, ServiceAccount, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

pub use defaults::PodDefaults;

use crate::context::Settings;
use crate::quantity;

/// Where the documents are mounted.
pub const DOCUMENT: &str = "/etc/gristmill/resource.yaml";
/// Where the Secrets and ConfigMaps are mounted that the documents refer to: DIRECTORY/NAME/KEY.
const SECRETS: &str = "/etc/gristmill/secrets";
/// Volume of the documents.
const DOCUMENT_VOLUME: &str = "resource";
/// Key of the documents in their ConfigMap.
pub const DOCUMENT_KEY: &str = "resource.yaml";

/// CPU that a pod requests unless the resource says more: one decoding thread at half load.
pub const DEFAULT_CPU: &str = "500m";

/// CPU that a pod requests by the document.
pub fn document_cpu(options: Option<&PodOptions>) -> Quantity {
    options.and_then(|options| options.cpu.clone()).unwrap_or_else(|| Quantity(DEFAULT_CPU.to_owned()))
}
/// Local disk that a pod with a bound to it requests.
const REQUESTED_DISK: u64 = 1 << 30;
/// Time in which a stopping process commits and leaves, with room to spare.
const DRAIN_SECONDS: i64 = 60;

/// What differs between the pods of the two kinds.
pub struct Process<'a> {
    /// Arguments of the CLI.
    pub args: Vec<String>,
    /// Memory when the resource names none.
    pub default_memory: &'static str,
    /// What the documents refer to.
    pub references: &'a [Reference],
    /// The resource's wishes.
    pub options: &'a PodOptions,
}

/// The container of a process.
pub fn container(mut process: Process<'_>, settings: &Settings) -> Container {
    let PodOptions { image, env, .. } = process.options;
    if !process.references.is_empty() {
        process.args.extend(["--secrets-dir".to_owned(), SECRETS.to_owned()]);
    }
    Container {
        name: CONTAINER.to_owned(),
        image: Some(image.clone().unwrap_or_else(|| settings.worker_image.clone())),
        image_pull_policy: settings.image_pull_policy.map(|policy| policy.as_str().to_owned()),
        resources: Some(resources(process.options, process.default_memory)),
        args: Some(process.args),
        env: Some(environment(env)),
        volume_mounts: Some(mounts(process.references)),
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

/// What the operator tells a process about its pod, and what the resource adds: the plan has refused our names there.
fn environment(own: &[EnvVar]) -> Vec<EnvVar> {
    let variable =
        |name: &str, value_from| EnvVar { name: name.to_owned(), value_from: Some(value_from), ..Default::default() };
    let memory = ResourceFieldSelector { resource: "limits.memory".to_owned(), ..Default::default() };
    let name = ObjectFieldSelector { field_path: "metadata.name".to_owned(), ..Default::default() };
    let ours = [
        variable("GRISTMILL_MEMORY", EnvVarSource { resource_field_ref: Some(memory), ..Default::default() }),
        variable("POD_NAME", EnvVarSource { field_ref: Some(name), ..Default::default() }),
    ];
    ours.into_iter().chain(own.iter().cloned()).collect()
}

fn mounts(references: &[Reference]) -> Vec<VolumeMount> {
    let mount = |name: &str, path: String, read_only| VolumeMount {
        name: name.to_owned(),
        mount_path: path,
        read_only,
        ..Default::default()
    };
    // A mount point can't be made inside a read-only mount: with others below it, the document is mounted as a file.
    let documents = VolumeMount {
        sub_path: (!references.is_empty()).then(|| DOCUMENT_KEY.to_owned()),
        ..mount(DOCUMENT_VOLUME, if references.is_empty() { "/etc/gristmill" } else { DOCUMENT }.to_owned(), Some(true))
    };
    let referred = references
        .iter()
        .enumerate()
        .map(|(index, reference)| mount(&volume_name(index), format!("{SECRETS}/{}", reference.name), Some(true)));
    [documents].into_iter().chain(referred).chain([mount("tmp", "/tmp".to_owned(), None)]).collect()
}

/// Names of objects may be longer than names of volumes.
fn volume_name(index: usize) -> String {
    format!("reference-{index}")
}

fn volumes(config_map: &str, references: &[Reference]) -> Vec<Volume> {
    let of_config_map = |volume: &str, name: &str| Volume {
        name: volume.to_owned(),
        config_map: Some(ConfigMapVolumeSource { name: name.to_owned(), ..Default::default() }),
        ..Default::default()
    };
    let referred = references.iter().enumerate().map(|(index, Reference { kind, name })| match kind {
        ReferenceKind::ConfigMap => of_config_map(&volume_name(index), name),
        ReferenceKind::Secret => Volume {
            name: volume_name(index),
            secret: Some(SecretVolumeSource { secret_name: Some(name.clone()), ..Default::default() }),
            ..Default::default()
        },
    });
    let tmp = Volume { name: "tmp".to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Default::default() };
    [of_config_map(DOCUMENT_VOLUME, config_map)].into_iter().chain(referred).chain([tmp]).collect()
}

/// What a pod is made of beside its container.
pub struct Surroundings<'a> {
    /// The operator's own labels.
    pub labels: BTreeMap<String, String>,
    /// Account of the pod, unless the resource names another.
    pub service_account: &'a str,
    /// The documents.
    pub config_map: &'a str,
    /// What the documents refer to.
    pub references: &'a [Reference],
    /// The resource's wishes.
    pub options: &'a PodOptions,
}

/// The pod around a container.
///
/// No user id is fixed: the image has a numeric one, and OpenShift assigns its own.
pub fn template(container: Container, surroundings: Surroundings<'_>) -> PodTemplateSpec {
    let Surroundings { labels, service_account, config_map, references, options } = surroundings;
    // No `..`: an option that is forgotten here is one that a user writes in vain.
    let PodOptions {
        cpu: _,
        memory: _,
        image: _,
        image_pull_secrets,
        annotations,
        labels: more_labels,
        host_aliases,
        dns_config,
        env: _,
        node_selector,
        tolerations,
        affinity,
        topology_spread_constraints,
        priority_class_name,
        runtime_class_name,
        service_account_name,
        termination_grace_period_seconds,
    } = options.clone();
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            // Ours win: the selector finds the pods by them.
            labels: Some(more_labels.into_iter().chain(labels).collect()),
            annotations: written_map(annotations),
            ..Default::default()
        }),
        spec: Some(PodSpec {
            service_account_name: Some(service_account_name.unwrap_or_else(|| service_account.to_owned())),
            automount_service_account_token: Some(false),
            // Off, since a Service called gristmill-log would otherwise set the variable GRISTMILL_LOG_PORT, and the
            // CLI reads GRISTMILL_ variables.
            enable_service_links: Some(false),
            security_context: Some(PodSecurityContext {
                run_as_non_root: Some(true),
                seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..Default::default() }),
                ..Default::default()
            }),
            termination_grace_period_seconds: Some(termination_grace_period_seconds.unwrap_or(DRAIN_SECONDS)),
            image_pull_secrets: written(image_pull_secrets),
            host_aliases: written(host_aliases),
            dns_config,
            node_selector: written_map(node_selector),
            tolerations: written(tolerations),
            affinity,
            topology_spread_constraints: written(topology_spread_constraints),
            priority_class_name,
            runtime_class_name,
            containers: vec![container],
            volumes: Some(volumes(config_map, references)),
            ..Default::default()
        }),
    }
}

/// A list that is not there rather than empty: the API server drops empty ones.
fn written<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

fn written_map(map: BTreeMap<String, String>) -> Option<BTreeMap<String, String>> {
    (!map.is_empty()).then_some(map)
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

/// The same ConfigMap with the text of the live one of its name, if that reads as the same documents.
///
/// Then only their layout differs: an older version of the operator wrote them. An immutable map can't be written again,
/// and need not be. Other documents under this name are not ours, and pods must not read them.
pub fn with_live_text(mut wanted: ConfigMap, live: &[Arc<ConfigMap>]) -> ConfigMap {
    let live = live.iter().find(|live| live.metadata.name == wanted.metadata.name && live.immutable == Some(true));
    if let Some(live) = live.filter(|live| documents(live).is_some_and(|text| Some(text) == documents(&wanted))) {
        wanted.data.clone_from(&live.data);
    }
    wanted
}

/// What a ConfigMap holds, if that is documents and nothing else.
pub fn documents(map: &ConfigMap) -> Option<Vec<serde_json::Value>> {
    let data = map.data.as_ref().filter(|data| data.len() == 1 && map.binary_data.is_none())?;
    serde_saphyr::from_multiple(data.get(DOCUMENT_KEY)?).ok()
}

/// Name of the ConfigMap that a pod spec mounts.
pub fn mounted_config_map(spec: &PodSpec) -> Option<&str> {
    let documents = spec.volumes.iter().flatten().find(|volume| volume.name == DOCUMENT_VOLUME)?;
    documents.config_map.as_ref().map(|source| source.name.as_str())
}

/// The template with a bound to what it may write to `/tmp`: the kubelet ends a pod that writes more, before the disk of its
/// node is full.
///
/// Only a part is requested, since most runs spill nothing; a request of all of it would leave small nodes out.
pub fn with_local_disk(mut template: PodTemplateSpec, bytes: u64) -> PodTemplateSpec {
    let size = |bytes: u64| quantity::memory(&Quantity(bytes.to_string()));
    let Some(spec) = &mut template.spec else { return template };
    for volume in spec.volumes.iter_mut().flatten() {
        if let Some(directory) = &mut volume.empty_dir {
            directory.size_limit = Some(size(bytes));
        }
    }
    for resources in spec.containers.iter_mut().filter_map(|container| container.resources.as_mut()) {
        let note = |part: &mut Option<BTreeMap<_, _>>, bytes| {
            part.get_or_insert_default().insert("ephemeral-storage".to_owned(), size(bytes));
        };
        note(&mut resources.requests, bytes.min(REQUESTED_DISK));
        // Its log and its termination message count as well.
        note(&mut resources.limits, bytes.saturating_add(REQUESTED_DISK));
    }
    template
}

/// Memory as request and as limit; CPU as request only, so that a pod may use what its node has idle.
fn resources(options: &PodOptions, default_memory: &str) -> ResourceRequirements {
    let PodOptions { memory, .. } = options;
    let cpu = quantity::cpu(&document_cpu(Some(options)));
    let memory = quantity::memory(&memory.clone().unwrap_or_else(|| Quantity(default_memory.to_owned())));
    ResourceRequirements {
        requests: Some(BTreeMap::from([("cpu".to_owned(), cpu), ("memory".to_owned(), memory.clone())])),
        limits: Some(BTreeMap::from([("memory".to_owned(), memory)])),
        ..Default::default()
    }
}
