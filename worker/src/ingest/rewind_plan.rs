//! What a rewind would read again, told without making it: brokers are asked for offsets, and nothing is written.
//!
//! Whoever reaches the worker's port may ask, so questions are answered one by one with a pause in between, beside the
//! loop and never by it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gristmill_crds::plan::Position;
use gristmill_crds::report::{PARTITIONS_PER_ANSWER, PartitionMove, RewindReport};
use tokio::sync::{mpsc, oneshot};

use super::partitions::PartitionStanding;
use super::patience::{Passing, Waited};
use super::rewind::resolve_by;
use super::status::StatusBoard;
use crate::exit::{Exit, Failure};
use crate::kafka::Brokers;
use crate::zone::Clock;

/// A question costs the brokers a few small requests; one a second is no burden.
const PAUSE: Duration = Duration::from_secs(1);

/// Where questions are asked.
#[derive(Debug, Clone, Default)]
pub struct RewindPlans(Arc<Mutex<Option<mpsc::Sender<Question>>>>);

#[derive(Debug)]
struct Question {
    to: Position,
    answer: oneshot::Sender<Result<RewindReport, NoPlan>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoPlan {
    /// The worker does not know yet how far the topic is committed.
    #[error("the worker does not know yet where the partitions of its topic stand; ask again in a few seconds")]
    NotReading,
    /// Others ask.
    #[error("the worker answers one such question a second; ask again in a few seconds")]
    Busy,
    /// The position is not there.
    #[error("{why}")]
    Refused {
        /// What, where, and the next act.
        why: String,
    },
    /// The brokers do not answer.
    #[error("{why}")]
    Kafka {
        /// What, where, and the next act.
        why: String,
    },
}

impl RewindPlans {
    /// What a rewind to this position would do.
    ///
    /// # Errors
    /// The position is not there, the brokers don't answer, or the worker is not that far.
    pub async fn ask(&self, to: Position) -> Result<RewindReport, NoPlan> {
        let asked = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(NoPlan::NotReading)?;
        let (answer, answered) = oneshot::channel();
        asked.try_send(Question { to, answer }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NoPlan::Busy,
            mpsc::error::TrySendError::Closed(_) => NoPlan::NotReading,
        })?;
        // An ingest that ends drops the question.
        answered.await.unwrap_or(Err(NoPlan::NotReading))
    }

    fn open(&self) -> mpsc::Receiver<Question> {
        let (asked, questions) = mpsc::channel(1);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
        questions
    }
}

/// Answers questions; it never ends by itself.
pub(super) async fn answer(brokers: impl Brokers, clock: Arc<dyn Clock>, board: StatusBoard) {
    let mut questions = board.rewind_plans().open();
    while let Some(Question { to, answer }) = questions.recv().await {
        // Whoever asked may be gone by now.
        drop(answer.send(plan(&to, &brokers, &board.standings()).await));
        clock.sleep(PAUSE).await;
    }
    // Another ingest of this process answers from here on; this one is dropped soon.
    std::future::pending().await
}

async fn plan(to: &Position, brokers: &impl Brokers, standings: &[PartitionStanding]) -> Result<RewindReport, NoPlan> {
    if standings.is_empty() {
        return Err(NoPlan::NotReading);
    }
    let partitions = standings.iter().map(|standing| standing.partition).collect();
    let ranges = brokers.ranges(partitions).await.map_err(|fault| no_plan(fault.into_failure()))?;
    let ask = async |time| Ok(Waited::Done(brokers.offsets_at(time).await.map_err(Passing::into_failure)?));
    match resolve_by("spec.rewind", to, &ranges, ask).await {
        Ok(Waited::Done(targets)) => Ok(report(standings, &targets)),
        Ok(Waited::Cancelled) => Err(NoPlan::NotReading),
        Err(failure) => Err(no_plan(failure)),
    }
}

fn no_plan(failure: Failure) -> NoPlan {
    match failure.exit {
        Exit::Usage => NoPlan::Refused { why: failure.message },
        Exit::Bug | Exit::Rejected | Exit::Kafka | Exit::Store | Exit::Zone | Exit::DataLoss => {
            NoPlan::Kafka { why: failure.message }
        }
    }
}

fn report(standings: &[PartitionStanding], targets: &BTreeMap<i32, i64>) -> RewindReport {
    let to = |standing: &PartitionStanding| {
        let goes_to = *targets.get(&standing.partition)?;
        let moved = PartitionMove { partition: standing.partition, stands_at: standing.next, goes_to };
        (goes_to != standing.next).then_some(moved)
    };
    let mut moves: Vec<_> = standings.iter().filter_map(to).collect();
    let sum = |distance: fn(&PartitionMove) -> i64| moves.iter().map(|moved| distance(moved).max(0)).sum();
    let (read_again, skipped) =
        (sum(|moved| moved.stands_at - moved.goes_to), sum(|moved| moved.goes_to - moved.stands_at));
    let moved = moves.len();
    moves.truncate(PARTITIONS_PER_ANSWER);
    RewindReport { total: standings.len(), read_again, skipped, moved, moves }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_again_and_what_is_skipped_are_told_apart() {
        let standing = |partition, next| PartitionStanding { partition, next, end: 100, complete: None };
        let standings = [standing(0, 50), standing(1, 50), standing(2, 50), standing(3, 50)];
        let told = report(&standings, &BTreeMap::from([(0, 20), (1, 50), (2, 70)]));
        let moved = |partition, goes_to| PartitionMove { partition, stands_at: 50, goes_to };
        let expected =
            RewindReport { total: 4, read_again: 30, skipped: 20, moved: 2, moves: vec![moved(0, 20), moved(2, 70)] };
        assert_eq!(told, expected);
    }

    #[tokio::test]
    async fn nobody_waits_for_an_ingest_that_has_not_begun_or_has_ended() {
        let plans = RewindPlans::default();
        assert!(matches!(plans.ask(Position::Earliest).await, Err(NoPlan::NotReading)));
        let questions = plans.open();
        let first = plans.ask(Position::Earliest);
        let second = async {
            let busy = plans.ask(Position::Earliest).await;
            drop(questions);
            busy
        };
        let (first, second) = tokio::join!(first, second);
        assert!(matches!(first, Err(NoPlan::NotReading)), "{first:?}");
        assert!(matches!(second, Err(NoPlan::Busy)), "{second:?}");
        assert!(matches!(plans.ask(Position::Earliest).await, Err(NoPlan::NotReading)));
    }
}
