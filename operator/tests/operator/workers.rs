//! Scenarios of workers that are dead or silent, or that nobody may replace.

use serde_json::{Value, json};

use crate::cluster::{Cluster, STREAMS, ingesting, settled};
use crate::documents::{ingest_report, running, worker_pod};

fn pause(cluster: &Cluster) {
    cluster.edit(STREAMS, "books", |stream| {
        stream["metadata"]["annotations"] = json!({"gristmill.dev/reconcile": "Disabled"});
    });
}

/// A running process, long after one that ended like this.
fn after(ended: Value) -> Value {
    let mut state = running();
    state["lastState"] = json!({"terminated": ended});
    worker_pod(state)
}

#[tokio::test]
async fn pod_that_ended_for_good_is_no_worker_once_another_has_its_place() {
    for phase in ["Failed", "Succeeded"] {
        let cluster = ingesting().await;
        let mut dead = worker_pod(json!({"state": {"terminated": {"exitCode": 137}}}));
        dead["metadata"]["name"] = json!("books-ingest-0");
        dead["status"]["phase"] = json!(phase);
        dead["status"]["reason"] = json!("Evicted");
        cluster.put(dead);
        cluster.reconcile_stream().await.unwrap();
        let expected = ("True/Ingesting".to_owned(), "4 partitions, 12 messages behind, 42 s".to_owned());
        assert_eq!(cluster.condition(STREAMS, "Ready"), expected, "{phase}");
    }
}

#[tokio::test]
async fn pod_that_ended_for_good_is_told_while_there_is_no_other() {
    let cluster = settled().await;
    let mut dead = worker_pod(json!({}));
    dead["status"] =
        json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."});
    cluster.put(dead);
    cluster.reconcile_stream().await.unwrap();
    let expected = "pod books-ingest-1: Evicted: The node was low on resource: memory; another pod takes its place";
    assert_eq!(cluster.condition(STREAMS, "Ready"), ("False/WorkerUnavailable".to_owned(), expected.to_owned()));
}

#[tokio::test]
async fn end_of_a_process_long_ago_says_nothing_of_a_silent_worker() {
    for ended in [
        json!({"exitCode": 137, "reason": "OOMKilled"}),
        json!({"exitCode": 2, "message": r#"{"reason": "KeyNotFound", "message": "no key"}"#}),
    ] {
        let cluster = settled().await;
        cluster.put(after(ended));
        cluster.reconcile_stream().await.unwrap();
        let (ready, message) = cluster.condition(STREAMS, "Ready");
        assert_eq!(ready, "False/WorkerUnavailable", "{message}");
        assert_eq!(cluster.condition(STREAMS, "ResolvedRefs").0, "True/Resolved");
    }
}

#[tokio::test]
async fn end_of_the_process_before_is_told_while_the_next_one_has_just_started() {
    let cluster = settled().await;
    let mut state = json!({"state": {"running": {"startedAt": "2026-11-23T05:09:30Z"}}});
    state["lastState"] = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    cluster.put(worker_pod(state));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "False/OutOfMemory");
}

#[tokio::test]
async fn silence_of_less_than_two_minutes_leaves_a_stream_ready() {
    let cluster = ingesting().await;
    cluster.events();
    cluster.report(None);
    for waited in [0, 60, 59] {
        cluster.wait_seconds(waited);
        cluster.reconcile_stream().await.unwrap();
        let (ready, message) = cluster.condition(STREAMS, "Ready");
        assert_eq!(ready, "True/Ingesting", "{message}");
        assert_eq!(cluster.condition(STREAMS, "BacklogWithinTarget").0, "True/WithinTarget");
    }
    assert_eq!(cluster.events(), Vec::<String>::new());
    cluster.wait_seconds(1);
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "False/WorkerUnavailable");
}

#[tokio::test]
async fn answer_ends_a_silence() {
    let cluster = ingesting().await;
    for report in [None, Some(ingest_report("Ingesting")), None] {
        cluster.report(report);
        cluster.wait_seconds(90);
        cluster.reconcile_stream().await.unwrap();
        assert_eq!(cluster.condition(STREAMS, "Ready").0, "True/Ingesting");
    }
}

#[tokio::test]
async fn answer_that_is_no_report_asks_for_another_worker_and_not_for_another_network() {
    let cluster = settled().await;
    cluster.put(worker_pod(running()));
    cluster.reconcile_stream().await.unwrap();
    let (_, message) = cluster.condition(STREAMS, "Ready");
    assert!(message.contains("spec.pod.image") && !message.contains("NetworkPolicy"), "{message}");
}

#[tokio::test]
async fn report_of_hundreds_of_stopped_partitions_is_read() {
    let cluster = ingesting().await;
    let mut report = ingest_report("Ingesting");
    let message = "a message of 20971520 bytes is longer than spec.record.limits.maxMessageSize; ".repeat(3);
    let stopped =
        |partition| json!({"partition": partition, "offset": 1, "reason": "MessageTooLarge", "message": message});
    report["stopped"] = (0..500).map(stopped).collect();
    cluster.report(Some(report));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "Stalled").0, "True/MessageTooLarge");
}

#[tokio::test]
async fn change_of_the_spec_of_a_paused_stream_rolls_nothing_and_says_nothing_of_it() {
    let cluster = ingesting().await;
    pause(&cluster);
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["record"]["columns"][1]["required"] = json!(false));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "True/Ingesting");
    assert!(!cluster.described(STREAMS).contains("Reconciling"), "{}", cluster.described(STREAMS));
}

#[tokio::test]
async fn paused_stream_does_not_say_what_its_spec_wishes_but_what_its_workers_do() {
    for wish in [("suspend", json!(true)), ("scaling", json!({"replicas": 0}))] {
        let cluster = ingesting().await;
        pause(&cluster);
        cluster.edit(STREAMS, "books", |stream| stream["spec"][wish.0] = wish.1);
        cluster.reconcile_stream().await.unwrap();
        assert_eq!(cluster.condition(STREAMS, "Ready").0, "True/Ingesting");
        assert_eq!(cluster.condition(STREAMS, "BacklogWithinTarget").0, "True/WithinTarget");
        assert!(!cluster.described(STREAMS).contains("Suspended"), "{}", cluster.described(STREAMS));
    }
}

#[tokio::test]
async fn stream_that_was_suspended_before_it_was_paused_stays_as_wished() {
    let cluster = settled().await;
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["suspend"] = json!(true));
    cluster.reconcile_stream().await.unwrap();
    pause(&cluster);
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "True/Suspended");
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["suspend"] = json!(false));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "True/ScaledToZero");
}
