//! Kafka to the RAW zone: the ingest of one topic.
//!
//! ```text
//! opening   the zone of this very topic; a new one begins where startFrom says
//! worker    join ─▶ poll ─▶ decode ─▶ open file ─▶ seal ─▶ append ─▶ publish ─▶ mirror offsets ─▶ poll ..
//! watch     ends of partitions, asked from the side
//! ```
//!
//! The log of the zone alone says what was read. A process that dies at any point is followed by one that goes on from
//! the log, so no message is committed twice and none is left out.

mod budget;
mod open_file;
mod opening;
mod patience;
mod progress;
mod status;
mod watch;
mod worker;

use std::time::Duration;

use gristmill_core::log::Sequence;
use gristmill_crds::plan::IngestPlan;
use gristmill_crds::report::IngestPhase;
use tokio_util::sync::CancellationToken;

pub use budget::Budget;
pub use status::StatusBoard;

use self::open_file::{OpenFile, Written};
use self::opening::Opening;
use self::patience::{Patience, Trouble, Waited};
use self::progress::Progress;
use self::watch::TopicWatch;
use self::worker::{Worker, covers};
use crate::exit::{Exit, Failure};
use crate::kafka::{Connection, Feed, GroupMember, MemberOptions, TopicProbe};
use crate::store::HadoopAccess;

/// From a signal to the last commit: a pod is killed 60 s after it was asked to end, and leaving the group takes some.
const DRAIN_WITHIN: Duration = Duration::from_secs(45);

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
    /// How HDFS is reached, if the zone lies there.
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
}

impl Options {
    /// Works until cancelled, with the memory of a laptop, and waits for ever.
    pub fn new(plan: &IngestPlan) -> Self {
        Self {
            connection: Connection::plaintext(&plan.bootstrap_servers),
            hadoop: HadoopAccess { user: plan.hdfs_user().map(str::to_owned), ..HadoopAccess::default() },
            until: Until::Cancelled,
            wait: None,
            budget: Budget::default(),
            cancel: CancellationToken::new(),
            board: StatusBoard::new(plan),
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
    let Options { connection, hadoop, until, wait, budget, cancel, board } = options;
    let patience = Patience { limit: wait, cancel: cancel.clone(), board };
    let probe = TopicProbe::new(&connection, &plan.topic).map_err(patience::Passing::into_failure)?;
    let Waited::Done(Opening { zone, facts, ends }) =
        in_time(&cancel, opening::open(plan, &hadoop, &probe, &patience)).await?
    else {
        return Ok(Summary::default());
    };
    patience.board.zone(zone.fold());
    patience.board.phase(IngestPhase::Starting, format!("joins group {}", plan.consumer_group));
    let targets = match until {
        Until::Cancelled => None,
        Until::CaughtUp => Some(ends.clone()),
    };
    if targets.as_ref().is_some_and(|targets| covers(&zone, targets)) {
        return Ok(Summary::default());
    }
    let (member, changes) = GroupMember::join(&MemberOptions {
        connection,
        topic: plan.topic.clone(),
        group: plan.consumer_group.clone(),
        client_id: format!("gristmill-{}", zone.fold().zone_id()),
        prefetch_bytes: budget.prefetch,
    })
    .map_err(patience::Passing::into_failure)?;
    let mut topic = TopicWatch::begin(probe.clone());
    let worker = Worker {
        plan,
        zone,
        facts,
        probe,
        member: &member,
        feed: Feed::new(&member, changes, budget.held),
        progress: Progress::default(),
        open: OpenFile::new(plan, &budget),
        targets,
        ends,
        patience,
        trouble: Trouble::default(),
        summary: Summary::default(),
    };
    let outcome = in_time(&cancel, worker.work(&mut topic.looks)).await;
    drop(topic);
    member.leave().await;
    outcome
}

/// The outcome of `work`, unless that takes too long after a signal.
async fn in_time<T>(cancel: &CancellationToken, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let overdue = async {
        cancel.cancelled().await;
        tokio::time::sleep(DRAIN_WITHIN).await;
    };
    tokio::select! {
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
