use insta::assert_snapshot;

use super::*;
use crate::rejected::Coordinate;

fn reject() -> Reject {
    Reject {
        at: Coordinate { topic: "book_data_topic".to_owned(), partition: 3, offset: 1042 },
        generation: 0,
        record_index: Some(1),
        reason: "InvalidType".to_owned(),
        column: Some("price".to_owned()),
        path: Some("/library/book[2]/price".to_owned()),
        line: Some(17),
        position: Some(12),
        message: "\"free\" is no number\u{1b}[2J".to_owned(),
    }
}

fn message() -> RejectedMessage {
    RejectedMessage {
        rejects: vec![reject()],
        timestamp: DateTime::from_timestamp(1_767_225_600, 0),
        key: Some(b"0a1b".to_vec()),
        headers: vec![("source".to_owned(), Some(vec![0xff])), ("trace".to_owned(), None)],
        payload: Some(b"<library>\n\x07".to_vec()),
        payload_length: 70_000,
        payload_sha256: "ab12".to_owned(),
    }
}

#[test]
fn counts_have_the_newest_reject_as_an_example() {
    let counts = [ReasonCount { count: 1730, sample: reject() }];
    assert_snapshot!(counts_text(&counts), @r#"
        1730 InvalidType of price
             for example book_data_topic/3/1042 row 1 17:12 /library/book[2]/price: InvalidType of price: "free" is no number·[2J
    "#);
    assert_eq!(counts_text(&[]), "no rejects\n");
}

#[test]
fn a_message_is_shown_with_its_payload_and_nothing_that_a_terminal_obeys() {
    assert_snapshot!(message_text(&message()), @r#"
    book_data_topic/3/1042 (generation 0)
    timestamp 2026-01-01T00:00:00.000Z
    key 0a1b
    header source = �
    header trace = null
    book_data_topic/3/1042 row 1 17:12 /library/book[2]/price: InvalidType of price: "free" is no number·[2J
    payload of 70000 bytes, 11 kept (SHA-256 ab12):
    <library>
    ·
    "#);
}

#[test]
fn json_has_text_where_bytes_are_text_and_hex_elsewhere() {
    assert_snapshot!(lines(&[JsonMessage::of(&message())]), @r#"{"topic":"book_data_topic","partition":3,"offset":1042,"generation":0,"timestamp":"2026-01-01T00:00:00.000Z","key":"0a1b","headers":[{"key":"source","value":{"hex":"ff"}},{"key":"trace","value":null}],"payload":"<library>\n\u0007","payload_length":70000,"payload_sha256":"ab12","rejects":[{"topic":"book_data_topic","partition":3,"offset":1042,"generation":0,"record_index":1,"reason":"InvalidType","column":"price","path":"/library/book[2]/price","line":17,"position":12,"message":"\"free\" is no number\u001b[2J"}]}"#);
}

#[rstest::rstest]
#[case("3/1042", None)]
#[case("book_data_topic/3/1042", Some("book_data_topic"))]
fn a_coordinate_has_a_topic_or_none(#[case] text: &str, #[case] topic: Option<&str>) {
    assert_eq!(coordinate(text), Ok(At { topic: topic.map(str::to_owned), partition: 3, offset: 1042 }));
}

#[rstest::rstest]
#[case("1042")]
#[case("a/b")]
#[case("")]
fn what_is_no_coordinate_is_refused(#[case] text: &str) {
    assert!(coordinate(text).is_err());
}

#[test]
fn since_is_a_time_or_a_duration_before_now() {
    assert_eq!(
        since("2026-01-01T01:00:00+01:00").map(|time| time.to_rfc3339()),
        Ok("2026-01-01T00:00:00+00:00".to_owned())
    );
    assert!(since("2h").expect("a duration") < Utc::now());
    assert!(since("yesterday").is_err());
}
