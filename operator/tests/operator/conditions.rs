//! Scenarios of the conditions of a StreamIngest whose worker runs.

use std::collections::BTreeSet;

use serde_json::json;

use crate::cluster::{Cluster, STREAMS, ingesting, settled};
use crate::documents::{ingest_report, running, worker_pod};

#[tokio::test]
async fn outage_of_less_than_two_minutes_leaves_a_stream_ready() {
    let cluster = ingesting().await;
    for (phase, reason) in [("SourceUnavailable", "Kafka"), ("StoreUnavailable", "HDFS")] {
        cluster.wait_seconds(60);
        let mut report = ingest_report(phase);
        report["message"] = json!(format!("{reason} is away"));
        report["phaseSince"] = json!("2026-11-23T05:10:00.500Z");
        cluster.report(Some(report.clone()));
        cluster.reconcile_stream().await.unwrap();
        let expected = format!("4 partitions, 12 messages behind, 42 s; {reason} is away");
        assert_eq!(cluster.condition(STREAMS, "Ready"), ("True/Ingesting".to_owned(), expected));
    }
    cluster.wait_seconds(1);
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "False/StoreUnavailable");
    assert!(!cluster.described(STREAMS).contains("Stalled"), "an outage passes");
}

/// The figures of each turn are others.
#[tokio::test]
async fn fact_that_comes_and_goes_is_told_once_in_ten_minutes_whatever_its_figures() {
    let cluster = ingesting().await;
    let turn = async |seconds: i64| {
        let mut report = ingest_report("Ingesting");
        report["lag"] = json!({"records": 1_000 + seconds, "seconds": seconds});
        cluster.report(Some(report));
        cluster.reconcile_stream().await.unwrap();
    };
    let reasons = || {
        let events = cluster.events();
        events.iter().filter_map(|event| Some(event.split_once(':')?.0.to_owned())).collect::<Vec<_>>()
    };
    reasons();
    turn(1801).await;
    turn(11).await;
    assert_eq!(reasons(), ["Warning BacklogOverTarget", "Normal WithinTarget"]);
    for seconds in 1..5 {
        cluster.wait_seconds(60);
        turn(1900 + seconds).await;
        turn(20 + seconds).await;
    }
    assert_eq!(reasons(), [""; 0]);
    cluster.wait_seconds(600);
    turn(2000).await;
    assert_eq!(reasons(), ["Warning BacklogOverTarget"]);
}

#[tokio::test]
async fn backlog_alone_leaves_a_stream_ready() {
    let cluster = ingesting().await;
    let mut report = ingest_report("Ingesting");
    report["lag"] = json!({"records": 1_000_000, "seconds": 1801});
    cluster.report(Some(report));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "BacklogWithinTarget").0, "False/BacklogOverTarget");
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "True/Ingesting");
}

#[tokio::test]
async fn rejects_beyond_a_budget_that_lets_go_on_leave_a_stream_ready() {
    let cluster = ingesting().await;
    let mut report = ingest_report("Ingesting");
    report["rejectedPercent"] = json!("12.5");
    report["rejectedOverBudget"] = json!(true);
    cluster.report(Some(report));
    cluster.reconcile_stream().await.unwrap();
    let (rejected, message) = cluster.condition(STREAMS, "RejectedWithinBudget");
    assert_eq!(rejected, "False/RejectedBudgetExceeded");
    assert!(message.starts_with("12.5 % of the messages have rejects, where 10 % are tolerated; "), "{message}");
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "True/Ingesting");
    assert!(!cluster.described(STREAMS).contains("Stalled"), "it goes on");
}

#[tokio::test]
async fn partition_that_is_read_no_more_is_told_and_stalls() {
    let cluster = ingesting().await;
    let mut report = ingest_report("Ingesting");
    report["stopped"] =
        json!([{"partition": 3, "offset": 1044, "reason": "MessageTooLarge", "message": "raise maxMessageSize"}]);
    cluster.report(Some(report));
    cluster.reconcile_stream().await.unwrap();
    let expected = "book_data_topic/3 is read no more from offset 1044 on: raise maxMessageSize";
    assert_eq!(cluster.condition(STREAMS, "Ready"), ("False/MessageTooLarge".to_owned(), expected.to_owned()));
    assert_eq!(cluster.condition(STREAMS, "Stalled"), ("True/MessageTooLarge".to_owned(), expected.to_owned()));
}

#[tokio::test]
async fn missing_secret_is_resolved_once_the_pod_runs() {
    let cluster = settled().await;
    let waiting = json!({"reason": "CreateContainerConfigError", "message": "secret \"proxy\" not found"});
    cluster.put(worker_pod(json!({"state": {"waiting": waiting}})));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "ResolvedRefs").0, "False/SecretNotFound");
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "False/SecretNotFound");
    cluster.put(worker_pod(running()));
    cluster.report(Some(ingest_report("Ingesting")));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "ResolvedRefs").0, "True/Resolved");
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "True/Ingesting");
}

#[tokio::test]
async fn events_are_asked_for_only_while_a_pod_is_late() {
    let asked = |cluster: &Cluster| cluster.used().contains(&("/events".to_owned(), "list".to_owned()));
    let cluster = ingesting().await;
    let mut pod = worker_pod(json!({"state": {"waiting": {"reason": "ContainerCreating"}}}));
    pod["status"]["startTime"] = json!("2026-11-23T05:09:55Z");
    cluster.put(pod);
    cluster.reconcile_stream().await.unwrap();
    assert!(!asked(&cluster));
    cluster.wait_seconds(5);
    cluster.reconcile_stream().await.unwrap();
    assert!(asked(&cluster));
}

#[tokio::test]
async fn there_are_never_more_workers_than_partitions_and_the_limit_is_told() {
    let cluster = ingesting().await;
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["scaling"] = json!({"replicas": 9}));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.get("apps/deployments", "books-ingest").unwrap()["spec"]["replicas"], 4);
    let expected =
        "9 workers are wanted and 4 run, one for each partition of the topic; lower spec.scaling, or add partitions";
    assert_eq!(cluster.condition(STREAMS, "ScalingLimited"), ("True/PartitionCount".to_owned(), expected.to_owned()));
}

#[tokio::test]
async fn one_worker_without_a_node_leaves_the_others_ready() {
    let cluster = ingesting().await;
    let mut second = worker_pod(json!({}));
    second["metadata"]["name"] = json!("books-ingest-2");
    let message = "0/3 nodes are available: 3 Insufficient cpu.";
    second["status"] =
        json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": message}]});
    cluster.put(second);
    cluster.reconcile_stream().await.unwrap();
    let (ready, message) = cluster.condition(STREAMS, "Ready");
    assert_eq!(
        (ready.as_str(), message.as_str()),
        ("True/Ingesting", "1 of 2 workers, 4 partitions, 12 messages behind, 42 s")
    );
    assert_eq!(cluster.condition(STREAMS, "ScalingLimited").0, "True/NodeFull");
}

#[tokio::test]
async fn stream_that_is_held_by_its_budget_says_so() {
    let cluster = ingesting().await;
    cluster.report(Some(ingest_report("Held")));
    cluster.reconcile_stream().await.unwrap();
    for (condition_type, status) in [("Ready", "False"), ("RejectedWithinBudget", "False"), ("Stalled", "True")] {
        let expected = (format!("{status}/RejectedBudgetExceeded"), "it is Held".to_owned());
        assert_eq!(cluster.condition(STREAMS, condition_type), expected, "{condition_type}");
    }
    // The hold stands in the log, and outlives the worker that told of it.
    cluster.delete("/pods", "books-ingest-1");
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "RejectedWithinBudget").0, "False/RejectedBudgetExceeded");
}

#[tokio::test]
async fn event_is_written_when_a_condition_turns_and_none_while_it_stays_or_the_operator_restarts() {
    let cluster = ingesting().await;
    assert_eq!(cluster.events(), ["Normal Ingesting: 4 partitions, 12 messages behind, 42 s"]);
    cluster.report(Some(ingest_report("Held")));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.events(), ["Warning RejectedBudgetExceeded: it is Held"]);
    // Each of these is a reconcile of an operator that has just started; one of them writes the figures.
    for _ in 0..3 {
        cluster.wait_seconds(61);
        let mut report = ingest_report("Held");
        report["message"] = json!("it is still Held");
        cluster.report(Some(report));
        cluster.reconcile_stream().await.unwrap();
    }
    assert_eq!(cluster.events(), Vec::<String>::new());
}

#[tokio::test]
async fn fact_that_comes_and_goes_is_told_once_in_ten_minutes() {
    let cluster = ingesting().await;
    cluster.events();
    let turns = async |minutes: usize| {
        for _ in 0..minutes {
            for phase in ["Held", "Ingesting"] {
                cluster.wait_seconds(30);
                cluster.report(Some(ingest_report(phase)));
                cluster.reconcile_stream().await.unwrap();
            }
        }
        cluster.events()
    };
    let held = "Warning RejectedBudgetExceeded: it is Held".to_owned();
    let told = turns(9).await;
    let different: BTreeSet<_> = told.iter().collect();
    assert!(told.contains(&held) && different.len() == told.len(), "{told:?}");
    let again = turns(2).await;
    assert!(again.contains(&held), "{again:?}");
}

#[tokio::test]
async fn token_of_a_resume_is_handed_to_each_pod_once_and_rolls_none() {
    let cluster = ingesting().await;
    cluster.edit(STREAMS, "books", |stream| {
        stream["metadata"]["annotations"] = json!({"gristmill.dev/resume": "token-1"});
    });
    cluster.reconcile_stream().await.unwrap();
    let expected = r#"merge /pods/books-ingest-1 {"metadata":{"annotations":{"gristmill.dev/resume":"token-1"}}}"#;
    assert_eq!(cluster.writes(), [expected]);
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.writes(), Vec::<String>::new());
}
