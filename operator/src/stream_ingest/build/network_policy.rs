//! Who reaches the worker pods, and whom they reach.

use gristmill_crds::{NetworkPolicyMode, NetworkPolicyOptions};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::worker::ADMIN_PORT;

/// Label that every namespace carries with its own name; the API server sets it.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
/// Port of DNS.
const DNS: u16 = 53;

/// The policy that the options ask for; none in mode Disabled.
pub(super) fn network_policy(
    metadata: ObjectMeta,
    pods: LabelSelector,
    options: Option<&NetworkPolicyOptions>,
    operator_namespace: &str,
) -> Option<NetworkPolicy> {
    let default = NetworkPolicyOptions { mode: NetworkPolicyMode::Ingress, metrics_from: vec![], egress: vec![] };
    let NetworkPolicyOptions { mode, metrics_from, egress } = options.unwrap_or(&default);
    let (types, egress) = match mode {
        NetworkPolicyMode::Disabled => return None,
        NetworkPolicyMode::Ingress => (vec!["Ingress"], None),
        NetworkPolicyMode::IngressAndEgress => {
            (vec!["Ingress", "Egress"], Some([dns()].into_iter().chain(egress.iter().cloned()).collect()))
        }
    };
    let readers = [namespace(operator_namespace)].into_iter().chain(metrics_from.iter().cloned());
    Some(NetworkPolicy {
        metadata,
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pods),
            policy_types: Some(types.into_iter().map(str::to_owned).collect()),
            ingress: Some(vec![NetworkPolicyIngressRule {
                from: Some(readers.collect()),
                ports: Some(vec![port("TCP", ADMIN_PORT)]),
            }]),
            egress,
        }),
    })
}

fn namespace(name: &str) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector {
            match_labels: Some([(NAMESPACE_NAME.to_owned(), name.to_owned())].into()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// DNS anywhere: a cache on the node has an address that no selector finds.
fn dns() -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule { ports: Some(vec![port("UDP", DNS), port("TCP", DNS)]), to: None }
}

fn port(protocol: &str, port: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(i32::from(port))),
        end_port: None,
    }
}
