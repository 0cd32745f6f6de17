//! The system calls that change a local file system, behind a trait, so that a test can record their order: what a power
//! loss leaves depends on which of them came before which sync (F7).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// System calls that change a file system.
pub(crate) trait Disk: Send + Sync {
    /// Begins a file; fails if the name is taken.
    fn create_new(&self, path: &Path) -> io::Result<File>;
    /// Appends to a file.
    fn write(&self, path: &Path, file: &File, bytes: &[u8]) -> io::Result<()>;
    /// Makes the bytes of a file durable; its name is its directory's business.
    fn sync_file(&self, path: &Path, file: &File) -> io::Result<()>;
    /// Gives a file a second name; fails if that is taken.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes a name away.
    fn unlink(&self, path: &Path) -> io::Result<()>;
    /// Makes one directory.
    fn create_directory(&self, path: &Path) -> io::Result<()>;
    /// Takes an empty directory away.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
}

/// The local file system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalDisk;

impl Disk for LocalDisk {
    fn create_new(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    fn write(&self, _path: &Path, mut file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync_file(&self, _path: &Path, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn unlink(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}
