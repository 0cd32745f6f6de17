//! Opens a zone as a worker does, over a store that counts.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use gristmill::cpu;
use gristmill::store::{FileStore, FileWriter, Listed, Store, StoreError, StorePath};
use gristmill::zone::{Opened, Surroundings, Zone};
use gristmill_bench::Failure;
use gristmill_core::log::Digest;
use serde_json::{Value, json};

use super::expected;

/// What it took, and what was read.
pub(crate) async fn open(directory: &Path) -> Result<Value, Failure> {
    let directory = std::path::absolute(directory)?;
    let store = Arc::new(Counting::default());
    let surroundings =
        Surroundings::of_process(Arc::<Counting>::clone(&store), format!("file://{}", directory.display()).parse()?);
    let (before, used, began) = (largest_memory()?, cpu::used(), Instant::now());
    let Opened::Ready(zone) = Zone::open(surroundings, expected(), Digest::of(b"bench")).await? else {
        return Err(format!("{} holds no zone; make one by bench-log write", directory.display()).into());
    };
    let (seconds, cpu, peak) = (began.elapsed(), cpu::used() - used, largest_memory()?);
    let Counting { disk: _, reads, listings, others, bytes, checkpoint } = &*store;
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let told = json!({
        "entries": zone.fold().head().0,
        "live": zone.fold().live().len(),
        "seconds": seconds.as_secs_f64(),
        "cpu": cpu.as_secs_f64(),
        "peak": peak,
        "peak_before": before,
        "reads": of(reads),
        "listings": of(listings),
        "others": of(others),
        "bytes": of(bytes),
        "checkpoint_bytes": of(checkpoint),
    });
    zone.close().await;
    Ok(told)
}

/// Largest resident size of this process, in MiB.
fn largest_memory() -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()).ok_or("the kernel tells no VmHWM")?;
    Ok(kibibytes.parse::<f64>()? / 1024.0)
}

/// The local file system, and how often it was asked.
#[derive(Default)]
struct Counting {
    disk: FileStore,
    reads: AtomicU64,
    listings: AtomicU64,
    others: AtomicU64,
    bytes: AtomicU64,
    /// Bytes of the checkpoint, 0 if there is none.
    checkpoint: AtomicU64,
}

impl Counting {
    fn count_read(&self, path: &StorePath, bytes: &Bytes) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if path.as_str().contains("/checkpoints/") {
            self.checkpoint.fetch_max(bytes.len() as u64, Ordering::Relaxed);
        }
    }

    fn other(&self) -> &FileStore {
        self.others.fetch_add(1, Ordering::Relaxed);
        &self.disk
    }
}

#[async_trait]
impl Store for Counting {
    async fn create(&self, path: &StorePath) -> Result<Box<dyn FileWriter>, StoreError> {
        self.other().create(path).await
    }

    async fn rename(&self, from: &StorePath, to: &StorePath) -> Result<(), StoreError> {
        self.other().rename(from, to).await
    }

    async fn read(&self, path: &StorePath) -> Result<Bytes, StoreError> {
        let read = self.disk.read(path).await;
        self.count_read(path, read.as_ref().unwrap_or(&Bytes::new()));
        read
    }

    async fn read_range(&self, path: &StorePath, range: Range<u64>) -> Result<Bytes, StoreError> {
        let read = self.disk.read_range(path, range).await;
        self.count_read(path, read.as_ref().unwrap_or(&Bytes::new()));
        read
    }

    async fn length(&self, path: &StorePath) -> Result<Option<u64>, StoreError> {
        self.other().length(path).await
    }

    async fn modified(&self, path: &StorePath) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.other().modified(path).await
    }

    fn lists_snapshots(&self) -> bool {
        self.disk.lists_snapshots()
    }

    async fn list(&self, directory: &StorePath) -> Result<Vec<Listed>, StoreError> {
        self.listings.fetch_add(1, Ordering::Relaxed);
        self.disk.list(directory).await
    }

    async fn create_directories(&self, directory: &StorePath) -> Result<(), StoreError> {
        self.other().create_directories(directory).await
    }

    async fn delete(&self, path: &StorePath) -> Result<(), StoreError> {
        self.other().delete(path).await
    }

    async fn prove_exclusive_rename(&self, scratch: &StorePath) -> Result<(), StoreError> {
        self.other().prove_exclusive_rename(scratch).await
    }
}
