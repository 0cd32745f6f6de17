//! What `kubectl describe` shows for each failure: it alone must name cause, object and next act.

use rstest::rstest;
use serde_json::{Value, json};

use crate::cluster::{Cluster, STREAMS};
use crate::documents::{
    compaction, crashing, ended, ingest_report, job, pod_event, run_pod, running, stream, taken, worker_pod,
};

const COMPACTIONS: &str = "gristmill.dev/hourlycompactions";

/// A StreamIngest with every reference that there is.
fn secured() -> Value {
    let mut stream = stream();
    stream["spec"]["source"]["kafka"]["security"] = json!({
        "tls": {"caConfigMapKeyRef": {"name": "kafka-ca", "key": "ca.crt"}},
        "sasl": {"mechanism": "ScramSha512", "username": "books", "passwordSecretKeyRef": {"name": "books-kafka", "key": "password"}},
    });
    stream["spec"]["hadoop"] = json!({
        "configMapRef": {"name": "hadoop-conf"},
        "kerberos": {"principal": "books@EXAMPLE.COM", "keytabSecretKeyRef": {"name": "books-keytab", "key": "keytab"}},
    });
    stream["spec"]["pod"] = json!({
        "env": [{"name": "HTTPS_PROXY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}}],
    });
    stream
}

fn report_of_failure(exit_code: i32, reason: &str, message: &str) -> Value {
    let report = json!({"reason": reason, "message": message});
    crashing(json!({"exitCode": exit_code, "reason": "Error", "message": report.to_string()}))
}

/// A worker that runs and waits for what is away.
fn waits(cluster: &Cluster, phase: &str, message: &str) {
    cluster.put(worker_pod(running()));
    let mut report = ingest_report(phase);
    report["specDigest"] =
        gristmill_crds::IngestProjection::new(&serde_json::from_value(secured()).unwrap()).digest().into();
    report["message"] = message.into();
    report["phaseSince"] = "2026-11-23T05:04:30Z".into();
    cluster.report(Some(report));
}

fn topic_missing(cluster: &Cluster) {
    let message = "topic \"book_data_topic\" does not exist in the cluster of kafka.library.svc:9092; create it or correct spec.source.kafka.topic";
    cluster.put(worker_pod(report_of_failure(4, "TopicNotFound", message)));
}

fn wrong_password(cluster: &Cluster) {
    let message = "no broker of kafka.library.svc:9092 answers: sasl_ssl://kafka.library.svc:9092: SASL authentication error; check the mechanism, the user and the password of spec.source.kafka.security.sasl; so since 2026-11-23T05:04:30Z; it is tried again";
    waits(cluster, "SourceUnavailable", message);
}

fn bootstrap_unreachable(cluster: &Cluster) {
    let message = "no broker of kafka.library.svc:9092 answers: kafka.library.svc:9092/bootstrap: Connect failed; check spec.source.kafka.bootstrapServers and security, and that the brokers are up; so since 2026-11-23T05:04:30Z; it is tried again";
    waits(cluster, "SourceUnavailable", message);
}

fn path_not_writable(cluster: &Cluster) {
    let message = "cannot create hdfs://namenode.library.svc:8020/raw_zone/books/_log: permission denied: user=books, access=WRITE; so since 2026-11-23T05:04:30Z; see to the permissions and the quota of the directory; messages wait in Kafka; it is tried again";
    waits(cluster, "StoreUnavailable", message);
}

fn foreign_zone(cluster: &Cluster) {
    let message = "zone hdfs://namenode.library.svc:8020/raw_zone/books belongs to topic orders, not to book_data_topic; use another directory, or the topic of the zone";
    cluster.put(worker_pod(report_of_failure(6, "ZoneMismatch", message)));
}

fn shared_group(cluster: &Cluster) {
    let message = "zone hdfs://namenode.library.svc:8020/raw_zone/books belongs to consumer group gristmill.library.books.3fa9c1d2, not to shared; use another directory, or the consumer group of the zone";
    cluster.put(worker_pod(report_of_failure(6, "ZoneMismatch", message)));
}

fn mount_fails(cluster: &Cluster, note: &str) {
    cluster.put(taken(worker_pod(json!({"state": {"waiting": {"reason": "ContainerCreating"}}}))));
    let uid = cluster.get("/pods", "books-ingest-1").unwrap()["metadata"]["uid"].clone();
    cluster.put(pod_event(
        "first",
        &uid,
        "Normal",
        "Scheduled",
        "Successfully assigned library/books-ingest-1 to node",
    ));
    cluster.put(pod_event("second", &uid, "Warning", "FailedMount", note));
}

fn keytab_missing(cluster: &Cluster) {
    mount_fails(cluster, "MountVolume.SetUp failed for volume \"reference-2\" : secret \"books-keytab\" not found");
}

fn config_map_missing(cluster: &Cluster) {
    mount_fails(cluster, "MountVolume.SetUp failed for volume \"reference-0\" : configmap \"hadoop-conf\" not found");
}

fn secret_and_config_map_missing(cluster: &Cluster) {
    keytab_missing(cluster);
    let uid = cluster.get("/pods", "books-ingest-1").unwrap()["metadata"]["uid"].clone();
    let note = "MountVolume.SetUp failed for volume \"reference-0\" : configmap \"hadoop-conf\" not found";
    let mut event = pod_event("another", &uid, "Warning", "FailedMount", note);
    event["lastTimestamp"] = json!("2026-11-23T05:09:40Z");
    cluster.put(event);
}

fn volume_not_mounted(cluster: &Cluster) {
    mount_fails(cluster, "MountVolume.SetUp failed for volume \"tmp\" : no space left on device.");
}

fn secret_of_a_variable_missing(cluster: &Cluster) {
    let waiting = json!({"reason": "CreateContainerConfigError", "message": "secret \"proxy\" not found"});
    cluster.put(worker_pod(json!({"state": {"waiting": waiting}})));
}

fn key_of_a_variable_missing(cluster: &Cluster) {
    let waiting =
        json!({"reason": "CreateContainerConfigError", "message": "couldn't find key url in Secret library/proxy"});
    cluster.put(worker_pod(json!({"state": {"waiting": waiting}})));
}

fn key_missing(cluster: &Cluster) {
    let message = "spec.source.kafka.security.sasl.passwordSecretKeyRef: Secret \"books-kafka\" has no key \"password\", there is no file /etc/gristmill/secrets/books-kafka/password; add the key or correct the reference";
    cluster.put(worker_pod(report_of_failure(2, "KeyNotFound", message)));
}

fn image_not_pulled(cluster: &Cluster) {
    let message = "Back-off pulling image \"registry.example.com/gristmill:9\": not found";
    cluster.put(worker_pod(json!({"state": {"waiting": {"reason": "ImagePullBackOff", "message": message}}})));
}

fn quota(cluster: &Cluster) {
    cluster.edit("apps/deployments", "books-ingest", |deployment| {
        let message = "pods \"books-ingest-7d9\" is forbidden: exceeded quota: small, requested: requests.memory=256Mi, used: requests.memory=900Mi, limited: requests.memory=1Gi";
        deployment["status"] = json!({"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}]});
    });
}

fn unschedulable(cluster: &Cluster) {
    let mut pod = worker_pod(json!({}));
    pod["status"] = json!({"phase": "Pending", "conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient memory.",
    }]});
    cluster.put(pod);
}

fn killed_for_memory(cluster: &Cluster) {
    cluster.put(worker_pod(crashing(json!({"exitCode": 137, "reason": "OOMKilled"}))));
}

fn crash_loop(cluster: &Cluster) {
    let message = "thread 'main' panicked at worker/src/main.rs\n";
    cluster.put(worker_pod(crashing(json!({"exitCode": 101, "reason": "Error", "message": message}))));
}

#[rstest]
#[case::topic_missing(topic_missing)]
#[case::wrong_password(wrong_password)]
#[case::bootstrap_unreachable(bootstrap_unreachable)]
#[case::path_not_writable(path_not_writable)]
#[case::keytab_missing(keytab_missing)]
#[case::config_map_missing(config_map_missing)]
#[case::secret_and_config_map_missing(secret_and_config_map_missing)]
#[case::volume_not_mounted(volume_not_mounted)]
#[case::secret_of_a_variable_missing(secret_of_a_variable_missing)]
#[case::key_of_a_variable_missing(key_of_a_variable_missing)]
#[case::key_missing(key_missing)]
#[case::foreign_zone(foreign_zone)]
#[case::shared_group(shared_group)]
#[case::image_not_pulled(image_not_pulled)]
#[case::quota(quota)]
#[case::unschedulable(unschedulable)]
#[case::killed_for_memory(killed_for_memory)]
#[case::crash_loop(crash_loop)]
#[tokio::test]
async fn description_of_a_stream_names_cause_object_and_next_act(#[case] fail: fn(&Cluster)) {
    let cluster = Cluster::new().with(secured());
    cluster.reconcile_stream().await.unwrap();
    cluster.wait_seconds(60);
    fail(&cluster);
    cluster.reconcile_stream().await.unwrap();
    let case = std::thread::current().name().and_then(|name| name.rsplit("case_").next()).unwrap()[3..].to_owned();
    insta::assert_snapshot!(format!("stream_{case}"), cluster.described(STREAMS));
}

fn blocked(cluster: &Cluster, waiting: Value) {
    cluster.put(job("books-compaction-1", None));
    cluster.put(taken(run_pod("books-compaction-1", json!({"state": {"waiting": waiting}}))));
}

fn run_image_not_pulled(cluster: &Cluster) {
    blocked(cluster, json!({"reason": "ErrImagePull", "message": "registry.example.com/gristmill:9: not found"}));
}

fn run_keytab_missing(cluster: &Cluster) {
    blocked(cluster, json!({"reason": "ContainerCreating"}));
    let uid = cluster.get("/pods", "books-compaction-1-x").unwrap()["metadata"]["uid"].clone();
    let note = "MountVolume.SetUp failed for volume \"reference-0\" : secret \"books-keytab\" not found";
    cluster.put(pod_event("first", &uid, "Warning", "FailedMount", note));
}

fn run_refused_by_the_zone(cluster: &Cluster) {
    let message = "zone hdfs://namenode.library.svc:8020/processed_zone/books belongs to key isbn, not to record_id; use another directory, or the key of the zone";
    let report = json!({"reason": "ZoneMismatch", "message": message});
    cluster.put(job("books-compaction-1", Some("Failed")));
    cluster.put(run_pod("books-compaction-1", ended(6, "2026-11-23T05:06:12Z", &report)));
}

fn run_without_hdfs(cluster: &Cluster) {
    let message = "cannot read hdfs://namenode.library.svc:8020/raw_zone/books/_log: connection refused; see whether the NameNode runs";
    let report = json!({"reason": "StoreUnavailable", "message": message});
    cluster.put(run_pod("books-compaction-1", ended(5, "2026-11-23T05:06:12Z", &report)));
}

fn run_killed_for_memory(cluster: &Cluster) {
    cluster.put(run_pod(
        "books-compaction-1",
        json!({"state": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-11-23T05:06:12Z"}}}),
    ));
}

fn run_crashed(cluster: &Cluster) {
    cluster.put(run_pod(
        "books-compaction-1",
        json!({"state": {"terminated": {"exitCode": 139, "reason": "Error", "finishedAt": "2026-11-23T05:06:12Z"}}}),
    ));
}

#[rstest]
#[case::image_not_pulled(run_image_not_pulled)]
#[case::keytab_missing(run_keytab_missing)]
#[case::refused_by_the_zone(run_refused_by_the_zone)]
#[case::without_hdfs(run_without_hdfs)]
#[case::killed_for_memory(run_killed_for_memory)]
#[case::crashed(run_crashed)]
#[tokio::test]
async fn description_of_a_compaction_names_cause_object_and_next_act(#[case] fail: fn(&Cluster)) {
    let cluster = Cluster::new().with(secured()).with(compaction());
    cluster.reconcile_compaction().await.unwrap();
    fail(&cluster);
    cluster.reconcile_compaction().await.unwrap();
    let case = std::thread::current().name().and_then(|name| name.rsplit("case_").next()).unwrap()[2..].to_owned();
    insta::assert_snapshot!(format!("compaction_{case}"), cluster.described(COMPACTIONS));
}

/// Reason of Ready and ResolvedRefs.
fn told(cluster: &Cluster, kind: &str) -> [String; 2] {
    ["Ready", "ResolvedRefs"].map(|condition| cluster.condition(kind, condition).0)
}

#[rstest]
#[case::keytab_missing(keytab_missing, "False/SecretNotFound", "False/SecretNotFound")]
#[case::volume_not_mounted(volume_not_mounted, "False/WorkerUnavailable", "True/Resolved")]
#[tokio::test]
async fn what_keeps_a_worker_stands_while_events_cannot_be_listed(
    #[case] fail: fn(&Cluster),
    #[case] ready: &str,
    #[case] refs: &str,
) {
    let cluster = Cluster::new().with(secured());
    cluster.reconcile_stream().await.unwrap();
    cluster.wait_seconds(60);
    fail(&cluster);
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(told(&cluster, STREAMS), [ready, refs]);
    let before = cluster.described(STREAMS);
    cluster.deny("/events", "list");
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.described(STREAMS), before);

    // Another spec is told of as if nothing were known.
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["raw"]["files"] = json!({"maxAge": "7m"}));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "ResolvedRefs").0, "True/Resolved");
}

#[tokio::test]
async fn what_keeps_a_run_stands_while_events_cannot_be_listed() {
    for note in [
        "MountVolume.SetUp failed for volume \"reference-0\" : secret \"books-keytab\" not found",
        "MountVolume.SetUp failed for volume \"tmp\" : no space left on device.",
    ] {
        let cluster = Cluster::new().with(secured()).with(compaction());
        cluster.reconcile_compaction().await.unwrap();
        blocked(&cluster, json!({"reason": "ContainerCreating"}));
        let uid = cluster.get("/pods", "books-compaction-1-x").unwrap()["metadata"]["uid"].clone();
        cluster.put(pod_event("first", &uid, "Warning", "FailedMount", note));
        cluster.reconcile_compaction().await.unwrap();
        let before = told(&cluster, COMPACTIONS);
        assert!(before[0].starts_with("False/"), "{before:?}");
        cluster.deny("/events", "list");
        cluster.reconcile_compaction().await.unwrap();
        assert_eq!(told(&cluster, COMPACTIONS), before);
    }
}
