//! Who may talk to the worker pods, and to whom they may talk.

use k8s_openapi::api::networking::v1::{NetworkPolicyEgressRule, NetworkPolicyPeer};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kubernetes::{bounded, strict};

/// The NetworkPolicy that the operator makes for the pods.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("!has(self.egress) || self.mode == 'IngressAndEgress'")
        .message("egress is for mode IngressAndEgress; write that mode or remove egress"),
    validation = Rule::new("!has(self.metricsFrom) || self.mode != 'Disabled'")
        .message("metricsFrom has no effect in mode Disabled; write mode Ingress or remove metricsFrom")
)]
pub struct NetworkPolicyOptions {
    /// Disabled, Ingress (the default without this block) or IngressAndEgress.
    pub mode: NetworkPolicyMode,
    /// Who may read /metrics on port 8080 beside the operator, for example the namespace of Prometheus.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "strict")]
    #[schemars(schema_with = "bounded::<Vec<NetworkPolicyPeer>>")]
    pub metrics_from: Vec<NetworkPolicyPeer>,
    /// With mode IngressAndEgress: where the pods may connect to, beside DNS.
    ///
    /// Brokers advertise listeners of their own, and HDFS clients speak to every DataNode (9866): name all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "strict")]
    #[schemars(schema_with = "bounded::<Vec<NetworkPolicyEgressRule>>")]
    pub egress: Vec<NetworkPolicyEgressRule>,
}

/// Which directions a NetworkPolicy restricts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NetworkPolicyMode {
    /// There is no NetworkPolicy.
    Disabled,
    /// Only the operator and metricsFrom reach the pods; the pods reach everything.
    #[default]
    Ingress,
    /// As Ingress, and the pods reach only DNS and what egress names.
    IngressAndEgress,
}
