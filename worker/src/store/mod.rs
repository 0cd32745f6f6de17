//! Where a zone's bytes are: the few file operations that the protocol stands on.
//!
//! ```text
//! zone ──▶ Store (trait) ──▶ FileStore    file://   link(2), fsync
//!                       ├──▶ HdfsStore    hdfs://   rename without overwrite, a deadline on every call
//!                       └──▶ MemoryStore            tests and simulation
//! ```
//!
//! A store promises little: a rename never overwrites and is atomic; a closed file has the length that its writer was
//! told. An error of a mutation says nothing about whether it happened: callers look.

mod access;
pub(crate) mod disk;
mod error;
mod file;
mod hdfs;
mod memory;
mod url;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

pub use access::{HadoopAccess, Kerberos, Umask};
pub use error::{StoreError, StoreErrorKind};
pub use file::FileStore;
pub use hdfs::HdfsStore;
pub use memory::{MemoryStore, StoreClock};
pub use url::{InvalidZoneUrl, StorePath, ZoneUrl};

/// The operations of a file system that the protocol needs.
#[async_trait]
pub trait Store: Send + Sync {
    /// Begins a new file, and its directories where they are missing; `AlreadyExists` if the name is taken.
    ///
    /// The name may be visible before the file is closed. A writer that is dropped or fails leaves an unusable name.
    async fn create(&self, path: &StorePath) -> Result<Box<dyn FileWriter>, StoreError>;

    /// Gives a closed file another name, atomically; never overwrites.
    ///
    /// # Errors
    /// `AlreadyExists` if the new name is taken; `NotFound` if there is no such file **or** no directory for the new
    /// name; any error may also stand for a rename that has happened or will happen.
    async fn rename(&self, from: &StorePath, to: &StorePath) -> Result<(), StoreError>;

    /// Reads a whole file.
    async fn read(&self, path: &StorePath) -> Result<Bytes, StoreError>;

    /// Reads the bytes of a range that lies within the file.
    async fn read_range(&self, path: &StorePath, range: Range<u64>) -> Result<Bytes, StoreError>;

    /// The length of a file, `None` if there is none.
    async fn length(&self, path: &StorePath) -> Result<Option<u64>, StoreError>;

    /// When a file was last written, by the store's clock; `None` if there is none.
    async fn modified(&self, path: &StorePath) -> Result<Option<DateTime<Utc>>, StoreError>;

    /// Files and directories directly in a directory, in no order; none if there is no such directory.
    async fn list(&self, directory: &StorePath) -> Result<Vec<Listed>, StoreError>;

    /// Whether a listing shows a directory as it was at one moment: of two names of which one comes before the other goes,
    /// it then shows at least one.
    fn lists_snapshots(&self) -> bool {
        true
    }

    /// Makes a directory and those above it; not an error if they exist.
    async fn create_directories(&self, directory: &StorePath) -> Result<(), StoreError>;

    /// Deletes a file or an empty directory; not an error if there is none.
    async fn delete(&self, path: &StorePath) -> Result<(), StoreError>;

    /// Proves in a scratch directory that a second create of one name fails; asked once before a zone is written.
    async fn prove_exclusive_rename(&self, _scratch: &StorePath) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A file that is being written.
#[async_trait]
pub trait FileWriter: Send {
    /// Appends bytes.
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError>;

    /// Makes the file durable and complete. After an error the name is burned: never rename it.
    async fn close(self: Box<Self>) -> Result<(), StoreError>;
}

/// An element of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its last path segment.
    pub name: String,
    /// What it is.
    pub kind: ListedKind,
    /// When it last changed, by the store's clock; of a directory, when a name in it came or went.
    pub modified: DateTime<Utc>,
}

/// What an element of a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListedKind {
    /// A file of this length.
    File(u64),
    /// A directory.
    Directory,
}

/// Opens the store that a URL lies in.
///
/// # Errors
/// The scheme has no store, or the client cannot be configured; nothing is contacted yet.
pub fn open(url: &ZoneUrl, access: &HadoopAccess) -> Result<Arc<dyn Store>, StoreError> {
    match url.scheme() {
        url::Scheme::File => Ok(Arc::new(FileStore::default())),
        url::Scheme::Hdfs => Ok(Arc::new(HdfsStore::connect(url, access)?)),
    }
}
