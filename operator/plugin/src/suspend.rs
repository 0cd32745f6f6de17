//! `suspend` and `resume`: no pods and pods again; and the end of a hold.

use gristmill_crds::names::RESUME;
use serde_json::json;

use crate::cluster::Cluster;
use crate::error::Error;
use crate::kind::{Kind, ResourceName};
use crate::resource::Resource;

/// Sets spec.suspend. Says what it did.
///
/// # Errors
/// There is no such resource, or the API server does not take it.
pub async fn suspend(cluster: &Cluster, name: &ResourceName) -> Result<String, Error> {
    let resource = cluster.find_one(name).await?;
    let name = resource.to_name();
    if resource.is_suspended() {
        return Ok(format!("{name} is suspended already; nothing was changed\n"));
    }
    cluster.patch(&resource, json!({"spec": {"suspend": true}})).await?;
    let effect = match resource.kind {
        Kind::Ingest => "its workers commit what they have read, and leave",
        Kind::Compaction => "no run is started; one that runs goes on to its end",
    };
    Ok(format!("{name} suspended: {effect}\nback: kubectl gristmill resume {name} -n {}\n", cluster.namespace))
}

/// What keeps a resource from going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// spec.suspend.
    Suspended,
    /// The rejected budget.
    Held,
}

/// What keeps this resource from going on.
pub fn stops(resource: &Resource) -> Vec<Stop> {
    let mut stops = Vec::new();
    if resource.is_suspended() {
        stops.push(Stop::Suspended);
    }
    // The status of one that was just suspended may still tell of its hold.
    if resource.is_held() {
        stops.push(Stop::Held);
    }
    stops
}

/// Ends a suspension, a hold, or both; `token` must be fresh, since each ends one hold. Says what it did.
///
/// # Errors
/// There is no such resource, or the API server does not take it.
pub async fn resume(cluster: &Cluster, name: &ResourceName, token: &str) -> Result<String, Error> {
    let found = cluster.find(name).await?;
    let mut stopped: Vec<(&Resource, Vec<Stop>)> = found.iter().map(|resource| (resource, stops(resource))).collect();
    stopped.retain(|(_, stops)| !stops.is_empty());
    match stopped.as_slice() {
        [] => {
            let names: Vec<_> = found.iter().map(|resource| resource.to_name().to_string()).collect();
            Ok(format!("{}: neither suspended nor held; nothing was changed\n", names.join(" and ")))
        }
        [(resource, stops)] => go_on(cluster, resource, stops, token).await,
        _ => Err(Error::Ambiguous { name: name.name.clone() }),
    }
}

async fn go_on(cluster: &Cluster, resource: &Resource, stops: &[Stop], token: &str) -> Result<String, Error> {
    let name = resource.to_name();
    let mut patch = json!({});
    let mut told = String::new();
    for stop in stops {
        match stop {
            Stop::Suspended => {
                patch["spec"] = json!({"suspend": false});
                told += &format!("{name} was suspended: spec.suspend is false again\n");
            }
            Stop::Held => {
                patch["metadata"] = json!({"annotations": {RESUME: token}});
                told += &format!(
                    "{name} was held by its rejected budget: annotation {RESUME} is {token}, and consumption goes on \
                     within a minute\n"
                );
            }
        }
    }
    cluster.patch(resource, patch).await?;
    Ok(told)
}
