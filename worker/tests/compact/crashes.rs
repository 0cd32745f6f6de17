//! A run that dies at every store operation, and the run after it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use gristmill::store::{FileWriter, Listed, Store, StoreError, StoreErrorKind, StorePath};

use crate::books::{Book, book};
use crate::warehouse::{Warehouse, assert_unique};

/// A store whose process dies at one of its operations: that one and all later ones fail.
struct Dying {
    inner: Arc<dyn Store>,
    operations: Arc<Countdown>,
}

struct Countdown {
    done: AtomicUsize,
    fatal: usize,
    /// Whether the fatal operation still happens.
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    DiesBefore,
    DiesAfter,
}

enum Step {
    Go,
    GoThenFail,
    Fail,
}

impl Countdown {
    fn step(&self) -> Step {
        let number = self.done.fetch_add(1, Ordering::Relaxed);
        match (number.cmp(&self.fatal), self.fate) {
            (std::cmp::Ordering::Less, _) => Step::Go,
            (std::cmp::Ordering::Equal, Fate::DiesAfter) => Step::GoThenFail,
            (std::cmp::Ordering::Equal | std::cmp::Ordering::Greater, _) => Step::Fail,
        }
    }

    async fn run<T>(
        &self,
        path: &StorePath,
        operation: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let dead = || StoreError::new(StoreErrorKind::Other, "reach", path, "the process is dead");
        match self.step() {
            Step::Go => operation.await,
            Step::GoThenFail => {
                drop(operation.await);
                Err(dead())
            }
            Step::Fail => Err(dead()),
        }
    }
}

#[async_trait]
impl Store for Dying {
    async fn create(&self, path: &StorePath) -> Result<Box<dyn FileWriter>, StoreError> {
        let file = self.operations.run(path, self.inner.create(path)).await?;
        Ok(Box::new(DyingWriter { file, path: path.clone(), operations: Arc::clone(&self.operations) }))
    }
    async fn rename(&self, from: &StorePath, to: &StorePath) -> Result<(), StoreError> {
        self.operations.run(from, self.inner.rename(from, to)).await
    }
    async fn read(&self, path: &StorePath) -> Result<Bytes, StoreError> {
        self.operations.run(path, self.inner.read(path)).await
    }
    async fn read_range(&self, path: &StorePath, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.operations.run(path, self.inner.read_range(path, range)).await
    }
    async fn length(&self, path: &StorePath) -> Result<Option<u64>, StoreError> {
        self.operations.run(path, self.inner.length(path)).await
    }
    async fn modified(&self, path: &StorePath) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.operations.run(path, self.inner.modified(path)).await
    }
    fn lists_snapshots(&self) -> bool {
        self.inner.lists_snapshots()
    }
    async fn list(&self, directory: &StorePath) -> Result<Vec<Listed>, StoreError> {
        self.operations.run(directory, self.inner.list(directory)).await
    }
    async fn create_directories(&self, directory: &StorePath) -> Result<(), StoreError> {
        self.operations.run(directory, self.inner.create_directories(directory)).await
    }
    async fn delete(&self, path: &StorePath) -> Result<(), StoreError> {
        self.operations.run(path, self.inner.delete(path)).await
    }
}

struct DyingWriter {
    file: Box<dyn FileWriter>,
    path: StorePath,
    operations: Arc<Countdown>,
}

#[async_trait]
impl FileWriter for DyingWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.operations.run(&self.path, self.file.write(bytes)).await
    }
    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        let Self { file, path, operations } = *self;
        operations.run(&path, file.close()).await
    }
}

/// A zone with three files of which the next run rewrites two and empties a third.
async fn before_the_run() -> Warehouse {
    let warehouse = Warehouse::in_memory();
    warehouse.ingest([book("a").at(0), book("b").of(2021).at(1), book("c").at(2), book("d").of(2022).at(3)]).await;
    warehouse.compact().await;
    warehouse.ingest([book("a").titled("new").at(4), book("b").of(2020).at(5), book("d").of(2023).at(6)]).await;
    warehouse
}

/// How many operations a run takes, or that it died at the fatal one.
pub(crate) async fn run_dying_at(
    warehouse: &Warehouse,
    fatal: usize,
    fate: Fate,
) -> Result<(), gristmill::compact::Error> {
    let operations = Arc::new(Countdown { done: AtomicUsize::new(0), fatal, fate });
    let store = Dying { inner: Arc::clone(&warehouse.store), operations };
    warehouse.with_store(Arc::new(store)).try_compact().await.map(drop)
}

async fn dies_everywhere(fate: Fate, with: impl Fn(Warehouse) -> Warehouse) {
    let mut fatal = 0;
    loop {
        let warehouse = with(before_the_run().await);
        let died = run_dying_at(&warehouse, fatal, fate).await.is_err();
        assert_unique(&warehouse.listed().await);

        warehouse.compact().await;

        let rows = warehouse.rows().await;
        assert_eq!(rows, ["a new 2020", "b untitled 2020", "c untitled 2020", "d untitled 2023"], "dead at {fatal}");
        if !died {
            break;
        }
        fatal += 1;
    }
    assert!(fatal > 50, "the run took only {fatal} operations");
}

#[tokio::test]
async fn run_that_dies_before_any_operation_is_made_good_by_the_next() {
    dies_everywhere(Fate::DiesBefore, |warehouse| warehouse).await;
}

#[tokio::test]
async fn run_that_dies_after_any_operation_is_made_good_by_the_next() {
    dies_everywhere(Fate::DiesAfter, |warehouse| warehouse).await;
}

#[tokio::test]
async fn run_that_spills_and_dies_at_any_operation_is_made_good_by_the_next() {
    dies_everywhere(Fate::DiesBefore, Warehouse::spilling).await;
}

#[tokio::test]
async fn crash_in_the_recovery_of_a_crash_is_made_good_too() {
    for first in 0.. {
        let warehouse = before_the_run().await;
        if run_dying_at(&warehouse, first * 5, Fate::DiesAfter).await.is_ok() {
            break;
        }
        let mut second = 0;
        while run_dying_at(&warehouse, second, Fate::DiesBefore).await.is_err() {
            assert_unique(&warehouse.listed().await);
            second += 3;
        }
        let listed: Vec<String> = warehouse.listed().await.iter().map(Book::summary).collect();
        assert_eq!(listed, ["a new 2020", "b untitled 2020", "c untitled 2020", "d untitled 2023"]);
    }
}
