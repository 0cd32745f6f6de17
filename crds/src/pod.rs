//! What a user may say about the pods that the operator creates.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, EnvVar, HostAlias, LocalObjectReference, PodDNSConfig, Toleration, TopologySpreadConstraint,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kubernetes::{bounded, bounded_map, strict};
use crate::scalar::Quantity;

/// Resources, place and surroundings of the pods that the operator creates. The same in both kinds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodOptions {
    /// CPU request of a pod. Default 500m; quote decimals: "1.5". No limit is set, so that a pod may use idle CPU of its node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Quantity>,
    /// Memory of a pod, as request and as limit. Default 256Mi for ingest, 1Gi for compaction.
    ///
    /// An ingest worker keeps its buffers 96Mi below it. A compaction needs about 100 bytes and the key for each new row,
    /// and the new rows of one run themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// Image of the pod, for example registry.example.com/gristmill:0.1.0. Default: that of the operator's own version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// Secrets of type kubernetes.io/dockerconfigjson by which the image is pulled.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "strict")]
    #[schemars(schema_with = "bounded::<Vec<LocalObjectReference>>")]
    pub image_pull_secrets: Vec<LocalObjectReference>,
    /// Annotations of the pods, for example {sidecar.istio.io/inject: "false"}. A sidecar that never ends keeps a Job alive.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "bounded_map")]
    pub annotations: BTreeMap<String, String>,
    /// Labels of the pods, beside the operator's own. Those that begin with gristmill.dev/ are reserved.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "bounded_map")]
    pub labels: BTreeMap<String, String>,
    /// Entries of /etc/hosts, for brokers and DataNodes that no DNS knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "strict")]
    #[schemars(schema_with = "bounded::<Vec<HostAlias>>")]
    pub host_aliases: Vec<HostAlias>,
    /// DNS servers, search domains and options, beside those of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "strict")]
    #[schemars(schema_with = "bounded::<PodDNSConfig>")]
    pub dns_config: Option<PodDNSConfig>,
    /// Environment variables of the process, for example RUST_LOG. Those that begin with GRISTMILL_, and POD_NAME, are reserved.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "strict")]
    #[schemars(schema_with = "bounded::<Vec<EnvVar>>")]
    pub env: Vec<EnvVar>,
    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "bounded_map")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that the pods tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "strict")]
    #[schemars(schema_with = "bounded::<Vec<Toleration>>")]
    pub tolerations: Vec<Toleration>,
    /// Nodes and pods that the pods are to be near to, or far from.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "strict")]
    #[schemars(schema_with = "bounded::<Affinity>")]
    pub affinity: Option<Affinity>,
    /// How pods are spread over zones and nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "strict")]
    #[schemars(schema_with = "bounded::<Vec<TopologySpreadConstraint>>")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// PriorityClass of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// RuntimeClass of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub runtime_class_name: Option<String>,
    /// ServiceAccount of the pods. Default: one of the operator's, without permissions and without a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,
    /// Seconds in which a stopping pod must end. Default 60. A worker commits and leaves within 45.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub termination_grace_period_seconds: Option<i64>,
}
