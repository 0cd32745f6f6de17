//! What the ClusterRole must never hold. That it is enough, and no more than enough, is tested by `whole`.

use crate::cluster::Cluster;

#[test]
fn cluster_role_grants_no_secret_no_role_and_no_wildcard() {
    for (resource, verb) in Cluster::new().granted() {
        for forbidden in ["secrets", "roles", "rolebindings", "*", "exec", "impersonate"] {
            assert!(!resource.contains(forbidden) && verb != forbidden, "{verb} on {resource}");
        }
    }
}
