//! Operators that share a Lease.

use std::time::Duration;

use gristmill_operator::election::{Candidate, Leader};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::cluster::Cluster;

const LEASES: &str = "coordination.k8s.io/leases";
/// Far beyond the 15 seconds after which a silent leader is replaced.
const LIMIT: Duration = Duration::from_secs(120);

fn candidate(cluster: &Cluster, pod: &str) -> Candidate {
    Candidate::new(cluster.client(), "library", "gristmill-operator", pod)
}

async fn elected(cluster: &Cluster, pod: &str) -> Leader {
    timeout(LIMIT, candidate(cluster, pod).elected(&watch::channel(false).0)).await.expect("it is elected")
}

/// Pod of the holder.
fn holder(cluster: &Cluster) -> String {
    let lease = cluster.get(LEASES, "gristmill-operator").unwrap();
    let identity = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
    identity.split('_').next().unwrap().to_owned()
}

#[tokio::test]
async fn standby_leads_once_the_leader_has_given_up() {
    let cluster = Cluster::new();
    let mut first = elected(&cluster, "first").await;
    let second = candidate(&cluster, "second");
    let waiting = tokio::spawn(async move { second.elected(&watch::channel(false).0).await });
    // A renewal later the standby has looked as well.
    let lost = timeout(Duration::from_secs(8), first.lost()).await;
    assert!(lost.is_err() && !waiting.is_finished(), "{lost:?}");
    assert_eq!(holder(&cluster), "first");
    first.release().await;
    timeout(LIMIT, waiting).await.expect("the second is elected").unwrap();
    assert_eq!(holder(&cluster), "second");
    let lease = cluster.get(LEASES, "gristmill-operator").unwrap();
    assert_eq!(lease["spec"]["leaseTransitions"], 2);
}

#[tokio::test]
async fn leader_that_is_silent_is_replaced_and_learns_of_it() {
    let cluster = Cluster::new();
    let mut first = elected(&cluster, "first").await;
    // Times in the record are of a clock that is years ahead: only its rest counts.
    cluster
        .edit(LEASES, "gristmill-operator", |lease| lease["spec"]["renewTime"] = json!("2036-01-01T00:00:00.000000Z"));
    let _second = elected(&cluster, "second").await;
    assert_eq!(holder(&cluster), "second");
    timeout(LIMIT, first.lost()).await.expect("the first learns of it");
    assert_eq!(holder(&cluster), "second");
}

#[tokio::test]
async fn leader_whose_lease_another_one_took_by_hand_ends() {
    let cluster = Cluster::new();
    let mut leader = elected(&cluster, "first").await;
    cluster.edit(LEASES, "gristmill-operator", |lease| lease["spec"]["holderIdentity"] = json!("somebody"));
    let reason = timeout(LIMIT, leader.lost()).await.expect("it is lost");
    assert_eq!(reason, "it is held by somebody");
}

#[tokio::test]
async fn leader_that_may_not_write_any_more_ends() {
    let cluster = Cluster::new();
    let mut leader = elected(&cluster, "first").await;
    cluster.deny(LEASES, "update");
    let reason = timeout(LIMIT, leader.lost()).await.expect("it is lost");
    assert!(reason.contains("does not grant"), "{reason}");
}
