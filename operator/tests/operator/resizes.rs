//! Scenarios of pods that are resized: limits, and what a namespace, a node or a cluster refuses.

use rstest::rstest;
use serde_json::json;

use crate::cluster::STREAMS;
use crate::sizing::{busy, has, of_pods, pod_cpu, replicas, sizing, template_cpu, watch, work};

/// A limit range with a minimum, as the API server's admission has it.
const MINIMUM: &str =
    "pods \"books-ingest-1\" is forbidden: minimum cpu usage per Container is 200m, but request is 100m";

#[tokio::test]
async fn limit_that_a_pod_has_is_its_request() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    cluster.edit("/pods", "books-ingest-1", |pod| {
        pod["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("500m");
    });
    watch(&cluster, 120).await;
    let limits =
        cluster.get("/pods", "books-ingest-1").unwrap()["spec"]["containers"][0]["resources"]["limits"].clone();
    assert_eq!(limits, json!({"cpu": "1400m", "memory": "256Mi"}));
}

/// As a LimitRange's default gives it to a pod that asks for none.
#[tokio::test]
async fn limit_above_the_request_keeps_its_ratio_and_the_class_of_the_pod() {
    let cluster = busy(json!({"mode": "Auto", "scaleDownInterval": "10m"})).await;
    cluster.edit("/pods", "books-ingest-1", |pod| {
        pod["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("1");
    });
    let resources = || {
        let pod = cluster.get("/pods", "books-ingest-1").unwrap();
        pod["spec"]["containers"][0]["resources"].clone()
    };
    watch(&cluster, 120).await;
    let expected =
        json!({"requests": {"cpu": "1400m", "memory": "256Mi"}, "limits": {"cpu": "2800m", "memory": "256Mi"}});
    assert_eq!(resources(), expected);
    cluster.report(Some(work(4, 1000.0, 0)));
    watch(&cluster, 1200).await;
    assert_eq!((&resources()["requests"]["cpu"], &resources()["limits"]["cpu"]), (&json!("450m"), &json!("900m")));
}

#[tokio::test]
async fn limit_never_rises_above_the_ratio_that_a_pod_has() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    cluster.edit("/pods", "books-ingest-1", |pod| {
        pod["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("1001m");
    });
    watch(&cluster, 120).await;
    let pod = cluster.get("/pods", "books-ingest-1").unwrap();
    assert_eq!(pod["spec"]["containers"][0]["resources"]["limits"]["cpu"], "2802m", "2.002 times 1400m is 2802.8m");
}

#[tokio::test]
async fn ratio_that_a_limit_range_refuses_is_told() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    let words = "pods \"books-ingest-1\" is forbidden: cpu max limit to request ratio per Container is 2, but provided ratio is 2.004000";
    cluster.refuse_resize(Some((403, words)));
    watch(&cluster, 105).await;
    let (limited, message) = cluster.condition(STREAMS, "ScalingLimited");
    assert_eq!(limited, "True/QuotaExceeded");
    assert!(message.contains(words), "{message}");
}

#[tokio::test]
async fn resize_that_is_invalid_is_told_and_fails_nothing_else() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    let words = "Pod \"books-ingest-1\" is invalid: spec: Forbidden: only cpu and memory resources are mutable";
    cluster.refuse_resize(Some((422, words)));
    watch(&cluster, 105).await;
    let (limited, message) = cluster.condition(STREAMS, "ScalingLimited");
    assert_eq!(limited, "True/ReplicaFailure");
    let told = format!("more CPU for a pod is refused: {words}; change what refuses it, or lower ");
    assert!(message.starts_with(&told), "{message}");
    watch(&cluster, 300).await;
    assert_eq!(replicas(&cluster), 4, "workers instead");
}

/// A webhook that names no code has 400.
#[rstest]
#[case::with_a_code(403)]
#[case::without_a_code(400)]
#[tokio::test]
async fn resize_that_a_policy_refuses_leaves_the_stream_ready(#[case] code: u16) {
    let cluster = busy(json!({"mode": "Auto"})).await;
    let words = "admission webhook \"policy.example.com\" denied the request: pods are not to be resized";
    cluster.refuse_resize(Some((code, words)));
    watch(&cluster, 105).await;
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "True/Ingesting");
    let (limited, message) = cluster.condition(STREAMS, "ScalingLimited");
    assert_eq!(limited, "True/ReplicaFailure");
    assert!(message.contains(words), "{message}");
    let sizing = cluster.get(STREAMS, "books").unwrap()["status"]["sizing"].clone();
    assert_eq!(sizing["limitedBy"], "ReplicaFailure", "{sizing}");
}

#[tokio::test]
async fn cpu_that_a_quota_refuses_is_told_and_becomes_workers() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    let words = "pods \"books-ingest-1\" is forbidden: exceeded quota: small, requested: requests.cpu=900m";
    cluster.refuse_resize(Some((403, words)));
    watch(&cluster, 105).await;
    let (limited, message) = cluster.condition(STREAMS, "ScalingLimited");
    assert_eq!(limited, "True/QuotaExceeded");
    assert!(message.starts_with(&format!("more CPU for a pod is refused: {words}; raise ")), "{message}");
    assert_eq!(cluster.events().len(), 1, "nothing was resized");
    assert_eq!(of_pods(cluster.writes()).len(), 1);
    watch(&cluster, 30).await;
    assert_eq!(of_pods(cluster.writes()).len(), 0, "it is not tried all the time");
    watch(&cluster, 60).await;
    assert_eq!(of_pods(cluster.writes()).len(), 1, "it is tried again");
    watch(&cluster, 240).await;
    assert_eq!(replicas(&cluster), 4);
    assert_eq!(pod_cpu(&cluster, "books-ingest-1"), has("500m"));
}

#[tokio::test]
async fn quota_that_is_raised_lets_the_wish_come_true() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    cluster.refuse_resize(Some((403, "exceeded quota: small")));
    watch(&cluster, 105).await;
    cluster.refuse_resize(None);
    watch(&cluster, 60).await;
    assert_eq!(pod_cpu(&cluster, "books-ingest-1"), has("1400m"));
    assert_eq!(cluster.condition(STREAMS, "ScalingLimited").0, "False/DesiredWithinRange");
}

#[tokio::test]
async fn refused_wish_ends_with_its_need() {
    let cluster = busy(json!({"mode": "Auto", "scaleDownInterval": "10m"})).await;
    cluster.refuse_resize(Some((403, "exceeded quota: small")));
    watch(&cluster, 105).await;
    assert_eq!(cluster.condition(STREAMS, "ScalingLimited").0, "True/QuotaExceeded");
    // 0.45 cores: what there is does. It has to do for as long as before anything is taken away.
    cluster.report(Some(work(4, 1000.0, 0)));
    watch(&cluster, 75).await;
    assert_eq!(cluster.condition(STREAMS, "ScalingLimited").0, "True/QuotaExceeded");
    watch(&cluster, 675).await;
    let events = cluster.events();
    assert!(events.iter().any(|event| event.contains("Resized: from 1 x 1400m to 1 x 500m: ")), "{events:?}");
    cluster.writes();
    watch(&cluster, 600).await;
    assert_eq!(of_pods(cluster.writes()), Vec::<String>::new());
    assert_eq!(cluster.condition(STREAMS, "ScalingLimited").0, "False/DesiredWithinRange");
    cluster.refuse_resize(None);
    watch(&cluster, 120).await;
    assert_eq!(pod_cpu(&cluster, "books-ingest-1"), has("500m"), "nobody needs it any more");
}

#[tokio::test]
async fn less_that_a_limit_range_refuses_is_told_and_is_no_reason_for_workers() {
    let cluster = busy(json!({"mode": "Auto", "scaleDownInterval": "10m"})).await;
    cluster.report(Some(work(4, 100.0, 0)));
    cluster.refuse_resize_below(Some((200, MINIMUM)));
    watch(&cluster, 600).await;
    // 500m, of which one step takes 60 %: 200m is allowed, and 50m is not.
    watch(&cluster, 600).await;
    assert_eq!(pod_cpu(&cluster, "books-ingest-1"), has("200m"));
    let (limited, message) = cluster.condition(STREAMS, "ScalingLimited");
    assert_eq!(limited, "True/QuotaExceeded");
    let told = format!("less CPU for a pod is refused: {MINIMUM}; lower the minimum that the namespace demands");
    assert!(message.starts_with(&told), "{message}");
    assert_eq!(sizing(&cluster)["cpuPerWorker"], "200m");
    assert_eq!(cluster.events().iter().filter(|event| event.contains("Resized")).count(), 1);

    // Tried again once an interval, however often it is looked at.
    cluster.writes();
    watch(&cluster, 1800).await;
    let tries = of_pods(cluster.writes()).len();
    assert!((2..=3).contains(&tries), "{tries} tries in three intervals");

    // More is not refused.
    cluster.report(Some(work(4, 3100.0, 0)));
    watch(&cluster, 120).await;
    assert_eq!((pod_cpu(&cluster, "books-ingest-1"), replicas(&cluster)), (has("1400m"), json!(1)));
}

#[tokio::test]
async fn limit_of_the_document_below_a_minimum_is_tried_once_and_keeps_no_worker_away() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    cluster.report(Some(work(4, 100.0, 0)));
    cluster.refuse_resize_below(Some((200, MINIMUM)));
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["scaling"]["maxCpuPerWorker"] = json!("100m"));
    cluster.writes();
    watch(&cluster, 600).await;
    let writes = cluster.writes();
    let of_deployment = writes.iter().filter(|write| write.contains("deployments")).count();
    // The change, what has become of it, and needs each 150 seconds.
    assert!(of_deployment <= 5, "{writes:#?}");
    assert!(of_pods(writes).len() <= 2);
    let (limited, message) = cluster.condition(STREAMS, "ScalingLimited");
    assert_eq!(limited, "True/QuotaExceeded");
    assert!(message.contains(MINIMUM), "{message}");
    assert_eq!(sizing(&cluster)["cpuPerWorker"], "500m");
    cluster.report(Some(work(4, 4000.0, 0)));
    watch(&cluster, 120).await;
    assert_eq!(replicas(&cluster), 4);
}

/// A need that rises a moment after less was refused.
#[tokio::test]
async fn less_that_was_refused_keeps_no_more_from_coming() {
    let cluster = busy(json!({"mode": "Auto", "scaleDownInterval": "10m"})).await;
    cluster.report(Some(work(4, 100.0, 0)));
    cluster.refuse_resize_below(Some((500, MINIMUM)));
    cluster.writes();
    for _ in 0..60 {
        watch(&cluster, 15).await;
        if !of_pods(cluster.writes()).is_empty() {
            break;
        }
    }
    assert_eq!(pod_cpu(&cluster, "books-ingest-1"), has("500m"));
    cluster.report(Some(work(4, 3100.0, 0)));
    watch(&cluster, 120).await;
    assert_eq!(pod_cpu(&cluster, "books-ingest-1"), has("1400m"));
}

#[tokio::test]
async fn workers_that_were_added_are_told_although_a_pod_could_not_be_resized() {
    let cluster = busy(json!({"mode": "Auto", "maxCpuPerWorker": "500m"})).await;
    cluster.deny("/pods/resize", "patch");
    let mut failed = false;
    for _ in 0..8 {
        cluster.wait_seconds(15);
        failed |= cluster.reconcile_stream().await.is_err();
    }
    assert!(failed);
    assert_eq!(replicas(&cluster), 4);
    let events = cluster.events();
    let told = events.iter().filter(|event| event.starts_with("Normal Resized: from 1 x 500m to 4 x 350m: ")).count();
    assert_eq!(told, 1, "{events:?}");
}

#[tokio::test]
async fn way_back_to_the_document_that_is_refused_is_told_and_not_tried_all_the_time() {
    for mode in ["Manual", "Advise"] {
        let cluster = busy(json!({"mode": "Auto", "scaleDownInterval": "10m"})).await;
        cluster.report(Some(work(4, 100.0, 0)));
        watch(&cluster, 900).await;
        assert_eq!(pod_cpu(&cluster, "books-ingest-1"), has("200m"));
        cluster.refuse_resize(Some((403, "exceeded quota: small")));
        cluster.edit(STREAMS, "books", |stream| stream["spec"]["scaling"] = json!({"mode": mode}));
        cluster.writes();
        watch(&cluster, 600).await;
        let tries = of_pods(cluster.writes()).len();
        assert!((5..=11).contains(&tries), "{mode}: {tries} tries in ten minutes");
        let (limited, message) = cluster.condition(STREAMS, "ScalingLimited");
        assert_eq!(limited, "True/QuotaExceeded", "{mode}");
        assert!(message.starts_with("more CPU for a pod is refused: exceeded quota: small; change "), "{message}");
        cluster.refuse_resize(None);
        watch(&cluster, 75).await;
        assert_eq!(pod_cpu(&cluster, "books-ingest-1"), has("500m"));
        assert_ne!(cluster.condition(STREAMS, "ScalingLimited").0, "True/QuotaExceeded");
    }
}

#[tokio::test]
async fn right_that_is_missing_is_no_quota() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    cluster.deny("/pods/resize", "patch");
    watch(&cluster, 75).await;
    cluster.wait_seconds(15);
    let told = cluster.reconcile_stream().await.unwrap_err().to_message();
    assert!(told.starts_with("cannot apply the CPU of Pod books-ingest-1: "), "{told}");
}

#[tokio::test]
async fn node_without_room_is_told_and_the_worker_knows_what_it_has() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    watch(&cluster, 105).await;
    cluster.edit("/pods", "books-ingest-1", |pod| {
        pod["status"]["conditions"] = json!([{"type": "PodResizePending", "status": "True", "reason": "Deferred",
            "message": "Node didn't have enough resource: cpu", "lastTransitionTime": "2026-11-23T05:11:45Z"}]);
        pod["status"]["containerStatuses"][0]["resources"] = json!({"requests": {"cpu": "500m"}});
    });
    cluster.writes();
    watch(&cluster, 15).await;
    let told = [r#"merge /pods/books-ingest-1 {"metadata":{"annotations":{"gristmill.dev/cpu":"500m"}}}"#];
    assert_eq!(of_pods(cluster.writes()), told, "the resize is left to wait");
    let (limited, message) = cluster.condition(STREAMS, "ScalingLimited");
    assert_eq!(limited, "True/NodeFull");
    assert!(message.contains("pod books-ingest-1") && message.contains("Deferred: Node didn't have"), "{message}");
    watch(&cluster, 420).await;
    assert_eq!(replicas(&cluster), 4, "workers instead");
}

#[tokio::test]
async fn cluster_that_cannot_resize_pods_rolls_them() {
    let cluster = busy(json!({"mode": "Auto"})).await;
    cluster.refuse_resize(Some((404, "the server could not find the requested resource")));
    watch(&cluster, 120).await;
    assert_eq!(template_cpu(&cluster), "1400m");
    assert_eq!(of_pods(cluster.writes()).len(), 1, "it is asked once");
}
