//! `gristmill ingest`: one StreamIngest, until it is stopped or has caught up.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use gristmill_crds::plan::IngestPlan;

use super::cancel_on_signal;
use super::progress::{Progress, ProgressMode};
use super::resources::{IngestResource, hadoop_of_ingest};
use super::zone::duration;
use crate::admin::AdminServer;
use crate::cpu::Cpu;
use crate::exit::Failure;
use crate::ingest::{self, Budget, Options, Summary, Until};
use crate::kafka::Connection;
use crate::local::refuse_shared_zone;
use crate::memory::Memory;
use crate::rotation;
use crate::secrets::Secrets;
use crate::termination::TerminationLog;

/// How long a run with an end waits for what is away; one without an end waits for ever.
const WAIT_UNTIL_CAUGHT_UP: Duration = Duration::from_secs(120);

/// Lands the messages of one topic in a RAW zone, until it is stopped.
///
/// SIGTERM and SIGINT commit what was read and leave the consumer group. Whatever ends it, the next start goes on from
/// the zone's log: no message is left out and none is committed twice. A zone that others may share is opened with
/// --attach only; --local works in a folder and with a consumer group of its own.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct IngestArgs {
    #[command(flatten)]
    resource: IngestResource,
    /// End when everything is committed that the topic holds now.
    #[arg(long)]
    until_caught_up: bool,
    /// Put the zone into DIR/NAME/raw and use a consumer group of its own.
    #[arg(long, value_name = "DIR")]
    local: Option<PathBuf>,
    /// Work on the zone of the document although others may: join its workers.
    #[arg(long, conflicts_with = "local")]
    attach: bool,
    /// Serve /healthz, /readyz, /metrics and /status here, for example 0.0.0.0:8080.
    #[arg(long, env = "GRISTMILL_ADMIN_ADDR", value_name = "ADDR")]
    admin_addr: Option<SocketAddr>,
    /// How long Kafka or the store may be away, for example 10m; 0s waits for ever. Default: 2m with
    /// --until-caught-up, else 0s.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    wait: Option<Duration>,
    /// Memory of this process in bytes or as 256Mi; buffers stay below it.
    #[arg(long, env = "GRISTMILL_MEMORY", default_value = "256Mi")]
    memory: String,
    /// A file that may hold a resume token: it ends a hold of the rejected budget, once. In a pod it is the annotation
    /// gristmill.dev/resume in a downward-API volume.
    #[arg(long, env = "GRISTMILL_RESUME_FILE", value_name = "PATH")]
    resume_file: Option<PathBuf>,
    /// A file with the CPU that this process may use, such as 750m or 2: as many threads decode, one for each core that is
    /// begun. It is read every 5 s. In a pod it is the annotation gristmill.dev/cpu in a downward-API volume. Without it,
    /// and while it is empty: the process's CPU quota, else all processors.
    #[arg(long, env = "GRISTMILL_CPU_FILE", value_name = "PATH")]
    cpu_file: Option<PathBuf>,
    /// Draw a progress bar on a terminal, in place of a log line a commit.
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    progress: ProgressMode,
    #[command(flatten)]
    termination: TerminationLog,
}

const EXAMPLES: &str = "\
Examples:
  gristmill ingest -f books.yaml --local /tmp/books --until-caught-up
  gristmill ingest -f books.yaml -f secrets.yaml --attach --admin-addr 127.0.0.1:8080
  gristmill ingest -f books.yaml --secrets-dir ./secrets --local /tmp/books --log-format json";

impl IngestArgs {
    /// Whether a bar is drawn.
    pub(super) fn draws(&self, text_log: bool) -> bool {
        self.progress.draws(text_log)
    }
}

/// Runs the ingest. Why it fails stands in the termination message too.
pub(super) async fn run(args: IngestArgs, with_bar: bool) -> Result<(), Failure> {
    let outcome = ingest(&args, with_bar).await;
    if let Err(failure) = &outcome {
        args.termination.failed(failure);
    }
    outcome
}

async fn ingest(args: &IngestArgs, with_bar: bool) -> Result<(), Failure> {
    let (plan, secrets) = args.resource.read(args.local.as_deref()).await?;
    if args.local.is_none() && !args.attach {
        refuse_shared_zone(&plan.raw_path)?;
    }
    let memory = Memory::of_argument(&args.memory)?;
    let budget = Budget::of(memory);
    warn_of_memory(&plan, memory);
    let hadoop = hadoop_of_ingest(&plan, &secrets)?;
    let resume_file = args.resume_file.clone();
    let cpu = args.cpu_file.clone().map_or(Cpu::OfProcess, Cpu::File);
    let mut options = Options { hadoop, wait: wait(args), budget, resume_file, cpu, ..Options::new(&plan) };
    if args.until_caught_up {
        options.until = Until::CaughtUp;
    }
    cancel_on_signal(options.cancel.clone())?;
    let _admin = match args.admin_addr {
        Some(address) => Some(AdminServer::begin(address, options.board.clone()).await?),
        None => None,
    };
    let _progress = with_bar.then(|| Progress::begin(options.board.subscribe()));
    tracing::info!(topic = plan.topic, group = plan.consumer_group, zone = plan.raw_path, "ingest begins");
    let summary = to_its_end(&plan, &secrets, options).await?;
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

/// One line if the memory does not surely hold a message as long as the resource allows. Shorter ones may be all that comes,
/// so nothing is refused.
pub(super) fn warn_of_memory(plan: &IngestPlan, memory: Memory) {
    if let Some(message) = plan.short_memory(memory.of_a_job()) {
        tracing::warn!("--memory (GRISTMILL_MEMORY, pod.memory in a cluster) {message}");
    }
}

/// Runs until the end. One without an end follows rotated credentials.
pub(super) async fn to_its_end(plan: &IngestPlan, secrets: &Secrets, options: Options) -> Result<Summary, Failure> {
    let resolve = || Connection::of(plan, secrets);
    if options.until == Until::CaughtUp {
        return ingest::run(plan, Options { connection: resolve()?, ..options }).await;
    }
    let cancel = options.cancel.clone();
    let run = async |connection, cancel| ingest::run(plan, Options { connection, cancel, ..options.clone() }).await;
    rotation::follow(resolve, rotation::INTERVAL, &cancel, run).await
}

fn wait(args: &IngestArgs) -> Option<Duration> {
    match args.wait {
        Some(Duration::ZERO) => None,
        Some(wait) => Some(wait),
        None => args.until_caught_up.then_some(WAIT_UNTIL_CAUGHT_UP),
    }
}
