//! What a user is told when a verb can't do its work, and that the Role of the guide is enough and not more than enough.

use serde_json::{Value, json};

use crate::cluster::Mock;
use crate::facts::{compaction, good, stream};

#[tokio::test]
async fn name_that_is_not_there_is_told_with_those_that_are() {
    let cluster = Mock::new().with(stream("books", &good())).with(compaction("films", &[]));
    insta::assert_snapshot!(cluster.run("suspend boks").await.unwrap_err(), @r#"no StreamIngest or HourlyCompaction "boks" in namespace library; there is sti/books, hc/films"#);
    insta::assert_snapshot!(cluster.run("lag films").await.unwrap_err(), @r#"no StreamIngest "films" in namespace library; there is sti/books"#);
    insta::assert_snapshot!(cluster.run("run-now sti/books").await.unwrap_err(), @"run-now is for a resource of kind HourlyCompaction, and sti/books is none");
    insta::assert_snapshot!(Mock::new().run("status books").await.unwrap_err(), @r#"no StreamIngest or HourlyCompaction "books" in namespace library; there is none at all; -n names another namespace, `kubectl gristmill status -A` looks in all"#);
}

#[tokio::test]
async fn cluster_without_definitions_is_told_as_one() {
    for command in ["status", "status books", "lag", "suspend books", "rewind books --to-earliest"] {
        let told = Mock::new().without_definitions().run(command).await.unwrap_err();
        assert!(told.contains("kubectl apply --server-side -f crds/"), "{command}: {told}");
    }
}

#[tokio::test]
async fn missing_right_is_named_with_its_verb_and_resource() {
    let cluster = || Mock::new().with(stream("books", &good()));
    let streams = "gristmill.dev/streamingests";
    insta::assert_snapshot!(cluster().denying(streams, "patch").run("suspend sti/books").await.unwrap_err(), @r#"this user must not patch streamingests.gristmill.dev in namespace library (the ClusterRole does not grant ("gristmill.dev/streamingests", "patch")); docs/guide/plugin.md has the Role that is enough"#);
    insta::assert_snapshot!(cluster().denying(streams, "list").run("status -A").await.unwrap_err(), @r#"this user must not list streamingests.gristmill.dev in all namespaces (the ClusterRole does not grant ("gristmill.dev/streamingests", "list")); docs/guide/plugin.md has the Role that is enough"#);
    insta::assert_snapshot!(cluster().denying("/pods", "list").run("rejected books").await.unwrap_err(), @r#"this user must not list pods in namespace library (the ClusterRole does not grant ("/pods", "list")); docs/guide/plugin.md has the Role that is enough"#);
    // Whoever may get and not list is told at least that there is nothing of the name.
    let told = cluster().denying(streams, "list").run("suspend sti/boks").await.unwrap_err();
    assert!(told.contains("no StreamIngest \"boks\" in namespace library"), "{told}");
}

fn worker_pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "books-ingest-1", "namespace": "library", "labels": {"gristmill.dev/stream-ingest": "books"}},
        "spec": {"containers": [{"name": "gristmill", "ports": [{"name": "admin", "containerPort": 8080}]}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        "log": "ingest begins\ncommitted batch\n",
    })
}

fn cron_job() -> Value {
    json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "books-compaction", "namespace": "library"},
        "spec": {"schedule": "5 * * * *", "jobTemplate": {}}})
}

#[tokio::test]
async fn role_of_the_guide_is_enough_for_every_verb_and_no_more_than_that() {
    let cluster =
        Mock::new().with(stream("books", &good())).with(compaction("books", &[])).with(worker_pod()).with(cron_job());
    for command in
        ["status", "lag", "explain-sizing books", "suspend sti/books", "suspend hc/books", "rewind books --to-earliest"]
    {
        cluster.run(command).await.unwrap();
    }
    assert_eq!(cluster.run("logs sti/books").await.unwrap(), "ingest begins\ncommitted batch\n");
    // Ports are not forwarded here; that the right to do so is asked for can be seen all the same.
    for command in ["lag books --partitions", "rewind books --to-earliest --dry-run"] {
        let told = cluster.run(command).await.unwrap_err();
        assert!(told.contains("pods/portforward") && !told.contains("must not"), "{command}: {told}");
    }
    let late = cluster.run("run-now books --wait --timeout 1ms").await.unwrap_err();
    assert!(late.contains("no pod yet"), "{late}");
    let (used, granted) = cluster.rights();
    assert_eq!(used, granted);
}
