//! What happens while copies for an archive are made: the zone goes on, copies go wrong, copiers die (schedules 42, 43, 45).

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use gristmill_core::log::{FileZone, LiveFile, RetentionAges, Sequence, ZoneId, layout};
use uuid::Uuid;

use super::Violation;
use super::actors::{describe, maintain, open_raw, raw_zone_id};
use super::checker::Checker;
use super::faults::FaultPlan;
use super::retention::{
    aged, archive_url, commit_rows, copies, is_archived, opened_pass, pass, prepared, retention, rows_of, to_copy,
};
use super::world::World;
use crate::blocking::SENT;
use crate::store::{FileWriter, Listed, Store, StoreError, StorePath};
use crate::zone::rules::Rules;
use crate::zone::{Archive, Archived, NotArchived, Removal, Surroundings, Zone, ZoneReader};

/// A zone whose old files have their copies and stand in it still.
async fn copied(surroundings: &Surroundings) -> Result<(Zone, Archive, Vec<LiveFile>), Violation> {
    let zone = open_raw(surroundings).await?;
    let archive = retention(surroundings).archive.expect("there is one");
    let files = to_copy(&zone, surroundings);
    let Archived { kept, failed } = archive.clone().keep(surroundings.clone(), zone.signs(), files).await;
    assert_eq!((kept.len(), failed.len()), (2, 0));
    Ok((zone, archive, kept))
}

async fn remove(zone: &mut Zone, archive: &Archive, files: &[LiveFile]) -> Result<Removal, Violation> {
    let ages = RetentionAges { raw: Some(TimeDelta::days(30)), rejected: None };
    zone.remove_expired(&ages, files, Some(archive)).await.map_err(|error| describe(&error))
}

/// Copying took a while, in which a consumer has registered and has come up to the first file: that one goes.
#[test]
fn schedule_42_files_are_judged_again_after_they_were_copied() {
    let world = aged();
    let surroundings = world.calm();
    prepared(&world, async move {
        let (mut zone, archive, kept) = copied(&surroundings).await?;
        let mut other = open_raw(&surroundings).await?;
        drop(other.register(raw_zone_id(), "library/books".to_owned()).await.map_err(|error| describe(&error))?);
        drop(other.advance(raw_zone_id(), 1).await.map_err(|error| describe(&error))?);
        let removal = remove(&mut zone, &archive, &kept).await?;
        let Removal::Done(removed) = removal else { return Err(format!("{removal:?}")) };
        assert_eq!(removed.files.iter().map(|live| live.sequence).collect::<Vec<_>>(), [Sequence(1)]);
        assert_eq!(remove(&mut zone, &archive, &kept).await?, Removal::Nothing, "the second waits for its consumer");
        Ok(())
    })
    .expect("one is removed, one is held");
    Checker::new(&world).check_at_rest().expect("the zone is exact");
}

/// A clock that was weeks ahead when the files were chosen is set right before they are taken off.
#[test]
fn a_clock_that_was_set_right_meanwhile_keeps_what_is_not_old() {
    let world = aged();
    let (surroundings, clock) = (world.calm(), world.clone());
    prepared(&world, async move {
        let (mut zone, archive, kept) = copied(&surroundings).await?;
        clock.pass(TimeDelta::days(-20));
        assert_eq!(remove(&mut zone, &archive, &kept).await?, Removal::Nothing);
        Ok(())
    })
    .expect("nothing leaves");
    assert_eq!(rows_of(&world).len(), 2);
}

/// The copier dies after its copies are made and before an entry names them: the next one finds them and makes no others.
#[test]
fn schedule_43_copies_of_a_pass_that_died_before_its_entry_are_found_by_the_next() {
    let world = aged();
    let originals = rows_of(&world);
    let surroundings = world.calm();
    prepared(&world, async move { copied(&surroundings).await.map(drop) }).expect("copied");
    let before = copies(&world);
    assert_eq!((rows_of(&world), before.len()), (originals.clone(), 2));
    let plan = FaultPlan::none();
    let (_, surroundings) = world.process(plan.clone(), Rules::all());
    assert_eq!(prepared(&world, opened_pass(surroundings)), Ok(0));
    assert!(rows_of(&world).is_empty() && originals.iter().all(|original| is_archived(&before, original)));
    assert_eq!(copies(&world), before, "not one is made again");
}

/// A store that changes a byte of what is written into the archive.
struct Flipping(Arc<dyn Store>);

struct FlippingWriter(Box<dyn FileWriter>);

#[async_trait]
impl FileWriter for FlippingWriter {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let mut bytes = bytes.to_vec();
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        self.0.write(bytes.into()).await
    }

    async fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.0.close().await
    }
}

#[async_trait]
impl Store for Flipping {
    async fn create(&self, path: &StorePath) -> Result<Box<dyn FileWriter>, StoreError> {
        Ok(Box::new(FlippingWriter(self.0.create(path).await?)))
    }
    async fn rename(&self, from: &StorePath, to: &StorePath) -> Result<(), StoreError> {
        self.0.rename(from, to).await
    }
    async fn read(&self, path: &StorePath) -> Result<Bytes, StoreError> {
        self.0.read(path).await
    }
    async fn read_range(&self, path: &StorePath, range: Range<u64>) -> Result<Bytes, StoreError> {
        self.0.read_range(path, range).await
    }
    async fn length(&self, path: &StorePath) -> Result<Option<u64>, StoreError> {
        self.0.length(path).await
    }
    async fn modified(&self, path: &StorePath) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.0.modified(path).await
    }
    async fn list(&self, directory: &StorePath) -> Result<Vec<Listed>, StoreError> {
        self.0.list(directory).await
    }
    async fn create_directories(&self, directory: &StorePath) -> Result<(), StoreError> {
        self.0.create_directories(directory).await
    }
    async fn delete(&self, path: &StorePath) -> Result<(), StoreError> {
        self.0.delete(path).await
    }
}

/// Length and digest of what was read are those of the log; what stands in the archive is not.
#[test]
fn schedule_43_a_copy_that_was_written_wrong_by_one_bit_is_none() {
    let world = aged();
    let surroundings = world.calm();
    let archive = Archive::new(Arc::new(Flipping(Arc::clone(&surroundings.store))), archive_url());
    let why = prepared(&world, async move {
        let zone = open_raw(&surroundings).await?;
        let files = to_copy(&zone, &surroundings);
        let Archived { kept, failed } = archive.keep(surroundings, zone.signs(), files).await;
        assert!(kept.is_empty());
        Ok(failed.iter().map(|NotArchived { error, .. }| error.to_string()).collect::<Vec<_>>())
    });
    let why = why.expect("compared");
    assert!(why.len() == 2 && why.iter().all(|why| why.contains("does not hold what its name says")), "{why:?}");
    assert_eq!(rows_of(&world).len(), 2);
}

/// A copier that has died before it appended anything: nobody fences it, and after a day its copies go.
#[test]
fn unfinished_copies_of_a_writer_that_never_appended_go_after_a_day_without_a_sign() {
    let world = aged();
    let unfinished = |number: u128| {
        let directory = archive_url().directory().join(&format!("_copying/{}", Uuid::from_u128(number)));
        (directory.join("1.copying"), directory)
    };
    let begin = |number: u128| {
        let (file, store) = (unfinished(number).0, world.memory.clone());
        prepared(&world, async move {
            let mut writer = store.create(&file).await.map_err(|error| error.to_string())?;
            writer.write(Bytes::from_static(b"half")).await.map_err(|error| error.to_string())
        })
        .expect("begun");
    };
    begin(1);
    world.pass(TimeDelta::hours(23));
    begin(2);
    world.pass(TimeDelta::hours(2));
    let surroundings = world.calm();
    prepared(&world, async move {
        let mut zone = open_raw(&surroundings).await?;
        // The time of the log stands still until somebody appends.
        commit_rows(&mut zone, 2).await?;
        pass(&mut zone, &surroundings).await
    })
    .expect("archived");
    let left = world.memory.files_below(&archive_url().directory().join("_copying"));
    assert_eq!(left.keys().collect::<Vec<_>>(), [unfinished(2).0.as_str()], "the silent one's are gone alone");
}

/// Two consumers: what the faster one has passed and the slower one has not stays, and the slower one is named.
#[test]
fn files_of_a_slower_second_consumer_survive() {
    let world = aged();
    let slower = ZoneId::new(Uuid::from_u128(2));
    let surroundings = world.calm();
    prepared(&world, async move {
        let mut zone = open_raw(&surroundings).await?;
        for (id, name, position) in [(raw_zone_id(), "library/fast", 2), (slower, "library/slow", 1)] {
            drop(zone.register(id, name.to_owned()).await.map_err(|error| describe(&error))?);
            drop(zone.advance(id, position).await.map_err(|error| describe(&error))?);
        }
        pass(&mut zone, &surroundings).await?;
        let held = zone.expiry(&retention(&surroundings).ages, &BTreeSet::new()).held.ok_or("one is held")?;
        assert_eq!((held.name.as_str(), held.files), ("library/slow", 1));
        Ok(())
    })
    .expect("one file is held");
    let left = rows_of(&world);
    assert_eq!(left.iter().map(|(live, _)| live.sequence).collect::<Vec<_>>(), [Sequence(2)]);
}

/// Schedule 45 with retention in between: the log is truncated far above a consumer's position, everything is old, and the
/// consumer gets every file that it has not read; when it has, they go.
#[test]
fn schedule_45_a_consumer_far_behind_gets_every_file_although_all_are_old() {
    let world = World::new();
    let tight = Surroundings { checkpoint_every: 2, entries_kept: 0, ..world.calm() };
    let (clock, slow) = (world.clone(), raw_zone_id());
    let delta = prepared(&world, async move {
        let mut zone = open_raw(&tight).await?;
        commit_rows(&mut zone, 3).await?;
        drop(zone.register(slow, "library/slow".to_owned()).await.map_err(|error| describe(&error))?);
        drop(zone.advance(slow, 1).await.map_err(|error| describe(&error))?);
        for _ in 0..20 {
            commit_rows(&mut zone, 3).await?;
            maintain(&mut zone).await?;
        }
        clock.pass(TimeDelta::days(35));
        pass(&mut zone, &tight).await?;
        maintain(&mut zone).await?;
        assert_eq!(zone.fold().removed().files, 1, "only what the consumer has read");
        let reader = ZoneReader::open(tight.clone()).await.map_err(|error| describe(&error))?;
        let delta: Vec<_> = reader.fold().added_after(FileZone::Raw, 1).into_iter().cloned().collect();
        for live in &delta {
            reader.read(&live.file).await.map_err(|error| describe(&error))?;
        }
        let head = zone.fold().head().position();
        drop(zone.advance(slow, head).await.map_err(|error| describe(&error))?);
        pass(&mut zone, &tight).await?;
        assert_eq!(zone.fold().removed().files, 21);
        let slots = World::url().join(&layout::slots(zone.fold().zone_id()));
        let left = clock.memory.files_below(&slots).keys().filter(|path| path.ends_with(".json")).count();
        assert!(left < 8, "{left} entries are left");
        Ok(delta.len())
    });
    assert_eq!(delta.expect("read"), 20);
    Checker::new(&world).check_at_rest().expect("the zone is exact");
}

/// Two documents with other ages for one zone: the shorter age decides for both, and each file leaves once (decision 0017).
#[test]
fn of_two_owners_the_shorter_age_decides() {
    let world = aged();
    let surroundings = world.calm();
    prepared(&world, async move {
        let mut owners = [open_raw(&surroundings).await?, open_raw(&surroundings).await?];
        let days = |days| RetentionAges { raw: Some(TimeDelta::days(days)), rejected: None };
        for (owner, ages, goes) in [(0, days(40), 0), (1, days(10), 2), (0, days(10), 0)] {
            let zone = &mut owners[owner];
            zone.refresh().await.map_err(|error| describe(&error))?;
            let due = zone.expiry(&ages, &BTreeSet::new()).due;
            let removal = zone.remove_expired(&ages, &due, None).await.map_err(|error| describe(&error))?;
            let went = if let Removal::Done(removed) = &removal { removed.files.len() } else { 0 };
            assert_eq!(went, goes, "{removal:?}");
        }
        Ok(())
    })
    .expect("removed once");
    Checker::new(&world).check_at_rest().expect("the zone is exact");
}

/// A chunk of a file takes a millisecond or two to hash: each goes to a thread of its own, when it is copied and when it
/// is read back.
#[test]
fn copies_are_hashed_beside_the_async_threads() {
    let world = aged();
    let surroundings = world.calm();
    let before = SENT.get();
    prepared(&world, async move { copied(&surroundings).await.map(drop) }).expect("copied");
    assert_eq!(SENT.get() - before, 4, "two files of one chunk, read twice each");
}
