//! A local directory as a store.
//!
//! link(2) then unlink(2) renames without overwriting, which rename(2) cannot; a crash between the two leaves both
//! names, so whoever publishes removes a left-over staged name. Files and directories are synced before anything builds
//! on them: the order of renames on disk is not the order in which they were made (F7).

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::disk::{Disk, LocalDisk};
use super::{FileWriter, Listed, ListedKind, Store, StoreError, StoreErrorKind, StorePath};

/// The local file system.
#[derive(Clone)]
pub struct FileStore {
    disk: Arc<dyn Disk>,
}

impl Default for FileStore {
    fn default() -> Self {
        Self::over(Arc::new(LocalDisk))
    }
}

impl FileStore {
    /// The local file system, by other system calls: those that a test records.
    pub(crate) fn over(disk: Arc<dyn Disk>) -> Self {
        Self { disk }
    }
}

#[async_trait]
impl Store for FileStore {
    async fn create(&self, path: &StorePath) -> Result<Box<dyn FileWriter>, StoreError> {
        let disk = Arc::clone(&self.disk);
        let file = on(path, "create", move |path| {
            make_directories(&*disk, parent(path))?;
            disk.create_new(path)
        })
        .await?;
        Ok(Box::new(LocalWriter { disk: Arc::clone(&self.disk), file: Arc::new(file), path: path.clone() }))
    }

    async fn rename(&self, from: &StorePath, to: &StorePath) -> Result<(), StoreError> {
        let (disk, target) = (Arc::clone(&self.disk), PathBuf::from(to.as_str()));
        on(from, "rename", move |source| {
            disk.link(source, &target)?;
            disk.sync_directory(parent(&target))?;
            disk.unlink(source)?;
            disk.sync_directory(parent(source))
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
        let disk = Arc::clone(&self.disk);
        on(directory, "create directory", move |directory| make_directories(&*disk, directory)).await
    }

    async fn delete(&self, path: &StorePath) -> Result<(), StoreError> {
        let disk = Arc::clone(&self.disk);
        on(path, "delete", move |path| {
            let deleted = match fs::symlink_metadata(path) {
                Ok(metadata) if metadata.is_dir() => disk.remove_directory(path),
                Ok(_) => disk.unlink(path),
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
        let disk = Arc::clone(&self.disk);
        self.create_directories(scratch).await.map_err(not_made)?;
        on(scratch, "prove hard links in", move |scratch| {
            let [first, second, target] =
                ["first", "second", "target"].map(|name| scratch.join(format!("{name}.probe")));
            let proof = prove_links(&*disk, &first, &second, &target);
            for path in [&first, &second, &target] {
                // A left-over probe is garbage of this incarnation like any other.
                drop(disk.unlink(path));
            }
            proof
        })
        .await
        .map_err(|error| match error.kind {
            StoreErrorKind::Denied => without_right(error),
            _ => StoreError {
                message: format!(
                    "the volume cannot create a name exactly once ({}); use a file system with hard links, or hdfs://",
                    error.message
                ),
                ..error
            },
        })
    }
}

/// What is in the way of a folder is another matter than a volume that fails.
fn not_made(error: StoreError) -> StoreError {
    match error.kind {
        StoreErrorKind::Denied => without_right(error),
        StoreErrorKind::NotFound | StoreErrorKind::AlreadyExists => {
            StoreError { message: format!("{}; choose a folder that can be made", error.message), ..error }
        }
        StoreErrorKind::Unavailable | StoreErrorKind::LoginFailed | StoreErrorKind::Other => error,
    }
}

/// Nothing was proven, and waiting brings neither a right to write nor room.
fn without_right(error: StoreError) -> StoreError {
    let message = format!(
        "{}; see that this user may write there and that there is room, or choose another folder",
        error.message
    );
    StoreError { kind: StoreErrorKind::Other, act: "write into", message, ..error }
}

fn prove_links(disk: &dyn Disk, first: &Path, second: &Path, target: &Path) -> io::Result<()> {
    disk.create_new(first)?;
    disk.create_new(second)?;
    disk.link(first, target)?;
    match disk.link(second, target) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => Err(io::Error::other("a second link to one name succeeded")),
    }
}

struct LocalWriter {
    disk: Arc<dyn Disk>,
    file: Arc<File>,
    path: StorePath,
}

#[async_trait]
impl FileWriter for LocalWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let (disk, file) = (Arc::clone(&self.disk), Arc::clone(&self.file));
        on(&self.path, "write", move |path| disk.write(path, &file, &bytes)).await
    }

    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        let Self { disk, file, path } = *self;
        on(&path, "close", move |path| {
            disk.sync_file(path, &file)?;
            disk.sync_directory(parent(path))
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
fn make_directories(disk: &dyn Disk, directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let missing: Vec<_> = directory.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    for created in missing.into_iter().rev() {
        match disk.create_directory(created) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && created.is_dir() => {}
            made => made?,
        }
        disk.sync_directory(parent(created))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::file_in_the_way(ErrorKind::NotADirectory, "; choose a folder that can be made")]
    #[case::taken(ErrorKind::AlreadyExists, "; choose a folder that can be made")]
    #[case::full(
        ErrorKind::StorageFull,
        "; see that this user may write there and that there is room, or choose another folder"
    )]
    #[case::failing(ErrorKind::Other, "other error")]
    fn folder_that_cannot_be_made_is_told_with_its_cause(#[case] kind: ErrorKind, #[case] end: &str) {
        let error = io::Error::from(kind);
        let path = StorePath::of("/data/raw".to_owned());
        let told = not_made(StoreError::new(kind_of(&error), "create directory", &path, error.to_string())).to_string();
        assert!(told.ends_with(end), "{told}");
        assert_eq!(told.contains("; "), end.starts_with("; "), "{told}");
    }
}
