//! Upkeep of a zone: whom to suspect, what to sweep, when to write a checkpoint, and what may go.
//!
//! Age decides who is suspected, and how long a retired file stays. What is deleted is decided by the log alone: a
//! writer that is only slow loses its incarnation, never its rows.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::fold::Fold;
use super::names::{Incarnation, LogTime, Sequence};

/// A checkpoint is written every so many entries: opening a zone reads at most that many and those that came since.
pub const CHECKPOINT_EVERY: u64 = 256;
/// Entries below the newest checkpoint that stay, for readers that are slow; safety does not need them.
pub const ENTRIES_KEPT: u64 = 1000;
/// A writer that has neither appended nor staged anything for so long is suspected: twelve times the default maxAge.
const SILENT_FOR: TimeDelta = TimeDelta::hours(1);

/// A writer that has given no sign for so long copies nothing for an archive any more: 8 GiB, the largest file, take two
/// hours at 1 MB/s.
const COPIES_NOTHING_FOR: TimeDelta = TimeDelta::days(1);

/// The staging directory of a writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staged {
    /// Whose it is.
    pub incarnation: Incarnation,
    /// When it or something in it was last changed, by the store's clock.
    pub newest: LogTime,
}

/// The writers to fence: silent in the log and in their staging for an hour of effective time (rule 19).
///
/// Effective time stands still while nobody commits, so that a zone at rest suspects nobody.
pub fn suspects(fold: &Fold, staged: &[Staged], own: Incarnation) -> Vec<Incarnation> {
    let now = fold.effective_time().utc();
    let is_silent = |Staged { incarnation, newest }: &&Staged| {
        let committed = fold.last_commits().get(incarnation).map(|last| last.time);
        let last_sign = committed.map_or(*newest, |committed| committed.max(*newest));
        now - last_sign.utc() >= SILENT_FOR
    };
    let others = staged.iter().filter(|staged| staged.incarnation != own && !fold.is_fenced(staged.incarnation));
    others.filter(is_silent).map(|staged| staged.incarnation).collect()
}

/// The writers whose staging may go: those that are fenced. Also a second time, since a slow one may have put more there.
pub fn to_sweep(fold: &Fold, staged: impl IntoIterator<Item = Incarnation>, own: Incarnation) -> Vec<Incarnation> {
    staged.into_iter().filter(|incarnation| *incarnation != own && fold.is_fenced(*incarnation)).collect()
}

/// What the log tells of writers at one moment, for work that outlives the look at it.
#[derive(Debug, Clone)]
pub struct Signs {
    own: Incarnation,
    now: LogTime,
    fenced: BTreeSet<Incarnation>,
    appended: BTreeMap<Incarnation, LogTime>,
}

impl Signs {
    /// Those of a log, read by one of its writers.
    pub fn of(fold: &Fold, own: Incarnation) -> Self {
        let appended = fold.last_commits().iter().map(|(writer, last)| (*writer, last.time));
        let fenced = fold.fenced().keys().copied().collect();
        Self { own, now: fold.effective_time(), fenced, appended: appended.collect() }
    }

    /// The writer that has read them.
    pub fn own(&self) -> Incarnation {
        self.own
    }

    /// The writers whose unfinished copies for an archive may go: those that are fenced, and those without a sign in log
    /// and copies for a day of effective time.
    ///
    /// Here age may decide alone, unlike in `_staging`: no entry ever names an unfinished copy, so that a writer that is
    /// only slow loses nothing but the work. One that has never appended is fenced by nobody, and would stay for ever.
    pub fn abandoned(&self, copying: &[Staged]) -> Vec<Incarnation> {
        let is_silent = |Staged { incarnation, newest }: &Staged| {
            let last_sign = self.appended.get(incarnation).map_or(*newest, |appended| *appended.max(newest));
            self.now.utc() - last_sign.utc() >= COPIES_NOTHING_FOR
        };
        let others = copying.iter().filter(|copying| copying.incarnation != self.own);
        let may_go = |copying: &&Staged| self.fenced.contains(&copying.incarnation) || is_silent(copying);
        others.filter(may_go).map(|copying| copying.incarnation).collect()
    }
}

/// Whether a multiple of `every`, 256, has been passed since the newest checkpoint.
///
/// The committer of that entry writes it; if it can't, whoever commits next.
pub fn checkpoint_is_due(head: Sequence, newest: Option<Sequence>, every: u64) -> bool {
    let last_multiple = head.0 - head.0 % every.max(1);
    last_multiple > newest.map_or(0, |newest| newest.0)
}

/// What may be deleted below a checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Truncation {
    /// Slots, oldest first.
    pub slots: Vec<Sequence>,
    /// Checkpoints, oldest first.
    pub checkpoints: Vec<Sequence>,
}

/// Below a checkpoint that stands under its name: older checkpoints, and entries but for the last `kept` (rule 4).
pub fn to_truncate(
    checkpoint: Sequence,
    slots: impl IntoIterator<Item = Sequence>,
    checkpoints: impl IntoIterator<Item = Sequence>,
    kept: u64,
) -> Truncation {
    let keep_from = (checkpoint.0 + 1).saturating_sub(kept);
    let mut slots: Vec<_> = slots.into_iter().filter(|slot| slot.0 < keep_from).collect();
    let mut checkpoints: Vec<_> = checkpoints.into_iter().filter(|older| *older < checkpoint).collect();
    slots.sort_unstable();
    checkpoints.sort_unstable();
    Truncation { slots, checkpoints }
}

/// Whether what was retired then may be deleted now.
pub fn expired(retired_at: LogTime, now: LogTime, reader_grace: TimeDelta) -> bool {
    now.utc() - retired_at.utc() >= reader_grace
}
