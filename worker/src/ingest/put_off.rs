//! Files that can't be archived: each is tried again after a pause that grows, and the others go on meanwhile.
//!
//! Without it a file whose copy is damaged would be copied every minute, and as many as a pass takes would keep all others
//! in the zone. A store that fails concerns every file: then nothing is copied until the pause is over, and the next try
//! begins with other files, in case it was only this one that the store can't read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gristmill_core::log::{FileKey, Fold, LiveFile};

use crate::zone::NotArchived;

/// First pause; it doubles. The next look comes no sooner.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// Longest pause: what somebody has mended is archived within the hour.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// What is not archived, and until when it is not tried.
#[derive(Debug, Default)]
pub(super) struct PutOff {
    files: BTreeMap<FileKey, Pause>,
    /// A store has failed, and no file was archived since.
    store: Option<Pause>,
}

#[derive(Debug)]
struct Pause {
    /// Uptime of the process.
    until: Duration,
    length: Duration,
    why: String,
}

impl Pause {
    fn after(before: Option<&Self>, first: Duration, now: Duration, why: String) -> Self {
        let length = before.map_or(first, |before| (before.length * 2).min(LONGEST_PAUSE));
        Self { until: now + length, length, why }
    }
}

impl PutOff {
    /// Takes over what became of a pass, and says in one line what stays.
    pub(super) fn note(&mut self, kept: &[LiveFile], failed: &[NotArchived], now: Duration) {
        for live in kept {
            self.files.remove(&key(live));
        }
        if !kept.is_empty() {
            self.store = None;
        }
        if let Some(NotArchived { error, .. }) = failed.iter().find(|failed| failed.error.is_of_store()) {
            let pause = Pause::after(self.store.as_ref(), FIRST_PAUSE, now, describe(error));
            tracing::warn!(error = pause.why, pause_seconds = pause.length.as_secs(), "no file is archived for now");
            self.store = Some(pause);
        }
        let (mut first, mut files) = (None, 0);
        for NotArchived { live, error } in failed {
            let first_pause = if error.is_of_store() { 2 * FIRST_PAUSE } else { FIRST_PAUSE };
            let pause = Pause::after(self.files.get(&key(live)), first_pause, now, describe(error));
            if !error.is_of_store() {
                files += 1;
                first.get_or_insert((pause.why.clone(), pause.length));
            }
            self.files.insert(key(live), pause);
        }
        if let Some((error, pause)) = first {
            tracing::warn!(files, error, pause_seconds = pause.as_secs(), "files are not archived and stay in RAW");
        }
    }

    /// Forgets files that have left the zone.
    pub(super) fn keep_live(&mut self, fold: &Fold) {
        self.files.retain(|key, _| fold.live().contains_key(key));
    }

    /// The files that are not to be tried now.
    pub(super) fn at(&self, now: Duration) -> BTreeSet<FileKey> {
        self.files.iter().filter(|(_, pause)| now < pause.until).map(|(key, _)| key.clone()).collect()
    }

    /// Whether nothing is to be copied now, since a store has failed.
    pub(super) fn stops_all(&self, now: Duration) -> bool {
        self.store.as_ref().is_some_and(|pause| now < pause.until)
    }

    /// What stays in the zone and why, for a person; nothing if nothing does.
    pub(super) fn describe(&self) -> Option<String> {
        if let Some(failed) = &self.store {
            return Some(format!("the archive ({})", failed.why));
        }
        let (_, first) = self.files.first_key_value()?;
        Some(match self.files.len() {
            1 => format!("1 file that is not archived: {}", first.why),
            files => format!("{files} files that are not archived, the first: {}", first.why),
        })
    }
}

fn key(live: &LiveFile) -> FileKey {
    FileKey { zone: live.file.zone, path: live.file.path.clone() }
}

fn describe(error: &crate::zone::ArchiveError) -> String {
    error.failure().message
}

#[cfg(test)]
mod tests {
    use gristmill_core::log::{Digest, FileEntry, FileZone, Sequence};

    use super::*;
    use crate::store::{StoreError, StoreErrorKind, StorePath};
    use crate::zone::ArchiveError;

    fn live(number: u64) -> LiveFile {
        let file = FileEntry {
            zone: FileZone::Raw,
            path: format!("ingest_date=2026-11-23/ingest_hour=05/{number}.parquet").parse().expect("a path"),
            staged: format!("_staging/0/{number}.staged").parse().expect("a path"),
            rows: 1,
            bytes: 4,
            digest: Digest::of(b"rows"),
            schema: "s1".to_owned(),
            bucket: None,
            partition: None,
        };
        let time = "2026-11-23T05:09:41.123Z".parse().expect("a time");
        LiveFile { file, sequence: Sequence(number), time }
    }

    fn damaged(number: u64) -> NotArchived {
        let error = ArchiveError::Damaged { file: format!("file:///raw/{number}"), why: "it is short".to_owned() };
        NotArchived { live: live(number), error }
    }

    fn away(number: u64) -> NotArchived {
        let path = StorePath::of("/archive".to_owned());
        let source = StoreError::new(StoreErrorKind::Unavailable, "create", &path, "connection refused");
        NotArchived { live: live(number), error: ArchiveError::Store { file: "file:///raw/1".to_owned(), source } }
    }

    #[test]
    fn file_is_tried_again_after_pauses_that_double_up_to_an_hour() {
        let mut put_off = PutOff::default();
        let mut now = Duration::ZERO;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            put_off.note(&[], &[damaged(1)], now);
            let began = now;
            while !put_off.at(now).is_empty() {
                now += Duration::from_secs(60);
            }
            pauses.push((now - began).as_secs() / 60);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        put_off.note(&[live(1)], &[], now);
        assert_eq!(put_off.describe(), None);
    }

    #[test]
    fn others_go_on_and_what_stays_is_told() {
        let mut put_off = PutOff::default();
        put_off.note(&[live(3)], &[damaged(1), damaged(2)], Duration::ZERO);
        assert_eq!(put_off.at(Duration::ZERO).len(), 2);
        assert!(!put_off.stops_all(Duration::ZERO));
        let told = put_off.describe().expect("two stay");
        assert!(told.starts_with("2 files that are not archived, the first: file:///raw/1 is damaged"), "{told}");
    }

    #[test]
    fn store_that_fails_stops_all_copies_for_a_while_and_the_next_try_begins_with_others() {
        let mut put_off = PutOff::default();
        let seconds = Duration::from_secs;
        put_off.note(&[], &[away(1)], Duration::ZERO);
        assert!(put_off.stops_all(seconds(59)) && !put_off.stops_all(seconds(60)));
        assert_eq!((put_off.at(seconds(60)).len(), put_off.at(seconds(120)).len()), (1, 0));
        assert!(put_off.describe().expect("it is told").contains("connection refused"));
        put_off.note(&[live(2)], &[], seconds(60));
        assert!(put_off.describe().expect("the first stays").starts_with("1 file that is not archived"));
        put_off.note(&[live(1)], &[], seconds(120));
        assert_eq!(put_off.describe(), None);
    }
}
