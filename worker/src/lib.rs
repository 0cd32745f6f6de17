//! The worker of Gristmill: the I/O around `gristmill-core`, and the commands of the CLI.
//!
//! - [`documents`] reads the resources that a command is given.
//! - [`store`] and [`zone`] keep a zone on `file://` or `hdfs://`; `kafka` reads a topic;
//!   `ingest` and `compact` are the two jobs; [`cli`] is one module a command.
#![deny(unsafe_code)]

pub mod admin;
pub mod allocator;
mod blocking;
pub mod by_schedule;
pub mod cli;
pub mod compact;
pub mod cpu;
pub mod demo;
pub mod documents;
pub mod exit;
pub mod ingest;
pub mod kafka;
pub mod lint;
pub mod local;
pub mod memory;
pub mod metrics;
pub mod parquet_file;
pub mod produce;
pub mod rejected;
pub mod rotation;
pub mod secrets;
pub mod store;
pub mod termination;
pub mod zone;
