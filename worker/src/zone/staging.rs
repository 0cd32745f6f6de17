//! Files that are written and not yet committed.

use bytes::Bytes;
use gristmill_core::log::{Digest, FileEntry, FileZone, InvalidName, PartitionValue, ZonePath};

use super::{Zone, ZoneError};

/// A staged file that is being written. Dropping it leaves a name that is never committed.
pub struct StagedWriter {
    _private: (),
}

/// A staged file that is closed, durable, and of known length and digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedFile {
    path: ZonePath,
    data_name: String,
    bytes: u64,
    digest: Digest,
}

impl StagedWriter {
    /// Appends bytes.
    ///
    /// # Errors
    /// The store fails; the file is then of no use.
    pub async fn write(&mut self, _bytes: Bytes) -> Result<(), ZoneError> {
        todo!()
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        todo!()
    }

    /// Completes the file.
    ///
    /// # Errors
    /// The store fails; the name is burned and the data must be written to another staged file.
    pub async fn close(self) -> Result<StagedFile, ZoneError> {
        todo!()
    }
}

impl StagedFile {
    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// As a file of a RAW zone's entry, to be published into `directory` (`ingest_date=../ingest_hour=..`).
    ///
    /// # Errors
    /// The directory is no valid path.
    pub fn into_raw(
        self,
        zone: FileZone,
        directory: &str,
        rows: u64,
        schema: String,
    ) -> Result<FileEntry, InvalidName> {
        let path = format!("{directory}/{}", self.data_name).parse()?;
        let Self { path: staged, data_name: _, bytes, digest } = self;
        Ok(FileEntry { zone, path, staged, rows, bytes, digest, schema, bucket: None, partition: None })
    }

    /// As a file of a Processed zone's entry, to be published into `directory` (`<column>=<value>`, or empty).
    ///
    /// # Errors
    /// The directory is no valid path.
    pub fn into_processed(
        self,
        directory: &str,
        partition: Vec<PartitionValue>,
        rows: u64,
        schema: String,
    ) -> Result<FileEntry, InvalidName> {
        let file = self.into_raw(FileZone::Processed, directory, rows, schema)?;
        Ok(FileEntry { bucket: Some(0), partition: Some(partition), ..file })
    }
}

impl Zone {
    /// Begins a staged file. Several may be open at a time.
    ///
    /// # Errors
    /// The store fails.
    pub async fn stage(&mut self) -> Result<StagedWriter, ZoneError> {
        todo!()
    }

    /// Deletes what this incarnation staged and no entry names; drop open writers first.
    ///
    /// # Errors
    /// `Undecided` while an append is: its files may be committed already (F1).
    pub async fn discard_staged(&mut self) -> Result<(), ZoneError> {
        todo!()
    }
}
