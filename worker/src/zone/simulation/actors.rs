//! What the processes of a run do: write a RAW zone as a worker does, rewrite a Processed zone as a compaction does.
//!
//! A file holds its rows as lines, so that the checker reads from the files alone what a listing shows.

use bytes::Bytes;
use chrono::TimeDelta;
use gristmill_core::log::{
    BucketRange, Data, Digest, FileEntry, FileZone, Keep, LiveFile, LogTime, PartitionField, PartitionRange,
    PartitionStart, PartitionTransform, PartitionValue, ProcessedData, RawData, RemovalReason, Remove, RemovedFile,
    RunFiles, RunKind, RunRows, RunSummary, Sequence, TypedValue, ZoneId,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use uuid::Uuid;

use super::Violation;
use super::checker::{Checker, row};
use super::world::World;
use crate::zone::{Appended, Expected, Opened, StagedFile, Surroundings, Zone, ZoneError, ZoneFault};

/// Partitions that genesis names.
pub(super) const PARTITIONS: i32 = 4;
const TOPIC_ID: &str = "topic-1";

/// An error with its causes, as the CLI would print it.
pub(super) fn describe(error: &ZoneError) -> Violation {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

fn is_unavailable(error: &ZoneError) -> bool {
    error.fault() == ZoneFault::StoreUnavailable
}

pub(super) fn spec_digest() -> Digest {
    Digest::of(b"books.yaml")
}

pub(super) fn raw_expected() -> Expected {
    Expected::Raw {
        cluster_id: "cluster".to_owned(),
        topic: "books".to_owned(),
        topic_id: TOPIC_ID.to_owned(),
        group: "gristmill.library.books".to_owned(),
        rewind: None,
    }
}

pub(super) fn raw_zone_id() -> ZoneId {
    ZoneId::new(Uuid::from_u128(u128::MAX))
}

fn processed_expected() -> Expected {
    Expected::Processed {
        raw_zone_id: raw_zone_id(),
        key: vec!["record_id".to_owned()],
        partition_by: vec![PartitionField { column: "year".to_owned(), transform: PartitionTransform::Identity }],
        buckets: 1,
        keep: Keep::Latest,
        order_by: Vec::new(),
    }
}

/// Opens a zone as a process does that is started again whenever the store was unavailable for too long.
pub(super) async fn open(surroundings: &Surroundings, expected: &Expected) -> Result<Zone, Violation> {
    loop {
        match open_once(surroundings, expected).await {
            Ok(zone) => return Ok(zone),
            Err(error) if is_unavailable(&error) => {}
            Err(error) => return Err(describe(&error)),
        }
    }
}

pub(super) async fn open_once(surroundings: &Surroundings, expected: &Expected) -> Result<Zone, ZoneError> {
    match Zone::open(surroundings.clone(), expected.clone(), spec_digest()).await? {
        Opened::Ready(zone) => Ok(zone),
        Opened::Empty(place) => match expected {
            Expected::Raw { .. } => {
                let start = |partition| PartitionStart { partition, start_offset: 0 };
                place.create_raw((0..PARTITIONS).map(start).collect()).await
            }
            Expected::Processed { .. } => place.create_processed().await,
        },
    }
}

pub(super) async fn open_raw(surroundings: &Surroundings) -> Result<Zone, Violation> {
    open(surroundings, &raw_expected()).await
}

pub(super) async fn open_processed(surroundings: &Surroundings) -> Result<Zone, Violation> {
    open(surroundings, &processed_expected()).await
}

/// Writes rows into a staged file; after a failure the same rows go into another.
pub(super) async fn stage(zone: &mut Zone, rows: Vec<String>) -> Result<StagedFile, Violation> {
    loop {
        match stage_once(zone, rows.clone()).await {
            Ok(file) => return Ok(file),
            // Taken for dead: what was staged before is lost to it.
            Err(error) if error.is_swept() => {
                zone.renew_incarnation().map_err(|error| describe(&error))?;
            }
            Err(error) if is_unavailable(&error) => {}
            Err(error) => return Err(describe(&error)),
        }
    }
}

async fn stage_once(zone: &mut Zone, rows: Vec<String>) -> Result<StagedFile, ZoneError> {
    let mut writer = zone.stage().await?;
    for row in rows {
        writer.write(Bytes::from(format!("{row}\n"))).await?;
    }
    writer.close().await
}

/// Offsets of one partition that a worker has read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) partition: i32,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// Stages the rows of some ranges; the last message of each range is a reject.
pub(super) async fn raw_data(zone: &mut Zone, ranges: Vec<Range>) -> Result<Data, Violation> {
    let (generation, source) = (zone.fold().generation(), zone.fold().source().cloned());
    let row = |partition: i32, offset: i64| row(partition, offset, generation);
    let topic_id = source.map_or_else(|| TOPIC_ID.to_owned(), |source| source.topic_id);
    let accepted: Vec<_> =
        ranges.iter().flat_map(|range| (range.from..range.to - 1).map(|offset| row(range.partition, offset))).collect();
    let rejected: Vec<_> = ranges.iter().map(|range| row(range.partition, range.to - 1)).collect();
    let mut added = Vec::new();
    for (kind, rows) in [(FileZone::Raw, accepted), (FileZone::Rejected, rejected)] {
        if !rows.is_empty() {
            let count = rows.len() as u64;
            let staged = stage(zone, rows).await?;
            let directory = "ingest_date=2026-11-23/ingest_hour=05";
            let schema = "s1".to_owned();
            added.push(staged.into_raw(kind, directory, count, schema).map_err(|error| error.to_string())?);
        }
    }
    let range = |range: &Range| PartitionRange {
        partition: range.partition,
        topic_id: topic_id.clone(),
        generation,
        leader_epoch: Some(0),
        from: range.from,
        to: range.to,
        accepted: u64::try_from(range.to - range.from - 1).expect("a range goes forward"),
        rejected: 1,
        accepted_with_rejects: 0,
        tombstones: 0,
        absent: 0,
        gaps: 0,
        max_timestamp: None,
    };
    Ok(Data::Raw(RawData {
        partitions: ranges.iter().map(range).collect(),
        added,
        removed: Vec::new(),
        schemas: Vec::new(),
    }))
}

/// As [`append`], by a process that may be a zombie: `None` also if it has found that the zone went on without it.
pub(super) async fn try_append(zone: &mut Zone, data: Data) -> Result<Option<Appended>, Violation> {
    let mut outcome = zone.append(data).await;
    loop {
        match outcome {
            Ok(appended) => return Ok(Some(appended)),
            Err(ZoneError::Replaced { .. }) => return Ok(None),
            Err(error) if is_unavailable(&error) => {}
            Err(error) => return Err(describe(&error)),
        }
        outcome = match zone.decide().await {
            Ok(Some(appended)) => Ok(appended),
            Ok(None) => return Ok(None),
            Err(error) => Err(error),
        };
    }
}

/// Upkeep, as often as the store wants it tried; a zombie does none.
pub(super) async fn maintain(zone: &mut Zone) -> Result<(), Violation> {
    loop {
        match zone.maintain().await {
            Ok(upkeep) if upkeep.is_fenced => {
                zone.renew_incarnation().map_err(|error| describe(&error))?;
                return Ok(());
            }
            Ok(_) | Err(ZoneError::Replaced { .. }) => return Ok(()),
            Err(error) if is_unavailable(&error) => {}
            Err(error) => return Err(describe(&error)),
        }
    }
}

/// Opens the zone once more without faults, which publishes what was left, and looks whether all is as it must be.
pub(super) fn settle(world: &World) -> impl Future<Output = Result<(), Violation>> + Send + use<> {
    let (surroundings, world) = (world.calm(), world.clone());
    async move {
        drop(open_raw(&surroundings).await?);
        Checker::new(&world).check_at_rest()
    }
}

/// The removal of every live file.
pub(super) fn removal_of_all(zone: &Zone) -> Remove {
    let file = |live: &LiveFile| RemovedFile { zone: live.file.zone, path: live.file.path.clone() };
    let files = zone.fold().live().values().map(file).collect();
    Remove { files, reason: RemovalReason::Retention, archive: None }
}

/// A worker with upkeep: time passes between its commits, it is fenced and goes on under a new name, and begins again where
/// it finds that the zone has gone on without it.
pub(super) async fn keeper(
    world: World,
    surroundings: Surroundings,
    partitions: Vec<i32>,
    commits: u32,
    seed: u64,
) -> Result<(), Violation> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut zone = open_raw(&surroundings).await?;
    for _ in 0..commits {
        let ranges = partitions.iter().map(|partition| {
            let from = zone.fold().next(*partition);
            Range { partition: *partition, from, to: from + random.random_range(1..4) }
        });
        let ranges: Vec<_> = ranges.collect();
        let data = raw_data(&mut zone, ranges).await?;
        match try_append(&mut zone, data).await? {
            Some(Appended::Won(sequence)) => publish(&mut zone, sequence).await?,
            Some(lost) => {
                zone.discard_staged().await.map_err(|error| describe(&error))?;
                if lost.is_fenced() {
                    zone.renew_incarnation().map_err(|error| describe(&error))?;
                }
            }
            None => zone = open_raw(&surroundings).await?,
        }
        world.pass(TimeDelta::minutes(random.random_range(0..45)));
        maintain(&mut zone).await?;
        zone.refresh().await.or_else(|error| if is_unavailable(&error) { Ok(()) } else { Err(describe(&error)) })?;
    }
    Ok(())
}

/// Appends until it is decided. `None` if the entry was given up before its append began: its files are gone.
pub(super) async fn append(zone: &mut Zone, data: Data) -> Result<Option<Appended>, Violation> {
    let mut outcome = zone.append(data).await.map(Some);
    loop {
        match outcome {
            Ok(appended) => return Ok(appended),
            Err(error) if is_unavailable(&error) => {
                // A worker whose partitions were revoked now would like to discard; it must not while it is undecided.
                if zone.discard_staged().await.is_ok() {
                    return Ok(None);
                }
                outcome = zone.decide().await;
            }
            Err(error) => return Err(describe(&error)),
        }
    }
}

pub(super) async fn publish(zone: &mut Zone, sequence: Sequence) -> Result<(), Violation> {
    loop {
        match zone.publish(sequence).await {
            Ok(()) => return Ok(()),
            Err(error) if is_unavailable(&error) => {}
            Err(error) => return Err(describe(&error)),
        }
    }
}

/// Appends and publishes, or discards.
pub(super) async fn commit(zone: &mut Zone, data: Data) -> Result<Option<Sequence>, Violation> {
    match append(zone, data).await? {
        Some(Appended::Won(sequence)) => publish(zone, sequence).await.map(|()| Some(sequence)),
        Some(Appended::Lost(_)) => {
            zone.discard_staged().await.map_err(|error| describe(&error))?;
            Ok(None)
        }
        None => Ok(None),
    }
}

/// A worker: commits ranges of its partitions, and goes on from the fold when it loses.
pub(super) async fn raw_worker(
    surroundings: Surroundings,
    partitions: Vec<i32>,
    commits: u32,
    seed: u64,
) -> Result<(), Violation> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut zone = open_raw(&surroundings).await?;
    let mut won = 0;
    while won < commits {
        let ranges: Vec<_> = partitions
            .iter()
            .map(|partition| {
                let from = zone.fold().next(*partition);
                Range { partition: *partition, from, to: from + random.random_range(1..4) }
            })
            .collect();
        let data = raw_data(&mut zone, ranges).await?;
        won += u32::from(commit(&mut zone, data).await?.is_some());
    }
    Ok(())
}

/// A compaction: each run adds the rows of some RAW entries, and rewrites a live file or two with them.
pub(super) async fn compaction(surroundings: Surroundings, runs: u32, seed: u64) -> Result<(), Violation> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut zone = open_processed(&surroundings).await?;
    let mut won = 0;
    while won < runs {
        let data = processed_data(&mut zone, &mut random).await?;
        won += u32::from(commit(&mut zone, data).await?.is_some());
    }
    Ok(())
}

/// The next run of a compaction over a zone of one row per RAW entry: `k<sequence>`.
pub(super) async fn processed_data(zone: &mut Zone, random: &mut StdRng) -> Result<Data, Violation> {
    let from_seq = zone.fold().positions()[&0];
    let to_seq = from_seq + random.random_range(1..3);
    let before = zone.fold().live().len() as u64;
    let rewritten: Vec<FileEntry> = {
        let live: Vec<_> = zone.fold().live().values().map(|live| live.file.clone()).collect();
        live.into_iter().filter(|_| random.random_ratio(1, 2)).take(2).collect()
    };
    let mut rows: Vec<_> = (from_seq + 1..=to_seq).map(|row| format!("k{row}")).collect();
    for file in &rewritten {
        match zone.reader().read(file).await {
            Ok(bytes) => rows.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned)),
            // Another run was faster, or the store was away: this run loses with what it has.
            Err(_) => return Box::pin(retry_processed(zone, random)).await,
        }
    }
    let count = rows.len() as u64;
    let staged = stage(zone, rows).await?;
    let value = PartitionValue { column: "year".to_owned(), value: TypedValue::Int32(Some(2026)) };
    let added = staged.into_processed(0, "year=2026", vec![value], count, "s1".to_owned());
    let time = LogTime::new(zone.surroundings().clock.now());
    let removed = |file: &FileEntry| RemovedFile { zone: file.zone, path: file.path.clone() };
    Ok(Data::Processed(ProcessedData {
        raw_zone_id: raw_zone_id(),
        buckets: vec![BucketRange { bucket: 0, from_seq, to_seq, processed_through: None }],
        added: vec![added.map_err(|error| error.to_string())?],
        removed: rewritten.iter().map(removed).collect(),
        run: RunSummary {
            start_time: time,
            completion_time: time,
            rows: RunRows { read: count, written: count, ..RunRows::default() },
            files: RunFiles { before, after: before + 1 - rewritten.len() as u64, ..RunFiles::default() },
            late_before: None,
            cost: None,
            kind: RunKind::Increment,
            through: None,
            buckets: None,
        },
    }))
}

async fn retry_processed(zone: &mut Zone, random: &mut StdRng) -> Result<Data, Violation> {
    match zone.refresh().await {
        Err(error) if !is_unavailable(&error) => Err(describe(&error)),
        Ok(()) | Err(_) => processed_data(zone, random).await,
    }
}
