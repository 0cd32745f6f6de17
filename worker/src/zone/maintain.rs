//! Upkeep of a zone by whoever writes to it: publish for others, fence and sweep, delete what was retired, checkpoint.
//!
//! Nothing here is needed for the next commit, and everything here may be done by any writer at any time, twice, or not
//! at all by one that dies: the fold says what is left to do.

use std::collections::{BTreeSet, HashSet};

use chrono::TimeDelta;
use futures::{StreamExt, TryStreamExt, stream};
use gristmill_core::log::{
    Incarnation, LogTime, Refusal, Sequence, Staged, checkpoint_is_due, expired, layout, suspects, to_sweep,
};

use super::reader::AT_A_TIME;
use super::rules::Rule;
use super::{Appended, Surroundings, Zone, ZoneError};
use crate::store::{Listed, ListedKind, StoreError, StorePath};

/// Suspects and retired files are looked for on the first upkeep of a process and then so often.
const LOOK_EVERY: TimeDelta = TimeDelta::hours(1);

/// What one upkeep has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Writers that were put out.
    pub fenced: Vec<Incarnation>,
    /// Writers whose staging was deleted.
    pub swept: Vec<Incarnation>,
    /// The checkpoint that was written.
    pub checkpoint: Option<Sequence>,
    /// This writer was put out itself: it discards what it has, takes a new incarnation and goes on from the fold.
    pub is_fenced: bool,
}

impl Zone {
    /// Does what is due. To be called every few seconds by whoever has a zone open for long, and after a run otherwise.
    ///
    /// # Errors
    /// `Undecided` while an append of the caller's is; as [`Zone::append`] and [`Zone::publish`]. What was done is done,
    /// what was not is done by the next call.
    pub async fn maintain(&mut self) -> Result<Upkeep, ZoneError> {
        self.decide_upkeep().await?;
        if self.undecided.is_some() {
            return Err(self.is_undecided());
        }
        self.refresh().await?;
        self.publish_late().await?;
        let mut upkeep = Upkeep { is_fenced: self.fold().is_fenced(self.incarnation()), ..Upkeep::default() };
        if upkeep.is_fenced {
            return Ok(upkeep);
        }
        if self.look_is_due() {
            self.look(&mut upkeep).await?;
        }
        upkeep.checkpoint = self.write_due_checkpoint().await?;
        Ok(upkeep)
    }

    fn look_is_due(&self) -> bool {
        let now = self.surroundings().now();
        self.looked_at.is_none_or(|last| now.utc() - last.utc() >= LOOK_EVERY)
    }

    /// The hourly look: who is silent, whose staging may go, which retired files no reader has open any more, which days of
    /// RAW are over.
    async fn look(&mut self, upkeep: &mut Upkeep) -> Result<(), ZoneError> {
        let now = self.surroundings().now();
        let staged = self.staged_by_others().await?;
        let is_fenced_first = self.surroundings().rules.hold(Rule::FencedBeforeSwept);
        for suspect in suspects(self.fold(), &staged, self.incarnation()).into_iter().filter(|_| is_fenced_first) {
            match self.fence(suspect).await? {
                Appended::Won(_) => upkeep.fenced.push(suspect),
                Appended::Lost(Refusal::Fenced(_)) => {
                    upkeep.is_fenced = true;
                    return Ok(());
                }
                // Another sweeper was faster.
                Appended::Lost(_) => {}
            }
        }
        upkeep.swept = self.sweep(&staged).await?;
        self.delete_retired().await?;
        self.remove_outlived_directories().await.map_err(|error| self.surroundings().failed(error))?;
        self.looked_at = Some(now);
        Ok(())
    }

    /// Deletes the staging of fenced writers, after what they have committed is published (rule 19).
    async fn sweep(&mut self, staged: &[Staged]) -> Result<Vec<Incarnation>, ZoneError> {
        let others = staged.iter().map(|staged| staged.incarnation);
        let rules = self.surroundings().rules;
        let swept = if rules.hold(Rule::FencedBeforeSwept) {
            to_sweep(self.fold(), others, self.incarnation())
        } else {
            suspects(self.fold(), staged, self.incarnation())
        };
        if swept.is_empty() {
            return Ok(swept);
        }
        if rules.hold(Rule::PublishedBeforeSwept) {
            self.publish_all().await?;
        }
        for incarnation in &swept {
            self.delete_directory(&layout::staging(*incarnation).to_string(), |_| true).await?;
        }
        Ok(swept)
    }

    /// Deletes files that were retired longer than readerGrace ago, by the time of the log: a clock that is ahead deletes
    /// nothing that a scan still reads.
    async fn delete_retired(&mut self) -> Result<(), ZoneError> {
        let surroundings = self.surroundings();
        let root = surroundings.url.directory().join(layout::RETIRED);
        let listed = surroundings.patiently(|| surroundings.store.list(&root)).await;
        let listed = listed.map_err(|error| surroundings.failed(error))?;
        let (now, head) = (self.fold().effective_time(), self.fold().head());
        let grace = TimeDelta::from_std(surroundings.reader_grace).unwrap_or(TimeDelta::MAX);
        let old: Vec<_> = listed
            .into_iter()
            .filter(|listed| layout::retired_sequence(&listed.name).is_some_and(|sequence| sequence <= head))
            .filter(|listed| expired(LogTime::new(listed.modified), now, grace))
            .map(|listed| format!("{}/{}", layout::RETIRED, listed.name))
            .collect();
        if old.is_empty() {
            return Ok(());
        }
        // A retired file is dead by the entry that retired it; that none is live costs one look.
        let live: HashSet<_> = self.fold().live().keys().map(|key| key.path.name().to_owned()).collect();
        for directory in old {
            let is_dead = |name: &str| layout::retired_data_name(name).is_some_and(|name| !live.contains(name));
            self.delete_directory(&directory, is_dead).await?;
        }
        Ok(())
    }

    /// Deletes the files of a directory that may go, and the directory if nothing is left in it.
    async fn delete_directory(&self, directory: &str, may_go: impl Fn(&str) -> bool) -> Result<(), ZoneError> {
        let surroundings = self.surroundings();
        let root = surroundings.url.directory().join(directory);
        let delete = async {
            let listed = surroundings.patiently(|| surroundings.store.list(&root)).await?;
            let files = listed.iter().filter(|listed| may_go(&listed.name)).map(|listed| root.join(&listed.name));
            delete_files(surroundings, files.collect()).await?;
            if surroundings.patiently(|| surroundings.store.list(&root)).await?.is_empty() {
                // Something may come into it meanwhile: a directory that is not empty is left for the next look.
                drop(surroundings.store.delete(&root).await);
            }
            Ok(())
        };
        delete.await.map_err(|error| surroundings.failed(error))
    }

    /// The staging directories of other writers, and when each last changed.
    async fn staged_by_others(&self) -> Result<Vec<Staged>, ZoneError> {
        let surroundings = self.surroundings();
        let root = surroundings.url.directory().join(layout::STAGING);
        let look = async {
            let listed = surroundings.patiently(|| surroundings.store.list(&root)).await?;
            let others =
                listed.into_iter().filter(|listed| listed.kind == ListedKind::Directory).filter_map(|listed| {
                    let incarnation: Incarnation = listed.name.parse().ok()?;
                    (incarnation != self.incarnation()).then_some((incarnation, listed))
                });
            stream::iter(others)
                .map(|(incarnation, listed)| staged(surroundings, root.join(&listed.name), incarnation, listed))
                .buffered(AT_A_TIME)
                .try_collect::<Vec<_>>()
                .await
        };
        look.await.map_err(|error: StoreError| surroundings.failed(error))
    }

    /// Writes the checkpoint of every 256 entries, and truncates.
    ///
    /// Everything up to it is published by then, by us if nobody else has: recovery never looks further back.
    async fn write_due_checkpoint(&mut self) -> Result<Option<Sequence>, ZoneError> {
        let newest = self.reader.slots.newest_checkpoint().await?;
        if !checkpoint_is_due(self.fold().head(), newest, self.surroundings().checkpoint_every) {
            return Ok(None);
        }
        if self.surroundings().rules.hold(Rule::PublishedBeforeCheckpoint) {
            self.forget_published().await?;
            self.publish_all().await?;
            if !self.unpublished.is_empty() {
                // The log went on while it was read again: the next upkeep has another try.
                return Ok(None);
            }
        }
        let head = self.fold().head();
        if self.surroundings().rules.hold(Rule::TruncatedBehindCheckpointOnly) {
            self.reader.slots.write_checkpoint(self.fold(), self.incarnation()).await?;
        }
        self.reader.slots.truncate(head).await?;
        Ok(Some(head))
    }

    /// Publishes entries of others that have waited for too long; most are found to be published by a listing.
    async fn publish_late(&mut self) -> Result<(), ZoneError> {
        if self.late().is_empty() {
            return Ok(());
        }
        self.forget_published().await?;
        let late: BTreeSet<_> = self.late().into_iter().flat_map(|wanted| self.due(wanted)).collect();
        self.publish_each(late).await
    }
}

/// The directory of a writer, and when it or something in it changed last.
pub(super) async fn staged(
    surroundings: &Surroundings,
    place: StorePath,
    incarnation: Incarnation,
    directory: Listed,
) -> Result<Staged, StoreError> {
    let files = surroundings.patiently(|| surroundings.store.list(&place)).await?;
    let newest = files.iter().map(|file| file.modified).fold(directory.modified, Ord::max);
    Ok(Staged { incarnation, newest: LogTime::new(newest) })
}

pub(super) async fn delete_files(surroundings: &Surroundings, files: Vec<StorePath>) -> Result<(), StoreError> {
    let deletions = stream::iter(files)
        .map(|path| async move { surroundings.patiently(|| surroundings.store.delete(&path)).await });
    deletions.buffer_unordered(AT_A_TIME).try_collect().await
}
