//! Which files of a RAW zone have had their time, and what holds those that stay all the same (F20, F30).
//!
//! Age counts from the effective time of the entry that added a file; a consumer that has not passed a file holds it,
//! whatever its age. Nobody consumes rejected files, so that nothing holds them.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::entry::FileZone;
use super::fold::{ConsumerState, FileKey, Fold, LiveFile};
use super::names::LogTime;

/// Files that leave in one pass, at the most: an entry of them has about 300 kB, and publishing it takes seconds.
pub const FILES_A_PASS: usize = 1000;

/// A consumer that has not moved on for so long is called silent: an hourly one has then missed 168 runs.
const SILENT_AFTER: TimeDelta = TimeDelta::days(7);

/// How long the files of a RAW zone stay; `None` keeps them for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetentionAges {
    /// Files of rows.
    pub raw: Option<TimeDelta>,
    /// Files of rejects.
    pub rejected: Option<TimeDelta>,
}

/// What retention would do now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expiry {
    /// Files that may leave, rejects first and then the oldest; at most [`FILES_A_PASS`].
    pub due: Vec<LiveFile>,
    /// Files that may leave and are more than one pass takes.
    pub later: u64,
    /// What holds files whose time has come; `None` if nothing does.
    pub held: Option<Holder>,
}

/// The consumer that holds files whose time has come: of several the one that is furthest behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// What users call it.
    pub name: String,
    /// The last entry that it has consumed; -1 before the first.
    pub position: i64,
    /// When it registered or last moved on.
    pub advanced_at: LogTime,
    /// Whether that was more than 7 days ago.
    pub is_silent: bool,
    /// Files that are held, by whichever consumer.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Holder {
    /// The holder in a few words: its name, and since when it is silent.
    pub fn describe(&self) -> String {
        let Self { name, advanced_at, is_silent, .. } = self;
        if *is_silent { format!("{name} (silent since {advanced_at})") } else { name.clone() }
    }
}

/// Decides what leaves at this time.
///
/// `now` is the time that an entry would have if it were appended now: a zone at rest grows older too, and a clock that
/// is far off appends nothing.
pub fn expiry(fold: &Fold, ages: &RetentionAges, now: LogTime) -> Expiry {
    expiry_without(fold, ages, now, &BTreeSet::new())
}

/// As [`expiry`], and leaves aside files that the caller has put off: they take no place of a pass.
pub fn expiry_without(fold: &Fold, ages: &RetentionAges, now: LogTime, put_off: &BTreeSet<FileKey>) -> Expiry {
    let judge = Judge::new(fold, ages, now);
    let old = fold.live().iter().filter(|(_, live)| judge.has_come(live));
    let (mut due, held): (Vec<_>, Vec<_>) = old.partition(|(_, live)| judge.is_passed(live));
    due.retain(|(key, _)| !put_off.contains(key));
    let mut due: Vec<_> = due.into_iter().map(|(_, live)| live).collect();
    due.sort_by(|a, b| (a.sequence, &a.file.path).cmp(&(b.sequence, &b.file.path)));
    // Rejects first: they go by age alone, and RAW files may wait for an archive that is away.
    due.sort_by_key(|live| live.file.zone != FileZone::Rejected);
    let held: Vec<_> = held.into_iter().map(|(_, live)| live).collect();
    Expiry {
        later: due.len().saturating_sub(FILES_A_PASS) as u64,
        due: due.into_iter().take(FILES_A_PASS).cloned().collect(),
        held: judge.slowest.filter(|_| !held.is_empty()).map(|consumer| holder(consumer, &held, judge.now)),
    }
}

/// Those of some files that may leave at this time: they were judged before, and work has taken time since. A consumer
/// may have registered, another worker may have been faster, and a clock that was ahead may have been set right.
pub fn still_due(fold: &Fold, ages: &RetentionAges, now: LogTime, files: &[LiveFile]) -> Vec<LiveFile> {
    let judge = Judge::new(fold, ages, now);
    let is_live = |live: &&LiveFile| fold.live().get(&live.key()) == Some(live);
    files.iter().filter(is_live).filter(|live| judge.has_come(live) && judge.is_passed(live)).cloned().collect()
}

/// What files are judged by.
struct Judge<'f> {
    ages: &'f RetentionAges,
    now: LogTime,
    /// The consumer that is furthest behind.
    slowest: Option<&'f ConsumerState>,
}

impl<'f> Judge<'f> {
    fn new(fold: &'f Fold, ages: &'f RetentionAges, now: LogTime) -> Self {
        let slowest = fold.consumers().values().min_by_key(|consumer| (consumer.position, consumer.advanced_at));
        Self { ages, now: now.max(fold.effective_time()), slowest }
    }

    fn has_come(&self, live: &LiveFile) -> bool {
        let after = match live.file.zone {
            FileZone::Raw => self.ages.raw,
            FileZone::Rejected => self.ages.rejected,
            FileZone::Processed => None,
        };
        after.is_some_and(|after| self.now.utc() - live.time.utc() >= after)
    }

    fn is_passed(&self, live: &LiveFile) -> bool {
        live.file.zone == FileZone::Rejected
            || self.slowest.is_none_or(|consumer| consumer.position >= live.sequence.position())
    }
}

fn holder(consumer: &ConsumerState, held: &[&LiveFile], now: LogTime) -> Holder {
    let ConsumerState { name, position, advanced_at } = consumer;
    Holder {
        name: name.clone(),
        position: *position,
        advanced_at: *advanced_at,
        is_silent: now.utc() - advanced_at.utc() >= SILENT_AFTER,
        files: held.len() as u64,
        bytes: held.iter().map(|live| live.file.bytes).sum(),
    }
}

/// The oldest live file of rows: when its entry was appended.
pub fn oldest_file(fold: &Fold) -> Option<LogTime> {
    let rows = fold.live().values().filter(|live| live.file.zone == FileZone::Raw);
    rows.map(|live| live.time).min()
}

/// Directories that hold no live file of their zone and lie before all that do: they may be empty for good.
///
/// Directories are named by date and hour, so that the order of their names is that of time. `listed` are names directly
/// in the zone's directory.
pub fn outlived<'a>(fold: &Fold, zone: FileZone, listed: &'a [String]) -> Vec<&'a str> {
    let top = |key: &FileKey| key.path.as_str().split_once('/').map_or("", |(first, _)| first).to_owned();
    let oldest = fold.live().keys().filter(|key| key.zone == zone).map(top).min();
    let today = format!("ingest_date={}", fold.effective_time().utc().date_naive());
    let before = oldest.map_or(today.clone(), |oldest| oldest.min(today));
    let is_older = |name: &&str| name.starts_with("ingest_date=") && **name < *before;
    listed.iter().map(String::as_str).filter(is_older).collect()
}
