//! Verbs that write: what exactly they write, and what they say of it.

use serde_json::{Value, json};

use crate::cluster::Mock;
use crate::facts::{compaction, condition, good, held, stream};

const STREAMS: &str = "gristmill.dev/streamingests";
const COMPACTIONS: &str = "gristmill.dev/hourlycompactions";

fn succeeded() -> Vec<Value> {
    vec![condition("Ready", "True", "LastRunSucceeded", "Job b-1 ended")]
}

/// Both resources of the quickstart.
fn quickstart() -> Mock {
    Mock::new().with(stream("books", &good())).with(compaction("books", &succeeded()))
}

fn cron_job() -> Value {
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "books-compaction", "namespace": "library"},
        "spec": {"schedule": "5 * * * *", "jobTemplate": {
            "metadata": {"labels": {"gristmill.dev/hourly-compaction": "books"}, "annotations": {"team": "books"}},
            "spec": {"backoffLimit": 3, "template": {"spec": {"containers": [{"name": "gristmill", "image": "g:1"}]}}},
        }},
    })
}

#[tokio::test]
async fn suspend_and_resume_change_one_field_of_the_resource_that_is_named() {
    let cluster = quickstart();
    insta::assert_snapshot!(cluster.run("suspend sti/books").await.unwrap(), @r"
    sti/books suspended: its workers commit what they have read, and leave
    back: kubectl gristmill resume sti/books -n library
    ");
    assert_eq!(cluster.get(STREAMS, "books").unwrap()["spec"]["suspend"], true);
    assert_eq!(cluster.get(COMPACTIONS, "books").unwrap()["spec"].get("suspend"), None);
    insta::assert_snapshot!(cluster.run("suspend sti/books").await.unwrap(), @"sti/books is suspended already; nothing was changed");
    insta::assert_snapshot!(cluster.run("suspend hc/books").await.unwrap(), @r"
    hc/books suspended: no run is started; one that runs goes on to its end
    back: kubectl gristmill resume hc/books -n library
    ");
    // Both are suspended: neither is more meant than the other.
    assert!(cluster.run("resume books").await.unwrap_err().contains("write sti/books or hc/books"));
    insta::assert_snapshot!(cluster.run("resume hc/books").await.unwrap(), @"hc/books was suspended: spec.suspend is false again");
    // Only one is left to be resumed, and so meant.
    insta::assert_snapshot!(cluster.run("resume books").await.unwrap(), @"sti/books was suspended: spec.suspend is false again");
    insta::assert_snapshot!(cluster.run("resume books").await.unwrap(), @"sti/books and hc/books: neither suspended nor held; nothing was changed");
    let patched = |kind: &str, suspend: bool| format!("merge {kind}/books {{\"spec\":{{\"suspend\":{suspend}}}}}");
    let expected = [(STREAMS, true), (COMPACTIONS, true), (COMPACTIONS, false), (STREAMS, false)]
        .map(|(kind, on)| patched(kind, on));
    assert_eq!(cluster.writes(), expected);
}

#[tokio::test]
async fn resume_of_a_held_ingest_sets_a_fresh_token_and_leaves_the_spec() {
    let cluster = quickstart().with(stream("books", &held()));
    insta::assert_snapshot!(cluster.run("resume books").await.unwrap(), @"sti/books was held by its rejected budget: annotation gristmill.dev/resume is 1f0c9a7e-0000-4000-8000-000000000000, and consumption goes on within a minute");
    insta::assert_debug_snapshot!(cluster.writes(), @r#"
    [
        "merge gristmill.dev/streamingests/books {\"metadata\":{\"annotations\":{\"gristmill.dev/resume\":\"1f0c9a7e-0000-4000-8000-000000000000\"}}}",
    ]
    "#);
}

#[tokio::test]
async fn resume_ends_a_hold_and_a_suspension_in_one_patch() {
    let mut books = stream("books", &held());
    books["spec"]["suspend"] = true.into();
    let cluster = Mock::new().with(books);
    cluster.run("resume books").await.unwrap();
    let [write] = cluster.writes().try_into().unwrap();
    assert!(write.contains("\"suspend\":false") && write.contains("gristmill.dev/resume"), "{write}");
}

#[tokio::test]
async fn rewind_replaces_the_former_one_whole_and_by_a_fresh_nonce() {
    let mut books = stream("books", &good());
    books["spec"]["rewind"] = json!({"nonce": "old", "position": "Timestamp", "timestamp": "2026-11-20T00:00:00Z"});
    let cluster = Mock::new().with(books);
    insta::assert_snapshot!(cluster.run("rewind books --to-offset 0:1200 --to-offset 3:0").await.unwrap(), @r"
    sti/books: spec.rewind is set, nonce 2026-11-23-1f0c9a7e-0000-4000-8000-000000000000
    its workers are replaced one by one, and the first rewinds
    see: kubectl gristmill status sti/books -n library
    ");
    insta::assert_json_snapshot!(cluster.get(STREAMS, "books").unwrap()["spec"]["rewind"], @r#"
    {
      "nonce": "2026-11-23-1f0c9a7e-0000-4000-8000-000000000000",
      "offsets": [
        {
          "offset": 1200,
          "partition": 0
        },
        {
          "offset": 0,
          "partition": 3
        }
      ],
      "position": "Offsets"
    }
    "#);
    cluster.run("rewind books --to-timestamp 2026-11-23T04:00:00+02:00 --nonce bad-feed").await.unwrap();
    insta::assert_json_snapshot!(cluster.get(STREAMS, "books").unwrap()["spec"]["rewind"], @r#"
    {
      "nonce": "bad-feed",
      "position": "Timestamp",
      "timestamp": "2026-11-23T02:00:00Z"
    }
    "#);
    let again = cluster.run("rewind books --to-earliest --nonce bad-feed").await.unwrap_err();
    assert!(again.contains("each acts once"), "{again}");
    let twice = cluster.run("rewind books --to-offset 0:1 --to-offset 0:2").await.unwrap_err();
    assert!(twice.contains("stands here twice"), "{twice}");
    assert_eq!(cluster.writes().len(), 2);
}

#[tokio::test]
async fn dry_run_of_a_rewind_writes_nothing_and_says_why_no_worker_can_be_asked() {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "books-ingest-1", "namespace": "library", "labels": {"gristmill.dev/stream-ingest": "books"}},
        "status": {"phase": "Pending", "containerStatuses": [{"name": "gristmill", "image": "", "imageID": "",
            "ready": false, "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff"}}}]},
    });
    let cluster = quickstart();
    let without = cluster.run("rewind books --to-earliest --dry-run").await.unwrap_err();
    assert!(without.contains("it has no pod"), "{without}");
    cluster.put(pod);
    let waiting = cluster.run("rewind books --to-earliest --dry-run").await.unwrap_err();
    assert!(waiting.contains("pod books-ingest-1 is ImagePullBackOff"), "{waiting}");
    assert!(cluster.writes().is_empty());
}

#[tokio::test]
async fn run_now_creates_the_job_that_kubectl_would() {
    let cluster = quickstart().with(cron_job());
    insta::assert_snapshot!(cluster.run("run-now books").await.unwrap(), @r"
    Job books-compaction-now-1f0c9 created
    see: kubectl gristmill logs hc/books -n library -f
    ");
    let mut job = cluster.get("batch/jobs", "books-compaction-now-1f0c9").unwrap();
    let owner = cluster.get("batch/cronjobs", "books-compaction").unwrap()["metadata"]["uid"].take();
    assert_eq!(job["metadata"]["ownerReferences"][0]["uid"].take(), owner);
    for field in ["uid", "creationTimestamp", "resourceVersion"] {
        job["metadata"][field].take();
    }
    insta::assert_json_snapshot!(job, @r#"
    {
      "apiVersion": "batch/v1",
      "kind": "Job",
      "metadata": {
        "annotations": {
          "cronjob.kubernetes.io/instantiate": "manual",
          "team": "books"
        },
        "creationTimestamp": null,
        "generation": 1,
        "labels": {
          "gristmill.dev/hourly-compaction": "books"
        },
        "name": "books-compaction-now-1f0c9",
        "namespace": "library",
        "ownerReferences": [
          {
            "apiVersion": "batch/v1",
            "controller": true,
            "kind": "CronJob",
            "name": "books-compaction",
            "uid": null
          }
        ],
        "resourceVersion": null,
        "uid": null
      },
      "spec": {
        "backoffLimit": 3,
        "template": {
          "spec": {
            "containers": [
              {
                "image": "g:1",
                "name": "gristmill"
              }
            ]
          }
        }
      }
    }
    "#);
    let unmade = Mock::new().with(compaction("books", &succeeded())).run("run-now books").await.unwrap_err();
    assert!(unmade.contains("CronJob books-compaction does not exist yet"), "{unmade}");
}

/// Ends the Job that `run-now` makes, as the Job controller does once its pod has.
async fn end(cluster: &Mock, end: &str, exit_code: i32, message: Value) {
    let name = "books-compaction-now-1f0c9";
    let mut job = loop {
        match cluster.get("batch/jobs", name) {
            Some(job) => break job,
            None => tokio::task::yield_now().await,
        }
    };
    let ended = json!({"exitCode": exit_code, "startedAt": "2026-11-23T05:13:00Z", "finishedAt": "2026-11-23T05:13:20Z",
        "message": message.to_string()});
    cluster.put(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "run-x", "namespace": "library", "labels": {"batch.kubernetes.io/job-name": name}},
        "status": {"containerStatuses": [{"name": "gristmill", "image": "", "imageID": "", "ready": false,
            "restartCount": 0, "state": {"terminated": ended}}]},
    }));
    job["status"] = json!({
        "startTime": "2026-11-23T05:12:58Z", "completionTime": "2026-11-23T05:13:21Z",
        "conditions": [{"type": end, "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}],
    });
    cluster.put(job);
}

fn compaction_report(start: &str) -> Value {
    json!({
        "version": "0.1.0", "zone": {"id": "91bd", "format": 1, "sequence": 213},
        "source": {"zone": "5f0c", "consumedSequence": 4211}, "processedThrough": "2026-11-23T05:09:12Z",
        "runs": [{"sequence": 213, "startTime": start, "completionTime": "2026-11-23T05:13:19Z", "result": "Succeeded",
            "rows": {"read": 180, "duplicateInDelta": 4, "duplicateInZone": 1, "late": 0, "written": 175},
            "files": {"before": 38, "after": 40}}],
    })
}

#[tokio::test]
async fn run_now_waits_for_the_end_and_says_what_the_run_did() {
    let cluster = quickstart().with(cron_job());
    let report = compaction_report("2026-11-23T05:13:01Z");
    let (told, ()) = tokio::join!(cluster.run("run-now books --wait"), end(&cluster, "Complete", 0, report));
    insta::assert_snapshot!(told.unwrap(), @r"
    Job books-compaction-now-1f0c9 succeeded in 23s
      entry 213: 180 rows read, 4 duplicates in them, 1 in the zone already, 0 late, 175 written
      files: 38 before, 40 after
      complete through 2026-11-23T05:09:12Z
    ");
}

#[tokio::test]
async fn run_that_pods_have_shared_is_told_as_one() {
    let cluster = quickstart().with(cron_job());
    let report = |bucket: i32| {
        let mut report = compaction_report("2026-11-23T05:13:01Z");
        report["buckets"] = json!({"first": bucket, "last": bucket});
        report["runs"][0]["buckets"] = report["buckets"].clone();
        report["runs"][0]["sequence"] = json!(213 + bucket);
        report
    };
    let ended = json!({"exitCode": 0, "startedAt": "2026-11-23T05:12:59Z", "finishedAt": "2026-11-23T05:13:20Z",
        "message": report(1).to_string()});
    cluster.put(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "run-y", "namespace": "library",
            "labels": {"batch.kubernetes.io/job-name": "books-compaction-now-1f0c9"}},
        "status": {"containerStatuses": [{"name": "gristmill", "image": "", "imageID": "", "ready": false,
            "restartCount": 0, "state": {"terminated": ended}}]},
    }));
    let (told, ()) = tokio::join!(cluster.run("run-now books --wait"), end(&cluster, "Complete", 0, report(0)));
    insta::assert_snapshot!(told.unwrap(), @r"
    Job books-compaction-now-1f0c9 succeeded in 23s
      entry 214: 360 rows read, 8 duplicates in them, 2 in the zone already, 0 late, 350 written
      files: 76 before, 80 after
      complete through 2026-11-23T05:09:12Z
    ");
}

#[tokio::test]
async fn figures_of_a_shared_run_are_not_told_by_a_part_of_its_pods() {
    let mut template = cron_job();
    template["spec"]["jobTemplate"]["spec"]["completions"] = json!(2);
    let cluster = quickstart().with(template);
    let mut report = compaction_report("2026-11-23T05:13:01Z");
    report["buckets"] = json!({"first": 0, "last": 0});
    report["runs"][0]["buckets"] = report["buckets"].clone();
    let (told, ()) = tokio::join!(cluster.run("run-now books --wait"), end(&cluster, "Complete", 0, report));
    insta::assert_snapshot!(told.unwrap(), @r"
    Job books-compaction-now-1f0c9 succeeded in 23s
      a pod of it is gone; the figures of its run come with the status
    ");
}

#[tokio::test]
async fn run_that_found_nothing_new_does_not_show_the_run_before_it() {
    let cluster = quickstart().with(cron_job());
    let report = compaction_report("2026-11-23T05:05:03Z");
    let (told, ()) = tokio::join!(cluster.run("run-now books --wait"), end(&cluster, "Complete", 0, report));
    insta::assert_snapshot!(told.unwrap(), @r"
    Job books-compaction-now-1f0c9 succeeded in 23s
      nothing new in RAW: the zone stays at entry 213
      complete through 2026-11-23T05:09:12Z
    ");
}

#[tokio::test]
async fn failed_run_is_an_error_with_the_cause_that_its_process_named() {
    let cluster = quickstart().with(cron_job());
    let failure = json!({"reason": "StoreDenied", "message": "cannot write /processed_zone; give the user the right"});
    let (told, ()) = tokio::join!(cluster.run("run-now books --wait"), end(&cluster, "Failed", 5, failure));
    let expected =
        "Job books-compaction-now-1f0c9 failed: StoreDenied: cannot write /processed_zone; give the user the right";
    assert_eq!(told.unwrap_err(), expected);
}

#[tokio::test]
async fn run_that_does_not_end_in_time_is_an_error_with_what_its_pod_does() {
    let late = quickstart().with(cron_job()).run("run-now books --wait --timeout 1ms").await.unwrap_err();
    assert!(late.contains("no pod yet; it has not ended within 0s: it goes on"), "{late}");
}
