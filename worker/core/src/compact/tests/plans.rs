//! Which files a run reads, and which pairs of zones it refuses.

use crate::compact::{Bucket, Plan, Refusal, RunPlan, plan_run};
use crate::log::{
    BucketRange, CommitId, Data, Digest, Entry, FileEntry, FileZone, Fold, Genesis, Incarnation, Keep, Kind, LogTime,
    PartitionField, PartitionRange, PartitionRewind, PartitionTransform, PartitionValue, ProcessedData,
    ProcessedGenesis, RawData, RawGenesis, Rewind, RunFiles, RunKind, RunRows, RunSummary, Sequence, TypedValue,
    ZoneId,
};
use rstest::rstest;
use uuid::Uuid;

pub(super) fn zone_id(number: u128) -> ZoneId {
    ZoneId::new(Uuid::from_u128(number))
}

fn time() -> LogTime {
    "2026-11-23T08:00:00.000Z".parse().expect("that is a time")
}

/// Who writes every entry and stages its files.
fn writer() -> Incarnation {
    Incarnation::new(Uuid::from_u128(1))
}

pub(super) fn entry(number: u128, kind: Kind) -> Entry {
    let commit_id = CommitId::new(Uuid::from_u128(number));
    Entry { commit_id, incarnation: writer(), time: time(), spec_digest: Digest::of(b"spec"), kind }
}

pub(super) fn raw() -> Fold {
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
pub(super) fn land(fold: &mut Fold) {
    land_up_to(fold, 0, None);
}

/// The same, of a partition and up to a time in milliseconds.
fn land_up_to(fold: &mut Fold, partition: i32, max_timestamp: Option<i64>) {
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
    let from = fold.next(partition);
    let range = PartitionRange {
        partition,
        topic_id: "topic-id".into(),
        generation: fold.generation(),
        leader_epoch: None,
        from,
        to: from + 1,
        accepted: 1,
        rejected: 0,
        accepted_with_rejects: 0,
        tombstones: 0,
        absent: 0,
        gaps: 0,
        max_timestamp,
    };
    let added = vec![file(FileZone::Raw, "raw"), file(FileZone::Rejected, "rejected")];
    let data = RawData { partitions: vec![range], added, removed: vec![], schemas: vec![] };
    fold.apply(&entry(u128::from(number) + 100, Kind::Data(Data::Raw(data)))).expect("the entry follows");
}

pub(super) fn processed(raw_zone: ZoneId) -> Fold {
    processed_of(raw_zone, 1)
}

fn processed_of(raw_zone: ZoneId, buckets: u32) -> Fold {
    let genesis = ProcessedGenesis {
        zone_id: zone_id(2),
        raw_zone_id: raw_zone,
        key: vec!["id".into()],
        partition_by: vec![PartitionField { column: "year".into(), transform: PartitionTransform::Identity }],
        buckets,
        keep: Keep::Latest,
        order_by: None,
    };
    Fold::begin(zone_id(2), &entry(1, Kind::Genesis(Genesis::Processed(genesis)))).expect("a genesis is valid")
}

fn processed_up_to(position: i64) -> Fold {
    let mut fold = processed(zone_id(1));
    run(&mut fold, &[(0, position, None)], vec![]);
    fold
}

/// A run that brings buckets to positions, each with what it is processed through.
fn run(fold: &mut Fold, buckets: &[(u32, i64, Option<&str>)], added: Vec<FileEntry>) {
    let number = u128::from(fold.head().0) + 200;
    let summary = RunSummary {
        start_time: time(),
        completion_time: time(),
        rows: RunRows::default(),
        files: RunFiles::default(),
        late_before: None,
        cost: None,
        kind: RunKind::Increment,
        through: None,
        buckets: None,
    };
    let range = |(bucket, to_seq, through): &(u32, i64, Option<&str>)| BucketRange {
        bucket: *bucket,
        from_seq: fold.positions()[bucket],
        to_seq: *to_seq,
        processed_through: through.map(|time| time.parse().expect("a time")),
    };
    let buckets = buckets.iter().map(range).collect();
    let data = ProcessedData { raw_zone_id: zone_id(1), buckets, added, removed: vec![], run: summary };
    fold.apply(&entry(number, Kind::Data(Data::Processed(data)))).expect("the entry follows");
}

/// A zone at a position with a file of rows and one of late rows.
pub(super) fn processed_with_reject(position: i64) -> Fold {
    let mut fold = processed(zone_id(1));
    let staged = |number: u32| format!("_staging/{}/{number}.staged", writer()).parse().expect("a path");
    let rejected = FileEntry {
        zone: FileZone::Rejected,
        path: "ingest_date=2026-11-23/ingest_hour=05/late.parquet".parse().expect("a path"),
        staged: staged(7001),
        rows: 1,
        bytes: 1,
        digest: Digest::of(b"file"),
        schema: "schema".into(),
        bucket: None,
        partition: None,
    };
    let value = PartitionValue { column: "year".into(), value: TypedValue::Int32(Some(2020)) };
    let rows = FileEntry {
        zone: FileZone::Processed,
        path: "year=2020/rows.parquet".parse().expect("a path"),
        staged: staged(7002),
        bucket: Some(0),
        partition: Some(vec![value]),
        ..rejected.clone()
    };
    run(&mut fold, &[(0, position, None)], vec![rejected, rows]);
    fold
}

fn planned(raw: &Fold, processed: &Fold, buckets: std::ops::Range<u32>) -> RunPlan {
    match plan_run(raw, processed, buckets) {
        Ok(Plan::Run(run)) => run,
        other => panic!("there are new files: {other:?}"),
    }
}

#[test]
fn delta_is_every_raw_file_above_the_position_and_no_reject() {
    let mut raw = raw();
    (0..3).for_each(|_| land(&mut raw));
    let Ok(Plan::Run(run)) = plan_run(&raw, &processed_up_to(1), 0..1) else { panic!("there are new files") };
    let names: Vec<&str> = run.delta.iter().map(|live| live.file.path.name()).collect();
    assert_eq!(names, ["raw-1.parquet", "raw-2.parquet"]);
    assert_eq!((run.from(), run.to), (1, 3));
}

#[test]
fn nothing_above_the_position_is_nothing_new() {
    let mut raw = raw();
    land(&mut raw);
    assert_eq!(plan_run(&raw, &processed_up_to(1), 0..1), Ok(Plan::NothingNew { position: 1 }));
}

#[test]
fn first_run_takes_every_file() {
    let mut raw = raw();
    land(&mut raw);
    let Ok(Plan::Run(run)) = plan_run(&raw, &processed(zone_id(1)), 0..1) else { panic!("there are new files") };
    assert_eq!((run.from(), run.to, run.delta.len()), (-1, 1, 1));
}

#[test]
fn position_above_the_head_is_refused() {
    assert_eq!(plan_run(&raw(), &processed_up_to(7), 0..1), Err(Refusal::Ahead { position: 7, head: 0 }));
}

#[test]
fn other_raw_zone_is_refused() {
    let expected = Refusal::OtherRawZone { expected: zone_id(9).to_string(), found: zone_id(1) };
    assert_eq!(plan_run(&raw(), &processed(zone_id(9)), 0..1), Err(expected));
}

#[test]
fn processed_zone_is_no_source() {
    assert_eq!(plan_run(&processed(zone_id(1)), &processed(zone_id(1)), 0..1), Err(Refusal::NotRaw));
}

#[test]
fn each_bucket_goes_on_where_it_stands() {
    let mut raw = raw();
    (0..3).for_each(|_| land(&mut raw));
    let mut processed = processed_of(zone_id(1), 3);
    run(&mut processed, &[(0, 2, None), (2, 1, None)], vec![]);

    let plan = planned(&raw, &processed, 0..3);

    assert_eq!((plan.from(), plan.to, plan.delta.len()), (-1, 3, 3));
    let taken = |bucket| (1..=3).filter(|entry| plan.takes(Bucket(bucket), Sequence(*entry))).collect::<Vec<u64>>();
    assert_eq!([taken(0), taken(1), taken(2), taken(3)], [vec![3], vec![1, 2, 3], vec![2, 3], vec![]]);
    let shard = planned(&raw, &processed, 0..1);
    assert_eq!((shard.from(), shard.delta.len(), shard.takes(Bucket(1), Sequence(3))), (2, 1, false));
}

#[test]
fn files_of_the_zone_are_those_of_the_buckets_and_no_rejects() {
    let mut raw = raw();
    land(&mut raw);
    let mut processed = processed_of(zone_id(1), 2);
    let file = |zone, number: u32, bucket: Option<u32>| FileEntry {
        zone,
        path: format!("year=2026/f-{number}.parquet").parse().expect("a path"),
        staged: format!("_staging/{}/{number}.staged", writer()).parse().expect("a path"),
        rows: 1,
        bytes: 1,
        digest: Digest::of(b"file"),
        schema: "schema".into(),
        bucket,
        partition: bucket.map(|_| vec![PartitionValue { column: "year".into(), value: TypedValue::Int32(Some(2026)) }]),
    };
    let files = vec![
        file(FileZone::Processed, 0, Some(0)),
        file(FileZone::Processed, 1, Some(1)),
        file(FileZone::Rejected, 2, None),
    ];
    run(&mut processed, &[], files);

    let names = |plan: RunPlan| plan.zone.iter().map(|live| live.file.path.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(planned(&raw, &processed, 0..2)), ["f-0.parquet", "f-1.parquet"]);
    assert_eq!(names(planned(&raw, &processed, 1..2)), ["f-1.parquet"]);
}

#[rstest]
#[case(0..2)]
#[case(1..2)]
#[case(0..0)]
fn buckets_that_the_zone_lacks_are_refused(#[case] asked: std::ops::Range<u32>) {
    let expected = Refusal::NoSuchBuckets { asked: asked.clone(), there: 1 };
    assert_eq!(plan_run(&raw(), &processed(zone_id(1)), asked), Err(expected));
}

const FIVE: &str = "2026-11-23T05:00:00.000Z";
const SIX: &str = "2026-11-23T06:00:00.000Z";
const SEVEN: &str = "2026-11-23T07:00:00.000Z";

fn milliseconds(time: &str) -> Option<i64> {
    Some(time.parse::<LogTime>().expect("a time").utc().timestamp_millis())
}

fn through(plan: &RunPlan) -> [Option<String>; 2] {
    [plan.processed_through, plan.through].map(|time| time.map(|time| time.to_string()))
}

#[test]
fn zone_is_processed_through_the_newest_message_of_the_partition_that_is_furthest_behind() {
    let mut raw = raw();
    land_up_to(&mut raw, 0, milliseconds(SEVEN));
    land_up_to(&mut raw, 1, milliseconds(SIX));

    assert_eq!(through(&planned(&raw, &processed(zone_id(1)), 0..1)), [None, Some(SIX.to_owned())]);
}

/// One producer's clock must not make every later row late, not even where a run has believed it already.
#[test]
fn message_from_the_future_counts_as_the_time_of_the_log() {
    let future = "2099-01-01T00:00:00.000Z";
    let mut raw = raw();
    land_up_to(&mut raw, 0, milliseconds(future));
    let now = time().to_string();
    assert_eq!(through(&planned(&raw, &processed(zone_id(1)), 0..1)), [None, Some(now.clone())]);

    let mut before = processed(zone_id(1));
    run(&mut before, &[(0, 0, Some(future))], vec![]);
    assert_eq!(through(&planned(&raw, &before, 0..1)), [Some(now.clone()), Some(now)]);
}

#[test]
fn plan_stands_until_a_bucket_moves_on_or_a_file_goes() {
    let mut raw = raw();
    land(&mut raw);
    let mut zone = processed_up_to(0);
    let plan = planned(&raw, &zone, 0..1);
    assert!(plan.stands(&zone));
    run(&mut zone, &[(0, 0, None)], vec![]);
    assert!(plan.stands(&zone), "a commit that moves nothing leaves it as it is");
    run(&mut zone, &[(0, 1, None)], vec![]);
    assert!(!plan.stands(&zone));
}

#[test]
fn partition_without_a_time_leaves_it_unsaid_and_takes_nothing_back() {
    let mut raw = raw();
    land_up_to(&mut raw, 0, milliseconds(SEVEN));
    land_up_to(&mut raw, 1, None);
    assert_eq!(through(&planned(&raw, &processed(zone_id(1)), 0..1)), [None, None]);

    let mut before = processed(zone_id(1));
    run(&mut before, &[(0, 0, Some(SIX))], vec![]);
    assert_eq!(through(&planned(&raw, &before, 0..1)), [Some(SIX.to_owned()), Some(SIX.to_owned())]);
    assert_eq!(before.all_processed_through().map(|time| time.to_string()).as_deref(), Some(SIX));
}

#[test]
fn only_a_rewind_that_the_run_takes_brings_it_back() {
    let mut raw = raw();
    land_up_to(&mut raw, 0, milliseconds(SEVEN));
    let partitions = vec![PartitionRewind { partition: 0, next: 0, gaps: 0 }];
    let rewind = Rewind {
        nonce: "again".into(),
        generation: 1,
        cluster_id: "cluster".into(),
        topic_id: "topic-id".into(),
        partitions,
    };
    raw.apply(&entry(300, Kind::Rewind(rewind))).expect("the rewind follows");
    land_up_to(&mut raw, 0, milliseconds(FIVE));
    let mut before = processed(zone_id(1));
    run(&mut before, &[(0, 1, Some(SEVEN))], vec![]);
    assert_eq!(through(&planned(&raw, &before, 0..1)), [Some(SEVEN.to_owned()), Some(FIVE.to_owned())]);

    run(&mut before, &[(0, 3, Some(FIVE))], vec![]);
    land_up_to(&mut raw, 0, milliseconds("2026-11-23T04:00:00.000Z"));
    assert_eq!(through(&planned(&raw, &before, 0..1)), [Some(FIVE.to_owned()), Some(FIVE.to_owned())]);
}

#[test]
fn all_of_a_zone_is_processed_through_the_least_of_its_buckets() {
    let mut processed = processed_of(zone_id(1), 2);
    run(&mut processed, &[(0, 1, Some(SEVEN))], vec![]);
    assert_eq!(processed.all_processed_through(), None);
    run(&mut processed, &[(1, 1, Some(SIX))], vec![]);
    assert_eq!(processed.all_processed_through().map(|time| time.to_string()).as_deref(), Some(SIX));
}
