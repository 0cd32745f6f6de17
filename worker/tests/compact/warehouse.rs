//! A RAW and a Processed zone of books in one store, and what readers see of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::TimeDelta;
use gristmill::compact::{self, Budget, Options, Outcome, Preview, Report, Work, Zones};
use gristmill::parquet_file::{Layout, ParquetFile, ParquetReader};
use gristmill::store::{FileStore, ListedKind, MemoryStore, Store, StorePath, ZoneUrl};
use gristmill::zone::{Appended, Expected, Opened, Removal, Rewound, Surroundings, Zone, ZoneReader};
use gristmill_core::compact::{Bucket, ContenderReader, KeyHasher, conform};
use gristmill_core::log::{
    Data, Digest, FileEntry, FileZone, PartitionRange, PartitionStart, RawData, RetentionAges, RewindPlan,
};
use gristmill_core::raw::{row_schema, schema_id};
use gristmill_crds::plan::CompactionPlan;
use gristmill_crds::{HourlyCompaction, Keep, StreamIngest};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::books::{Book, batch, books};
use crate::late::{Place, places};

const DOCUMENTS: [&str; 2] = [
    r#"{"apiVersion": "gristmill.dev/v1alpha1", "kind": "StreamIngest", "metadata": {"name": "books"}, "spec": {
        "source": {"kafka": {"bootstrapServers": "kafka:9092", "topic": "books"}},
        "record": {"rowPath": "/library/book", "columns": [
            {"name": "record_id", "path": "@id"},
            {"name": "title", "path": "title"},
            {"name": "publication_year", "path": "year", "type": "Int32"},
            {"name": "rating", "path": "rating", "type": "Float64"}]},
        "raw": {"path": "file:///raw"}}}"#,
    r#"{"apiVersion": "gristmill.dev/v1alpha1", "kind": "HourlyCompaction", "metadata": {"name": "books"}, "spec": {
        "ingestRef": {"name": "books"},
        "processed": {"path": "file:///processed",
            "partitionBy": [{"column": "publication_year", "transform": "Identity"}]},
        "deduplication": {"key": ["record_id"], "orderBy": ["rating"]}}}"#,
];

/// The documents of the tests, as a file holds them.
pub(crate) fn documents() -> String {
    DOCUMENTS.join("\n---\n")
}

/// The two documents of the tests.
pub(crate) fn resources() -> (StreamIngest, HourlyCompaction) {
    (serde_json::from_str(DOCUMENTS[0]).unwrap(), serde_json::from_str(DOCUMENTS[1]).unwrap())
}

/// The plan of the tests; `change` edits the two documents first.
pub(crate) fn plan(change: impl FnOnce(&mut StreamIngest, &mut HourlyCompaction)) -> CompactionPlan {
    let (mut ingest, mut compaction) = resources();
    change(&mut ingest, &mut compaction);
    CompactionPlan::try_new(&compaction, &ingest).unwrap()
}

/// Two zones in one store.
#[derive(Clone)]
pub(crate) struct Warehouse {
    pub(crate) plan: CompactionPlan,
    pub(crate) options: Options,
    pub(crate) store: Arc<dyn Store>,
    root: String,
}

impl Warehouse {
    pub(crate) fn in_memory() -> Self {
        Self::on(Arc::new(MemoryStore::new()), "/warehouse".to_owned())
    }

    pub(crate) fn on_disk(directory: &Path) -> Self {
        Self::on(Arc::new(FileStore::default()), directory.to_str().unwrap().to_owned())
    }

    fn on(store: Arc<dyn Store>, root: String) -> Self {
        Self { plan: plan(|_, _| ()), options: Options::default(), store, root }
    }

    /// The same zones with so little memory that every batch is spilled, and with one output open at a time.
    pub(crate) fn spilling(mut self) -> Self {
        let budget = Budget { keys: 1, filter: 1, settling: 1 << 20, sorting: 1, writing: 1, ..self.options.budget };
        self.options = Options { budget, open_files: 1, threads: 2, ..self.options };
        self
    }

    pub(crate) fn planned(self, plan: CompactionPlan) -> Self {
        Self { plan, ..self }
    }

    /// The same zones under documents that were edited.
    pub(crate) fn edited(&self, change: impl FnOnce(&mut StreamIngest, &mut HourlyCompaction)) -> Self {
        self.clone().planned(plan(change))
    }

    /// The same zones under the same documents without a column.
    pub(crate) fn without(&self, column: &str) -> Self {
        let mut warehouse = self.clone();
        warehouse.plan.columns.retain(|other| other.name != column);
        warehouse.plan.ingest.record.columns.retain(|other| other.name != column);
        warehouse
    }

    /// Which row of a key stays.
    pub(crate) fn keep(&self) -> Keep {
        self.plan.keep
    }

    pub(crate) fn with_store(&self, store: Arc<dyn Store>) -> Self {
        Self { store, ..self.clone() }
    }

    pub(crate) fn surroundings(&self, zone: &str) -> Surroundings {
        let url: ZoneUrl = format!("file://{}/{zone}", self.root).parse().unwrap();
        Surroundings::of_process(Arc::clone(&self.store), url).with_patience(Duration::ZERO)
    }

    fn path(&self, zone: &str) -> StorePath {
        self.surroundings(zone).url().directory().clone()
    }

    /// Opens RAW as a worker would, and makes it where there is none.
    pub(crate) async fn raw(&self) -> Zone {
        let expected = Expected::Raw {
            cluster_id: "cluster".into(),
            topic: "books".into(),
            topic_id: "topic-id".into(),
            group: "group".into(),
            rewind: None,
        };
        match Zone::open(self.surroundings("raw"), expected, Digest::of(b"spec")).await.unwrap() {
            Opened::Ready(zone) => zone,
            Opened::Empty(empty) => {
                empty.create_raw(vec![PartitionStart { partition: 0, start_offset: 0 }]).await.unwrap()
            }
        }
    }

    /// Commits one RAW file with these rows.
    pub(crate) async fn ingest(&self, rows: impl IntoIterator<Item = Book>) {
        self.ingest_on(None, rows).await;
    }

    /// Commits one RAW file with these rows, the newest message of which came on this day after 1970.
    pub(crate) async fn ingest_on(&self, day: Option<i64>, rows: impl IntoIterator<Item = Book>) {
        let rows: Vec<Book> = rows.into_iter().collect();
        let rows = batch(&rows, &row_schema(&self.plan.ingest.record.columns));
        let mut zone = self.raw().await;
        let schema = schema_id(&rows.schema());
        let mut file = ParquetFile::create(zone.stage().await.unwrap(), rows.schema(), &Layout::default()).unwrap();
        file.write(&rows).await.unwrap();
        let closed = file.close().await.unwrap();
        let file = closed
            .staged
            .into_raw(FileZone::Raw, "ingest_date=2026-11-23/ingest_hour=05", closed.rows, schema)
            .unwrap();
        self.commit_raw(&mut zone, vec![file], day).await;
    }

    /// Commits an entry without rows, as one of tombstones is.
    pub(crate) async fn ingest_nothing(&self) {
        let mut zone = self.raw().await;
        self.commit_raw(&mut zone, vec![], None).await;
    }

    async fn commit_raw(&self, zone: &mut Zone, added: Vec<FileEntry>, day: Option<i64>) {
        let from = zone.fold().next(0);
        let range = PartitionRange {
            partition: 0,
            topic_id: "topic-id".into(),
            generation: zone.fold().generation(),
            leader_epoch: None,
            from,
            to: from + 1,
            accepted: 1,
            rejected: 0,
            accepted_with_rejects: 0,
            tombstones: 0,
            absent: 0,
            gaps: 0,
            max_timestamp: day.map(|day| day * 86_400_000),
        };
        let data = Data::Raw(RawData { partitions: vec![range], added, removed: vec![], schemas: vec![] });
        let Appended::Won(sequence) = zone.append(data).await.unwrap() else { panic!("nobody else writes RAW") };
        zone.publish(sequence).await.unwrap();
    }

    fn zones(&self) -> Zones {
        Zones { raw: self.surroundings("raw"), processed: self.surroundings("processed") }
    }

    /// What the next run would do.
    pub(crate) async fn preview(&self) -> Preview {
        compact::preview(&self.plan, &self.zones(), &self.options).await.unwrap()
    }

    /// The same zones, to be computed anew by the next run.
    pub(crate) fn rebuilding(&self) -> Self {
        Self { options: Options { work: Work::Rebuild, ..self.options.clone() }, ..self.clone() }
    }

    /// The same zones, of which the next run takes one of so many shards.
    pub(crate) fn shard(&self, index: u32, count: u32) -> Self {
        let work = Work::Increment(format!("{index}/{count}").parse().unwrap());
        Self { options: Options { work, ..self.options.clone() }, ..self.clone() }
    }

    /// Makes the Processed zone, and says which bucket a book belongs to.
    pub(crate) async fn buckets_of(&self) -> impl Fn(&Book) -> u32 + use<> {
        compact::register(&self.plan, &self.zones()).await.unwrap();
        let zone = ZoneReader::open(self.surroundings("processed")).await.unwrap();
        let schema = row_schema(&self.plan.ingest.record.columns);
        let hasher = KeyHasher::new(zone.fold().zone_id());
        let reader = ContenderReader::try_new(hasher, &self.plan.key, &[], &schema).unwrap();
        let buckets = self.plan.buckets;
        move |book| Bucket::of(reader.hashes(&batch(std::slice::from_ref(book), &schema)).unwrap()[0], buckets).0
    }

    /// Rewinds RAW: partition 0 goes on at this offset, in the next generation.
    pub(crate) async fn rewind(&self, nonce: &str, next: i64) {
        let mut zone = self.raw().await;
        let rewind = RewindPlan {
            nonce: nonce.into(),
            source: zone.fold().source().unwrap().clone(),
            next: BTreeMap::from([(0, next)]),
        };
        assert!(matches!(zone.rewind(&rewind).await.unwrap(), Rewound::Applied(_)));
        zone.close().await;
    }

    /// Takes the oldest live file off RAW, as retention does.
    pub(crate) async fn remove_oldest_of_raw(&self) {
        let removal = self.try_remove_oldest_of_raw().await;
        assert!(matches!(removal, Removal::Done(_)), "{removal:?}");
    }

    /// What becomes of the try.
    pub(crate) async fn try_remove_oldest_of_raw(&self) -> Removal {
        let mut zone = self.raw().await;
        let oldest = zone.fold().live().values().min_by_key(|live| live.sequence).unwrap().clone();
        let ages = RetentionAges { raw: Some(TimeDelta::zero()), rejected: None };
        zone.remove_expired(&ages, &[oldest], None).await.unwrap()
    }

    /// One run of the compaction.
    pub(crate) async fn try_compact(&self) -> Result<Report, compact::Error> {
        compact::run(&self.plan, &self.zones(), &self.options).await
    }

    pub(crate) async fn compact(&self) -> Report {
        self.try_compact().await.unwrap()
    }

    /// The rows that the Processed zone's log says are live, in order of their identity.
    pub(crate) async fn live(&self) -> Vec<Book> {
        let zone = ZoneReader::open(self.surroundings("processed")).await.unwrap();
        let columns = gristmill_core::compact::Layout::new(&self.plan.columns, &self.plan.partition_by);
        let mut rows = Vec::new();
        for live in zone.fold().live().values().filter(|live| live.file.zone == FileZone::Processed) {
            rows.extend(read(&zone, live, columns.rows()).await.iter().flat_map(books));
        }
        sorted(rows)
    }

    /// The rows that a plain reader of the directory sees: names and bytes, no log.
    pub(crate) async fn listed(&self) -> Vec<Book> {
        let mut rows = Vec::new();
        for path in self.listed_files().await {
            let (_, name) =
                path.as_str().split_once("publication_year=").expect("a file lies in a directory of its year");
            let year = name.split('/').next().unwrap().parse::<i32>().ok();
            let bytes = self.store.read(&path).await.unwrap();
            for batch in ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap() {
                rows.extend(books(&with_year(&batch.unwrap(), year)));
            }
        }
        sorted(rows)
    }

    /// The rows of a published file, as they stand there.
    pub(crate) async fn books_in(&self, path: &StorePath) -> Vec<Book> {
        let bytes = self.store.read(path).await.unwrap();
        let batches = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
        batches.flat_map(|batch| books(&with_year(&batch.unwrap(), None))).collect()
    }

    /// The schema of a published file.
    pub(crate) async fn schema_of(&self, file: &StorePath) -> SchemaRef {
        let bytes = self.store.read(file).await.unwrap();
        Arc::clone(ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().schema())
    }

    /// The columns inside a published file.
    pub(crate) async fn columns_of(&self, file: &StorePath) -> Vec<String> {
        self.schema_of(file).await.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// Late rows that the Processed zone's log says are rejected, by their place, having checked that the listing shows
    /// the same.
    pub(crate) async fn rejected(&self) -> Vec<Place> {
        let zone = ZoneReader::open(self.surroundings("processed")).await.unwrap();
        let mut rejected = Vec::new();
        for live in zone.fold().live().values().filter(|live| live.file.zone == FileZone::Rejected) {
            rejected.extend(places(zone.read(&live.file).await.unwrap()));
        }
        rejected.sort_unstable();
        assert_eq!(self.listed_rejected().await, rejected, "at rest a listing shows the live rejects");
        rejected
    }

    /// Late rows that a plain reader of the rejects' directory sees.
    pub(crate) async fn listed_rejected(&self) -> Vec<Place> {
        let mut rejected = Vec::new();
        for path in self.listed_files_of("processed_rejected").await {
            rejected.extend(places(self.store.read(&path).await.unwrap()));
        }
        rejected.sort_unstable();
        rejected
    }

    /// Published files of the Processed zone.
    pub(crate) async fn listed_files(&self) -> Vec<StorePath> {
        self.listed_files_of("processed").await
    }

    async fn listed_files_of(&self, zone: &str) -> Vec<StorePath> {
        let mut files = Vec::new();
        let mut directories = vec![self.path(zone)];
        while let Some(directory) = directories.pop() {
            for element in self.store.list(&directory).await.unwrap() {
                let path = directory.join(&element.name);
                match element.kind {
                    ListedKind::Directory if !element.name.starts_with('_') => directories.push(path),
                    ListedKind::File(_) if element.name.ends_with(".parquet") => files.push(path),
                    ListedKind::Directory | ListedKind::File(_) => {}
                }
            }
        }
        files.sort();
        files
    }

    /// `id title year` of every live row, having checked that the listing shows the same.
    pub(crate) async fn rows(&self) -> Vec<String> {
        let live = self.live().await;
        assert_eq!(format!("{:?}", self.listed().await), format!("{live:?}"), "at rest a listing shows the live rows");
        assert_unique(&live);
        live.iter().map(Book::summary).collect()
    }

    /// Entries of the Processed zone's log.
    pub(crate) async fn entries(&self) -> i64 {
        ZoneReader::open(self.surroundings("processed")).await.unwrap().fold().head().position()
    }

    /// RAW's position up to which the Processed zone has come.
    pub(crate) async fn position(&self) -> i64 {
        let zone = ZoneReader::open(self.surroundings("processed")).await.unwrap();
        *zone.fold().positions().values().min().unwrap()
    }

    /// Writers that have a staging directory.
    pub(crate) async fn writers(&self, zone: &str) -> usize {
        self.store.list(&self.path(zone).join("_staging")).await.unwrap().len()
    }

    /// Takes a zone away, as `hdfs dfs -rm -r` would.
    pub(crate) async fn remove(&self, zone: &str) {
        let (directories, files) = self.tree(zone).await;
        for path in files.iter().chain(directories.iter().rev()) {
            self.store.delete(path).await.unwrap();
        }
    }

    /// All that there is of a zone: directories, each before those in it, and files.
    pub(crate) async fn tree(&self, zone: &str) -> (Vec<StorePath>, Vec<StorePath>) {
        let (mut directories, mut files) = (vec![self.path(zone)], Vec::new());
        let mut listed = 0;
        while let Some(directory) = directories.get(listed).cloned() {
            listed += 1;
            for element in self.store.list(&directory).await.unwrap() {
                let path = directory.join(&element.name);
                match element.kind {
                    ListedKind::Directory => directories.push(path),
                    ListedKind::File(_) => files.push(path),
                }
            }
        }
        (directories, files)
    }
}

/// No identity stands there twice.
pub(crate) fn assert_unique(rows: &[Book]) {
    let mut seen = BTreeMap::new();
    for row in rows {
        if let Some(other) = seen.insert(row.identity(), row) {
            panic!("two rows of {}: {other:?} and {row:?}", row.identity());
        }
    }
}

/// Rows read, duplicates in the delta, duplicates in the zone, rows written.
pub(crate) fn counts(report: &Report) -> [u64; 4] {
    match &report.outcome {
        Outcome::Committed { summary, .. } => {
            let rows = summary.rows;
            [rows.read, rows.duplicate_in_delta, rows.duplicate_in_zone, rows.written]
        }
        Outcome::NothingNew => panic!("the run found nothing new"),
    }
}

async fn read(zone: &ZoneReader, live: &gristmill_core::log::LiveFile, schema: &SchemaRef) -> Vec<RecordBatch> {
    let reader = ParquetReader::open(zone, &live.file).await.unwrap();
    let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut batches = reader.batches(&columns, (0..reader.row_groups().len()).collect()).unwrap();
    let mut read = Vec::new();
    while let Some(batch) = batches.next().await.unwrap() {
        read.push(conform(&batch, schema, live.file.partition.as_deref().unwrap()).unwrap());
    }
    read
}

fn with_year(batch: &RecordBatch, year: Option<i32>) -> RecordBatch {
    let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new("publication_year", DataType::Int32, true)));
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(Int32Array::from(vec![year; batch.num_rows()])));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn sorted(mut rows: Vec<Book>) -> Vec<Book> {
    rows.sort_by_key(Book::identity);
    rows
}
