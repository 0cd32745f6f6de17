//! `status`: is it fine? Both kinds on one screen, and what is to be done about those that are not.

use gristmill_crds::{HourlyCompactionStatus, Run, StreamIngestStatus};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cluster::{Cluster, Scope};
use crate::error::Error;
use crate::kind::{Kind, ResourceName};
use crate::resource::Resource;
use crate::table::{Column, Table, paragraph, since};
use crate::verdict::{Fine, Remark, Verdict, judge};

/// The resources that are asked for: all of the scope, or those of a name.
///
/// # Errors
/// There is none of this name, or the cluster does not tell.
pub async fn read(cluster: &Cluster, scope: &Scope, name: Option<&ResourceName>) -> Result<Vec<Resource>, Error> {
    if let Some(name) = name {
        return cluster.find(name).await;
    }
    let mut resources = Vec::new();
    for kind in Kind::ALL {
        resources.extend(cluster.list(kind, scope).await?);
    }
    Ok(resources)
}

/// The screen.
pub fn render(resources: &[Resource], scope: &Scope, now: Timestamp) -> String {
    if resources.is_empty() {
        return match scope {
            Scope::Namespace(namespace) => {
                format!(
                    "namespace {namespace} has no StreamIngest and no HourlyCompaction; -A looks in all namespaces\n"
                )
            }
            Scope::All => "the cluster has no StreamIngest and no HourlyCompaction\n".to_owned(),
        };
    }
    let judged: Vec<(&Resource, Verdict)> = resources.iter().map(|resource| (resource, judge(resource))).collect();
    let of = |kind| judged.iter().filter(move |(resource, _)| resource.kind == kind);
    let mut parts = vec![headline(&judged)];
    parts.push(ingests(of(Kind::Ingest), now));
    parts.push(compactions(of(Kind::Compaction), now));
    parts.extend(judged.iter().map(|(resource, verdict)| remarks(resource, verdict, now)));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// The same for scripts.
pub fn json(resources: &[Resource]) -> Value {
    let one = |resource: &Resource| {
        let verdict = judge(resource);
        json!({
            "kind": resource.kind.as_str(),
            "namespace": resource.namespace,
            "name": resource.name,
            "verdict": verdict,
            "status": resource.status,
        })
    };
    resources.iter().map(one).collect()
}

fn headline(judged: &[(&Resource, Verdict)]) -> String {
    let count = |fine| judged.iter().filter(|(_, verdict)| verdict.fine == fine).count();
    let resources = match judged.len() {
        1 => "1 resource".to_owned(),
        count => format!("{count} resources"),
    };
    match (count(Fine::No), count(Fine::Waits)) {
        (0, 0) => format!("{resources}: fine\n"),
        (0, waiting) => format!("{resources}: {waiting} on the way\n"),
        (bad, 0) => format!("{resources}: {bad} NOT fine\n"),
        (bad, waiting) => format!("{resources}: {bad} NOT fine, {waiting} on the way\n"),
    }
}

fn ingests<'r>(judged: impl Iterator<Item = &'r (&'r Resource, Verdict)>, now: Timestamp) -> String {
    let mut table = Table::new(&[
        Column::Text("NAMESPACE"),
        Column::Text("STREAMINGEST"),
        Column::Text("FINE"),
        Column::Text("REASON"),
        Column::Figure("LAG"),
        Column::Figure("SECONDS"),
        Column::Figure("REJECTED%"),
        Column::Figure("WORKERS"),
        Column::Figure("COMMITTED"),
    ]);
    for (resource, verdict) in judged {
        let StreamIngestStatus { zone, lag, rejected_percent, replicas, ready_replicas, .. } = resource.ingest_status();
        let committed = zone.and_then(|zone| zone.last_commit_time);
        let workers = replicas.map(|replicas| format!("{}/{replicas}", ready_replicas.unwrap_or(0)));
        table.row([
            resource.namespace.clone(),
            resource.name.clone(),
            verdict.fine.as_str().to_owned(),
            verdict.reason.clone(),
            lag.map(|lag| lag.records.to_string()).unwrap_or_default(),
            lag.and_then(|lag| lag.seconds).map(|seconds| seconds.to_string()).unwrap_or_default(),
            rejected_percent.unwrap_or_default(),
            workers.unwrap_or_default(),
            ago(&since(committed.as_deref(), now)),
        ]);
    }
    table.render()
}

fn compactions<'r>(judged: impl Iterator<Item = &'r (&'r Resource, Verdict)>, now: Timestamp) -> String {
    let mut table = Table::new(&[
        Column::Text("NAMESPACE"),
        Column::Text("HOURLYCOMPACTION"),
        Column::Text("FINE"),
        Column::Text("REASON"),
        Column::Figure("SUCCEEDED"),
        Column::Figure("WRITTEN"),
        Column::Figure("THROUGH"),
        Column::Text("RUNS NOW"),
    ]);
    for (resource, verdict) in judged {
        let HourlyCompactionStatus { runs, last_successful_time, processed_through, active_job, .. } =
            resource.compaction_status();
        table.row([
            resource.namespace.clone(),
            resource.name.clone(),
            verdict.fine.as_str().to_owned(),
            verdict.reason.clone(),
            ago(&since(last_successful_time.as_deref(), now)),
            runs.first().map(|Run { rows, .. }| rows.written.to_string()).unwrap_or_default(),
            ago(&since(processed_through.as_deref(), now)),
            active_job.unwrap_or_default(),
        ]);
    }
    table.render()
}

fn ago(age: &str) -> String {
    if age.is_empty() { String::new() } else { format!("{age} ago") }
}

fn remarks(resource: &Resource, Verdict { remarks, next, .. }: &Verdict, now: Timestamp) -> String {
    if remarks.is_empty() {
        return String::new();
    }
    let mut text = paragraph(&format!("{} in {}", resource.to_name(), resource.namespace), 0);
    for Remark { fine: _, condition, status, reason, message, since: began } in remarks {
        let age = since(began.as_deref(), now);
        let age = if age.is_empty() { age } else { format!(" for {age}") };
        text += &paragraph(&format!("{condition}={status} {reason}{age}"), 2);
        text += &paragraph(message, 4);
    }
    for command in next {
        text += &format!("  next: {command}\n");
    }
    text
}
