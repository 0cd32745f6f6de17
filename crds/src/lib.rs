//! The API of Gristmill: what a user writes, and the one place that decides whether it is valid.
//!
//! - [`StreamIngest`] and [`HourlyCompaction`] are the two custom resources (`gristmill.dev/v1alpha1`).
//!   The YAML beside this crate's sources is generated from them (`make gen`).
//! - [`plan`] turns a resource into typed rules. The CLI, the worker and the operator refuse a document
//!   by this same code, with the same sentences.
//! - [`report`] is what a running worker or a finished compaction says of itself to the operator.
//!
//! Nothing here does I/O.
#![forbid(unsafe_code)]
#![warn(missing_docs)]
#![expect(unreachable_pub, reason = "KubeSchema derives a hidden copy of each struct, and the lint sees the copy")]

pub mod compaction_status;
pub mod definition;
pub mod hadoop;
pub mod hourly_compaction;
pub mod ingest_status;
pub mod kafka_setting;
mod kubernetes;
pub mod names;
pub mod network;
pub mod plan;
pub mod pod;
pub mod processed;
pub mod projection;
pub mod raw;
pub mod record;
pub mod reference;
pub mod rejected;
pub mod report;
pub mod scalar;
pub mod scaling;
pub mod shared;
pub mod source;
pub mod stream_ingest;

pub use compaction_status::*;
pub use definition::{definition, helm_template};
pub use hadoop::*;
pub use hourly_compaction::*;
pub use ingest_status::*;
pub use network::*;
pub use pod::*;
pub use processed::*;
pub use projection::{CompactionProjection, IngestProjection, spec_digest};
pub use raw::*;
pub use record::*;
pub use reference::*;
pub use rejected::*;
pub use scalar::{Bound, HumanDuration, InvalidScalar, Percent, Period, Quantity};
pub use scaling::*;
pub use shared::*;
pub use source::*;
pub use stream_ingest::*;

/// API group of both resources.
pub const GROUP: &str = "gristmill.dev";
/// API version of both resources.
pub const VERSION: &str = "v1alpha1";
/// `apiVersion` as documents write it.
pub const API_VERSION: &str = "gristmill.dev/v1alpha1";

/// A resource as a YAML document with a stable layout, as the committed CRDs have it.
pub fn yaml<T: serde::Serialize>(resource: &T) -> String {
    serde_saphyr::to_string(resource).expect("a Kubernetes object is YAML")
}
