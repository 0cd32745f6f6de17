//! A store in memory that behaves as HDFS does where it matters: for tests and simulation.
//!
//! Directories exist on their own, so a rename into a missing one fails as "not found"; a file is visible while it is
//! being written; a rename finds its source gone when it is replayed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::{FileWriter, Listed, ListedKind, Store, StoreError, StoreErrorKind, StorePath};

/// A store in memory; clones share their content.
#[derive(Clone)]
pub struct MemoryStore {
    tree: Arc<Mutex<Tree>>,
    clock: StoreClock,
}

/// What time it is at the store.
pub type StoreClock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

#[derive(Debug, Clone, Default)]
struct Tree {
    files: BTreeMap<String, File>,
    /// When a name in each last came or went.
    directories: BTreeMap<String, DateTime<Utc>>,
}

#[derive(Debug, Clone)]
struct File {
    bytes: Bytes,
    modified: DateTime<Utc>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::with_clock(Arc::new(Utc::now))
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store with a clock of its own.
    pub fn with_clock(clock: StoreClock) -> Self {
        Self { tree: Arc::default(), clock }
    }

    /// A store of its own with the same content, and another clock.
    #[must_use]
    pub fn fork(&self, clock: StoreClock) -> Self {
        let tree = self.lock().clone();
        Self { tree: Arc::new(Mutex::new(tree)), clock }
    }

    /// Every file below a directory, by path: what a recursive listing sees at this moment.
    pub fn files_below(&self, directory: &StorePath) -> BTreeMap<String, Bytes> {
        let prefix = format!("{directory}/");
        let tree = self.lock();
        tree.files
            .range(prefix.clone()..)
            .take_while(|(path, _)| path.starts_with(&prefix))
            .map(|(path, file)| (path.clone(), file.bytes.clone()))
            .collect()
    }

    /// The bytes of a file, if there is one.
    pub fn content(&self, path: &str) -> Option<Bytes> {
        self.lock().files.get(path).map(|file| file.bytes.clone())
    }

    /// Puts bytes in the place of a file's, as a truncated or foreign file would have them.
    pub fn replace(&self, path: &StorePath, bytes: Bytes) {
        let modified = (self.clock)();
        self.lock().files.insert(path.to_string(), File { bytes, modified });
    }

    /// Gives a file a second name, as link(2) does.
    pub fn link(&self, from: &StorePath, to: &StorePath) -> Result<(), StoreError> {
        let now = (self.clock)();
        self.lock().link(from, to, now)
    }

    /// Takes one name of a file away, as unlink(2) does.
    pub fn unlink(&self, path: &StorePath) {
        let now = (self.clock)();
        self.lock().unlink(path, now);
    }

    /// Takes a directory away with everything below it.
    pub fn remove_tree(&self, directory: &StorePath) {
        let inside = format!("{directory}/");
        let mut tree = self.lock();
        tree.files.retain(|path, _| !path.starts_with(&inside));
        tree.directories.retain(|path, _| path != directory.as_str() && !path.starts_with(&inside));
    }

    fn lock(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().expect("no operation on the tree panics")
    }
}

impl Tree {
    fn add_directories(&mut self, directory: &StorePath, now: DateTime<Utc>) {
        let mut directory = directory.clone();
        while !directory.as_str().is_empty() && !self.directories.contains_key(directory.as_str()) {
            self.directories.insert(directory.to_string(), now);
            directory = directory.parent();
            self.touch(&directory, now);
        }
    }

    fn touch(&mut self, directory: &StorePath, now: DateTime<Utc>) {
        if let Some(modified) = self.directories.get_mut(directory.as_str()) {
            *modified = now;
        }
    }

    fn unlink(&mut self, path: &StorePath, now: DateTime<Utc>) {
        self.files.remove(path.as_str());
        self.touch(&path.parent(), now);
    }

    fn link(&mut self, from: &StorePath, to: &StorePath, now: DateTime<Utc>) -> Result<(), StoreError> {
        let file = self.files.get(from.as_str()).cloned().ok_or_else(|| not_found("rename", from))?;
        if !self.has_directory(&to.parent()) {
            return Err(not_found("rename", from));
        }
        if self.files.contains_key(to.as_str()) || self.directories.contains_key(to.as_str()) {
            return Err(taken("rename to", to));
        }
        self.files.insert(to.to_string(), file);
        self.touch(&to.parent(), now);
        Ok(())
    }

    fn has_directory(&self, directory: &StorePath) -> bool {
        directory.as_str().is_empty() || self.directories.contains_key(directory.as_str())
    }
}

fn not_found(act: &'static str, path: &StorePath) -> StoreError {
    StoreError::new(StoreErrorKind::NotFound, act, path, "no such file or directory")
}

fn taken(act: &'static str, path: &StorePath) -> StoreError {
    StoreError::new(StoreErrorKind::AlreadyExists, act, path, "the name is taken")
}

#[async_trait]
impl Store for MemoryStore {
    async fn create(&self, path: &StorePath) -> Result<Box<dyn FileWriter>, StoreError> {
        let now = (self.clock)();
        let mut tree = self.lock();
        if tree.files.contains_key(path.as_str()) || tree.directories.contains_key(path.as_str()) {
            return Err(taken("create", path));
        }
        tree.add_directories(&path.parent(), now);
        tree.files.insert(path.to_string(), File { bytes: Bytes::new(), modified: now });
        tree.touch(&path.parent(), now);
        Ok(Box::new(MemoryWriter { store: self.clone(), path: path.clone(), written: Vec::new() }))
    }

    async fn rename(&self, from: &StorePath, to: &StorePath) -> Result<(), StoreError> {
        let now = (self.clock)();
        let mut tree = self.lock();
        tree.link(from, to, now)?;
        tree.unlink(from, now);
        Ok(())
    }

    async fn read(&self, path: &StorePath) -> Result<Bytes, StoreError> {
        self.lock().files.get(path.as_str()).map(|file| file.bytes.clone()).ok_or_else(|| not_found("read", path))
    }

    async fn read_range(&self, path: &StorePath, range: Range<u64>) -> Result<Bytes, StoreError> {
        let bytes = self.read(path).await?;
        let range = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        let within = range.filter(|(start, end)| start <= end && *end <= bytes.len());
        let (start, end) = within
            .ok_or_else(|| StoreError::new(StoreErrorKind::Other, "read", path, "the range lies outside the file"))?;
        Ok(bytes.slice(start..end))
    }

    async fn length(&self, path: &StorePath) -> Result<Option<u64>, StoreError> {
        Ok(self.lock().files.get(path.as_str()).map(|file| file.bytes.len() as u64))
    }

    async fn modified(&self, path: &StorePath) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(self.lock().files.get(path.as_str()).map(|file| file.modified))
    }

    async fn list(&self, directory: &StorePath) -> Result<Vec<Listed>, StoreError> {
        let tree = self.lock();
        let prefix = format!("{directory}/");
        let direct = |path: &str| {
            path.strip_prefix(&prefix).filter(|name| !name.is_empty() && !name.contains('/')).map(str::to_owned)
        };
        let below = |path: &str| path.starts_with(&prefix);
        let directories = tree.directories.range(prefix.clone()..).take_while(|(path, _)| below(path));
        let directories = directories.filter_map(|(path, modified)| {
            direct(path).map(|name| Listed { name, kind: ListedKind::Directory, modified: *modified })
        });
        let files = tree.files.range(prefix.clone()..).take_while(|(path, _)| below(path));
        let files = files.filter_map(|(path, File { bytes, modified })| {
            let kind = ListedKind::File(bytes.len() as u64);
            direct(path).map(|name| Listed { name, kind, modified: *modified })
        });
        Ok(directories.chain(files).collect())
    }

    async fn create_directories(&self, directory: &StorePath) -> Result<(), StoreError> {
        let now = (self.clock)();
        self.lock().add_directories(directory, now);
        Ok(())
    }

    async fn delete(&self, path: &StorePath) -> Result<(), StoreError> {
        let now = (self.clock)();
        let mut tree = self.lock();
        let inside = format!("{path}/");
        let first = |found: Option<&String>| found.is_some_and(|other| other.starts_with(&inside));
        let file = tree.files.range(inside.clone()..).next().map(|(path, _)| path);
        let directory = tree.directories.range(inside.clone()..).next().map(|(path, _)| path);
        if first(file) || first(directory) {
            return Err(StoreError::new(StoreErrorKind::Other, "delete", path, "the directory is not empty"));
        }
        tree.unlink(path, now);
        tree.directories.remove(path.as_str());
        Ok(())
    }
}

struct MemoryWriter {
    store: MemoryStore,
    path: StorePath,
    written: Vec<u8>,
}

#[async_trait]
impl FileWriter for MemoryWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.written.extend_from_slice(&bytes);
        Ok(())
    }

    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        let Self { store, path, written } = *self;
        let modified = (store.clock)();
        match store.lock().files.get_mut(path.as_str()) {
            Some(file) => {
                *file = File { bytes: written.into(), modified };
                Ok(())
            }
            None => Err(not_found("close", &path)),
        }
    }
}
