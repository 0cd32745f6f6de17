//! Why a run ends without a commit.

use gristmill_core::compact::{Conflict, DirectoryError, Refusal};

use super::SpillError;
use crate::exit::{Exit, Failure};
use crate::parquet_file;
use crate::zone::ZoneError;

/// Why a run ends without a commit.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A zone can't be opened, read or written.
    #[error(transparent)]
    Zone(ZoneError),
    /// A file can't be read or written.
    #[error(transparent)]
    File(parquet_file::Error),
    /// The zones do not belong together.
    #[error("nothing was compacted")]
    Refused(#[source] Refusal),
    /// A file's columns are not those of the resource.
    #[error("cannot compact {path}")]
    Column {
        /// The file or zone.
        path: String,
        /// The column.
        source: Conflict,
    },
    /// A value can't name a directory.
    #[error("cannot place rows of the Processed zone, nothing was compacted")]
    Directory(#[source] DirectoryError),
    /// Arrow refuses what the engine asks of it.
    #[error("cannot {act}")]
    Arrow {
        /// What was tried.
        act: &'static str,
        /// Why.
        source: arrow::error::ArrowError,
    },
    /// Something does not fit into the memory.
    #[error(
        "{what} takes {} MiB at a time, and the run's memory has {} MiB for it; run it with --memory {}Mi (GRISTMILL_MEMORY, pod.memory in a cluster)",
        needed.div_ceil(1 << 20), share >> 20, memory.div_ceil(1 << 20)
    )]
    Memory {
        /// What it is.
        what: String,
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that there are for it.
        share: u64,
        /// Memory of a process that has as many.
        memory: u64,
    },
    /// Local disk fails.
    #[error(transparent)]
    Spill(SpillError),
    /// The register of RAW's consumers does not take the Processed zone.
    #[error("cannot register in the log of {zone}, nothing was compacted: {refusal}; run the compaction again")]
    NotRegistered {
        /// The RAW zone.
        zone: String,
        /// Why.
        refusal: gristmill_core::log::Refusal,
    },
    /// Other runs keep committing first.
    #[error("other runs of zone {zone} committed first {attempts} times; let one process compact a zone")]
    Contended {
        /// The zone.
        zone: String,
        /// How often.
        attempts: u32,
    },
}

impl Error {
    /// Memory of a process that could do the run, in bytes, if that is what this one lacked.
    pub fn needs_memory(&self) -> Option<u64> {
        match self {
            Self::Memory { memory, .. } => Some(*memory),
            _ => None,
        }
    }

    /// A file is not where the fold that was read says.
    pub(super) fn is_lost_file(&self) -> bool {
        matches!(
            self,
            Self::Zone(ZoneError::LostFile { .. }) | Self::File(parquet_file::Error::Zone(ZoneError::LostFile { .. }))
        )
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (exit, reason) = match error {
            Error::Zone(error) | Error::File(parquet_file::Error::Zone(error)) => return error.into(),
            Error::File(parquet_file::Error::Decode { .. }) => (Exit::Zone, "DamagedFile"),
            Error::File(parquet_file::Error::Encode { .. }) | Error::Arrow { .. } => (Exit::Bug, "Internal"),
            Error::Refused(Refusal::RowsAreGone { .. }) => (Exit::Zone, "RowsAreGone"),
            Error::Refused(Refusal::TooManyShards { .. }) => (Exit::Usage, "TooManyShards"),
            Error::Refused(_) => (Exit::Zone, "ZoneMismatch"),
            Error::Column { .. } => (Exit::Zone, "SchemaConflict"),
            Error::Directory(_) => (Exit::Zone, "PartitionValueTooLong"),
            Error::Memory { .. } => (Exit::Usage, "TooLittleMemory"),
            Error::Spill(_) => (Exit::Store, "SpillFailed"),
            Error::NotRegistered { .. } => (Exit::Zone, "NotRegistered"),
            Error::Contended { .. } => (Exit::Zone, "Contended"),
        };
        Self::new(exit, reason, &error)
    }
}
