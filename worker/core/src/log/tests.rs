//! Tests of the pure log: its JSON, its rules, and what it adds up to.

use rstest::rstest;
use uuid::Uuid;

use super::*;

mod control;
mod upkeep;

const ZONE: u128 = 0x5f0c_0000_0000_4000_8000_0000_0000_0001;

fn zone_id() -> ZoneId {
    ZoneId::new(Uuid::from_u128(ZONE))
}

fn raw_zone_id() -> ZoneId {
    ZoneId::new(Uuid::from_u128(2))
}

fn incarnation(number: u128) -> Incarnation {
    Incarnation::new(Uuid::from_u128(0xa000_0000 + number))
}

fn entry(commit: u128, kind: Kind) -> Entry {
    Entry {
        commit_id: CommitId::new(Uuid::from_u128(commit)),
        incarnation: incarnation(1),
        time: "2026-11-23T05:09:41.123Z".parse().expect("a time"),
        spec_digest: Digest::of(b"spec"),
        kind,
    }
}

fn raw_genesis() -> Entry {
    entry(
        1,
        Kind::Genesis(Genesis::Raw(RawGenesis {
            zone_id: zone_id(),
            cluster_id: "cluster".to_owned(),
            topic: "books".to_owned(),
            topic_id: "topic-1".to_owned(),
            group: "group".to_owned(),
            partitions: vec![PartitionStart { partition: 0, start_offset: 100 }],
        })),
    )
}

fn processed_genesis() -> Entry {
    let partition_by = vec![PartitionField { column: "year".to_owned(), transform: PartitionTransform::Identity }];
    entry(
        1,
        Kind::Genesis(Genesis::Processed(ProcessedGenesis {
            zone_id: zone_id(),
            raw_zone_id: raw_zone_id(),
            key: vec!["record_id".to_owned()],
            partition_by,
            buckets: 1,
            keep: Keep::Latest,
            order_by: None,
        })),
    )
}

fn range(partition: i32, from: i64, to: i64) -> PartitionRange {
    PartitionRange {
        partition,
        topic_id: "topic-1".to_owned(),
        generation: 0,
        leader_epoch: Some(3),
        from,
        to,
        accepted: u64::try_from(to - from).unwrap_or(0),
        rejected: 0,
        accepted_with_rejects: 0,
        tombstones: 0,
        absent: 0,
        gaps: 0,
        max_timestamp: Some(1_763_874_581_123),
    }
}

fn file(zone: FileZone, number: u64) -> FileEntry {
    let processed = zone == FileZone::Processed;
    let value = PartitionValue { column: "year".to_owned(), value: TypedValue::Int32(Some(2026)) };
    FileEntry {
        zone,
        path: layout::published("ingest_date=2026-11-23/ingest_hour=05", incarnation(1), number).expect("a path"),
        staged: layout::staged(incarnation(1), number),
        rows: 10,
        bytes: 1000,
        digest: Digest::of(b"file"),
        schema: "s1".to_owned(),
        bucket: processed.then_some(0),
        partition: processed.then(|| vec![value]),
    }
}

fn raw_data(partitions: Vec<PartitionRange>, added: Vec<FileEntry>) -> RawData {
    RawData { partitions, added, removed: Vec::new(), schemas: Vec::new() }
}

fn raw_entry(commit: u128, data: RawData) -> Entry {
    entry(commit, Kind::Data(Data::Raw(data)))
}

fn run(from_seq: i64, to_seq: i64, added: Vec<FileEntry>, removed: Vec<&FileEntry>) -> ProcessedData {
    let removed = removed.into_iter().map(|file| RemovedFile { zone: file.zone, path: file.path.clone() }).collect();
    let time = "2026-11-23T06:05:00.000Z".parse().expect("a time");
    ProcessedData {
        raw_zone_id: raw_zone_id(),
        buckets: vec![BucketRange { bucket: 0, from_seq, to_seq, processed_through: None }],
        added,
        removed,
        run: RunSummary {
            start_time: time,
            completion_time: time,
            rows: RunRows { read: 12, duplicate_in_delta: 1, duplicate_in_zone: 1, written: 10, ..RunRows::default() },
            files: RunFiles { before: 0, after: 1, ..RunFiles::default() },
            late_before: None,
            cost: None,
        },
    }
}

fn processed_entry(commit: u128, data: ProcessedData) -> Entry {
    entry(commit, Kind::Data(Data::Processed(data)))
}

fn raw_fold() -> Fold {
    Fold::begin(zone_id(), &raw_genesis()).expect("a genesis")
}

fn processed_fold() -> Fold {
    Fold::begin(zone_id(), &processed_genesis()).expect("a genesis")
}

fn text(entry: &Entry) -> String {
    String::from_utf8(encode_entry(entry)).expect("JSON is UTF-8")
}

#[test]
fn a_data_entry_is_written_as_the_protocol_shows_it() {
    let mut data = raw_data(vec![range(0, 100, 200)], vec![file(FileZone::Raw, 7)]);
    data.partitions[0] = PartitionRange { accepted: 97, rejected: 2, tombstones: 1, ..range(0, 100, 200) };
    let digest = Digest::of(b"spec");
    let file_digest = Digest::of(b"file");
    let incarnation = "00000000-0000-0000-0000-0000a0000001";
    let expected = format!(
        concat!(
            r#"{{"format":1,"commitId":"00000000-0000-0000-0000-000000000002","incarnation":"{i}","#,
            r#""time":"2026-11-23T05:09:41.123Z","specDigest":"{d}","kind":"Data","#,
            r#""partitions":[{{"partition":0,"topicId":"topic-1","generation":0,"leaderEpoch":3,"from":100,"to":200,"#,
            r#""accepted":97,"rejected":2,"tombstones":1,"absent":0,"gaps":0,"maxTimestamp":1763874581123}}],"#,
            r#""added":[{{"zone":"Raw","path":"ingest_date=2026-11-23/ingest_hour=05/{i}-7.parquet","#,
            r#""staged":"_staging/{i}/7.staged","rows":10,"bytes":1000,"digest":"{f}","schema":"s1"}}],"removed":[]}}"#,
        ),
        i = incarnation,
        d = digest,
        f = file_digest,
    );
    assert_eq!(text(&raw_entry(2, data)), expected);
}

#[rstest]
#[case(raw_genesis())]
#[case(processed_genesis())]
#[case(raw_entry(2, raw_data(vec![range(0, 100, 200)], vec![file(FileZone::Raw, 1), file(FileZone::Rejected, 2)])))]
#[case(processed_entry(2, run(-1, 4, vec![file(FileZone::Processed, 1)], vec![&file(FileZone::Processed, 9)])))]
fn what_is_written_is_read_again(#[case] entry: Entry) {
    assert_eq!(decode_entry(&encode_entry(&entry)).expect("it is read"), entry);
}

#[rstest]
#[case::string(TypedValue::String(Some("a/b".to_owned())), r#"{"type":"String","value":"a/b"}"#)]
#[case::null(TypedValue::Int64(None), r#"{"type":"Int64","value":null}"#)]
#[case::date(TypedValue::Date("2026-11-23".parse().ok()), r#"{"type":"Date","value":"2026-11-23"}"#)]
#[case::boolean(TypedValue::Boolean(Some(true)), r#"{"type":"Boolean","value":true}"#)]
fn a_partition_value_keeps_its_type_and_its_null(#[case] value: TypedValue, #[case] json: &str) {
    assert_eq!(serde_json::to_string(&value).expect("JSON"), json);
    assert_eq!(serde_json::from_str::<TypedValue>(json).expect("a value"), value);
}

#[rstest]
#[case::kind(r#""kind":"Data""#, r#""kind":"Split""#, "its kind is Split, which this version does not know")]
#[case::format(r#""format":1"#, r#""format":2"#, "its format is 2, this version reads format 1")]
#[case::no_format(r#""format":1,"#, "", "its format is null")]
#[case::unknown_field(r#""removed":[]"#, r#""removed":[],"hold":true"#, "unknown field `hold`")]
#[case::unknown_inner_field(r#""gaps":0"#, r#""gaps":0,"lost":0"#, "unknown field `lost`")]
#[case::missing_field(r#""removed":[]"#, r#""x":1"#, "unknown field `x`")]
#[case::digest("sha256:", "md5:", "is not a digest `sha256:<hex>`")]
#[case::id("00000000-0000-0000-0000-000000000002", "2", "`2` is not a UUID in lower-case hex")]
#[case::way_out("ingest_date=2026-11-23", "..", "is not a path below a zone")]
#[case::file_zone(r#""zone":"Raw""#, r#""zone":"Archive""#, "unknown variant `Archive`")]
fn what_this_version_does_not_know_is_refused(#[case] known: &str, #[case] unknown: &str, #[case] reason: &str) {
    let entry = text(&raw_entry(2, raw_data(vec![range(0, 100, 200)], vec![file(FileZone::Raw, 1)])));
    assert!(entry.contains(known), "{entry}");
    let error = decode_entry(entry.replace(known, unknown).as_bytes()).expect_err("it is refused").to_string();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn the_zone_file_holds_the_id_and_nothing_else() {
    let written = encode_zone_file(zone_id());
    assert_eq!(decode_zone_file(&written).expect("read"), zone_id());
    assert_eq!(written, br#"{"format":1,"zoneId":"5f0c0000-0000-4000-8000-000000000001"}"#);
    assert!(decode_zone_file(br#"{"format":2,"zoneId":"5f0c0000-0000-4000-8000-000000000001"}"#).is_err());
    assert!(decode_zone_file(br#"{"format":1,"zoneId":"5f0c0000-0000-4000-8000-000000000001","x":1}"#).is_err());
}

#[test]
fn every_path_is_where_the_protocol_has_it() {
    let paths = [
        layout::zone_file(),
        layout::slot(zone_id(), Sequence(43)),
        layout::staged(incarnation(1), 7),
        layout::prepared(incarnation(1), CommitId::new(Uuid::from_u128(2))),
        layout::retired(Sequence(43), &file(FileZone::Raw, 7).path),
    ];
    insta::assert_snapshot!(paths.map(|path| path.to_string()).join("\n"), @r"
    _log/zone.json
    _log/5f0c0000-0000-4000-8000-000000000001/00000000000000000043.json
    _staging/00000000-0000-0000-0000-0000a0000001/7.staged
    _staging/00000000-0000-0000-0000-0000a0000001/00000000-0000-0000-0000-000000000002.tmp
    _retired/00000000000000000043/00000000-0000-0000-0000-0000a0000001-7.parquet.retired
    ");
    assert_eq!(layout::slot_sequence("00000000000000000043.json"), Some(Sequence(43)));
    assert_eq!(layout::slot_sequence("43.json"), None);
    assert_eq!(layout::slot_sequence("00000000000000000256.checkpoint"), None);
}

#[test]
fn a_range_that_follows_is_folded() {
    let mut fold = raw_fold();
    fold.apply(&raw_entry(2, raw_data(vec![range(0, 100, 200)], vec![file(FileZone::Raw, 1)]))).expect("valid");
    assert_eq!((fold.head(), fold.next(0), fold.totals().accepted), (Sequence(1), 200, 100));
    assert_eq!(fold.added_after(FileZone::Raw, 0).len(), 1);
    assert_eq!(fold.added_after(FileZone::Raw, 1).len(), 0);
}

#[test]
fn a_partition_that_genesis_does_not_name_begins_at_zero() {
    let fold = raw_fold();
    assert_eq!(fold.next(5), 0);
    assert_eq!(valid(&fold, &raw_entry(2, raw_data(vec![range(5, 0, 3)], vec![]))), Ok(()));
    assert!(valid(&fold, &raw_entry(2, raw_data(vec![range(5, 1, 3)], vec![]))).is_err());
}

#[rstest]
#[case::gap(range(0, 101, 200), "begins at offset 101, the zone continues at 100")]
#[case::overlap(range(0, 99, 200), "begins at offset 99")]
#[case::back(PartitionRange { accepted: 0, ..range(0, 100, 99) }, "offsets 100 to 99")]
#[case::identity(PartitionRange { accepted: 99, ..range(0, 100, 200) }, "gaps = 99")]
#[case::forged(PartitionRange { rejected: u64::MAX, ..range(0, 100, 200) }, "more than can be")]
#[case::topic(PartitionRange { topic_id: "topic-2".to_owned(), ..range(0, 100, 200) }, "topic id topic-2")]
#[case::generation(PartitionRange { generation: 1, ..range(0, 100, 200) }, "generation 1, the zone is at 0")]
fn a_range_that_breaks_a_rule_is_refused(#[case] range: PartitionRange, #[case] reason: &str) {
    let mut fold = raw_fold();
    let before = fold.clone();
    let error = fold.apply(&raw_entry(2, raw_data(vec![range], vec![]))).expect_err("refused").to_string();
    assert!(error.contains(reason), "{error}");
    assert_eq!(fold, before, "a refused entry changes nothing");
}

#[rstest]
#[case::twice(vec![range(0, 100, 110), range(0, 100, 110)], vec![], "partition 0 twice")]
#[case::same_name(vec![], vec![file(FileZone::Raw, 1), file(FileZone::Rejected, 1)], "twice")]
#[case::processed_file(vec![], vec![file(FileZone::Processed, 1)], "is Raw or Rejected")]
#[case::hidden(
    vec![],
    vec![FileEntry { path: "_retired/x.parquet".parse().expect("a path"), ..file(FileZone::Raw, 1) }],
    "no name of a data file"
)]
#[case::not_parquet(
    vec![],
    vec![FileEntry { path: "x.csv".parse().expect("a path"), ..file(FileZone::Raw, 1) }],
    "no name of a data file"
)]
#[case::not_staged(
    vec![],
    vec![FileEntry { staged: "_log/zone.json".parse().expect("a path"), ..file(FileZone::Raw, 1) }],
    "its staged name is none"
)]
fn a_raw_entry_that_breaks_a_rule_is_refused(
    #[case] ranges: Vec<PartitionRange>,
    #[case] added: Vec<FileEntry>,
    #[case] reason: &str,
) {
    let refusal = valid(&raw_fold(), &raw_entry(2, raw_data(ranges, added))).expect_err("refused").to_string();
    assert!(refusal.contains(reason), "{refusal}");
}

#[test]
fn a_raw_file_never_leaves_by_a_data_entry() {
    let mut fold = raw_fold();
    let data = file(FileZone::Raw, 1);
    fold.apply(&raw_entry(2, raw_data(vec![], vec![data.clone()]))).expect("valid");
    let removed = vec![RemovedFile { zone: data.zone, path: data.path.clone() }];
    let removal = RawData { removed, ..raw_data(vec![], vec![]) };
    assert_eq!(valid(&fold, &raw_entry(3, removal)), Err(Refusal::RawRemoves));
    let again = raw_entry(3, raw_data(vec![], vec![data]));
    assert!(matches!(valid(&fold, &again), Err(Refusal::AddedIsLive(_))));
}

#[test]
fn a_genesis_stands_at_slot_0_and_nothing_else_does() {
    assert_eq!(valid(&raw_fold(), &raw_genesis()), Err(Refusal::SecondGenesis));
    let data = raw_entry(2, raw_data(vec![], vec![]));
    assert_eq!(valid_genesis(zone_id(), &data), Err(Refusal::NoGenesis("Data")));
    assert!(matches!(valid_genesis(raw_zone_id(), &raw_genesis()), Err(Refusal::ForeignGenesis { .. })));
    for buckets in [0, 257, u32::MAX] {
        let mut forged = processed_genesis();
        if let Kind::Genesis(Genesis::Processed(genesis)) = &mut forged.kind {
            genesis.buckets = buckets;
        }
        assert_eq!(valid_genesis(zone_id(), &forged), Err(Refusal::Buckets(buckets)));
    }
    assert_eq!(valid(&processed_fold(), &data), Err(Refusal::WrongZoneKind));
}

#[test]
fn a_run_replaces_files_and_moves_the_position() {
    let mut fold = processed_fold();
    let (first, second) = (file(FileZone::Processed, 1), file(FileZone::Processed, 2));
    let added = fold.apply(&processed_entry(2, run(-1, 4, vec![first.clone()], vec![]))).expect("valid");
    assert!(added.retire.is_empty());
    let replaced = fold.apply(&processed_entry(3, run(4, 9, vec![second.clone()], vec![&first]))).expect("valid");
    assert_eq!(replaced.retire[0].staged, first.staged);
    assert_eq!(replaced.retire[0].retired, layout::retired(Sequence(2), &first.path));
    assert_eq!(replaced.publish[0].path, second.path);
    assert_eq!(fold.positions()[&0], 9);
    assert_eq!(fold.live().keys().map(|key| &key.path).collect::<Vec<_>>(), [&second.path]);
    assert_eq!(fold.runs().map(|run| run.sequence.0).collect::<Vec<_>>(), [2, 1]);
}

#[rstest]
#[case::position(run(3, 4, vec![], vec![]), "begins behind RAW entry 3, the zone stands at -1")]
#[case::back(run(-1, -2, vec![], vec![]), "the position would go back")]
#[case::not_live(run(-1, 4, vec![], vec![&file(FileZone::Processed, 1)]), "which is not a live file")]
#[case::raw_zone(ProcessedData { raw_zone_id: zone_id(), ..run(-1, 4, vec![], vec![]) }, "this zone consumes")]
#[case::bucket(
    ProcessedData { buckets: vec![BucketRange { bucket: 1, from_seq: -1, to_seq: 4, processed_through: None }], ..run(-1, 4, vec![], vec![]) },
    "bucket 1 does not exist"
)]
#[case::file_bucket(
    run(-1, 4, vec![FileEntry { bucket: Some(1), ..file(FileZone::Processed, 1) }], vec![]),
    "its bucket does not exist"
)]
#[case::partition(
    run(-1, 4, vec![FileEntry { partition: Some(vec![]), ..file(FileZone::Processed, 1) }], vec![]),
    "not those of partitionBy"
)]
fn a_run_that_breaks_a_rule_is_refused(#[case] data: ProcessedData, #[case] reason: &str) {
    let refusal = valid(&processed_fold(), &processed_entry(2, data)).expect_err("refused").to_string();
    assert!(refusal.contains(reason), "{refusal}");
}

#[test]
fn our_own_entry_is_recognised_before_it_is_validated() {
    let mut fold = raw_fold();
    let ours = raw_entry(2, raw_data(vec![range(0, 100, 200)], vec![]));
    assert_eq!(before_attempt(&fold, &ours), BeforeAttempt::Take(Sequence(1)));
    fold.apply(&ours).expect("valid");
    assert_eq!(before_attempt(&fold, &ours), BeforeAttempt::AlreadyThere(Sequence(1)));
    let same_range = raw_entry(3, raw_data(vec![range(0, 100, 200)], vec![]));
    assert!(matches!(before_attempt(&fold, &same_range), BeforeAttempt::Lost(Refusal::NotNext { .. })));
}

#[test]
fn only_the_slot_decides_an_attempt() {
    let ours = raw_entry(2, raw_data(vec![], vec![]));
    let other = raw_entry(3, raw_data(vec![], vec![]));
    assert_eq!(after_attempt(ours.commit_id, None), AfterAttempt::RepeatSameSlot);
    assert_eq!(after_attempt(ours.commit_id, Some(&ours)), AfterAttempt::CheckStillOurZone);
    assert_eq!(after_attempt(ours.commit_id, Some(&other)), AfterAttempt::FoldThenDecideAgain);
}

#[test]
fn effective_time_does_not_follow_a_clock_that_goes_back() {
    let mut fold = raw_fold();
    let early =
        Entry { time: "2026-10-14T00:00:00Z".parse().expect("a time"), ..raw_entry(2, raw_data(vec![], vec![])) };
    fold.apply(&early).expect("valid");
    assert_eq!(fold.effective_time(), raw_genesis().time);
}

#[rstest]
#[case::alone(&[(1, 0), (2, 0), (3, 0)], 2, &[2])]
#[case::a_removal_wants_all_before_it(&[(1, 0), (2, 0), (3, 1)], 3, &[1, 2, 3])]
#[case::a_removal_before_wants_its_turn(&[(1, 0), (2, 1), (3, 0)], 3, &[1, 2, 3])]
#[case::a_later_removal_wants_nothing(&[(1, 0), (2, 0), (3, 1)], 2, &[2])]
#[case::published_already(&[(1, 0)], 7, &[])]
fn entries_are_published_in_order_where_one_removes(
    #[case] unpublished: &[(u64, usize)],
    #[case] wanted: u64,
    #[case] expected: &[u64],
) {
    let retire = Retire {
        zone: FileZone::Processed,
        path: "a.parquet".parse().expect("a path"),
        staged: "_staging/i/1.staged".parse().expect("a path"),
        retired: "_retired/3/a.parquet.retired".parse().expect("a path"),
    };
    let publications: Vec<_> = unpublished
        .iter()
        .map(|(sequence, removed)| {
            (Sequence(*sequence), Publication { retire: vec![retire.clone(); *removed], publish: Vec::new() })
        })
        .collect();
    let due = due(publications.iter().map(|(sequence, publication)| (*sequence, publication)), Sequence(wanted));
    assert_eq!(due, expected.iter().map(|sequence| Sequence(*sequence)).collect::<Vec<_>>());
}

#[test]
fn inspection_of_a_raw_zone_has_the_keys_of_the_command() {
    let mut fold = raw_fold();
    let counted = PartitionRange { accepted: 95, rejected: 2, tombstones: 1, absent: 2, ..range(0, 100, 200) };
    let added = vec![file(FileZone::Raw, 1), file(FileZone::Rejected, 2)];
    fold.apply(&raw_entry(2, raw_data(vec![counted], added))).expect("valid");
    insta::assert_json_snapshot!(inspect(&fold), @r#"
    {
      "zone": "5f0c0000-0000-4000-8000-000000000001",
      "kind": "Raw",
      "head_sequence": 1,
      "messages": 98,
      "accepted_messages": 95,
      "rejected_messages": 2,
      "tombstones": 1,
      "absent": 2,
      "gaps": 0,
      "rows": 10,
      "rejected_rows": 10,
      "files": 1,
      "rejected_files": 1,
      "bytes": 2000,
      "offsets": {
        "books": {
          "0": {
            "generation": 0,
            "next": 200
          }
        }
      },
      "consumers": [],
      "held": null
    }
    "#);
}

#[test]
fn inspection_of_a_processed_zone_has_the_keys_of_the_command() {
    let mut fold = processed_fold();
    fold.apply(&processed_entry(2, run(-1, 4, vec![file(FileZone::Processed, 1)], vec![]))).expect("valid");
    insta::assert_json_snapshot!(inspect(&fold), @r#"
    {
      "zone": "5f0c0000-0000-4000-8000-000000000001",
      "kind": "Processed",
      "head_sequence": 1,
      "source_zone": "00000000-0000-0000-0000-000000000002",
      "positions": {
        "0": 4
      },
      "processed_through": null,
      "rows": 10,
      "files": 1,
      "bytes": 1000,
      "rejected_rows": 0,
      "rejected_files": 0,
      "runs": [
        {
          "sequence": 1,
          "start_time": "2026-11-23T06:05:00.000Z",
          "completion_time": "2026-11-23T06:05:00.000Z",
          "rows": {
            "read": 12,
            "duplicate_in_delta": 1,
            "duplicate_in_zone": 1,
            "written": 10,
            "late": 0,
            "rejected": 0
          },
          "files": {
            "before": 0,
            "after": 1,
            "bytes_before": 0,
            "bytes_after": 0
          },
          "late_before": null,
          "cost": null
        }
      ]
    }
    "#);
}

/// What stands in logs of versions that knew no more.
#[test]
fn genesis_and_run_of_earlier_versions_are_read() {
    let genesis = r#"{"format":1,"commitId":"00000000-0000-4000-8000-000000000001",
        "incarnation":"00000000-0000-4000-8000-000000000002","time":"2026-11-23T05:09:41.123Z",
        "specDigest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","kind":"Genesis",
        "zoneKind":"Processed","zoneId":"5f0c0000-0000-4000-8000-000000000001",
        "rawZoneId":"00000000-0000-4000-8000-000000000002","key":["id"],
        "partitionBy":[{"column":"year","transform":"Identity"}],"buckets":1}"#;
    let Kind::Genesis(Genesis::Processed(read)) = decode_entry(genesis.as_bytes()).expect("it is read").kind else {
        panic!("a genesis")
    };
    assert_eq!((read.keep, read.order_by), (Keep::Latest, None));
    let run = r#"{"format":1,"commitId":"00000000-0000-4000-8000-000000000003",
        "incarnation":"00000000-0000-4000-8000-000000000002","time":"2026-11-23T06:09:41.123Z",
        "specDigest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","kind":"Data",
        "rawZoneId":"00000000-0000-4000-8000-000000000002","buckets":[{"bucket":0,"fromSeq":-1,"toSeq":4}],
        "added":[],"removed":[],"run":{"startTime":"2026-11-23T06:05:00.000Z","completionTime":"2026-11-23T06:06:00.000Z",
        "rows":{"read":1,"duplicateInDelta":0,"duplicateInZone":0,"written":1},"files":{"before":0,"after":1}}}"#;
    let Kind::Data(Data::Processed(read)) = decode_entry(run.as_bytes()).expect("it is read").kind else {
        panic!("data of a Processed zone")
    };
    assert_eq!((read.buckets[0].processed_through, read.run.rows.late, read.run.cost), (None, 0, None));
}

#[test]
fn late_rows_are_rejects_of_a_processed_zone_without_bucket_and_partition() {
    let fold = processed_fold();
    let late = file(FileZone::Rejected, 1);
    assert_eq!(valid(&fold, &processed_entry(2, run(-1, 4, vec![late.clone()], vec![]))), Ok(()));
    let in_bucket = FileEntry { bucket: Some(0), ..late };
    let refused = valid(&fold, &processed_entry(2, run(-1, 4, vec![in_bucket], vec![])));
    assert!(matches!(refused, Err(Refusal::Misplaced { .. })), "{refused:?}");
}

#[test]
fn genesis_with_a_directory_twice_is_refused() {
    let Kind::Genesis(Genesis::Processed(mut genesis)) = processed_genesis().kind else { panic!("a genesis") };
    let by = |column: &str, transform| PartitionField { column: column.to_owned(), transform };
    genesis.partition_by = vec![by("at", PartitionTransform::Year), by("at_year", PartitionTransform::Identity)];
    let entry = entry(1, Kind::Genesis(Genesis::Processed(genesis)));
    assert_eq!(
        valid_genesis(zone_id(), &entry).expect_err("one directory column, two values").to_string(),
        "it names directory column at_year twice"
    );
}

#[test]
fn rate_of_a_run_is_the_bytes_of_its_delta_by_cpu_time() {
    let cost = |cpu_milliseconds| RunCost { delta_bytes: 3_000, cpu_milliseconds, peak_memory: 0 };
    assert_eq!(cost(1500).bytes_per_core_second(), Some(2_000));
    assert_eq!(cost(0).bytes_per_core_second(), None);
}
