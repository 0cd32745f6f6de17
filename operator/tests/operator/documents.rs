//! The documents that the tests speak of: those of the quickstart, and objects as a cluster would report them.

use gristmill_crds::{HourlyCompaction, StreamIngest};
use serde_json::{Value, json};

/// Both documents of the quickstart.
pub(crate) fn quickstart() -> (StreamIngest, HourlyCompaction) {
    let text = include_str!("../../../manifests/quickstart/books.yaml");
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    (serde_json::from_value(documents[0].clone()).unwrap(), serde_json::from_value(documents[1].clone()).unwrap())
}

/// The StreamIngest of the quickstart.
pub(crate) fn stream() -> Value {
    serde_json::to_value(quickstart().0).unwrap()
}

/// The HourlyCompaction of the quickstart.
pub(crate) fn compaction() -> Value {
    serde_json::to_value(quickstart().1).unwrap()
}

/// A pod of the quickstart's worker.
pub(crate) fn worker_pod(state: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "books-ingest-1", "namespace": "library", "labels": {"gristmill.dev/stream-ingest": "books"}},
        "spec": {"containers": [{"name": "gristmill"}]},
        "status": {"phase": "Running", "podIP": "127.0.0.1", "containerStatuses": [container(state)]},
    })
}

/// A pod that a node took a while ago.
pub(crate) fn taken(mut pod: Value) -> Value {
    pod["status"]["phase"] = json!("Pending");
    pod["status"]["startTime"] = json!("2026-11-23T05:09:00Z");
    pod
}

/// A process that ended and is started again later.
pub(crate) fn crashing(ended: Value) -> Value {
    json!({"restartCount": 4, "lastState": {"terminated": ended},
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 1m20s"}}})
}

/// What the cluster tells of a pod.
pub(crate) fn pod_event(name: &str, uid: &Value, kind: &str, reason: &str, message: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "library"},
        "involvedObject": {"kind": "Pod", "namespace": "library", "uid": uid},
        "type": kind, "reason": reason, "message": message, "lastTimestamp": "2026-11-23T05:09:10Z",
    })
}

/// A running process, long enough to have to answer.
pub(crate) fn running() -> Value {
    json!({"state": {"running": {"startedAt": "2026-11-23T04:00:00Z"}}})
}

/// A pod of a run of the quickstart's compaction.
pub(crate) fn run_pod(job: &str, state: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("{job}-x"), "namespace": "library",
            "labels": {"gristmill.dev/hourly-compaction": "books", "batch.kubernetes.io/job-name": job}},
        "spec": {"containers": [{"name": "gristmill"}]},
        "status": {"phase": "Running", "containerStatuses": [container(state)]},
    })
}

/// A pod that has a shard of a run.
pub(crate) fn shard_pod(job: &str, index: u32, count: u32, attempt: u32, state: Value) -> Value {
    let mut pod = run_pod(job, state);
    pod["metadata"]["name"] = json!(format!("{job}-{index}-{attempt}"));
    pod["metadata"]["annotations"] = json!({"batch.kubernetes.io/job-completion-index": index.to_string()});
    let arguments =
        ["compact", "-f", "/etc/gristmill/resource.yaml", &format!("--shard=$(JOB_COMPLETION_INDEX)/{count}")];
    pod["spec"]["containers"][0]["args"] = json!(arguments);
    pod
}

/// The pod with CPU and memory as they were asked for.
pub(crate) fn sized(mut pod: Value, cpu: &str, memory: &str) -> Value {
    let requests = json!({"cpu": cpu, "memory": memory});
    pod["spec"]["containers"][0]["resources"] = json!({"requests": requests, "limits": {"memory": memory}});
    pod
}

/// A process that ended.
pub(crate) fn ended(exit_code: i32, finished_at: &str, message: &Value) -> Value {
    json!({"state": {"terminated": {"exitCode": exit_code, "finishedAt": finished_at, "message": message.to_string()}}})
}

/// A Job of the quickstart's compaction; `end` is the type of its last condition.
pub(crate) fn job(name: &str, end: Option<&str>) -> Value {
    let conditions: Vec<Value> = end
        .iter()
        .map(|end| {
            json!({"type": end, "status": "True", "reason": "BackoffLimitExceeded", "message": "too often",
            "lastTransitionTime": "2026-11-23T05:07:00Z"})
        })
        .collect();
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "namespace": "library", "labels": {"gristmill.dev/hourly-compaction": "books"},
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "CronJob", "name": "books-compaction", "uid": "u", "controller": true}]},
        "spec": {"template": {"spec": {"containers": []}}},
        "status": {"conditions": conditions},
    })
}

/// What a worker of the quickstart reports.
pub(crate) fn ingest_report(phase: &str) -> Value {
    let digest = gristmill_crds::IngestProjection::new(&quickstart().0).digest();
    json!({
        "version": "0.1.0", "specDigest": digest, "phase": phase, "message": format!("it is {phase}"),
        "consumerGroup": "gristmill.library.books.4c0ffee5",
        "zone": {"id": "5f0c", "format": 1, "sequence": 4, "lastCommitTime": "2026-11-23T05:09:41Z"},
        "partitions": 4,
        "messages": {"accepted": 90, "rejected": 7, "tombstones": 2, "absent": 1, "gaps": 0},
        "rows": {"accepted": 180, "rejected": 9},
        "lag": {"records": 12, "seconds": 42},
        "rejectedPercent": "7",
    })
}

/// What a run of the quickstart's compaction reports.
pub(crate) fn compaction_report(sequence: i64) -> Value {
    json!({
        "version": "0.1.0",
        "zone": {"id": "91bd", "format": 1, "sequence": sequence},
        "source": {"zone": "5f0c", "consumedSequence": 4, "backlogEntries": 21, "backlogBytes": "183500800"},
        "processedThrough": "2026-11-23T04:58:40Z",
        "runs": [{"sequence": sequence, "startTime": "2026-11-23T05:05:03Z", "completionTime": "2026-11-23T05:06:12Z",
            "result": "Succeeded", "rows": {"read": 180, "duplicateInDelta": 4, "duplicateInZone": 0, "written": 176},
            "files": {"before": 0, "after": 9}}],
    })
}

fn container(state: Value) -> Value {
    let mut container = json!({
        "name": "gristmill", "image": "gristmill:test", "imageID": "", "ready": true, "restartCount": 0,
    });
    container.as_object_mut().unwrap().extend(state.as_object().unwrap().clone());
    container
}
