//! The one validation path: a resource becomes a plan, or a list of problems that name their field.
//!
//! The schema in the cluster refuses most wrong documents at `kubectl apply`; a plan refuses the same and
//! what a schema can't express. Defaults live here, not in the schema, so that GitOps tools see no difference.

mod column;
mod columns;
mod compaction;
mod deduplication;
mod hadoop;
mod ingest;
mod kafka;
mod lexical;
mod memory;
mod path;
mod pattern;
mod pod;
mod position;
mod processed;
mod raw;
mod record;
mod reference;
mod rejected;
mod rules;
mod scaling;
mod schedule;
mod schema;
mod sizing;
#[cfg(test)]
mod tests;
mod time;
mod value;
mod warning;

use std::ops::RangeInclusive;

pub use column::{ColumnPlan, Repetition};
use columns::kept_columns;
pub use compaction::CompactionPlan;
pub use deduplication::LatenessPlan;
pub use hadoop::{HadoopIdentity, HadoopPlan};
pub use ingest::IngestPlan;
pub use kafka::{SaslPlan, SecurityPlan, TlsPlan};
pub use memory::least_memory;
pub use path::{ColumnPath, InvalidPath, Name, NamespaceTest, Origin, Prefixes, RowPath, Selector};
pub use pattern::Pattern;
pub use position::{Position, RewindPlan};
pub use raw::{FileEnd, RetentionPlan};
pub use record::{MessageLimits, RecordPlan};
pub use reference::{ConfigMapKey, Reference, ReferenceKind, ReferenceUse, SecretKey};
pub use rejected::{RejectedBudget, RejectedPlan};
pub use scaling::{DEFAULT_CATCH_UP, ScalingPlan};
pub use schedule::{DEFAULT_SCHEDULE, DEFAULT_TIME_ZONE, InvalidSchedule, Schedule};
pub use sizing::SizingPlan;
pub use time::{Format, Formats, Zone};
pub use value::{Refusal, Rules, Scalar, TextRules, ValueType, Written};

use crate::scalar::InvalidScalar;

/// Names that RAW adds to every row, in this order; a user's column can't have one of them.
pub const METADATA_COLUMNS: [&str; 8] = [
    "kafka_topic",
    "kafka_topic_id",
    "kafka_partition",
    "kafka_offset",
    "kafka_timestamp",
    "kafka_key",
    "record_index",
    "generation",
];

/// Directory columns of a RAW zone; reserved as well.
pub const DIRECTORY_COLUMNS: [&str; 2] = ["ingest_date", "ingest_hour"];

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Problem {
    /// Path of the field, for example `spec.record.columns[3].path`.
    pub path: String,
    /// What is wrong and what to write instead.
    pub message: String,
}

/// A document that can't be run, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Kind and name of the document, for example `StreamIngest books`.
    pub document: String,
    /// At least one problem, in the order of the document.
    pub problems: Vec<Problem>,
}

impl std::error::Error for Invalid {}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is invalid", self.document)?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

/// Collects problems while a plan is built, so that a user sees all of them at once.
#[derive(Debug, Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { path: path.into(), message: message.into() });
    }

    /// The value of a fallible step; its error becomes a problem of `path`.
    fn check<T, E: std::fmt::Display>(&mut self, path: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(path, error.to_string())).ok()
    }

    fn into_invalid(self, document: String) -> Invalid {
        Invalid { document, problems: self.0 }
    }
}

/// A scalar of a range, if one is written; `bounds` is the range as a person writes it.
fn within<T: PartialOrd>(
    at: &str,
    written: Option<Result<T, InvalidScalar>>,
    range: RangeInclusive<T>,
    bounds: &str,
    problems: &mut Problems,
) -> Option<T> {
    match written? {
        Ok(value) if range.contains(&value) => Some(value),
        Ok(_) => {
            problems.add(at, format!("is outside {bounds}; write a value in between"));
            None
        }
        Err(error) => {
            problems.add(at, error.to_string());
            None
        }
    }
}

/// The name and namespace of a document; `default` as kubectl takes it.
fn identity(
    kind: &str,
    metadata: &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta,
    problems: &mut Problems,
) -> (String, String, String) {
    let name = metadata.name.clone().unwrap_or_default();
    let namespace = metadata.namespace.clone().unwrap_or_else(|| "default".into());
    if name.is_empty() {
        problems.add("metadata.name", "is missing; write a name of lower-case letters, digits and \"-\"");
    } else if name.len() > 40 {
        problems.add(
            "metadata.name",
            format!("{name:?} has more than 40 characters; shorten it: names of pods and jobs are made from it"),
        );
    } else if !is_dns_label(&name) {
        problems.add("metadata.name", format!("{name:?} is not a name; write lower-case letters, digits and \"-\""));
    }
    (format!("{kind} {name}"), name, namespace)
}

fn is_dns_label(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

/// Refuses a local directory for a zone that pods write: it would be gone with the pod, log and all.
fn refuse_local(document: String, path: &str, url: &str) -> Result<(), Invalid> {
    if !url.starts_with("file://") {
        return Ok(());
    }
    let mut problems = Problems::default();
    problems.add(
        path,
        format!(
            "{url:?} would lie inside a pod and be gone with it; write hdfs://host:8020/path, file:// is for a laptop"
        ),
    );
    Err(problems.into_invalid(document))
}

/// A zone's directory: `hdfs://host[:port]/path` or `file:///path`, without a trailing slash.
fn zone_url(path: &str, url: &str, problems: &mut Problems) -> String {
    let rest = match url.split_once("://") {
        Some(("file", rest)) if rest.starts_with('/') => rest,
        Some(("file", _)) => {
            problems.add(path, format!("{url:?} has a relative path; write file:///absolute/path"));
            return url.to_owned();
        }
        Some(("hdfs", rest)) if rest.find('/').is_some_and(|at| at > 0) => &rest[rest.find('/').unwrap_or(0)..],
        Some(("hdfs", _)) => {
            problems.add(path, format!("{url:?} lacks a host or a path; write hdfs://host:8020/path"));
            return url.to_owned();
        }
        _ => {
            problems.add(path, format!("{url:?} is not a zone; write hdfs://host:8020/path or file:///path"));
            return url.to_owned();
        }
    };
    let trimmed = rest.trim_end_matches('/');
    if trimmed.is_empty() {
        problems.add(path, format!("{url:?} is the root of the file system; name a directory of its own for the zone"));
    } else if trimmed.split('/').any(|step| step == "." || step == "..") {
        problems.add(path, format!("{url:?} contains \".\" or \"..\"; write the path without them"));
    } else if trimmed.contains("//") {
        problems.add(path, format!("{url:?} contains an empty step \"//\"; remove it"));
    }
    url.trim_end_matches('/').to_owned()
}
