//! Scenarios of two installations of the operator that watch the same namespace.

use serde_json::{Value, json};

use crate::cluster::{Cluster, STREAMS, ingesting, settled};
use crate::documents::{compaction, ingest_report, stream};

const MARK: &str = "gristmill.dev/installation";

fn mark_of(cluster: &Cluster, resource: &str, name: &str) -> Value {
    cluster.get(resource, name).unwrap()["metadata"]["annotations"][MARK].clone()
}

fn mark(cluster: &Cluster, resource: &str, name: &str, installation: Value) {
    cluster.edit(resource, name, |object| object["metadata"]["annotations"][MARK] = installation);
}

#[tokio::test]
async fn stream_of_another_installation_is_left_alone_and_the_way_out_is_told() {
    let cluster = ingesting().await;
    cluster.events();
    mark(&cluster, "apps/deployments", "books-ingest", json!("tools/gristmill-operator"));
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["pod"] = json!({"cpu": "700m"}));
    cluster.report(Some(ingest_report("Held")));
    let told = cluster.reconcile_stream().await.unwrap_err().to_message();
    insta::assert_snapshot!(told, @"Deployment books-ingest is of the operator installation tools/gristmill-operator, and this one is gristmill-system/gristmill-operator: both watch namespace library. Leave it to one of them by --watch-namespace (watchNamespaces of the chart), or uninstall one. If tools/gristmill-operator is gone: kubectl annotate deployment -n library books-ingest gristmill.dev/installation-");
    assert_eq!(cluster.writes(), Vec::<String>::new());
    assert_eq!(cluster.events(), [format!("Warning ManagedElsewhere: {told}")]);
    // As the sentence says.
    cluster.edit("apps/deployments", "books-ingest", |deployment| {
        deployment["metadata"]["annotations"].as_object_mut().unwrap().remove(MARK);
    });
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(mark_of(&cluster, "apps/deployments", "books-ingest"), "gristmill-system/gristmill-operator");
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "False/RejectedBudgetExceeded");
}

#[tokio::test]
async fn compaction_of_another_installation_is_left_alone() {
    let cluster = Cluster::new().with(stream()).with(compaction());
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(mark_of(&cluster, "batch/cronjobs", "books-compaction"), "gristmill-system/gristmill-operator");
    mark(&cluster, "batch/cronjobs", "books-compaction", json!("tools/gristmill-operator"));
    cluster.edit("gristmill.dev/hourlycompactions", "books", |compaction| {
        compaction["spec"]["schedule"] = json!("30 * * * *");
    });
    cluster.writes();
    let told = cluster.reconcile_compaction().await.unwrap_err().to_message();
    assert!(
        told.ends_with("kubectl annotate cronjob -n library books-compaction gristmill.dev/installation-"),
        "{told}"
    );
    assert_eq!(cluster.writes(), Vec::<String>::new());
    let events = cluster.events();
    assert!(events.iter().any(|event| event.starts_with("Warning ManagedElsewhere: CronJob ")), "{events:?}");
}

/// It was created since the caches were filled.
#[tokio::test]
async fn object_that_another_installation_has_made_a_moment_ago_is_not_taken() {
    let cluster = settled().await;
    cluster.edit("apps/deployments", "books-ingest", |deployment| {
        deployment["metadata"]["annotations"][MARK] = json!("tools/gristmill-operator");
        // What the caches select by.
        deployment["metadata"]["labels"].as_object_mut().unwrap().clear();
    });
    cluster.writes();
    let error = cluster.reconcile_stream().await.unwrap_err();
    assert_eq!(error.reason().as_str(), "ManagedElsewhere");
    assert_eq!(mark_of(&cluster, "apps/deployments", "books-ingest"), "tools/gristmill-operator");
    assert_eq!(cluster.writes(), Vec::<String>::new());
}

/// As an operator before this version has left them.
#[tokio::test]
async fn objects_without_a_mark_are_taken_and_no_pod_is_replaced() {
    let cluster = ingesting().await;
    let template = |cluster: &Cluster| cluster.get("apps/deployments", "books-ingest").unwrap()["spec"].clone();
    let before = template(&cluster);
    cluster.edit("apps/deployments", "books-ingest", |deployment| {
        deployment["metadata"]["annotations"].as_object_mut().unwrap().remove(MARK);
    });
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.writes(), ["apply apps/deployments/books-ingest"]);
    assert_eq!(mark_of(&cluster, "apps/deployments", "books-ingest"), "gristmill-system/gristmill-operator");
    assert_eq!(template(&cluster), before);
}
