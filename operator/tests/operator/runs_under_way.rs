//! Scenarios of a compaction's run that is under way or can't start: what is told of it, and the size of the next one.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::documents::{job, pod_event, run_pod, running, shard_pod};
use crate::run_size::{
    APPLY, COMPACTIONS, CRON_JOBS, STATUS, measured, sharing, size, sizing, succeeded, template, with_sizing,
};

#[tokio::test]
async fn run_under_way_keeps_the_size_of_the_next() {
    let cluster = with_sizing(json!({"mode": "Auto", "targetDuration": "20m"})).await;
    cluster.put(succeeded("books-compaction-1", 1, &measured(1, 6, "30000000000")));
    cluster.reconcile_compaction().await.unwrap();
    let before = sizing(&cluster);
    cluster.wait_seconds(3600);
    cluster.edit(CRON_JOBS, "books-compaction", |cron_job| {
        cron_job["status"] = json!({"lastScheduleTime": "2026-11-23T06:05:00Z"});
    });
    cluster.put(job("books-compaction-2", None));
    cluster.put(run_pod("books-compaction-2", running()));
    cluster.writes();
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.writes(), [STATUS], "the active Job and the next start are told");
    assert_eq!(sizing(&cluster), before);
}

/// The Job is there before its CronJob tells the start.
#[tokio::test]
async fn run_that_begins_after_missed_starts_changes_no_size() {
    let cluster = with_sizing(json!({"mode": "Auto", "targetDuration": "20m"})).await;
    cluster.put(succeeded("books-compaction-1", 1, &measured(1, 6, "30000000000")));
    cluster.edit(CRON_JOBS, "books-compaction", |cron_job| {
        cron_job["status"] = json!({"lastScheduleTime": "2026-11-23T05:05:00Z"});
    });
    // 05:10 to 10:04.
    cluster.wait_seconds(4 * 3600 + 54 * 60);
    cluster.reconcile_compaction().await.unwrap();
    let before = sizing(&cluster);
    cluster.wait_seconds(61);
    let mut begun = job("books-compaction-2", None);
    begun["metadata"]["annotations"] =
        json!({"batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-11-23T10:05:00Z"});
    cluster.put(begun);
    cluster.put(run_pod("books-compaction-2", running()));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(sizing(&cluster), before);
}

/// A run of 80 minutes has missed the next start, which follows at once: there is always one under way.
#[tokio::test]
async fn run_that_is_longer_than_its_period_is_made_good_by_the_one_after_the_next() {
    let cluster = with_sizing(json!({"mode": "Auto", "targetDuration": "20m"})).await;
    cluster.put(job("books-compaction-1", None));
    cluster.put(run_pod("books-compaction-1", running()));
    cluster.reconcile_compaction().await.unwrap();
    let ended = |cluster: &Cluster| {
        let mut pod = succeeded("books-compaction-1", 1, &measured(1, 6, "30000000000"));
        pod["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"] = json!("2026-11-23T06:25:00Z");
        cluster.put(pod);
        cluster.put(job("books-compaction-1", Some("Complete")));
    };
    cluster.wait_seconds(4500);
    ended(&cluster);
    cluster.put(job("books-compaction-2", None));
    cluster.put(run_pod("books-compaction-2", running()));
    cluster.edit(CRON_JOBS, "books-compaction", |cron_job| {
        cron_job["status"] = json!({"lastScheduleTime": "2026-11-23T06:05:00Z"});
    });
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(template(&cluster), size("2", "4864Mi", Value::Null));
    let (before, _) = (sizing(&cluster), cluster.writes());
    // And the run under way changes nothing more.
    for _ in 0..12 {
        cluster.wait_seconds(600);
        cluster.reconcile_compaction().await.unwrap();
    }
    assert_eq!((sizing(&cluster), cluster.writes().contains(&APPLY.to_owned())), (before, false));
}

#[tokio::test]
async fn size_that_no_node_has_is_mended_although_its_run_waits() {
    let cluster = with_sizing(json!({"mode": "Auto", "targetDuration": "20m"})).await;
    cluster.put(succeeded("books-compaction-1", 1, &measured(1, 6, "60000000000")));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(template(&cluster).1, "8Gi");
    cluster.wait_seconds(3600);
    cluster.put(job("books-compaction-2", None));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(template(&cluster).1, "8Gi");
    cluster.edit(COMPACTIONS, "books", |compaction| compaction["spec"]["sizing"]["maxMemoryPerPod"] = json!("4Gi"));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(template(&cluster).1, "4Gi");
}

#[tokio::test]
async fn pods_that_the_namespace_refuses_are_told_with_its_words() {
    let cluster = with_sizing(json!({"mode": "Auto"})).await;
    cluster.put(job("books-compaction-1", None));
    let words = "exceeded quota: small, requested: requests.memory=8Gi";
    let note = |pod: &str| format!("Error creating: pods \"books-compaction-1-{pod}\" is forbidden: {words}");
    let uid = cluster.get("batch/jobs", "books-compaction-1").unwrap()["metadata"]["uid"].clone();
    cluster.put(pod_event("refused", &uid, "Warning", "FailedCreate", &note("x7k2p")));
    cluster.reconcile_compaction().await.unwrap();
    cluster.writes();
    cluster.put(pod_event("refused-again", &uid, "Warning", "FailedCreate", &note("4mzqd")));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.writes(), Vec::<String>::new(), "another name is no news");
    let (ready, message) = cluster.condition(COMPACTIONS, "Ready");
    assert_eq!(ready, "False/QuotaExceeded");
    assert!(message.starts_with(&format!("a pod of Job books-compaction-1 is refused: {words}; raise ")), "{message}");
    assert!(message.ends_with("`kubectl delete job -n library books-compaction-1`"), "{message}");

    // The API server that can't list them tells nothing new.
    cluster.deny("/events", "list");
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.condition(COMPACTIONS, "Ready").0, "False/QuotaExceeded");

    // A quota with room: the Job controller goes on by itself.
    cluster.put(run_pod("books-compaction-1", running()));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.condition(COMPACTIONS, "Ready").0, "Unknown/NoRunYet");
}

#[tokio::test]
async fn job_that_was_created_a_moment_ago_or_is_suspended_is_not_looked_into() {
    for suspend in [false, true] {
        let cluster = with_sizing(json!({"mode": "Auto"})).await;
        let mut run = job("books-compaction-1", None);
        run["spec"]["suspend"] = json!(suspend);
        cluster.put(run);
        let made = cluster.get("batch/jobs", "books-compaction-1").unwrap()["metadata"]["creationTimestamp"].clone();
        let made: Timestamp = made.as_str().unwrap().parse().unwrap();
        let now: Timestamp = "2026-11-23T05:10:00Z".parse().unwrap();
        cluster.wait_seconds(made.duration_since(now).as_secs() + if suspend { 3600 } else { 30 });
        let uid = cluster.get("batch/jobs", "books-compaction-1").unwrap()["metadata"]["uid"].clone();
        cluster.put(pod_event("refused", &uid, "Warning", "FailedCreate", "exceeded quota"));
        cluster.reconcile_compaction().await.unwrap();
        assert_eq!(cluster.condition(COMPACTIONS, "Ready").0, "Unknown/NoRunYet", "suspend: {suspend}");
    }
}

#[tokio::test]
async fn shard_that_cannot_start_is_told_although_others_run() {
    let cluster = sharing().await;
    let waiting = json!({"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}});
    cluster.put(shard_pod("books-compaction-1", 0, 3, 0, waiting));
    cluster.reconcile_compaction().await.unwrap();
    let (ready, message) = cluster.condition(COMPACTIONS, "Ready");
    assert_eq!(ready, "False/ImagePullFailed");
    assert!(message.starts_with("Job books-compaction-1 waits for pod books-compaction-1-0-0: "), "{message}");
}

/// A shard that no node takes, since this time.
fn without_node(index: u32, since: &str) -> Value {
    let mut pod = shard_pod("books-compaction-1", index, 3, 0, json!({}));
    pod["status"] = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "0/2 nodes are available: 2 Insufficient cpu.", "lastTransitionTime": since}]});
    pod
}

#[tokio::test]
async fn shard_that_cannot_start_is_told_although_another_one_waits_for_a_node() {
    let cluster = sharing().await;
    let waiting = json!({"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}});
    cluster.put(shard_pod("books-compaction-1", 1, 3, 0, waiting));
    // The newest one.
    cluster.put(without_node(2, "2026-11-23T05:01:00Z"));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.condition(COMPACTIONS, "Ready").0, "False/ImagePullFailed", "shard 0 runs");
}

#[tokio::test]
async fn run_without_a_node_is_told_after_two_minutes_and_not_while_others_of_it_go_on() {
    let cluster = sharing().await;
    cluster.put(without_node(0, "2026-11-23T05:01:00Z"));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.condition(COMPACTIONS, "Ready").0, "Unknown/NoRunYet", "two others run");
    for index in [1, 2] {
        cluster.put(without_node(index, "2026-11-23T05:09:00Z"));
    }
    cluster.put(without_node(0, "2026-11-23T05:09:00Z"));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.condition(COMPACTIONS, "Ready").0, "Unknown/NoRunYet", "a node may be on its way");
    cluster.wait_seconds(90);
    cluster.reconcile_compaction().await.unwrap();
    let (ready, message) = cluster.condition(COMPACTIONS, "Ready");
    assert_eq!(ready, "False/Unschedulable");
    assert!(message.contains("maxCpuPerPod or maxMemoryPerPod of spec.sizing"), "{message}");
}
