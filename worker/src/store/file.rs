//! A local directory as a store.
//!
//! link(2) then unlink(2) renames without overwriting, which rename(2) cannot; a crash between the two leaves both
//! names, so whoever publishes removes a left-over staged name. Files and directories are synced before anything builds
//! on them: the order of renames on disk is not the order in which they were made (F7).

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::{FileWriter, Listed, ListedKind, Store, StoreError, StoreErrorKind, StorePath};

/// The local file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileStore;

#[async_trait]
impl Store for FileStore {
    async fn create(&self, path: &StorePath) -> Result<Box<dyn FileWriter>, StoreError> {
        let file = on(path, "create", |path| {
            make_directories(parent(path))?;
            OpenOptions::new().write(true).create_new(true).open(path)
        })
        .await?;
        Ok(Box::new(LocalWriter { file: Arc::new(file), path: path.clone() }))
    }

    async fn rename(&self, from: &StorePath, to: &StorePath) -> Result<(), StoreError> {
        let target = PathBuf::from(to.as_str());
        on(from, "rename", move |source| {
            fs::hard_link(source, &target)?;
            sync_directory(parent(&target))?;
            fs::remove_file(source)?;
            sync_directory(parent(source))
        })
        .await
    }

    async fn read(&self, path: &StorePath) -> Result<Bytes, StoreError> {
        on(path, "read", |path| fs::read(path).map(Bytes::from)).await
    }

    async fn read_range(&self, path: &StorePath, range: Range<u64>) -> Result<Bytes, StoreError> {
        on(path, "read", move |path| {
            let length = range.end.checked_sub(range.start).and_then(|length| usize::try_from(length).ok());
            let mut bytes = vec![0; length.ok_or(ErrorKind::InvalidInput)?];
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(range.start))?;
            file.read_exact(&mut bytes)?;
            Ok(bytes.into())
        })
        .await
    }

    async fn length(&self, path: &StorePath) -> Result<Option<u64>, StoreError> {
        on(path, "look at", |path| match fs::metadata(path) {
            Ok(metadata) => Ok(metadata.is_file().then_some(metadata.len())),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    async fn modified(&self, path: &StorePath) -> Result<Option<DateTime<Utc>>, StoreError> {
        on(path, "look at", |path| match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => metadata.modified().map(|time| Some(time.into())),
            Ok(_) => Ok(None),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    /// readdir(3) may miss a name that comes while it runs.
    fn lists_snapshots(&self) -> bool {
        false
    }

    async fn list(&self, directory: &StorePath) -> Result<Vec<Listed>, StoreError> {
        on(directory, "list", |directory| match fs::read_dir(directory) {
            Ok(elements) => elements.filter_map(|element| listed(element).transpose()).collect(),
            Err(error) if is_absent(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        })
        .await
    }

    async fn create_directories(&self, directory: &StorePath) -> Result<(), StoreError> {
        on(directory, "create directory", make_directories).await
    }

    async fn delete(&self, path: &StorePath) -> Result<(), StoreError> {
        on(path, "delete", |path| {
            let deleted = match fs::symlink_metadata(path) {
                Ok(metadata) if metadata.is_dir() => fs::remove_dir(path),
                Ok(_) => fs::remove_file(path),
                Err(error) => Err(error),
            };
            match deleted {
                Err(error) if is_absent(&error) => Ok(()),
                other => other,
            }
        })
        .await
    }

    async fn prove_exclusive_rename(&self, scratch: &StorePath) -> Result<(), StoreError> {
        on(scratch, "prove hard links in", |scratch| {
            make_directories(scratch)?;
            let [first, second, target] =
                ["first", "second", "target"].map(|name| scratch.join(format!("{name}.probe")));
            let proof = prove_links(&first, &second, &target);
            for path in [&first, &second, &target] {
                // A left-over probe is garbage of this incarnation like any other.
                drop(fs::remove_file(path));
            }
            proof
        })
        .await
        .map_err(|error| StoreError {
            message: format!(
                "the volume cannot create a name exactly once ({}); use a file system with hard links, or hdfs://",
                error.message
            ),
            ..error
        })
    }
}

fn prove_links(first: &Path, second: &Path, target: &Path) -> io::Result<()> {
    File::create_new(first)?;
    File::create_new(second)?;
    fs::hard_link(first, target)?;
    match fs::hard_link(second, target) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => Err(io::Error::other("a second link to one name succeeded")),
    }
}

struct LocalWriter {
    file: Arc<File>,
    path: StorePath,
}

#[async_trait]
impl FileWriter for LocalWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let file = Arc::clone(&self.file);
        on(&self.path, "write", move |_| (&*file).write_all(&bytes)).await
    }

    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        let Self { file, path } = *self;
        on(&path, "close", move |path| {
            file.sync_all()?;
            sync_directory(parent(path))
        })
        .await
    }
}

/// Runs a blocking operation on a path off the async threads.
async fn on<T: Send + 'static>(
    path: &StorePath,
    act: &'static str,
    operation: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let local = PathBuf::from(path.as_str());
    let done = tokio::task::spawn_blocking(move || operation(&local)).await;
    let result = done.unwrap_or_else(|stopped| Err(io::Error::other(stopped.to_string())));
    result.map_err(|error| StoreError::new(kind_of(&error), act, path, error.to_string()))
}

fn kind_of(error: &io::Error) -> StoreErrorKind {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => StoreErrorKind::NotFound,
        ErrorKind::AlreadyExists => StoreErrorKind::AlreadyExists,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreErrorKind::Denied,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreErrorKind::Denied,
        ErrorKind::StaleNetworkFileHandle | ErrorKind::TimedOut => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Other,
    }
}

fn is_absent(error: &io::Error) -> bool {
    kind_of(error) == StoreErrorKind::NotFound
}

fn listed(element: io::Result<fs::DirEntry>) -> io::Result<Option<Listed>> {
    let element = element?;
    let metadata = match element.metadata() {
        Ok(metadata) => metadata,
        // Renamed between the listing and the look.
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let kind = if metadata.is_dir() { ListedKind::Directory } else { ListedKind::File(metadata.len()) };
    let modified = metadata.modified()?.into();
    Ok(Some(Listed { name: element.file_name().to_string_lossy().into_owned(), kind, modified }))
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Makes a directory durable together with every directory above it that was missing.
fn make_directories(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let missing: Vec<_> = directory.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    fs::create_dir_all(directory)?;
    missing.into_iter().try_for_each(|created| sync_directory(parent(created)))
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
