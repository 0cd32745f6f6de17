//! What is remembered from one decision to the next: little, bounded, and safe to lose.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::facts::{Facts, Limits, Size};

/// Parts that the scale-down interval is seen in: its largest need is known to a twelfth of it.
const PARTS: u64 = 12;
/// For so long a worker is not asked to take more than it could be given: most loads come again after a day, and a pod may
/// be on another node by then.
const GRANTED_COUNTS: Duration = Duration::from_secs(24 * 60 * 60);
/// Needs that are remembered one by one.
const RECENT: usize = 32;

/// What earlier decisions left. Losing it is safe: nothing is taken away before a whole scale-down interval has been
/// seen again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct History {
    /// Since when there is an observation without a gap, in seconds since 1970.
    pub observed_since: Option<u64>,
    /// Time of the last one.
    pub observed: Option<u64>,
    /// Needs of the last part of a measurement, by when they were seen; at most 32.
    pub recent: Vec<(u64, Need)>,
    /// Largest needs within the scale-down interval, by when they were first seen; at most 14.
    pub peaks: Vec<(u64, Need)>,
    /// Since when more is needed than there is.
    pub short_since: Option<u64>,
    /// The last change that added.
    pub last_up: Option<Resize>,
    /// The last change that took away.
    pub last_down: Option<Resize>,
    /// The size that would be, where decisions are not carried out.
    pub advised: Option<Size>,
    /// What a record costs, when that could last be measured.
    pub cost: Option<Cost>,
    /// What a worker had when it could be given no more, and others were added instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub most_granted: Option<Granted>,
}

/// What a stream needs, in thousandths of a core at the target utilization.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Need {
    /// All partitions.
    pub total: f64,
    /// The partition that needs most.
    pub hottest: f64,
    /// How much more a record costs on the slowest worker than on average.
    pub slowest: f64,
}

impl Need {
    fn or_less(self, other: Need) -> Need {
        Need {
            total: self.total.min(other.total),
            hottest: self.hottest.min(other.hottest),
            slowest: self.slowest.min(other.slowest),
        }
    }

    fn or_more(self, other: Need) -> Need {
        Need {
            total: self.total.max(other.total),
            hottest: self.hottest.max(other.hottest),
            slowest: self.slowest.max(other.slowest),
        }
    }
}

/// A change of the size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Resize {
    /// When, in seconds since 1970.
    pub time: u64,
    /// The size before.
    pub from: Size,
    /// The size after.
    pub to: Size,
    /// Records a second that were processed before it.
    pub throughput: f64,
}

/// CPU that a worker had at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    /// When, in seconds since 1970.
    pub time: u64,
    /// Thousandths of a core.
    pub cpu: u32,
}

/// What a record costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// CPU seconds of a record.
    pub seconds: f64,
    /// How much more it is on the slowest worker than on average; 1 where they are alike.
    pub slowest: f64,
}

impl History {
    /// This history with one more observation. After a gap longer than a part of the interval, the interval begins
    /// anew: what was needed in the gap is not known.
    pub(crate) fn with(mut self, time: u64, need: Need, lasting: Duration, limits: &Limits) -> History {
        self.recent.retain(|(seen, _)| Duration::from_secs(time.abs_diff(*seen)) <= lasting);
        self.recent.push((time, need));
        let surplus = self.recent.len().saturating_sub(RECENT);
        self.recent.drain(..surplus);
        let need = self.lasting(need);

        let part = (limits.scale_down.as_secs() / PARTS).max(1);
        let is_gap = self.observed.is_none_or(|last| time.abs_diff(last) > part.max(60));
        if is_gap || self.observed_since.is_none_or(|since| since > time) {
            self.observed_since = Some(time);
        }
        self.observed = Some(time);
        let interval = limits.scale_down.as_secs().saturating_add(part);
        self.peaks.retain(|(start, _)| time.abs_diff(*start) <= interval);
        match self.peaks.last_mut() {
            Some((start, peak)) if time.abs_diff(*start) < part => *peak = peak.or_more(need),
            _ => self.peaks.push((time, need)),
        }
        let surplus = self.peaks.len().saturating_sub(PARTS as usize + 2);
        self.peaks.drain(..surplus);
        self
    }

    /// The part of a need that has lasted: the least of the last moments.
    pub(crate) fn lasting(&self, need: Need) -> Need {
        self.recent.iter().map(|(_, need)| *need).fold(need, Need::or_less)
    }

    /// The largest need within the scale-down interval, once a whole one has been seen.
    pub(crate) fn peak(&self, time: u64, limits: &Limits) -> Option<Need> {
        let since = self.observed_since?;
        if self.seen(time) < limits.scale_down || since > time {
            return None;
        }
        self.largest()
    }

    /// The largest need of what has been seen of the scale-down interval.
    pub(crate) fn largest(&self) -> Option<Need> {
        self.peaks.iter().map(|(_, need)| *need).reduce(Need::or_more)
    }

    /// For how long needs have been seen without a gap.
    pub(crate) fn seen(&self, time: u64) -> Duration {
        Duration::from_secs(self.observed_since.map_or(0, |since| time.saturating_sub(since)))
    }

    /// The most CPU that a worker can be given, as far as it was found out in the last day.
    pub(crate) fn most_granted(&self, time: u64) -> Option<u32> {
        let age = |granted: &Granted| Duration::from_secs(time.saturating_sub(granted.time));
        self.most_granted.filter(|granted| age(granted) < GRANTED_COUNTS).map(|granted| granted.cpu)
    }

    /// Time since the size was last changed; None if it never was.
    pub(crate) fn since_change(&self, time: u64) -> Option<Duration> {
        let last = self.last_up.iter().chain(&self.last_down).map(|change| change.time).max()?;
        Some(Duration::from_secs(time.saturating_sub(last)))
    }

    /// This history with nothing in the future: a clock that was set back leaves times there, and none is to be
    /// waited for.
    pub(crate) fn until(mut self, time: u64) -> History {
        for change in self.last_up.iter_mut().chain(&mut self.last_down) {
            change.time = change.time.min(time);
        }
        if let Some(granted) = &mut self.most_granted {
            granted.time = granted.time.min(time);
        }
        self.short_since = self.short_since.map(|since| since.min(time));
        self.peaks.retain(|(start, _)| *start <= time);
        self.recent.retain(|(seen, _)| *seen <= time);
        self
    }

    /// This history once a decision of now has been carried out, or would have been.
    pub(crate) fn changed(mut self, facts: &Facts, from: Size, to: Size, throughput: f64, adds: Adds) -> History {
        let change = Resize { time: facts.time, from, to, throughput };
        match adds {
            Adds::More => self.last_up = Some(change),
            Adds::Less => self.last_down = Some(change),
        }
        self
    }
}

/// Whether a change adds or takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adds {
    /// It adds.
    More,
    /// It takes away.
    Less,
}
