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

#[test]
fn chart_has_the_rules_of_the_cluster_role() {
    let role = include_str!("../../../manifests/operator/cluster-role.yaml");
    let template = include_str!("../../../charts/gristmill/templates/_rules.tpl");
    let (_, rules) = role.split_once("\nrules:\n").expect("a role has rules");
    let (_, in_chart) = template.split_once("\nrules:\n").expect("the template has rules");
    let in_chart = in_chart.strip_suffix("{{- end -}}\n").expect("the template ends with its end");
    assert_eq!(
        in_chart, rules,
        "charts/gristmill/templates/_rules.tpl differs from manifests/operator/cluster-role.yaml; copy the rules from there"
    );
}
