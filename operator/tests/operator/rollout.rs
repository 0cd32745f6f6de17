//! Another default image: one StreamIngest is rolled at a time here.

use serde_json::json;

use crate::cluster::Cluster;
use crate::documents::stream;

const STREAMS: &str = "gristmill.dev/streamingests";
const DEPLOYMENTS: &str = "apps/deployments";
const NAMES: [&str; 3] = ["atlases", "books", "maps"];

/// A cluster with three StreamIngests whose workers are available, and an operator with another image.
async fn upgraded() -> Cluster {
    let cluster = Cluster::new();
    for name in NAMES {
        let mut stream = stream();
        stream["metadata"]["name"] = json!(name);
        cluster.put(stream);
        cluster.reconcile_stream_of(name).await.unwrap();
        roll_through(&cluster, name);
    }
    cluster.upgrade("gristmill:next");
    cluster.writes();
    cluster
}

/// What the Deployment controller does.
fn roll_through(cluster: &Cluster, name: &str) {
    cluster.edit(DEPLOYMENTS, &format!("{name}-ingest"), |deployment| {
        let generation = deployment["metadata"]["generation"].clone();
        deployment["status"] =
            json!({"observedGeneration": generation, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1});
    });
}

async fn reconcile_all(cluster: &Cluster) {
    for name in NAMES {
        cluster.reconcile_stream_of(name).await.unwrap();
    }
}

fn images(cluster: &Cluster) -> [String; 3] {
    NAMES.map(|name| {
        let deployment = cluster.get(DEPLOYMENTS, &format!("{name}-ingest")).unwrap();
        let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
        image.as_str().unwrap().trim_start_matches("gristmill:").to_owned()
    })
}

#[tokio::test]
async fn another_image_rolls_one_after_the_other() {
    let cluster = upgraded().await;
    reconcile_all(&cluster).await;
    assert_eq!(images(&cluster), ["next", "test", "test"]);
    reconcile_all(&cluster).await;
    assert_eq!(images(&cluster), ["next", "test", "test"], "the first is not through");
    for expected in [["next", "next", "test"], ["next", "next", "next"]] {
        NAMES.iter().for_each(|name| roll_through(&cluster, name));
        reconcile_all(&cluster).await;
        assert_eq!(images(&cluster), expected);
    }
}

#[tokio::test]
async fn waiting_costs_no_writes() {
    let cluster = upgraded().await;
    reconcile_all(&cluster).await;
    cluster.writes();
    reconcile_all(&cluster).await;
    assert_eq!(cluster.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn change_of_its_own_spec_waits_for_nobody() {
    let cluster = upgraded().await;
    reconcile_all(&cluster).await;
    cluster.edit(STREAMS, "maps", |stream| stream["spec"]["pod"] = json!({"cpu": "2"}));
    reconcile_all(&cluster).await;
    assert_eq!(images(&cluster), ["next", "test", "next"]);
}

#[tokio::test]
async fn resource_without_an_available_pod_waits_for_nobody_and_keeps_nobody_waiting() {
    let cluster = upgraded().await;
    cluster.edit(DEPLOYMENTS, "atlases-ingest", |deployment| deployment["status"] = json!({"replicas": 1}));
    reconcile_all(&cluster).await;
    assert_eq!(images(&cluster), ["next", "next", "test"]);
}

#[tokio::test]
async fn change_of_its_own_spec_after_a_rollout_gives_its_place_back() {
    let cluster = upgraded().await;
    reconcile_all(&cluster).await;
    NAMES.iter().for_each(|name| roll_through(&cluster, name));
    cluster.edit(STREAMS, "atlases", |stream| stream["spec"]["pod"] = json!({"cpu": "2"}));
    cluster.reconcile_stream_of("atlases").await.unwrap();
    roll_through(&cluster, "atlases");
    reconcile_all(&cluster).await;
    assert_eq!(images(&cluster), ["next", "next", "test"]);
}
