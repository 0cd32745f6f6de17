//! Tests of the pure log, by subject; here is what they are made of.

use uuid::Uuid;

use super::*;

mod control;
mod decisions;
mod inspection;
mod readings;
mod retention;
mod rules;
mod upkeep;
mod written;

const ZONE: u128 = 0x5f0c_0000_0000_4000_8000_0000_0000_0001;

fn zone_id() -> ZoneId {
    ZoneId::new(Uuid::from_u128(ZONE))
}

fn raw_zone_id() -> ZoneId {
    ZoneId::new(Uuid::from_u128(2))
}

fn incarnation(number: u128) -> Incarnation {
    Incarnation::new(Uuid::from_u128(0xa000_0000 + number))
}

fn entry(commit: u128, kind: Kind) -> Entry {
    Entry {
        commit_id: CommitId::new(Uuid::from_u128(commit)),
        incarnation: incarnation(1),
        time: "2026-11-23T05:09:41.123Z".parse().expect("a time"),
        spec_digest: Digest::of(b"spec"),
        kind,
    }
}

fn raw_genesis() -> Entry {
    entry(
        1,
        Kind::Genesis(Genesis::Raw(RawGenesis {
            zone_id: zone_id(),
            cluster_id: "cluster".to_owned(),
            topic: "books".to_owned(),
            topic_id: "topic-1".to_owned(),
            group: "group".to_owned(),
            partitions: vec![PartitionStart { partition: 0, start_offset: 100 }],
        })),
    )
}

fn processed_genesis() -> Entry {
    let partition_by = vec![PartitionField { column: "year".to_owned(), transform: PartitionTransform::Identity }];
    entry(
        1,
        Kind::Genesis(Genesis::Processed(ProcessedGenesis {
            zone_id: zone_id(),
            raw_zone_id: raw_zone_id(),
            key: vec!["record_id".to_owned()],
            partition_by,
            buckets: 1,
            keep: Keep::Latest,
            order_by: None,
        })),
    )
}

fn range(partition: i32, from: i64, to: i64) -> PartitionRange {
    PartitionRange {
        partition,
        topic_id: "topic-1".to_owned(),
        generation: 0,
        leader_epoch: Some(3),
        from,
        to,
        accepted: u64::try_from(to - from).unwrap_or(0),
        rejected: 0,
        accepted_with_rejects: 0,
        tombstones: 0,
        absent: 0,
        gaps: 0,
        max_timestamp: Some(1_763_874_581_123),
    }
}

fn file(zone: FileZone, number: u64) -> FileEntry {
    let processed = zone == FileZone::Processed;
    let value = PartitionValue { column: "year".to_owned(), value: TypedValue::Int32(Some(2026)) };
    FileEntry {
        zone,
        path: layout::published("ingest_date=2026-11-23/ingest_hour=05", incarnation(1), number).expect("a path"),
        staged: layout::staged(incarnation(1), number),
        rows: 10,
        bytes: 1000,
        digest: Digest::of(b"file"),
        schema: "s1".to_owned(),
        bucket: processed.then_some(0),
        partition: processed.then(|| vec![value]),
    }
}

fn raw_data(partitions: Vec<PartitionRange>, added: Vec<FileEntry>) -> RawData {
    RawData { partitions, added, removed: Vec::new(), schemas: Vec::new() }
}

fn raw_entry(commit: u128, data: RawData) -> Entry {
    entry(commit, Kind::Data(Data::Raw(data)))
}

fn run(from_seq: i64, to_seq: i64, added: Vec<FileEntry>, removed: Vec<&FileEntry>) -> ProcessedData {
    let removed = removed.into_iter().map(|file| RemovedFile { zone: file.zone, path: file.path.clone() }).collect();
    let time = "2026-11-23T06:05:00.000Z".parse().expect("a time");
    ProcessedData {
        raw_zone_id: raw_zone_id(),
        buckets: vec![BucketRange { bucket: 0, from_seq, to_seq, processed_through: None }],
        added,
        removed,
        run: RunSummary {
            start_time: time,
            completion_time: time,
            rows: RunRows { read: 12, duplicate_in_delta: 1, duplicate_in_zone: 1, written: 10, ..RunRows::default() },
            files: RunFiles { before: 0, after: 1, ..RunFiles::default() },
            late_before: None,
            cost: None,
            kind: RunKind::Increment,
            through: None,
            buckets: None,
        },
    }
}

fn processed_entry(commit: u128, data: ProcessedData) -> Entry {
    entry(commit, Kind::Data(Data::Processed(data)))
}

fn raw_fold() -> Fold {
    Fold::begin(zone_id(), &raw_genesis()).expect("a genesis")
}

fn processed_fold() -> Fold {
    Fold::begin(zone_id(), &processed_genesis()).expect("a genesis")
}

fn text(entry: &Entry) -> String {
    String::from_utf8(encode_entry(entry)).expect("JSON is UTF-8")
}
