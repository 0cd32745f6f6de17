//! The JSON of the log: strict in what it reads, fixed in what it writes.
//!
//! The envelope is taken apart by hand, since the fields of a body must be known exactly and serde cannot refuse
//! unknown fields of a flattened struct. Format and kind are looked at first, so that a newer log is refused by a
//! sentence that says so and not by its first unknown field.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::entry::{Consumer, Data, Entry, Fence, Genesis, Hold, Kind, Remove, Resume, Rewind};
use super::names::ZoneId;

/// Format of the entries and of `zone.json` that this version writes and reads.
pub const FORMAT: u64 = 1;

/// Why a body is not understood. Never a reason to skip it.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Not JSON, or not an object.
    #[error("it is not a JSON object")]
    NotAnObject,
    /// The format is missing or not ours.
    #[error(
        "its format is {0}, this version reads format 1; use the version of gristmill that wrote it, or a newer one"
    )]
    Format(String),
    /// The kind is missing or not ours.
    #[error(
        "its kind is {0}, which this version does not know; use the version of gristmill that wrote it, or a newer one"
    )]
    Kind(String),
    /// A field or a value is not among those that this version knows.
    #[error("{0}: a newer version of gristmill wrote it; use that version, or a newer one")]
    Unknown(String),
    /// A field is missing, or holds what it cannot.
    #[error("{0}")]
    Field(String),
}

impl Unreadable {
    /// What serde says of a field; its errors tell the unknown from the wrong by their first words only.
    pub fn of_field(field: &str, error: &serde_json::Error) -> Self {
        let problem = error.to_string();
        let is_unknown = ["unknown field", "unknown variant"].iter().any(|unknown| problem.starts_with(unknown));
        let problem = if field.is_empty() { problem } else { format!("{field}: {problem}") };
        if is_unknown { Self::Unknown(problem) } else { Self::Field(problem) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EntryOut<'a, B: Serialize> {
    format: u64,
    commit_id: String,
    incarnation: String,
    time: String,
    spec_digest: &'a str,
    kind: &'static str,
    #[serde(flatten)]
    body: &'a B,
}

/// Writes an entry as the bytes of its slot.
pub fn encode_entry(entry: &Entry) -> Vec<u8> {
    match &entry.kind {
        Kind::Genesis(genesis) => encode_body(entry, genesis),
        Kind::Data(data) => encode_body(entry, data),
        Kind::Rewind(rewind) => encode_body(entry, rewind),
        Kind::Hold(hold) => encode_body(entry, hold),
        Kind::Resume(resume) => encode_body(entry, resume),
        Kind::Fence(fence) => encode_body(entry, fence),
        Kind::Consumer(consumer) => encode_body(entry, consumer),
        Kind::Remove(remove) => encode_body(entry, remove),
    }
}

fn encode_body<B: Serialize>(entry: &Entry, body: &B) -> Vec<u8> {
    let Entry { commit_id, incarnation, time, spec_digest, kind } = entry;
    let out = EntryOut {
        format: FORMAT,
        commit_id: commit_id.to_string(),
        incarnation: incarnation.to_string(),
        time: time.to_string(),
        spec_digest: spec_digest.as_str(),
        kind: kind.name(),
        body,
    };
    serde_json::to_vec(&out).expect("an entry holds only texts, numbers and lists of them")
}

/// Reads an entry from the bytes of its slot.
///
/// # Errors
/// See [`Unreadable`]; an entry is understood as a whole or not at all.
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, Unreadable> {
    let mut fields = object_of_our_format(bytes)?;
    let kind = fields.remove("kind").unwrap_or(Value::Null);
    let kind = kind.as_str().ok_or_else(|| Unreadable::Kind(kind.to_string()))?;
    if !Kind::NAMES.contains(&kind) {
        return Err(Unreadable::Kind(kind.to_owned()));
    }
    Ok(Entry {
        commit_id: take(&mut fields, "commitId")?,
        incarnation: take(&mut fields, "incarnation")?,
        time: take(&mut fields, "time")?,
        spec_digest: take(&mut fields, "specDigest")?,
        kind: body(kind, fields)?,
    })
}

fn body(kind: &str, fields: Map<String, Value>) -> Result<Kind, Unreadable> {
    Ok(match kind {
        "Genesis" => Kind::Genesis(genesis_of(fields)?),
        "Data" => Kind::Data(data(fields)?),
        "Rewind" => Kind::Rewind(rest::<Rewind>(fields)?),
        "Hold" => Kind::Hold(rest::<Hold>(fields)?),
        "Resume" => Kind::Resume(rest::<Resume>(fields)?),
        "Fence" => Kind::Fence(rest::<Fence>(fields)?),
        "Consumer" => Kind::Consumer(rest::<Consumer>(fields)?),
        "Remove" => Kind::Remove(rest::<Remove>(fields)?),
        unknown => return Err(Unreadable::Kind(unknown.to_owned())),
    })
}

pub(super) fn genesis_of(mut fields: Map<String, Value>) -> Result<Genesis, Unreadable> {
    let zone_kind: String = take(&mut fields, "zoneKind")?;
    match zone_kind.as_str() {
        "Raw" => rest(fields).map(Genesis::Raw),
        "Processed" => rest(fields).map(Genesis::Processed),
        other => Err(Unreadable::Field(format!("zoneKind: `{other}` is neither Raw nor Processed"))),
    }
}

fn data(fields: Map<String, Value>) -> Result<Data, Unreadable> {
    if fields.contains_key("buckets") { rest(fields).map(Data::Processed) } else { rest(fields).map(Data::Raw) }
}

fn object_of_our_format(bytes: &[u8]) -> Result<Map<String, Value>, Unreadable> {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(bytes) else {
        return Err(Unreadable::NotAnObject);
    };
    let format = fields.remove("format").unwrap_or(Value::Null);
    if format.as_u64() == Some(FORMAT) { Ok(fields) } else { Err(Unreadable::Format(format.to_string())) }
}

fn take<T: DeserializeOwned>(fields: &mut Map<String, Value>, name: &str) -> Result<T, Unreadable> {
    let value = fields.remove(name).ok_or_else(|| Unreadable::Field(format!("{name}: is missing")))?;
    T::deserialize(value).map_err(|error| Unreadable::of_field(name, &error))
}

fn rest<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T, Unreadable> {
    T::deserialize(Value::Object(fields)).map_err(|error| Unreadable::of_field("", &error))
}

/// Writes `_log/zone.json`.
pub fn encode_zone_file(zone: ZoneId) -> Vec<u8> {
    format!(r#"{{"format":{FORMAT},"zoneId":"{zone}"}}"#).into_bytes()
}

/// Reads `_log/zone.json`.
///
/// # Errors
/// See [`Unreadable`].
pub fn decode_zone_file(bytes: &[u8]) -> Result<ZoneId, Unreadable> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct ZoneFile {
        zone_id: ZoneId,
    }
    rest(object_of_our_format(bytes)?).map(|ZoneFile { zone_id }| zone_id)
}
