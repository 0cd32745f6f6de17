//! `gristmill ingest`: one StreamIngest, until it is stopped or has caught up.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use gristmill_crds::plan::IngestPlan;
use gristmill_crds::{HumanDuration, InvalidScalar};

use super::cancel_on_signal;
use crate::admin::AdminServer;
use crate::documents::Documents;
use crate::exit::{Exit, Failure};
use crate::ingest::{self, Budget, Options, Until};
use crate::local::{local_ingest, refuse_shared_zone};
use crate::termination::TerminationLog;

/// How long a run with an end waits for what is away; one without an end waits for ever.
const WAIT_UNTIL_CAUGHT_UP: Duration = Duration::from_secs(120);

/// Lands the messages of one topic in a RAW zone, until it is stopped.
///
/// SIGTERM and SIGINT commit what was read and leave the consumer group.
#[derive(Debug, Args)]
pub(super) struct IngestArgs {
    /// File with the StreamIngest; may be repeated.
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Name of the StreamIngest, if the files hold several.
    #[arg(long)]
    name: Option<String>,
    /// End when everything is committed that the topic holds now.
    #[arg(long)]
    until_caught_up: bool,
    /// Put the zone into DIR/NAME/raw and use a consumer group of its own.
    #[arg(long, value_name = "DIR")]
    local: Option<PathBuf>,
    /// Work on the zone of the document although others may: join its workers.
    #[arg(long, conflicts_with = "local")]
    attach: bool,
    /// Serve /healthz, /readyz and /status here, for example 0.0.0.0:8080.
    #[arg(long, env = "GRISTMILL_ADMIN_ADDR", value_name = "ADDR")]
    admin_addr: Option<SocketAddr>,
    /// How long Kafka or the store may be away, for example 10m; 0s waits for ever. Default: 2m with
    /// --until-caught-up, else 0s.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
    /// Memory of this process in bytes or as 256Mi; buffers stay below it.
    #[arg(long, env = "GRISTMILL_MEMORY", default_value = "256Mi")]
    memory: String,
    #[command(flatten)]
    termination: TerminationLog,
}

/// Runs the ingest. Why it fails stands in the termination message too.
pub(super) async fn run(args: IngestArgs) -> Result<(), Failure> {
    let outcome = ingest(&args).await;
    if let Err(failure) = &outcome {
        args.termination.failed(failure);
    }
    outcome
}

async fn ingest(args: &IngestArgs) -> Result<(), Failure> {
    let plan = plan(args)?;
    let budget = Budget::of_variable(Some(&args.memory)).map_err(|error| Failure {
        exit: Exit::Usage,
        reason: "Invalid",
        message: format!("--memory or GRISTMILL_MEMORY: {error}"),
    })?;
    let mut options = Options { wait: wait(args), budget, ..Options::new(&plan) };
    if args.until_caught_up {
        options.until = Until::CaughtUp;
    }
    cancel_on_signal(options.cancel.clone())?;
    let _admin = match args.admin_addr {
        Some(address) => Some(AdminServer::begin(address, options.board.clone()).await?),
        None => None,
    };
    tracing::info!(topic = plan.topic, group = plan.consumer_group, zone = plan.raw_path, "ingest begins");
    let summary = ingest::run(&plan, options).await?;
    tracing::info!(
        commits = summary.commits,
        messages = summary.messages,
        rows = summary.rows,
        rejected = summary.rejected_rows,
        files = summary.files,
        bytes = summary.bytes,
        "ingest ends"
    );
    Ok(())
}

fn plan(args: &IngestArgs) -> Result<IngestPlan, Failure> {
    let plan = Documents::read(&args.files)?.ingest_plan(args.name.as_deref())?;
    if let Some(directory) = &args.local {
        return local_ingest(plan, directory);
    }
    if !args.attach {
        refuse_shared_zone(&plan.raw_path)?;
    }
    Ok(plan)
}

fn wait(args: &IngestArgs) -> Option<Duration> {
    match args.wait {
        Some(Duration::ZERO) => None,
        Some(wait) => Some(wait),
        None => args.until_caught_up.then_some(WAIT_UNTIL_CAUGHT_UP),
    }
}

fn duration(text: &str) -> Result<Duration, InvalidScalar> {
    HumanDuration(text.to_owned()).to_duration()
}
