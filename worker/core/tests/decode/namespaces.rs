//! Names of paths and the namespaces of a document.

use rstest::rstest;
use serde_json::json;

use crate::{decode, record_plan};

/// What a document becomes whose rows are `/b:library/b:book` and whose column has this path.
fn outcome(path: &str, document: &str) -> String {
    let plan = record_plan(json!({
        "rowPath": "/b:library/b:book",
        "namespaces": [{"prefix": "b", "uri": "urn:books"}, {"prefix": "x", "uri": "urn:x"}, {"prefix": "c", "uri": "urn:books"}],
        "columns": [{"name": "c", "path": path}],
    }));
    let decoded = decode(&plan, document);
    match decoded.rejects().first() {
        None => decoded.row().remove(0),
        Some(reject) => reject.reason.clone(),
    }
}

#[rstest]
#[case::default_namespace("b:t", "<library xmlns='urn:books'><book><t>1</t></book></library>", "1")]
#[case::another_prefix("b:t", "<p:library xmlns:p='urn:books'><p:book><p:t>1</p:t></p:book></p:library>", "1")]
#[case::two_prefixes_of_a_path("c:t", "<library xmlns='urn:books'><book><t>1</t></book></library>", "1")]
#[case::other_namespace("b:t", "<library xmlns='urn:books'><book><t xmlns='urn:other'>1</t></book></library>", "null")]
#[case::same_name_two_namespaces(
    "x:t",
    "<library xmlns='urn:books' xmlns:x='urn:x'><book><t>1</t><x:t>2</x:t></book></library>",
    "2"
)]
#[case::no_prefix_is_no_namespace("t", "<library xmlns='urn:books'><book><t>1</t></book></library>", "null")]
#[case::undeclared_again("t", "<library xmlns='urn:books'><book><t xmlns=''>1</t></book></library>", "1")]
#[case::attribute_without_namespace("@id", "<library xmlns='urn:books'><book id='1'/></library>", "1")]
#[case::attribute_of_a_namespace(
    "@x:id",
    "<library xmlns='urn:books' xmlns:y='urn:x'><book id='1' y:id='2'/></library>",
    "2"
)]
#[case::attribute_of_another("@b:id", "<library xmlns='urn:books'><book id='1'/></library>", "null")]
#[case::predeclared_prefix("@xml:lang", "<library xmlns='urn:books'><book xml:lang='de'/></library>", "de")]
#[case::row_without_namespace("b:t", "<library><book><t>1</t></book></library>", "NoRows")]
#[case::absolute("/b:library/@id", "<library xmlns='urn:books' id='7'><book/></library>", "7")]
fn prefixes_of_paths_stand_for_namespaces(#[case] path: &str, #[case] document: &str, #[case] expected: &str) {
    assert_eq!(outcome(path, document), expected);
}

#[test]
fn a_document_of_another_namespace_is_told_what_its_root_is() {
    let plan = record_plan(json!({
        "rowPath": "/b:library/b:book",
        "namespaces": [{"prefix": "b", "uri": "urn:books"}],
        "columns": [{"name": "c", "path": "b:t"}],
    }));
    let reject = decode(&plan, "<library xmlns='urn:x'><book/></library>").reject();
    assert_eq!(
        reject.message,
        "no element matches /b:library/b:book; the root is {urn:x}library; check the namespace of each step of rowPath"
    );
}
