//! Files that are written and not yet committed.

use bytes::Bytes;
use gristmill_core::log::{Digest, FileEntry, FileZone, InvalidName, PartitionValue, ZonePath, layout};
use sha2::{Digest as _, Sha256};

use super::reader::AT_A_TIME;
use super::rules::Rule;
use super::surroundings::Pauses;
use super::{Surroundings, Zone, ZoneError};
use crate::store::FileWriter;
use futures::{StreamExt, stream};

/// A staged file that is being written. Dropping it leaves a name that is never committed.
pub struct StagedWriter {
    surroundings: Surroundings,
    file: Box<dyn FileWriter>,
    path: ZonePath,
    data_name: String,
    bytes: u64,
    hash: Sha256,
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
    /// The store fails, or the writer was swept; the file is then of no use.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), ZoneError> {
        self.bytes += bytes.len() as u64;
        self.hash.update(&bytes);
        self.file.write(bytes).await.map_err(|error| self.surroundings.failed_on_own(error))
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Completes the file.
    ///
    /// # Errors
    /// The store fails; the name is burned and the data must be written to another staged file. `Swept` if this writer was
    /// put out.
    pub async fn close(self) -> Result<StagedFile, ZoneError> {
        let Self { surroundings, file, path, data_name, bytes, hash } = self;
        file.close().await.map_err(|error| surroundings.failed_on_own(error))?;
        Ok(StagedFile { path, data_name, bytes, digest: Digest::from_hash(hash.finalize().into()) })
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
        let Self { path: staged, data_name, bytes, digest } = self;
        let path = if directory.is_empty() { data_name } else { format!("{directory}/{data_name}") }.parse()?;
        Ok(FileEntry { zone, path, staged, rows, bytes, digest, schema, bucket: None, partition: None })
    }

    /// As a file of a Processed zone's entry, of one of its buckets, to be published into `directory` (`<column>=<value>`,
    /// or empty).
    ///
    /// # Errors
    /// The directory is no valid path.
    pub fn into_processed(
        self,
        bucket: u32,
        directory: &str,
        partition: Vec<PartitionValue>,
        rows: u64,
        schema: String,
    ) -> Result<FileEntry, InvalidName> {
        let file = self.into_raw(FileZone::Processed, directory, rows, schema)?;
        Ok(FileEntry { bucket: Some(bucket), partition: Some(partition), ..file })
    }
}

impl Zone {
    /// Begins a staged file. Several may be open at a time.
    ///
    /// # Errors
    /// The store fails.
    pub async fn stage(&mut self) -> Result<StagedWriter, ZoneError> {
        let surroundings = self.surroundings().clone();
        let incarnation = self.incarnation();
        let mut pauses = Pauses::new(&surroundings);
        let (file, path) = loop {
            // A create that failed may have happened: its name is not used again.
            self.staged_count += 1;
            self.uncommitted.insert(self.staged_count);
            let path = layout::staged(incarnation, self.staged_count);
            match surroundings.store.create(&surroundings.path(&path)).await {
                Ok(file) => break (file, path),
                Err(error) if error.is_unavailable() => {
                    pauses.pause(error).await.map_err(|error| surroundings.failed(error))?;
                }
                Err(error) => return Err(surroundings.failed(error)),
            }
        };
        let data_name = layout::data_name(incarnation, self.staged_count);
        Ok(StagedWriter { surroundings: surroundings.clone(), file, path, data_name, bytes: 0, hash: Sha256::new() })
    }

    /// Deletes what this incarnation staged and no entry names; drop open writers first.
    ///
    /// What cannot be deleted now is garbage, like what a crash leaves.
    ///
    /// # Errors
    /// `Undecided` while an append is: its files may be committed already (F1).
    pub async fn discard_staged(&mut self) -> Result<(), ZoneError> {
        if self.undecided.is_some() && self.surroundings().rules.hold(Rule::NoDiscardWhileUndecided) {
            return Err(self.is_undecided());
        }
        let numbers = std::mem::take(&mut self.uncommitted);
        if self.fold().is_fenced(self.incarnation()) {
            // Whoever put this writer out sweeps what it has staged (rule 15).
            return Ok(());
        }
        let (surroundings, incarnation) = (self.surroundings(), self.incarnation());
        stream::iter(numbers)
            .for_each_concurrent(AT_A_TIME, |number| async move {
                let path = surroundings.path(&layout::staged(incarnation, number));
                drop(surroundings.store.delete(&path).await);
            })
            .await;
        Ok(())
    }

    /// Ends the writer. Its staging directory goes if nothing is left in it, so that nobody has to fence a writer that has
    /// ended in order.
    pub async fn close(self) {
        if self.undecided.is_some() || !self.uncommitted.is_empty() {
            return;
        }
        let directory = self.surroundings().path(&layout::staging(self.incarnation()));
        // One that is not empty, or can't be deleted now, is what a crash leaves.
        drop(self.surroundings().store.delete(&directory).await);
    }
}
