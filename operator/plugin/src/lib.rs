//! The kubectl plugin: looks at StreamIngest and HourlyCompaction resources, and steers them.
//!
//! ```text
//! status, lag          what the resources' statuses say
//! lag --partitions,    what a worker says, over a forwarded port
//! rejected, rewind --dry-run, explain-sizing
//! suspend, resume, rewind   one patch of the resource; the operator does the rest
//! run-now              one Job, as `kubectl create job --from` makes it
//! ```
//!
//! Invariants: it needs rights in one namespace only; it reads no Secret; facts are read first, then rendered by pure
//! functions, in at most 100 columns.
#![forbid(unsafe_code)]

pub mod cli;
pub mod cluster;
pub mod error;
pub mod explain_sizing;
pub mod kind;
pub mod lag;
pub mod logs;
pub mod rejected;
pub mod resource;
pub mod rewind;
pub mod run_now;
pub mod status;
pub mod suspend;
pub mod table;
pub mod verdict;
pub mod worker;

use std::io::Write;

use jiff::Timestamp;
use kube::ResourceExt;

use crate::cli::{
    Command, LagArgs, LogsArgs, NameArgs, Output, OutputArgs, RejectedArgs, RewindArgs, RunNowArgs, StatusArgs,
};
use crate::cluster::{Cluster, Scope};
use crate::error::Error;
use crate::kind::Kind;
use crate::resource::Resource;

/// What a verb is given besides its arguments.
pub struct Surroundings<'a, W> {
    /// The time.
    pub now: Timestamp,
    /// A text that was never used before: a token, a nonce, a part of a name.
    pub fresh: String,
    /// Where the answer goes.
    pub out: &'a mut W,
    /// Where it is told what is waited for.
    pub tell: fn(&str),
}

/// Runs a verb.
///
/// # Errors
/// What, where, and the next act.
pub async fn run<W: Write>(
    cluster: &Cluster,
    command: Command,
    surroundings: Surroundings<'_, W>,
) -> Result<(), Error> {
    let Surroundings { now, fresh, out, tell } = surroundings;
    let text = match command {
        Command::Status(StatusArgs { name, everywhere, output }) => {
            let scope = scope(cluster, everywhere.all_namespaces);
            let resources = status::read(cluster, &scope, name.as_ref()).await?;
            form(output, || status::render(&resources, &scope, now), || status::json(&resources))
        }
        Command::Lag(args) => lag(cluster, args, now).await?,
        Command::Rejected(RejectedArgs { name, output }) => {
            let stream = cluster.find_of("rejected", Kind::Ingest, &name).await?;
            let rejected = rejected::read(cluster, &stream).await?;
            form(output, || rejected::render(&stream, &rejected), || rejected::json(&stream, &rejected))
        }
        Command::ExplainSizing(NameArgs { name }) => {
            let stream = cluster.find_of("explain-sizing", Kind::Ingest, &name).await?;
            let facts = explain_sizing::read(cluster, &stream).await?;
            explain_sizing::render(&stream, &facts, now)
        }
        Command::Suspend(NameArgs { name }) => suspend::suspend(cluster, &name).await?,
        Command::Resume(NameArgs { name }) => suspend::resume(cluster, &name, &fresh).await?,
        Command::RunNow(args) => run_now(cluster, args, &fresh, tell).await?,
        Command::Rewind(args) => rewind(cluster, args, now, &fresh).await?,
        Command::Logs(LogsArgs { name, options }) => {
            let resource = cluster.find_one(&name).await?;
            return logs::copy(cluster, &resource, &options, out).await;
        }
    };
    out.write_all(text.as_bytes()).map_err(|source| Error::Output { source })
}

async fn lag(cluster: &Cluster, args: LagArgs, now: Timestamp) -> Result<String, Error> {
    let LagArgs { name, partitions, everywhere, output } = args;
    let streams: Vec<Resource> = match &name {
        Some(name) => vec![cluster.find_of("lag", Kind::Ingest, name).await?],
        None => cluster.list(Kind::Ingest, &scope(cluster, everywhere.all_namespaces)).await?,
    };
    match streams.as_slice() {
        [stream] if partitions => {
            let partitions = lag::partitions(cluster, stream).await?;
            let json = || serde_json::json!(partitions);
            Ok(form(output, || lag::render_partitions(stream, &partitions, now), json))
        }
        streams => Ok(form(output, || lag::render(streams, now), || lag::json(streams))),
    }
}

async fn run_now(cluster: &Cluster, args: RunNowArgs, fresh: &str, tell: fn(&str)) -> Result<String, Error> {
    let RunNowArgs { name, wait, timeout } = args;
    let compaction = cluster.find_of("run-now", Kind::Compaction, &name).await?;
    // Five characters, as Kubernetes itself takes them: with them the name of the Job has 60 at most.
    let mark: String = fresh.chars().filter(char::is_ascii_alphanumeric).take(5).collect();
    let job = run_now::start(cluster, &compaction, &mark).await?.name_any();
    if wait {
        tell(&format!("Job {job} created"));
        return run_now::follow(cluster, &job, timeout, tell).await;
    }
    let (namespace, name) = (&cluster.namespace, compaction.to_name());
    Ok(format!("Job {job} created\nsee: kubectl gristmill logs {name} -n {namespace} -f\n"))
}

async fn rewind(cluster: &Cluster, args: RewindArgs, now: Timestamp, fresh: &str) -> Result<String, Error> {
    let RewindArgs { name, target, dry_run, nonce, output } = args;
    let stream = cluster.find_of("rewind", Kind::Ingest, &name).await?;
    if dry_run {
        let report = rewind::plan(cluster, &stream, &target).await?;
        return Ok(form(output, || rewind::render(&stream, &report), || rewind::json(&stream, &report)));
    }
    // The day tells a person later what it was about.
    let nonce = nonce.unwrap_or_else(|| format!("{}-{fresh}", now.strftime("%Y-%m-%d")));
    rewind::apply(cluster, &stream, &target, &nonce).await
}

fn scope(cluster: &Cluster, all_namespaces: bool) -> Scope {
    if all_namespaces { Scope::All } else { Scope::Namespace(cluster.namespace.clone()) }
}

fn form(
    OutputArgs { output }: OutputArgs,
    text: impl FnOnce() -> String,
    json: impl FnOnce() -> serde_json::Value,
) -> String {
    match output {
        Output::Text => text(),
        Output::Json => format!("{:#}\n", json()),
    }
}
