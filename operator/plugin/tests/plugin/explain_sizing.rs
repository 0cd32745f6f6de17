//! What `explain-sizing` prints.

use gristmill_crds::report::IngestReport;
use k8s_openapi::api::core::v1::Pod;
use kubectl_gristmill::error::Error;
use kubectl_gristmill::explain_sizing::{Told, hear, render};
use kubectl_gristmill::table::WIDTH;
use serde_json::{Value, json};

use crate::facts::{condition, good, now, read, report, stream};

fn pod(name: &str, cpu: &str) -> Pod {
    let pod = json!({
        "metadata": {"name": name, "namespace": "library"},
        "spec": {"containers": [{"name": "gristmill", "resources": {"requests": {"cpu": cpu}}}]},
    });
    serde_json::from_value(pod).unwrap()
}

fn working(partitions: u32, arrival: f64, backlog: u64) -> IngestReport {
    let mut report = serde_json::to_value(report("Ingesting", &[])).unwrap();
    let records = (arrival * 60.0) as u64;
    report["work"] = json!({
        "windowSeconds": 60.0, "cpuSeconds": records as f64 * 0.000_31, "records": records, "bytes": 1, "decodeSeconds": 1.0,
        "encodeSeconds": 1.0, "commitSeconds": 1.0, "storeWaitSeconds": 0.6, "decodeThreads": 1, "partitions": partitions,
        "arrival": arrival, "backlog": backlog,
    });
    serde_json::from_value(report).unwrap()
}

/// A stream whose size the operator has decided a while ago.
fn sized(limited: &[Value]) -> Value {
    let conditions: Vec<Value> = good().into_iter().chain(limited.iter().cloned()).collect();
    let mut stream = stream("books", &conditions);
    stream["spec"]["scaling"] = json!({"mode": "Auto"});
    stream["spec"]["record"] = json!({"rowPath": "/library/book", "columns": [{"name": "title", "path": "title"}]});
    stream["spec"]["hadoop"] = json!({"simple": {"user": "etl"}});
    stream["status"]["sizing"] = json!({"desiredReplicas": 1, "cpuPerWorker": "1400m", "limitedBy": "None",
        "time": "2026-11-23T05:13:20Z", "explanation": "arrival 3080/s, 0.31 ms a record, 70 %: 1.36 cores; 1 worker x 1400m"});
    stream
}

fn remembering(told: Told) -> Told {
    let remembered = json!({"decided": {"replicas": 1, "cpu": 1400},
        "history": {"observedSince": 1_795_400_000, "observed": 1_795_410_800, "cost": {"seconds": 0.000_31, "slowest": 1.0}}});
    Told { remembered: Some(remembered.to_string()), replicas: Some(1), ..told }
}

fn narrow(text: String) -> String {
    let wide: Vec<&str> = text.lines().filter(|line| line.chars().count() > WIDTH).collect();
    assert!(wide.is_empty(), "wider than {WIDTH}: {wide:#?}");
    text
}

#[test]
fn inputs_formula_result_and_what_would_change_it_are_told() {
    let told = remembering(hear(vec![(pod("books-ingest-1", "1400m"), Ok(working(8, 3100.0, 18_200)))]));
    insta::assert_snapshot!("explain_sizing", narrow(render(&read(sized(&[])), &told, now())));
}

#[test]
fn worker_that_is_silent_holds_the_size_and_is_named_with_what_limits_it() {
    let silent = Error::WorkerSilent { pod: "books-ingest-2".to_owned(), why: "connection refused".to_owned() };
    let answers =
        vec![(pod("books-ingest-1", "500m"), Ok(working(4, 1500.0, 0))), (pod("books-ingest-2", "500m"), Err(silent))];
    let limited = condition("ScalingLimited", "True", "QuotaExceeded", "the namespace refuses more CPU for a pod");
    insta::assert_snapshot!(
        "explain_sizing_held",
        narrow(render(&read(sized(&[limited])), &remembering(hear(answers)), now()))
    );
}

#[test]
fn cpu_of_a_worker_is_what_its_node_has_granted() {
    let mut waiting = serde_json::to_value(pod("books-ingest-1", "1400m")).unwrap();
    waiting["status"] = json!({
        "conditions": [{"type": "PodResizePending", "status": "True", "reason": "Deferred"}],
        "containerStatuses": [{"name": "gristmill", "image": "", "imageID": "", "ready": true, "restartCount": 0,
            "resources": {"requests": {"cpu": "500m"}}}],
    });
    let pod: Pod = serde_json::from_value(waiting).unwrap();
    let told = remembering(hear(vec![(pod, Ok(working(8, 1600.0, 18_200)))]));
    let text = narrow(render(&read(sized(&[])), &told, now()));
    for expected in ["books-ingest-1  500m", "with 99 % of the CPU", "running      1 worker x 500m"] {
        assert!(text.contains(expected), "{expected}:\n{text}");
    }
}

#[test]
fn stream_without_workers_says_so() {
    let told = Told { replicas: Some(0), ..Told::default() };
    let text = narrow(render(&read(sized(&[])), &told, now()));
    assert!(text.contains("held         no worker runs\n"), "{text}");
}
