//! Scenarios of a StreamIngest.

use kube::runtime::controller::Action;
use serde_json::json;

use crate::cluster::{Cluster, STREAMS, ingesting, settled};
use crate::documents::{crashing, ingest_report, running, stream, worker_pod};

const POLICIES: &str = "networking.k8s.io/networkpolicies";

fn config_map_of(cluster: &Cluster) -> String {
    let deployment = cluster.get("apps/deployments", "books-ingest").unwrap();
    deployment["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn first_reconcile_applies_all_objects_and_writes_the_status() {
    let cluster = Cluster::new().with(stream());
    cluster.reconcile_stream().await.unwrap();
    let writes = cluster.writes();
    assert_eq!(writes[0], "apply /serviceaccounts/books-ingest");
    assert!(writes[1].starts_with("apply /configmaps/books-ingest-"), "{writes:?}");
    let rest = [
        "apply networking.k8s.io/networkpolicies/books-ingest",
        "apply apps/deployments/books-ingest",
        "apply policy/poddisruptionbudgets/books-ingest",
        "apply gristmill.dev/streamingests/status/books",
    ];
    assert_eq!(writes[2..], rest);
    assert_eq!(cluster.condition(STREAMS, "Accepted").0, "True/Valid");
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "Unknown/Pending");
    let owner = &cluster.get("apps/deployments", "books-ingest").unwrap()["metadata"]["ownerReferences"][0];
    assert_eq!((&owner["controller"], &owner["blockOwnerDeletion"]), (&json!(true), &json!(true)));
}

#[tokio::test]
async fn second_reconcile_with_identical_objects_writes_nothing() {
    let cluster = settled().await;
    // What an API server adds on its own.
    cluster.edit("apps/deployments", "books-ingest", |deployment| {
        deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("1");
        deployment["spec"]["progressDeadlineSeconds"] = json!(600);
        deployment["spec"]["template"]["spec"]["restartPolicy"] = json!("Always");
        deployment["spec"]["template"]["spec"]["containers"][0]["ports"][0]["protocol"] = json!("TCP");
        deployment["spec"]["template"]["spec"]["volumes"][0]["configMap"]["defaultMode"] = json!(420);
    });
    cluster.wait_seconds(3600);
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn conditions_of_others_are_left_alone() {
    let cluster = settled().await;
    cluster.edit(STREAMS, "books", |stream| {
        let foreign = json!({"type": "Audited", "status": "True", "reason": "Audited", "message": "", "lastTransitionTime": "2026-11-23T05:00:00Z"});
        stream["status"]["conditions"].as_array_mut().unwrap().insert(0, foreign);
    });
    cluster.wait_seconds(3600);
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn drifted_deployment_is_applied_again() {
    let cluster = settled().await;
    cluster.edit("apps/deployments", "books-ingest", |deployment| deployment["spec"]["replicas"] = json!(3));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.writes(), ["apply apps/deployments/books-ingest"]);
    assert_eq!(cluster.get("apps/deployments", "books-ingest").unwrap()["spec"]["replicas"], 1);
}

#[tokio::test]
async fn network_policy_that_was_opened_is_closed_again() {
    let cluster = settled().await;
    cluster.edit(POLICIES, "books-ingest", |policy| {
        policy["spec"]["ingress"][0]["from"].as_array_mut().unwrap().push(json!({"podSelector": {}}));
    });
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.writes(), ["apply networking.k8s.io/networkpolicies/books-ingest"]);
    let policy = cluster.get(POLICIES, "books-ingest").unwrap();
    assert_eq!(policy["spec"]["ingress"][0]["from"].as_array().unwrap().len(), 1, "{policy}");
}

#[tokio::test]
async fn network_policy_goes_when_it_is_disabled() {
    let cluster = settled().await;
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["networkPolicy"] = json!({"mode": "Disabled"}));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.get(POLICIES, "books-ingest"), None);
}

#[tokio::test]
async fn network_policy_of_someone_else_stays_when_ours_is_disabled() {
    let cluster = settled().await;
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["networkPolicy"] = json!({"mode": "Disabled"}));
    cluster.edit(POLICIES, "books-ingest", |policy| policy["metadata"]["ownerReferences"] = json!([]));
    cluster.reconcile_stream().await.unwrap();
    assert!(cluster.get(POLICIES, "books-ingest").is_some());
}

#[tokio::test]
async fn refused_spec_is_told_with_all_problems_and_applies_nothing() {
    let mut refused = stream();
    refused["spec"]["record"]["columns"][0]["pattern"] = json!("(");
    refused["spec"]["raw"]["path"] = json!("hdfs://namenode");
    let cluster = Cluster::new().with(refused);
    cluster.reconcile_stream().await.unwrap_err();
    assert_eq!(cluster.writes(), ["apply gristmill.dev/streamingests/status/books"]);
    let (accepted, message) = cluster.condition(STREAMS, "Accepted");
    assert_eq!(accepted, "False/Invalid");
    assert!(message.contains("spec.record.columns[0].pattern") && message.contains("spec.raw.path"), "{message}");
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "False/Invalid");
}

#[tokio::test]
async fn worker_of_an_earlier_spec_is_left_alone_when_the_next_is_refused() {
    let cluster = ingesting().await;
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["record"]["rowPath"] = json!("book"));
    cluster.reconcile_stream().await.unwrap_err();
    assert_eq!(cluster.writes(), ["apply gristmill.dev/streamingests/status/books"]);
    let stream = cluster.get(STREAMS, "books").unwrap();
    assert_eq!(stream["status"]["observedGeneration"], 2);
    assert_eq!(stream["status"]["rows"]["accepted"], 180);
}

#[tokio::test]
async fn figures_of_workers_go_on_while_the_next_spec_is_refused() {
    let cluster = ingesting().await;
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["record"]["rowPath"] = json!("book"));
    cluster.reconcile_stream().await.unwrap_err();
    let mut report = ingest_report("Ingesting");
    report["lag"] = json!({"records": 7000, "seconds": 90});
    cluster.report(Some(report));
    cluster.edit("apps/deployments", "books-ingest", |deployment| deployment["status"] = json!({"replicas": 3}));
    cluster.wait_seconds(61);
    let next = cluster.reconcile_stream().await.expect("it is logged and counted once");
    assert_eq!(next, Action::requeue(std::time::Duration::from_secs(15)));
    let status = cluster.get(STREAMS, "books").unwrap()["status"].clone();
    assert_eq!((&status["lag"]["records"], &status["replicas"]), (&json!(7000), &json!(3)));
    assert_eq!(cluster.whole_condition(STREAMS, "Accepted")["observedGeneration"], 2);
    let (ready, message) = cluster.condition(STREAMS, "Ready");
    assert_eq!(ready, "False/Invalid");
    let flows = "; workers of the former spec go on: 4 partitions, 7000 messages behind, 90 s";
    assert!(message.ends_with(flows), "{message}");
    let (backlog, message) = cluster.condition(STREAMS, "BacklogWithinTarget");
    assert_eq!(backlog, "Unknown/Invalid");
    assert!(message.starts_with("7000 messages wait, the oldest for 90 s; "), "{message}");

    let mut report = ingest_report("Held");
    report["message"] = json!("5 % of the messages have rejects; resume it");
    cluster.report(Some(report));
    cluster.reconcile_stream().await.expect("it is logged and counted once");
    let (rejected, message) = cluster.condition(STREAMS, "RejectedWithinBudget");
    assert_eq!(
        (rejected.as_str(), message.as_str()),
        ("False/RejectedBudgetExceeded", "5 % of the messages have rejects; resume it",)
    );
    let message = cluster.condition(STREAMS, "Ready").1;
    let tells = "; a worker of the former spec tells: 5 % of the messages have rejects; resume it";
    assert!(message.ends_with(tells), "{message}");

    // It can be told to go on, and that it does is told.
    cluster.edit(STREAMS, "books", |stream| {
        stream["metadata"]["annotations"] = json!({"gristmill.dev/resume": "token-1"})
    });
    cluster.reconcile_stream().await.expect("it is logged and counted once");
    let handed = r#"merge /pods/books-ingest-1 {"metadata":{"annotations":{"gristmill.dev/resume":"token-1"}}}"#;
    assert!(cluster.writes().iter().any(|write| write == handed));
    let mut report = ingest_report("Ingesting");
    report["rejectedPercent"] = json!("0.1");
    cluster.report(Some(report));
    cluster.reconcile_stream().await.expect("it is logged and counted once");
    let within = ("True/WithinBudget".to_owned(), "0.1 %, within the budget of the former spec".to_owned());
    assert_eq!(cluster.condition(STREAMS, "RejectedWithinBudget"), within);
    // Another spec that is refused is told anew.
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["record"]["rowPath"] = json!("books"));
    cluster.reconcile_stream().await.unwrap_err();
}

#[tokio::test]
async fn value_of_another_version_is_told_with_its_path() {
    let mut newer = stream();
    newer["spec"]["record"]["columns"][6]["type"] = json!("Number");
    let cluster = Cluster::new().with(newer);
    cluster.reconcile_stream().await.unwrap_err();
    let (accepted, message) = cluster.condition(STREAMS, "Accepted");
    assert_eq!(accepted, "False/Invalid");
    assert!(message.contains("spec.record.columns[6].type: unknown variant `Number`"), "{message}");
}

#[tokio::test]
async fn report_of_the_worker_becomes_the_status() {
    let cluster = ingesting().await;
    let status = cluster.get(STREAMS, "books").unwrap()["status"].clone();
    insta::assert_yaml_snapshot!(status, @r#"
    conditions:
      - lastTransitionTime: "2026-11-23T05:10:00Z"
        message: ""
        observedGeneration: 1
        reason: Valid
        status: "True"
        type: Accepted
      - lastTransitionTime: "2026-11-23T05:10:00Z"
        message: ""
        observedGeneration: 1
        reason: Resolved
        status: "True"
        type: ResolvedRefs
      - lastTransitionTime: "2026-11-23T05:10:00Z"
        message: "4 partitions, 12 messages behind, 42 s"
        observedGeneration: 1
        reason: Ingesting
        status: "True"
        type: Ready
      - lastTransitionTime: "2026-11-23T05:10:00Z"
        message: "the oldest of 12 messages that wait is 42 s old, of 1800 s"
        observedGeneration: 1
        reason: WithinTarget
        status: "True"
        type: BacklogWithinTarget
      - lastTransitionTime: "2026-11-23T05:10:00Z"
        message: 7 % of 10 %
        observedGeneration: 1
        reason: WithinBudget
        status: "True"
        type: RejectedWithinBudget
      - lastTransitionTime: "2026-11-23T05:10:00Z"
        message: ""
        observedGeneration: 1
        reason: DesiredWithinRange
        status: "False"
        type: ScalingLimited
    consumerGroup: gristmill.library.books.4c0ffee5
    lag:
      records: 12
      seconds: 42
    messages:
      absent: 1
      accepted: 90
      gaps: 0
      rejected: 7
      tombstones: 2
    observedGeneration: 1
    observedTime: "2026-11-23T05:10:00Z"
    partitions: 4
    readyReplicas: 0
    rejectedPercent: "7"
    replicas: 0
    rows:
      accepted: 180
      rejected: 9
    selector: gristmill.dev/stream-ingest=books
    sizing:
      cpuPerWorker: 500m
      desiredReplicas: 1
      explanation: "held: worker books-ingest-1 gives no figures; 1 worker x 500m"
      limitedBy: MetricsMissing
      templateCpu: 500m
      time: "2026-11-23T05:10:00Z"
    version: 0.1.0
    zone:
      format: 1
      id: 5f0c
      lastCommitTime: "2026-11-23T05:09:41Z"
      sequence: 4
    "#);
}

#[tokio::test]
async fn figures_are_held_back_for_a_minute() {
    let cluster = ingesting().await;
    let mut report = ingest_report("Ingesting");
    report["rows"]["accepted"] = json!(181);
    cluster.report(Some(report));
    cluster.wait_seconds(59);
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.writes(), Vec::<String>::new());
    cluster.wait_seconds(1);
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.writes(), ["apply gristmill.dev/streamingests/status/books"]);
    assert_eq!(cluster.get(STREAMS, "books").unwrap()["status"]["rows"]["accepted"], 181);
}

#[tokio::test]
async fn changed_condition_is_written_at_once() {
    let cluster = ingesting().await;
    cluster.report(Some(ingest_report("SourceUnavailable")));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.writes(), ["apply gristmill.dev/streamingests/status/books"]);
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "False/SourceUnavailable");
}

#[tokio::test]
async fn transition_time_is_kept_while_the_status_of_a_condition_is_the_same() {
    let cluster = ingesting().await;
    let time = |cluster: &Cluster| cluster.whole_condition(STREAMS, "Ready")["lastTransitionTime"].clone();
    let since = time(&cluster);
    cluster.wait_seconds(600);
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["pod"] = json!({"cpu": "1"}));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.whole_condition(STREAMS, "Ready")["observedGeneration"], 2);
    assert_eq!(time(&cluster), since);
    cluster.report(Some(ingest_report("StoreUnavailable")));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(time(&cluster), "2026-11-23T05:20:00Z");
}

#[tokio::test]
async fn paused_stream_keeps_its_objects_as_they_are() {
    let cluster = ingesting().await;
    cluster.edit(STREAMS, "books", |stream| {
        stream["metadata"]["annotations"] = json!({"gristmill.dev/reconcile": "Disabled"});
        stream["spec"]["suspend"] = json!(true);
    });
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.writes(), ["apply gristmill.dev/streamingests/status/books"]);
    assert_eq!(cluster.condition(STREAMS, "ReconciliationPaused").0, "True/ReconcileDisabled");
    cluster.edit(STREAMS, "books", |stream| stream["metadata"]["annotations"] = json!({}));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.get("apps/deployments", "books-ingest").unwrap()["spec"]["replicas"], 0);
    assert!(!cluster.described(STREAMS).contains("ReconciliationPaused"));
}

#[tokio::test]
async fn rewind_reaches_the_workers_in_their_documents() {
    let cluster = ingesting().await;
    let before = config_map_of(&cluster);
    cluster.edit(STREAMS, "books", |stream| {
        stream["spec"]["rewind"] =
            json!({"nonce": "bad-feed", "position": "Timestamp", "timestamp": "2026-11-23T02:00:00Z"});
    });
    cluster.reconcile_stream().await.unwrap();
    let map = config_map_of(&cluster);
    assert_ne!(map, before);
    let text = cluster.get("/configmaps", &map).unwrap()["data"]["resource.yaml"].as_str().unwrap().to_owned();
    assert!(text.contains("nonce: bad-feed") && text.contains("2026-11-23T02:00:00Z"), "{text}");
}

#[tokio::test]
async fn worker_with_the_former_spec_is_not_ready() {
    let cluster = ingesting().await;
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["record"]["columns"][1]["required"] = json!(false));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "False/RollingOut");
}

#[tokio::test]
async fn worker_that_does_not_answer_is_unavailable() {
    let cluster = settled().await;
    cluster.put(worker_pod(running()));
    cluster.reconcile_stream().await.unwrap();
    let (ready, message) = cluster.condition(STREAMS, "Ready");
    assert_eq!(ready, "False/WorkerUnavailable");
    assert!(message.starts_with("pod books-ingest-1 runs, but http://127.0.0.1:"), "{message}");
}

#[tokio::test]
async fn worker_that_has_just_started_may_take_its_time() {
    let cluster = settled().await;
    cluster.put(worker_pod(json!({"state": {"running": {"startedAt": "2026-11-23T05:09:30Z"}}})));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "Unknown/Pending");
}

#[tokio::test]
async fn pod_that_cannot_start_says_why() {
    let cluster = settled().await;
    let message = "Back-off pulling image \"gristmill:test\"";
    cluster.put(worker_pod(json!({"state": {"waiting": {"reason": "ImagePullBackOff", "message": message}}})));
    cluster.reconcile_stream().await.unwrap();
    let (ready, told) = cluster.condition(STREAMS, "Ready");
    assert_eq!(ready, "False/ImagePullFailed");
    assert!(told.starts_with(&format!("pod books-ingest-1: ImagePullBackOff: {message}; ")), "{told}");
}

#[tokio::test]
async fn failing_worker_gives_the_reason_of_its_report() {
    let cluster = settled().await;
    let report = json!({"reason": "TopicReplaced", "message": "topic book_data_topic has another id; restore it"});
    cluster.put(worker_pod(crashing(json!({"exitCode": 6, "message": report.to_string()}))));
    cluster.reconcile_stream().await.unwrap();
    let expected = "pod books-ingest-1 (restarts: 4): topic book_data_topic has another id; restore it";
    assert_eq!(cluster.condition(STREAMS, "Ready"), ("False/TopicReplaced".to_owned(), expected.to_owned()));
}

#[tokio::test]
async fn reason_of_a_failing_worker_does_not_flap_while_it_starts_again() {
    let cluster = settled().await;
    let report = json!({"reason": "TopicReplaced", "message": "another id"});
    let mut state = running();
    state["restartCount"] = json!(5);
    state["lastState"] = json!({"terminated": {"exitCode": 6, "message": report.to_string()}});
    cluster.put(worker_pod(state));
    cluster.report(Some(ingest_report("Starting")));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "False/TopicReplaced");
}

#[tokio::test]
async fn worker_killed_for_memory_names_the_field_to_raise() {
    let cluster = settled().await;
    cluster.put(worker_pod(crashing(json!({"exitCode": 137, "reason": "OOMKilled"}))));
    cluster.reconcile_stream().await.unwrap();
    let (ready, message) = cluster.condition(STREAMS, "Ready");
    assert_eq!(ready, "False/OutOfMemory");
    assert!(message.contains("raise spec.pod.memory"), "{message}");
}

#[tokio::test]
async fn pod_that_the_api_server_refuses_is_told() {
    let cluster = settled().await;
    cluster.edit("apps/deployments", "books-ingest", |deployment| {
        deployment["status"] = json!({"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: small"}]});
    });
    cluster.reconcile_stream().await.unwrap();
    let (ready, message) = cluster.condition(STREAMS, "Ready");
    assert_eq!(ready, "False/QuotaExceeded");
    assert!(message.starts_with("its pod can't be created: exceeded quota: small; "), "{message}");
}

#[tokio::test]
async fn former_config_maps_go_once_no_pod_can_use_them() {
    let cluster = settled().await;
    let mut names = vec![config_map_of(&cluster)];
    let mut pod = worker_pod(running());
    pod["spec"]["volumes"] = json!([{"name": "resource", "configMap": {"name": names[0]}}]);
    cluster.put(pod);
    for pattern in ["a", "b", "c"] {
        cluster.edit(STREAMS, "books", |stream| stream["spec"]["record"]["columns"][0]["pattern"] = json!(pattern));
        cluster.reconcile_stream().await.unwrap();
        cluster.reconcile_stream().await.unwrap();
        names.push(config_map_of(&cluster));
    }
    let exists = |name: &String| cluster.get("/configmaps", name).is_some();
    assert_eq!(names.iter().map(exists).collect::<Vec<_>>(), [true, false, true, true], "in use, old, former, current");
}

#[tokio::test]
async fn resource_that_is_being_deleted_is_left_to_the_garbage_collector() {
    let cluster = settled().await;
    cluster.edit(STREAMS, "books", |stream| stream["metadata"]["deletionTimestamp"] = json!("2026-11-23T05:10:00Z"));
    cluster.delete("apps/deployments", "books-ingest");
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn suspended_stream_has_no_workers_and_is_as_wished() {
    let cluster = ingesting().await;
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["suspend"] = json!(true));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.get("apps/deployments", "books-ingest").unwrap()["spec"]["replicas"], 0);
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "True/Suspended");
    assert_eq!(cluster.condition(STREAMS, "Suspended").0, "True/Suspended");
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["suspend"] = json!(false));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.get("apps/deployments", "books-ingest").unwrap()["spec"]["replicas"], 1);
    let conditions = cluster.get(STREAMS, "books").unwrap()["status"]["conditions"].clone();
    assert!(conditions.as_array().unwrap().iter().all(|condition| condition["type"] != "Suspended"), "{conditions}");
}
