//! Work that is done by a schedule, until somebody asks for the end.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use gristmill_crds::plan::Schedule;
use tokio_util::sync::CancellationToken;

use crate::exit::Failure;
use crate::zone::Clock;

/// The clock is looked at so often while a start is waited for: it may be set, or the machine may have slept.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How long work that is under way may go on once the end is asked for. What it leaves is what a crash leaves.
const DRAIN_WITHIN: Duration = Duration::from_secs(45);

/// Does the work at each start of the schedule. Starts that pass while it is under way are made up for by the next one.
///
/// Work that fails is logged with the time of the next try, and done again then.
pub async fn by_schedule(
    schedule: &Schedule,
    clock: &dyn Clock,
    cancel: &CancellationToken,
    work: impl AsyncFn() -> Result<(), Failure>,
) {
    while let Some(start) = schedule.next_after(clock.now()) {
        tracing::info!(next = time(start), "next run");
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = until(clock, start) => {}
        }
        let overdue = async {
            cancel.cancelled().await;
            clock.sleep(DRAIN_WITHIN).await;
        };
        let outcome = tokio::select! {
            biased;
            outcome = work() => outcome,
            () = overdue => {
                tracing::warn!("the run was given up; nothing of it is visible, and the next one begins again");
                return;
            }
        };
        if let Err(failure) = outcome {
            let next = schedule.next_after(clock.now()).map_or_else(|| "never".to_owned(), time);
            tracing::error!(error = failure.message, reason = failure.reason, next, "run failed");
        }
        if cancel.is_cancelled() {
            return;
        }
    }
    tracing::warn!("the schedule has no start any more; correct spec.schedule");
    cancel.cancelled().await;
}

async fn until(clock: &dyn Clock, start: DateTime<Utc>) {
    while let Ok(left) = (start - clock.now()).to_std() {
        if left.is_zero() {
            return;
        }
        clock.sleep(left.min(LOOK_EVERY)).await;
    }
}

fn time(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::exit::Exit;

    /// A clock that goes on by as much as somebody sleeps.
    struct Stepped(Mutex<DateTime<Utc>>);

    impl Stepped {
        fn at(time: &str) -> Self {
            Self(Mutex::new(time.parse().expect("a time")))
        }

        fn pass(&self, time: Duration) {
            *self.0.lock().expect("nobody panics") += time;
        }
    }

    #[async_trait]
    impl Clock for Stepped {
        fn now(&self) -> DateTime<Utc> {
            *self.0.lock().expect("nobody panics")
        }

        fn uptime(&self) -> Duration {
            Duration::ZERO
        }

        async fn sleep(&self, duration: Duration) {
            self.pass(duration);
            tokio::task::yield_now().await;
        }
    }

    fn hourly() -> Schedule {
        Schedule::try_new("5 * * * *", "Etc/UTC").expect("a schedule")
    }

    fn failure() -> Failure {
        Failure { exit: Exit::Store, reason: "StoreUnavailable", message: "the store is away".to_owned() }
    }

    /// When work began, of work that takes so long each time and is cancelled at its last.
    async fn begins(takes: &[u64], outcome: impl Fn(usize) -> Result<(), Failure>) -> Vec<String> {
        let (clock, cancel) = (Stepped::at("2026-11-23T05:00:00Z"), CancellationToken::new());
        let begun = RefCell::new(Vec::new());
        by_schedule(&hourly(), &clock, &cancel, async || {
            begun.borrow_mut().push(clock.now().format("%H:%M").to_string());
            let number = begun.borrow().len();
            clock.pass(Duration::from_secs(60 * takes[number - 1]));
            if number == takes.len() {
                cancel.cancel();
            }
            outcome(number)
        })
        .await;
        begun.into_inner()
    }

    #[tokio::test]
    async fn starts_that_pass_meanwhile_are_made_up_for_by_one() {
        assert_eq!(begins(&[1, 150, 1, 1], |_| Ok(())).await, ["05:05", "06:05", "09:05", "10:05"]);
    }

    #[tokio::test]
    async fn work_that_fails_is_done_again_at_the_next_start() {
        let failing = |number| if number < 3 { Err(failure()) } else { Ok(()) };
        assert_eq!(begins(&[1, 1, 1], failing).await, ["05:05", "06:05", "07:05"]);
    }

    #[tokio::test]
    async fn work_under_way_is_ended_and_no_other_begun() {
        let (clock, cancel) = (Stepped::at("2026-11-23T05:00:00Z"), CancellationToken::new());
        let ended = RefCell::new(0);
        by_schedule(&hourly(), &clock, &cancel, async || {
            cancel.cancel();
            tokio::task::yield_now().await;
            *ended.borrow_mut() += 1;
            Ok(())
        })
        .await;
        assert_eq!(ended.into_inner(), 1);
    }

    #[tokio::test]
    async fn work_that_does_not_end_is_given_up() {
        let (clock, cancel) = (Stepped::at("2026-11-23T05:00:00Z"), CancellationToken::new());
        by_schedule(&hourly(), &clock, &cancel, async || {
            cancel.cancel();
            std::future::pending().await
        })
        .await;
    }

    #[tokio::test]
    async fn nothing_begins_once_the_end_is_asked_for() {
        let (clock, cancel) = (Stepped::at("2026-11-23T05:00:00Z"), CancellationToken::new());
        cancel.cancel();
        by_schedule(&hourly(), &clock, &cancel, async || panic!("it begins")).await;
    }
}
