//! A pass that does not do what it set out to do says so, with an exit code and the next act.

use std::sync::Arc;

use chrono::TimeDelta;
use gristmill_core::log::{
    Data, FileZone, PartitionRange, PartitionStart, RawData, Refusal, RetentionAges, Sequence, ZoneId,
};
use uuid::Uuid;

use super::*;
use crate::store::{MemoryStore, Store, StoreErrorKind, StorePath, ZoneUrl};
use crate::zone::{Appended, Archive, Expected, Opened};

/// A RAW zone in memory with one file; files are old at once.
struct Shelf(Arc<dyn Store>);

impl Shelf {
    async fn with_a_file() -> Self {
        let shelf = Self(Arc::new(MemoryStore::new()));
        let mut zone = shelf.open().await;
        let mut writer = zone.stage().await.expect("staged");
        writer.write("rows".into()).await.expect("written");
        let staged = writer.close().await.expect("closed");
        let file = staged.into_raw(FileZone::Raw, "ingest_date=2026-11-23", 1, "s1".to_owned()).expect("a path");
        let range = PartitionRange {
            partition: 0,
            topic_id: "topic-1".to_owned(),
            generation: 0,
            leader_epoch: None,
            from: 0,
            to: 1,
            accepted: 1,
            rejected: 0,
            accepted_with_rejects: 0,
            tombstones: 0,
            absent: 0,
            gaps: 0,
            max_timestamp: None,
        };
        let data = RawData { partitions: vec![range], added: vec![file], removed: Vec::new(), schemas: Vec::new() };
        let Appended::Won(sequence) = zone.append(Data::Raw(data)).await.expect("decided") else { panic!("alone") };
        zone.publish(sequence).await.expect("published");
        shelf
    }

    async fn open(&self) -> Zone {
        let url: ZoneUrl = "hdfs://simulated:8020/raw".parse().expect("a URL");
        let expected = Expected::Raw {
            cluster_id: "cluster".to_owned(),
            topic: "books".to_owned(),
            topic_id: "topic-1".to_owned(),
            group: "group".to_owned(),
            rewind: None,
        };
        let surroundings = Surroundings::of_process(Arc::clone(&self.0), url);
        match Zone::open(surroundings, expected, Digest::of(b"spec")).await.expect("opened") {
            Opened::Ready(zone) => zone,
            Opened::Empty(empty) => {
                let starts = vec![PartitionStart { partition: 0, start_offset: 0 }];
                empty.create_raw(starts).await.expect("created")
            }
        }
    }
}

fn at_once() -> Retention {
    Retention { ages: RetentionAges { raw: Some(TimeDelta::zero()), rejected: None }, archive: None }
}

#[tokio::test]
async fn pass_that_was_fenced_removes_nothing_and_says_so() {
    let shelf = Shelf::with_a_file().await;
    let (mut zone, mut other) = (shelf.open().await, shelf.open().await);
    assert!(matches!(other.fence(zone.incarnation()).await, Ok(Appended::Won(_))));

    let Passed { left, trouble, .. } = pass(&mut zone, &at_once()).await;

    assert!(left.is_empty());
    let failure = trouble.expect("it is told");
    assert_eq!((failure.exit, failure.reason), (Exit::Zone, "Fenced"));
    assert!(failure.message.contains("1 files stay") && failure.message.contains("run it again"), "{failure}");
    assert_eq!(shelf.open().await.fold().live().len(), 1);
}

#[tokio::test]
async fn pass_beside_a_consumer_that_has_just_registered_removes_nothing_and_names_it() {
    let shelf = Shelf::with_a_file().await;
    let (mut zone, mut other) = (shelf.open().await, shelf.open().await);
    let id = ZoneId::new(Uuid::from_u128(7));
    assert!(matches!(other.register(id, "library/books".to_owned()).await, Ok(Appended::Won(_))));

    let Passed { left, trouble, .. } = pass(&mut zone, &at_once()).await;

    assert!(left.is_empty() && trouble.is_none());
    let held = zone.expiry(&at_once().ages, &BTreeSet::new()).held.expect("the file is held");
    assert_eq!(held.name, "library/books");
}

fn archived_at_once(shelf: &Shelf) -> Retention {
    let archive = Archive::new(Arc::clone(&shelf.0), "hdfs://simulated:8020/archive".parse().expect("a URL"));
    Retention { archive: Some(archive), ..at_once() }
}

/// Somebody has deleted it by hand, while the log says that it is there.
#[tokio::test]
async fn file_that_is_lost_is_named_with_what_to_restore() {
    let shelf = Shelf::with_a_file().await;
    let mut zone = shelf.open().await;
    let live = zone.fold().live().values().next().expect("one").clone();
    shelf.0.delete(&zone.reader().surroundings().url().join(&live.file.path)).await.expect("gone");

    let Passed { left, not_archived, trouble } = pass(&mut zone, &archived_at_once(&shelf)).await;

    assert_eq!((left.len(), not_archived), (0, 1));
    let failure = trouble.expect("it is told");
    assert_eq!((failure.exit, failure.reason), (Exit::Zone, "LostFile"));
    for part in [live.file.path.as_str(), "is lost", &live.file.digest.to_string(), "of 4 bytes"] {
        assert!(failure.message.contains(part), "no {part:?} in {failure}");
    }
}

/// It stands nowhere either, but its entry says so.
#[tokio::test]
async fn file_that_another_has_taken_off_meanwhile_is_not_lost() {
    let shelf = Shelf::with_a_file().await;
    let (mut zone, mut other) = (shelf.open().await, shelf.open().await);
    assert_eq!(pass(&mut other, &at_once()).await.left.len(), 1);

    let Passed { left, not_archived, trouble } = pass(&mut zone, &archived_at_once(&shelf)).await;

    assert!(left.is_empty() && not_archived == 0 && trouble.is_none(), "{trouble:?}");
}

#[test]
fn append_that_was_lost_or_is_undecided_is_no_success() {
    let refusal = Refusal::Held(Sequence(7));
    let mut passed = Passed::default();
    passed.add(3, Ok(Removal::Overtaken(refusal.clone())));
    let failure = passed.trouble.expect("it is told");
    assert_eq!((failure.exit, failure.reason), (Exit::Zone, "Overtaken"));
    assert!(failure.message.contains("3 files stay") && failure.message.contains(&refusal.to_string()), "{failure}");

    let path = StorePath::of("/raw/_log".to_owned());
    let source = crate::store::StoreError::new(StoreErrorKind::Unavailable, "rename", &path, "no reply");
    let mut passed = Passed::default();
    passed.add(3, Err(ZoneError::Store { zone: "hdfs://simulated:8020/raw".to_owned(), source }));
    let failure = passed.trouble.expect("it is told");
    assert_eq!(failure.exit, Exit::Store);
    assert!(failure.message.contains("is not known, run it again"), "{failure}");
}
