//! What becomes of messages that are not as expected: empty ones, invalid rows, unknown elements, limits.

use gristmill_core::raw::Verdict;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{Reject, decode, record_plan};

fn record(more: Value) -> Value {
    let mut record = json!({
        "rowPath": "/l/b",
        "columns": [{"name": "n", "path": "a/n", "type": "Int32"}, {"name": "r", "path": "/l/h/@r"}],
    });
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    record
}

fn places(rejects: &[Reject]) -> Vec<String> {
    let place = |reject: &Reject| {
        let (line, position) = reject.place.unwrap();
        let index = reject.record_index.map_or("-".to_owned(), |index| index.to_string());
        format!("{} {} {line}:{position} {index}", reject.reason, reject.path.as_deref().unwrap())
    };
    rejects.iter().map(place).collect()
}

#[test]
fn an_empty_message_is_accepted_on_request() {
    let plan = record_plan(record(json!({"onEmptyMessage": "Accept"})));
    let decoded = decode(&plan, "<l/>");
    assert_eq!(decoded.verdict, Verdict::Accepted { rows: 0, rejected_rows: 0 });
    assert!(decoded.rows.is_none() && decoded.rejects.is_none());
    assert_eq!(decode(&plan, "<l>").verdict, Verdict::Rejected { rejected_rows: 0 });
}

#[test]
fn an_invalid_row_rejects_its_message_on_request() {
    let plan = record_plan(record(json!({"onInvalidRow": "RejectMessage"})));
    let decoded = decode(&plan, "<l><b><a><n>1</n></a></b><b><a><n>x</n></a></b><b/><b><a><n>y</n></a></b></l>");
    assert_eq!(decoded.verdict, Verdict::Rejected { rejected_rows: 2 });
    assert!(decoded.rows.is_none());
    assert_eq!(places(&decoded.rejects()), ["InvalidType /l/b[2]/a/n 1:32 1", "InvalidType /l/b[4]/a/n 1:58 3"]);
    let valid = decode(&plan, "<l><b><a><n>1</n></a></b><b/></l>");
    assert_eq!(valid.verdict, Verdict::Accepted { rows: 2, rejected_rows: 0 });
}

#[rstest]
#[case::in_a_row("<l><b/><b>\n<é/></b><b/></l>", &["UnknownElement /l/b[2]/é 2:1 1"])]
#[case::below_a_path("<l><b><a><m/></a></b></l>", &["UnknownElement /l/b[1]/a/m 1:10 0"])]
#[case::in_a_text("<l><b><a><n>1<i/></n></a></b></l>", &["UnknownElement /l/b[1]/a/n/i 1:14 0"])]
#[case::only_the_first("<l><b><x><y/></x><z/></b></l>", &["UnknownElement /l/b[1]/x 1:7 0"])]
#[case::outside_the_rows("<l><b/><h><q/></h></l>", &["UnknownElement /l/h/q 1:11 -"])]
#[case::attributes_do_not_count("<l><b q='1'/><h r='2' s='3'/></l>", &[])]
#[case::rows_are_known("<l><h/><b><a><n>1</n></a></b></l>", &[])]
#[case::no_row_at_all("<x/>", &["NoRows /x 1:1 -"])]
fn unknown_elements_are_rejected_on_request(#[case] document: &str, #[case] expected: &[&str]) {
    let plan = record_plan(record(json!({"unknownElements": "Reject"})));
    assert_eq!(places(&decode(&plan, document).rejects()), expected);
    let ignored = decode(&record_plan(record(json!({}))), document).rejects();
    assert!(ignored.iter().all(|reject| reject.reason == "NoRows"));
}

#[rstest]
#[case::message(json!({"maxMessageSize": "1Ki"}), format!("<l><b/>{}</l>", " ".repeat(1024)), "MessageTooLarge / 1:1 -")]
#[case::depth(json!({"maxDepth": 3}), "<l><b><a><n/></a></b></l>".to_owned(), "TooDeep /l/b[1]/a 1:10 -")]
#[case::attributes(json!({"maxAttributes": 2}), "<l>\n<b x='1' y='2' z='3'/></l>".to_owned(), "TooManyAttributes /l 2:16 -")]
#[case::text(json!({"maxTextSize": 3}), "<l><b><a><n>1&#50;34</n></a></b></l>".to_owned(), "TextTooLong /l/b[1]/a/n 1:10 -")]
#[case::rows(json!({"maxRowsPerMessage": 2}), "<l><b/><b/><b/></l>".to_owned(), "TooManyRows /l/b 1:12 -")]
fn each_limit_has_its_reason(#[case] limits: Value, #[case] document: String, #[case] expected: &str) {
    let plan = record_plan(record(json!({"limits": limits})));
    assert_eq!(places(&decode(&plan, &document).rejects()), [expected]);
    assert_eq!(decode(&record_plan(record(json!({}))), &document).rejects().len(), 0);
}

#[test]
fn joined_texts_have_the_limit_of_a_text() {
    let mut block = record(json!({"limits": {"maxTextSize": 8}}));
    block["columns"] = json!([{"name": "c", "path": "t", "repeated": "Join", "separator": "-----"}]);
    let decoded = decode(&record_plan(block), "<l><b><t>1</t><t>2</t><t>3</t></b><b><t>1</t><t>2</t></b></l>");
    assert_eq!(decoded.verdict, Verdict::Accepted { rows: 1, rejected_rows: 1 });
    assert_eq!(decoded.reject().reason, "TextTooLong");
}
