//! What the benchmarks of decoding measure: one input, and the stages from its bytes to a Parquet file.
//!
//! The stages are the limits that decoding is held against, from the memory's own speed on, and decoding itself.

use std::hint::black_box;

use arrow::array::RecordBatch;
use gristmill::allocator;
use gristmill::parquet_file::Layout;
use gristmill::produce::books::{BookMessages, Mix};
use gristmill_core::log::PartitionRange;
use gristmill_core::raw::{Message, MessageDecoder, NoHeaders, Verdict};
use gristmill_crds::plan::IngestPlan;
use gristmill_crds::{Compression, StreamIngest};
use parquet::arrow::ArrowWriter;
use quick_xml::events::Event;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

/// As the worker has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs a measurement with the worker's allocator as an ingest sets it.
///
/// # Errors
/// The measurement fails, or there are no threads for it.
pub fn run(measurement: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    allocator::keep_freed(allocator::USUAL);
    tokio::runtime::Runtime::new()?.block_on(measurement)
}

/// Why something can't be measured.
pub type Failure = Box<dyn std::error::Error>;

/// Seed of the messages.
pub const SEED: u64 = 20_261_123;

/// Rows are taken as a batch at this size, as a worker does with its share of memory.
const BATCH_BYTES: usize = 8 << 20;

/// What is measured, alone and on one core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Every byte is read once, by adding them up: the memory.
    Read,
    /// `memchr` looks for each `<`: as fast as markup can be found.
    Scan,
    /// The event loop of `quick-xml`, which does nothing with what it reads and checks hardly anything.
    Events,
    /// Decoding to Arrow, with the quickstart's kinds of rules.
    Decode,
    /// Parquet of rows that are decoded already, not compressed.
    Encode,
    /// The same with zstd.
    EncodeZstd,
    /// Decoding to Arrow, written as zstd Parquet.
    DecodeToParquet,
}

impl Stage {
    /// All, from the fastest on.
    pub const ALL: [Stage; 7] = [
        Stage::Read,
        Stage::Scan,
        Stage::Events,
        Stage::Decode,
        Stage::Encode,
        Stage::EncodeZstd,
        Stage::DecodeToParquet,
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Read => "read",
            Stage::Scan => "scan",
            Stage::Events => "events",
            Stage::Decode => "decode",
            Stage::Encode => "encode",
            Stage::EncodeZstd => "encode-zstd",
            Stage::DecodeToParquet => "decode-to-parquet",
        }
    }

    /// The stage of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }
}

/// Messages, and what they decode to.
pub struct Input {
    plan: IngestPlan,
    documents: Vec<String>,
    batches: Vec<RecordBatch>,
}

impl Input {
    /// So many messages, the same in every run.
    ///
    /// # Errors
    /// A message is not accepted whole.
    pub fn new(messages: usize) -> Result<Self, Failure> {
        let plan = plan()?;
        let documents: Vec<String> =
            BookMessages::new(SEED, Mix::default()).take(messages).map(|message| message.payload).collect();
        let mut batches = Vec::new();
        decode(&plan, &documents, |batch| {
            batches.push(batch);
            Ok(())
        })?;
        Ok(Self { plan, documents, batches })
    }

    /// Length of the documents.
    pub fn bytes(&self) -> usize {
        self.documents.iter().map(String::len).sum()
    }

    /// Rows in them.
    pub fn records(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The documents behind each other.
    pub fn contents(&self) -> String {
        self.documents.concat()
    }

    /// Does a stage once; the length of the Parquet file if it writes one.
    ///
    /// # Errors
    /// What was read when the input was made can't be read again.
    pub fn run(&self, stage: Stage) -> Result<Option<usize>, Failure> {
        let Self { plan, documents, batches } = self;
        match stage {
            Stage::Read => documents.iter().for_each(|document| {
                black_box(add_up(document.as_bytes()));
            }),
            Stage::Scan => documents.iter().for_each(|document| {
                black_box(memchr::memchr_iter(b'<', document.as_bytes()).fold(0, |last, at| last ^ at));
            }),
            Stage::Events => documents.iter().try_for_each(|document| read_events(document))?,
            Stage::Decode => decode(plan, documents, |batch| {
                black_box(batch);
                Ok(())
            })?,
            Stage::Encode => return encode(Compression::Uncompressed, batches).map(Some),
            Stage::EncodeZstd => return encode(Compression::Zstd, batches).map(Some),
            Stage::DecodeToParquet => {
                let mut file = File::new(Compression::Zstd);
                decode(plan, documents, |batch| file.write(&batch))?;
                return file.close().map(Some);
            }
        }
        Ok(None)
    }
}

/// The next messages of a partition of the benchmarks' topic, all of them accepted.
pub fn accepted_range(partition: i32, from: i64, messages: u64) -> Result<PartitionRange, Failure> {
    Ok(PartitionRange {
        partition,
        topic_id: "bench-topic".to_owned(),
        generation: 0,
        leader_epoch: None,
        from,
        to: from + i64::try_from(messages)?,
        accepted: messages,
        rejected: 0,
        accepted_with_rejects: 0,
        tombstones: 0,
        absent: 0,
        gaps: 0,
        max_timestamp: None,
    })
}

/// Seconds of this thread on a core, so that other processes do not count.
///
/// # Errors
/// The work fails.
pub fn timed(work: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let start = on_core();
    work()?;
    Ok(on_core() - start)
}

fn on_core() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
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

/// The sum of the bytes, eight at a time: what the compiler makes of it is limited by the memory.
pub fn add_up(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let sum = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| sum.wrapping_add(u64::from(*byte)))
}

fn read_events(document: &str) -> Result<(), Failure> {
    let mut reader = quick_xml::Reader::from_str(document);
    while black_box(reader.read_event()?) != Event::Eof {}
    Ok(())
}

/// Decodes every document and hands the rows on as batches.
fn decode(
    plan: &IngestPlan,
    documents: &[String],
    mut take: impl FnMut(RecordBatch) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut decoder = MessageDecoder::new(plan);
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
            headers: &NoHeaders,
        });
        if !matches!(verdict, Verdict::Accepted { rejected_rows: 0, .. }) {
            return Err(format!("message {offset} was not accepted: {verdict:?}").into());
        }
        if decoder.memory_size() >= BATCH_BYTES
            && let Some(batch) = decoder.take_rows()
        {
            take(batch)?;
        }
    }
    decoder.take_rows().map_or(Ok(()), take)
}

/// Length of the file.
fn encode(compression: Compression, batches: &[RecordBatch]) -> Result<usize, Failure> {
    let mut file = File::new(compression);
    batches.iter().try_for_each(|batch| file.write(batch))?;
    file.close()
}

/// A Parquet file in memory, laid out as a worker does.
struct File {
    layout: Layout,
    writer: Option<ArrowWriter<Vec<u8>>>,
}

impl File {
    fn new(compression: Compression) -> Self {
        Self { layout: Layout { compression, ..Layout::default() }, writer: None }
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => {
                let properties = self.layout.beginning_with(batch).properties();
                none.insert(ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?)
            }
        };
        Ok(writer.write(batch)?)
    }

    fn close(self) -> Result<usize, Failure> {
        Ok(self.writer.map_or(Ok(0), |writer| writer.into_inner().map(|file| file.len()))?)
    }
}
