//! What opening a zone with a year of history costs: one checkpoint and the entries that came since.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use bytes::Bytes;
use chrono::TimeDelta;
use gristmill_core::log::{
    CHECKPOINT_EVERY, CommitId, Data, Digest, ENTRIES_KEPT, Entry, Expiry, FILES_A_PASS, FileEntry, FileZone, Fold,
    Genesis, Incarnation, Kind, PartitionRange, RawData, RawGenesis, RemovalReason, Remove, RemovedFile, RetentionAges,
    Sequence, ZoneId, encode_entry, encode_zone_file, layout,
};
use uuid::Uuid;

use super::actors::{describe, open_raw};
use super::faults::FaultPlan;
use super::world::{World, alone};
use crate::store::StorePath;
use crate::zone::rules::Rules;
use crate::zone::{Removal, ZoneReader, checkpoint_file};

/// One entry each 5 minutes for a year.
const ENTRIES: u64 = 105_120;
const LIVE_FILES: usize = 10_000;

fn incarnation() -> Incarnation {
    Incarnation::new(Uuid::from_u128(7))
}

fn entry(number: u64, kind: Kind) -> Entry {
    Entry {
        commit_id: CommitId::new(Uuid::from_u128(u128::from(number))),
        incarnation: incarnation(),
        time: "2026-11-23T05:00:00Z".parse().expect("a time"),
        spec_digest: Digest::of(b"books.yaml"),
        kind,
    }
}

fn genesis(zone_id: ZoneId) -> Genesis {
    Genesis::Raw(RawGenesis {
        zone_id,
        cluster_id: "cluster".to_owned(),
        topic: "books".to_owned(),
        topic_id: "topic-1".to_owned(),
        group: "gristmill.library.books".to_owned(),
        partitions: Vec::new(),
    })
}

fn data(number: u64) -> Data {
    let from = i64::try_from(number).expect("small");
    let range = PartitionRange {
        partition: 0,
        topic_id: "topic-1".to_owned(),
        generation: 0,
        leader_epoch: None,
        from,
        to: from + 1,
        accepted: 1,
        rejected: 0,
        accepted_with_rejects: 0,
        tombstones: 0,
        absent: 0,
        gaps: 0,
        max_timestamp: None,
    };
    let directory = format!("ingest_date=2026-11-{:02}/ingest_hour={:02}", 1 + number / 288 % 28, number / 12 % 24);
    let file = FileEntry {
        zone: FileZone::Raw,
        path: layout::published(&directory, incarnation(), number).expect("a path"),
        staged: layout::staged(incarnation(), number),
        rows: 1,
        bytes: 4,
        digest: Digest::of(b"rows"),
        schema: "s1".to_owned(),
        bucket: None,
        partition: None,
    };
    Data::Raw(RawData { partitions: vec![range], added: vec![file], removed: Vec::new(), schemas: Vec::new() })
}

/// A removal of the oldest files, so that no more than 10,000 are live.
fn removal(fold: &Fold) -> Option<Remove> {
    if fold.live().len() < LIVE_FILES {
        return None;
    }
    let mut live: Vec<_> = fold.live().values().collect();
    live.sort_unstable_by_key(|live| live.sequence);
    let oldest = live.into_iter().take(LIVE_FILES / 4);
    let files = oldest.map(|live| RemovedFile { zone: live.file.zone, path: live.file.path.clone() }).collect();
    Some(Remove { files, reason: RemovalReason::Retention, archive: None })
}

/// A zone of that history, as a year of commits, checkpoints and truncation leaves it.
fn year(world: &World) -> Fold {
    let put = |path: StorePath, bytes: Vec<u8>| world.memory.replace(&path, Bytes::from(bytes));
    let zone_id = ZoneId::new(Uuid::from_u128(0xabc));
    put(World::url().join(&layout::zone_file()), encode_zone_file(zone_id));
    let mut fold = Fold::begin(zone_id, &entry(0, genesis(zone_id).into())).expect("a genesis");
    let last_checkpoint = ENTRIES - ENTRIES % CHECKPOINT_EVERY;
    let mut number = 0;
    while fold.head().0 < ENTRIES {
        let next = match removal(&fold) {
            Some(removal) => entry(1_000_000 + fold.head().0, removal.into()),
            None => {
                number += 1;
                entry(number, data(number - 1).into())
            }
        };
        let publication = fold.apply(&next).expect("valid");
        if fold.head().0 > last_checkpoint - ENTRIES_KEPT {
            put(World::url().join(&layout::slot(zone_id, fold.head())), encode_entry(&next));
        }
        if fold.head().0 == last_checkpoint {
            let path = World::url().join(&layout::checkpoint(zone_id, fold.head()));
            put(path, checkpoint_file::encode(&fold).expect("encoded"));
        }
        if fold.head().0 > last_checkpoint {
            for file in publication.publish {
                put(World::url().join(&file.path), b"rows".to_vec());
            }
        }
    }
    fold
}

/// Made once: a year takes half a minute. Each test has a world of its own.
fn a_year() -> (World, &'static Fold) {
    static YEAR: LazyLock<(World, Fold)> = LazyLock::new(|| {
        let world = World::new();
        let fold = year(&world);
        (world, fold)
    });
    (YEAR.0.fork(), &YEAR.1)
}

#[test]
fn opening_a_zone_with_a_year_of_history_reads_one_checkpoint_and_what_came_since() {
    let (world, expected) = a_year();
    assert!(expected.live().len() > LIVE_FILES / 2 && expected.head() == Sequence(ENTRIES));
    let since = ENTRIES % CHECKPOINT_EVERY;

    let plan = FaultPlan::none();
    let (number, surroundings) = world.process(plan.clone(), Rules::all());
    let read = alone(&world, number, async move {
        let reader = ZoneReader::open(surroundings).await.map_err(|error| describe(&error))?;
        Ok::<_, super::Violation>(reader.fold().clone())
    });
    let fold = read.expect("it ends").expect("it lives").expect("it is read");
    assert!(fold == *expected, "the fold is that of all entries");
    // Beside the entries: zone.json, the checkpoint, its two listings, that of the slots, the empty slot after the last.
    assert_eq!(plan.operations(), since + 6);

    let plan = FaultPlan::none();
    let (number, surroundings) = world.process(plan.clone(), Rules::all());
    let opened = alone(&world, number, async move { open_raw(&surroundings).await.map(drop) });
    opened.expect("it ends").expect("it lives").expect("it is opened");
    // And a listing of each directory that those entries publish into or remove from.
    assert!(plan.operations() <= since + 300, "{} operations", plan.operations());
}

/// Retention beside it: what it looks at is the fold, whatever the log has seen and however many files are live.
#[test]
fn a_pass_of_retention_over_a_year_of_history_reads_one_checkpoint_and_what_came_since() {
    let (world, before) = a_year();
    let plan = FaultPlan::none();
    let (number, surroundings) = world.process(plan.clone(), Rules::all());
    let passed = alone(&world, number, async move {
        let mut zone = open_raw(&surroundings).await?;
        // Most files of the year are names alone, so that they are deleted and not archived.
        let ages = RetentionAges { raw: Some(TimeDelta::zero()), rejected: None };
        let Expiry { due, later, held } = zone.expiry(&ages, &BTreeSet::new());
        let removal = zone.remove_expired(&ages, &due, None).await.map_err(|error| describe(&error))?;
        let Removal::Done(removed) = removal else { return Err(format!("{removal:?}")) };
        assert_eq!(held, None);
        Ok((removed.files.len(), later, zone.fold().live().len()))
    });
    let (removed, later, left) = passed.expect("it ends").expect("it lives").expect("removed");
    assert_eq!((removed, later as usize, left), (FILES_A_PASS, left, before.live().len() - FILES_A_PASS));
    let (entries, checkpoints) = plan.log_reads();
    assert_eq!(checkpoints, 1);
    // Those since the checkpoint, far fewer than the 1,256 that may stand, the empty slot after them at each look, and the
    // one that was taken.
    assert!(entries <= ENTRIES % CHECKPOINT_EVERY + 8, "{entries} entries");
}
