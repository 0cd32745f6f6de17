//! What an entry and a path are on disk: the JSON, and what is not understood.

use rstest::rstest;
use uuid::Uuid;

use super::super::*;
use super::{
    file, incarnation, processed_entry, processed_genesis, range, raw_data, raw_entry, raw_genesis, run, text, zone_id,
};

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
#[case::unknown_field(r#""removed":[]"#, r#""removed":[],"hold":true"#, "unknown field `hold`, ")]
#[case::unknown_inner_field(r#""gaps":0"#, r#""gaps":0,"lost":0"#, "unknown field `lost`")]
#[case::missing_field(r#""removed":[]"#, r#""x":1"#, "unknown field `x`")]
#[case::newer(
    r#""gaps":0"#,
    r#""gaps":0,"lost":0"#,
    "a newer version of gristmill wrote it; use that version, or a newer one"
)]
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
