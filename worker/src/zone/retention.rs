//! Files whose time has come leave the zone: an entry says so, publishing it retires them, a later look deletes them.
//!
//! A file that is to be archived is copied and compared first (`archive.rs`). So a crash leaves at most a copy too many
//! before the entry, and after it what every opening finishes.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use gristmill_core::log::{
    Expiry, FileKey, FileZone, Genesis, LiveFile, Refusal, RemovalReason, Remove, RemovedFile, RetentionAges, Sequence,
    Signs, expiry_without, outlived, still_due,
};
use gristmill_crds::plan::{FileEnd, IngestPlan};

use super::archive::{Archive, Archived, keys};
use super::{Appended, Zone, ZoneError};
use crate::store::{ListedKind, StoreError, StorePath};

/// How long the files of a RAW zone stay, and what becomes of them.
#[derive(Debug, Clone, Default)]
pub struct Retention {
    /// How long.
    pub ages: RetentionAges,
    /// Where files of rows are copied before they go; rejects are never archived.
    pub archive: Option<Archive>,
}

impl Retention {
    /// That of a plan. `open` opens the archive, if it names one.
    ///
    /// # Errors
    /// As `open`.
    pub fn of<E>(plan: &IngestPlan, open: impl FnOnce(&str) -> Result<Archive, E>) -> Result<Self, E> {
        // Beyond some hundred thousand years nothing is ever old enough.
        let age = |after| TimeDelta::from_std(after).unwrap_or(TimeDelta::MAX);
        let raw = plan.retention.as_ref();
        let archive = match raw.map(|retention| &retention.end) {
            Some(FileEnd::Archive(url)) => Some(open(url)?),
            Some(FileEnd::Delete) | None => None,
        };
        let ages = RetentionAges {
            raw: raw.map(|retention| age(retention.after)),
            rejected: plan.rejected.retention.map(age),
        };
        Ok(Self { ages, archive })
    }

    /// Whether everything stays for ever.
    pub fn keeps_all(&self) -> bool {
        self.ages == RetentionAges::default()
    }

    /// The files of a pass by what comes first: those to be copied, and those that may go at once.
    pub fn split(&self, due: Vec<LiveFile>) -> (Vec<LiveFile>, Vec<LiveFile>) {
        due.into_iter().partition(|live| self.archive.is_some() && live.file.zone == FileZone::Raw)
    }
}

/// What became of a removal.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a removal may not have happened"]
pub enum Removal {
    /// None of the files may leave any more, if there were any: others were faster, or a consumer needs them now.
    Nothing,
    /// An entry says that they have left.
    Done(Removed),
    /// Others have moved the zone on between the last look and the entry: the next pass looks again.
    Overtaken(Refusal),
    /// This writer was put out: it takes a new incarnation before it removes anything.
    Fenced,
}

/// Files that have left a zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Removed {
    /// The entry that says so.
    pub sequence: Sequence,
    /// The files.
    pub files: Vec<LiveFile>,
}

impl Removed {
    /// Bytes of the files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|live| live.file.bytes).sum()
    }
}

impl Zone {
    /// What retention would do now, leaving aside files that were put off.
    pub fn expiry(&self, ages: &RetentionAges, put_off: &BTreeSet<FileKey>) -> Expiry {
        expiry_without(self.fold(), ages, self.now(), put_off)
    }

    /// What the log tells of writers now.
    pub fn signs(&self) -> Signs {
        Signs::of(self.fold(), self.incarnation())
    }

    /// What was not archived, without files that others have taken off the zone meanwhile: such a file is found nowhere,
    /// and so is one that is lost.
    ///
    /// # Errors
    /// The log can't be read.
    pub async fn judge_archived(&mut self, archived: Archived) -> Result<Archived, ZoneError> {
        if !archived.misses_a_file() {
            return Ok(archived);
        }
        self.refresh().await?;
        Ok(archived.without_left(self.fold()))
    }

    /// Takes files off the zone, by one entry. Those that were archived have their verified copy there.
    ///
    /// They are judged again first: since they were chosen, copying them may have taken hours.
    ///
    /// # Errors
    /// As [`Zone::append`] and [`Zone::publish`]: what stands in the log is finished by whoever comes next.
    pub async fn remove_expired(
        &mut self,
        ages: &RetentionAges,
        files: &[LiveFile],
        archive: Option<&Archive>,
    ) -> Result<Removal, ZoneError> {
        if files.is_empty() {
            return Ok(Removal::Nothing);
        }
        // Not behind an earlier removal that may still land.
        self.decide_upkeep().await?;
        self.refresh().await?;
        let files = still_due(self.fold(), ages, self.now(), files);
        if files.is_empty() {
            return Ok(Removal::Nothing);
        }
        let removed = keys(&files).into_iter().map(|key| RemovedFile { zone: key.zone, path: key.path }).collect();
        let archive = archive.map(|archive| archive.url().to_string());
        let remove = Remove { files: removed, reason: RemovalReason::Retention, archive };
        match self.remove(remove).await? {
            Appended::Won(sequence) => {
                self.publish(sequence).await?;
                self.remove_empty_directories(&files).await.map_err(|error| self.surroundings().failed(error))?;
                Ok(Removal::Done(Removed { sequence, files }))
            }
            Appended::Lost(Refusal::Fenced(_)) => Ok(Removal::Fenced),
            Appended::Lost(refusal) => Ok(Removal::Overtaken(refusal)),
        }
    }

    /// Removes hours, and days, in which nothing is left. Never with what is in them: who publishes into one makes it again.
    async fn remove_empty_directories(&self, files: &[LiveFile]) -> Result<(), StoreError> {
        let parent = |live: &LiveFile| {
            let directory = live.file.path.as_str().rsplit_once('/').map(|(directory, _)| directory.to_owned());
            directory.map(|directory| (live.file.zone, directory))
        };
        let hours: BTreeSet<_> = files.iter().filter_map(parent).collect();
        for (zone, hour) in &hours {
            self.remove_if_empty(&self.surroundings().published_root(*zone).join(hour)).await?;
        }
        self.remove_outlived_directories().await
    }

    /// Removes days, and the hours in them, before every live file: a crash may have left them with nothing inside.
    pub(super) async fn remove_outlived_directories(&self) -> Result<(), StoreError> {
        if !matches!(self.fold().genesis(), Genesis::Raw(_)) {
            return Ok(());
        }
        for zone in [FileZone::Raw, FileZone::Rejected] {
            let root = self.surroundings().published_root(zone);
            let days = self.directories_in(&root).await?;
            for day in outlived(self.fold(), zone, &days) {
                let day = root.join(day);
                for hour in self.directories_in(&day).await? {
                    self.remove_if_empty(&day.join(&hour)).await?;
                }
                self.remove_if_empty(&day).await?;
            }
        }
        Ok(())
    }

    async fn directories_in(&self, directory: &StorePath) -> Result<Vec<String>, StoreError> {
        let surroundings = self.surroundings();
        let listed = surroundings.patiently(|| surroundings.store.list(directory)).await?;
        Ok(listed.into_iter().filter(|one| one.kind == ListedKind::Directory).map(|one| one.name).collect())
    }

    async fn remove_if_empty(&self, directory: &StorePath) -> Result<(), StoreError> {
        let surroundings = self.surroundings();
        if surroundings.patiently(|| surroundings.store.list(directory)).await?.is_empty() {
            // Something may come into it meanwhile; a directory that is not empty stays.
            drop(surroundings.store.delete(directory).await);
        }
        Ok(())
    }
}
