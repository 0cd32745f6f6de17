//! Scenarios of the size of a compaction's runs: who decides it, what becomes of it, and runs that several pods share.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::documents::{compaction, compaction_report, ended, job, run_pod, running, shard_pod, sized, stream};

pub(crate) const COMPACTIONS: &str = "gristmill.dev/hourlycompactions";
pub(crate) const CRON_JOBS: &str = "batch/cronjobs";
pub(crate) const STATUS: &str = "apply gristmill.dev/hourlycompactions/status/books";
pub(crate) const APPLY: &str = "apply batch/cronjobs/books-compaction";

/// A cluster whose compaction has this block `sizing` and four buckets, reconciled once.
pub(crate) async fn with_sizing(sizing: Value) -> Cluster {
    let mut compaction = compaction();
    compaction["spec"]["sizing"] = sizing;
    compaction["spec"]["processed"]["buckets"] = json!(4);
    let cluster = Cluster::new().with(stream()).with(compaction);
    cluster.reconcile_compaction().await.unwrap();
    cluster.writes();
    cluster
}

/// The report of a run that found `gigabytes` of RAW, at 20 MB a second of CPU, and left `backlog` bytes.
pub(crate) fn measured(sequence: i64, gigabytes: i64, backlog: &str) -> Value {
    let mut report = compaction_report(sequence);
    let hour = 4 + sequence;
    let run = &mut report["runs"][0];
    run["startTime"] = json!(format!("2026-11-23T{hour:02}:05:03Z"));
    run["completionTime"] = json!(format!("2026-11-23T{hour:02}:06:12Z"));
    run["rows"]["read"] = json!(gigabytes * 10_000_000);
    run["cost"] = json!({"deltaBytes": (gigabytes * 1_000_000_000).to_string(), "cpuMilliseconds": gigabytes * 50_000});
    report["source"]["backlogBytes"] = json!(backlog);
    report
}

/// A pod whose run ended well at six minutes past its hour.
pub(crate) fn succeeded(name: &str, sequence: i64, report: &Value) -> Value {
    let hour = 4 + sequence;
    let mut pod = run_pod(name, ended(0, &format!("2026-11-23T{hour:02}:06:13Z"), report));
    began(&mut pod, &format!("2026-11-23T{hour:02}:05:02Z"));
    sized(pod, "500m", "1Gi")
}

fn began(pod: &mut Value, time: &str) {
    pod["status"]["containerStatuses"][0]["state"]["terminated"]["startedAt"] = json!(time);
}

fn killed_for_memory(name: &str, finished: &str, memory: &str) -> Value {
    let mut pod = run_pod(name, ended(137, finished, &json!("")));
    pod["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] = json!("OOMKilled");
    pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"] = json!("");
    sized(pod, "500m", memory)
}

fn status(cluster: &Cluster) -> Value {
    cluster.get(COMPACTIONS, "books").unwrap()["status"].clone()
}

pub(crate) fn sizing(cluster: &Cluster) -> Value {
    status(cluster)["sizing"].clone()
}

/// CPU and memory that the template asks for, and the number of pods.
pub(crate) fn template(cluster: &Cluster) -> (String, String, Value) {
    let spec = cluster.get(CRON_JOBS, "books-compaction").unwrap()["spec"]["jobTemplate"]["spec"].clone();
    let resources = &spec["template"]["spec"]["containers"][0]["resources"];
    assert_eq!(resources["requests"]["memory"], resources["limits"]["memory"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&resources["requests"]["cpu"]), text(&resources["requests"]["memory"]), spec["completions"].clone())
}

pub(crate) fn size(cpu: &str, memory: &str, completions: Value) -> (String, String, Value) {
    (cpu.to_owned(), memory.to_owned(), completions)
}

#[tokio::test]
async fn advise_tells_the_size_and_leaves_the_template_as_the_document_says() {
    let cluster = with_sizing(json!({"mode": "Advise"})).await;
    cluster.put(succeeded("books-compaction-1", 1, &measured(1, 6, "60000000000")));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.writes(), [STATUS]);
    assert_eq!(template(&cluster), size("500m", "1Gi", Value::Null));
    let told = sizing(&cluster);
    assert_eq!((&told["cpu"], &told["memory"], &told["parallelism"]), (&json!("4"), &json!("8Gi"), &json!(1)));
    insta::assert_snapshot!(told["explanation"].as_str().unwrap(), @"60 GB at 20 MB/s a core in 5m: 10 cores; 600000000 rows take 9252Mi; 4 and 8Gi; maxParallelism 1 keeps it there; maxMemoryPerPod 8Gi keeps it there, the rest goes to local disk");
    insta::assert_snapshot!(told["details"].as_str().unwrap(), @"
    mode         Advise: computed and shown, not carried out
    bytes        60 GB, of which 60 GB wait now; the run starts in 58m47s
    speed        20 MB a core-second, by 1 run
    use          100 % of the cores, by the same runs, 50 % at the least
    formula      bytes / (bytes of a core-second x targetDuration) / use
    needed       60 GB at 20 MB/s a core in 5m: 10 cores
    memory       96Mi and 16 bytes for each of 600000000 rows: 9252Mi
    decided      4 and 8Gi
    limited by   maxParallelism 1 keeps it there
    limited by   maxMemoryPerPod 8Gi keeps it there, the rest goes to local disk
    would change a higher maxParallelism or maxCpuPerPod
    would change a higher maxMemoryPerPod, which saves some CPU
    would change mode Auto carries it out
    would change a longer targetDuration takes less CPU, a shorter one more
    ");
}

#[tokio::test]
async fn auto_gives_the_next_run_its_size_and_tells_the_change_once() {
    let cluster = with_sizing(json!({"mode": "Auto", "targetDuration": "20m"})).await;
    assert_eq!(template(&cluster), size("500m", "1Gi", Value::Null), "nothing was measured yet");
    let unmeasured = "no run of 8 MB or more was measured yet: 500m and 1Gi by spec.pod";
    assert_eq!(sizing(&cluster)["explanation"], unmeasured);
    cluster.events();

    cluster.put(succeeded("books-compaction-1", 1, &measured(1, 6, "30000000000")));
    cluster.reconcile_compaction().await.unwrap();

    assert_eq!(cluster.writes(), [APPLY, STATUS]);
    assert_eq!(template(&cluster), size("2", "4864Mi", Value::Null));
    assert_eq!((&sizing(&cluster)["cpu"], &sizing(&cluster)["memory"]), (&json!("2"), &json!("4864Mi")));
    let events = cluster.events();
    let told = "Normal RunResized: the next run has 1 pod x 2 and 4864Mi instead of 1 pod x 500m and 1Gi: 30 GB at";
    assert!(events.iter().any(|event| event.starts_with(told)), "{events:?}");
    assert_eq!(status(&cluster)["runs"][0]["cpu"], "500m");

    // Each reconcile is one of an operator that has just started.
    for _ in 0..3 {
        cluster.wait_seconds(600);
        cluster.reconcile_compaction().await.unwrap();
        assert_eq!(cluster.writes(), Vec::<String>::new());
        assert_eq!(cluster.events(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn next_run_is_sized_for_what_arrives_until_it_starts() {
    let cluster = with_sizing(json!({"mode": "Auto", "targetDuration": "20m"})).await;
    let mut report = measured(2, 36, "0");
    report["runs"].as_array_mut().unwrap().push(measured(1, 6, "0")["runs"][0].clone());
    cluster.wait_seconds(3600);
    cluster.put(succeeded("books-compaction-2", 2, &report));
    cluster.reconcile_compaction().await.unwrap();
    // 36 GB came in the hour between the starts, and the next start is 58 minutes and 47 seconds after the end.
    let explanation = sizing(&cluster)["explanation"].as_str().unwrap().to_owned();
    assert!(explanation.starts_with("35.3 GB at 20 MB/s a core in 20m: "), "{explanation}");
    // Nothing ran for three hours: the next run finds what has come since the last one.
    cluster.wait_seconds(3 * 3600);
    cluster.reconcile_compaction().await.unwrap();
    let explanation = sizing(&cluster)["explanation"].as_str().unwrap().to_owned();
    assert!(explanation.starts_with("143 GB at 20 MB/s a core in 20m: "), "{explanation}");
}

#[tokio::test]
async fn manual_is_what_the_document_says() {
    let cluster = with_sizing(json!({"mode": "Auto"})).await;
    cluster.put(succeeded("books-compaction-1", 1, &measured(1, 6, "60000000000")));
    cluster.reconcile_compaction().await.unwrap();
    assert_ne!(template(&cluster), size("500m", "1Gi", Value::Null));
    cluster.edit(COMPACTIONS, "books", |compaction| compaction["spec"]["sizing"]["mode"] = json!("Manual"));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(template(&cluster), size("500m", "1Gi", Value::Null));
    assert_eq!(sizing(&cluster), Value::Null);
}

#[tokio::test]
async fn size_that_is_decided_while_paused_is_told_when_it_is_carried_out() {
    let cluster = with_sizing(json!({"mode": "Auto", "targetDuration": "20m"})).await;
    let pause = |value: Value| {
        cluster.edit(COMPACTIONS, "books", |compaction| {
            compaction["metadata"]["annotations"] = json!({"gristmill.dev/reconcile": value});
        });
    };
    let before = sizing(&cluster);
    pause(json!("disabled"));
    cluster.put(succeeded("books-compaction-1", 1, &measured(1, 6, "30000000000")));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!((sizing(&cluster), template(&cluster)), (before, size("500m", "1Gi", Value::Null)));
    cluster.events();
    pause(json!("enabled"));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(template(&cluster), size("2", "4864Mi", Value::Null));
    assert!(cluster.events().iter().any(|event| event.contains("RunResized")));
}

#[tokio::test]
async fn size_that_was_advised_is_told_when_mode_auto_carries_it_out() {
    let cluster = with_sizing(json!({"mode": "Advise", "targetDuration": "20m"})).await;
    cluster.put(succeeded("books-compaction-1", 1, &measured(1, 6, "30000000000")));
    cluster.reconcile_compaction().await.unwrap();
    cluster.events();
    cluster.edit(COMPACTIONS, "books", |compaction| compaction["spec"]["sizing"]["mode"] = json!("Auto"));
    cluster.reconcile_compaction().await.unwrap();
    let told = "RunResized: the next run has 1 pod x 2 and 4864Mi instead of 1 pod x 500m and 1Gi: 30 GB at";
    assert!(cluster.events().iter().any(|event| event.contains(told)));
}

#[tokio::test]
async fn run_that_was_killed_for_its_memory_gets_twice_as_much_from_then_on() {
    let cluster = with_sizing(json!({"mode": "Auto", "maxMemoryPerPod": "3Gi"})).await;
    cluster.put(succeeded("books-compaction-1", 1, &measured(1, 1, "0")));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(template(&cluster).1, "1Gi");
    cluster.wait_seconds(3600);
    cluster.put(killed_for_memory("books-compaction-2", "2026-11-23T06:06:00Z", "1Gi"));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(template(&cluster).1, "2Gi");
    assert_eq!(sizing(&cluster)["leastMemory"], "2Gi");

    // With that it succeeds; its pod and that of the failure go at some time.
    cluster.wait_seconds(3600);
    cluster.put(succeeded("books-compaction-3", 3, &measured(3, 1, "0")));
    cluster.reconcile_compaction().await.unwrap();
    cluster.delete("/pods", "books-compaction-2-x");
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(template(&cluster).1, "2Gi");

    cluster.wait_seconds(3600);
    cluster.put(killed_for_memory("books-compaction-4", "2026-11-23T08:06:00Z", "2Gi"));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(template(&cluster).1, "3Gi");
    let explanation = sizing(&cluster)["explanation"].as_str().unwrap().to_owned();
    assert!(explanation.ends_with("maxMemoryPerPod 3Gi keeps it there, the rest goes to local disk"), "{explanation}");
}

#[tokio::test]
async fn first_run_that_was_killed_for_its_memory_has_more_in_the_next() {
    let cluster = with_sizing(json!({"mode": "Auto"})).await;
    cluster.put(killed_for_memory("books-compaction-1", "2026-11-23T05:06:00Z", "1Gi"));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(template(&cluster), size("500m", "2Gi", Value::Null));
    let expected =
        "no run of 8 MB or more was measured yet: 500m and 2Gi by spec.pod, and more memory, since 1Gi was too little";
    assert_eq!(sizing(&cluster)["explanation"], expected);
}

#[tokio::test]
async fn run_that_says_how_much_memory_it_needs_gets_it() {
    let cluster = with_sizing(json!({"mode": "Auto"})).await;
    cluster.put(succeeded("books-compaction-1", 1, &measured(1, 1, "0")));
    let refused = json!({"reason": "TooLittleMemory", "message": "run it with more", "needsMemory": 1_700_000_000});
    cluster.put(run_pod("books-compaction-2", ended(2, "2026-11-23T06:06:12Z", &refused)));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(template(&cluster).1, "1792Mi");
}

/// Three pods share the run of the first hour: its Job is there, and they run.
pub(crate) async fn sharing() -> Cluster {
    let cluster = with_sizing(json!({"mode": "Auto", "maxCpuPerPod": "1", "maxParallelism": 4})).await;
    cluster.put(job("books-compaction-1", None));
    for index in 0..3 {
        cluster.put(shard_pod("books-compaction-1", index, 3, 0, running()));
    }
    cluster.reconcile_compaction().await.unwrap();
    cluster.writes();
    cluster
}

/// Buckets of each of three shards.
const BUCKETS: [(i32, i32); 3] = [(0, 0), (1, 1), (2, 3)];

/// The end of a shard that read `rows` of 6 GB, at entry 1 and the shard's number.
fn shard_done(index: u32, attempt: u32, rows: i64) -> Value {
    let sequence = 1 + i64::from(index);
    let mut report = measured(1, 6, "0");
    let (first, last) = BUCKETS[index as usize];
    report["zone"]["sequence"] = json!(sequence);
    report["buckets"] = json!({"first": first, "last": last});
    let run = &mut report["runs"][0];
    run["sequence"] = json!(sequence);
    run["buckets"] = json!({"first": first, "last": last});
    run["completionTime"] = json!(format!("2026-11-23T05:0{}:12Z", 6 + index));
    run["rows"] = json!({"read": rows, "duplicateInDelta": 1, "duplicateInZone": 2, "late": 0, "written": rows - 3});
    run["files"] = json!({"before": 1, "after": 2, "bytesBefore": 10, "bytesAfter": 20});
    run["cost"]["cpuMilliseconds"] = json!(100_000);
    let finished = format!("2026-11-23T05:0{}:13Z", 6 + index);
    let mut pod = shard_pod("books-compaction-1", index, 3, attempt, ended(0, &finished, &report));
    began(&mut pod, "2026-11-23T05:05:02Z");
    sized(pod, "1", "1Gi")
}

#[tokio::test]
async fn pods_that_share_a_run_are_one_run_once_all_have_ended() {
    let cluster = sharing().await;
    for index in [2, 0] {
        cluster.put(shard_done(index, 0, 100));
        cluster.reconcile_compaction().await.unwrap();
        assert_eq!(cluster.condition(COMPACTIONS, "Ready").0, "Unknown/NoRunYet");
        assert_eq!(status(&cluster)["runs"], Value::Null, "a part of a run is none");
    }
    cluster.put(shard_done(1, 0, 50));
    cluster.put(job("books-compaction-1", Some("Complete")));
    cluster.reconcile_compaction().await.unwrap();
    let (ready, message) = cluster.condition(COMPACTIONS, "Ready");
    assert_eq!(ready, "True/LastRunSucceeded");
    assert_eq!(message, "Job books-compaction-1 ended at 2026-11-23T05:08:13Z");
    insta::assert_yaml_snapshot!(status(&cluster)["runs"], @r#"
    - completionTime: "2026-11-23T05:08:12Z"
      cost:
        cpuMilliseconds: 300000
        deltaBytes: "6000000000"
      cpu: "3"
      files:
        after: 6
        before: 3
        bytesAfter: 60
        bytesBefore: 30
      result: Succeeded
      rows:
        duplicateInDelta: 3
        duplicateInZone: 6
        late: 0
        read: 250
        rejected: 0
        written: 241
      sequence: 3
      shards: 3
      startTime: "2026-11-23T05:05:03Z"
      trigger: Schedule
    "#);
    assert_eq!((&status(&cluster)["zone"]["sequence"], &status(&cluster)["activeJob"]), (&json!(3), &Value::Null));
}

#[tokio::test]
async fn shard_that_failed_is_named_until_it_is_made_good() {
    let cluster = sharing().await;
    let failure = json!({"reason": "StoreUnavailable", "message": "namenode:8020 refuses the connection"});
    cluster.put(shard_pod("books-compaction-1", 1, 3, 0, ended(5, "2026-11-23T05:06:00Z", &failure)));
    cluster.put(shard_done(0, 0, 100));
    cluster.put(shard_done(2, 0, 100));
    cluster.reconcile_compaction().await.unwrap();
    let (ready, message) = cluster.condition(COMPACTIONS, "Ready");
    assert_eq!(ready, "False/LastRunFailed");
    assert_eq!(
        message,
        "Job books-compaction-1 at 2026-11-23T05:06:00Z: StoreUnavailable: shard 1/3: namenode:8020 refuses the connection"
    );

    cluster.put(shard_done(1, 1, 50));
    cluster.put(job("books-compaction-1", Some("Complete")));
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.condition(COMPACTIONS, "Ready").0, "True/LastRunSucceeded");
    let runs = status(&cluster)["runs"].clone();
    assert_eq!((runs.as_array().unwrap().len(), &runs[0]["rows"]["read"]), (1, &json!(250)));

    // The pod that made it good goes, with a drained node; the one that failed is still there.
    cluster.delete("/pods", "books-compaction-1-1-1");
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(cluster.condition(COMPACTIONS, "Ready").0, "True/LastRunSucceeded");
}

#[tokio::test]
async fn memory_that_one_shard_lacked_counts_although_another_one_failed_later() {
    let cluster = sharing().await;
    let mut killed = ended(137, "2026-11-23T05:06:00Z", &json!(""));
    killed["state"]["terminated"]["reason"] = json!("OOMKilled");
    killed["state"]["terminated"]["message"] = json!("");
    cluster.put(sized(shard_pod("books-compaction-1", 0, 3, 0, killed), "1", "1Gi"));
    let failure = json!({"reason": "StoreUnavailable", "message": "namenode:8020 refuses the connection"});
    cluster.put(shard_pod("books-compaction-1", 1, 3, 0, ended(5, "2026-11-23T05:12:00Z", &failure)));
    cluster.put(job("books-compaction-1", Some("Failed")));
    cluster.reconcile_compaction().await.unwrap();
    assert!(cluster.condition(COMPACTIONS, "Ready").1.contains("shard 1/3"));
    assert_eq!(sizing(&cluster)["leastMemory"], "2Gi");
    assert_eq!(template(&cluster).1, "2Gi");
}

#[tokio::test]
async fn run_over_all_that_comes_next_does_not_take_a_shared_one_apart() {
    let cluster = sharing().await;
    for index in 0..3 {
        cluster.put(shard_done(index, 0, 100));
    }
    cluster.put(job("books-compaction-1", Some("Complete")));
    cluster.reconcile_compaction().await.unwrap();
    // Its report has the log's last entries, of which three are the shards'.
    let mut report = measured(4, 1, "0");
    report["zone"]["sequence"] = json!(4);
    for index in [2, 1, 0] {
        let text =
            shard_done(index, 0, 100)["status"]["containerStatuses"][0]["state"]["terminated"]["message"].clone();
        let shard: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
        report["runs"].as_array_mut().unwrap().push(shard["runs"][0].clone());
    }
    cluster.wait_seconds(3 * 3600);
    cluster.put(succeeded("books-compaction-2", 4, &report));
    cluster.reconcile_compaction().await.unwrap();
    let runs = status(&cluster)["runs"].clone();
    let of = |run: &Value| (run["sequence"].clone(), run["shards"].clone());
    let runs: Vec<_> = runs.as_array().unwrap().iter().map(of).collect();
    assert_eq!(runs, [(json!(4), Value::Null), (json!(3), json!(3))]);
}

#[tokio::test]
async fn shared_run_without_a_shard_that_failed_for_good_is_no_success() {
    let cluster = sharing().await;
    let failure = json!({"reason": "SpillFailed", "message": "no space left on device"});
    cluster.put(shard_pod("books-compaction-1", 1, 3, 0, ended(5, "2026-11-23T05:06:00Z", &failure)));
    cluster.put(shard_done(0, 0, 100));
    cluster.put(shard_done(2, 0, 100));
    cluster.put(job("books-compaction-1", Some("Failed")));
    cluster.reconcile_compaction().await.unwrap();
    let (ready, message) = cluster.condition(COMPACTIONS, "Ready");
    assert_eq!(ready, "False/LastRunFailed");
    assert!(message.ends_with("SpillFailed: shard 1/3: no space left on device"), "{message}");
    assert_eq!(status(&cluster)["lastSuccessfulTime"], Value::Null);
}

#[tokio::test]
async fn more_than_a_pod_may_have_is_shared() {
    let cluster = sharing().await;
    for index in 0..3 {
        cluster.put(shard_done(index, 0, 20_000_000));
    }
    cluster.edit(COMPACTIONS, "books", |compaction| compaction["spec"]["sizing"]["targetDuration"] = json!("1m"));
    cluster.put(job("books-compaction-1", Some("Complete")));
    cluster.reconcile_compaction().await.unwrap();
    let first = sizing(&cluster);
    assert_eq!(first["parallelism"], 1, "nothing waits, and one run tells no growth");

    cluster
        .edit(COMPACTIONS, "books", |compaction| compaction["status"]["source"]["backlogBytes"] = json!("3000000000"));
    cluster.delete("batch/jobs", "books-compaction-1");
    for index in 0..3 {
        cluster.delete("/pods", &format!("books-compaction-1-{index}-0"));
    }
    cluster.reconcile_compaction().await.unwrap();
    assert_eq!(template(&cluster), size("1", "1Gi", json!(4)));
    let spec = cluster.get(CRON_JOBS, "books-compaction").unwrap()["spec"]["jobTemplate"]["spec"].clone();
    assert_eq!((&spec["completionMode"], &spec["parallelism"]), (&json!("Indexed"), &json!(4)));
    assert_eq!((&spec["backoffLimitPerIndex"], &spec["backoffLimit"]), (&json!(3), &Value::Null));
    let arguments = spec["template"]["spec"]["containers"][0]["args"].clone();
    assert_eq!(arguments[3], "--shard=$(JOB_COMPLETION_INDEX)/4");
}
