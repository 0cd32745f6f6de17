//! How fast messages become columns, on one core, against the event loop of a lenient parser that does nothing with what
//! it reads:
//!
//! - (a) `quick-xml`, reading every event;
//! - (b) decoding to Arrow, with the quickstart's kinds of rules;
//! - (c) the same, written as zstd Parquet.
//!
//! `bench-decode [MESSAGES] [ROUNDS]`. The three take turns, so that a change of the machine's speed meets all.

use std::time::Instant;

use gristmill::parquet_file::Layout;
use gristmill_core::raw::{Message, MessageDecoder, Verdict};
use gristmill_crds::StreamIngest;
use gristmill_crds::plan::IngestPlan;
use parquet::arrow::ArrowWriter;
use quick_xml::events::Event;
use serde_json::json;

// The messages of `gristmill produce`.
#[path = "../../worker/src/produce/books.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is a module of the worker, which uses all of it")]
mod books;

type Failure = Box<dyn std::error::Error>;

const SEED: u64 = 20_261_123;

/// Rows are taken as a batch at this size, as a worker does with its share of memory.
const BATCH_BYTES: usize = 8 << 20;

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let messages = arguments.next().map_or(Ok(40_000), |count| count.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(9), |count| count.parse())?;
    let plan = plan()?;
    let documents: Vec<String> = documents(messages);
    let bytes: usize = documents.iter().map(String::len).sum();
    let records = decode(&plan, &documents, |_| Ok(()))?;
    println!("seed {SEED}: {messages} messages, {records} records, {bytes} bytes; {rounds} rounds");

    let mut seconds = [const { Vec::new() }; 3];
    let mut parquet_bytes = 0;
    for _ in 0..rounds {
        seconds[0].push(timed(|| read_events(&documents))?);
        seconds[1].push(timed(|| decode(&plan, &documents, |_| Ok(())).map(drop))?);
        seconds[2].push(timed(|| {
            parquet_bytes = decode_to_parquet(&plan, &documents)?;
            Ok(())
        })?);
    }
    println!("{:<34}{:>30}{:>36}", "", "MB/s (min/median/max)", "records/s (min/median/max)");
    for (name, times) in
        ["(a) quick-xml, bare event loop", "(b) decode to Arrow", "(c) decode to zstd Parquet"].iter().zip(&seconds)
    {
        let rate = |amount: usize| spread(times.iter().map(|time| amount as f64 / time).collect());
        let [low, middle, high] = rate(bytes).map(|rate| rate / 1e6);
        println!(
            "{name:<34}{low:>12.1}{middle:>9.1}{high:>9.1}{:>14.0}{:>11.0}{:>11.0}",
            rate(records)[0],
            rate(records)[1],
            rate(records)[2]
        );
    }
    for (name, times, expected) in [("(b)/(a)", &seconds[1], 0.65), ("(c)/(a)", &seconds[2], 0.5)] {
        let [low, middle, high] = spread(seconds[0].iter().zip(times).map(|(bare, time)| bare / time).collect());
        println!("{name}: {low:.2} / {middle:.2} / {high:.2}, expected at least {expected}");
    }
    println!("Parquet: {parquet_bytes} bytes, {:.1} a record", parquet_bytes as f64 / records as f64);
    Ok(())
}

/// The rules of the quickstart and every kind of type that its messages have.
fn plan() -> Result<IngestPlan, Failure> {
    let ingest: StreamIngest = serde_json::from_value(json!({
        "apiVersion": "gristmill.dev/v1alpha1",
        "kind": "StreamIngest",
        "metadata": {"name": "books", "namespace": "library"},
        "spec": {
            "source": {"kafka": {"bootstrapServers": "kafka:9092", "topic": "book_data_topic"}},
            "record": {"rowPath": "/library/book", "columns": [
                {"name": "record_id", "path": "record_id", "required": true, "pattern": "^[0-9a-f-]{36}$"},
                {"name": "title", "path": "title", "required": true, "maxLength": 500},
                {"name": "author_name", "path": "author/name"},
                {"name": "author_country", "path": "author/country", "nullIf": ["", "N/A"]},
                {"name": "library_region", "path": "/library/@region"},
                {"name": "publication_year", "path": "publication_year", "type": "Int32", "min": 1450, "max": 2100},
                {"name": "price", "path": "price", "type": "Decimal", "precision": 10, "scale": 2, "min": "0.01"},
                {"name": "updated_at", "path": "updated_at", "type": "Timestamp"},
            ]},
            "raw": {"path": "file:///zone"},
        },
    }))?;
    Ok(IngestPlan::try_from(&ingest)?)
}

fn documents(count: usize) -> Vec<String> {
    books::BookMessages::new(SEED, books::Mix::default()).take(count).map(|message| message.payload).collect()
}

fn read_events(documents: &[String]) -> Result<(), Failure> {
    for document in documents {
        let mut reader = quick_xml::Reader::from_str(document);
        while std::hint::black_box(reader.read_event()?) != Event::Eof {}
    }
    Ok(())
}

/// Decodes every document and hands the rows on as batches; their number.
fn decode(
    plan: &IngestPlan,
    documents: &[String],
    mut take: impl FnMut(&arrow::array::RecordBatch) -> Result<(), Failure>,
) -> Result<usize, Failure> {
    let mut decoder = MessageDecoder::new(plan);
    let mut records = 0;
    for (offset, document) in (0_i64..).zip(documents) {
        let verdict = decoder.decode(&Message {
            topic: "book_data_topic",
            topic_id: "AAAAAAAAAAAAAAAAAAAAAQ",
            partition: 0,
            offset,
            generation: 0,
            timestamp_micros: Some(1_764_000_000_000_000 + offset),
            key: Some(b"00000000-0000-0000-0000-000000000000"),
            payload: Some(document.as_bytes()),
            headers: &[],
        });
        let Verdict::Accepted { rows, rejected_rows: 0 } = verdict else {
            return Err(format!("message {offset} was not accepted: {verdict:?}").into());
        };
        records += rows as usize;
        if decoder.memory_size() >= BATCH_BYTES
            && let Some(batch) = decoder.take_rows()
        {
            take(&batch)?;
        }
    }
    if let Some(batch) = decoder.take_rows() {
        take(&batch)?;
    }
    Ok(records)
}

/// Length of the file.
fn decode_to_parquet(plan: &IngestPlan, documents: &[String]) -> Result<usize, Failure> {
    let mut writer = None;
    decode(plan, documents, |batch| {
        let writer = match &mut writer {
            Some(writer) => writer,
            none => {
                let properties = Layout::default().beginning_with(batch).properties();
                none.insert(ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?)
            }
        };
        Ok(writer.write(batch)?)
    })?;
    Ok(writer.map_or(Ok(0), |writer| writer.into_inner().map(|file| file.len()))?)
}

/// Seconds of this thread on a core, so that other processes do not count; of the clock where the kernel does not tell.
fn timed(work: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let (start, began) = (on_core(), Instant::now());
    work()?;
    Ok(match (start, on_core()) {
        (Some(start), Some(end)) => (end - start) as f64 / 1e9,
        _ => began.elapsed().as_secs_f64(),
    })
}

/// Nanoseconds that this thread has run.
fn on_core() -> Option<u64> {
    std::fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

/// Least, median and greatest.
fn spread(mut figures: Vec<f64>) -> [f64; 3] {
    figures.sort_by(f64::total_cmp);
    [figures[0], figures[figures.len() / 2], figures[figures.len() - 1]]
}
