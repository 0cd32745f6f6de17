//! What the data becomes, decided without async, clock, files or network.
//!
//! ```text
//! message bytes ─▶ xml ─▶ raw    rows and rejects as Arrow batches
//!                         │
//! log entries ──▶ log: fold, valid, decide, publication    what the zone holds, and what may be appended
//!                         │
//! row batches ──▶ compact: keys, ranks, winners            which rows stay, and where they go
//! ```
//!
//! - [`raw`] decodes and validates one message at a time into the columns of the RAW zone.
//! - [`log`] is the contract of a zone: entries, the state that they fold to, and every decision about it.
//! - [`infer`] drafts a resource from sample documents.
//! - [`compact`] decides a compaction: which files are read, which row of a key stays, and where it goes.
//!
//! The worker does the I/O around these functions; the simulation runs the same ones.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod compact;
pub mod infer;
pub mod log;
pub mod raw;
mod xml;
