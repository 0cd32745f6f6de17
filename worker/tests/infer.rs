//! `gristmill infer` as a user runs it: the draft, and that it takes the documents that it was drafted from.
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::path::Path;
use std::process::{Command, Output};

use insta::assert_snapshot;

fn gristmill(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gristmill")).current_dir(folder).args(arguments).output().unwrap()
}

/// The draft from documents, which stand in the folder as 0.xml, 1.xml and so on.
fn infer(folder: &Path, options: &[&str], documents: &[&str]) -> Output {
    let names: Vec<String> = (0..documents.len()).map(|index| format!("{index}.xml")).collect();
    for (name, document) in names.iter().zip(documents) {
        std::fs::write(folder.join(name), document).unwrap();
    }
    let names = names.iter().map(String::as_str);
    gristmill(folder, &[&["infer"], options, &names.collect::<Vec<_>>()[..]].concat())
}

/// The draft, once `decode` has accepted every row of the documents with it.
fn draft(options: &[&str], documents: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = infer(folder.path(), options, documents);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(folder.path().join("draft.yaml"), &output.stdout).unwrap();
    let names: Vec<String> = (0..documents.len()).map(|index| format!("{index}.xml")).collect();
    let mut arguments = vec!["decode", "--fail-on-reject", "-f", "draft.yaml"];
    arguments.extend(names.iter().map(String::as_str));
    let decoded = gristmill(folder.path(), &arguments);
    let text = String::from_utf8(output.stdout).unwrap();
    let said = [decoded.stdout, decoded.stderr].concat();
    assert_eq!(decoded.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&said));
    text
}

#[test]
fn the_quickstart_is_drafted_with_its_types() {
    let books = include_str!("../../manifests/quickstart/books.xml");
    assert_snapshot!(draft(&[], &[books]));
}

#[test]
fn the_narrowest_type_that_holds_every_text_is_taken() {
    let document = |row: &str| format!("<l><r>{row}</r><r>{row}</r></l>");
    let first = document(
        "<flag>true</flag><small>1</small><great>1</great><money>1</money><real>1</real><day>2026-11-23</day>\
         <time>2026-11-23T05:00:00Z</time><code>007</code><mixed>1</mixed><empty/><digits>12345678901234567890</digits>",
    );
    let second = document(
        "<flag>false</flag><small>-5</small><great>5000000000</great><money>-12.50</money><real>1e-3</real>\
         <day>2024-02-29</day><time>2026-11-23T05:00:00.5+01:00</time><code>12</code><mixed>x</mixed><empty/><digits>1</digits>",
    );
    assert_snapshot!(draft(&[], &[&first, &second]));
}

/// One of two orders has a date: a line of the other one would get it.
#[test]
fn what_stands_in_a_parent_that_repeats_is_no_column() {
    let order = |more: &str| format!("<order>{more}<line><sku>a</sku></line><line><sku>b</sku></line></order>");
    let document = format!("<orders><sent>1</sent>{}{}</orders>", order("<shipped>2026-11-23</shipped>"), order(""));
    let text = draft(&["--row-path", "/orders/order/line"], &[&document]);
    assert!(text.contains("# left out: /orders/order/shipped: it repeats outside of the rows"), "{text}");
    assert!(text.contains("path: /orders/sent"), "{text}");
}

#[test]
fn what_is_missing_empty_or_repeated_in_a_row_is_not_required() {
    let document = "<feed version='2' xmlns='urn:feed'><title>x</title><link>a</link><link>b</link>\
        <entry id='1'><Name>a</Name><tag>x</tag><tag>y</tag><tag>z</tag><size unit='kg'>3</size></entry>\
        <entry id='2'><Name/><size unit='kg'>4</size></entry></feed>";
    assert_snapshot!(draft(&[], &[document]));
}

#[test]
fn one_record_a_document_is_a_row_too() {
    let document = |number: usize| {
        format!("<envelope><orderLine generation='{number}'><yes>no</yes><größe>5</größe></orderLine></envelope>")
    };
    assert_snapshot!(draft(&[], &[&document(1), &document(2)]));
}

#[test]
fn the_row_path_can_be_given() {
    let document = "<l><meta><k>1</k></meta><b><c>1</c><c>2</c></b><b><c>3</c></b></l>";
    let text = draft(&["--row-path", "/l/meta", "--name", "mine"], &[document]);
    assert!(text.contains("name: mine") && text.contains("rowPath: /l/meta"), "{text}");
}

#[test]
fn documents_that_are_not_xml_are_named_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let output = infer(folder.path(), &[], &["<l><b><c>1</c></b><b/></l>", "<l>\n<b></l>"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("# left out: 1.xml:2:4: NotWellFormed: expected </b>, found </l>\n"), "{text}");
    let output = infer(folder.path(), &[], &["<l>", "x"]);
    assert_eq!(output.status.code(), Some(2));
    assert_snapshot!(String::from_utf8(output.stderr).unwrap());
    let output = infer(folder.path(), &["--row-path", "/l/c"], &["<l><b/></l>"]);
    assert_eq!(output.status.code(), Some(2));
    assert_snapshot!(String::from_utf8(output.stderr).unwrap());
}
