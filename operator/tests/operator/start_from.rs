//! Scenarios of a `startFrom` that is edited.

use serde_json::{Value, json};

use crate::cluster::{Cluster, STREAMS, ingesting, settled};

fn start_from(cluster: &Cluster, position: Value) {
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["source"]["kafka"]["startFrom"] = position);
}

/// Events of that since the last call.
fn told(cluster: &Cluster) -> Vec<String> {
    cluster.events().into_iter().filter(|event| event.contains("StartFromIgnored")).collect()
}

#[tokio::test]
async fn start_that_is_edited_once_the_zone_has_a_log_is_told_once_as_ignored() {
    let cluster = ingesting().await;
    start_from(&cluster, json!({"position": "Latest"}));
    for _ in 0..3 {
        cluster.reconcile_stream().await.unwrap();
    }
    let told_now = told(&cluster);
    assert_eq!(told_now.len(), 1, "{told_now:?}");
    assert!(told_now[0].starts_with("Warning StartFromIgnored: the zone has a log, "), "{told_now:?}");
    // Another edit says nothing of it.
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["rewind"] = json!({"nonce": "a", "position": "Earliest"}));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(told(&cluster), Vec::<String>::new());
}

#[tokio::test]
async fn start_of_a_zone_without_a_log_and_the_default_written_out_are_not_told() {
    let cluster = settled().await;
    start_from(&cluster, json!({"position": "Latest"}));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(told(&cluster), Vec::<String>::new(), "no worker has made the zone yet");

    let cluster = ingesting().await;
    start_from(&cluster, json!({"position": "Earliest"}));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(told(&cluster), Vec::<String>::new(), "it is what was meant before");
}
