//! What a zone holds, read from its log and its files.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type};
use gristmill::parquet_file::ParquetReader;
use gristmill::store;
use gristmill::zone::{Appended, Expected, Opened, Surroundings, Zone, ZoneReader};
use gristmill_core::log::{Data, FileZone, Genesis, MessageCounts, PartitionRange, RawData};
use gristmill_crds::plan::IngestPlan;

/// Coordinates of a row or of a reject: partition, offset, index of the record in its message.
pub(crate) type Source = (i32, i64, Option<i32>);

/// The rows and rejects of a zone.
#[derive(Debug, Default)]
pub(crate) struct Landed {
    pub(crate) rows: BTreeSet<Source>,
    pub(crate) rejects: BTreeSet<Source>,
    pub(crate) messages: MessageCounts,
    pub(crate) commits: u64,
    pub(crate) files: usize,
    /// The next offset of each partition.
    pub(crate) next: Vec<i64>,
    pub(crate) paths: Vec<String>,
}

impl Landed {
    /// Reads a zone whole. Panics if a row or a reject is there twice.
    pub(crate) async fn read(plan: &IngestPlan) -> Self {
        let url = plan.raw_path.parse().expect("a zone's URL");
        let store = store::open(&url, &store::HadoopAccess::default()).expect("a local store");
        let zone = ZoneReader::open(Surroundings::of_process(store, url)).await.expect("the zone opens");
        let mut landed = Self {
            messages: zone.fold().totals(),
            commits: zone.fold().head().0,
            files: zone.fold().live().len(),
            next: zone.fold().partitions().values().map(|state| state.next).collect(),
            paths: zone.fold().live().keys().map(|key| key.path.to_string()).collect(),
            ..Self::default()
        };
        for live in zone.fold().live().values() {
            let sources = match live.file.zone {
                FileZone::Rejected => &mut landed.rejects,
                FileZone::Raw | FileZone::Processed => &mut landed.rows,
            };
            let reader = ParquetReader::open(&zone, &live.file).await.expect("the file opens");
            let columns = ["kafka_partition", "kafka_offset", "record_index"];
            let groups = (0..reader.row_groups().len()).collect();
            let mut batches = reader.batches(&columns, groups).expect("the columns are there");
            while let Some(batch) = batches.next().await.expect("the file is whole") {
                for source in coordinates(&batch) {
                    assert!(sources.insert(source), "{source:?} is there twice");
                }
            }
        }
        landed
    }
}

/// The headers of a message as a reject record has them.
pub(crate) type StoredHeaders = Vec<(String, Option<Vec<u8>>)>;

/// Headers of the reject records, by the place of what they reject; none where a record of the same message has them.
pub(crate) async fn headers_of_rejects(plan: &IngestPlan) -> BTreeMap<Source, Option<StoredHeaders>> {
    let url = plan.raw_path.parse().expect("a zone's URL");
    let store = store::open(&url, &store::HadoopAccess::default()).expect("a local store");
    let zone = ZoneReader::open(Surroundings::of_process(store, url)).await.expect("the zone opens");
    let mut found = BTreeMap::new();
    for live in zone.fold().live().values().filter(|live| live.file.zone == FileZone::Rejected) {
        let reader = ParquetReader::open(&zone, &live.file).await.expect("the file opens");
        let columns = ["kafka_partition", "kafka_offset", "record_index", "headers"];
        let groups = (0..reader.row_groups().len()).collect();
        let mut batches = reader.batches(&columns, groups).expect("the columns are there");
        while let Some(batch) = batches.next().await.expect("the file is whole") {
            let lists = batch.column_by_name("headers").expect("the column is there").as_list::<i32>();
            for (row, source) in coordinates(&batch).into_iter().enumerate() {
                let stored = lists.is_valid(row).then(|| {
                    let entries = lists.value(row);
                    let (keys, values) =
                        (entries.as_struct().column(0).as_string::<i32>(), entries.as_struct().column(1));
                    let value = |entry| values.is_valid(entry).then(|| values.as_binary::<i32>().value(entry).to_vec());
                    (0..entries.len()).map(|entry| (keys.value(entry).to_owned(), value(entry))).collect()
                });
                found.insert(source, stored);
            }
        }
    }
    found
}

fn coordinates(batch: &RecordBatch) -> Vec<Source> {
    let column = |name| batch.column_by_name(name).expect("the column is there");
    let partitions = column("kafka_partition").as_primitive::<Int32Type>();
    let offsets = column("kafka_offset").as_primitive::<Int64Type>();
    let indexes = column("record_index").as_primitive::<Int32Type>();
    let index = |row| indexes.is_valid(row).then(|| indexes.value(row));
    (0..batch.num_rows()).map(|row| (partitions.value(row), offsets.value(row), index(row))).collect()
}

/// Appends an entry by which partition 0 was read up to an offset, whatever the topic holds.
pub(crate) async fn pretend_read(plan: &IngestPlan, to: i64) {
    let url: store::ZoneUrl = plan.raw_path.parse().expect("a zone's URL");
    let surroundings =
        Surroundings::of_process(store::open(&url, &store::HadoopAccess::default()).expect("a local store"), url);
    let reader = ZoneReader::open(surroundings.clone()).await.expect("the zone opens");
    let Genesis::Raw(genesis) = reader.fold().genesis().clone() else { panic!("a RAW zone") };
    let expected = Expected::Raw {
        cluster_id: genesis.cluster_id,
        topic: genesis.topic,
        topic_id: genesis.topic_id.clone(),
        group: genesis.group,
        rewind: None,
    };
    let digest = plan.spec_digest.parse().expect("a digest");
    let Ok(Opened::Ready(mut zone)) = Zone::open(surroundings, expected, digest).await else { panic!("it is there") };
    let range = PartitionRange {
        partition: 0,
        topic_id: genesis.topic_id,
        generation: 0,
        leader_epoch: None,
        from: zone.fold().next(0),
        to,
        accepted: 0,
        rejected: 0,
        accepted_with_rejects: 0,
        tombstones: 0,
        absent: u64::try_from(to - zone.fold().next(0)).expect("an advance"),
        gaps: 0,
        max_timestamp: None,
    };
    let data = RawData { partitions: vec![range], added: Vec::new(), removed: Vec::new(), schemas: Vec::new() };
    let appended = zone.append(Data::Raw(data)).await.expect("the store works");
    assert!(matches!(appended, Appended::Won(_)), "{appended:?}");
}
