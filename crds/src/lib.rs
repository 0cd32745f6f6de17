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

pub mod hourly_compaction;
pub mod plan;
pub mod projection;
pub mod record;
pub mod report;
pub mod scalar;
pub mod shared;
pub mod stream_ingest;

pub use hourly_compaction::*;
pub use projection::{CompactionProjection, IngestProjection, spec_digest};
pub use record::*;
pub use scalar::{Bound, HumanDuration, InvalidScalar, Quantity};
pub use shared::*;
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
