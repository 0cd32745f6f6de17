//! Scenarios of an HourlyCompaction.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::documents::{compaction, compaction_report, ended, job, run_pod, running, stream};

const COMPACTIONS: &str = "gristmill.dev/hourlycompactions";
const STATUS: &str = "apply gristmill.dev/hourlycompactions/status/books";

/// A cluster in which `books` has been reconciled once.
async fn settled() -> Cluster {
    let cluster = Cluster::new().with(stream()).with(compaction());
    cluster.reconcile_compaction().await.unwrap();
    cluster.writes();
    cluster
}

#[tokio::test]
async fn first_reconcile_applies_all_objects_and_writes_the_status() {
    let cluster = Cluster::new().with(stream()).with(compaction());
    cluster.reconcile_compaction().await.unwrap();
    let writes = cluster.writes();
    assert_eq!(writes[0], "apply /serviceaccounts/books-compaction");
    assert!(writes[1].starts_with("apply /configmaps/books-compaction-"), "{writes:?}");
    assert_eq!(writes[2..], ["apply batch/cronjobs/books-compaction", STATUS]);
    assert_eq!(cluster.condition(COMPACTIONS, "Accepted").0, "True/Valid");
    let (ready, message) = cluster.condition(COMPACTIONS, "Ready");
    assert_eq!(ready, "Unknown/NoRunYet");
    assert!(message.ends_with("kubectl create job -n library --from=cronjob/books-compaction books-compaction-now"));
}

#[tokio::test]
async fn second_reconcile_with_identical_objects_writes_nothing() {
    let cluster = settled().await;
    // Until the next run is due, which is told by its time.
    cluster.wait_seconds(3000);
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn missing_stream_ingest_is_told_and_applies_nothing() {
    let cluster = Cluster::new().with(compaction());
    cluster.reconcile_compaction().await.unwrap_err();
    assert_eq!(cluster.writes(), [STATUS]);
    let (accepted, message) = cluster.condition(COMPACTIONS, "Accepted");
    assert_eq!(accepted, "False/IngestNotFound");
    assert!(
        message.starts_with(
            "spec.ingestRef.name: StreamIngest \"books\" does not exist in namespace \"library\"; create it"
        )
    );
}

#[tokio::test]
async fn refused_stream_ingest_is_told() {
    let mut refused = stream();
    refused["spec"]["record"]["rowPath"] = json!("book");
    let cluster = Cluster::new().with(refused).with(compaction());
    cluster.reconcile_compaction().await.unwrap_err();
    let (accepted, message) = cluster.condition(COMPACTIONS, "Accepted");
    assert_eq!(accepted, "False/IngestInvalid");
    assert!(message.contains("spec.record.rowPath"), "{message}");
}

#[tokio::test]
async fn column_that_the_stream_ingest_lacks_is_refused() {
    let mut refused = compaction();
    refused["spec"]["deduplication"]["key"] = json!(["isbn"]);
    let cluster = Cluster::new().with(stream()).with(refused);
    cluster.reconcile_compaction().await.unwrap_err();
    let (accepted, message) = cluster.condition(COMPACTIONS, "Accepted");
    assert_eq!(accepted, "False/Invalid");
    assert!(message.contains("spec.deduplication.key[0]"), "{message}");
}

#[tokio::test]
async fn refusal_of_the_api_server_is_told_in_its_words() {
    let mut unknown_zone = compaction();
    unknown_zone["spec"]["timeZone"] = json!("America/Coyhaique");
    let cluster = Cluster::new().with(stream()).with(unknown_zone);
    cluster.reconcile_compaction().await.unwrap_err();
    let (accepted, message) = cluster.condition(COMPACTIONS, "Accepted");
    assert_eq!(accepted, "False/Refused");
    assert!(message.contains("CronJob books-compaction") && message.contains("unknown time zone"), "{message}");
}

#[tokio::test]
async fn change_of_the_stream_ingest_changes_the_documents_of_the_next_run() {
    let cluster = settled().await;
    cluster.edit("gristmill.dev/streamingests", "books", |stream| {
        stream["spec"]["record"]["columns"][1]["required"] = json!(false)
    });
    cluster.reconcile_compaction().await.unwrap();
    let writes = cluster.writes();
    assert!(writes[0].starts_with("apply /configmaps/books-compaction-"), "{writes:?}");
    assert_eq!(writes[1..], ["apply batch/cronjobs/books-compaction"]);
}

#[tokio::test]
async fn run_that_succeeded_becomes_the_status() {
    let cluster = settled().await;
    cluster.put(job("books-compaction-1", Some("Complete")));
    let mut pod = run_pod("books-compaction-1", ended(0, "2026-11-23T05:06:12Z", &compaction_report(1)));
    pod["status"]["containerStatuses"][0]["state"]["terminated"]["startedAt"] = json!("2026-11-23T05:05:02Z");
    cluster.put(pod);
    cluster.reconcile_compaction().await.unwrap();
    let status = cluster.get(COMPACTIONS, "books").unwrap()["status"].clone();
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
        message: "Job books-compaction-1 ended at 2026-11-23T05:06:12Z"
        observedGeneration: 1
        reason: LastRunSucceeded
        status: "True"
        type: Ready
    lastSuccessfulTime: "2026-11-23T05:06:12Z"
    nextRunTime: "2026-11-23T06:05:00Z"
    observedGeneration: 1
    processedThrough: "2026-11-23T04:58:40Z"
    runs:
      - completionTime: "2026-11-23T05:06:12Z"
        files:
          after: 9
          before: 0
          bytesAfter: 0
          bytesBefore: 0
        result: Succeeded
        rows:
          duplicateInDelta: 4
          duplicateInZone: 0
          late: 0
          read: 180
          rejected: 0
          written: 176
        sequence: 1
        startTime: "2026-11-23T05:05:03Z"
        trigger: Schedule
    sizing:
      cpu: 500m
      details: "mode         Advise: computed and shown, not carried out\ndecided      500m and 1Gi\nlimited by   nothing\nwould change mode Auto carries it out"
      explanation: "no run of 8 MB or more was measured yet: 500m and 1Gi by spec.pod"
      memory: 1Gi
      parallelism: 1
    source:
      backlogBytes: "183500800"
      backlogEntries: 21
      consumedSequence: 4
      zone: 5f0c
    zone:
      format: 1
      id: 91bd
      sequence: 1
    "#);
}

#[tokio::test]
async fn run_that_was_started_by_hand_is_told_as_such_and_remembered() {
    let cluster = settled().await;
    let trigger = |cluster: &Cluster, run: usize| {
        cluster.get(COMPACTIONS, "books").unwrap()["status"]["runs"][run]["trigger"].clone()
    };
    let mut by_hand = job("by-hand", Some("Complete"));
    by_hand["metadata"]["annotations"] = json!({"cronjob.kubernetes.io/instantiate": "manual"});
    cluster.put(by_hand);
    let mut pod = run_pod("by-hand", ended(0, "2026-11-23T05:06:12Z", &compaction_report(1)));
    pod["status"]["containerStatuses"][0]["state"]["terminated"]["startedAt"] = json!("2026-11-23T05:05:02Z");
    cluster.put(pod);
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(trigger(&cluster, 0), "Manual");

    cluster.delete("batch/jobs", "by-hand");
    cluster.delete("/pods", "by-hand-x");
    let mut report = compaction_report(2);
    report["runs"].as_array_mut().unwrap().push(compaction_report(1)["runs"][0].clone());
    report["runs"][0]["startTime"] = json!("2026-11-23T06:05:03Z");
    let mut pod = run_pod("books-compaction-2", ended(0, "2026-11-23T06:06:12Z", &report));
    pod["status"]["containerStatuses"][0]["state"]["terminated"]["startedAt"] = json!("2026-11-23T06:05:02Z");
    cluster.put(job("books-compaction-2", Some("Complete")));
    cluster.put(pod);
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!((trigger(&cluster, 0), trigger(&cluster, 1)), (json!("Schedule"), json!("Manual")));
}

#[tokio::test]
async fn next_run_is_told_in_utc_whatever_the_time_zone_and_not_while_suspended() {
    let cluster = settled().await;
    let next = |cluster: &Cluster| cluster.get(COMPACTIONS, "books").unwrap()["status"].get("nextRunTime").cloned();
    assert_eq!(next(&cluster), Some(json!("2026-11-23T06:05:00Z")));
    cluster.edit(COMPACTIONS, "books", |compaction| {
        compaction["spec"]["schedule"] = json!("30 2 * * *");
        compaction["spec"]["timeZone"] = json!("Europe/Berlin");
    });
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(next(&cluster), Some(json!("2026-11-24T01:30:00Z")));
    cluster.edit("batch/cronjobs", "books-compaction", |cron_job| {
        cron_job["status"] = json!({"lastScheduleTime": "2026-11-23T05:00:00Z"});
    });
    cluster.edit(COMPACTIONS, "books", |compaction| compaction["spec"]["schedule"] = json!("@every 1h30m"));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(next(&cluster), Some(json!("2026-11-23T06:30:00Z")));
    cluster.edit(COMPACTIONS, "books", |compaction| compaction["spec"]["suspend"] = json!(true));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(next(&cluster), None);
}

#[tokio::test]
async fn refusal_of_the_zone_stays_stalled_until_another_spec_or_a_good_run() {
    let cluster = settled().await;
    let failure = json!({"reason": "ZoneMismatch", "message": "another key"});
    cluster.put(run_pod("books-compaction-1", ended(6, "2026-11-23T05:06:12Z", &failure)));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.condition(COMPACTIONS, "Stalled").0, "True/ZoneMismatch");
    cluster.delete("/pods", "books-compaction-1-x");
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.condition(COMPACTIONS, "Stalled").0, "True/ZoneMismatch");
    cluster.put(run_pod("books-compaction-2", ended(0, "2026-11-23T06:06:12Z", &compaction_report(1))));
    cluster.reconcile_compaction().await.unwrap();
    assert!(!cluster.described(COMPACTIONS).contains("Stalled"), "{}", cluster.described(COMPACTIONS));
}

#[tokio::test]
async fn paused_compaction_keeps_its_objects_as_they_are() {
    let cluster = settled().await;
    cluster.edit(COMPACTIONS, "books", |compaction| {
        compaction["metadata"]["annotations"] = json!({"gristmill.dev/reconcile": "Disabled"});
        compaction["spec"]["schedule"] = json!("@daily");
    });
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.writes(), [STATUS]);
    assert_eq!(cluster.condition(COMPACTIONS, "ReconciliationPaused").0, "True/ReconcileDisabled");
}

#[tokio::test]
async fn paused_compaction_tells_what_its_cron_job_does() {
    let cluster = settled().await;
    let told = |field: &str| cluster.get(COMPACTIONS, "books").unwrap()["status"][field].clone();
    let next = told("nextRunTime");
    cluster.edit(COMPACTIONS, "books", |compaction| {
        compaction["metadata"]["annotations"] = json!({"gristmill.dev/reconcile": "Disabled"});
        compaction["spec"]["schedule"] = json!("@daily");
        compaction["spec"]["suspend"] = json!(true);
    });
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.condition(COMPACTIONS, "Ready").0, "Unknown/NoRunYet", "it goes on by its former spec");
    assert_eq!(told("nextRunTime"), next);
    assert!(!cluster.described(COMPACTIONS).contains("Suspended"));

    cluster.edit(COMPACTIONS, "books", |compaction| compaction["spec"]["suspend"] = json!(false));
    cluster.edit("batch/cronjobs", "books-compaction", |cron_job| cron_job["spec"]["suspend"] = json!(true));
    cluster.reconcile_compaction().await.unwrap();
    let (ready, message) = cluster.condition(COMPACTIONS, "Ready");
    assert_eq!(ready, "True/Suspended");
    assert!(message.ends_with("remove the annotation gristmill.dev/reconcile to go on"), "{message}");
    assert_eq!(told("nextRunTime"), Value::Null);

    cluster.delete("batch/cronjobs", "books-compaction");
    cluster.reconcile_compaction().await.unwrap();
    let (ready, message) = cluster.condition(COMPACTIONS, "Ready");
    assert_eq!(ready, "Unknown/NoRunYet");
    assert!(message.starts_with("it has no CronJob, and the operator creates none"), "{message}");
    assert_eq!(told("nextRunTime"), Value::Null);
}

#[tokio::test]
async fn suspended_compaction_starts_no_run_and_is_ready() {
    let cluster = settled().await;
    cluster.edit(COMPACTIONS, "books", |compaction| {
        compaction["spec"]["suspend"] = json!(true);
        compaction["spec"]["backoffLimit"] = json!(0);
        compaction["spec"]["startingDeadline"] = json!("10m");
    });
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.writes(), ["apply batch/cronjobs/books-compaction", STATUS]);
    let spec = cluster.get("batch/cronjobs", "books-compaction").unwrap()["spec"].clone();
    assert_eq!((&spec["suspend"], &spec["startingDeadlineSeconds"]), (&json!(true), &json!(600)));
    assert_eq!(spec["jobTemplate"]["spec"]["backoffLimit"], 0);
    let (ready, message) = cluster.condition(COMPACTIONS, "Ready");
    assert_eq!(ready, "True/Suspended");
    assert!(message.contains("set it to false to go on"), "{message}");

    cluster.edit(COMPACTIONS, "books", |compaction| compaction["spec"]["suspend"] = json!(false));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.get("batch/cronjobs", "books-compaction").unwrap()["spec"]["suspend"], json!(false));
    assert_eq!(cluster.condition(COMPACTIONS, "Ready").0, "Unknown/NoRunYet");
}

#[tokio::test]
async fn run_that_failed_says_why_and_keeps_the_figures_of_the_last_good_one() {
    let cluster = settled().await;
    cluster.put(run_pod("books-compaction-1", ended(0, "2026-11-23T05:06:12Z", &compaction_report(1))));
    let failure = json!({"reason": "StoreUnavailable", "message": "namenode:8020 refuses the connection"});
    cluster.put(run_pod("books-compaction-2", ended(5, "2026-11-23T06:06:12Z", &failure)));
    cluster.reconcile_compaction().await.unwrap();
    let expected =
        "Job books-compaction-2 at 2026-11-23T06:06:12Z: StoreUnavailable: namenode:8020 refuses the connection";
    assert_eq!(cluster.condition(COMPACTIONS, "Ready"), ("False/LastRunFailed".to_owned(), expected.to_owned()));
    let status = &cluster.get(COMPACTIONS, "books").unwrap()["status"];
    assert_eq!(
        (&status["zone"]["sequence"], &status["lastSuccessfulTime"]),
        (&json!(1), &json!("2026-11-23T05:06:12Z"))
    );
}

/// The pod of the good run went with its node, and somebody deleted its Job.
#[tokio::test]
async fn failure_before_a_good_run_is_not_told_again_once_that_one_is_gone() {
    let cluster = settled().await;
    cluster.put(job("books-compaction-1", Some("Failed")));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.condition(COMPACTIONS, "Ready").0, "False/LastRunFailed");
    cluster.put(job("books-compaction-2", Some("Complete")));
    cluster.put(run_pod("books-compaction-2", ended(0, "2026-11-23T06:06:13Z", &compaction_report(1))));
    cluster.reconcile_compaction().await.unwrap();
    let succeeded = cluster.condition(COMPACTIONS, "Ready");
    assert_eq!(succeeded.0, "True/LastRunSucceeded");
    cluster.delete("/pods", "books-compaction-2-x");
    cluster.delete("batch/jobs", "books-compaction-2");
    cluster.writes();
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.condition(COMPACTIONS, "Ready"), succeeded);
    assert_eq!(cluster.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn job_that_failed_without_a_pod_is_told() {
    let cluster = settled().await;
    cluster.put(job("books-compaction-1", Some("Failed")));
    cluster.reconcile_compaction().await.unwrap();
    let (ready, message) = cluster.condition(COMPACTIONS, "Ready");
    assert_eq!(ready, "False/LastRunFailed");
    assert!(message.ends_with("BackoffLimitExceeded: too often"), "{message}");
}

#[tokio::test]
async fn run_is_remembered_after_its_pod_is_gone() {
    let cluster = settled().await;
    cluster.put(run_pod("books-compaction-1", ended(0, "2026-11-23T05:06:12Z", &compaction_report(1))));
    cluster.reconcile_compaction().await.unwrap();
    cluster.writes();
    cluster.delete("/pods", "books-compaction-1-x");
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.writes(), Vec::<String>::new());
    assert_eq!(cluster.condition(COMPACTIONS, "Ready").0, "True/LastRunSucceeded");
}

#[tokio::test]
async fn job_that_was_created_by_hand_is_the_active_one() {
    let cluster = settled().await;
    cluster.put(job("by-hand", None));
    cluster.put(run_pod("by-hand", running()));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.get(COMPACTIONS, "books").unwrap()["status"]["activeJob"], "by-hand");
    assert_eq!(cluster.condition(COMPACTIONS, "Ready").0, "Unknown/NoRunYet");
}

#[tokio::test]
async fn run_that_cannot_start_is_told_since_it_blocks_the_next() {
    let cluster = settled().await;
    cluster.put(job("books-compaction-1", None));
    let waiting = json!({"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}});
    cluster.put(run_pod("books-compaction-1", waiting));
    cluster.reconcile_compaction().await.unwrap();
    let (ready, message) = cluster.condition(COMPACTIONS, "Ready");
    assert_eq!(ready, "False/ImagePullFailed");
    let cause = "Job books-compaction-1 waits for pod books-compaction-1-x: ErrImagePull: not found; ";
    assert!(message.starts_with(cause), "{message}");
    assert!(message.ends_with("`kubectl delete job -n library books-compaction-1`"), "{message}");
}
