//! A store in memory that behaves as HDFS does where it matters: for tests and simulation.
//!
//! Directories exist on their own, so a rename into a missing one fails as "not found"; a file is visible while it is
//! being written; a rename finds its source gone when it is replayed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;

use super::{FileWriter, Listed, ListedKind, Store, StoreError, StoreErrorKind, StorePath};

/// A store in memory; clones share their content.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    tree: Arc<Mutex<Tree>>,
}

#[derive(Debug, Clone, Default)]
struct Tree {
    files: BTreeMap<String, Bytes>,
    directories: BTreeSet<String>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store of its own with the same content.
    #[must_use]
    pub fn fork(&self) -> Self {
        let tree = self.lock().clone();
        Self { tree: Arc::new(Mutex::new(tree)) }
    }

    /// Every file below a directory, by path: what a recursive listing sees at this moment.
    pub fn files_below(&self, directory: &StorePath) -> BTreeMap<String, Bytes> {
        let prefix = format!("{directory}/");
        let tree = self.lock();
        tree.files
            .range(prefix.clone()..)
            .take_while(|(path, _)| path.starts_with(&prefix))
            .map(|(path, bytes)| (path.clone(), bytes.clone()))
            .collect()
    }

    /// The bytes of a file, if there is one.
    pub fn content(&self, path: &str) -> Option<Bytes> {
        self.lock().files.get(path).cloned()
    }

    /// Puts bytes in the place of a file's, as a truncated or foreign file would have them.
    pub fn replace(&self, path: &StorePath, bytes: Bytes) {
        self.lock().files.insert(path.to_string(), bytes);
    }

    /// Gives a file a second name, as link(2) does.
    pub fn link(&self, from: &StorePath, to: &StorePath) -> Result<(), StoreError> {
        self.lock().link(from, to)
    }

    /// Takes one name of a file away, as unlink(2) does.
    pub fn unlink(&self, path: &StorePath) {
        self.lock().files.remove(path.as_str());
    }

    /// Takes a directory away with everything below it.
    pub fn remove_tree(&self, directory: &StorePath) {
        let inside = format!("{directory}/");
        let mut tree = self.lock();
        tree.files.retain(|path, _| !path.starts_with(&inside));
        tree.directories.retain(|path| path != directory.as_str() && !path.starts_with(&inside));
    }

    fn lock(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().expect("no operation on the tree panics")
    }
}

impl Tree {
    fn add_directories(&mut self, directory: &StorePath) {
        let mut directory = directory.clone();
        while !directory.as_str().is_empty() {
            self.directories.insert(directory.to_string());
            directory = directory.parent();
        }
    }

    fn link(&mut self, from: &StorePath, to: &StorePath) -> Result<(), StoreError> {
        let bytes = self.files.get(from.as_str()).cloned().ok_or_else(|| not_found("rename", from))?;
        if !self.has_directory(&to.parent()) {
            return Err(not_found("rename", from));
        }
        if self.files.contains_key(to.as_str()) || self.directories.contains(to.as_str()) {
            return Err(taken("rename to", to));
        }
        self.files.insert(to.to_string(), bytes);
        Ok(())
    }

    fn has_directory(&self, directory: &StorePath) -> bool {
        directory.as_str().is_empty() || self.directories.contains(directory.as_str())
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
        let mut tree = self.lock();
        if tree.files.contains_key(path.as_str()) || tree.directories.contains(path.as_str()) {
            return Err(taken("create", path));
        }
        tree.add_directories(&path.parent());
        tree.files.insert(path.to_string(), Bytes::new());
        Ok(Box::new(MemoryWriter { tree: Arc::clone(&self.tree), path: path.clone(), written: Vec::new() }))
    }

    async fn rename(&self, from: &StorePath, to: &StorePath) -> Result<(), StoreError> {
        let mut tree = self.lock();
        tree.link(from, to)?;
        tree.files.remove(from.as_str());
        Ok(())
    }

    async fn read(&self, path: &StorePath) -> Result<Bytes, StoreError> {
        self.lock().files.get(path.as_str()).cloned().ok_or_else(|| not_found("read", path))
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
        Ok(self.lock().files.get(path.as_str()).map(|bytes| bytes.len() as u64))
    }

    async fn list(&self, directory: &StorePath) -> Result<Vec<Listed>, StoreError> {
        let tree = self.lock();
        let prefix = format!("{directory}/");
        let direct = |path: &str| {
            path.strip_prefix(&prefix).filter(|name| !name.is_empty() && !name.contains('/')).map(str::to_owned)
        };
        let directories = tree
            .directories
            .iter()
            .filter_map(|path| direct(path).map(|name| Listed { name, kind: ListedKind::Directory }));
        let files = tree.files.iter().filter_map(|(path, bytes)| {
            direct(path).map(|name| Listed { name, kind: ListedKind::File(bytes.len() as u64) })
        });
        Ok(directories.chain(files).collect())
    }

    async fn create_directories(&self, directory: &StorePath) -> Result<(), StoreError> {
        self.lock().add_directories(directory);
        Ok(())
    }

    async fn delete(&self, path: &StorePath) -> Result<(), StoreError> {
        let mut tree = self.lock();
        let inside = format!("{path}/");
        let below = |other: &String| other.starts_with(&inside);
        if tree.files.keys().any(below) || tree.directories.iter().any(below) {
            return Err(StoreError::new(StoreErrorKind::Other, "delete", path, "the directory is not empty"));
        }
        tree.files.remove(path.as_str());
        tree.directories.remove(path.as_str());
        Ok(())
    }
}

struct MemoryWriter {
    tree: Arc<Mutex<Tree>>,
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
        let Self { tree, path, written } = *self;
        let mut tree = tree.lock().expect("no operation on the tree panics");
        match tree.files.get_mut(path.as_str()) {
            Some(bytes) => {
                *bytes = written.into();
                Ok(())
            }
            None => Err(not_found("close", &path)),
        }
    }
}
