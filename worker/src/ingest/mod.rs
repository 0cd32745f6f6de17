//! Kafka to the RAW zone: the ingest of one topic.
//!
//! ```text
//! opening   the zone of this very topic; a new one begins where startFrom says
//! group     no other zone reads by it
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
mod decoding;
mod group;
mod hand_over;
mod hold;
mod interruption;
mod measure;
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
mod work;
mod worker;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gristmill_core::log::{Sequence, ZoneId};
use gristmill_crds::plan::IngestPlan;
use gristmill_crds::report::IngestPhase;
use tokio_util::sync::CancellationToken;

pub use budget::Budget;
pub use retention::Awaited;
pub use rewind_plan::{NoPlan, RewindPlans};
pub use status::StatusBoard;

use self::completeness::Completeness;
use self::group::{Claim, Foreign, Seen};
use self::measure::{CpuWatch, Measured};
use self::open_file::{OpenFile, Written};
use self::opening::Opening;
use self::pace::Pace;
use self::patience::{Passing, Patience, Trouble, Waited};
use self::progress::Progress;
use self::refusals::Refusals;
use self::retention::Retaining;
use self::watch::Look;
use self::worker::{Ended, Worker, covers};
use crate::cpu::Cpu;
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
    /// Where it stands how much CPU the process may use: as many threads decode.
    pub cpu: Cpu,
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
            cpu: Cpu::OfProcess,
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
    options.board.metrics().budget(options.budget.buffers());
    let brokers = source.brokers().map_err(Passing::into_failure)?;
    let patience = Patience {
        clock: surroundings.clock(),
        limit: options.wait,
        cancel: options.cancel.clone(),
        board: options.board.clone(),
    };
    let ingest = Ingest { plan, source, brokers, surroundings, grace, options, patience };
    let mut summary = Summary::default();
    loop {
        let (done, ended) = Box::pin(ingest.membership()).await?;
        summary.add(done);
        let Left::GroupShared(ours, foreign) = ended else { return Ok(summary) };
        // The zone is opened anew after that: others may have moved it on.
        let wait = group::until_free(plan, ours, foreign, &ingest.brokers, &ingest.patience);
        let Waited::Done(()) = wait.await? else { return Ok(summary) };
    }
}

/// An ingest, and what each of its memberships in the group begins with.
struct Ingest<'a, S: Source> {
    plan: &'a IngestPlan,
    source: &'a S,
    brokers: S::Brokers,
    surroundings: Surroundings,
    grace: Duration,
    options: Options,
    patience: Patience,
}

/// Why an ingest is no member of its group any more.
enum Left {
    /// It is done, or a signal came.
    Done,
    /// The group is not this zone's but another's.
    GroupShared(ZoneId, Foreign),
}

impl<S: Source> Ingest<'_, S> {
    /// Opens the zone, joins the group, and works until it is done or the group turns out to be another zone's.
    async fn membership(&self) -> Result<(Summary, Left), Failure> {
        let Self { plan, source, brokers, surroundings, grace: _, options, patience } = self;
        let (clock, cancel, board) = (&*patience.clock, &patience.cancel, &patience.board);
        let opening = Box::pin(opening::open(plan, surroundings, brokers, patience));
        let Waited::Done(opening) = in_time(clock, cancel, opening).await? else {
            return Ok((Summary::default(), Left::Done));
        };
        let zone = opening.zone.fold();
        board.zone(zone);
        if options.until == Until::CaughtUp && zone.held().is_none() && covers(&opening.zone, &opening.ends) {
            return Ok((Summary::default(), Left::Done));
        }
        let ours = zone.zone_id();
        if let Some(foreign) = group::taken(brokers, ours).await {
            return Ok((Summary::default(), Left::GroupShared(ours, foreign)));
        }
        board.phase(IngestPhase::Starting, format!("joins group {}", plan.consumer_group));
        let (member, changes) = source.join(&group::client_id(ours)).map_err(Passing::into_failure)?;
        let (told, mut looks) = tokio::sync::watch::channel(Look::None);
        let (told_group, mut group_looks) = tokio::sync::watch::channel(Seen::default());
        let plans = rewind_plan::answer(brokers.clone(), Arc::clone(&patience.clock), board.clone());
        let feed = Feed::new(&member, changes, Arc::clone(&patience.clock), options.budget.held);
        let worker = self.worker(opening, &member, feed);
        let assigned = Arc::clone(&worker.assigned);
        let work = Box::pin(worker.work(&mut looks, &mut group_looks));
        let outcome = tokio::select! {
            biased;
            outcome = in_time(clock, cancel, work) => outcome,
            () = watch::watch(brokers.clone(), clock, told) => unreachable!("it looks for ever"),
            () = group::watch(brokers.clone(), ours, clock, assigned, told_group) => unreachable!("it looks for ever"),
            () = plans => unreachable!("it waits for questions for ever"),
        };
        member.leave().await;
        let (summary, ended) = outcome?;
        let left = match ended {
            Ended::Done => Left::Done,
            Ended::GroupShared(foreign) => Left::GroupShared(ours, foreign),
        };
        Ok((summary, left))
    }

    fn worker<'m>(&'m self, opening: Opening, member: &'m S::Member, feed: Feed<'m, S::Member>) -> Worker<'m, S> {
        let Self { plan, source: _, brokers, surroundings: _, grace, options, patience } = self;
        let Opening { zone, facts, ends } = opening;
        let clock = &patience.clock;
        Worker {
            plan,
            clock: Arc::clone(clock),
            facts,
            brokers: brokers.clone(),
            member,
            feed,
            progress: Progress::of_generation(zone.fold().generation()),
            open: OpenFile::new(plan, &options.budget, Arc::clone(clock)),
            pace: Pace::new(plan.max_age, chance(&zone)),
            grace: *grace,
            targets: match options.until {
                Until::Cancelled => None,
                Until::CaughtUp => Some(ends),
            },
            completeness: Completeness::default(),
            unpublished: BTreeSet::new(),
            publish_at: Duration::ZERO,
            upkeep_at: Duration::ZERO,
            upkeep_trouble: Trouble::default(),
            retaining: Retaining::new(options.retention.clone(), options.awaited.clone()),
            is_held: false,
            look_at: None,
            resume_file: options.resume_file.clone(),
            cpu: CpuWatch::new(options.cpu.clone()),
            measured: Measured::default(),
            refusals: Refusals::default(),
            denied: None,
            claim: Claim::of(zone.fold().zone_id()),
            assigned: Arc::default(),
            patience: patience.clone(),
            trouble: Trouble::default(),
            summary: Summary::default(),
            zone,
        }
    }
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
