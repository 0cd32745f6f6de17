//! A fold as a checkpoint holds it: the live files as records, of which there may be many, and all else as one JSON.
//!
//! How the records become bytes is the worker's business; that nothing is left out is this file's: everything is taken
//! apart without `..`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::entry::{FileEntry, Genesis, MessageCounts};
use super::super::names::{CommitId, Incarnation, LogTime, Sequence, ZoneId};
use super::super::wire::{FORMAT, Unreadable, genesis_of};
use super::window::Window;
use super::{
    AppliedRewind, ConsumerState, FileKey, Fold, Held, LastCommit, LiveFile, PartitionState, Reading, RemovedTotals,
    Run, SchemaState, Source,
};

/// A live file of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LiveRecord {
    /// The entry that added it.
    pub sequence: Sequence,
    /// Effective time of that entry.
    pub time: LogTime,
    /// What the entry says of it.
    pub file: FileEntry,
}

/// A checkpoint that is not understood.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableFold {
    /// Its state is not of this version, or damaged.
    #[error("{0}")]
    State(Unreadable),
    /// It is another zone's, or of another sequence than its name.
    #[error("it is the state of zone {zone} at entry {head}")]
    Foreign {
        /// The zone that it is of.
        zone: ZoneId,
        /// The entry that it was taken at.
        head: Sequence,
    },
    /// A file is in it twice.
    #[error("it holds file {0} twice")]
    Twice(String),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct State {
    head: Sequence,
    head_commit: CommitId,
    effective_time: LogTime,
    source: Option<Source>,
    generation: i32,
    rewinds: BTreeMap<String, AppliedRewind>,
    partitions: BTreeMap<i32, PartitionState>,
    past: MessageCounts,
    positions: BTreeMap<u32, i64>,
    #[serde(default)]
    processed_through: BTreeMap<u32, LogTime>,
    schemas: BTreeMap<String, SchemaState>,
    last_commits: BTreeMap<Incarnation, LastCommit>,
    fenced: BTreeMap<Incarnation, Sequence>,
    consumers: BTreeMap<ZoneId, ConsumerState>,
    held: Option<Held>,
    resume_tokens: BTreeSet<String>,
    last_resume: Option<Sequence>,
    window: Window,
    runs: VecDeque<Run>,
    /// Absent from checkpoints of versions that had no retention.
    #[serde(default)]
    removed: RemovedTotals,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    readings: Vec<Reading>,
}

#[derive(Serialize)]
struct Out<'a> {
    format: u64,
    genesis: &'a Genesis,
    state: State,
}

impl Fold {
    /// Everything but the live files, as JSON.
    pub fn encode_state(&self) -> Vec<u8> {
        let Self {
            genesis,
            head,
            head_commit,
            effective_time,
            source,
            generation,
            rewinds,
            partitions,
            past,
            positions,
            processed_through,
            live: _,
            schemas,
            last_commits,
            fenced,
            consumers,
            held,
            resume_tokens,
            last_resume,
            window,
            runs,
            removed,
            readings,
        } = self;
        let state = State {
            head: *head,
            head_commit: *head_commit,
            effective_time: *effective_time,
            source: source.clone(),
            generation: *generation,
            rewinds: rewinds.clone(),
            partitions: partitions.clone(),
            past: *past,
            positions: positions.clone(),
            processed_through: processed_through.clone(),
            schemas: schemas.clone(),
            last_commits: last_commits.clone(),
            fenced: fenced.clone(),
            consumers: consumers.clone(),
            held: held.clone(),
            resume_tokens: resume_tokens.clone(),
            last_resume: *last_resume,
            window: window.clone(),
            runs: runs.clone(),
            removed: *removed,
            readings: readings.clone(),
        };
        let out = Out { format: FORMAT, genesis, state };
        serde_json::to_vec(&out).expect("a fold holds only texts, numbers, and lists and maps of them")
    }

    /// The live files, as records.
    pub fn live_records(&self) -> impl ExactSizeIterator<Item = LiveRecord> {
        self.live.values().map(|LiveFile { sequence, time, file }| LiveRecord {
            sequence: *sequence,
            time: *time,
            file: file.clone(),
        })
    }

    /// Puts a fold together from its state and its live files.
    ///
    /// # Errors
    /// The state is not of this version or not of this zone and sequence, or the records are not those of a fold.
    pub fn restore(
        zone: ZoneId,
        sequence: Sequence,
        state: &[u8],
        live: impl IntoIterator<Item = LiveRecord>,
    ) -> Result<Self, UnreadableFold> {
        let (genesis, state) = decode_state(state).map_err(UnreadableFold::State)?;
        let mut files = BTreeMap::new();
        for LiveRecord { sequence, time, file } in live {
            let key = FileKey { zone: file.zone, path: file.path.clone() };
            if files.insert(key, LiveFile { sequence, time, file: file.clone() }).is_some() {
                return Err(UnreadableFold::Twice(file.path.to_string()));
            }
        }
        let State {
            head,
            head_commit,
            effective_time,
            source,
            generation,
            rewinds,
            partitions,
            past,
            positions,
            processed_through,
            schemas,
            last_commits,
            fenced,
            consumers,
            held,
            resume_tokens,
            last_resume,
            window,
            runs,
            removed,
            readings,
        } = state;
        let fold = Self {
            genesis,
            head,
            head_commit,
            effective_time,
            source,
            generation,
            rewinds,
            partitions,
            past,
            positions,
            processed_through,
            live: files,
            schemas,
            last_commits,
            fenced,
            consumers,
            held,
            resume_tokens,
            last_resume,
            window,
            runs,
            removed,
            readings,
        };
        if (fold.zone_id(), fold.head) == (zone, sequence) {
            Ok(fold)
        } else {
            Err(UnreadableFold::Foreign { zone: fold.zone_id(), head: fold.head })
        }
    }
}

fn decode_state(bytes: &[u8]) -> Result<(Genesis, State), Unreadable> {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(bytes) else {
        return Err(Unreadable::NotAnObject);
    };
    let format = fields.remove("format").unwrap_or(Value::Null);
    if format.as_u64() != Some(FORMAT) {
        return Err(Unreadable::Format(format.to_string()));
    }
    let mut taken = |name: &str| fields.remove(name).unwrap_or(Value::Null);
    let (genesis, state) = (taken("genesis"), taken("state"));
    if let Some(unknown) = fields.keys().next() {
        return Err(Unreadable::Unknown(format!("unknown field `{unknown}`")));
    }
    let genesis: Map<String, Value> = serde_json::from_value(genesis).map_err(field)?;
    Ok((genesis_of(genesis)?, serde_json::from_value(state).map_err(field)?))
}

fn field(error: serde_json::Error) -> Unreadable {
    Unreadable::of_field("", &error)
}
