//! What the worker did lately and what lies before it, from samples of what it has done and of where its partitions
//! stand.
//!
//! Pure: no clock and no store. The figures are the difference of the newest sample and the oldest within the window.
//! Samples that do not belong together make none: a window begins anew when other partitions are read, and when the worker
//! did something else in between, such as waiting for what was away.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use gristmill_crds::report::{PartitionWork, StuckWork, WorkReport};

/// Long enough to see past a commit and a burst, and short enough to show a change of the load within minutes.
const WINDOW: Duration = Duration::from_secs(60);
/// In which time a backlog counts as much as what arrives, where the partition with most work is sought: the default of
/// spec.scaling.catchUpDuration. A worker is not given the document's own, which would roll the pods when it changes.
const CATCH_UP: Duration = Duration::from_secs(30 * 60);

/// What the worker has done since it began: figures that only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Done {
    /// Records that were decoded.
    pub(super) records: u64,
    /// Bytes of their payloads.
    pub(super) bytes: u64,
    /// Time in which records were decoded.
    pub(super) decode: Duration,
    /// Time in which rows were encoded, that of the store included.
    pub(super) encode: Duration,
    /// Time from sealing files until their entry was published.
    pub(super) commit: Duration,
    /// Time of these two in which the store was waited for.
    pub(super) store_wait: Duration,
}

/// Where a partition stands that the worker owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The next offset that is read.
    pub(super) next: i64,
    /// The end of the partition, as it was seen last.
    pub(super) end: i64,
    /// It is read no more although it is owned.
    pub(super) is_stuck: bool,
}

/// Everything at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    /// Uptime when the figures were read.
    pub(super) at: Duration,
    /// CPU time of the process so far.
    pub(super) cpu: Duration,
    /// What was done so far.
    pub(super) done: Done,
    /// Since when the worker has done nothing but read: another time than before tells of trouble in between.
    pub(super) reading_since: Option<String>,
    /// Uptime when the ends were seen.
    pub(super) ends_at: Duration,
    /// Its partitions by their numbers.
    pub(super) places: BTreeMap<i32, Place>,
}

/// Samples of about a minute.
#[derive(Debug, Default)]
pub(super) struct Window {
    samples: VecDeque<Sample>,
}

impl Window {
    /// What was sampled before has nothing to do with what comes.
    pub(super) fn begin_anew(&mut self) {
        self.samples.clear();
    }

    /// Adds a sample. There is something to report once there are two that belong together.
    pub(super) fn add(&mut self, sample: Sample, decode_threads: u32) -> Option<WorkReport> {
        if self.samples.back().is_some_and(|last| !sample.belongs_to(last)) {
            self.begin_anew();
        }
        self.samples.push_back(sample);
        let newest = self.samples.back()?;
        // The oldest goes once the one behind it is a whole window ago.
        let spent = self.samples.iter().skip(1).take_while(|next| next.at + WINDOW <= newest.at).count();
        self.samples.drain(..spent);
        let (oldest, newest) = (self.samples.front()?, self.samples.back()?);
        (newest.at > oldest.at).then(|| report(oldest, newest, decode_threads))
    }
}

impl Sample {
    fn belongs_to(&self, before: &Self) -> bool {
        self.reading_since == before.reading_since && self.places.keys().eq(before.places.keys())
    }
}

fn report(from: &Sample, to: &Sample, decode_threads: u32) -> WorkReport {
    let seconds = |figure: fn(&Done) -> Duration| figure(&to.done).saturating_sub(figure(&from.done)).as_secs_f64();
    let count = |figure: fn(&Done) -> u64| figure(&to.done).saturating_sub(figure(&from.done));
    let looked = to.ends_at.saturating_sub(from.ends_at).as_secs_f64();
    let ends_known_twice = looked > 0.0;
    let (mut arrival, mut backlog) = (0.0, 0);
    let mut stuck = StuckWork::default();
    let mut hottest: Option<PartitionWork> = None;
    for (partition, place) in &to.places {
        let arrived = from.places.get(partition).map_or(0, |before| distance(before.end, place.end));
        let work = PartitionWork {
            partition: *partition,
            arrival: if ends_known_twice { arrived as f64 / looked } else { 0.0 },
            backlog: distance(place.next, place.end),
        };
        arrival += work.arrival;
        backlog += work.backlog;
        if place.is_stuck {
            stuck.partitions += 1;
            stuck.arrival += work.arrival;
            stuck.backlog += work.backlog;
        } else if hottest.is_none_or(|other| load(&other) < load(&work)) {
            hottest = Some(work);
        }
    }
    WorkReport {
        window_seconds: (to.at - from.at).as_secs_f64(),
        cpu_seconds: to.cpu.saturating_sub(from.cpu).as_secs_f64(),
        records: count(|done| done.records),
        bytes: count(|done| done.bytes),
        decode_seconds: seconds(|done| done.decode),
        encode_seconds: seconds(|done| done.encode),
        commit_seconds: seconds(|done| done.commit),
        store_wait_seconds: seconds(|done| done.store_wait),
        decode_threads,
        partitions: u32::try_from(to.places.len()).unwrap_or(u32::MAX),
        arrival: ends_known_twice.then_some(arrival),
        backlog,
        stuck,
        hottest: hottest.filter(|_| ends_known_twice),
    }
}

/// Offsets between two places; none if the later one lies before, as after a partition was truncated.
fn distance(from: i64, to: i64) -> u64 {
    u64::try_from(to.saturating_sub(from)).unwrap_or(0)
}

/// Records a second that a partition takes to keep up and to catch up.
fn load(work: &PartitionWork) -> f64 {
    work.arrival + work.backlog as f64 / CATCH_UP.as_secs_f64()
}

#[cfg(test)]
mod tests;
