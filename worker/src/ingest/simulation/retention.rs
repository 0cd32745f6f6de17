//! Retention beside the ingest: the worker's own loop, with an archive in the same store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use gristmill_core::log::{Digest, FileZone, LiveFile, RetentionAges, ZoneId};
use tokio::sync::watch;
use uuid::Uuid;

use super::store::{Weather, WeatheredStore};
use super::world::{GOOD, HOUR, SECOND, World, send, with_workers};
use super::{Violation, for_seeds};
use crate::ingest::Awaited;
use crate::store::{StorePath, ZoneUrl};
use crate::zone::{Archive, Clock, Retention, Zone};

/// Rows go after ten minutes, rejects after twenty; a worker leaves copying to others for a minute at the most, and looks
/// once a minute.
const ROWS: Duration = Duration::from_secs(600);
const LATE: Duration = Duration::from_secs(600 + 60 + 2 * 60);

fn archive_url() -> ZoneUrl {
    "hdfs://simulated:8020/archive/books".parse().expect("a URL")
}

/// A world whose workers archive rows and delete rejects.
fn retaining(seed: u64, partitions: usize) -> World {
    let mut world = World::new(seed, partitions);
    let store = WeatheredStore { memory: world.memory.clone(), weather: world.weather.clone() };
    let seconds = |seconds| Some(TimeDelta::seconds(seconds));
    let ages = RetentionAges { raw: seconds(600), rejected: seconds(1200) };
    world.retention = Retention { ages, archive: Some(Archive::new(Arc::new(store), archive_url())) };
    world
}

async fn files(world: &World, zone: FileZone) -> Result<Vec<LiveFile>, Violation> {
    let reader = world.zone().await?;
    Ok(reader.fold().live().values().filter(|live| live.file.zone == zone).cloned().collect())
}

/// The place of a file's copy.
fn copy_of(live: &LiveFile) -> StorePath {
    let (hour, _) = live.file.path.as_str().rsplit_once('/').expect("a file lies in its hour");
    let digest = live.file.digest.to_string().replace("sha256:", "");
    archive_url().directory().join(&format!("{hour}/{digest}.parquet"))
}

/// Rows leave with a copy that has each of their bytes, rejects leave later without one, while messages go on coming and
/// the store fails now and then.
#[test]
fn workers_archive_rows_and_delete_rejects_when_their_time_has_come() {
    for_seeds(8, |seed| {
        let world = retaining(seed, 4);
        world.weather.set_faults(if seed % 2 == 0 { 0 } else { 60 });
        let scenario = async {
            send(&world, 60).await;
            world.caught_up(HOUR).await?;
            let (rows, rejects) = (files(&world, FileZone::Raw).await?, files(&world, FileZone::Rejected).await?);
            world.weather.set_faults(0);
            world.timeline.sleep(LATE).await;
            send(&world, 5).await;
            let left = files(&world, FileZone::Raw).await?;
            for live in &rows {
                let copy = world.memory.content(copy_of(live).as_str()).ok_or("rows without a copy")?;
                if left.contains(live) || Digest::of(&copy) != live.file.digest {
                    return Err(format!("{} stays, or its copy is another", live.file.path));
                }
            }
            if !rejects.iter().all(|reject| world.memory.content(copy_of(reject).as_str()).is_none()) {
                return Err("rejects were archived".to_owned());
            }
            world.timeline.sleep(ROWS + 120 * SECOND).await;
            let left = files(&world, FileZone::Rejected).await?;
            let told = world.board().report().retention.ok_or("nothing is told of retention")?;
            let gone = i64::try_from(rows.len() + rejects.len()).expect("few");
            let is_told = told.removed_files >= gone && told.held_by.is_empty();
            if rejects.iter().any(|reject| left.contains(reject)) || !is_told {
                return Err(format!("{left:?}; {told:?}"));
            }
            Ok(())
        };
        with_workers(&world, 2, scenario)
    });
}

/// What a compaction is yet to be registered for stays, and rejects go; then a consumer holds what it has not passed.
#[test]
fn rows_wait_for_compactions_that_are_not_registered_yet_and_for_what_those_have_not_read() {
    for_seeds(6, |seed| {
        let mut world = retaining(seed, 2);
        world.retention.ages.rejected = world.retention.ages.raw;
        let (left, names) = watch::channel(vec!["library/books".to_owned()]);
        world.awaited = Awaited::of(names);
        let scenario = async {
            send(&world, 40).await;
            world.caught_up(HOUR).await?;
            let rows = files(&world, FileZone::Raw).await?;
            world.timeline.sleep(2 * LATE).await;
            let held = world.board().report().retention.ok_or("nothing is told")?.held_by;
            if files(&world, FileZone::Raw).await? != rows || !files(&world, FileZone::Rejected).await?.is_empty() {
                return Err("rows went, or rejects stay".to_owned());
            }
            if held != "library/books, not yet registered in RAW's log" {
                return Err(held);
            }
            let reader = world.zone().await?;
            let mut consumer = Zone::join(&reader, Digest::of(b"")).await.map_err(|error| error.to_string())?;
            let id = ZoneId::new(Uuid::from_u128(7));
            drop(consumer.register(id, "library/books".to_owned()).await.map_err(|error| error.to_string())?);
            left.send_replace(Vec::new());
            world.timeline.sleep(LATE).await;
            let held = world.board().report().retention.ok_or("nothing is told")?.held_by;
            if files(&world, FileZone::Raw).await? != rows || held != "library/books" {
                return Err(format!("rows went although their consumer is at the start: {held}"));
            }
            let head = consumer.fold().head().position();
            drop(consumer.advance(id, head).await.map_err(|error| error.to_string())?);
            world.timeline.sleep(LATE).await;
            let left = files(&world, FileZone::Raw).await?;
            if rows.iter().any(|live| left.contains(live)) { Err(format!("{left:?} stay")) } else { Ok(()) }
        };
        with_workers(&world, 1, scenario)
    });
}

/// More files than are copied at once have a copy that is another file: the others go all the same, and it is told what
/// stays and why.
#[test]
fn files_that_cannot_be_archived_do_not_keep_the_others() {
    for_seeds(1, |seed| {
        let mut world = retaining(seed, 1);
        world.plan.max_records = Some(1);
        let scenario = async {
            (0..125).for_each(|_| world.cluster.append(0, Some(GOOD.to_owned())));
            world.caught_up(HOUR).await?;
            let mut rows = files(&world, FileZone::Raw).await?;
            rows.sort_by_key(|live| live.sequence);
            let (damaged, whole) = rows.split_at(120);
            for live in damaged {
                world.memory.replace(&copy_of(live), Bytes::from_static(b"another file"));
            }
            world.timeline.sleep(LATE + 300 * SECOND).await;
            let left = files(&world, FileZone::Raw).await?;
            let told = world.board().report().retention.ok_or("nothing is told")?.held_by;
            let is_told =
                told.starts_with("120 files that are not archived, the first: hdfs://simulated:8020/archive/");
            if left.len() != 120 || whole.iter().any(|live| left.contains(live)) || !is_told {
                return Err(format!("{} stay: {told}", left.len()));
            }
            // Somebody moves the copies away: within the hour all are archived.
            world.memory.remove_tree(archive_url().directory());
            world.timeline.sleep(HOUR + 300 * SECOND).await;
            let left = files(&world, FileZone::Raw).await?.len();
            if left == 0 { Ok(()) } else { Err(format!("{left} stay")) }
        };
        with_workers(&world, 1, scenario)
    });
}

/// A store that is away is not asked for each file, and nothing leaves without a copy meanwhile.
#[test]
fn archive_that_is_away_is_told_and_waited_for() {
    for_seeds(3, |seed| {
        let mut world = retaining(seed, 1);
        let weather = Weather::fair(&world.timeline);
        let store = WeatheredStore { memory: world.memory.clone(), weather: weather.clone() };
        world.retention.archive = Some(Archive::new(Arc::new(store), archive_url()));
        let scenario = async {
            (0..10).for_each(|_| world.cluster.append(0, Some(GOOD.to_owned())));
            world.caught_up(HOUR).await?;
            weather.set_down(true);
            let rows = files(&world, FileZone::Raw).await?;
            world.timeline.sleep(2 * LATE).await;
            let told = world.board().report().retention.ok_or("nothing is told")?.held_by;
            if files(&world, FileZone::Raw).await? != rows || !told.starts_with("the archive (cannot archive hdfs://") {
                return Err(told);
            }
            weather.set_down(false);
            world.timeline.sleep(HOUR).await;
            let left = files(&world, FileZone::Raw).await?.len();
            if left == 0 { Ok(()) } else { Err(format!("{left} stay")) }
        };
        with_workers(&world, 1, scenario)
    });
}
