//! What must hold whatever happened: invariants I1 to I5 of the protocol, read from the store by other means than the
//! zone's own.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use gristmill_core::log::{
    Data, Digest, Entry, FileEntry, FileKey, FileZone, Fold, Kind, PartitionState, RawData, Sequence, ZoneId, ZonePath,
    decode_entry, decode_zone_file, layout,
};

use super::Violation;
use super::world::{Ghost, World};
use crate::store::MemoryStore;
use crate::zone::checkpoint_file;
use uuid::Uuid;

/// Looks at the store of a run.
pub(super) struct Checker {
    memory: MemoryStore,
    ghost: Ghost,
    seen: Option<Seen>,
}

/// What the log has said so far.
struct Seen {
    zone_id: ZoneId,
    fold: Fold,
    next: BTreeMap<i32, i64>,
    /// Every file that any entry has added, live or not.
    ever: BTreeMap<FileKey, FileEntry>,
    /// Every row that ranges of entries stand for, less those of files that retention has removed.
    rows: BTreeSet<String>,
}

impl Checker {
    pub(super) fn new(world: &World) -> Self {
        Self { memory: world.memory.clone(), ghost: world.ghost(), seen: None }
    }

    /// What holds after every single operation.
    pub(super) fn check_always(&mut self) -> Result<(), Violation> {
        self.read_log()?;
        let Some(seen) = &self.seen else {
            return Ok(());
        };
        for live in seen.fold.live().values() {
            let FileEntry { zone, path, staged, bytes, .. } = &live.file;
            let places = [published(*zone, path), World::url().join(staged).to_string()];
            let has_length = |place: &String| self.read(place).is_some_and(|content| content.len() as u64 == *bytes);
            if !places.iter().any(has_length) {
                return Err(format!("I4: live file {path} of entry {} is nowhere as committed", live.sequence));
            }
        }
        let mut rows = BTreeSet::new();
        for (key, content) in self.visible() {
            if !seen.ever.contains_key(&key) {
                return Err(format!("I5: {} is visible and no entry names it", key.path));
            }
            for row in String::from_utf8_lossy(&content).lines() {
                if !rows.insert(row.to_owned()) {
                    return Err(format!("I5: row {row} is visible twice, once in {}", key.path));
                }
            }
        }
        Ok(())
    }

    /// What holds when nobody writes and the last writer has opened the zone after all crashes.
    pub(super) fn check_at_rest(&mut self) -> Result<(), Violation> {
        self.check_always()?;
        let seen = self.seen.as_ref().ok_or("there is no zone at rest")?;
        let visible = self.visible();
        let (listed, live): (BTreeSet<_>, BTreeSet<_>) = (visible.keys().collect(), seen.fold.live().keys().collect());
        if let Some(key) = listed.symmetric_difference(&live).next() {
            return Err(format!("I5: at rest the listing and the live files differ in {}", key.path));
        }
        for (key, content) in &visible {
            let FileEntry { digest, staged, .. } = &seen.ever[key];
            if Digest::of(content) != *digest {
                return Err(format!("I4: {} has other bytes than were committed", key.path));
            }
            if self.read(World::url().join(staged).as_str()).is_some() {
                return Err(format!("rule 17: {} still has its staged name", key.path));
            }
        }
        let rows: BTreeSet<_> = visible
            .values()
            .flat_map(|content| String::from_utf8_lossy(content).lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let positions = seen.fold.positions().values();
        let keys = positions.flat_map(|position| (0..=*position).map(|row| format!("k{row}")));
        let expected: BTreeSet<_> = seen.rows.iter().cloned().chain(keys).collect();
        if let Some(row) = rows.symmetric_difference(&expected).next() {
            return Err(format!("I3: row {row} is in the log or in the files, not in both"));
        }
        self.check_slots()
    }

    /// Slots are dense above the newest checkpoint and as they were first taken; a checkpoint is the true fold.
    fn check_slots(&self) -> Result<(), Violation> {
        let seen = self.seen.as_ref().ok_or("there is no zone at rest")?;
        let directory = World::url().join(&layout::checkpoints(seen.zone_id));
        let mut checkpoints = BTreeMap::new();
        for (path, content) in self.memory.files_below(&directory) {
            let name = path.rsplit('/').next().unwrap_or_default();
            let sequence = layout::checkpoint_sequence(name).ok_or_else(|| format!("{path} is no checkpoint"))?;
            let fold = checkpoint_file::decode(seen.zone_id, sequence, content).map_err(|error| error.to_string())?;
            checkpoints.insert(sequence, fold);
        }
        let newest = checkpoints.keys().next_back().copied();
        self.check_folds(checkpoints)?;
        let first = newest.map_or(Sequence::GENESIS, Sequence::next);
        for sequence in (first.0..=seen.fold.head().0).map(Sequence) {
            let path = World::url().join(&layout::slot(seen.zone_id, sequence)).to_string();
            if self.read(&path) != self.ghost.content(&path) {
                return Err(format!("I1: slot {sequence} above checkpoint {newest:?} is not what was committed"));
            }
        }
        Ok(())
    }

    /// A checkpoint holds the fold of the entries up to it, whatever its writer has read.
    fn check_folds(&self, checkpoints: BTreeMap<Sequence, Fold>) -> Result<(), Violation> {
        let Some(seen) = self.seen.as_ref().filter(|_| !checkpoints.is_empty()) else { return Ok(()) };
        let entry = |sequence| self.slot(seen.zone_id, sequence)?.ok_or("an entry was never written".to_owned());
        let mut fold = Fold::begin(seen.zone_id, &entry(Sequence::GENESIS)?).map_err(|refused| refused.to_string())?;
        for (sequence, checkpoint) in checkpoints {
            while fold.head() < sequence {
                fold.apply(&entry(fold.head().next())?).map_err(|refused| refused.to_string())?;
            }
            if fold != checkpoint {
                return Err(format!("rule 4: checkpoint {sequence} is not the fold of the entries up to it"));
            }
        }
        Ok(())
    }

    /// Entries of the log.
    pub(super) fn head(&mut self) -> Result<Sequence, Violation> {
        self.read_log()?;
        Ok(self.seen.as_ref().ok_or("there is no log")?.fold.head())
    }

    fn read_log(&mut self) -> Result<(), Violation> {
        let Some(zone_file) = self.read(World::url().join(&layout::zone_file()).as_str()) else {
            return Ok(());
        };
        let zone_id = decode_zone_file(&zone_file).map_err(|error| error.to_string())?;
        if self.seen.as_ref().is_some_and(|seen| seen.zone_id != zone_id) {
            self.seen = None;
        }
        if self.seen.is_none() {
            let Some(entry) = self.slot(zone_id, Sequence::GENESIS)? else {
                return Ok(());
            };
            let fold = Fold::begin(zone_id, &entry).map_err(|refused| format!("I1: {refused}"))?;
            self.seen = Some(Seen::begin(zone_id, fold));
        }
        while let Some(seen) = &self.seen
            && let Some(entry) = self.slot(zone_id, seen.fold.head().next())?
        {
            let ghost = self.ghost.clone();
            self.seen.as_mut().expect("it was just looked at").take(&entry, &ghost)?;
        }
        Ok(())
    }

    fn slot(&self, zone_id: ZoneId, sequence: Sequence) -> Result<Option<Entry>, Violation> {
        // Without a directory for each zone all are in this one.
        let shared = ZoneId::new(Uuid::nil());
        let places = [zone_id, shared].map(|zone_id| World::url().join(&layout::slot(zone_id, sequence)));
        let bytes = places.iter().find_map(|place| self.ghost.content(place.as_str()));
        bytes.map(|bytes| decode_entry(&bytes).map_err(|error| format!("slot {sequence}: {error}"))).transpose()
    }

    fn read(&self, path: &str) -> Option<Bytes> {
        self.memory.content(path)
    }

    /// What a plain listing shows: `.parquet` files outside of names that begin with `_`.
    fn visible(&self) -> BTreeMap<FileKey, Bytes> {
        let mut visible = BTreeMap::new();
        for (zone, root) in [(FileZone::Raw, World::url().clone()), (FileZone::Rejected, World::url().rejected())] {
            let prefix = format!("{}/", root.directory());
            for (path, content) in self.memory.files_below(root.directory()) {
                let path = path.strip_prefix(&prefix).expect("it lies below").to_owned();
                if path.ends_with(".parquet") && !path.starts_with('_') {
                    let path = path.parse().expect("a listed path is one");
                    visible.insert(FileKey { zone: self.zone_of(zone), path }, content);
                }
            }
        }
        visible
    }

    fn zone_of(&self, directory: FileZone) -> FileZone {
        let processed = self.seen.as_ref().is_some_and(|seen| !seen.fold.positions().is_empty());
        if processed { FileZone::Processed } else { directory }
    }
}

impl Seen {
    fn begin(zone_id: ZoneId, fold: Fold) -> Self {
        let start = |(partition, state): (&i32, &PartitionState)| (*partition, state.next);
        let next = fold.partitions().iter().map(start).collect();
        Self { zone_id, fold, next, ever: BTreeMap::new(), rows: BTreeSet::new() }
    }

    fn take(&mut self, entry: &Entry, ghost: &Ghost) -> Result<(), Violation> {
        self.fold.apply(entry).map_err(|refused| format!("I1: {refused}"))?;
        match &entry.kind {
            Kind::Data(Data::Raw(RawData { partitions, .. })) => {
                for range in partitions {
                    let next = self.next.entry(range.partition).or_insert(0);
                    if range.from != *next {
                        return Err(format!("I2: partition {} jumps from {next} to {}", range.partition, range.from));
                    }
                    *next = range.to;
                    self.rows.extend((range.from..range.to).map(|at| row(range.partition, at, range.generation)));
                }
            }
            Kind::Rewind(rewind) => {
                self.next.extend(rewind.partitions.iter().map(|place| (place.partition, place.next)));
            }
            Kind::Remove(removal) => {
                for file in &removal.files {
                    let key = FileKey { zone: file.zone, path: file.path.clone() };
                    let staged = self.ever.get(&key).ok_or("I8: a file is removed that nobody has added")?;
                    let content = ghost.content(World::url().join(&staged.staged).as_str());
                    let content = content.ok_or("a removed file was never written")?;
                    String::from_utf8_lossy(&content).lines().for_each(|row| {
                        self.rows.remove(row);
                    });
                }
            }
            _ => {}
        }
        let added = entry.kind.added().iter();
        self.ever.extend(added.map(|file| (FileKey { zone: file.zone, path: file.path.clone() }, file.clone())));
        Ok(())
    }
}

/// How a message is written into a file: one of a later generation is another row.
pub(super) fn row(partition: i32, offset: i64, generation: i32) -> String {
    if generation == 0 { format!("{partition}:{offset}") } else { format!("{partition}:{offset}@{generation}") }
}

fn published(zone: FileZone, path: &ZonePath) -> String {
    match zone {
        FileZone::Rejected => World::url().rejected().join(path).to_string(),
        FileZone::Raw | FileZone::Processed => World::url().join(path).to_string(),
    }
}
