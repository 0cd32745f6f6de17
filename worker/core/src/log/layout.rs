//! Every path of a zone, built in one place.
//!
//! Paths are relative to the zone's directory. Nothing below a name that begins with `_` ends in `.parquet`: DuckDB and
//! Polars read such directories as data otherwise (F15).

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::names::{CommitId, Incarnation, InvalidName, Sequence, ZoneId};

/// Directory of the log, of every zone that ever was in this place.
pub const LOG: &str = "_log";
/// Directory of files that are written and not yet committed.
pub const STAGING: &str = "_staging";
/// Directory of files that an entry replaced or removed.
pub const RETIRED: &str = "_retired";
/// What is put behind a RAW zone's directory name to name that of its rejected files.
pub const REJECTED_SUFFIX: &str = "_rejected";

/// Directory of the rows or rejects that a writer began to write at this time.
pub fn hour(begun: DateTime<Utc>) -> String {
    begun.format("ingest_date=%Y-%m-%d/ingest_hour=%H").to_string()
}

/// A path below a zone's directory: plain segments, `/` between them, no way up or out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZonePath(String);

impl ZonePath {
    /// The written form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(self.0.as_str(), |(_, name)| name)
    }

    /// Whether this may be the published name of a data file: it ends in `.parquet` and lies outside the zone's own
    /// directories.
    pub fn is_data(&self) -> bool {
        let first = self.0.split_once('/').map_or(self.0.as_str(), |(first, _)| first);
        self.0.ends_with(".parquet") && ![LOG, STAGING, RETIRED].contains(&first)
    }

    /// Whether this may be the staged name of a data file.
    pub fn is_staged(&self) -> bool {
        self.0.starts_with("_staging/") && self.0.ends_with(".staged")
    }
}

impl fmt::Display for ZonePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ZonePath {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let plain = text.split('/').all(|segment| !segment.is_empty() && segment != "." && segment != "..");
        if plain && !text.contains('\0') {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName { text: text.to_owned(), expected: "a path below a zone" })
        }
    }
}

impl Serialize for ZonePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for ZonePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The file that names the zone: `_log/zone.json`.
pub fn zone_file() -> ZonePath {
    ZonePath(format!("{LOG}/zone.json"))
}

/// Directory of a zone's slots: `_log/<zone id>`.
pub fn slots(zone: ZoneId) -> ZonePath {
    ZonePath(format!("{LOG}/{zone}"))
}

/// One slot: `_log/<zone id>/<20 digits>.json`.
pub fn slot(zone: ZoneId, sequence: Sequence) -> ZonePath {
    ZonePath(format!("{LOG}/{zone}/{:020}.json", sequence.0))
}

/// The sequence that a file name of the slots' directory stands for, if it stands for one.
pub fn slot_sequence(name: &str) -> Option<Sequence> {
    digits_of(name, ".json")
}

fn digits_of(name: &str, suffix: &str) -> Option<Sequence> {
    let digits = name.strip_suffix(suffix)?;
    let is_sequence = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_sequence.then(|| digits.parse().ok().map(Sequence)).flatten()
}

/// Directory of a zone's checkpoints: `_log/<zone id>/checkpoints`.
pub fn checkpoints(zone: ZoneId) -> ZonePath {
    ZonePath(format!("{LOG}/{zone}/checkpoints"))
}

/// One checkpoint: `_log/<zone id>/checkpoints/<20 digits>.checkpoint`.
pub fn checkpoint(zone: ZoneId, sequence: Sequence) -> ZonePath {
    ZonePath(format!("{LOG}/{zone}/checkpoints/{:020}.checkpoint", sequence.0))
}

/// The sequence that a file name of the checkpoints' directory stands for, if it stands for one.
pub fn checkpoint_sequence(name: &str) -> Option<Sequence> {
    digits_of(name, ".checkpoint")
}

/// A checkpoint before it has its name: `_staging/<incarnation>/<id>.checkpoint.tmp`.
pub fn prepared_checkpoint(incarnation: Incarnation, id: CommitId) -> ZonePath {
    ZonePath(format!("{STAGING}/{incarnation}/{id}.checkpoint.tmp"))
}

/// The sequence that a directory of `_retired` stands for, if it stands for one.
pub fn retired_sequence(name: &str) -> Option<Sequence> {
    digits_of(name, "")
}

/// The published name that a retired file had, without its directory.
pub fn retired_data_name(name: &str) -> Option<&str> {
    name.strip_suffix(".retired")
}

/// Directory of what one writer has in flight: `_staging/<incarnation>`.
pub fn staging(incarnation: Incarnation) -> ZonePath {
    ZonePath(format!("{STAGING}/{incarnation}"))
}

/// Whether a staged name lies in the directory of this writer.
pub fn is_staged_by(path: &ZonePath, incarnation: Incarnation) -> bool {
    path.as_str().strip_prefix(staging(incarnation).as_str()).is_some_and(|rest| rest.starts_with('/'))
}

/// A data file before its commit: `_staging/<incarnation>/<n>.staged`.
pub fn staged(incarnation: Incarnation, number: u64) -> ZonePath {
    ZonePath(format!("{STAGING}/{incarnation}/{number}.staged"))
}

/// The body of an entry before it takes its slot: `_staging/<incarnation>/<commit id>.tmp`.
pub fn prepared(incarnation: Incarnation, commit: CommitId) -> ZonePath {
    ZonePath(format!("{STAGING}/{incarnation}/{commit}.tmp"))
}

/// Name of a data file, unique in the zone: `<incarnation>-<n>.parquet`.
pub fn data_name(incarnation: Incarnation, number: u64) -> String {
    format!("{incarnation}-{number}.parquet")
}

/// A data file at its published place: `<directory>/<incarnation>-<n>.parquet`, or the name alone for no directory.
///
/// # Errors
/// The directory has segments that are no plain names.
pub fn published(directory: &str, incarnation: Incarnation, number: u64) -> Result<ZonePath, InvalidName> {
    let name = data_name(incarnation, number);
    if directory.is_empty() { name.parse() } else { format!("{directory}/{name}").parse() }
}

/// Where an entry moves a file that it removes: `_retired/<sequence>/<name>.retired`.
pub fn retired(sequence: Sequence, path: &ZonePath) -> ZonePath {
    ZonePath(format!("{RETIRED}/{:020}/{}.retired", sequence.0, path.name()))
}
