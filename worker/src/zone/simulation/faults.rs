//! A store that fails, hangs or dies at chosen operations of one process.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use gristmill_core::log::layout;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::world::{World, turn};
use crate::store::{FileWriter, Listed, Store, StoreError, StoreErrorKind, StorePath};

/// What happens to one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not executed and reported as unavailable.
    FailBefore,
    /// It is executed and reported as unavailable: the reply is lost.
    FailAfter,
    /// The process dies before it.
    CrashBefore,
    /// The process dies after it.
    CrashAfter,
    /// A rename is reported as unavailable and executed so many operations of the world later.
    Hang(u64),
    /// As [`Self::Hang`], and the process dies at once.
    HangAndCrash(u64),
}

/// Which operations of a process meet a fault.
#[derive(Clone)]
pub(super) struct FaultPlan {
    chooser: Arc<Mutex<Chooser>>,
    /// A rename is link and unlink, with a step between them, as on `file://`.
    links: Links,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    No,
    Yes,
}

struct Chooser {
    operations: u64,
    mutations: Vec<u64>,
    renames: Vec<u64>,
    planned: BTreeMap<u64, Fault>,
    /// On any operation whose path contains this text.
    on_path: Option<(&'static str, Fault)>,
    random: Option<(StdRng, u32)>,
    /// Attempts to take a slot of the log.
    slot_renames: u64,
    /// Reads of slots, empty or not, and of checkpoints.
    slot_reads: u64,
    checkpoint_reads: u64,
    /// A directory that somebody removes just before the first rename into it.
    removed_before_rename: Option<StorePath>,
}

impl FaultPlan {
    pub(super) fn none() -> Self {
        Self::with(|_| ())
    }

    /// A fault at the `operation`-th operation of the process, from 1.
    pub(super) fn at(operation: u64, fault: Fault) -> Self {
        Self::with(|chooser| chooser.planned = BTreeMap::from([(operation, fault)]))
    }

    /// A fault at the first mutation of a path that contains a text.
    pub(super) fn at_path(text: &'static str, fault: Fault) -> Self {
        Self::with(|chooser| chooser.on_path = Some((text, fault)))
    }

    /// Up to `count` faults of every kind at operations chosen by seed.
    pub(super) fn random(seed: u64, count: u32) -> Self {
        Self::with(|chooser| chooser.random = Some((StdRng::seed_from_u64(seed), count)))
    }

    pub(super) fn with_links(self) -> Self {
        Self { links: Links::Yes, ..self }
    }

    fn with(set: impl FnOnce(&mut Chooser)) -> Self {
        let mut chooser = Chooser {
            operations: 0,
            mutations: Vec::new(),
            renames: Vec::new(),
            planned: BTreeMap::new(),
            on_path: None,
            random: None,
            slot_renames: 0,
            slot_reads: 0,
            checkpoint_reads: 0,
            removed_before_rename: None,
        };
        set(&mut chooser);
        Self { chooser: Arc::new(Mutex::new(chooser)), links: Links::No }
    }

    /// Operations that the process has made.
    pub(super) fn operations(&self) -> u64 {
        self.chooser.lock().expect("no test panics here").operations
    }

    /// The numbers of those that change the store.
    pub(super) fn mutations(&self) -> Vec<u64> {
        self.chooser.lock().expect("no test panics here").mutations.clone()
    }

    /// The numbers of those that are renames.
    pub(super) fn renames(&self) -> Vec<u64> {
        self.chooser.lock().expect("no test panics here").renames.clone()
    }

    /// How often the process has tried to take a slot.
    pub(super) fn slot_renames(&self) -> u64 {
        self.chooser.lock().expect("no test panics here").slot_renames
    }

    /// How many slots and how many checkpoints the process has read.
    pub(super) fn log_reads(&self) -> (u64, u64) {
        let chooser = self.chooser.lock().expect("no test panics here");
        (chooser.slot_reads, chooser.checkpoint_reads)
    }

    fn count_read(&self, path: &StorePath) {
        let mut chooser = self.chooser.lock().expect("no test panics here");
        chooser.slot_reads += u64::from(layout::slot_sequence(path.name()).is_some());
        chooser.checkpoint_reads += u64::from(path.name().ends_with(".checkpoint"));
    }

    /// Has a directory removed, if it is empty, between its creation and the first rename into it.
    pub(super) fn remove_before_rename(&self, directory: StorePath) {
        self.chooser.lock().expect("no test panics here").removed_before_rename = Some(directory);
    }

    pub(super) fn has_removed(&self) -> bool {
        self.chooser.lock().expect("no test panics here").removed_before_rename.is_none()
    }

    fn removed_now(&self, act: Act, path: &StorePath) -> Option<StorePath> {
        let mut chooser = self.chooser.lock().expect("no test panics here");
        chooser.removed_before_rename.take_if(|directory| act == Act::Rename && path.parent() == *directory)
    }

    fn next(&self, act: Act, path: &StorePath) -> Option<Fault> {
        let mut chooser = self.chooser.lock().expect("no test panics here");
        chooser.operations += 1;
        let number = chooser.operations;
        if act != Act::Read {
            chooser.mutations.push(number);
        }
        if act == Act::Rename {
            chooser.renames.push(number);
            chooser.slot_renames += u64::from(path.as_str().ends_with(".json"));
        }
        if let Some(fault) = chooser.planned.get(&number) {
            return Some(*fault);
        }
        if let Some((text, fault)) = chooser.on_path
            && act != Act::Read
            && path.as_str().contains(text)
        {
            chooser.on_path = None;
            return Some(fault);
        }
        let (random, left) = chooser.random.as_mut()?;
        if *left == 0 || !random.random_ratio(1, 12) {
            return None;
        }
        *left -= 1;
        Some(match random.random_range(0..10) {
            0..3 => Fault::FailBefore,
            3..6 => Fault::FailAfter,
            6..8 => Fault::Hang(random.random_range(0..60)),
            8 => Fault::HangAndCrash(random.random_range(0..60)),
            _ => Fault::CrashAfter,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Read,
    Change,
    Rename,
}

/// A store of one process in the world.
#[derive(Clone)]
pub(super) struct FaultStore {
    world: World,
    process: usize,
    plan: FaultPlan,
}

impl FaultStore {
    pub(super) fn new(world: World, process: usize, plan: FaultPlan) -> Self {
        Self { world, process, plan }
    }

    /// Waits for the turn; gives the fault that the operation meets once it is executed.
    async fn before(&self, act: Act, path: &StorePath) -> Result<Option<Fault>, StoreError> {
        turn().await;
        self.world.begin_operation();
        if act != Act::Read {
            self.world.changed();
        }
        if let Some(directory) = self.plan.removed_now(act, path) {
            self.world.memory.delete(&directory).await?;
        }
        let fault = self.plan.next(act, path);
        match fault {
            Some(Fault::CrashBefore) => self.die().await,
            Some(Fault::FailBefore) => Err(unavailable(path)),
            Some(Fault::Hang(_)) if act != Act::Rename => Err(unavailable(path)),
            Some(Fault::HangAndCrash(_)) if act != Act::Rename => self.die().await,
            fault => Ok(fault),
        }
    }

    async fn after<T>(
        &self,
        fault: Option<Fault>,
        path: &StorePath,
        result: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match fault {
            Some(Fault::CrashAfter) => self.die().await,
            Some(Fault::FailAfter) => Err(unavailable(path)),
            _ => result,
        }
    }

    async fn die<T>(&self) -> T {
        self.world.die(self.process);
        std::future::pending().await
    }
}

fn unavailable(path: &StorePath) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "use", path, "a fault of the simulation")
}

#[async_trait]
impl Store for FaultStore {
    async fn create(&self, path: &StorePath) -> Result<Box<dyn FileWriter>, StoreError> {
        let fault = self.before(Act::Change, path).await?;
        let file = self.world.memory.create(path).await;
        let file = self.after(fault, path, file).await?;
        Ok(Box::new(FaultWriter { store: self.clone(), path: path.clone(), file }))
    }

    async fn rename(&self, from: &StorePath, to: &StorePath) -> Result<(), StoreError> {
        let fault = self.before(Act::Rename, to).await?;
        if let Some(Fault::Hang(after) | Fault::HangAndCrash(after)) = fault {
            self.world.hang(from, to, Some(after));
            if matches!(fault, Some(Fault::HangAndCrash(_))) {
                self.die::<()>().await;
            }
            return Err(unavailable(from));
        }
        if self.plan.links == Links::No {
            let renamed = self.world.memory.rename(from, to).await;
            self.world.remember(to);
            return self.after(fault, from, renamed).await;
        }
        let linked = self.world.memory.link(from, to);
        self.world.remember(to);
        self.after(None, from, linked).await?;
        let unlink = self.before(Act::Change, from).await?;
        self.world.memory.unlink(from);
        self.after(fault.or(unlink), from, Ok(())).await
    }

    async fn read(&self, path: &StorePath) -> Result<Bytes, StoreError> {
        self.plan.count_read(path);
        let fault = self.before(Act::Read, path).await?;
        let read = self.world.memory.read(path).await;
        self.after(fault, path, read).await
    }

    async fn read_range(&self, path: &StorePath, range: Range<u64>) -> Result<Bytes, StoreError> {
        let fault = self.before(Act::Read, path).await?;
        let read = self.world.memory.read_range(path, range).await;
        self.after(fault, path, read).await
    }

    async fn length(&self, path: &StorePath) -> Result<Option<u64>, StoreError> {
        let fault = self.before(Act::Read, path).await?;
        let length = self.world.memory.length(path).await;
        self.after(fault, path, length).await
    }

    async fn modified(&self, path: &StorePath) -> Result<Option<DateTime<Utc>>, StoreError> {
        let fault = self.before(Act::Read, path).await?;
        let modified = self.world.memory.modified(path).await;
        self.after(fault, path, modified).await
    }

    async fn list(&self, directory: &StorePath) -> Result<Vec<Listed>, StoreError> {
        let fault = self.before(Act::Read, directory).await?;
        let listed = self.world.memory.list(directory).await;
        self.after(fault, directory, listed).await
    }

    async fn create_directories(&self, directory: &StorePath) -> Result<(), StoreError> {
        let fault = self.before(Act::Change, directory).await?;
        let made = self.world.memory.create_directories(directory).await;
        self.after(fault, directory, made).await
    }

    async fn delete(&self, path: &StorePath) -> Result<(), StoreError> {
        let fault = self.before(Act::Change, path).await?;
        let deleted = self.world.memory.delete(path).await;
        self.after(fault, path, deleted).await
    }
}

struct FaultWriter {
    store: FaultStore,
    path: StorePath,
    file: Box<dyn FileWriter>,
}

#[async_trait]
impl FileWriter for FaultWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let fault = self.store.before(Act::Change, &self.path).await?;
        let written = self.file.write(bytes).await;
        self.store.after(fault, &self.path, written).await
    }

    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        let fault = self.store.before(Act::Change, &self.path).await?;
        let closed = self.file.close().await;
        self.store.world.remember(&self.path);
        self.store.after(fault, &self.path, closed).await
    }
}
