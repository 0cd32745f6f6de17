//! What holds for every document: no panic, and a valid one gives its values back.

use gristmill_core::raw::Verdict;
use proptest::prelude::*;
use serde_json::json;

use crate::{decode, plan};

const DOCUMENT: &str = "\u{FEFF}<?xml version='1.0' encoding='UTF-8'?><!-- c --><l x:a='1' xmlns:x='urn:x' xmlns=\"urn:l\">\
<b id='1&amp;'><t>a&lt;<![CDATA[ b ]]>\r\n<i>no</i>é</t><n>17</n></b><?p q?><x:b id=''><n>x</n></x:b><tail>z</tail></l>\n";

fn library() -> gristmill_crds::plan::IngestPlan {
    plan(
        "/l/b",
        json!([
            {"name": "id", "path": "@id"}, {"name": "t", "path": "t", "trim": false},
            {"name": "n", "path": "n", "type": "Int32"}, {"name": "tail", "path": "/l/tail"},
        ]),
    )
}

/// A change of a document: bytes of which most mean something to XML, put in place of others.
fn mutation() -> impl Strategy<Value = (prop::sample::Index, usize, Vec<u8>)> {
    let meaningful = prop::sample::select(b"<>&;'\"/?!-[]=: \n\rx#0\0\xC3\xFF".to_vec());
    let byte = prop_oneof![8 => meaningful, 1 => any::<u8>()];
    (any::<prop::sample::Index>(), 0..6_usize, prop::collection::vec(byte, 0..6))
}

/// Text that XML can carry; carriage returns are left out since XML turns them into line feeds.
fn text() -> impl Strategy<Value = String> {
    prop::string::string_regex("[ -~\t\né-\u{FFFD}\u{10000}-\u{10FFFF}]{0,20}").unwrap()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;")
}

/// The same text in one of the ways in which XML writes it.
fn written(text: &str, way: u8) -> String {
    match way % 4 {
        0 => escape(text),
        1 => format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>")),
        2 => text.chars().map(|c| format!("&#x{:X};", u32::from(c))).collect(),
        _ => {
            let half = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
            format!("{}<!-- - --><?p?>{}", escape(&text[..half]), escape(&text[half..]))
        }
    }
}

proptest! {
    #[test]
    fn a_mutated_document_is_decoded_or_rejected(mutations in prop::collection::vec(mutation(), 1..5)) {
        let mut document = DOCUMENT.as_bytes().to_vec();
        for (at, length, bytes) in mutations {
            let at = at.index(document.len() + 1);
            let end = (at + length).min(document.len());
            document.splice(at..end, bytes);
        }
        let decoded = decode(&library(), &document);
        let (rows, rejects) = (decoded.rows().len() as u32, decoded.rejects().len() as u32);
        match decoded.verdict {
            Verdict::Accepted { rows: accepted, rejected_rows } => {
                prop_assert!(accepted > 0);
                prop_assert_eq!((rows, rejects), (accepted, rejected_rows));
            }
            Verdict::Rejected { rejected_rows } => prop_assert_eq!((rows, rejects), (0, rejected_rows.max(1))),
            Verdict::Tombstone => prop_assert!(false, "a document is no tombstone"),
        }
    }

    #[test]
    fn every_prefix_of_a_document_is_rejected(length in 0..DOCUMENT.trim_end().len()) {
        let decoded = decode(&library(), &DOCUMENT.as_bytes()[..length]);
        prop_assert_eq!(decoded.verdict, Verdict::Rejected { rejected_rows: 0 });
    }

    #[test]
    fn a_generated_document_gives_its_values_back(
        rows in prop::collection::vec((text(), text(), any::<i32>(), any::<u8>()), 1..8),
        tail in text(),
        tail_first in any::<bool>(),
    ) {
        let body: String = rows
            .iter()
            .map(|(id, t, n, way)| {
                let id: String = id.chars().map(|c| format!("&#{};", u32::from(c))).collect();
                format!("<b id='{id}'><t>{}</t> <n>\n{n} </n></b>", written(t, *way))
            })
            .collect();
        let tail_element = format!("<tail>{}</tail>", written(&tail, 0));
        let document =
            if tail_first { format!("<l>{tail_element}{body}</l>") } else { format!("<l>{body}{tail_element}</l>") };

        let trim = |text: &str| text.trim_matches([' ', '\t', '\n', '\r']).to_owned();
        let expected: Vec<Vec<Option<String>>> = rows
            .iter()
            .map(|(id, t, n, _)| vec![Some(trim(id)), Some(t.clone()), Some(n.to_string()), Some(trim(&tail))])
            .collect();
        prop_assert_eq!(decode(&library(), document).rows(), expected);
    }
}
