//! Which files a run reads, and which pairs of zones it refuses.

use crate::compact::{Plan, Refusal, plan_run};
use crate::log::{
    BucketRange, CommitId, Data, Digest, Entry, FileEntry, FileZone, Fold, Genesis, IdentityPartition, Incarnation,
    Kind, LogTime, PartitionRange, ProcessedData, ProcessedGenesis, RawData, RawGenesis, RunFiles, RunRows, RunSummary,
    Transform, ZoneId,
};
use uuid::Uuid;

fn zone_id(number: u128) -> ZoneId {
    ZoneId::new(Uuid::from_u128(number))
}

fn time() -> LogTime {
    "2026-11-23T05:00:00.000Z".parse().expect("that is a time")
}

/// Who writes every entry and stages its files.
fn writer() -> Incarnation {
    Incarnation::new(Uuid::from_u128(1))
}

fn entry(number: u128, kind: Kind) -> Entry {
    let commit_id = CommitId::new(Uuid::from_u128(number));
    Entry { commit_id, incarnation: writer(), time: time(), spec_digest: Digest::of(b"spec"), kind }
}

fn raw() -> Fold {
    let genesis = RawGenesis {
        zone_id: zone_id(1),
        cluster_id: "cluster".into(),
        topic: "books".into(),
        topic_id: "topic-id".into(),
        group: "group".into(),
        partitions: vec![],
    };
    Fold::begin(zone_id(1), &entry(1, Kind::Genesis(Genesis::Raw(genesis)))).expect("a genesis is valid")
}

/// Commits one RAW file and one file of rejects.
fn land(fold: &mut Fold) {
    let number = fold.head().0;
    let file = |zone, name: &str| FileEntry {
        zone,
        path: format!("ingest_date=2026-11-23/{name}-{number}.parquet").parse().expect("a path"),
        staged: format!("_staging/{}/{name}-{number}.staged", writer()).parse().expect("a path"),
        rows: 1,
        bytes: 1,
        digest: Digest::of(b"file"),
        schema: "schema".into(),
        bucket: None,
        partition: None,
    };
    let from = i64::try_from(number).expect("few entries");
    let range = PartitionRange {
        partition: 0,
        topic_id: "topic-id".into(),
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
    let added = vec![file(FileZone::Raw, "raw"), file(FileZone::Rejected, "rejected")];
    let data = RawData { partitions: vec![range], added, removed: vec![], schemas: vec![] };
    fold.apply(&entry(u128::from(number) + 100, Kind::Data(Data::Raw(data)))).expect("the entry follows");
}

fn processed(raw_zone: ZoneId) -> Fold {
    let genesis = ProcessedGenesis {
        zone_id: zone_id(2),
        raw_zone_id: raw_zone,
        key: vec!["id".into()],
        partition_by: vec![IdentityPartition { column: "year".into(), transform: Transform::Identity }],
        buckets: 1,
    };
    Fold::begin(zone_id(2), &entry(1, Kind::Genesis(Genesis::Processed(genesis)))).expect("a genesis is valid")
}

fn processed_up_to(position: i64) -> Fold {
    let mut fold = processed(zone_id(1));
    let run = RunSummary {
        start_time: time(),
        completion_time: time(),
        rows: RunRows::default(),
        files: RunFiles::default(),
    };
    let buckets = vec![BucketRange { bucket: 0, from_seq: -1, to_seq: position }];
    let data = ProcessedData { raw_zone_id: zone_id(1), buckets, added: vec![], removed: vec![], run };
    fold.apply(&entry(200, Kind::Data(Data::Processed(data)))).expect("the entry follows");
    fold
}

#[test]
fn delta_is_every_raw_file_above_the_position_and_no_reject() {
    let mut raw = raw();
    (0..3).for_each(|_| land(&mut raw));
    let Ok(Plan::Run(run)) = plan_run(&raw, &processed_up_to(1)) else { panic!("there are new files") };
    let names: Vec<&str> = run.delta.iter().map(|live| live.file.path.name()).collect();
    assert_eq!(names, ["raw-1.parquet", "raw-2.parquet"]);
    assert_eq!((run.from, run.to), (1, 3));
}

#[test]
fn nothing_above_the_position_is_nothing_new() {
    let mut raw = raw();
    land(&mut raw);
    assert_eq!(plan_run(&raw, &processed_up_to(1)), Ok(Plan::NothingNew { position: 1 }));
}

#[test]
fn first_run_takes_every_file() {
    let mut raw = raw();
    land(&mut raw);
    let Ok(Plan::Run(run)) = plan_run(&raw, &processed(zone_id(1))) else { panic!("there are new files") };
    assert_eq!((run.from, run.to, run.delta.len()), (-1, 1, 1));
}

#[test]
fn position_above_the_head_is_refused() {
    assert_eq!(plan_run(&raw(), &processed_up_to(7)), Err(Refusal::Ahead { position: 7, head: 0 }));
}

#[test]
fn other_raw_zone_is_refused() {
    let expected = Refusal::OtherRawZone { expected: zone_id(9).to_string(), found: zone_id(1) };
    assert_eq!(plan_run(&raw(), &processed(zone_id(9))), Err(expected));
}

#[test]
fn processed_zone_is_no_source() {
    assert_eq!(plan_run(&processed(zone_id(1)), &processed(zone_id(1))), Err(Refusal::NotRaw));
}
