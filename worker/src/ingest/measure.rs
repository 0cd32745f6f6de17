//! What the worker measures of itself every few seconds: how many threads it may use, what it did, and what lies before it.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::time::Duration;

use gristmill_crds::report::IngestPhase;

use super::work::{Done, Place, Sample, Window};
use super::worker::Worker;
use crate::cpu::{self, Cpu, InvalidCpu};
use crate::kafka::Source;

/// How often the CPU is looked at that the process may use: it is changed while the process runs.
const LOOK: Duration = Duration::from_secs(5);

/// The CPU that the worker may use, as it was looked at last.
#[derive(Debug)]
pub(super) struct CpuWatch {
    cpu: Cpu,
    look_at: Duration,
    /// What could not be understood, so that it is told once.
    refused: Option<InvalidCpu>,
}

impl CpuWatch {
    pub(super) fn new(cpu: Cpu) -> Self {
        Self { cpu, look_at: Duration::ZERO, refused: None }
    }

    /// The threads that are to decode, if it is time to look. What can't be understood changes nothing.
    fn look(&mut self, now: Duration) -> Option<NonZero<usize>> {
        if now < self.look_at {
            return None;
        }
        self.look_at = now + LOOK;
        let refused = match self.cpu.threads() {
            Ok(threads) => {
                self.refused = None;
                return NonZero::new(threads);
            }
            Err(refused) => Some(refused),
        };
        if self.refused != refused {
            if let Some(refused) = &refused {
                tracing::warn!("{refused}; the number of threads stays");
            }
            self.refused = refused;
        }
        None
    }
}

/// What was done since the worker began, and samples of it.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) done: Done,
    window: Window,
}

impl<S: Source> Worker<'_, S> {
    /// Decodes by as many threads as the CPU allows now.
    pub(super) fn heed_cpu(&mut self) {
        let Some(threads) = self.cpu.look(self.clock.uptime()) else { return };
        if threads != self.open.threads() {
            tracing::info!(threads, "decodes by another number of threads");
            self.open.set_threads(threads);
        }
    }

    /// Samples what was done and where the partitions stand, by ends that were seen at this time.
    pub(super) fn measure(&mut self, ends: &BTreeMap<i32, i64>, ends_at: Duration) {
        let report = self.patience.board.report();
        if report.phase != IngestPhase::Ingesting {
            return self.measure_anew();
        }
        let place = |(partition, next): (i32, i64)| {
            let is_stuck = self.feed.is_stopped(partition);
            Some((partition, Place { next, end: *ends.get(&partition)?, is_stuck }))
        };
        // A partition that these ends do not know yet is one that the next ones do.
        let places: Option<BTreeMap<_, _>> = self.progress.offsets().into_iter().map(place).collect();
        let Some(places) = places else { return };
        let sample = Sample {
            at: self.clock.uptime(),
            cpu: cpu::used(),
            done: self.measured.done,
            reading_since: report.phase_since,
            ends_at,
            places,
        };
        let threads = u32::try_from(self.open.threads().get()).unwrap_or(u32::MAX);
        let work = self.measured.window.add(sample, threads);
        self.patience.board.work(work);
    }

    /// What was sampled says nothing of what comes.
    pub(super) fn measure_anew(&mut self) {
        self.measured.window.begin_anew();
        self.patience.board.work(None);
    }

    /// The store was waited for, for so long.
    pub(super) fn waited_for_store(&mut self, waited: Duration) {
        self.measured.done.store_wait += waited;
        self.patience.board.metrics().waited_for_store(waited);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_looked_at_every_five_seconds_and_nonsense_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cpu");
        let mut watch = CpuWatch::new(Cpu::File(path.clone()));
        let mut look = |seconds| watch.look(Duration::from_secs(seconds)).map(NonZero::get);
        std::fs::write(&path, "1500m").unwrap();
        assert_eq!(look(100), Some(2));
        std::fs::write(&path, "3").unwrap();
        assert_eq!((look(104), look(105)), (None, Some(3)));
        std::fs::write(&path, "plenty").unwrap();
        assert_eq!((look(110), look(115)), (None, None));
        std::fs::write(&path, "1").unwrap();
        assert_eq!(look(120), Some(1));
    }
}
