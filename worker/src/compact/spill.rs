//! What does not fit into memory: bytes in a local file without a name.
//!
//! The file has no name from its beginning, so that the kernel takes it back however the process ends.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Local disk could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot {act} what does not fit into memory in {}: {source}; free space there, name another directory with --spill-dir, or give the run more memory",
    directory.display()
)]
pub struct SpillError {
    act: &'static str,
    directory: PathBuf,
    source: io::Error,
}

/// Bytes of a spill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    start: u64,
    length: usize,
}

impl Extent {
    /// How many.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Takes the first bytes off.
    pub(super) fn split_off(&mut self, length: usize) -> Self {
        let first = Self { start: self.start, length };
        self.start += length as u64;
        self.length -= length;
        first
    }
}

/// A file for what does not fit into memory. It is made when the first bytes come.
#[derive(Debug)]
pub(super) struct Spill {
    directory: PathBuf,
    file: Mutex<Option<SpillFile>>,
}

#[derive(Debug)]
struct SpillFile {
    file: std::sync::Arc<File>,
    end: u64,
}

impl Spill {
    pub(super) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), file: Mutex::new(None) }
    }

    /// Keeps bytes.
    pub(super) fn append(&self, bytes: &[u8]) -> Result<Extent, SpillError> {
        let failed = |act| move |source| SpillError { act, directory: self.directory.clone(), source };
        let (file, start) = {
            let mut slot = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            let spill = match slot.take() {
                Some(spill) => spill,
                None => {
                    let file = tempfile::tempfile_in(&self.directory).map_err(failed("create a file for"))?;
                    SpillFile { file: std::sync::Arc::new(file), end: 0 }
                }
            };
            let spill = slot.insert(spill);
            let start = spill.end;
            spill.end += bytes.len() as u64;
            (std::sync::Arc::clone(&spill.file), start)
        };
        file.write_all_at(bytes, start).map_err(failed("write"))?;
        Ok(Extent { start, length: bytes.len() })
    }

    /// The bytes again.
    pub(super) fn read(&self, extent: Extent) -> Result<Vec<u8>, SpillError> {
        let file = {
            let slot = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            let spill = slot.as_ref().expect("an extent is of bytes that were appended");
            std::sync::Arc::clone(&spill.file)
        };
        let mut bytes = vec![0; extent.length];
        let read = file.read_exact_at(&mut bytes, extent.start);
        read.map_err(|source| SpillError { act: "read", directory: self.directory.clone(), source })?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_the_directory_stays_empty() {
        let directory = tempfile::tempdir().unwrap();
        let spill = Spill::new(directory.path());
        let (first, second) = (spill.append(b"first").unwrap(), spill.append(b"second").unwrap());
        assert_eq!((spill.read(second).unwrap(), spill.read(first).unwrap()), (b"second".to_vec(), b"first".to_vec()));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "the file has no name");
    }

    #[test]
    fn directory_that_is_missing_is_named_with_the_way_out() {
        let error = Spill::new("/nowhere/at/all".as_ref()).append(b"x").unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all") && error.contains("--spill-dir"), "{error}");
    }
}
