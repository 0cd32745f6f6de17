//! The progress of an ingest or a compaction on a terminal: what is committed of what the topic holds, or the rows of a
//! phase.
//!
//! Log lines go above the bar. Where there is no terminal there is no bar, and one log line a commit instead.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use clap::ValueEnum;
use gristmill_crds::report::{IngestPhase, IngestReport};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::compact::Step;

/// When there is a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProgressMode {
    /// On a terminal, with the log as text.
    Auto,
    /// Never.
    Never,
}

impl ProgressMode {
    /// Whether a bar is drawn here, where log lines are text or not.
    pub(super) fn draws(self, text_log: bool) -> bool {
        self == ProgressMode::Auto && text_log && io::stderr().is_terminal()
    }
}

/// The bar that is on the terminal now.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// A bar that follows a report until it is dropped.
pub(super) struct Progress {
    task: JoinHandle<()>,
}

impl Progress {
    /// Draws a bar on standard error.
    pub(super) fn begin(mut reports: watch::Receiver<IngestReport>) -> Self {
        let bar = drawn("{spinner} {prefix} {bar:30} {pos}/{len} messages, {per_sec}, {eta} left {wide_msg}");
        let task = tokio::spawn(async move {
            loop {
                let Position { done, known, phase, message } = position(&reports.borrow_and_update());
                bar.set_prefix(phase);
                bar.set_message(message);
                bar.set_length(known);
                bar.set_position(done);
                if reports.changed().await.is_err() {
                    break;
                }
            }
        });
        Self { task }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.task.abort();
        clear();
    }
}

/// A bar that follows a compaction until it is dropped.
pub(super) struct Bar {
    task: JoinHandle<()>,
}

impl Bar {
    /// Draws a bar on standard error.
    pub(super) fn begin(mut steps: watch::Receiver<Step>) -> Self {
        let bar = drawn("{spinner} {prefix:18} {bar:30} {pos}/{len} rows, {elapsed}");
        let task = tokio::spawn(async move {
            loop {
                let Step { phase, done, known } = *steps.borrow_and_update();
                bar.set_prefix(phase.name());
                bar.set_length(known);
                bar.set_position(done);
                if steps.changed().await.is_err() {
                    break;
                }
            }
        });
        Self { task }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.task.abort();
        clear();
    }
}

/// A bar on standard error, above which log lines go.
fn drawn(template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template(template).expect("the template is one"));
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    *BAR.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
    bar
}

fn clear() {
    if let Some(bar) = BAR.lock().unwrap_or_else(PoisonError::into_inner).take() {
        bar.finish_and_clear();
    }
}

/// What the bar shows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Position {
    done: u64,
    known: u64,
    phase: &'static str,
    message: String,
}

/// The log's messages of all that is known: the zone's, so that a run that goes on shows where it goes on.
fn position(report: &IngestReport) -> Position {
    let messages = &report.messages;
    let done = messages.accepted + messages.rejected + messages.tombstones;
    let lag = report.lag.as_ref().map_or(0, |lag| lag.records);
    let unsigned = |count| u64::try_from(count).unwrap_or(0);
    // In its usual phase the figures say it all.
    let message = if report.phase == IngestPhase::Ingesting { String::new() } else { report.message.clone() };
    Position { done: unsigned(done), known: unsigned(done + lag), phase: report.phase.reason(), message }
}

/// Standard error for log lines: above the bar if there is one.
pub(super) struct LogLines;

impl Write for LogLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match bar {
            Some(bar) => bar.suspend(|| io::stderr().write(line)),
            None => io::stderr().write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use gristmill_crds::Lag;

    use super::*;
    use crate::documents::Documents;
    use crate::ingest::StatusBoard;

    fn report() -> IngestReport {
        let documents = Documents::parse("books.yaml".as_ref(), crate::demo::BOOKS).expect("the quickstart is valid");
        StatusBoard::new(&documents.ingest_plan(None).expect("the quickstart is valid")).report()
    }

    #[test]
    fn bar_counts_what_is_committed_of_what_is_known() {
        let mut report = report();
        report.phase = IngestPhase::Ingesting;
        (report.messages.accepted, report.messages.rejected, report.messages.tombstones) = (90, 6, 4);
        (report.messages.absent, report.messages.gaps) = (7, 8);
        report.lag = Some(Lag { records: 900, seconds: None });
        let expected = Position { done: 100, known: 1000, phase: "Ingesting", message: String::new() };
        assert_eq!(position(&report), expected);
    }

    #[test]
    fn a_phase_that_is_not_the_usual_one_is_explained() {
        let mut report = report();
        report.phase = IngestPhase::StoreUnavailable;
        report.message = "connection refused; it is tried again".to_owned();
        let Position { phase, message, .. } = position(&report);
        assert_eq!((phase, message.as_str()), ("StoreUnavailable", "connection refused; it is tried again"));
    }
}
