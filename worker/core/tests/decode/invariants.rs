//! What must hold for every document, whatever is in it. The fuzz target runs this too.

use std::sync::LazyLock;

use arrow::array::RecordBatch;
use gristmill_core::raw::{Message, MessageDecoder, NoHeaders, Verdict};
use gristmill_crds::StreamIngest;
use gristmill_crds::plan::IngestPlan;
use serde_json::json;

/// Rows, attributes, absolute paths and types that documents of the corpus have.
static PLAN: LazyLock<IngestPlan> = LazyLock::new(|| {
    let ingest: StreamIngest = serde_json::from_value(json!({
        "apiVersion": "gristmill.dev/v1alpha1",
        "kind": "StreamIngest",
        "metadata": {"name": "fuzz"},
        "spec": {
            "source": {"kafka": {"bootstrapServers": "kafka:9092", "topic": "documents"}},
            "record": {"rowPath": "/l/b", "columns": [
                {"name": "id", "path": "@id"},
                {"name": "own", "path": "text()", "trim": false},
                {"name": "t", "path": "t", "trim": false, "pattern": "^[^x]*$"},
                {"name": "n", "path": "n", "type": "Int32", "min": 0},
                {"name": "f", "path": "c/f", "type": "Float64"},
                {"name": "d", "path": "c/@d", "type": "Date"},
                {"name": "tail", "path": "/l/tail"},
                {"name": "region", "path": "/l/@region"},
            ]},
            "raw": {"path": "file:///zone"},
        },
    }))
    .expect("the resource is of its type");
    IngestPlan::try_from(&ingest).expect("the resource is valid")
});

type Outcome = (Verdict, Option<RecordBatch>, Option<RecordBatch>);

fn decode(decoder: &mut MessageDecoder, document: &[u8]) -> Outcome {
    let verdict = decoder.decode(&Message {
        topic: "documents",
        topic_id: "AAAAAAAAAAAAAAAAAAAAAQ",
        partition: 0,
        offset: 0,
        generation: 0,
        timestamp_micros: None,
        key: None,
        payload: Some(document),
        headers: &NoHeaders,
    });
    (verdict, decoder.take_rows(), decoder.take_rejects())
}

/// Panics if the decoder breaks a promise on this document.
pub(crate) fn check(document: &[u8]) {
    let mut decoder = MessageDecoder::new(&PLAN);
    let outcome = decode(&mut decoder, document);
    let count = |batch: &Option<RecordBatch>| batch.as_ref().map_or(0, RecordBatch::num_rows) as u32;
    let (rows, rejects) = (count(&outcome.1), count(&outcome.2));
    match outcome.0 {
        Verdict::Accepted { rows: accepted, rejected_rows } => {
            assert!(accepted > 0, "an accepted message has a row");
            assert_eq!((rows, rejects), (accepted, rejected_rows));
            // What is strict accepts nothing that is refused by what is lenient. Only UTF-8 is read there.
            if let Ok(text) = std::str::from_utf8(document) {
                assert!(quick_xml_accepts(text), "quick-xml refuses what the decoder accepts");
            }
        }
        Verdict::Rejected { rejected_rows } => assert_eq!((rows, rejects), (0, rejected_rows.max(1))),
        Verdict::Tombstone => panic!("a document is no tombstone"),
    }
    // One that ends inside of open elements and of a tag.
    decode(&mut decoder, b"<l region='north'><b id='1'><c d='");
    assert!(outcome == decode(&mut decoder, document), "a decoder that was used before decodes alike");
}

/// True if quick-xml reads the document to its end.
pub(crate) fn quick_xml_accepts(document: &str) -> bool {
    let mut reader = quick_xml::Reader::from_str(document);
    loop {
        match reader.read_event() {
            Ok(quick_xml::events::Event::Eof) => return true,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}
