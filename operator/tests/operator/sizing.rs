//! Scenarios of a StreamIngest whose size is computed.

use serde_json::{Value, json};

use crate::cluster::{Cluster, STREAMS};
use crate::documents::{ingest_report, running, stream, worker_pod};

const DEPLOYMENTS: &str = "apps/deployments";

/// A worker's pod with this CPU.
fn pod(name: &str, cpu: &str) -> Value {
    let mut pod = worker_pod(running());
    pod["metadata"]["name"] = json!(name);
    pod["metadata"]["annotations"] = json!({"gristmill.dev/cpu": cpu});
    pod["spec"]["containers"][0]["resources"] =
        json!({"requests": {"cpu": cpu, "memory": "256Mi"}, "limits": {"memory": "256Mi"}});
    pod
}

/// What a worker with this part of the four partitions tells: 0.31 ms of CPU a record.
pub(crate) fn work(partitions: u32, arrival: f64, backlog: u64) -> Value {
    let mut report = ingest_report("Ingesting");
    let records = (arrival * 60.0) as u64;
    report["work"] = json!({
        "windowSeconds": 60.0, "cpuSeconds": records as f64 * 0.000_31, "records": records, "bytes": 2000 * records,
        "decodeSeconds": 20.0, "encodeSeconds": 4.0, "commitSeconds": 1.0, "storeWaitSeconds": 0.6, "decodeThreads": 1,
        "partitions": partitions, "arrival": arrival, "backlog": backlog,
    });
    report
}

/// A settled stream with this `spec.scaling`, one worker with 500m, and 3,100 records a second.
pub(crate) async fn busy(scaling: Value) -> Cluster {
    let mut stream = stream();
    stream["spec"]["scaling"] = scaling;
    let cluster = Cluster::new().with(stream).with(pod("books-ingest-1", "500m"));
    cluster.report(Some(work(4, 3100.0, 18_200)));
    cluster.reconcile_stream().await.unwrap();
    roll_through(&cluster);
    cluster.writes();
    cluster.events();
    cluster
}

/// What the Deployment controller does.
fn roll_through(cluster: &Cluster) {
    cluster.edit(DEPLOYMENTS, "books-ingest", |deployment| {
        deployment["status"] = json!({"observedGeneration": deployment["metadata"]["generation"], "replicas": 1,
            "updatedReplicas": 1, "availableReplicas": 1});
    });
}

/// Reconciles every 15 seconds for so long.
pub(crate) async fn watch(cluster: &Cluster, seconds: i64) {
    for _ in 0..seconds / 15 {
        cluster.wait_seconds(15);
        cluster.reconcile_stream().await.unwrap();
        roll_through(cluster);
    }
}

pub(crate) fn sizing(cluster: &Cluster) -> Value {
    cluster.get(STREAMS, "books").unwrap()["status"]["sizing"].clone()
}

pub(crate) fn replicas(cluster: &Cluster) -> Value {
    cluster.get(DEPLOYMENTS, "books-ingest").unwrap()["spec"]["replicas"].clone()
}

pub(crate) fn template_cpu(cluster: &Cluster) -> Value {
    let deployment = cluster.get(DEPLOYMENTS, "books-ingest").unwrap();
    deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"].clone()
}

pub(crate) fn pod_cpu(cluster: &Cluster, name: &str) -> (Value, Value) {
    let pod = cluster.get("/pods", name).unwrap();
    let requested = pod["spec"]["containers"][0]["resources"]["requests"]["cpu"].clone();
    (requested, pod["metadata"]["annotations"]["gristmill.dev/cpu"].clone())
}

pub(crate) fn has(cpu: &str) -> (Value, Value) {
    (json!(cpu), json!(cpu))
}

pub(crate) fn of_pods(writes: Vec<String>) -> Vec<String> {
    writes.into_iter().filter(|write| write.contains("/pods")).collect()
}

#[tokio::test]
async fn advice_is_written_with_its_figures_and_nothing_is_acted_on() {
    let cluster = busy(json!({"mode": "Advise"})).await;
    watch(&cluster, 120).await;
    insta::assert_yaml_snapshot!(sizing(&cluster), @r#"
    cpuPerWorker: 1400m
    desiredReplicas: 1
    explanation: "arrival 3100/s + backlog 18200 in 30m, 0.31 ms a record, 70 %: 1.38 cores; 1 worker x 1400m instead of 1 x 500m"
    limitedBy: None
    templateCpu: 500m
    time: "2026-11-23T05:11:30Z"
    "#);
    assert_eq!(of_pods(cluster.writes()), Vec::<String>::new());
    assert_eq!((replicas(&cluster), template_cpu(&cluster)), (json!(1), json!("500m")));
    assert_eq!(pod_cpu(&cluster, "books-ingest-1"), has("500m"));
    assert_eq!(cluster.condition(STREAMS, "ScalingLimited").0, "False/DesiredWithinRange");
    assert_eq!(cluster.events(), Vec::<String>::new());
}

#[tokio::test]
async fn more_cpu_is_given_in_place_and_the_worker_is_told() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    watch(&cluster, 120).await;
    let expected = [
        r#"resize /pods/books-ingest-1 {"requests":{"cpu":"1400m"}}"#,
        r#"merge /pods/books-ingest-1 {"metadata":{"annotations":{"gristmill.dev/cpu":"1400m"}}}"#,
    ];
    assert_eq!(of_pods(cluster.writes()), expected);
    assert_eq!(template_cpu(&cluster), "500m", "a rollout would move partitions");
    insta::assert_snapshot!(cluster.events().join("\n"), @"Normal Resized: from 1 x 500m to 1 x 1400m: arrival 3100/s + backlog 18200 in 30m, 0.31 ms a record, 70 %: 1.38 cores; 1 worker x 1400m instead of 1 x 500m");
    assert_eq!(sizing(&cluster)["templateCpu"], "500m");
    assert_eq!(sizing(&cluster)["cpuPerWorker"], "1400m");
}

#[tokio::test]
async fn pod_that_is_created_later_gets_the_decided_cpu() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    watch(&cluster, 120).await;
    cluster.delete("/pods", "books-ingest-1");
    cluster.put(pod("books-ingest-2", "500m"));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(pod_cpu(&cluster, "books-ingest-2"), has("1400m"));
}

#[tokio::test]
async fn workers_are_added_where_one_may_have_no_more_cpu() {
    let cluster = busy(json!({"mode": "Auto", "maxCpuPerWorker": "500m"})).await;
    watch(&cluster, 120).await;
    assert_eq!(replicas(&cluster), 4);
    assert_eq!(sizing(&cluster)["cpuPerWorker"], "350m");
    let events = cluster.events();
    assert!(events[0].starts_with("Normal Resized: from 1 x 500m to 4 x 350m: arrival 3100/s"), "{events:?}");
}

/// Events of one action are a series, of which the API server keeps the first note only.
#[tokio::test]
async fn each_change_is_an_event_with_its_own_sizes() {
    let cluster = busy(json!({"mode": "Auto", "scaleDownInterval": "10m"})).await;
    watch(&cluster, 120).await;
    cluster.report(Some(work(4, 900.0, 0)));
    watch(&cluster, 900).await;
    let events = cluster.events();
    let changes: Vec<&str> = events.iter().filter_map(|event| event.strip_prefix("Normal Resized: ")).collect();
    assert_eq!(changes.len(), 2, "{events:?}");
    assert!(changes[0].starts_with("from 1 x 500m to 1 x 1400m: "), "{changes:?}");
    assert!(changes[1].starts_with("from 1 x 1400m to 1 x "), "{changes:?}");
}

#[tokio::test]
async fn size_is_held_while_figures_are_missing() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    cluster.report(None);
    watch(&cluster, 300).await;
    assert_eq!((replicas(&cluster), of_pods(cluster.writes())), (json!(1), Vec::new()));
    let (limited, message) = cluster.condition(STREAMS, "ScalingLimited");
    assert_eq!(limited, "Unknown/MetricsMissing");
    assert_eq!(message, "held: worker books-ingest-1 gives no figures; 1 worker x 500m");
}

#[tokio::test]
async fn worker_that_keeps_out_of_a_shared_group_holds_the_size() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    let mut report = work(0, 0.0, 0);
    report["phase"] = json!("GroupShared");
    cluster.report(Some(report));
    watch(&cluster, 300).await;
    assert_eq!((replicas(&cluster), of_pods(cluster.writes())), (json!(1), Vec::new()));
    assert_eq!(cluster.condition(STREAMS, "ScalingLimited").0, "Unknown/MetricsMissing");
}

#[tokio::test]
async fn size_that_was_applied_is_remembered_although_a_pod_could_not_be_resized() {
    let cluster = busy(json!({"mode": "Auto", "maxCpuPerWorker": "600m"})).await;
    watch(&cluster, 75).await;
    cluster.refuse_resize(Some((500, "etcdserver: request timed out")));
    cluster.wait_seconds(15);
    cluster.reconcile_stream().await.unwrap_err();
    assert_eq!(replicas(&cluster), 4);
    // Little arrives a moment later: workers are not taken away before the interval is over.
    cluster.refuse_resize(None);
    cluster.report(Some(work(1, 25.0, 0)));
    cluster.wait_seconds(15);
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(replicas(&cluster), 4);
}

#[tokio::test]
async fn template_takes_the_decided_cpu_with_a_rollout_that_happens_anyway() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    watch(&cluster, 120).await;
    assert_eq!(template_cpu(&cluster), "500m");
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["record"]["columns"][1]["required"] = json!(false));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(template_cpu(&cluster), "1400m");
    let deployment = cluster.get(DEPLOYMENTS, "books-ingest").unwrap();
    assert_eq!(deployment["spec"]["template"]["metadata"]["annotations"]["gristmill.dev/cpu"], "1400m");
}

#[tokio::test]
async fn template_that_is_far_off_is_changed_after_the_scale_down_interval() {
    let cluster = busy(json!({"mode": "Auto", "scaleDownInterval": "10m"})).await;
    watch(&cluster, 600).await;
    assert_eq!(template_cpu(&cluster), "500m");
    watch(&cluster, 180).await;
    assert_eq!(template_cpu(&cluster), "1400m");
}

#[tokio::test]
async fn start_of_the_operator_changes_nothing() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    watch(&cluster, 120).await;
    let before = (cluster.get(DEPLOYMENTS, "books-ingest"), cluster.get("/pods", "books-ingest-1"));
    cluster.events();
    cluster.restart();
    cluster.reconcile_stream().await.unwrap();
    assert_eq!((cluster.get(DEPLOYMENTS, "books-ingest"), cluster.get("/pods", "books-ingest-1")), before);
    assert_eq!(cluster.events(), Vec::<String>::new());
    // Nor does the loss of all that was remembered: pods keep what they have.
    cluster.edit(DEPLOYMENTS, "books-ingest", |deployment| {
        deployment["metadata"]["annotations"]["gristmill.dev/sizing"] = json!("{unreadable");
    });
    cluster.restart();
    cluster.reconcile_stream().await.unwrap();
    assert_eq!((pod_cpu(&cluster, "books-ingest-1"), replicas(&cluster)), (has("1400m"), json!(1)));
}

#[tokio::test]
async fn less_is_taken_away_after_the_interval_although_the_operator_started_meanwhile() {
    let cluster = busy(json!({"mode": "Auto", "scaleDownInterval": "30m"})).await;
    watch(&cluster, 120).await;
    assert_eq!(pod_cpu(&cluster, "books-ingest-1"), has("1400m"));
    cluster.report(Some(work(4, 900.0, 0)));
    watch(&cluster, 900).await;
    cluster.restart();
    watch(&cluster, 840).await;
    assert_eq!(pod_cpu(&cluster, "books-ingest-1"), has("1400m"));
    watch(&cluster, 600).await;
    assert_eq!(pod_cpu(&cluster, "books-ingest-1"), has("400m"));
}

#[tokio::test]
async fn pods_go_back_to_the_document_when_it_decides_again() {
    for mode in ["Manual", "Advise"] {
        let cluster = busy(json!({"mode": "Auto"})).await;
        watch(&cluster, 120).await;
        cluster.edit(STREAMS, "books", |stream| stream["spec"]["scaling"] = json!({"mode": mode}));
        cluster.reconcile_stream().await.unwrap();
        assert_eq!(pod_cpu(&cluster, "books-ingest-1"), has("500m"), "{mode}");
        assert_eq!(template_cpu(&cluster), "500m");
        assert_eq!(sizing(&cluster).is_null(), mode == "Manual");
    }
}

#[tokio::test]
async fn pods_that_a_rollout_replaces_anyway_are_let_go_as_they_are() {
    let cluster = busy(json!({"mode": "Manual"})).await;
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["pod"] = json!({"cpu": "2"}));
    for _ in 0..2 {
        // The Deployment controller has not seen the new template yet.
        cluster.reconcile_stream().await.unwrap();
    }
    assert_eq!(template_cpu(&cluster), "2");
    assert_eq!(of_pods(cluster.writes()), Vec::<String>::new());
}

#[tokio::test]
async fn scaler_of_the_deployment_is_named_and_nothing_is_carried_out() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    cluster.edit(DEPLOYMENTS, "books-ingest", |deployment| {
        deployment["metadata"]["managedFields"] = json!([{"manager": "keda-operator", "operation": "Update",
            "apiVersion": "apps/v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]);
        deployment["spec"]["replicas"] = json!(2);
    });
    cluster.reconcile_stream().await.unwrap();
    let (limited, message) = cluster.condition(STREAMS, "ScalingLimited");
    assert_eq!(limited, "True/ExternalScaler");
    assert!(message.starts_with("keda-operator sets the replicas"), "{message}");
    assert_eq!(sizing(&cluster)["limitedBy"], "ExternalScaler");
    assert_eq!(of_pods(cluster.writes()), Vec::<String>::new());
}

#[tokio::test]
async fn limit_of_the_document_is_told() {
    let cluster = busy(json!({"mode": "Auto", "maxReplicas": 1, "maxCpuPerWorker": "600m"})).await;
    watch(&cluster, 120).await;
    let message =
        "maxReplicas 1 keeps it there; what would change it: maxReplicas above 1, or a higher maxCpuPerWorker";
    assert_eq!(cluster.condition(STREAMS, "ScalingLimited"), ("True/MaxReplicas".to_owned(), message.to_owned()));
    assert_eq!(sizing(&cluster)["limitedBy"], "MaxReplicas");
}

#[tokio::test]
async fn suspended_stream_goes_on_with_the_size_that_was_decided() {
    let cluster = busy(json!({"mode": "Auto", "maxCpuPerWorker": "500m"})).await;
    watch(&cluster, 120).await;
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["suspend"] = json!(true));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(replicas(&cluster), 0);
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["suspend"] = json!(false));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(replicas(&cluster), 4);
}

#[tokio::test]
async fn idle_stream_costs_no_writes_however_long_it_is_watched() {
    for mode in ["Advise", "Auto"] {
        let cluster = busy(json!({"mode": mode, "scaleDownInterval": "10m"})).await;
        cluster.report(Some(work(4, 0.0, 0)));
        watch(&cluster, 3600).await;
        cluster.writes();
        watch(&cluster, 1800).await;
        assert_eq!(cluster.writes(), Vec::<String>::new(), "{mode}");
    }
}

#[tokio::test]
async fn what_is_remembered_is_small() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    for minute in 0..90 {
        cluster.report(Some(work(4, 3100.123 + f64::from(minute) * 11.777, 18_200)));
        watch(&cluster, 60).await;
    }
    let deployment = cluster.get(DEPLOYMENTS, "books-ingest").unwrap();
    let text = deployment["metadata"]["annotations"]["gristmill.dev/sizing"].as_str().unwrap();
    assert!(text.len() > 500 && text.len() < 4096, "{} bytes: {text}", text.len());
}
