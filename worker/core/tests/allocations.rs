//! The decoder's memory in the steady state: what it allocates depends on messages, not on their rows.
#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::alloc::System;
use std::sync::{Mutex, PoisonError};

use gristmill_core::raw::{Message, MessageDecoder, NoHeaders, Verdict};
use gristmill_crds::StreamIngest;
use gristmill_crds::plan::IngestPlan;
use serde_json::json;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What the whole process allocates is counted, so that tests take turns.
static TURN: Mutex<()> = Mutex::new(());

/// Every type, every way to repeat, and texts that have to be put together.
fn plan() -> IngestPlan {
    let ingest: StreamIngest = serde_json::from_value(json!({
        "apiVersion": "gristmill.dev/v1alpha1",
        "kind": "StreamIngest",
        "metadata": {"name": "test"},
        "spec": {
            "source": {"kafka": {"bootstrapServers": "kafka:9092", "topic": "documents"}},
            "record": {"rowPath": "/l/b", "columns": [
                {"name": "id", "path": "@id", "pattern": "^[0-9a-f-]{1,36}$", "required": true},
                {"name": "kind", "path": "@kind", "enum": ["new", "used"], "maxLength": 4},
                {"name": "title", "path": "title", "collapse": true, "pattern": "mill"},
                {"name": "first", "path": "t", "repeated": "First"},
                {"name": "joined", "path": "t", "repeated": "Join"},
                {"name": "list", "path": "t", "repeated": "List", "type": "Int32"},
                {"name": "yes", "path": "yes", "type": "Boolean"},
                {"name": "int", "path": "int", "type": "Int32", "min": 0},
                {"name": "long", "path": "long", "type": "Int64", "default": 7},
                {"name": "float", "path": "float", "type": "Float64"},
                {"name": "price", "path": "price", "type": "Decimal", "precision": 10, "scale": 2, "min": "0.01"},
                {"name": "day", "path": "day", "type": "Date", "formats": ["%d.%m.%Y"]},
                {"name": "at", "path": "at", "type": "Timestamp", "timeZone": "Europe/Berlin"},
                {"name": "region", "path": "/l/@region"},
                {"name": "tags", "path": "/l/tag", "repeated": "List"},
            ]},
            "raw": {"path": "file:///zone"},
        },
    }))
    .unwrap();
    IngestPlan::try_from(&ingest).unwrap()
}

fn document(rows: usize) -> String {
    let row = "<b id='0f' kind='new'><title>wind  &amp; water\n mill</title><t>1</t><t> 2 </t><yes>true</yes><int>5</int>\
               <float>1.5</float><price>12.50</price><day>23.11.2026</day><at>2026-11-23T05:09:12</at></b>";
    format!("<l region='north'><tag>a</tag>{}<tag>b</tag></l>", row.repeat(rows))
}

/// Allocations of so many messages.
fn allocations(decoder: &mut MessageDecoder, document: &str, messages: i64) -> usize {
    let region = Region::new(ALLOCATOR);
    for offset in 0..messages {
        let verdict = decoder.decode(&Message {
            topic: "documents",
            topic_id: "AAAAAAAAAAAAAAAAAAAAAQ",
            partition: 0,
            offset,
            generation: 0,
            timestamp_micros: Some(0),
            key: Some(b"key"),
            payload: Some(document.as_bytes()),
            headers: &NoHeaders,
        });
        assert!(matches!(verdict, Verdict::Accepted { rejected_rows: 0, .. }), "{verdict:?}");
    }
    let stats = region.change();
    stats.allocations + stats.reallocations
}

/// The stack of open elements and the list of attributes are those of the message before.
#[test]
fn depth_and_attributes_cost_no_allocations() {
    const MESSAGES: i64 = 50;
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let flat = document(10);
    let deep =
        format!("{}{}</l>", flat.trim_end_matches("</l>"), "<x a='1' b='2' c='3'>".repeat(12) + &"</x>".repeat(12));
    let mut decoder = MessageDecoder::new(&plan());
    allocations(&mut decoder, &deep, MESSAGES);
    decoder.take_rows();
    let of_flat = allocations(&mut decoder, &flat, MESSAGES);
    decoder.take_rows();
    assert_eq!(allocations(&mut decoder, &deep, MESSAGES), of_flat);
}

#[test]
fn rows_cost_no_allocations() {
    const MESSAGES: i64 = 50;
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (short, long) = (document(10), document(500));
    let mut decoder = MessageDecoder::new(&plan());
    allocations(&mut decoder, &long, MESSAGES);
    decoder.take_rows();
    let few_rows = allocations(&mut decoder, &short, MESSAGES);
    decoder.take_rows();
    let many_rows = allocations(&mut decoder, &long, MESSAGES);
    // Arrow's buffers grow by doubling: 50 times as many rows double each of them 6 times more at the most. The two
    // schemas' columns have at most 3 buffers each, a list's 5.
    let doublings = 6 * (22 * 3 + 2 * 5);
    assert!(
        many_rows <= few_rows + doublings,
        "{few_rows} allocations for {} rows and {many_rows} for {}",
        10 * MESSAGES,
        500 * MESSAGES
    );
}
