//! Objects that were there before, that somebody else made, or that the API server keeps in its own form.

use serde_json::{Value, json};

use crate::cluster::{Cluster, STREAMS, settled};
use crate::documents::stream;

const DEPLOYMENTS: &str = "apps/deployments";

/// Name and text of the mounted documents.
fn documents(cluster: &Cluster) -> (String, String) {
    let deployment = cluster.get(DEPLOYMENTS, "books-ingest").unwrap();
    let name = deployment["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"].as_str().unwrap().to_owned();
    let text = cluster.get("/configmaps", &name).unwrap()["data"]["resource.yaml"].as_str().unwrap().to_owned();
    (name, text)
}

#[tokio::test]
async fn config_map_of_another_layout_is_left_as_it_is() {
    let cluster = settled().await;
    let (name, text) = documents(&cluster);
    let document: Value = serde_saphyr::from_str(&text).unwrap();
    let layout = serde_json::to_string_pretty(&document).unwrap();
    cluster.edit("/configmaps", &name, |map| map["data"]["resource.yaml"] = json!(layout));
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(documents(&cluster), (name, layout));
}

#[tokio::test]
async fn config_map_with_other_documents_is_made_anew() {
    let cluster = settled().await;
    let (name, text) = documents(&cluster);
    let other = text.replace("book_data_topic", "topic_of_somebody_else");
    assert_ne!(other, text);
    cluster.delete("/configmaps", &name);
    let mut planted = json!({"apiVersion": "v1", "kind": "ConfigMap", "immutable": true, "data": {"resource.yaml": other},
        "metadata": {"name": name, "namespace": "library"}});
    planted["metadata"]["labels"] = cluster.get(DEPLOYMENTS, "books-ingest").unwrap()["metadata"]["labels"].clone();
    cluster.put(planted);
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(documents(&cluster), (name.clone(), text));
    assert_eq!(cluster.writes(), [format!("delete /configmaps/{name}"), format!("apply /configmaps/{name}")]);
}

#[tokio::test]
async fn object_of_someone_else_is_not_taken_over() {
    let foreign = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "books-ingest", "namespace": "library"}});
    let cluster = Cluster::new().with(stream()).with(foreign);
    cluster.reconcile_stream().await.unwrap_err();
    assert_eq!(cluster.writes(), ["apply gristmill.dev/streamingests/status/books"]);
    let (accepted, message) = cluster.condition(STREAMS, "Accepted");
    assert_eq!(accepted, "False/NameTaken");
    let expected =
        "ServiceAccount books-ingest exists and belongs to someone else; create this resource under another name, ";
    assert!(message.starts_with(expected), "{message}");
}

#[tokio::test]
async fn stream_that_was_created_anew_waits_until_the_objects_of_the_former_one_are_deleted() {
    let cluster = settled().await;
    cluster.delete(STREAMS, "books");
    cluster.put(stream());
    cluster.events();
    cluster.reconcile_stream().await.unwrap_err();
    assert_eq!(cluster.condition(STREAMS, "Accepted").0, "True/Valid");
    let (ready, message) = cluster.condition(STREAMS, "Ready");
    assert_eq!(ready, "False/Pending");
    assert!(message.contains("belongs to a former StreamIngest books"), "{message}");
    assert_eq!(cluster.condition(STREAMS, "Reconciling").0, "True/Pending");
    let events = cluster.events();
    assert!(events.iter().all(|event| event.starts_with("Normal")), "{events:?}");
    let (name, _) = documents(&cluster);
    for (resource, name) in [
        ("/serviceaccounts", "books-ingest"),
        ("/configmaps", &name),
        ("networking.k8s.io/networkpolicies", "books-ingest"),
        (DEPLOYMENTS, "books-ingest"),
        ("policy/poddisruptionbudgets", "books-ingest"),
    ] {
        cluster.delete(resource, name);
    }
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.condition(STREAMS, "Ready").0, "Unknown/Pending");
}

#[tokio::test]
async fn empty_value_that_the_api_server_drops_is_not_applied_again() {
    let mut stream = stream();
    stream["spec"]["pod"] =
        json!({"env": [{"name": "NO_PROXY", "value": ""}], "tolerations": [{"key": "spot", "value": ""}]});
    let cluster = Cluster::new().with(stream);
    cluster.reconcile_stream().await.unwrap();
    cluster.writes();
    cluster.edit(DEPLOYMENTS, "books-ingest", |deployment| {
        let pod = &mut deployment["spec"]["template"]["spec"];
        pod["tolerations"][0].as_object_mut().unwrap().remove("value").unwrap();
        let variables = pod["containers"][0]["env"].as_array_mut().unwrap();
        let empty = variables.iter_mut().find(|variable| variable["name"] == "NO_PROXY").unwrap();
        empty.as_object_mut().unwrap().remove("value").unwrap();
    });
    cluster.reconcile_stream().await.unwrap();
    assert_eq!(cluster.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn policy_that_forbids_an_object_is_named_as_what_to_change() {
    let cluster = Cluster::new().with(stream()).denying(DEPLOYMENTS, "create");
    cluster.reconcile_stream().await.unwrap_err();
    let (ready, message) = cluster.condition(STREAMS, "Ready");
    assert_eq!(ready, "False/ApplyFailed");
    assert!(message.contains("change the role or the policy that forbids it"), "{message}");
}
