//! What a policy made of a day.

use gristmill_sizing::Size;

use crate::cluster::Cluster;
use crate::policy::{Policy, Resize};
use crate::trace::{DAY, Trace};
use crate::{LAG_TARGET, STEP};

const HOUR: u64 = 3600;

/// A day under a policy.
#[derive(Debug)]
pub struct Day {
    /// The trace.
    pub trace: Trace,
    /// The policy.
    pub policy: &'static str,
    /// What was seen every step.
    pub points: Vec<Point>,
    /// The changes.
    pub changes: Vec<Change>,
}

/// A change of the size.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    /// Seconds since the start.
    pub time: u64,
    /// The size after it.
    pub size: Size,
    /// Whether partitions move.
    pub moves: bool,
}

/// What was seen at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// Seconds since the start.
    pub time: u64,
    /// Records a second that arrive.
    pub arrival: f64,
    /// Age of the oldest record that waits, in seconds.
    pub lag: f64,
    /// The size.
    pub size: Size,
}

/// Lives through a day.
pub fn day(trace: Trace, policy: Box<dyn Policy>) -> Day {
    day_on(Cluster::new(trace), policy)
}

/// Lives through a day on this cluster.
pub fn day_on(mut cluster: Cluster, mut policy: Box<dyn Policy>) -> Day {
    let trace = cluster.trace;
    let mut day = Day { trace, policy: policy.name(), points: Vec::new(), changes: Vec::new() };
    while cluster.time < DAY {
        cluster.step();
        if let Some(resize) = policy.decide(&cluster) {
            let before = cluster.size;
            match resize {
                Resize::InPlace(size) => cluster.resize(size),
                Resize::Restart(size) => cluster.restart(size),
            }
            // What is chosen before the day is no change.
            if cluster.time > STEP {
                let moves = matches!(resize, Resize::Restart(_)) || cluster.size.replicas != before.replicas;
                day.changes.push(Change { time: cluster.time, size: cluster.size, moves });
            }
        }
        let (time, lag, size) = (cluster.time, cluster.lag(), cluster.size);
        day.points.push(Point { time, arrival: trace.arrival(time), lag, size });
    }
    day
}

impl Day {
    /// Seconds in which the oldest record that waits is older than a target.
    pub fn seconds_over(&self, target: f64) -> u64 {
        self.points.iter().filter(|point| point.lag > target).count() as u64 * STEP
    }

    /// Cores times hours.
    pub fn core_hours(&self) -> f64 {
        let cores: f64 = self.points.iter().map(|point| point.size.total() as f64 / 1000.0).sum();
        cores * STEP as f64 / HOUR as f64
    }

    /// When size and lag came to rest after the event of the trace: the lag is within the target from then on for an
    /// hour, in which nothing changes. None if it never does.
    pub fn converged(&self) -> Option<u64> {
        let changes = self.changes.iter().map(|change| change.time).filter(|time| *time >= self.trace.event());
        let starts = std::iter::once(self.trace.event()).chain(changes);
        starts.filter_map(|start| self.rests_from(start)).next()
    }

    fn rests_from(&self, start: u64) -> Option<u64> {
        let next = self.changes.iter().map(|change| change.time).find(|time| *time > start).unwrap_or(u64::MAX);
        let until = next.min(DAY);
        let last_over = self
            .points
            .iter()
            .filter(|point| (start..until).contains(&point.time) && point.lag > LAG_TARGET)
            .map(|point| point.time + STEP)
            .next_back();
        let rest = last_over.unwrap_or(start);
        (until.saturating_sub(rest) >= HOUR).then_some(rest)
    }

    /// Changes from the event of the trace until all came to rest.
    pub fn changes_to_converge(&self) -> Option<usize> {
        let (event, end) = (self.trace.event(), self.converged()?);
        Some(self.changes.iter().filter(|change| (event..=end).contains(&change.time)).count())
    }

    /// Most changes within an hour after that.
    pub fn most_changes_an_hour(&self) -> usize {
        let since = self.converged().unwrap_or(0);
        let times: Vec<u64> = self.changes.iter().map(|change| change.time).filter(|time| *time > since).collect();
        times
            .iter()
            .map(|start| times.iter().filter(|time| (*start..*start + HOUR).contains(time)).count())
            .max()
            .unwrap_or(0)
    }

    /// Changes that moved partitions: those of the number of workers, and every restart.
    pub fn moves(&self) -> usize {
        self.changes.iter().filter(|change| change.moves).count()
    }

    /// How often a change went the other way than the one before.
    pub fn oscillations(&self) -> usize {
        let totals: Vec<u64> = self
            .points
            .first()
            .map(|point| point.size.total())
            .into_iter()
            .chain(self.changes.iter().map(|change| change.size.total()))
            .collect();
        let directions: Vec<bool> =
            totals.windows(2).filter(|pair| pair[0] != pair[1]).map(|pair| pair[0] < pair[1]).collect();
        directions.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }
}
