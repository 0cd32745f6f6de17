//! A zone on real files, as a worker, a compaction and `inspect` use it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gristmill_core::log::{
    Data, Digest, FileZone, Inspection, PartitionRange, PartitionStart, RawData, Sequence, inspect, layout,
};

use super::{Appended, Expected, GenesisFact, Opened, Surroundings, Zone, ZoneError, ZoneFault, ZoneReader};
use crate::store::{self, FileStore, HadoopAccess, Store, ZoneUrl};

struct Place {
    url: ZoneUrl,
    _kept: Option<tempfile::TempDir>,
}

fn place() -> Place {
    let kept = tempfile::tempdir().expect("a temporary directory");
    let url = format!("file://{}/raw", kept.path().display()).parse().expect("a URL");
    Place { url, _kept: Some(kept) }
}

/// A place on the HDFS of the live suite, if that runs.
fn place_on_hdfs() -> Option<Place> {
    let url = std::env::var("GRISTMILL_TEST_HDFS_URL").ok()?;
    let url = format!("{url}/{}/raw", uuid::Uuid::new_v4()).parse().expect("a URL");
    Some(Place { url, _kept: None })
}

impl Place {
    fn surroundings(&self) -> Surroundings {
        Surroundings::of_process(store::open(&self.url, &HadoopAccess::default()).expect("a store"), self.url.clone())
    }

    async fn open(&self, group: &str) -> Result<Zone, ZoneError> {
        self.open_with(self.surroundings(), group).await
    }

    async fn open_with(&self, surroundings: Surroundings, group: &str) -> Result<Zone, ZoneError> {
        let expected = Expected::Raw {
            cluster_id: "cluster".to_owned(),
            topic: "books".to_owned(),
            topic_id: "topic-1".to_owned(),
            group: group.to_owned(),
            rewind: None,
        };
        match Zone::open(surroundings, expected, Digest::of(b"spec")).await? {
            Opened::Ready(zone) => Ok(zone),
            Opened::Empty(place) => place.create_raw(vec![PartitionStart { partition: 0, start_offset: 100 }]).await,
        }
    }
}

async fn commit(zone: &mut Zone, to: i64) -> Sequence {
    let mut added = Vec::new();
    for (kind, content) in [(FileZone::Raw, "rows"), (FileZone::Rejected, "rejects")] {
        let mut writer = zone.stage().await.expect("staged");
        writer.write(Bytes::from_static(content.as_bytes())).await.expect("written");
        assert_eq!(writer.bytes(), content.len() as u64);
        let file = writer.close().await.expect("closed");
        added.push(file.into_raw(kind, "ingest_date=2026-11-23/ingest_hour=05", 1, "s1".to_owned()).expect("a path"));
    }
    let from = zone.fold().next(0);
    let range = PartitionRange {
        partition: 0,
        topic_id: "topic-1".to_owned(),
        generation: zone.fold().generation(),
        leader_epoch: None,
        from,
        to,
        accepted: u64::try_from(to - from - 1).expect("forward"),
        rejected: 1,
        accepted_with_rejects: 0,
        tombstones: 0,
        absent: 0,
        gaps: 0,
        max_timestamp: Some(1_763_874_581_123),
    };
    let data = Data::Raw(RawData { partitions: vec![range], added, removed: Vec::new(), schemas: Vec::new() });
    match zone.append(data).await.expect("decided") {
        Appended::Won(sequence) => sequence,
        Appended::Lost(refusal) => panic!("{refusal}"),
    }
}

#[tokio::test]
async fn a_worker_resumes_from_the_log_and_a_reader_finds_every_file() {
    for place in [Some(place()), place_on_hdfs()].into_iter().flatten() {
        resume(place).await;
    }
}

async fn resume(place: Place) {
    let mut zone = place.open("group").await.expect("opened");
    let first = commit(&mut zone, 110).await;
    zone.publish(first).await.expect("published");
    let second = commit(&mut zone, 120).await;
    drop(zone);

    // The second entry is not published: a reader takes its files from where they were staged.
    let mut reader = ZoneReader::open(place.surroundings()).await.expect("read");
    let delta = reader.fold().added_after(FileZone::Raw, first.position());
    assert_eq!(delta.iter().map(|live| live.sequence).collect::<Vec<_>>(), [second]);
    let file = delta[0].file.clone();
    assert!(reader.locate(&file).await.expect("found").as_str().contains("/_staging/"));
    assert_eq!(reader.read(&file).await.expect("read"), Bytes::from_static(b"rows"));

    let zone = place.open("group").await.expect("opened again");
    assert_eq!(zone.fold().next(0), 120);
    reader.refresh().await.expect("read on");
    assert!(reader.locate(&file).await.expect("found").as_str().ends_with(".parquet"));
    assert_eq!(reader.read_range(&file, 1..3).await.expect("read"), Bytes::from_static(b"ow"));

    let Inspection::Raw(facts) = inspect(reader.fold()) else { panic!("it is a RAW zone") };
    assert_eq!((facts.messages, facts.files, facts.rejected_files, facts.head_sequence), (20, 2, 2, 2));
}

#[tokio::test]
async fn a_zone_of_another_group_is_refused_with_both_names() {
    let place = place();
    drop(place.open("gristmill.library.books").await.expect("opened"));
    let error = place.open("books").await.map(drop).expect_err("refused");
    assert!(matches!(error, ZoneError::OtherGenesis { what: GenesisFact::Group, .. }));
    let text = error.to_string();
    assert!(text.contains("consumer group gristmill.library.books, not to books"), "{text}");
}

#[tokio::test]
async fn a_place_without_a_log_is_no_zone_to_a_reader_and_stays_untouched() {
    let place = place();
    let error = ZoneReader::open(place.surroundings()).await.map(drop).expect_err("refused");
    assert!(matches!(error, ZoneError::NotAZone { .. }));
    assert_eq!(FileStore::default().list(&place.url.directory().parent()).await.expect("listed"), Vec::new());
}

#[tokio::test]
async fn an_entry_of_a_kind_that_comes_later_is_refused_and_not_skipped() {
    let place = place();
    let zone = place.open("group").await.expect("opened");
    let slot = place.url.join(&layout::slot(zone.fold().zone_id(), Sequence(1)));
    let body = br#"{"format":1,"commitId":"x","kind":"Split","nonce":"n"}"#;
    std::fs::write(slot.as_str(), body).expect("written");
    for refused in [place.open("group").await.map(drop), ZoneReader::open(place.surroundings()).await.map(drop)] {
        let error = refused.expect_err("refused");
        assert_eq!(error.reason(), "UnknownFormat");
        let cause = std::error::Error::source(&error).expect("a cause").to_string();
        assert!(cause.contains("its kind is Split, which this version does not know"), "{cause}");
    }
}

/// A slot's name that is taken and cannot be read, as a link to nowhere is here and a directory on HDFS.
#[tokio::test]
async fn a_slot_that_no_file_can_take_ends_an_append_when_patience_does() {
    let place = place();
    let mut zone = place.open_with(place.surroundings().with_patience(Duration::ZERO), "group").await.expect("opened");
    let slot = place.url.join(&layout::slot(zone.fold().zone_id(), Sequence(1)));
    std::os::unix::fs::symlink("nowhere", slot.as_str()).expect("a link");
    let data =
        Data::Raw(RawData { partitions: Vec::new(), added: Vec::new(), removed: Vec::new(), schemas: Vec::new() });
    let error = zone.append(data).await.expect_err("it cannot be appended");
    assert_eq!((error.fault(), error.reason()), (ZoneFault::StoreRefuses, "StoreFailed"), "{error}");
}

#[tokio::test]
async fn a_published_name_that_no_file_can_take_ends_a_publication_when_patience_does() {
    let place = place();
    let mut zone = place.open_with(place.surroundings().with_patience(Duration::ZERO), "group").await.expect("opened");
    let sequence = commit(&mut zone, 110).await;
    for live in zone.fold().live().values() {
        let zone = if live.file.zone == FileZone::Rejected { place.url.rejected() } else { place.url.clone() };
        std::fs::create_dir_all(zone.join(&live.file.path).as_str()).expect("a directory");
    }
    let error = zone.publish(sequence).await.expect_err("it cannot be published");
    assert_eq!((error.fault(), error.reason()), (ZoneFault::StoreRefuses, "StoreFailed"), "{error}");
}

/// Workers run zones in spawned tasks.
#[tokio::test]
async fn a_zone_moves_between_threads() {
    let place = place();
    let opened = Arc::new(place);
    let shared = Arc::clone(&opened);
    let sequence = tokio::spawn(async move {
        let mut zone = shared.open("group").await.expect("opened");
        let sequence = commit(&mut zone, 101).await;
        zone.publish(sequence).await.expect("published");
        zone.publish_all().await.expect("nothing is left");
        zone.discard_staged().await.expect("nothing is left");
        sequence
    });
    assert_eq!(sequence.await.expect("it ends"), Sequence(1));
}
