//! Makes zones of any history in memory, by what a worker calls, and puts them on disk as they stand.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use gristmill::cpu;
use gristmill::store::MemoryStore;
use gristmill::zone::{Appended, Clock, Opened, RandomIds, Removal, Surroundings, Zone};
use gristmill_bench::{Failure, accepted_range};
use gristmill_core::log::{
    CHECKPOINT_EVERY, Data, Digest, FILES_A_PASS, FileZone, PartitionRange, PartitionStart, RawData, RetentionAges,
    layout,
};
use serde_json::{Value, json};

use super::expected;

/// Where the zone is while it is made.
const PLACE: &str = "/zone";
/// Partitions of the topic; an entry has messages of each.
const PARTITIONS: i32 = 8;
/// Seconds since 1970: early enough that a million entries end before now.
const BEGINNING: i64 = 1_400_000_000;
/// Between two entries: the default maxAge.
const STEP: TimeDelta = TimeDelta::minutes(5);
/// A worker looks every few seconds. Fewer looks find the same to do: this divides the entries of a checkpoint.
const UPKEEP_EVERY: u64 = 64;
/// Opening looks at names and lengths of RAW files, never into them.
const ROWS: &[u8] = b"rows";

/// A clock that goes on when it is told to.
struct Steps(AtomicI64);

impl Steps {
    fn time(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0.load(Ordering::Relaxed), 0).unwrap_or_default()
    }

    fn step(&self) {
        self.0.fetch_add(STEP.num_seconds(), Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for Steps {
    fn now(&self) -> DateTime<Utc> {
        self.time()
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed).unsigned_abs())
    }

    async fn sleep(&self, _duration: Duration) {}
}

/// One object for each zone.
pub(crate) async fn write(directory: &Path, live: u64, entries: &[u64]) -> Result<Vec<Value>, Failure> {
    let clock = Arc::new(Steps(AtomicI64::new(BEGINNING)));
    let of_store = Arc::clone(&clock);
    let memory = MemoryStore::with_clock(Arc::new(move || of_store.time()));
    let url = format!("file://{PLACE}").parse()?;
    let surroundings =
        Surroundings::new(Arc::new(memory.clone()), url, Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(RandomIds));
    let Opened::Empty(empty) = Zone::open(surroundings, expected(), Digest::of(b"bench")).await? else {
        return Err("a store that was made just now holds a zone".into());
    };
    let starts = (0..PARTITIONS).map(|partition| PartitionStart { partition, start_offset: 0 });
    let mut history = History { zone: empty.create_raw(starts.collect()).await?, clock, live, checkpoint_cpu: None };
    let mut told = Vec::new();
    for wanted in entries {
        history.reach(*wanted).await?;
        put(&memory, &directory.join(wanted.to_string()))?;
        let fold = history.zone.fold();
        let (head, live) = (fold.head().0, fold.live().len());
        let of_checkpoint = history.checkpoint_cpu.map(|cpu| cpu.as_secs_f64());
        told.push(json!({"entries": head, "live": live, "checkpoint_cpu": of_checkpoint}));
    }
    Ok(told)
}

struct History {
    zone: Zone,
    clock: Arc<Steps>,
    /// Most files that stay, about; 0 for all.
    live: u64,
    /// CPU of the last checkpoint.
    checkpoint_cpu: Option<Duration>,
}

impl History {
    /// Commits until there are so many entries and one more would make a checkpoint due: opening reads no more than then.
    async fn reach(&mut self, entries: u64) -> Result<(), Failure> {
        let mut head = self.zone.fold().head().0;
        while head < entries || !(head + 1).is_multiple_of(CHECKPOINT_EVERY) {
            self.clock.step();
            self.commit().await?;
            head = self.zone.fold().head().0;
            if self.live > 0 && head.is_multiple_of(FILES_A_PASS as u64) {
                self.retire().await?;
                head = self.zone.fold().head().0;
            }
            if head.is_multiple_of(UPKEEP_EVERY) {
                let begin = cpu::used();
                if self.zone.maintain().await?.checkpoint.is_some() {
                    self.checkpoint_cpu = Some(cpu::used() - begin);
                }
            }
        }
        Ok(())
    }

    /// A file of rows with a message of each partition.
    async fn commit(&mut self) -> Result<(), Failure> {
        let mut file = self.zone.stage().await?;
        file.write(Bytes::from_static(ROWS)).await?;
        let directory = layout::hour(self.clock.time());
        let rows = PARTITIONS.unsigned_abs().into();
        let file = file.close().await?.into_raw(FileZone::Raw, &directory, rows, "bench".to_owned())?;
        let partitions = (0..PARTITIONS).map(|partition| self.range(partition)).collect::<Result<_, _>>()?;
        let data = RawData { partitions, added: vec![file], removed: vec![], schemas: vec![] };
        match self.zone.append(Data::Raw(data)).await? {
            Appended::Won(sequence) => Ok(self.zone.publish(sequence).await?),
            Appended::Lost(refusal) => Err(format!("an entry was refused: {refusal}").into()),
        }
    }

    fn range(&self, partition: i32) -> Result<PartitionRange, Failure> {
        let range = accepted_range(partition, self.zone.fold().next(partition), 1)?;
        Ok(PartitionRange { leader_epoch: Some(0), ..range })
    }

    /// What a pass of retention takes off the zone.
    async fn retire(&mut self) -> Result<(), Failure> {
        let age = STEP * i32::try_from(self.live)?;
        let ages = RetentionAges { raw: Some(age), rejected: None };
        let due = self.zone.expiry(&ages, &BTreeSet::new()).due;
        match self.zone.remove_expired(&ages, &due, None).await? {
            Removal::Done(_) | Removal::Nothing => Ok(()),
            Removal::Overtaken(_) | Removal::Fenced => Err("somebody else writes a zone in memory".into()),
        }
    }
}

/// The zone as it stands in memory, as files.
fn put(memory: &MemoryStore, directory: &Path) -> Result<(), Failure> {
    let root: gristmill::store::ZoneUrl = format!("file://{PLACE}").parse()?;
    for (path, bytes) in memory.files_below(root.directory()) {
        let place = directory.join(path.strip_prefix(PLACE).unwrap_or(&path).trim_start_matches('/'));
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&place, &bytes).map_err(|error| format!("cannot write {}: {error}", place.display()))?;
    }
    Ok(())
}
