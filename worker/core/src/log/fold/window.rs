//! The messages of the last hours, and how many of them had rejects: what the rejected budget is judged by.

use std::collections::VecDeque;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::super::entry::PartitionRange;
use super::super::names::LogTime;

/// The longest window that a budget can ask for.
const LONGEST_WINDOW: TimeDelta = TimeDelta::hours(24);
/// Steps that are kept. With more entries than that in a day, neighbours share a step: the window's edge is then less
/// sharp, by a minute for the longest.
const STEPS_KEPT: usize = 2048;

/// Messages by whether they had rejects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RejectCounts {
    /// Accepted and rejected messages; tombstones have nothing to reject.
    pub messages: u64,
    /// Those of them with at least one reject record.
    pub with_rejects: u64,
}

impl RejectCounts {
    /// What the ranges of one entry count.
    pub fn of(ranges: &[PartitionRange]) -> Self {
        ranges.iter().fold(Self::default(), |sum, range| {
            sum.plus(Self {
                messages: range.accepted.saturating_add(range.rejected),
                with_rejects: range.accepted_with_rejects.saturating_add(range.rejected),
            })
        })
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            messages: self.messages.saturating_add(other.messages),
            with_rejects: self.with_rejects.saturating_add(other.with_rejects),
        }
    }
}

/// Counts of the last day by effective time, since the last resume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Window {
    steps: VecDeque<(LogTime, RejectCounts)>,
}

impl Window {
    pub(super) fn add(&mut self, time: LogTime, counts: RejectCounts) {
        if counts.messages == 0 {
            return;
        }
        match self.steps.back_mut() {
            Some((last, sum)) if *last == time => *sum = sum.plus(counts),
            _ => self.steps.push_back((time, counts)),
        }
        while self.steps.front().is_some_and(|(oldest, _)| time.utc() - oldest.utc() > LONGEST_WINDOW) {
            self.steps.pop_front();
        }
        if self.steps.len() > STEPS_KEPT {
            self.halve();
        }
    }

    /// Each pair of neighbours becomes one step, at the time of the later.
    fn halve(&mut self) {
        let steps: Vec<_> = self.steps.drain(..).collect();
        let pairs = steps.chunks(2).map(|pair| {
            let sum = pair.iter().fold(RejectCounts::default(), |sum, (_, counts)| sum.plus(*counts));
            (pair.last().expect("a chunk is not empty").0, sum)
        });
        self.steps.extend(pairs);
    }

    pub(super) fn clear(&mut self) {
        self.steps.clear();
    }

    pub(super) fn since(&self, from: LogTime) -> RejectCounts {
        let recent = self.steps.iter().rev().take_while(|(time, _)| *time >= from);
        recent.fold(RejectCounts::default(), |sum, (_, counts)| sum.plus(*counts))
    }
}
