//! Retention with an archive while processes die and consumers lag (schedules 42, 43, 45).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use chrono::TimeDelta;
use gristmill_core::log::{FileZone, LiveFile, RetentionAges, ZoneId};

use super::Violation;
use super::actors::{Range, commit, describe, open_raw, raw_data, raw_zone_id, settle};
use super::checker::Checker;
use super::faults::{Fault, FaultPlan};
use super::world::{Scheduler, World, alone};
use crate::store::ZoneUrl;
use crate::zone::rules::Rules;
use crate::zone::{Archive, Archived, Retention, Surroundings, Zone, ZoneReader};

pub(super) fn prepared<T: Send + 'static>(
    world: &World,
    process: impl Future<Output = Result<T, Violation>> + Send + 'static,
) -> Result<T, Violation> {
    alone(world, usize::MAX, process)?.ok_or("it died")?
}

pub(super) fn archive_url() -> ZoneUrl {
    "hdfs://simulated:8020/archive/books".parse().expect("a URL")
}

/// Rows are archived after 30 days, rejects deleted after 40.
pub(super) fn retention(surroundings: &Surroundings) -> Retention {
    let archive = Archive::new(Arc::clone(&surroundings.store), archive_url());
    let ages = RetentionAges { raw: Some(TimeDelta::days(30)), rejected: Some(TimeDelta::days(40)) };
    Retention { ages, archive: Some(archive) }
}

/// One pass, as a worker makes it; gives what could not be archived.
pub(super) async fn pass(zone: &mut Zone, surroundings: &Surroundings) -> Result<usize, Violation> {
    let retention = retention(surroundings);
    let Retention { ages, archive } = &retention;
    let (to_copy, to_go) = retention.split(zone.expiry(ages, &BTreeSet::new()).due);
    drop(zone.remove_expired(ages, &to_go, None).await.map_err(|error| describe(&error))?);
    let archive = archive.clone().expect("there is one");
    let Archived { kept, failed } = archive.clone().keep(surroundings.clone(), zone.signs(), to_copy).await;
    drop(zone.remove_expired(ages, &kept, Some(&archive)).await.map_err(|error| describe(&error))?);
    Ok(failed.len())
}

/// The files of rows that a pass would copy.
pub(super) fn to_copy(zone: &Zone, surroundings: &Surroundings) -> Vec<LiveFile> {
    let retention = retention(surroundings);
    retention.split(zone.expiry(&retention.ages, &BTreeSet::new()).due).0
}

pub(super) async fn opened_pass(surroundings: Surroundings) -> Result<usize, Violation> {
    let mut zone = open_raw(&surroundings).await?;
    pass(&mut zone, &surroundings).await
}

pub(super) async fn commit_rows(zone: &mut Zone, count: i64) -> Result<(), Violation> {
    let from = zone.fold().next(0);
    let data = raw_data(zone, vec![Range { partition: 0, from, to: from + count }]).await?;
    commit(zone, data).await.map(drop)
}

/// Two files of rows and two of rejects, committed 35 days ago.
pub(super) fn aged() -> World {
    let world = World::new();
    let surroundings = world.calm();
    prepared(&world, async move {
        let mut zone = open_raw(&surroundings).await?;
        commit_rows(&mut zone, 3).await?;
        commit_rows(&mut zone, 4).await
    })
    .expect("written");
    world.pass(TimeDelta::days(35));
    world
}

/// Live files of rows, with their bytes.
pub(super) fn rows_of(world: &World) -> Vec<(LiveFile, Bytes)> {
    let surroundings = world.calm();
    let read = prepared(world, async move {
        let reader = ZoneReader::open(surroundings).await.map_err(|error| describe(&error))?;
        let mut rows = Vec::new();
        for live in reader.fold().live().values().filter(|live| live.file.zone == FileZone::Raw) {
            rows.push((live.clone(), reader.read(&live.file).await.map_err(|error| describe(&error))?));
        }
        Ok(rows)
    });
    read.expect("read")
}

/// What the archive holds under the names of copies.
pub(super) fn copies(world: &World) -> BTreeMap<String, Bytes> {
    let files = world.memory.files_below(archive_url().directory());
    files.into_iter().filter(|(path, _)| path.ends_with(".parquet")).collect()
}

pub(super) fn is_archived(copies: &BTreeMap<String, Bytes>, (live, bytes): &(LiveFile, Bytes)) -> bool {
    let hex = live.file.digest.to_string().replace("sha256:", "");
    copies.iter().any(|(path, copy)| path.ends_with(&format!("/ingest_hour=05/{hex}.parquet")) && copy == bytes)
}

#[test]
fn rows_leave_with_their_copy_and_hours_without_files_go() {
    let world = aged();
    let originals = rows_of(&world);
    assert_eq!(prepared(&world, opened_pass(world.calm())), Ok(0));
    let held = copies(&world);
    assert!(originals.len() == 2 && originals.iter().all(|original| is_archived(&held, original)), "{held:?}");
    assert_eq!(held.len(), 2);
    let left = world.memory.files_below(World::url().directory());
    assert!(!left.keys().any(|path| path.ends_with(".parquet")), "{left:?}");
    assert!(world.memory.files_below(&archive_url().directory().join("_copying")).is_empty());
    let surroundings = world.calm();
    let (removed, rejects, days) = prepared(&world, async move {
        let zone = open_raw(&surroundings).await?;
        let days = surroundings.store.list(World::url().directory()).await.map_err(|error| error.to_string())?;
        let days = days.iter().filter(|listed| listed.name.starts_with("ingest_date=")).count();
        Ok((zone.fold().removed(), zone.fold().live().len(), days))
    })
    .expect("opened");
    let bytes = originals.iter().map(|(live, _)| live.file.bytes).sum();
    assert_eq!((removed.files, removed.bytes), (2, bytes));
    assert_eq!((rejects, days), (2, 0), "rejects stay ten days longer, and the day of the rows is gone");
    Checker::new(&world).check_at_rest().expect("the zone is exact");
}

/// Between copy, comparison, entry, retirement and deletion: what has left the zone is in the archive, always.
#[test]
fn schedule_43_archiving_that_dies_at_any_operation_is_made_good_by_the_next_pass() {
    let die = |world: &World, plan: FaultPlan| -> Result<(), Violation> {
        let (number, surroundings) = world.process(plan, Rules::all());
        let mut scheduler = Scheduler::new(world, 0);
        scheduler.spawn(number, async move { opened_pass(surroundings).await.map(drop) });
        scheduler.run()
    };
    let rehearsal = FaultPlan::none();
    die(&aged(), rehearsal.clone()).expect("a run without faults ends");
    assert!(rehearsal.operations() > 40, "{}", rehearsal.operations());
    for operation in 1..=rehearsal.operations() {
        for fault in [Fault::CrashBefore, Fault::CrashAfter, Fault::FailAfter] {
            let world = aged();
            let originals = rows_of(&world);
            let context = format!("{fault:?} at {operation}");
            die(&world, FaultPlan::at(operation, fault)).unwrap_or_else(|error| panic!("{context}: {error}"));
            world.land_all();
            let (live, held) = (rows_of(&world), copies(&world));
            for original in &originals {
                assert!(live.contains(original) || is_archived(&held, original), "{context}: rows are nowhere");
            }

            assert_eq!(prepared(&world, opened_pass(world.calm())), Ok(0), "{context}");

            let held = copies(&world);
            assert!(originals.iter().all(|original| is_archived(&held, original)), "{context}");
            assert_eq!((rows_of(&world).len(), held.len()), (0, 2), "{context}");
            prepared(&world, settle(&world)).unwrap_or_else(|error| panic!("{context}: {error}"));
        }
    }
}

/// A copy that is not what its name says is never taken for one.
#[test]
fn schedule_43_a_damaged_copy_keeps_its_file_in_the_zone() {
    let world = aged();
    let originals = rows_of(&world);
    prepared(&world, {
        let surroundings = world.calm();
        async move {
            let zone = open_raw(&surroundings).await?;
            let due = to_copy(&zone, &surroundings);
            let archive = retention(&surroundings).archive.expect("there is one");
            archive.keep(surroundings, zone.signs(), due).await;
            Ok(())
        }
    })
    .expect("copied");
    let (path, bytes) = copies(&world).into_iter().next().expect("two copies");
    let damaged = Bytes::from(vec![b'?'; bytes.len()]);
    world.memory.replace(&crate::store::StorePath::of(path.clone()), damaged);

    assert_eq!(prepared(&world, opened_pass(world.calm())), Ok(1), "one file is not archived");

    let left = rows_of(&world);
    assert_eq!(left.len(), 1);
    assert!(originals.contains(&left[0]) && left[0].1 == bytes, "the one whose copy is damaged stays");
}

/// A pass beside a consumer that registers late: what it holds stays until it has moved on (schedules 42 and 45).
#[test]
fn schedule_42_what_a_consumer_has_not_passed_stays_and_names_it() {
    let world = aged();
    let consumer: ZoneId = raw_zone_id();
    let surroundings = world.calm();
    prepared(&world, async move {
        let mut zone = open_raw(&surroundings).await?;
        drop(zone.register(consumer, "library/books".to_owned()).await.map_err(|error| describe(&error))?);
        drop(zone.advance(consumer, 1).await.map_err(|error| describe(&error))?);
        pass(&mut zone, &surroundings).await?;
        let ages = retention(&surroundings).ages;
        let held = zone.expiry(&ages, &BTreeSet::new()).held.ok_or("the second file is held")?;
        assert_eq!((held.name.as_str(), held.position, held.files, held.is_silent), ("library/books", 1, 1, false));
        assert_eq!(zone.fold().removed().files, 1);
        drop(zone.advance(consumer, 2).await.map_err(|error| describe(&error))?);
        pass(&mut zone, &surroundings).await?;
        assert_eq!(zone.expiry(&ages, &BTreeSet::new()).held, None);
        assert_eq!(zone.fold().removed().files, 2);
        Ok(())
    })
    .expect("held and let go");
    assert_eq!(copies(&world).len(), 2);
    Checker::new(&world).check_at_rest().expect("the zone is exact");
}

/// Two workers whose passes meet at every step: one entry wins, and nothing is copied or removed twice.
#[test]
fn two_passes_at_once_remove_each_file_once() {
    for seed in 0..60 {
        let world = aged();
        let originals = rows_of(&world);
        let mut scheduler = Scheduler::new(&world, seed);
        for _ in 0..2 {
            let (number, surroundings) = world.process(FaultPlan::none(), Rules::all());
            scheduler.spawn(number, async move { opened_pass(surroundings).await.map(drop) });
        }
        scheduler.run().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let held = copies(&world);
        assert!(originals.iter().all(|original| is_archived(&held, original)), "seed {seed}");
        assert_eq!((rows_of(&world).len(), held.len()), (0, 2), "seed {seed}");
        Checker::new(&world).check_at_rest().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}
