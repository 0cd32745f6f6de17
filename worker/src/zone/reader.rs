//! Reading a zone: its fold and its files. Writes nothing.

use std::ops::Range;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use gristmill_core::log::{Entry, FileEntry, FileKey, Fold, Publication, Sequence, ZoneId};

use super::slots::{Slots, zone_id_in_place};
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
}

/// Entries that a fold has taken, with what makes each visible.
pub(super) type Folded = Vec<(Sequence, Publication)>;

impl ZoneReader {
    /// Opens a zone for reading.
    ///
    /// # Errors
    /// `NotAZone` if there is none; the log is corrupt or of another version; the store fails.
    pub async fn open(surroundings: Surroundings) -> Result<Self, ZoneError> {
        let not_a_zone = |why| ZoneError::NotAZone { zone: surroundings.url.to_string(), why };
        let zone_id = zone_id_in_place(&surroundings).await?;
        let zone_id = zone_id.ok_or_else(|| not_a_zone("it has no _log/zone.json"))?;
        let loaded = Self::load(surroundings.clone(), zone_id).await?;
        loaded.map(|(reader, _)| reader).ok_or_else(|| not_a_zone("its log has no first entry"))
    }

    /// Folds the whole log; `None` if nobody has written a genesis.
    ///
    /// One listing tells how far to read at least, so that opening takes as many rounds as 32 reads at a time need.
    pub(super) async fn load(surroundings: Surroundings, zone_id: ZoneId) -> Result<Option<(Self, Folded)>, ZoneError> {
        let slots = Slots { surroundings, zone_id };
        let head = slots.last_listed().await?.unwrap_or(Sequence::GENESIS);
        let mut entries = stream::iter(0..=head.0).map(|sequence| slots.read(Sequence(sequence))).buffered(AT_A_TIME);
        let Some(genesis) = entries.try_next().await?.flatten() else {
            drop(entries);
            return if head == Sequence::GENESIS { Ok(None) } else { Err(slots.missing(Sequence::GENESIS, head)) };
        };
        let mut fold = Fold::begin(zone_id, &genesis).map_err(|refused| slots.corrupt(refused))?;
        let mut folded = Folded::new();
        while let Some(entry) = entries.try_next().await? {
            let sequence = fold.head().next();
            let entry = entry.ok_or_else(|| slots.missing(sequence, head))?;
            folded.push((sequence, fold.apply(&entry).map_err(|refused| slots.corrupt(refused))?));
        }
        drop(entries);
        let mut reader = Self { slots, fold };
        folded.extend(reader.fold_new().await?);
        Ok(Some((reader, folded)))
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
        self.fold_new().await.map(drop)
    }

    /// Probes the slot after head until one is empty.
    pub(super) async fn fold_new(&mut self) -> Result<Folded, ZoneError> {
        let mut folded = Folded::new();
        while let Some(entry) = self.slots.read(self.fold.head().next()).await? {
            folded.push(self.fold_one(&entry)?);
        }
        Ok(folded)
    }

    pub(super) fn fold_one(&mut self, entry: &Entry) -> Result<(Sequence, Publication), ZoneError> {
        let publication = self.fold.apply(entry).map_err(|refused| self.slots.corrupt(refused))?;
        Ok((self.fold.head(), publication))
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
        let place = self.surroundings().published(file.zone, &file.path);
        ZoneError::LostFile {
            zone: self.surroundings().url.to_string(),
            path: self.surroundings().url.url_of(&place),
            sequence,
            why: why.to_owned(),
        }
    }
}

pub(super) const NOWHERE: &str = "it is neither at its published nor at its staged name";

pub(super) fn wrong_length(found: u64, recorded: u64) -> String {
    format!("it has {found} bytes where {recorded} were committed")
}

impl Slots {
    fn corrupt(&self, source: gristmill_core::log::Refused) -> ZoneError {
        ZoneError::CorruptLog { zone: self.surroundings.url.to_string(), source }
    }

    fn missing(&self, sequence: Sequence, head: Sequence) -> ZoneError {
        ZoneError::MissingEntry { zone: self.surroundings.url.to_string(), sequence, head }
    }
}
