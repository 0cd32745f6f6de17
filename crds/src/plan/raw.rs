//! When a RAW file is closed, how it is compressed, and how long it stays.

use std::time::Duration;

use super::rejected::retention_age;
use super::{Problems, within, zone_url};
use crate::raw::{Compression, Raw, RawFiles, RawRetention, RetentionAction};

/// Default size of a closed RAW file: HDFS' default block.
const DEFAULT_TARGET_SIZE: u64 = 128 << 20;
/// Default age at which an open RAW file is committed: at most 288 files a day and worker.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(300);

/// Where rows are written and when a file is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawPlan {
    pub(super) path: String,
    pub(super) target_size: u64,
    pub(super) max_records: Option<u64>,
    pub(super) max_age: Duration,
    pub(super) compression: Compression,
    pub(super) retention: Option<RetentionPlan>,
}

/// When a RAW file goes, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionPlan {
    /// Age of a file, counted from the effective time of its entry.
    pub after: Duration,
    /// What becomes of it.
    pub end: FileEnd,
}

/// What becomes of a file at the end of its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileEnd {
    /// It is deleted.
    Delete,
    /// It is copied below this directory, and then deleted.
    Archive(String),
}

impl RawPlan {
    pub(super) fn read(raw: &Raw, problems: &mut Problems) -> Self {
        // No `..`: a new field must be given a meaning here.
        let Raw { path, files, compression, retention } = raw;
        let RawFiles { target_size, max_records, max_age } = files.clone().unwrap_or_default();
        let path = zone_url("spec.raw.path", path, problems);
        let size = target_size.map(|size| size.to_bytes());
        let size = within("spec.raw.files.targetSize", size, 1 << 20..=8 << 30, "1Mi to 8Gi", problems);
        let age = max_age.map(|age| age.to_duration());
        let ages = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
        let age = within("spec.raw.files.maxAge", age, ages, "1s to 24h", problems);
        let max_records = max_records.and_then(|records| {
            let valid = u64::try_from(records).ok().filter(|records| *records > 0);
            if valid.is_none() {
                let message =
                    format!("{records} is not a number of messages; write 1 or more, or remove it for no limit");
                problems.add("spec.raw.files.maxRecords", message);
            }
            valid
        });
        Self {
            retention: RetentionPlan::read("spec.raw.retention", retention.as_ref(), &path, problems),
            path,
            target_size: size.unwrap_or(DEFAULT_TARGET_SIZE),
            max_records,
            max_age: age.unwrap_or(DEFAULT_MAX_AGE),
            compression: compression.unwrap_or_default(),
        }
    }
}

impl RetentionPlan {
    fn read(at: &str, retention: Option<&RawRetention>, raw_path: &str, problems: &mut Problems) -> Option<Self> {
        let RawRetention { after, action, archive_path } = retention?;
        let after = retention_age(&format!("{at}.after"), Some(after.to_duration()), problems);
        let at = format!("{at}.archivePath");
        let end = match (action, archive_path) {
            (RetentionAction::Delete, None) => FileEnd::Delete,
            (RetentionAction::Delete, Some(_)) => {
                problems.add(at, "is set, and action is Delete; write action: Archive or remove archivePath");
                FileEnd::Delete
            }
            (RetentionAction::Archive, None) => {
                problems.add(
                    at,
                    "is missing, and action is Archive; write a directory such as hdfs://host:8020/archive/books",
                );
                FileEnd::Delete
            }
            (RetentionAction::Archive, Some(path)) => {
                let archive = zone_url(&at, path, problems);
                let inside = |a: &str, b: &str| a == b || a.starts_with(&format!("{b}/"));
                for zone in [raw_path.to_owned(), format!("{raw_path}_rejected")] {
                    if inside(&archive, &zone) || inside(&zone, &archive) {
                        let message = format!(
                            "{archive:?} and {zone:?} lie within each other; give the archive a directory of its own"
                        );
                        problems.add(&at, message);
                    }
                }
                FileEnd::Archive(archive)
            }
        };
        Some(Self { after: after?, end })
    }
}
