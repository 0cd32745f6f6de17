//! Files whose time has come leave the zone: an entry says so, publishing it retires them, a later look deletes them.
//!
//! A file that is to be archived is copied and compared first (`archive.rs`). So a crash leaves at most a copy too many
//! before the entry, and after it what every opening finishes.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use gristmill_core::log::{
    Expiry, FileZone, Genesis, LiveFile, Refusal, RemovalReason, Remove, RemovedFile, RetentionAges, Sequence, expiry,
    outlived,
};
use gristmill_crds::plan::{FileEnd, IngestPlan};

use super::archive::{Archive, keys};
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Its entry; none if there was nothing to remove, or others have moved the zone on: the next pass looks again.
    pub sequence: Option<Sequence>,
    /// Files that left.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// This writer was put out.
    pub is_fenced: bool,
}

impl Removed {
    /// Adds what another removal of the same pass did.
    pub fn add(&mut self, other: Self) {
        let Self { sequence, files, bytes, is_fenced } = other;
        self.sequence = sequence.or(self.sequence);
        self.files += files;
        self.bytes += bytes;
        self.is_fenced |= is_fenced;
    }
}

impl Zone {
    /// What retention would do now.
    pub fn expiry(&self, ages: &RetentionAges) -> Expiry {
        expiry(self.fold(), ages, self.now())
    }

    /// Takes files off the zone, by one entry. Those that were archived have their verified copy there.
    ///
    /// # Errors
    /// As [`Zone::append`] and [`Zone::publish`]: what stands in the log is finished by whoever comes next.
    pub async fn remove_expired(
        &mut self,
        files: &[LiveFile],
        archive: Option<&Archive>,
    ) -> Result<Removed, ZoneError> {
        if files.is_empty() {
            return Ok(Removed::default());
        }
        let removed = keys(files).into_iter().map(|key| RemovedFile { zone: key.zone, path: key.path }).collect();
        let archive = archive.map(|archive| archive.url().to_string());
        let remove = Remove { files: removed, reason: RemovalReason::Retention, archive };
        match self.remove(remove).await? {
            Appended::Won(sequence) => {
                self.publish(sequence).await?;
                self.remove_empty_directories(files).await.map_err(|error| self.surroundings().failed(error))?;
                let bytes = files.iter().map(|live| live.file.bytes).sum();
                Ok(Removed { sequence: Some(sequence), files: files.len() as u64, bytes, is_fenced: false })
            }
            Appended::Lost(Refusal::Fenced(_)) => Ok(Removed { is_fenced: true, ..Removed::default() }),
            // Another worker was faster, or a consumer has registered.
            Appended::Lost(refusal) => {
                tracing::debug!(%refusal, "removal is decided anew");
                Ok(Removed::default())
            }
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
