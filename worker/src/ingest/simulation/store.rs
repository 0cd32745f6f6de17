//! The store of one simulated process: slow, now and then away, and liable to report what it has done as failed.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::executor::Timeline;
use crate::store::{FileWriter, Listed, MemoryStore, Store, StoreError, StoreErrorKind, StorePath};
use crate::zone::Clock;

/// What all processes see of the store.
#[derive(Clone)]
pub(super) struct Weather {
    timeline: Timeline,
    down: Arc<AtomicBool>,
    /// One operation in so many fails; 0: none does.
    faults: Arc<AtomicU64>,
    /// Longest time that an operation takes, in milliseconds.
    slowness: Arc<AtomicU64>,
}

impl Weather {
    pub(super) fn fair(timeline: &Timeline) -> Self {
        Self {
            timeline: timeline.clone(),
            down: Arc::default(),
            faults: Arc::default(),
            slowness: Arc::new(AtomicU64::new(20)),
        }
    }

    pub(super) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }

    /// One operation in so many fails from now on, half of them after they were done.
    pub(super) fn set_faults(&self, one_in: u64) {
        self.faults.store(one_in, Ordering::Relaxed);
    }

    pub(super) fn set_slowness(&self, slowness: Duration) {
        self.slowness.store(u64::try_from(slowness.as_millis()).expect("a short time"), Ordering::Relaxed);
    }

    async fn pass(&self) {
        let longest = Duration::from_millis(self.slowness.load(Ordering::Relaxed));
        self.timeline.sleep(self.timeline.some(longest)).await;
    }

    fn strikes(&self) -> bool {
        let one_in = self.faults.load(Ordering::Relaxed);
        self.down.load(Ordering::Relaxed) || (one_in > 0 && self.timeline.once_in(one_in))
    }

    /// An operation: it takes time, may fail before it is done, and may be reported as failed after it.
    async fn operation<T>(
        &self,
        act: &'static str,
        path: &StorePath,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let unavailable = || StoreError::new(StoreErrorKind::Unavailable, act, path, "simulated");
        self.pass().await;
        if self.strikes() {
            return Err(unavailable());
        }
        let done = operation.await;
        self.pass().await;
        if self.strikes() { Err(unavailable()) } else { done }
    }
}

/// The store of one process.
pub(super) struct WeatheredStore {
    pub(super) memory: MemoryStore,
    pub(super) weather: Weather,
}

struct WeatheredWriter {
    file: Box<dyn FileWriter>,
    path: StorePath,
    weather: Weather,
}

#[async_trait]
impl FileWriter for WeatheredWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.weather.operation("write", &self.path, self.file.write(bytes)).await
    }

    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        let Self { file, path, weather } = *self;
        weather.operation("close", &path, file.close()).await
    }
}

#[async_trait]
impl Store for WeatheredStore {
    async fn create(&self, path: &StorePath) -> Result<Box<dyn FileWriter>, StoreError> {
        let file = self.weather.operation("create", path, self.memory.create(path)).await?;
        Ok(Box::new(WeatheredWriter { file, path: path.clone(), weather: self.weather.clone() }))
    }

    async fn rename(&self, from: &StorePath, to: &StorePath) -> Result<(), StoreError> {
        self.weather.operation("rename", from, self.memory.rename(from, to)).await
    }

    async fn read(&self, path: &StorePath) -> Result<Bytes, StoreError> {
        self.weather.operation("read", path, self.memory.read(path)).await
    }

    async fn read_range(&self, path: &StorePath, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.weather.operation("read", path, self.memory.read_range(path, range)).await
    }

    async fn length(&self, path: &StorePath) -> Result<Option<u64>, StoreError> {
        self.weather.operation("look at", path, self.memory.length(path)).await
    }

    async fn modified(&self, path: &StorePath) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.weather.operation("look at", path, self.memory.modified(path)).await
    }

    async fn list(&self, directory: &StorePath) -> Result<Vec<Listed>, StoreError> {
        self.weather.operation("list", directory, self.memory.list(directory)).await
    }

    async fn create_directories(&self, directory: &StorePath) -> Result<(), StoreError> {
        self.weather.operation("make", directory, self.memory.create_directories(directory)).await
    }

    async fn delete(&self, path: &StorePath) -> Result<(), StoreError> {
        self.weather.operation("delete", path, self.memory.delete(path)).await
    }
}
