//! `gristmill run`: every resource of the files in this process, as an operator would run them in pods.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use gristmill_crds::plan::{CompactionPlan, IngestPlan, Schedule};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::register::Registration;
use super::resources::{hadoop_of, hadoop_of_ingest};
use super::zone::duration;
use super::{cancel_on_signal, ingest};
use crate::admin::AdminServer;
use crate::by_schedule::by_schedule;
use crate::compact::{self, Zones};
use crate::documents::Documents;
use crate::exit::{Exit, Failure};
use crate::ingest::{Budget, Options, StatusBoard};
use crate::local::{local_compaction, local_ingest, refuse_shared_zone};
use crate::memory::Memory;
use crate::secrets::Secrets;
use crate::zone::SystemClock;

/// Runs every StreamIngest and HourlyCompaction of the files until it is stopped.
///
/// A StreamIngest is ingested all the time, an HourlyCompaction compacts by its schedule and time zone; its first run is at
/// the next start, and until then RAW's retention keeps the rows for it. Starts that passed while nothing ran are made up
/// for by the next. A run that fails is logged and tried at the next start, and the ingest goes on; an ingest that fails
/// ends the process. SIGTERM and SIGINT commit what was read, let a run that is under way end within 45 s, and leave the
/// group.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// File with resources, and with Secrets and ConfigMaps that they refer to; may be repeated.
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Folder of the Secrets and ConfigMaps that the files do not hold: DIR/NAME/KEY, as a pod has them mounted.
    #[arg(long, value_name = "DIR")]
    secrets_dir: Option<PathBuf>,
    /// Put all zones into DIR/NAME/raw and DIR/NAME/processed, and use consumer groups of their own.
    #[arg(long, value_name = "DIR")]
    local: Option<PathBuf>,
    /// Work on the zones of the documents although others may: join their workers.
    #[arg(long, conflicts_with = "local")]
    attach: bool,
    /// Serve /healthz, /readyz, /metrics and /status of the only StreamIngest here, for example 127.0.0.1:8080.
    #[arg(long, env = "GRISTMILL_ADMIN_ADDR", value_name = "ADDR")]
    admin_addr: Option<SocketAddr>,
    /// How long a run of a compaction waits for a store that is away, for example 30s. An ingest waits for ever.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "10m")]
    wait: Duration,
    /// Memory of this process in bytes or as 512Mi, shared evenly by the ingests and the one run that is under way.
    #[arg(long, env = "GRISTMILL_MEMORY", default_value = "512Mi")]
    memory: String,
    /// Directory for what a run can't hold in memory. Default: the system's one for temporary files.
    #[arg(long, env = "GRISTMILL_SPILL_DIR", value_name = "DIR")]
    spill_dir: Option<PathBuf>,
}

impl RunArgs {
    /// What is said of the memory of the process.
    pub(super) fn memory(&self) -> &str {
        &self.memory
    }
}

/// What the files say is to be done.
struct Resources {
    ingests: Vec<IngestPlan>,
    compactions: Vec<(CompactionPlan, Schedule)>,
    secrets: Secrets,
}

/// Runs everything until a signal, or until an ingest fails.
pub(super) async fn run(args: RunArgs) -> Result<(), Failure> {
    let resources = Resources::read(&args).await?;
    let jobs = resources.ingests.len() + usize::from(!resources.compactions.is_empty());
    let memory = Memory::of_argument(&args.memory)?.shared_by(jobs);
    let cancel = CancellationToken::new();
    cancel_on_signal(cancel.clone())?;
    // Runs come one at a time: each has the whole share of memory.
    let turn = Mutex::new(());
    let running = FuturesUnordered::<LocalBoxFuture<'_, Result<(), Failure>>>::new();
    let boards: Vec<StatusBoard> = resources.ingests.iter().map(StatusBoard::new).collect();
    for (plan, board) in resources.ingests.iter().zip(&boards) {
        if plan.suspend {
            tracing::info!(ingest = plan.name, "suspended");
            continue;
        }
        let registration = Registration::of(plan, resources.compactions.iter().map(|(plan, _)| plan));
        let awaited = registration.awaited();
        let options = Options { board: board.clone(), cancel: cancel.child_token(), awaited, ..Options::new(plan) };
        let work = ingest_until(plan, &resources.secrets, &args, memory, options);
        running.push(Box::pin(work.instrument(tracing::info_span!("ingest", name = plan.name))));
        let zones = |plan: &CompactionPlan| zones_of(plan, &resources.secrets, &args);
        let cancel = &cancel;
        running.push(Box::pin(async move {
            // A registration that is dropped where it stands is one that crashed: the next start looks.
            let registered = registration.register(&SystemClock, zones);
            let _cancelled = cancel.run_until_cancelled(registered).await;
            Ok(())
        }));
    }
    for (plan, schedule) in &resources.compactions {
        let is_source = |ingest: &(&IngestPlan, &StatusBoard)| {
            (&ingest.0.namespace, &ingest.0.name) == (&plan.ingest.namespace, &plan.ingest.name)
        };
        let board = resources.ingests.iter().zip(&boards).find(is_source).map(|(_, board)| board.clone());
        let work = compact_by(schedule, plan, &resources.secrets, &args, (memory, &turn, &cancel, board));
        running.push(Box::pin(work.instrument(tracing::info_span!("compact", name = plan.name))));
    }
    all(running, &cancel).await
}

/// Waits for all; the first failure asks the others to end, and is what the process ends with.
async fn all(
    mut running: FuturesUnordered<LocalBoxFuture<'_, Result<(), Failure>>>,
    cancel: &CancellationToken,
) -> Result<(), Failure> {
    let mut first = Ok(());
    while let Some(outcome) = running.next().await {
        if outcome.is_err() {
            cancel.cancel();
        }
        first = first.and(outcome);
    }
    first
}

impl Resources {
    async fn read(args: &RunArgs) -> Result<Self, Failure> {
        let documents = Documents::read(&args.files)?;
        let secrets = Secrets::of(&documents, args.secrets_dir.clone());
        let invalid = |message: String| Failure { exit: Exit::Usage, reason: "Invalid", message };
        let mut ingests = Vec::new();
        for ingest in &documents.ingests {
            let plan = IngestPlan::try_from(ingest)?;
            let plan = match &args.local {
                Some(directory) => local_ingest(plan, directory).await?,
                None => plan,
            };
            if args.local.is_none() && !args.attach {
                refuse_shared_zone(&plan.raw_path)?;
            }
            ingests.push(plan);
        }
        if ingests.is_empty() {
            return Err(invalid("the files hold no StreamIngest; name a file that does with -f".to_owned()));
        }
        if args.admin_addr.is_some() && ingests.len() > 1 {
            let message = format!(
                "--admin-addr serves one StreamIngest, and the files hold {}; run each in a process of its own",
                ingests.len()
            );
            return Err(invalid(message));
        }
        let mut compactions = Vec::new();
        for compaction in &documents.compactions {
            let plan = documents.compaction_plan(compaction.metadata.name.as_deref())?;
            let schedule =
                Schedule::try_new(&plan.schedule, &plan.time_zone).map_err(|error| invalid(error.to_string()))?;
            let plan = match &args.local {
                Some(directory) => local_compaction(plan, directory).await?,
                None => plan,
            };
            if args.local.is_none() && !args.attach {
                refuse_shared_zone(&plan.processed_path)?;
            }
            compactions.push((plan, schedule));
        }
        Ok(Self { ingests, compactions, secrets })
    }
}

async fn ingest_until(
    plan: &IngestPlan,
    secrets: &Secrets,
    args: &RunArgs,
    memory: Memory,
    options: Options,
) -> Result<(), Failure> {
    ingest::warn_of_memory(plan, memory);
    let budget = Budget::of(memory);
    let hadoop = hadoop_of_ingest(plan, secrets)?;
    let options = Options { hadoop, budget, ..options };
    let _admin = match args.admin_addr {
        Some(address) => Some(AdminServer::begin(address, options.board.clone()).await?),
        None => None,
    };
    tracing::info!(topic = plan.topic, group = plan.consumer_group, zone = plan.raw_path, "ingest begins");
    let summary = ingest::to_its_end(plan, secrets, options).await?;
    tracing::info!(commits = summary.commits, messages = summary.messages, rows = summary.rows, "ingest ends");
    Ok(())
}

async fn compact_by(
    schedule: &Schedule,
    plan: &CompactionPlan,
    secrets: &Secrets,
    args: &RunArgs,
    (memory, turn, cancel, board): (Memory, &Mutex<()>, &CancellationToken, Option<StatusBoard>),
) -> Result<(), Failure> {
    if plan.suspend {
        tracing::info!(compaction = plan.name, "suspended");
        return Ok(());
    }
    let usual = compact::Options::default();
    let budget = compact::Budget::of(memory);
    let spill_directory = args.spill_dir.clone().unwrap_or(usual.spill_directory.clone());
    let process = compact::ProcessUse::Shared;
    let options = compact::Options { budget, spill_directory, process, ..usual };
    by_schedule(schedule, &SystemClock, cancel, async || {
        let _turn = turn.lock().await;
        if cancel.is_cancelled() {
            // Another run had the turn until the signal.
            return Ok(());
        }
        let zones = zones_of(plan, secrets, args)?;
        let report = compact::run(plan, &zones, &options).await?;
        let through = report.ledger.processed_through.as_deref().and_then(|time| time.parse().ok());
        if let Some((board, time)) = board.as_ref().zip(through) {
            board.metrics().processed_through(&plan.name, time);
        }
        tracing::info!("{}", super::compacted::sentences(&report).replace('\n', " "));
        Ok(())
    })
    .await;
    Ok(())
}

/// The zones of a compaction. Secrets are read again for each run, so that rotated ones take effect.
fn zones_of(plan: &CompactionPlan, secrets: &Secrets, args: &RunArgs) -> Result<Zones, Failure> {
    let access = hadoop_of(&plan.processed_path, plan.hadoop.as_ref(), secrets)?;
    Zones::of(plan, &access, args.wait)
}
