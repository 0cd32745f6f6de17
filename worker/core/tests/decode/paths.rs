//! Where the text of a column is found.

use gristmill_core::raw::Verdict;
use rstest::rstest;
use serde_json::json;

use crate::{decode, plan};

/// The row of a document whose only column has this path; rows are `/library/book`.
fn text(path: &str, document: &str) -> String {
    decode(&plan("/library/book", json!([{"name": "c", "path": path}])), document).row().remove(0)
}

#[rstest]
#[case::element("title", "<library><book><title>T</title></book></library>", "T")]
#[case::nested("author/name", "<library><book><name>no</name><author><name>N</name></author></book></library>", "N")]
#[case::attribute("@id", "<library><book id='1'/></library>", "1")]
#[case::attribute_below("author/@id", "<library><book id='1'><author id='2'/></book></library>", "2")]
#[case::own_text("text()", "<library><book>T<x>no</x></book></library>", "T")]
#[case::text_of_element("title/text()", "<library><book><title>T</title></book></library>", "T")]
#[case::missing("title", "<library><book/></library>", "null")]
#[case::missing_attribute("@id", "<library><book x='1'/></library>", "null")]
#[case::empty_element("title", "<library><book><title/></book></library>", "")]
#[case::empty_pair("title", "<library><book><title></title></book></library>", "")]
#[case::empty_attribute("@id", "<library><book id=''/></library>", "")]
#[case::before_the_row("/library/head/@id", "<library><head id='1'/><book/></library>", "1")]
#[case::after_the_row("/library/tail", "<library><book/><tail>2</tail></library>", "2")]
#[case::root_attribute("/library/@region", "<library region='north'><book/></library>", "north")]
#[case::root_text("/library", "<library>a<book/>b</library>", "ab")]
#[case::absolute_into_the_row("/library/book/title", "<library><book><title>T</title></book></library>", "T")]
#[case::any_namespace(
    "title",
    "<library xmlns='urn:l'><book><t:title xmlns:t='urn:t'>T</t:title></book></library>",
    "T"
)]
#[case::any_attribute_namespace("@id", "<library><book x:id='1' xmlns:x='urn:x'/></library>", "1")]
#[case::declarations_are_no_attributes("@id", "<library><book xmlns:id='urn:x'/></library>", "null")]
#[case::not_below_another("title", "<library><book><x><title>no</title></x></book></library>", "null")]
#[case::not_in_another_root("title", "<library><shelf><book><title>no</title></book></shelf><book/></library>", "null")]
#[case::unicode("größe", "<library><book><größe>5</größe></book></library>", "5")]
fn the_text_is_found(#[case] path: &str, #[case] document: &str, #[case] expected: &str) {
    assert_eq!(text(path, document), expected);
}

#[rstest]
#[case::cdata("<![CDATA[<b>]]>", "<b>")]
#[case::cdata_beside_text("a<![CDATA[ & ]]>b", "a & b")]
#[case::references("a&amp;&#98;&#x63;d", "a&bcd")]
#[case::comment_does_not_split("a<!-- x -->b", "ab")]
#[case::instruction_does_not_split("a<?x?>b", "ab")]
#[case::children_are_left_out("a<i>x<title>y</title></i>b", "ab")]
#[case::all_at_once("a<!--x-->&lt;<i>&amp;</i>&gt;<![CDATA[&]]>", "a<>&")]
#[case::line_ends("a\r\nb\rc\nd", "a\nb\nc\nd")]
#[case::line_ends_in_cdata("<![CDATA[a\r\nb]]>", "a\nb")]
#[case::referenced_carriage_return("a&#13;b", "a\rb")]
#[case::blanks_between_elements("a<i/> <i/>b", "a b")]
#[case::line_end_between_elements("a<i>x</i>\n<i/>b", "a\nb")]
#[case::blank_behind_a_reference("a&amp; <i>x</i>b", "a& b")]
#[case::blank_between_cdata_and_a_comment("<![CDATA[a<b]]> <!--c-->d", "a<b d")]
fn parts_of_a_text_are_joined(#[case] inside: &str, #[case] expected: &str) {
    let document = format!("<library><book><title>{inside}</title></book></library>");
    assert_eq!(text("title", &document), expected);
}

#[rstest]
#[case::references("a&amp;&quot;&#98;", "a&\"b")]
#[case::white_space("a\tb\nc\r\nd\re", "a b c d e")]
#[case::referenced_white_space("a&#10;&#9;b", "a\n\tb")]
fn attributes_are_normalized(#[case] inside: &str, #[case] expected: &str) {
    assert_eq!(text("@id", &format!("<library><book id=\"{inside}\"/></library>")), expected);
}

#[test]
fn mixed_content_of_parent_and_child_is_kept_apart() {
    let plan = plan("/l/b", json!([{"name": "parent", "path": "p"}, {"name": "child", "path": "p/c"}]));
    let decoded = decode(&plan, "<l><b><p>1&amp;<c>x&lt;<d>no</d>y</c>2<!---->&gt;</p></b></l>");
    assert_eq!(decoded.row(), ["1&2>", "x<y"]);
}

#[test]
fn two_columns_may_take_one_text() {
    let plan = plan("/l/b", json!([{"name": "one", "path": "t"}, {"name": "two", "path": "t", "type": "Int32"}]));
    assert_eq!(decode(&plan, "<l><b><t>07</t></b></l>").row(), ["07", "7"]);
}

#[test]
fn rows_stand_wherever_their_path_leads() {
    let plan = plan("/l/s/b", json!([{"name": "t", "path": "text()"}, {"name": "l", "path": "/l/@x"}]));
    let decoded = decode(&plan, "<l x='9'><s><b>1</b><b>2</b></s><b>no</b><s/><s><c/><b>3</b></s></l>");
    let texts: Vec<_> = decoded.rows().into_iter().map(|row| row.into_iter().flatten().collect::<String>()).collect();
    assert_eq!(texts, ["19", "29", "39"]);
}

#[test]
fn the_root_may_be_the_row() {
    let decoded = decode(&plan("/b", json!([{"name": "t", "path": "t"}])), "<b><t>1</t></b>");
    assert_eq!(decoded.row(), ["1"]);
}

#[rstest]
#[case::element("<l><b><t>1</t></b><b><t>2</t><t>3</t></b></l>", "/l/b[2]/t", (1, 30))]
#[case::empty_element("<l><b/><b><t/>\n<t/></b></l>", "/l/b[2]/t", (2, 1))]
fn a_second_occurrence_rejects_its_row_alone(#[case] document: &str, #[case] path: &str, #[case] place: (i64, i64)) {
    let decoded = decode(&plan("/l/b", json!([{"name": "t", "path": "t"}])), document);
    assert_eq!(decoded.verdict, Verdict::Accepted { rows: 1, rejected_rows: 1 });
    let reject = decoded.reject();
    assert_eq!((reject.reason.as_str(), reject.column.as_deref()), ("RepeatedElement", Some("t")));
    assert_eq!((reject.path.as_deref(), reject.place), (Some(path), Some(place)));
    assert_eq!(reject.record_index, Some(1));
}

#[rstest]
#[case::parent_twice_child_once("<l><b><p/><p><c>1</c></p></b></l>", "accepted")]
#[case::parent_twice_child_twice("<l><b><p><c>1</c></p><p><c>1</c></p></b></l>", "RepeatedElement")]
#[case::attribute_of_two_elements("<l><b><p d='1'/><p d='2'/></b></l>", "RepeatedElement")]
#[case::attribute_of_one_of_two("<l><b><p d='1'/><p/></b></l>", "accepted")]
#[case::attribute_of_two_namespaces("<l xmlns:x='u'><b><p d='1' x:d='2'/></b></l>", "RepeatedElement")]
#[case::absolute_in_every_row("<l><b><r>1</r></b><b><r>1</r></b></l>", "RepeatedElement")]
fn occurrences_are_counted_where_the_path_ends(#[case] document: &str, #[case] expected: &str) {
    let plan = plan(
        "/l/b",
        json!([{"name": "c", "path": "p/c"}, {"name": "d", "path": "p/@d"}, {"name": "r", "path": "/l/b/r"}]),
    );
    let decoded = decode(&plan, document);
    match decoded.rejects().first() {
        None => assert_eq!("accepted", expected),
        Some(reject) => assert_eq!(reject.reason, expected),
    }
}
