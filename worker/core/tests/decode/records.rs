//! What is kept of messages and rows: metadata, reject records, and that every message is counted once.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use gristmill_core::raw::{Header, Headers, Message, MessageDecoder, Verdict, reject_schema, schema_id};
use insta::assert_snapshot;
use rstest::rstest;
use serde_json::json;

use crate::{Reject, decode, message, plan};

fn books() -> gristmill_crds::plan::IngestPlan {
    plan(
        "/library/book",
        json!([
            {"name": "id", "path": "@id", "required": true},
            {"name": "year", "path": "facts/year", "type": "Int32", "min": 1450},
            {"name": "region", "path": "/library/@region", "nullIf": ["-"]},
        ]),
    )
}

/// A reject in one line.
fn line(reject: &Reject) -> String {
    let Reject { reason, column, path, place, message, record_index } = reject;
    let or_none = |text: &Option<String>| text.clone().unwrap_or("-".into());
    let (line, position) = place.unwrap_or_default();
    let index = record_index.map_or("-".into(), |index| index.to_string());
    format!("{reason} {} {} {line}:{position} row {index}: {message}", or_none(column), or_none(path))
}

fn lines(document: &str) -> String {
    decode(&books(), document).rejects().iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_invalid_row_names_the_place_of_its_text() {
    assert_snapshot!(lines("<library>\n  <book id='1'/>\n  <book id='2'><facts>\n    <year>é1</year></facts></book>\n</library>"),
        @r#"InvalidType year /library/book[2]/facts/year 4:5 row 1: "é1" is not an Int32: an integer of 32 bits"#);
}

#[test]
fn a_missing_text_has_the_place_of_its_row() {
    assert_snapshot!(lines("<library>é<book/></library>"),
        @"Required id /library/book[1]/@id 1:11 row 0: the column is required and its element or attribute is missing");
}

#[test]
fn each_invalid_row_has_one_record() {
    assert_snapshot!(lines("<library><book/><book id='1'><facts><year>1</year></facts></book><book id='2'/><book id='3'><facts><year>x</year></facts></book></library>"), @r#"
    Required id /library/book[1]/@id 1:10 row 0: the column is required and its element or attribute is missing
    BelowMin year /library/book[2]/facts/year 1:37 row 1: "1" is below min 1450
    InvalidType year /library/book[4]/facts/year 1:100 row 3: "x" is not an Int32: an integer of 32 bits
    "#);
}

#[test]
fn a_broken_document_names_the_place_where_it_breaks() {
    assert_snapshot!(lines("<library>\n<book id='1'/>\n<book id='2'><facts></year></facts></book></library>"),
        @"NotWellFormed - /library/book[2]/facts 3:21 row -: expected </facts>, found </year>");
}

#[rstest]
#[case::without_namespace("<shop/>", "no element matches /library/book; the root is shop")]
#[case::with_namespace("<x:library xmlns:x='urn:x'/>", "no element matches /library/book; the root is {urn:x}library")]
#[case::default_namespace("<library xmlns='urn:x'/>", "no element matches /library/book; the root is {urn:x}library")]
fn a_document_without_rows_names_its_root(#[case] document: &str, #[case] expected: &str) {
    let reject = decode(&books(), document).reject();
    assert_eq!((reject.reason.as_str(), reject.message.as_str()), ("NoRows", expected));
}

#[test]
fn a_path_from_the_root_is_invalid_in_every_row() {
    let plan = plan("/l/b", json!([{"name": "day", "path": "/l/day", "type": "Date"}, {"name": "t", "path": "t"}]));
    let decoded = decode(&plan, "<l><b/><b/><day>today</day></l>");
    assert_eq!(decoded.verdict, Verdict::Rejected { rejected_rows: 2 });
    let places: Vec<_> = decoded.rejects().into_iter().map(|reject| (reject.path, reject.place)).collect();
    assert_eq!(places, vec![(Some("/l/day".to_owned()), Some((1, 12))); 2]);
}

#[test]
fn nothing_is_written_of_a_document_that_breaks_after_its_rows() {
    let decoded = decode(&books(), "<library><book id='1'/><book/></library>x");
    assert_eq!(decoded.verdict, Verdict::Rejected { rejected_rows: 0 });
    assert!(decoded.rows.is_none());
    assert_eq!(decoded.reject().record_index, None);
}

#[test]
fn long_texts_are_shortened_in_messages() {
    let year = "9".repeat(5_000);
    let reject =
        decode(&books(), format!("<library><book id='1'><facts><year>{year}</year></facts></book></library>")).reject();
    assert_eq!(reject.message, format!("\"{}…\" is not an Int32: an integer of 32 bits", "9".repeat(60)));
}

#[test]
fn a_row_keeps_where_it_came_from() {
    let decoded = decode(&books(), "<library><book/><book id='7'/></library>");
    let rows = decoded.rows.unwrap();
    let text = |name: &str| rows.column_by_name(name).unwrap().as_string::<i32>().value(0).to_owned();
    let int = |name: &str| rows.column_by_name(name).unwrap().as_primitive::<Int32Type>().value(0);
    assert_eq!((text("kafka_topic"), text("kafka_topic_id")), ("documents".into(), "AAAAAAAAAAAAAAAAAAAAAQ".into()));
    assert_eq!((int("kafka_partition"), int("record_index"), int("generation")), (3, 1, 1));
    let offset = rows.column_by_name("kafka_offset").unwrap().as_primitive::<Int64Type>();
    let timestamp = rows.column_by_name("kafka_timestamp").unwrap().as_primitive::<TimestampMicrosecondType>();
    assert_eq!((offset.value(0), timestamp.value(0)), (42, 1_764_000_000_000_000));
    assert_eq!(rows.column_by_name("kafka_key").unwrap().as_binary::<i32>().value(0), b"key");
}

/// Headers that are there to be read.
struct Stored<'h>(&'h [Header<'h>]);

impl Headers for Stored<'_> {
    fn read(&self) -> Vec<Header<'_>> {
        self.0.to_vec()
    }
}

/// Headers that nobody may ask for.
struct Untouched;

impl Headers for Untouched {
    fn read(&self) -> Vec<Header<'_>> {
        panic!("headers are read of a message without rejects")
    }
}

#[test]
fn headers_of_a_message_without_rejects_are_not_read() {
    let mut decoder = MessageDecoder::new(&books());
    let verdict = decoder.decode(&Message { headers: &Untouched, ..message(b"<library><book id='1'/></library>") });
    assert!(matches!(verdict, Verdict::Accepted { rejected_rows: 0, .. }), "{verdict:?}");
}

#[test]
fn payload_and_headers_are_stored_once_and_the_digest_always() {
    let payload = format!("<library><book/><book/>{}</library>", " ".repeat(70_000));
    let headers = Stored(&[Header { key: "a".into(), value: Some(b"\xFF") }, Header { key: "a".into(), value: None }]);
    let mut decoder = MessageDecoder::new(&books());
    decoder.decode(&Message { headers: &headers, ..message(payload.as_bytes()) });
    let records = decoder.take_rejects().unwrap();

    let stored = records.column_by_name("payload").unwrap().as_binary::<i32>();
    assert_eq!(stored.value(0), &payload.as_bytes()[..64 << 10]);
    assert!(stored.is_null(1));
    let lengths = records.column_by_name("payload_length").unwrap().as_primitive::<Int64Type>();
    assert_eq!(lengths.values(), &[payload.len() as i64, payload.len() as i64]);
    let digests = records.column_by_name("payload_sha256").unwrap().as_string::<i32>();
    assert_eq!(digests.value(0), "f1f6b5559e4130a597774494360c713971c0d301bfb86f89d02fc7cdfcef661a");
    assert_eq!(digests.value(0), digests.value(1));
    let kept = records.column_by_name("headers").unwrap().as_list::<i32>();
    let first = kept.value(0);
    let (keys, values) =
        (first.as_struct().column(0).as_string::<i32>(), first.as_struct().column(1).as_binary::<i32>());
    assert_eq!(keys.iter().flatten().collect::<Vec<_>>(), ["a", "a"]);
    assert_eq!(values.iter().collect::<Vec<_>>(), [Some(b"\xFF".as_slice()), None]);
    assert!(kept.is_null(1));
}

#[test]
fn a_message_is_accepted_or_rejected_or_a_tombstone() {
    let documents: [Option<&[u8]>; 6] = [
        Some(b"<library><book id='1'/><book id='2'/></library>"),
        Some(b"<library><book id='1'/><book/></library>"),
        Some(b"<library><book/></library>"),
        Some(b"<library/>"),
        Some(b""),
        None,
    ];
    let mut decoder = MessageDecoder::new(&books());
    let verdicts = documents.map(|payload| decoder.decode(&Message { payload, ..message(b"") }));
    assert_eq!(
        verdicts,
        [
            Verdict::Accepted { rows: 2, rejected_rows: 0 },
            Verdict::Accepted { rows: 1, rejected_rows: 1 },
            Verdict::Rejected { rejected_rows: 1 },
            Verdict::Rejected { rejected_rows: 0 },
            Verdict::Rejected { rejected_rows: 0 },
            Verdict::Tombstone,
        ]
    );
    assert_eq!((decoder.rows(), decoder.rejects()), (3, 4));
}

#[test]
fn a_taken_batch_is_gone_and_so_are_its_bytes() {
    let mut decoder = MessageDecoder::new(&books());
    decoder.decode(&message(b"<library><book id='1'/><book/></library>"));
    assert!(decoder.memory_size() > 0);
    assert_eq!(decoder.take_rows().map(|batch| batch.num_rows()), Some(1));
    assert_eq!(decoder.take_rejects().map(|batch| batch.num_rows()), Some(1));
    assert_eq!((decoder.memory_size(), decoder.rows(), decoder.rejects()), (0, 0, 0));
    assert!(decoder.take_rows().is_none() && decoder.take_rejects().is_none());
    decoder.decode(&message(b"<library><book id='2'/></library>"));
    assert_eq!(decoder.take_rows().map(|batch| batch.num_rows()), Some(1));
}

/// Files of a zone name their schema by its id: a new release must not rename a schema that did not change.
#[test]
fn the_id_of_a_schema_is_stable() {
    let decoder = MessageDecoder::new(&books());
    assert_eq!(decoder.row_schema_id(), "260a0657c342c317");
    assert_eq!(schema_id(&reject_schema()), "4d7833f7947313ae");
}

#[test]
fn the_schema_of_rows_is_the_users_columns_and_the_metadata() {
    let types = json!([
        {"name": "s", "path": "s"}, {"name": "b", "path": "b", "type": "Boolean"},
        {"name": "i", "path": "i", "type": "Int32", "required": true}, {"name": "l", "path": "l", "type": "Int64"},
        {"name": "f", "path": "f", "type": "Float64"}, {"name": "d", "path": "d", "type": "Date"},
        {"name": "m", "path": "m", "type": "Decimal", "precision": 10, "scale": 2},
        {"name": "t", "path": "t", "type": "Timestamp"},
        {"name": "a", "path": "a", "type": "Int32", "repeated": "List"},
    ]);
    let schema = MessageDecoder::new(&plan("/r", types)).row_schema();
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| format!("{} {}{}", field.name(), field.data_type(), if field.is_nullable() { "?" } else { "" }))
        .collect();
    assert_snapshot!(fields.join("\n"), @r#"
    s Utf8?
    b Boolean?
    i Int32?
    l Int64?
    f Float64?
    d Date32?
    m Decimal128(10, 2)?
    t Timestamp(µs, "UTC")?
    a List(Int32)?
    kafka_topic Utf8
    kafka_topic_id Utf8
    kafka_partition Int32
    kafka_offset Int64
    kafka_timestamp Timestamp(µs, "UTC")?
    kafka_key Binary?
    record_index Int32
    generation Int32
    "#);
}
