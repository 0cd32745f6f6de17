//! Elements and attributes that stand more than once: First, Last, Join and List.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int32Type;
use rstest::rstest;
use serde_json::{Value, json};

use crate::{decode, plan};

/// The values of a column of the elements `t` in two rows; a reject is its reason.
fn rows(mut column: Value, document: &str) -> Vec<String> {
    column["name"] = json!("c");
    column["path"] = json!("t");
    let decoded = decode(&plan("/l/b", json!([column])), document);
    let values = decoded.rows().into_iter().map(|mut row| row.remove(0).unwrap_or("null".into()));
    values.chain(decoded.rejects().into_iter().map(|reject| reject.reason)).collect()
}

const TWO: &str = "<l><b><t>1</t><x/><t> 2 </t></b><b><t>3</t></b></l>";

#[rstest]
#[case::first(json!({"repeated": "First"}), ["1", "3"])]
#[case::last(json!({"repeated": "Last"}), ["2", "3"])]
#[case::join(json!({"repeated": "Join"}), ["1,2", "3"])]
#[case::join_by(json!({"repeated": "Join", "separator": "; "}), ["1; 2", "3"])]
#[case::join_by_nothing(json!({"repeated": "Join", "separator": ""}), ["12", "3"])]
#[case::list(json!({"repeated": "List"}), ["[1, 2]", "[3]"])]
#[case::list_of_numbers(json!({"repeated": "List", "type": "Int32"}), ["[1, 2]", "[3]"])]
#[case::list_of_decimals(json!({"repeated": "List", "type": "Decimal", "precision": 3, "scale": 1}), ["[1.0, 2.0]", "[3.0]"])]
#[case::first_of_numbers(json!({"repeated": "First", "type": "Int32", "max": 1}), ["1", "AboveMax"])]
#[case::rules_of_the_whole(json!({"repeated": "Join", "maxLength": 2}), ["3", "TooLong"])]
#[case::rules_of_each(json!({"repeated": "List", "type": "Int32", "max": 2}), ["[1, 2]", "AboveMax"])]
#[case::unset(json!({}), ["3", "RepeatedElement"])]
fn occurrences(#[case] column: Value, #[case] expected: [&str; 2]) {
    assert_eq!(rows(column, TWO), expected);
}

#[rstest]
#[case::join_leaves_nulls_out(json!({"repeated": "Join", "nullIf": ["", "-"]}), "<t>a</t><t>-</t><t/><t>b</t>", "a,b")]
#[case::join_keeps_empty_texts(json!({"repeated": "Join"}), "<t>a</t><t/><t>b</t>", "a,,b")]
#[case::join_of_nulls_is_null(json!({"repeated": "Join", "nullIf": ["-"]}), "<t>-</t><t>-</t>", "null")]
#[case::join_of_nulls_has_the_default(json!({"repeated": "Join", "nullIf": ["-"], "default": "x"}), "<t>-</t>", "x")]
#[case::join_collapses_each(json!({"repeated": "Join", "collapse": true}), "<t>a  b</t><t> c\n d </t>", "a b,c d")]
#[case::join_of_one(json!({"repeated": "Join"}), "<t> a </t>", "a")]
#[case::join_of_references(json!({"repeated": "Join"}), "<t>&lt;</t><t>a&amp;b</t>", "<,a&b")]
#[case::list_keeps_nulls(json!({"repeated": "List", "type": "Int32"}), "<t>1</t><t/><t>2</t>", "[1, , 2]")]
#[case::list_of_defaults(json!({"repeated": "List", "type": "Int32", "default": 9}), "<t>1</t><t/>", "[1, 9]")]
#[case::no_list(json!({"repeated": "List"}), "", "null")]
#[case::default_is_a_list_of_one(json!({"repeated": "List", "default": "x"}), "", "[x]")]
#[case::required_list(json!({"repeated": "List", "required": true}), "", "Required")]
#[case::required_items(json!({"repeated": "List", "required": true, "nullIf": ["-"]}), "<t>1</t><t>-</t>", "Required")]
#[case::last_may_be_null(json!({"repeated": "Last", "type": "Int32"}), "<t>1</t><t/>", "null")]
fn nulls_among_occurrences(#[case] column: Value, #[case] inside: &str, #[case] expected: &str) {
    assert_eq!(rows(column, &format!("<l><b>{inside}</b></l>")), [expected]);
}

#[test]
fn an_invalid_item_has_its_own_place() {
    let plan = plan("/l/b", json!([{"name": "c", "path": "t", "type": "Int32", "repeated": "List"}]));
    let reject = decode(&plan, "<l><b><t>1</t>\n<t>x</t></b></l>").reject();
    assert_eq!((reject.reason.as_str(), reject.place), ("InvalidType", Some((2, 1))));
}

#[test]
fn lists_of_absolute_paths_stand_in_every_row() {
    let plan = plan(
        "/l/b",
        json!([
            {"name": "tags", "path": "/l/tag", "repeated": "List", "type": "Int32"},
            {"name": "all", "path": "/l/tag", "repeated": "Join"},
            {"name": "ids", "path": "i/@id", "repeated": "List", "type": "Int32"},
        ]),
    );
    let decoded = decode(&plan, "<l><b><i id='5'/><i id='6'/></b><tag>1</tag><b/><tag>2</tag></l>");
    let rows = decoded.rows();
    assert_eq!(rows[0], [Some("[1, 2]".into()), Some("1,2".into()), Some("[5, 6]".into())]);
    assert_eq!(rows[1], [Some("[1, 2]".into()), Some("1,2".into()), None]);
    let batch = decoded.rows.unwrap();
    let ids = batch.column_by_name("ids").unwrap().as_list::<i32>();
    assert!(ids.is_null(1));
    assert_eq!(ids.values().as_primitive::<Int32Type>().values(), &[5, 6]);
}
