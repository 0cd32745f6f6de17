//! What must hold whatever happened: invariants I1 to I5 of the protocol, read from the store by other means than the
//! zone's own.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use gristmill_core::log::{
    Data, Digest, Entry, FileEntry, FileKey, FileZone, Fold, Kind, RawData, Sequence, ZoneId, ZonePath, decode_entry,
    decode_zone_file, layout,
};

use super::Violation;
use super::world::World;
use crate::store::MemoryStore;

/// Looks at the store of a run.
pub(super) struct Checker {
    memory: MemoryStore,
    seen: Option<Seen>,
}

/// What the log has said so far.
struct Seen {
    zone_id: ZoneId,
    fold: Fold,
    next: BTreeMap<i32, i64>,
    /// Every file that any entry has added, live or not.
    ever: BTreeMap<FileKey, FileEntry>,
}

impl Checker {
    pub(super) fn new(memory: MemoryStore) -> Self {
        Self { memory, seen: None }
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
        let expected: BTreeSet<_> = seen
            .next
            .iter()
            .flat_map(|(partition, next)| (0..*next).map(move |offset| format!("{partition}:{offset}")))
            .chain(seen.fold.positions().values().flat_map(|position| (0..=*position).map(|row| format!("k{row}"))))
            .collect();
        match rows.symmetric_difference(&expected).next() {
            Some(row) => Err(format!("I3: row {row} is in the log or in the files, not in both")),
            None => Ok(()),
        }
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
            self.seen = Some(Seen { zone_id, fold, next: BTreeMap::new(), ever: BTreeMap::new() });
        }
        while let Some(seen) = &self.seen
            && let Some(entry) = self.slot(zone_id, seen.fold.head().next())?
        {
            self.seen.as_mut().expect("it was just looked at").take(&entry)?;
        }
        Ok(())
    }

    fn slot(&self, zone_id: ZoneId, sequence: Sequence) -> Result<Option<Entry>, Violation> {
        let bytes = self.read(World::url().join(&layout::slot(zone_id, sequence)).as_str());
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
    fn take(&mut self, entry: &Entry) -> Result<(), Violation> {
        self.fold.apply(entry).map_err(|refused| format!("I1: {refused}"))?;
        let Kind::Data(data) = &entry.kind else {
            return Ok(());
        };
        let added = match data {
            Data::Raw(RawData { partitions, added, .. }) => {
                for range in partitions {
                    let next = self.next.entry(range.partition).or_insert(0);
                    if range.from != *next {
                        return Err(format!("I2: partition {} jumps from {next} to {}", range.partition, range.from));
                    }
                    *next = range.to;
                }
                added
            }
            Data::Processed(data) => &data.added,
        };
        self.ever.extend(added.iter().map(|file| (FileKey { zone: file.zone, path: file.path.clone() }, file.clone())));
        Ok(())
    }
}

fn published(zone: FileZone, path: &ZonePath) -> String {
    match zone {
        FileZone::Rejected => World::url().rejected().join(path).to_string(),
        FileZone::Raw | FileZone::Processed => World::url().join(path).to_string(),
    }
}
