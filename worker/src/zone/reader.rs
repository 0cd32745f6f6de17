//! Reading a zone: its fold and its files. Writes nothing.

use std::ops::Range;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use gristmill_core::log::{Entry, FileEntry, FileKey, Fold, Publication, Sequence, is_overtaken};

use super::rules::Rule;
use super::slots::{Slots, zone_id_in_place};
use super::surroundings::FIRST_PAUSE;
use super::{Surroundings, ZoneError};
use crate::store::{StoreError, StoreErrorKind, StorePath};

/// Store operations of one kind that run at a time: enough to hide the latency of HDFS, few enough for a NameNode.
pub(super) const AT_A_TIME: usize = 32;
/// Times that a read looks for a file again: it is renamed once when it is published, and a second time leaves it dead.
const LOOKS: usize = 3;

/// A zone that is open for reading.
pub struct ZoneReader {
    pub(super) slots: Slots,
    pub(super) fold: Fold,
    /// The last entry that a listing of checkpoints has proven to be no name that was created a second time (rule 5).
    verified: Sequence,
    /// What was folded since the writing side last asked.
    news: News,
}

/// Entries that a fold has taken, with what makes each visible.
pub(super) type Folded = Vec<(Sequence, Publication)>;

/// What became of a fold since it was last asked.
#[derive(Default)]
pub(super) struct News {
    /// It began again from a checkpoint: everything up to it is published, and what was folded before is no longer known.
    pub(super) restarted_at: Option<Sequence>,
    /// Entries that were folded, after that checkpoint.
    pub(super) folded: Folded,
}

/// Times that a log is read again before it is called corrupt: an Observer NameNode may not have seen its last entries.
const READINGS: usize = 4;

impl ZoneReader {
    /// Opens a zone for reading.
    ///
    /// # Errors
    /// `NotAZone` if there is none; the log is corrupt or of another version; the store fails.
    pub async fn open(surroundings: Surroundings) -> Result<Self, ZoneError> {
        let not_a_zone = |why| ZoneError::NotAZone { zone: surroundings.url.to_string(), why };
        let zone_id = zone_id_in_place(&surroundings).await?;
        let zone_id = zone_id.ok_or_else(|| not_a_zone("it has no _log/zone.json"))?;
        let loaded = Self::load(Slots { surroundings: surroundings.clone(), zone_id }).await?;
        loaded
            .map(|reader| Self { news: News::default(), ..reader })
            .ok_or_else(|| not_a_zone("its log has no first entry"))
    }

    /// A zone that is not there, with this beginning.
    pub(super) fn imagined(slots: Slots, genesis: &Entry) -> Self {
        let fold = Fold::begin(slots.zone_id, genesis).expect("a genesis of this zone begins it");
        Self { slots, verified: fold.head(), fold, news: News::default() }
    }

    /// Opens a zone as it was at an entry. Files that left it later may be gone.
    ///
    /// # Errors
    /// As [`Self::open`]; `NoSuchEntry` if the log does not reach so far, or what led to the entry is truncated.
    pub async fn open_at(surroundings: Surroundings, at: Sequence) -> Result<Self, ZoneError> {
        let newest = Self::open(surroundings).await?;
        let (slots, head) = (newest.slots, newest.fold.head());
        let none = |why| ZoneError::NoSuchEntry { zone: slots.surroundings.url.to_string(), sequence: at, head, why };
        if at > head {
            return Err(none("it is not written yet"));
        }
        let truncated = "it lies before the oldest checkpoint that is kept";
        let checkpoint = slots.newest_checkpoint().await?.filter(|checkpoint| *checkpoint <= at);
        let folded = match checkpoint {
            Some(checkpoint) => slots.read_checkpoint(checkpoint).await?,
            None => match slots.read(Sequence::GENESIS).await? {
                Some(genesis) => Some(Fold::begin(slots.zone_id, &genesis).map_err(|refused| slots.corrupt(refused))?),
                None => None,
            },
        };
        let fold = folded.ok_or_else(|| none(truncated))?;
        let mut reader = Self { slots: slots.clone(), verified: fold.head(), fold, news: News::default() };
        while reader.fold.head() < at {
            let entry = slots.read(reader.fold.head().next()).await?.ok_or_else(|| none(truncated))?;
            reader.fold_one(&entry)?;
        }
        Ok(Self { news: News::default(), ..reader })
    }

    /// Folds the log from its newest checkpoint, and looks for a newer one when that is done (rule 20); `None` if nobody
    /// has written a genesis.
    pub(super) async fn load(slots: Slots) -> Result<Option<Self>, ZoneError> {
        let mut newest = slots.newest_checkpoint().await?;
        let mut left = READINGS;
        loop {
            let read = Self::read_from(&slots, newest).await?;
            let now = slots.newest_checkpoint().await?;
            if is_overtaken(newest, now) && slots.surroundings.rules.hold(Rule::FoldIsVerified) {
                newest = now;
                continue;
            }
            match read {
                Read::Whole(mut reader) => {
                    reader.verified = reader.fold.head();
                    return Ok(Some(*reader));
                }
                Read::Nothing => return Ok(None),
                Read::Broken(error) => {
                    left -= 1;
                    if left == 0 {
                        return Err(error);
                    }
                    slots.surroundings.clock.sleep(FIRST_PAUSE).await;
                }
            }
        }
    }

    /// Reads a checkpoint and what comes after it.
    ///
    /// One listing tells how far to read at least, so that opening takes as many rounds as 32 reads at a time need.
    async fn read_from(slots: &Slots, checkpoint: Option<Sequence>) -> Result<Read, ZoneError> {
        let listed = slots.last_listed().await?;
        let first = checkpoint.map_or(Sequence::GENESIS, Sequence::next);
        let last = listed.unwrap_or(Sequence::GENESIS);
        let mut entries =
            stream::iter(first.0..=last.0).map(|sequence| slots.read(Sequence(sequence))).buffered(AT_A_TIME);
        let fold = match checkpoint {
            Some(sequence) => match slots.read_checkpoint(sequence).await? {
                Some(fold) => fold,
                None => return Ok(Read::Broken(slots.missing(sequence, last))),
            },
            None => {
                let Some(genesis) = entries.try_next().await?.flatten() else {
                    let nothing = last == Sequence::GENESIS;
                    return Ok(if nothing {
                        Read::Nothing
                    } else {
                        Read::Broken(slots.missing(Sequence::GENESIS, last))
                    });
                };
                match Fold::begin(slots.zone_id, &genesis) {
                    Ok(fold) => fold,
                    Err(refused) => return Ok(Read::Broken(slots.corrupt(refused))),
                }
            }
        };
        let news = News { restarted_at: checkpoint, folded: Folded::new() };
        let mut reader = Self { slots: slots.clone(), verified: fold.head(), fold, news };
        while let Some(entry) = entries.try_next().await? {
            let Some(entry) = entry else {
                return Ok(Read::Broken(slots.missing(reader.fold.head().next(), last)));
            };
            if let Err(error) = reader.fold_one(&entry) {
                return Ok(Read::Broken(error));
            }
        }
        drop(entries);
        Ok(match reader.probe().await? {
            Some(refused) => Read::Broken(refused),
            None => Read::Whole(Box::new(reader)),
        })
    }

    /// What the log says, as far as it was read.
    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Where the zone is.
    pub fn surroundings(&self) -> &Surroundings {
        &self.slots.surroundings
    }

    /// Reads the entries that came since.
    ///
    /// # Errors
    /// The log is corrupt or of another version, or the store fails.
    pub async fn refresh(&mut self) -> Result<(), ZoneError> {
        let caught_up = self.catch_up().await;
        self.news = News::default();
        caught_up
    }

    /// Folds to head, THEN lists checkpoints: one that is newer than what was last verified says that names below it may
    /// have been created a second time, by a writer that slept. The fold then begins again from it (rule 5).
    pub(super) async fn catch_up(&mut self) -> Result<(), ZoneError> {
        let refused = self.probe().await?;
        if self.slots.surroundings.rules.hold(Rule::FoldIsVerified) {
            let newest = self.slots.newest_checkpoint().await?;
            if is_overtaken(Some(self.verified), newest) || refused.is_some() {
                return self.restart().await;
            }
        } else if let Some(refused) = refused {
            return Err(refused);
        }
        self.verified = self.fold.head();
        Ok(())
    }

    /// Begins again from the newest checkpoint.
    pub(super) async fn restart(&mut self) -> Result<(), ZoneError> {
        let loaded = Self::load(self.slots.clone()).await?;
        let Self { fold, verified, news, slots: _ } = loaded.ok_or_else(|| self.slots.replaced())?;
        // A reading without any checkpoint begins at genesis, and knows nothing to be published.
        let restarted_at = news.restarted_at.or(Some(Sequence::GENESIS));
        *self = Self { fold, verified, news: News { restarted_at, ..news }, slots: self.slots.clone() };
        Ok(())
    }

    /// Takes what was folded and verified since this was last asked.
    pub(super) fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }

    /// Folds the slots after head until one is empty, or gives the entry that may not follow.
    async fn probe(&mut self) -> Result<Option<ZoneError>, ZoneError> {
        while let Some(entry) = self.slots.read(self.fold.head().next()).await? {
            if let Err(refused) = self.fold_one(&entry) {
                return Ok(Some(refused));
            }
        }
        Ok(None)
    }

    /// Takes our own entry, which has just won the next slot, after a listing has shown no checkpoint above it.
    pub(super) fn take_own(&mut self, entry: &Entry) -> Result<(), ZoneError> {
        self.fold_one(entry)?;
        self.verified = self.fold.head();
        Ok(())
    }

    fn fold_one(&mut self, entry: &Entry) -> Result<(), ZoneError> {
        let publication = self.fold.apply(entry).map_err(|refused| self.slots.corrupt(refused))?;
        self.news.folded.push((self.fold.head(), publication));
        Ok(())
    }

    /// Where a live file is now: at its published or still at its staged name. It may be published a moment later.
    ///
    /// # Errors
    /// `LostFile` if it is at neither with its recorded length, or the store fails.
    pub async fn locate(&self, file: &FileEntry) -> Result<StorePath, ZoneError> {
        let surroundings = self.surroundings();
        let published = surroundings.published(file.zone, &file.path);
        // Published again last: between the first two looks it may have been renamed from one to the other.
        for place in [&published, &surroundings.path(&file.staged), &published] {
            let length = surroundings.patiently(|| surroundings.store.length(place)).await;
            match length.map_err(|error| surroundings.failed(error))? {
                Some(length) if length == file.bytes => return Ok(place.clone()),
                Some(length) => return Err(self.lost(file, &wrong_length(length, file.bytes))),
                None => {}
            }
        }
        Err(self.lost(file, NOWHERE))
    }

    /// Reads a whole live file, wherever it is.
    ///
    /// # Errors
    /// As [`Self::locate`].
    pub async fn read(&self, file: &FileEntry) -> Result<Bytes, ZoneError> {
        self.read_range(file, 0..file.bytes).await
    }

    /// Reads a range of a live file, wherever it is.
    ///
    /// # Errors
    /// As [`Self::locate`].
    pub async fn read_range(&self, file: &FileEntry, range: Range<u64>) -> Result<Bytes, ZoneError> {
        let surroundings = self.surroundings();
        for _ in 0..LOOKS {
            let place = self.locate(file).await?;
            let read = surroundings.patiently(|| surroundings.store.read_range(&place, range.clone())).await;
            match read {
                Err(StoreError { kind: StoreErrorKind::NotFound, .. }) => {}
                read => return read.map_err(|error| surroundings.failed(error)),
            }
        }
        Err(self.lost(file, "it was renamed whenever it was looked for"))
    }

    /// The error for a file that is not what was committed.
    pub(super) fn lost(&self, file: &FileEntry, why: &str) -> ZoneError {
        let key = FileKey { zone: file.zone, path: file.path.clone() };
        let sequence = self.fold.live().get(&key).map_or(self.fold.head(), |live| live.sequence);
        self.surroundings().lost(file, sequence, why)
    }
}

pub(super) const NOWHERE: &str = "it is neither at its published nor at its staged name";

pub(super) fn wrong_length(found: u64, recorded: u64) -> String {
    format!("it has {found} bytes where {recorded} were committed")
}

/// What one reading of the log found.
enum Read {
    Whole(Box<ZoneReader>),
    /// Neither a checkpoint nor a genesis.
    Nothing,
    /// A checkpoint or an entry was not where it had to be, or may not follow the others. Truncation looks like that, and
    /// a newer checkpoint then tells.
    Broken(ZoneError),
}

impl Slots {
    fn corrupt(&self, source: gristmill_core::log::Refused) -> ZoneError {
        ZoneError::CorruptLog { zone: self.surroundings.url.to_string(), source }
    }

    fn missing(&self, sequence: Sequence, head: Sequence) -> ZoneError {
        ZoneError::MissingEntry { zone: self.surroundings.url.to_string(), sequence, head }
    }
}
