use gristmill_crds::{HourlyCompaction, StreamIngest};
use kube::api::ApiResource;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::*;

/// The quickstart in caches, with statuses, and an operator that leads.
struct Told {
    metrics: OperatorMetrics,
    streams: Writer<DynamicObject>,
    compactions: Writer<DynamicObject>,
}

impl Told {
    fn of_quickstart() -> Self {
        let streams = Writer::new(ApiResource::erase::<StreamIngest>(&()));
        let compactions = Writer::new(ApiResource::erase::<HourlyCompaction>(&()));
        let metrics = OperatorMetrics::default();
        let mut pods = Writer::new(());
        metrics.tell_of(streams.as_reader(), compactions.as_reader(), pods.as_reader());
        // The last one was evicted: it is no worker, and nobody deletes it.
        let of_books = [("books-ingest-1", "750m", "Running"), ("books-ingest-2", "500m", "Pending")];
        for (name, cpu, phase) in of_books.into_iter().chain([("books-ingest-0", "750m", "Failed")]) {
            let pod = json!({
                "status": {"phase": phase},
                "metadata": {"name": name, "namespace": "library", "labels": {"gristmill.dev/stream-ingest": "books"}},
                "spec": {"containers": [{"name": "gristmill", "resources": {"requests": {"cpu": cpu}}}]},
            });
            pods.apply_watcher_event(&Event::Apply(serde_json::from_value(pod).expect("a pod")));
        }
        let mut told = Self { metrics, streams, compactions };
        let ready = |status: &str| json!([{"type": "Ready", "status": status, "reason": "R", "message": "", "lastTransitionTime": "2026-11-23T05:00:00Z"}]);
        let [stream, compaction] = documents();
        let sizing =
            json!({"desiredReplicas": 2, "cpuPerWorker": "750m", "limitedBy": "None", "time": "", "explanation": ""});
        let status = json!({"conditions": ready("False"), "sizing": sizing});
        told.streams.apply_watcher_event(&Event::Apply(object(stream, &status)));
        let status = json!({"processedThrough": "2026-11-23T04:58:40.500Z", "lastSuccessfulTime": "2026-11-23T05:06:12Z",
            "sizing": {"cpu": "1500m", "memory": "2Gi", "parallelism": 3, "explanation": ""},
            "runs": [{"sequence": 7, "startTime": "2026-11-23T05:05:03Z", "completionTime": "2026-11-23T05:06:12Z",
                "result": "Succeeded", "rows": {"read": 1, "duplicateInDelta": 0, "duplicateInZone": 0, "written": 1},
                "files": {"before": 0, "after": 1}, "cpu": "750m"}],
            "conditions": ready("True")});
        let mut compaction = compaction;
        compaction["metadata"]["creationTimestamp"] = json!("2026-11-22T16:00:00Z");
        told.compactions.apply_watcher_event(&Event::Apply(object(compaction, &status)));
        told
    }

    /// The text, with the series of each metric in order and without times of this test.
    fn text(&self) -> String {
        let text = self.metrics.text();
        let mut lines: Vec<_> = text.lines().filter(|line| !line.contains("_duration_seconds_")).collect();
        for series in lines.chunk_by_mut(|a, b| !a.starts_with('#') && !b.starts_with('#')) {
            series.sort_unstable();
        }
        lines.join("\n")
    }
}

fn documents() -> [Value; 2] {
    let text = include_str!("../../../manifests/quickstart/books.yaml");
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).expect("the quickstart");
    [documents[0].clone(), documents[1].clone()]
}

fn object(mut document: Value, status: &Value) -> DynamicObject {
    document["status"] = status.clone();
    serde_json::from_value(document).expect("a resource")
}

#[tokio::test]
async fn the_answer_has_every_metric_with_its_meaning() {
    let told = Told::of_quickstart();
    told.metrics.leads();
    told.metrics.measure("StreamIngest", async { Ok(Action::await_change()) }).await.expect("it succeeds");
    told.metrics.measure("StreamIngest", async { Err(Error::CacheEnded) }).await.expect_err("it fails");
    insta::assert_snapshot!("metrics", told.text());
}

#[test]
fn series_of_a_deleted_resource_are_gone() {
    let mut told = Told::of_quickstart();
    let [_, compaction] = documents();
    told.compactions.apply_watcher_event(&Event::Delete(object(compaction, &Value::Null)));
    let text = told.text();
    assert!(!text.contains("HourlyCompaction") && !text.contains("timestamp_seconds{"), "{text}");
    assert!(text.contains("StreamIngest"), "{text}");
}

#[test]
fn compaction_that_has_not_run_is_not_told_as_one_that_failed() {
    let mut told = Told::of_quickstart();
    let [_, compaction] = documents();
    for (status, value) in [("Unknown", None), ("False", Some("0")), ("True", Some("1"))] {
        let ready = json!([{"type": "Ready", "status": status, "reason": "R", "message": "", "lastTransitionTime": "2026-11-23T05:00:00Z"}]);
        told.compactions.apply_watcher_event(&Event::Apply(object(compaction.clone(), &json!({"conditions": ready}))));
        let text = told.text();
        let line = text.lines().find(|line| line.starts_with("gristmill_resource_ready{kind=\"HourlyCompaction\""));
        assert_eq!(line.and_then(|line| line.split(' ').next_back()), value, "{status}");
    }
}

#[test]
fn compaction_that_is_suspended_itself_or_by_its_ingest_is_not_expected_to_run() {
    let mut told = Told::of_quickstart();
    let period = "gristmill_compaction_schedule_period_seconds{";
    assert!(told.text().contains(period));
    let [mut stream, mut compaction] = documents();
    stream["spec"]["suspend"] = json!(true);
    told.streams.apply_watcher_event(&Event::Apply(object(stream.clone(), &Value::Null)));
    assert!(!told.text().contains(period));
    stream["spec"]["suspend"] = json!(false);
    told.streams.apply_watcher_event(&Event::Apply(object(stream, &Value::Null)));
    assert!(told.text().contains(period));
    compaction["spec"]["suspend"] = json!(true);
    told.compactions.apply_watcher_event(&Event::Apply(object(compaction, &Value::Null)));
    assert!(!told.text().contains(period));
}

#[test]
fn resource_says_how_long_a_backlog_may_take() {
    let mut told = Told::of_quickstart();
    let [mut stream, _] = documents();
    stream["spec"]["scaling"] = json!({"catchUpDuration": "2h"});
    told.streams.apply_watcher_event(&Event::Apply(object(stream, &Value::Null)));
    let text = told.text();
    let line = text.lines().find(|line| line.starts_with("gristmill_ingest_catch_up_target_seconds{"));
    assert!(line.is_some_and(|line| line.ends_with(" 7200.0")), "{text}");
}
