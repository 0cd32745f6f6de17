//! `logs`: of the workers of an ingest, or of the newest run of a compaction.

use std::io::Write;

use futures::stream::{SelectAll, StreamExt};
use futures::{AsyncBufReadExt, TryStreamExt};
use gristmill_crds::names::{CONTAINER, HOURLY_COMPACTION, STREAM_INGEST};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, LogParams};

use crate::cluster::Cluster;
use crate::error::{Error, describe};
use crate::kind::Kind;
use crate::resource::Resource;
use crate::worker;

/// Label by which the Job controller marks a pod with its Job.
pub const JOB_NAME: &str = "batch.kubernetes.io/job-name";

/// What is shown of each pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, clap::Args)]
pub struct Options {
    /// Go on with lines as they come.
    #[arg(short, long)]
    pub follow: bool,
    /// Lines from the end of each log. Default: all.
    #[arg(long, value_name = "N")]
    pub tail: Option<i64>,
    /// Of the process before the last restart.
    #[arg(short, long)]
    pub previous: bool,
}

/// The pods whose logs are meant: all of an ingest, those of the newest Job of a compaction. Pure.
pub fn chosen(kind: Kind, pods: Vec<Pod>) -> Vec<Pod> {
    let job_of = |pod: &Pod| pod.labels().get(JOB_NAME).cloned();
    match kind {
        Kind::Ingest => pods,
        Kind::Compaction => {
            let newest = pods.iter().max_by_key(|pod| (pod.creation_timestamp(), pod.name_any())).and_then(job_of);
            pods.into_iter().filter(|pod| newest.is_some() && job_of(pod) == newest).collect()
        }
    }
}

/// Copies the lines to `out`; with the pod's name before each where there are several pods.
///
/// # Errors
/// There is no pod, the user may not read logs, or `out` takes no more.
pub async fn copy(
    cluster: &Cluster,
    resource: &Resource,
    options: &Options,
    out: &mut impl Write,
) -> Result<(), Error> {
    let (label, name) = match resource.kind {
        Kind::Ingest => (STREAM_INGEST, &resource.name),
        Kind::Compaction => (HOURLY_COMPACTION, &resource.name),
    };
    let pods = chosen(resource.kind, worker::pods(cluster, &format!("{label}={name}")).await?);
    if pods.is_empty() {
        return Err(Error::NotYet {
            what: format!("a pod of {}", resource.to_name()),
            name: resource.to_name(),
            namespace: cluster.namespace.clone(),
        });
    }
    let has_prefix = pods.len() > 1;
    let mut lines = SelectAll::new();
    for pod in &pods {
        let name = pod.name_any();
        match begin(cluster, &name, options).await {
            Ok(log) => lines.push(log.lines().map_ok(move |line| (name.clone(), line)).boxed_local()),
            Err(error @ Error::Forbidden { .. }) => return Err(error),
            // A container that waits has no log; the others have.
            Err(error) => writeln!(out, "[{name}] {} ({})", describe(&error), worker::doing(pod)).map_err(output)?,
        }
    }
    while let Some(line) = lines.next().await {
        let (pod, line) = line.map_err(output)?;
        let written = if has_prefix { writeln!(out, "[{pod}] {line}") } else { writeln!(out, "{line}") };
        written.map_err(output)?;
    }
    Ok(())
}

async fn begin(
    cluster: &Cluster,
    pod: &str,
    Options { follow, tail, previous }: &Options,
) -> Result<impl futures::AsyncBufRead + Unpin + use<>, Error> {
    let api: Api<Pod> = cluster.api();
    let params = LogParams {
        container: Some(CONTAINER.to_owned()),
        follow: *follow,
        tail_lines: *tail,
        previous: *previous,
        ..LogParams::default()
    };
    let log = api.log_stream(pod, &params).await;
    log.map(Box::pin).map_err(|error| cluster.act("get", "pods/log").failed(error))
}

fn output(source: std::io::Error) -> Error {
    Error::Output { source }
}
