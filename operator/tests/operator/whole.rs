//! Both controllers at work, with their watches, on one cluster.

use futures::FutureExt;
use gristmill_operator::controller::{Scope, lead};
use gristmill_operator::election::Candidate;
use serde_json::json;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::cluster::Cluster;
use crate::documents::{compaction, compaction_report, ended, job, run_pod, stream, taken, worker_pod};

const STREAMS: &str = "gristmill.dev/streamingests";
pub(crate) const COMPACTIONS: &str = "gristmill.dev/hourlycompactions";

/// A running operator.
pub(crate) struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    ready: watch::Receiver<bool>,
}

impl Running {
    pub(crate) async fn start(cluster: &Cluster) -> Self {
        Self::start_in(cluster, []).await
    }

    async fn start_in<const N: usize>(cluster: &Cluster, namespaces: [&str; N]) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (became_ready, ready) = watch::channel(false);
        let scopes = Scope::each(&cluster.client(), &namespaces.map(str::to_owned).into());
        let stopped = stopped.map(|_| ()).boxed().shared();
        let candidate = Candidate::new(cluster.client(), "gristmill-system", "gristmill-operator", "test");
        let operator = cluster.operator().await;
        let task = tokio::spawn(async move { lead(candidate, operator, scopes, stopped, became_ready).await.unwrap() });
        Self { stop, task, ready }
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

pub(crate) fn reason(cluster: &Cluster, resource: &str, name: &str, condition_type: &str) -> Option<String> {
    let object = cluster.get(resource, name)?;
    let conditions = object["status"]["conditions"].as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == condition_type)?;
    Some(condition["reason"].as_str()?.to_owned())
}

#[tokio::test]
async fn resource_that_does_not_read_does_not_stop_another() {
    let mut unreadable = stream();
    unreadable["metadata"]["name"] = json!("alien");
    unreadable["spec"] = json!({"source": "another planet"});
    let cluster = Cluster::new().with(unreadable).with(stream());
    let operator = Running::start(&cluster).await;
    cluster.until("books is pending", |c| reason(c, STREAMS, "books", "Ready").as_deref() == Some("Pending")).await;
    cluster.until("alien is invalid", |c| reason(c, STREAMS, "alien", "Accepted").as_deref() == Some("Invalid")).await;
    assert!(*operator.ready.borrow());
    operator.stop().await;
}

#[tokio::test]
async fn resources_of_the_named_namespaces_only_are_run() {
    let in_namespace = |namespace: &str| {
        let mut stream = stream();
        stream["metadata"]["namespace"] = json!(namespace);
        stream
    };
    let cluster = Cluster::new();
    for namespace in ["archive", "other", "library"] {
        cluster.put(in_namespace(namespace));
    }
    let operator = Running::start_in(&cluster, ["library", "archive"]).await;
    let runs =
        |c: &Cluster, namespace: &str| c.get_in(namespace, "policy/poddisruptionbudgets", "books-ingest").is_some();
    cluster.until("both are run", |c| runs(c, "library") && runs(c, "archive")).await;
    assert_eq!(cluster.get_in("other", "/serviceaccounts", "books-ingest"), None);
    assert!(!cluster.used_outside(&["library", "archive", "gristmill-system"]), "it asks for the whole cluster");
    operator.stop().await;
}

#[tokio::test]
async fn compaction_goes_on_when_its_stream_ingest_appears() {
    let cluster = Cluster::new().with(compaction());
    let operator = Running::start(&cluster).await;
    let is = |reason_of: &'static str| {
        move |c: &Cluster| reason(c, COMPACTIONS, "books", "Accepted").as_deref() == Some(reason_of)
    };
    cluster.until("the ingest is missed", is("IngestNotFound")).await;
    cluster.put(stream());
    cluster.until("the ingest is found", is("Valid")).await;
    operator.stop().await;
}

/// A Lease that another operator holds.
fn held_lease() -> serde_json::Value {
    let spec =
        json!({"holderIdentity": "other", "leaseDurationSeconds": 15, "renewTime": "2026-11-23T05:10:00.000000Z"});
    let metadata = json!({"name": "gristmill-operator", "namespace": "gristmill-system"});
    json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec})
}

#[tokio::test]
async fn standby_is_ready_once_it_knows_who_leads() {
    let cluster = Cluster::new().with(held_lease());
    let mut operator = Running::start(&cluster).await;
    let is_ready = operator.ready.wait_for(|ready| *ready);
    tokio::time::timeout(std::time::Duration::from_secs(60), is_ready).await.expect("it is ready").unwrap();
    let listed = ("apps/deployments".to_owned(), "list".to_owned());
    assert!(!cluster.used().contains(&listed), "it leads");
    operator.stop().await;
}

#[tokio::test]
async fn operator_that_cannot_read_the_lease_is_not_ready() {
    let cluster = Cluster::new().with(held_lease()).denying("coordination.k8s.io/leases", "get");
    let mut operator = Running::start(&cluster).await;
    let is_ready = operator.ready.wait_for(|ready| *ready);
    // Longer than the first look takes.
    tokio::time::timeout(std::time::Duration::from_secs(2), is_ready).await.expect_err("it is not ready");
    operator.stop().await;
}

#[tokio::test]
async fn end_of_a_run_is_seen_without_being_asked_for() {
    let cluster = Cluster::new().with(stream()).with(compaction());
    let operator = Running::start(&cluster).await;
    let is = |reason_of: &'static str| {
        move |c: &Cluster| reason(c, COMPACTIONS, "books", "Ready").as_deref() == Some(reason_of)
    };
    cluster.until("there was no run", is("NoRunYet")).await;
    cluster.put(job("books-compaction-1", Some("Complete")));
    cluster.put(run_pod("books-compaction-1", ended(0, "2026-11-23T05:06:12Z", &compaction_report(1))));
    cluster.until("the run is seen", is("LastRunSucceeded")).await;
    operator.stop().await;
}

#[tokio::test]
async fn deleted_objects_come_back() {
    let cluster = Cluster::new().with(stream());
    let operator = Running::start(&cluster).await;
    for resource in ["apps/deployments", "policy/poddisruptionbudgets", "networking.k8s.io/networkpolicies"] {
        let exists = |c: &Cluster| c.get(resource, "books-ingest").is_some();
        cluster.until("the object exists", exists).await;
        cluster.delete(resource, "books-ingest");
        cluster.until("the object is back", exists).await;
    }
    operator.stop().await;
}

#[tokio::test]
async fn operator_whose_caches_are_never_filled_stops_when_it_is_told_to() {
    let cluster = Cluster::new().with(stream()).denying("batch/jobs", "list");
    let operator = Running::start(&cluster).await;
    cluster.until("the jobs were asked for", |c| c.used().contains(&("/pods".to_owned(), "list".to_owned()))).await;
    assert!(!*operator.ready.borrow());
    tokio::time::timeout(std::time::Duration::from_secs(60), operator.stop()).await.expect("it stops");
}

/// The API server in memory refuses what the roles do not grant, so this also shows that they grant enough.
#[tokio::test]
async fn roles_grant_exactly_what_a_life_with_both_resources_needs() {
    let cluster = Cluster::new().with(stream()).with(compaction());
    let operator = Running::start(&cluster).await;
    for pattern in ["first", "second", "third"] {
        cluster.edit(STREAMS, "books", |stream| stream["spec"]["record"]["columns"][0]["pattern"] = json!(pattern));
        let mounted = |c: &Cluster| {
            let deployment = c.get("apps/deployments", "books-ingest").unwrap_or_default();
            let map = deployment["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"].clone();
            let map = c.get("/configmaps", map.as_str().unwrap_or_default()).unwrap_or_default();
            map["data"]["resource.yaml"].as_str().is_some_and(|text| text.contains(pattern))
        };
        cluster.until("the new documents are mounted", mounted).await;
    }
    let deleted = ("/configmaps".to_owned(), "delete".to_owned());
    cluster.until("the oldest documents are deleted", |c| c.used().contains(&deleted)).await;
    cluster.edit(STREAMS, "books", |stream| stream["spec"]["networkPolicy"] = json!({"mode": "Disabled"}));
    let opened = ("networking.k8s.io/networkpolicies".to_owned(), "delete".to_owned());
    cluster.until("the policy is deleted", |c| c.used().contains(&opened)).await;
    let late = worker_pod(json!({"state": {"waiting": {"reason": "ContainerCreating"}}}));
    cluster.put(taken(late));
    let asked = ("/events".to_owned(), "list".to_owned());
    cluster.until("events of a late pod are asked for", |c| c.used().contains(&asked)).await;
    cluster.edit(STREAMS, "books", |stream| {
        stream["metadata"]["annotations"] = json!({"gristmill.dev/resume": "token-1"});
    });
    cluster.edit("/pods", "books-ingest-1", |pod| {
        pod["status"]["phase"] = json!("Running");
        pod["spec"]["containers"][0]["resources"] = json!({"requests": {"cpu": "100m"}});
    });
    cluster.edit("apps/deployments", "books-ingest", |deployment| {
        deployment["status"] = json!({"observedGeneration": deployment["metadata"]["generation"]});
    });
    let resized = ("/pods/resize".to_owned(), "patch".to_owned());
    cluster.until("the pod gets the CPU of the document", |c| c.used().contains(&resized)).await;
    let handed = ("/pods".to_owned(), "patch".to_owned());
    cluster.until("the token is handed to the pod", |c| c.used().contains(&handed)).await;
    // Of one reason, with other words.
    for (pattern, accepted) in [("(", "Invalid"), ("third", "Valid"), ("[", "Invalid")] {
        cluster.edit(STREAMS, "books", |stream| stream["spec"]["record"]["columns"][0]["pattern"] = json!(pattern));
        let turned = |c: &Cluster| reason(c, STREAMS, "books", "Accepted").as_deref() == Some(accepted);
        cluster.until("Accepted turns", turned).await;
    }
    let repeated = ("events.k8s.io/events".to_owned(), "patch".to_owned());
    cluster.until("a repeated event becomes a series", |c| c.used().contains(&repeated)).await;
    let scheduled = |c: &Cluster| reason(c, COMPACTIONS, "books", "Ready").is_some();
    cluster.until("the compaction is scheduled", scheduled).await;
    operator.stop().await;
    assert_eq!(cluster.used(), cluster.granted());
}
