//! Reading a zone: its fold and its files. Writes nothing.

use std::ops::Range;

use bytes::Bytes;
use gristmill_core::log::{FileEntry, Fold};

use super::{Surroundings, ZoneError};
use crate::store::StorePath;

/// A zone that is open for reading.
pub struct ZoneReader {
    #[expect(dead_code)]
    surroundings: Surroundings,
    fold: Fold,
}

impl ZoneReader {
    /// Opens a zone for reading.
    ///
    /// # Errors
    /// `NotAZone` if there is none; the log is corrupt or of another version; the store fails.
    pub async fn open(_surroundings: Surroundings) -> Result<Self, ZoneError> {
        todo!()
    }

    /// What the log says, as far as it was read.
    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Reads the entries that came since.
    ///
    /// # Errors
    /// The log is corrupt or of another version, or the store fails.
    pub async fn refresh(&mut self) -> Result<(), ZoneError> {
        todo!()
    }

    /// Where a live file is now: at its published or still at its staged name. It may be published a moment later.
    ///
    /// # Errors
    /// `LostFile` if it is at neither with its recorded length, or the store fails.
    pub async fn locate(&self, _file: &FileEntry) -> Result<StorePath, ZoneError> {
        todo!()
    }

    /// Reads a whole live file, wherever it is.
    ///
    /// # Errors
    /// As [`Self::locate`].
    pub async fn read(&self, _file: &FileEntry) -> Result<Bytes, ZoneError> {
        todo!()
    }

    /// Reads a range of a live file, wherever it is.
    ///
    /// # Errors
    /// As [`Self::locate`].
    pub async fn read_range(&self, _file: &FileEntry, _range: Range<u64>) -> Result<Bytes, ZoneError> {
        todo!()
    }
}
