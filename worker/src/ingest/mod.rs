//! Kafka to the RAW zone: the ingest of one topic.
//!
//! ```text
//! opening   the zone of this very topic; a new one begins where startFrom says
//! worker    join ─▶ adopt ─▶ take .. ─▶ commit ─▶ take .. ─▶ hand over
//! watch     ends of partitions, asked from the side
//! ```
//!
//! The log of the zone alone says what was read. A process that dies at any point is followed by one that goes on from
//! the log, so no message is committed twice and none is left out.

mod adopt;
mod budget;
mod commit;
mod completeness;
mod hand_over;
mod hold;
mod interruption;
mod observe;
mod open_file;
mod opening;
mod pace;
mod partitions;
mod patience;
mod progress;
mod put_off;
mod reasons;
mod recover;
mod refusals;
mod retention;
mod rewind;
mod rewind_plan;
#[cfg(test)]
mod simulation;
mod standing;
mod status;
mod take;
mod upkeep;
mod watch;
mod worker;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gristmill_core::log::Sequence;
use gristmill_crds::plan::IngestPlan;
use gristmill_crds::report::IngestPhase;
use tokio_util::sync::CancellationToken;

pub use budget::Budget;
pub use retention::Awaited;
pub use rewind_plan::{NoPlan, RewindPlans};
pub use status::StatusBoard;

use self::completeness::Completeness;
use self::open_file::{OpenFile, Written};
use self::opening::Opening;
use self::pace::Pace;
use self::patience::{Passing, Patience, Trouble, Waited};
use self::progress::Progress;
use self::refusals::Refusals;
use self::retention::Retaining;
use self::watch::Look;
use self::worker::{Worker, covers};
use crate::exit::{Exit, Failure};
use crate::kafka::{Connection, Feed, KafkaSource, Member, Source};
use crate::store::{self, HadoopAccess, ZoneUrl};
use crate::zone::{Archive, Clock, Retention, Surroundings, Zone};

/// From a signal to the last commit: a pod is killed 60 s after it was asked to end, and leaving the group takes some.
const DRAIN_WITHIN: Duration = Duration::from_secs(45);
/// librdkafka's default of max.poll.interval.ms.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(300);
/// A zone operation gives up on an unavailable store after this, so that the worker can say what it waits for.
const ATTEMPT: Duration = Duration::from_secs(5);

/// When an ingest ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Never: it works until it is cancelled.
    Cancelled,
    /// When everything is committed that the topic held at the start.
    CaughtUp,
}

/// What an ingest is given besides its plan.
#[derive(Debug, Clone)]
pub struct Options {
    /// How the brokers are reached.
    pub connection: Connection,
    /// How HDFS is reached, if the zone or its archive lies there.
    pub hadoop: HadoopAccess,
    /// When it ends by itself.
    pub until: Until,
    /// How long Kafka or the store may be away; nothing waits for ever.
    pub wait: Option<Duration>,
    /// Memory.
    pub budget: Budget,
    /// Asks it to commit what was read and to end.
    pub cancel: CancellationToken,
    /// Where it tells what it does.
    pub board: StatusBoard,
    /// A file that may hold a token by which a user ends a hold; a pod's is an annotation in a downward-API volume.
    pub resume_file: Option<PathBuf>,
    /// What is taken off the zone, and when; [`run`] has it from the plan.
    pub retention: Retention,
    /// Who must be registered in the zone's log before rows are taken off it.
    pub awaited: Awaited,
}

impl Options {
    /// Works until cancelled, with the memory of a laptop, and waits for ever. Brokers are reached without security.
    pub fn new(plan: &IngestPlan) -> Self {
        Self {
            connection: Connection::plaintext(&plan.bootstrap_servers).with_settings(plan.kafka_config.clone()),
            hadoop: HadoopAccess { user: plan.hdfs_user().map(str::to_owned), ..HadoopAccess::default() },
            until: Until::Cancelled,
            wait: None,
            budget: Budget::default(),
            cancel: CancellationToken::new(),
            board: StatusBoard::new(plan),
            resume_file: None,
            retention: Retention::default(),
            awaited: Awaited::default(),
        }
    }

    /// Ends when everything is committed that the topic held at the start.
    #[must_use]
    pub fn until_caught_up(self) -> Self {
        Self { until: Until::CaughtUp, ..self }
    }
}

/// What one ingest has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Entries of the log.
    pub commits: u64,
    /// The last of them; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Messages read and committed.
    pub messages: u64,
    /// Rows in RAW files.
    pub rows: u64,
    /// Reject records.
    pub rejected_rows: u64,
    /// Files, those of rejects included.
    pub files: u64,
    /// Bytes of these files.
    pub bytes: u64,
}

impl Summary {
    /// Adds what a later run has done.
    pub(crate) fn add(&mut self, later: Self) {
        let Self { commits, sequence, messages, rows, rejected_rows, files, bytes } = later;
        self.commits += commits;
        self.sequence = sequence.or(self.sequence);
        self.messages += messages;
        self.rows += rows;
        self.rejected_rows += rejected_rows;
        self.files += files;
        self.bytes += bytes;
    }

    fn count(&mut self, sequence: Sequence, messages: u64, written: &Written, files: usize) {
        let Written { rows, rejects, bytes } = *written;
        self.commits += 1;
        self.sequence = Some(sequence.0);
        self.messages += messages;
        self.rows += rows;
        self.rejected_rows += rejects;
        self.files += files as u64;
        self.bytes += bytes;
    }
}

/// Ingests one topic until it has caught up or is cancelled.
///
/// # Guarantees
/// Dropping the future at any point loses nothing and doubles nothing: the next run goes on from the zone's log.
///
/// # Errors
/// The zone belongs to something else or is damaged, messages are lost, or Kafka or the store is away for too long.
pub async fn run(plan: &IngestPlan, options: Options) -> Result<Summary, Failure> {
    let source = KafkaSource {
        connection: options.connection.clone(),
        topic: plan.topic.clone(),
        group: plan.consumer_group.clone(),
        reception: options.budget.reception(&options.connection, plan.record.limits.message_bytes as u64),
        wait: options.wait,
    };
    let url: ZoneUrl = plan.raw_path.parse()?;
    let store = store::open(&url, &options.hadoop)?;
    let grace = hand_over_within(&options.connection);
    let retention = Retention::of(plan, |url| Archive::open(url, &options.hadoop))?;
    let options = Options { retention, ..options };
    run_on(plan, &source, Surroundings::of_process(store, url).with_patience(ATTEMPT), grace, options).await
}

/// Ingests from any source into any store.
async fn run_on<S: Source>(
    plan: &IngestPlan,
    source: &S,
    surroundings: Surroundings,
    grace: Duration,
    options: Options,
) -> Result<Summary, Failure> {
    let Options { connection: _, hadoop: _, until, wait, budget, cancel, board, resume_file, retention, awaited } =
        options;
    board.metrics().budget(budget.buffers());
    let clock = surroundings.clock();
    let patience = Patience { clock: Arc::clone(&clock), limit: wait, cancel: cancel.clone(), board };
    let brokers = source.brokers().map_err(Passing::into_failure)?;
    let opening = Box::pin(opening::open(plan, &surroundings, &brokers, &patience));
    let Waited::Done(Opening { zone, facts, ends }) = in_time(&*clock, &cancel, opening).await? else {
        return Ok(Summary::default());
    };
    patience.board.zone(zone.fold());
    patience.board.phase(IngestPhase::Starting, format!("joins group {}", plan.consumer_group));
    let targets = match until {
        Until::Cancelled => None,
        Until::CaughtUp => Some(ends),
    };
    if zone.fold().held().is_none() && targets.as_ref().is_some_and(|targets| covers(&zone, targets)) {
        return Ok(Summary::default());
    }
    let (member, changes) =
        source.join(&format!("gristmill-{}", zone.fold().zone_id())).map_err(Passing::into_failure)?;
    let (told, mut looks) = tokio::sync::watch::channel(Look::None);
    let plans = rewind_plan::answer(brokers.clone(), Arc::clone(&clock), patience.board.clone());
    let worker: Worker<'_, S> = Worker {
        plan,
        clock: Arc::clone(&clock),
        facts,
        brokers: brokers.clone(),
        member: &member,
        feed: Feed::new(&member, changes, Arc::clone(&clock), budget.held),
        progress: Progress::of_generation(zone.fold().generation()),
        open: OpenFile::new(plan, &budget, Arc::clone(&clock)),
        pace: Pace::new(plan.max_age, chance(&zone)),
        grace,
        targets,
        completeness: Completeness::default(),
        unpublished: BTreeSet::new(),
        publish_at: Duration::ZERO,
        upkeep_at: Duration::ZERO,
        upkeep_trouble: Trouble::default(),
        retaining: Retaining::new(retention, awaited),
        is_held: false,
        look_at: None,
        resume_file,
        refusals: Refusals::default(),
        denied: None,
        patience,
        trouble: Trouble::default(),
        summary: Summary::default(),
        zone,
    };
    let outcome = tokio::select! {
        biased;
        outcome = in_time(&*clock, &cancel, Box::pin(worker.work(&mut looks))) => outcome,
        () = watch::watch(brokers, &*clock, told) => unreachable!("it looks for ever"),
        () = plans => unreachable!("it waits for questions for ever"),
    };
    member.leave().await;
    outcome
}

/// How long the group waits for partitions that it wants back: a third of the interval after which a member is taken for
/// dead (F12).
fn hand_over_within(connection: &Connection) -> Duration {
    let interval = connection.setting("max.poll.interval.ms").and_then(|text| text.parse().ok());
    interval.map_or(MAX_POLL_INTERVAL, Duration::from_millis) / 3
}

/// A number that other workers do not have.
fn chance(zone: &Zone) -> u32 {
    zone.incarnation().to_string().bytes().fold(0, |chance, byte| chance << 5 ^ chance >> 27 ^ u32::from(byte))
}

/// The outcome of `work`, unless that takes too long after a signal.
async fn in_time<T>(
    clock: &dyn Clock,
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let overdue = async {
        cancel.cancelled().await;
        clock.sleep(DRAIN_WITHIN).await;
    };
    tokio::select! {
        biased;
        outcome = work => outcome,
        () = overdue => Err(Failure {
            exit: Exit::Store,
            reason: "StoreUnavailable",
            message: format!(
                "what was read could not be committed within {} s after the signal; the next start reads it again",
                DRAIN_WITHIN.as_secs()
            ),
        }),
    }
}
