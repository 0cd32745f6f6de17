//! Resources as a cluster holds them.

use gristmill_crds::report::{IngestReport, RejectReason};
use jiff::Timestamp;
use kubectl_gristmill::kind::Kind;
use kubectl_gristmill::resource::Resource;
use serde_json::{Value, json};

/// When the tests take place.
pub(crate) fn now() -> Timestamp {
    "2026-11-23T05:14:00Z".parse().unwrap()
}

/// A condition since 05:10.
pub(crate) fn condition(condition: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": condition, "status": status, "reason": reason, "message": message, "observedGeneration": 7,
        "lastTransitionTime": "2026-11-23T05:10:00Z"})
}

/// A StreamIngest of namespace `library` with these conditions.
pub(crate) fn stream(name: &str, conditions: &[Value]) -> Value {
    json!({
        "apiVersion": "gristmill.dev/v1alpha1", "kind": "StreamIngest",
        "metadata": {"name": name, "namespace": "library", "generation": 7},
        "spec": {
            "source": {"kafka": {"bootstrapServers": "kafka:9092", "topic": "book_data_topic"}},
            "raw": {"path": "hdfs://nameservice1/raw_zone/books"},
        },
        "status": {
            "observedGeneration": 7, "observedTime": "2026-11-23T05:13:20Z", "replicas": 2, "readyReplicas": 2,
            "zone": {"id": "5f0c", "format": 1, "sequence": 4211, "lastCommitTime": "2026-11-23T05:09:41Z"},
            "watermark": "2026-11-23T05:09:12.500Z", "partitions": 8,
            "messages": {"accepted": 812_345, "rejected": 1201, "tombstones": 3, "absent": 0, "gaps": 0},
            "rows": {"accepted": 2_431_877, "rejected": 1730},
            "lag": {"records": 18_200, "seconds": 42}, "rejectedPercent": "0.2",
            "conditions": conditions,
        },
    })
}

/// An HourlyCompaction of namespace `library` with these conditions.
pub(crate) fn compaction(name: &str, conditions: &[Value]) -> Value {
    json!({
        "apiVersion": "gristmill.dev/v1alpha1", "kind": "HourlyCompaction",
        "metadata": {"name": name, "namespace": "library", "generation": 7},
        "spec": {"ingestRef": {"name": name}},
        "status": {
            "observedGeneration": 7, "processedThrough": "2026-11-23T04:58:40Z",
            "lastSuccessfulTime": "2026-11-23T05:06:12Z",
            "runs": [{"sequence": 212, "startTime": "2026-11-23T05:05:03Z", "completionTime": "2026-11-23T05:06:12Z",
                "result": "Succeeded", "files": {"before": 41, "after": 38},
                "rows": {"read": 91_200, "duplicateInDelta": 310, "duplicateInZone": 44, "late": 0, "written": 90_846}}],
            "conditions": conditions,
        },
    })
}

/// Conditions of a StreamIngest that is fine.
pub(crate) fn good() -> Vec<Value> {
    vec![
        condition("Ready", "True", "Ingesting", "8 of 8 partitions, 42 s behind"),
        condition("Accepted", "True", "Valid", ""),
        condition("ScalingLimited", "False", "DesiredWithinRange", ""),
    ]
}

/// Conditions of a StreamIngest that holds.
pub(crate) fn held() -> Vec<Value> {
    let message = "12 % of 20000 messages in 600 s have rejects, where 5 % are tolerated: NoRows 2400 \
                   (book_data_topic/3/1044); correct spec.record or the producer, then resume";
    vec![
        condition("Ready", "False", "RejectedBudgetExceeded", message),
        condition("Accepted", "True", "Valid", ""),
        condition("RejectedWithinBudget", "False", "RejectedBudgetExceeded", message),
    ]
}

/// The object as verbs read it.
pub(crate) fn read(object: Value) -> Resource {
    let kind = if object["kind"] == "StreamIngest" { Kind::Ingest } else { Kind::Compaction };
    Resource::read(kind, serde_json::from_value(object).unwrap())
}

/// A worker's report with these reject reasons.
pub(crate) fn report(phase: &str, reasons: &[(&str, u64)]) -> IngestReport {
    let reject_reasons: Vec<RejectReason> = reasons
        .iter()
        .map(|(reason, records)| RejectReason {
            reason: (*reason).to_owned(),
            records: *records,
            topic: "book_data_topic".to_owned(),
            partition: 3,
            offset: 1044,
        })
        .collect();
    let report = json!({
        "version": "0.1.0", "specDigest": "sha256:1", "phase": phase, "message": format!("it is {phase}"),
        "consumerGroup": "gristmill.library.books.4c0ffee5",
        "zone": {"id": "5f0c", "format": 1, "sequence": 4212},
        "partitions": 8,
        "messages": {"accepted": 812_400, "rejected": 1210, "tombstones": 3, "absent": 0, "gaps": 0},
        "rows": {"accepted": 2_432_000, "rejected": 1740},
        "rejectedPercent": "12", "rejectReasons": reject_reasons,
    });
    serde_json::from_value(report).unwrap()
}
