//! The entries that processes may append, each built once as the product's own type.

use std::collections::HashMap;
use std::sync::Mutex;

use chrono::DateTime;
use gristmill_core::log::{
    BucketRange, CommitId, Consumer, Data, Digest, Entry, Fence, FileEntry, FileZone, Genesis, Incarnation, Keep, Kind,
    LogTime, PartitionRange, PartitionRewind, PartitionStart, ProcessedData, ProcessedGenesis, RawData, RawGenesis,
    RemovalReason, Remove, RemovedFile, Rewind, RunFiles, RunKind, RunRows, RunSummary, ZoneId, ZonePath, layout,
};
use uuid::Uuid;

use crate::arena::Arena;

/// Bytes of every file of the model.
const BYTES: u64 = 1;
pub(crate) const TOPIC_ID: &str = "topic-1";
pub(crate) const CLUSTER_ID: &str = "cluster";

/// An entry; also the one file that it adds. 0 is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EntryId(pub(crate) u16);

impl EntryId {
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn is_some(self) -> bool {
        self != Self::NONE
    }
}

/// What tells an entry from every other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Description {
    /// 0 for the first zone in the place, 1 for the one that replaces it.
    pub(crate) zone: u8,
    /// Incarnation of the writer.
    pub(crate) author: u8,
    /// Tells apart what one incarnation says twice.
    pub(crate) number: u8,
    pub(crate) saying: Saying,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Saying {
    RawGenesis,
    ProcessedGenesis,
    /// One file with these offsets.
    Raw {
        generation: u8,
        ranges: Vec<Offsets>,
    },
    /// A run that moves the position on by one, writes one file and replaces others.
    Run {
        from: i8,
        removes: Vec<EntryId>,
    },
    /// Every partition goes back to 0.
    Rewind {
        nonce: u8,
        generation: u8,
    },
    Fence {
        incarnation: u8,
    },
    Register,
    Advance {
        position: u8,
    },
    Remove {
        file: EntryId,
    },
}

impl Saying {
    pub(crate) fn adds_a_file(&self) -> bool {
        matches!(self, Self::Raw { .. } | Self::Run { .. })
    }
}

/// Offsets of a partition: those from `from`, below `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Offsets {
    pub(crate) partition: u8,
    pub(crate) from: u8,
    pub(crate) to: u8,
}

pub(crate) struct Entries {
    all: Arena<(Description, Entry)>,
    ids: Mutex<HashMap<Description, EntryId>>,
    by_path: Mutex<HashMap<ZonePath, EntryId>>,
}

impl Entries {
    pub(crate) fn new() -> Self {
        let entries = Self { all: Arena::default(), ids: Mutex::default(), by_path: Mutex::default() };
        // Index 0 stands for no entry, and is never looked at.
        let nobody = Description { zone: 0, author: 0, number: 0, saying: Saying::RawGenesis };
        entries.all.push((nobody.clone(), entries.build(&nobody, 0)));
        entries
    }

    pub(crate) fn id(&self, description: Description) -> EntryId {
        let mut ids = self.ids.lock().expect("no thread panics while it adds an entry");
        if let Some(id) = ids.get(&description) {
            return *id;
        }
        let number = self.all.len();
        let entry = self.build(&description, number);
        let id = EntryId(u16::try_from(number).expect("a case has fewer than 65,536 entries"));
        for file in entry.kind.added() {
            self.by_path.lock().expect("no thread panics while it adds a path").insert(file.path.clone(), id);
        }
        let index = self.all.push((description.clone(), entry));
        assert_eq!(index, number, "entries are added under one lock");
        ids.insert(description, id);
        id
    }

    pub(crate) fn describe(&self, id: EntryId) -> &Description {
        &self.all.get(usize::from(id.0)).0
    }

    pub(crate) fn entry(&self, id: EntryId) -> &Entry {
        &self.all.get(usize::from(id.0)).1
    }

    /// The entry that adds the file of this published name.
    pub(crate) fn adder(&self, path: &ZonePath) -> EntryId {
        self.by_path.lock().expect("no thread panics while it adds a path")[path]
    }

    /// An entry, as a schedule tells it.
    pub(crate) fn tell(&self, id: EntryId) -> String {
        let Description { zone, author, number: _, saying } = self.describe(id);
        let zone = if *zone == 0 { "" } else { " of the new zone" };
        let what = match saying {
            Saying::RawGenesis | Saying::ProcessedGenesis => "genesis".to_owned(),
            Saying::Raw { generation, ranges } => {
                let range = |Offsets { partition, from, to }: &Offsets| format!("partition {partition} [{from}, {to})");
                let ranges: Vec<_> = ranges.iter().map(range).collect();
                format!("data f{}, {}, generation {generation}", id.0, ranges.join(" and "))
            }
            Saying::Run { from, removes } => {
                let removes: Vec<_> = removes.iter().map(|file| format!("f{}", file.0)).collect();
                format!("run from {from}, adds f{}, removes [{}]", id.0, removes.join(", "))
            }
            Saying::Rewind { nonce, generation } => format!("rewind {nonce} to generation {generation}"),
            Saying::Fence { incarnation } => format!("fence of incarnation {incarnation}"),
            Saying::Register => "consumer registers".to_owned(),
            Saying::Advance { position } => format!("consumer advances to {position}"),
            Saying::Remove { file } => format!("remove of f{}", file.0),
        };
        format!("{what}, by incarnation {author}{zone}")
    }

    fn removed_file(&self, file: EntryId) -> RemovedFile {
        let FileEntry { zone, path, .. } = &self.entry(file).kind.added()[0];
        RemovedFile { zone: *zone, path: path.clone() }
    }

    fn build(&self, description: &Description, number: usize) -> Entry {
        let Description { zone, author, number: _, saying } = description;
        let kind = match saying {
            Saying::RawGenesis => Kind::Genesis(Genesis::Raw(raw_genesis(*zone))),
            Saying::ProcessedGenesis => Kind::Genesis(Genesis::Processed(processed_genesis(*zone))),
            Saying::Raw { generation, ranges } => Kind::Data(Data::Raw(RawData {
                partitions: ranges.iter().map(|range| partition_range(*generation, *range)).collect(),
                added: vec![file(FileZone::Raw, *author, number)],
                removed: vec![],
                schemas: vec![],
            })),
            Saying::Run { from, removes } => Kind::Data(Data::Processed(ProcessedData {
                raw_zone_id: raw_zone_id(),
                buckets: vec![BucketRange {
                    bucket: 0,
                    from_seq: i64::from(*from),
                    to_seq: i64::from(*from) + 1,
                    processed_through: None,
                }],
                added: vec![file(FileZone::Processed, *author, number)],
                removed: removes.iter().map(|file| self.removed_file(*file)).collect(),
                run: run_summary(),
            })),
            Saying::Rewind { nonce, generation } => Kind::Rewind(Rewind {
                nonce: nonce.to_string(),
                generation: i32::from(*generation),
                cluster_id: CLUSTER_ID.to_owned(),
                topic_id: TOPIC_ID.to_owned(),
                partitions: (0..2).map(|partition| PartitionRewind { partition, next: 0, gaps: 0 }).collect(),
            }),
            Saying::Fence { incarnation } => Kind::Fence(Fence { incarnation: incarnation_id(*incarnation) }),
            Saying::Register => Kind::Consumer(Consumer::Register { id: consumer_id(), name: "books".to_owned() }),
            Saying::Advance { position } => {
                Kind::Consumer(Consumer::Advance { id: consumer_id(), position: i64::from(*position) })
            }
            Saying::Remove { file } => Kind::Remove(Remove {
                files: vec![self.removed_file(*file)],
                reason: RemovalReason::Retention,
                archive: None,
            }),
        };
        Entry {
            commit_id: CommitId::new(Uuid::from_u128(0xC0_0000 + number as u128)),
            incarnation: incarnation_id(*author),
            time: time(),
            spec_digest: Digest::of(b"books.yaml"),
            kind,
        }
    }
}

pub(crate) fn zone_id(zone: u8) -> ZoneId {
    ZoneId::new(Uuid::from_u128(0xA0_0000 + u128::from(zone)))
}

pub(crate) fn incarnation_id(incarnation: u8) -> Incarnation {
    Incarnation::new(Uuid::from_u128(0xB0_0000 + u128::from(incarnation)))
}

pub(crate) fn consumer_id() -> ZoneId {
    ZoneId::new(Uuid::from_u128(0xD0_0000))
}

fn raw_zone_id() -> ZoneId {
    ZoneId::new(Uuid::from_u128(0xE0_0000))
}

/// One time for all: what depends on age may happen at any moment in the model.
pub(crate) fn time() -> LogTime {
    LogTime::new(DateTime::UNIX_EPOCH)
}

fn raw_genesis(zone: u8) -> RawGenesis {
    RawGenesis {
        zone_id: zone_id(zone),
        cluster_id: CLUSTER_ID.to_owned(),
        topic: "books".to_owned(),
        topic_id: TOPIC_ID.to_owned(),
        group: "books".to_owned(),
        partitions: (0..2).map(|partition| PartitionStart { partition, start_offset: 0 }).collect(),
    }
}

fn processed_genesis(zone: u8) -> ProcessedGenesis {
    ProcessedGenesis {
        zone_id: zone_id(zone),
        raw_zone_id: raw_zone_id(),
        key: vec!["record_id".to_owned()],
        partition_by: vec![],
        buckets: 1,
        keep: Keep::Latest,
        order_by: None,
    }
}

fn partition_range(generation: u8, offsets: Offsets) -> PartitionRange {
    let Offsets { partition, from, to } = offsets;
    PartitionRange {
        partition: i32::from(partition),
        topic_id: TOPIC_ID.to_owned(),
        generation: i32::from(generation),
        leader_epoch: None,
        from: i64::from(from),
        to: i64::from(to),
        accepted: u64::from(to - from),
        accepted_with_rejects: 0,
        rejected: 0,
        tombstones: 0,
        absent: 0,
        gaps: 0,
        max_timestamp: None,
    }
}

fn file(zone: FileZone, author: u8, number: usize) -> FileEntry {
    let (incarnation, number) = (incarnation_id(author), number as u64);
    FileEntry {
        zone,
        path: layout::published("", incarnation, number).expect("no directory, no wrong name"),
        staged: layout::staged(incarnation, number),
        rows: 1,
        bytes: BYTES,
        digest: Digest::of(b"rows"),
        schema: "s1".to_owned(),
        bucket: (zone == FileZone::Processed).then_some(0),
        partition: (zone == FileZone::Processed).then(Vec::new),
    }
}

fn run_summary() -> RunSummary {
    RunSummary {
        start_time: time(),
        completion_time: time(),
        rows: RunRows::default(),
        files: RunFiles::default(),
        late_before: None,
        cost: None,
        kind: RunKind::Increment,
        through: None,
        buckets: None,
    }
}
