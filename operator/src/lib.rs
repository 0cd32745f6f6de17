//! Runs `StreamIngest` and `HourlyCompaction` resources on Kubernetes.
//!
//! ```text
//! watches --> caches --> observe --> plan --> size --> build --> apply --> status
//!                        (reads)    (pure)   (pure)   (pure)   (writes)   (pure, then one write)
//! ```
//!
//! Invariants:
//! - Both reconcilers read from caches alone, so that an idle cluster costs no requests; the only other reads
//!   are a worker's `GET /status` and now and then the schema that the API server serves.
//! - The operator reads no Secret and speaks to neither Kafka nor HDFS.
//! - It deletes nothing but objects of its own that the resource wants no more: ConfigMaps that no pod can use, and a
//!   NetworkPolicy that was disabled. Data is never touched.
//! - Of several operators one acts: the holder of a Lease. It ends itself before another one may take its place.
//! - A resource that does not read or is refused never stops another one, nor a worker that already runs.
#![forbid(unsafe_code)]

pub mod admin;
pub mod admission;
pub mod apply;
pub mod cli;
pub mod condition;
pub mod context;
pub mod controller;
pub mod election;
pub mod error;
pub mod events;
pub mod hourly_compaction;
pub mod installation;
pub mod labels;
pub mod metrics;
pub mod missing;
pub mod pod;
pub mod pod_events;
pub mod pod_state;
pub mod quantity;
pub mod reason;
pub mod resource;
pub mod rollout;
pub mod served_schema;
pub mod status;
pub mod stream_ingest;
pub mod transitions;
pub mod worker;
