//! What a run does now: for a bar on a terminal, and one log line at the end of each phase.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;
use tracing::info;

/// What a run does, in this order; one that finds nothing to do in a phase passes it over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// It opens both zones and plans.
    #[default]
    Planning,
    /// It reads the keys of the new rows.
    Keys,
    /// It looks in the zone for those keys.
    Zone,
    /// It decides which row of each key stays.
    Deciding,
    /// It reads the rows that are written.
    Rows,
    /// It writes them.
    Writing,
    /// It appends the entry and publishes.
    Committing,
}

impl Phase {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Planning => "planning",
            Phase::Keys => "reading keys",
            Phase::Zone => "looking in the zone",
            Phase::Deciding => "deciding",
            Phase::Rows => "reading rows",
            Phase::Writing => "writing",
            Phase::Committing => "committing",
        }
    }
}

/// How far a phase has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step {
    /// The phase.
    pub phase: Phase,
    /// Rows that are done.
    pub done: u64,
    /// Rows that there are; 0 if they are not counted.
    pub known: u64,
}

/// Where a run says what it does; clones share it.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    step: watch::Sender<Step>,
    begun: Mutex<Instant>,
}

impl Default for Progress {
    fn default() -> Self {
        let (step, _) = watch::channel(Step::default());
        Self(Arc::new(Shared { step, begun: Mutex::new(Instant::now()) }))
    }
}

impl Progress {
    /// Follows it.
    pub fn subscribe(&self) -> watch::Receiver<Step> {
        self.0.step.subscribe()
    }

    /// A phase begins with so many rows before it.
    pub(super) fn begin(&self, phase: Phase, known: u64) {
        let mut begun = self.0.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let Step { phase: before, done, .. } = self.0.step.send_replace(Step { phase, done: 0, known });
        let seconds = std::mem::replace(&mut *begun, Instant::now()).elapsed().as_secs_f64();
        if before != Phase::Planning && before != phase {
            info!(phase = before.name(), rows = done, seconds = format!("{seconds:.3}"), "phase done");
        }
    }

    /// So many more rows are to be done.
    pub(super) fn expect(&self, rows: u64) {
        self.0.step.send_modify(|step| step.known += rows);
    }

    /// So many more rows are done.
    pub(super) fn add(&self, rows: usize) {
        self.0.step.send_modify(|step| step.done += rows as u64);
    }
}
