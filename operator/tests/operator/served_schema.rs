//! Definitions in the cluster that are older than the operator.

use gristmill_crds::{HourlyCompaction, StreamIngest, definition};
use kube::CustomResourceExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::cluster::{Cluster, STREAMS, ingesting};
use crate::documents::{compaction, stream};
use crate::whole::{COMPACTIONS, Running, reason};

/// What an API server tells whose definitions lack these fields.
fn schema_without(fields: &[&str]) -> Value {
    let mut document = json!({"components": {"schemas": {}}});
    let schemas = document["components"]["schemas"].as_object_mut().unwrap();
    schemas.insert("dev.gristmill.v1alpha1.StreamIngest".to_owned(), schema::<StreamIngest>("StreamIngest"));
    schemas
        .insert("dev.gristmill.v1alpha1.HourlyCompaction".to_owned(), schema::<HourlyCompaction>("HourlyCompaction"));
    for field in fields {
        let (place, name) = field.rsplit_once('/').unwrap();
        let place = format!("/components/schemas/dev.gristmill.v1alpha1.{place}");
        document.pointer_mut(&place).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    }
    document
}

fn schema<K: CustomResourceExt>(kind: &str) -> Value {
    let definition = serde_json::to_value(definition::<K>()).unwrap();
    let mut schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
    schema["x-kubernetes-group-version-kind"] =
        json!([{"group": "gristmill.dev", "kind": kind, "version": "v1alpha1"}]);
    schema
}

const SUSPEND: &str = "StreamIngest/properties/spec/properties/suspend";
const LAG: &str = "StreamIngest/properties/status/properties/lag";
const GENERATION: &str = "StreamIngest/properties/status/properties/observedGeneration";
const RUN: &str = "HourlyCompaction/properties/status/properties/nextRunTime";

#[tokio::test]
async fn outdated_definition_is_told_and_stops_nothing() {
    let cluster = ingesting().await;
    cluster.events();
    cluster.serve_schema(Some(schema_without(&[SUSPEND, LAG])));
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["scaling"] = json!({"replicas": 3}));
    cluster.reconcile_stream().await.unwrap();
    let (accepted, message) = cluster.condition(STREAMS, "Accepted");
    assert_eq!(accepted, "True/CRDOutdated");
    assert!(message.contains(" lacks spec.suspend, status.lag: "), "{message}");
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "True/Ingesting");
    assert_eq!(cluster.get("apps/deployments", "books-ingest").unwrap()["spec"]["replicas"], 3);
    let events = cluster.events();
    assert!(matches!(events.as_slice(), [one] if one.starts_with("Warning CRDOutdated: ")), "{events:?}");
    let status = cluster.get(STREAMS, "books").unwrap()["status"].clone();
    assert!(status.get("lag").is_none() && status["zone"].is_object(), "{status}");

    cluster.serve_schema(Some(schema_without(&[])));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "Accepted").0, "True/Valid");
    assert_eq!(cluster.events(), ["Normal Valid: Accepted is True"]);
}

#[tokio::test]
async fn refused_spec_is_told_before_an_outdated_definition() {
    let cluster = ingesting().await;
    cluster.serve_schema(Some(schema_without(&[SUSPEND])));
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["record"]["rowPath"] = json!("ancestor::book"));
    cluster.reconcile_stream().await.unwrap_err();
    assert_eq!(cluster.condition(STREAMS, "Accepted").0, "False/Invalid");
}

#[tokio::test]
async fn api_server_that_does_not_tell_its_schema_changes_nothing() {
    let cluster = ingesting().await;
    for document in [None, Some(json!({"openapi": "3.0.0"}))] {
        cluster.serve_schema(document);
        cluster.reconcile_stream().await.unwrap();
        assert_eq!(cluster.condition(STREAMS, "Accepted").0, "True/Valid");
    }
}

#[tokio::test]
async fn leader_tells_of_both_kinds_and_sees_that_their_definitions_are_applied() {
    let cluster = Cluster::new().with(stream()).with(compaction());
    cluster.serve_schema(Some(schema_without(&[SUSPEND, RUN])));
    let operator = Running::start(&cluster).await;
    let both = |wanted: &'static str| {
        move |c: &Cluster| {
            [STREAMS, COMPACTIONS].iter().all(|kind| reason(c, kind, "books", "Accepted").as_deref() == Some(wanted))
        }
    };
    cluster.until("both are outdated", both("CRDOutdated")).await;
    cluster.serve_schema(Some(schema_without(&[])));
    cluster.until("both are valid", both("Valid")).await;
    operator.stop().await;
}

/// An API server tells a changed definition some seconds after it goes by it. The next look would be ten minutes later.
#[tokio::test]
async fn leader_looks_again_when_a_status_is_refused() {
    let cluster = Cluster::new().with(stream());
    cluster.serve_schema(Some(schema_without(&[])));
    let operator = Running::start(&cluster).await;
    let accepted =
        |wanted: &'static str| move |c: &Cluster| reason(c, STREAMS, "books", "Accepted").as_deref() == Some(wanted);
    cluster.until("it is valid", accepted("Valid")).await;
    cluster.serve_schema(Some(schema_without(&[GENERATION])));
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["suspend"] = json!(true));
    cluster.until("it is outdated", accepted("CRDOutdated")).await;
    operator.stop().await;
}

#[tokio::test]
async fn readiness_tells_of_an_outdated_definition_and_stays() {
    let cluster = Cluster::new();
    cluster.serve_schema(Some(schema_without(&[SUSPEND])));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_ready, is_ready) = watch::channel(true);
    let operator = cluster.operator().await;
    let server = tokio::spawn(gristmill_operator::admin::serve(listener, is_ready, operator));
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.write_all(b"GET /readyz HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    server.abort();
    assert!(
        answer.starts_with("HTTP/1.0 200 OK")
            && answer.contains("\nready\nCRDOutdated: the definition of StreamIngest "),
        "{answer}"
    );
}
