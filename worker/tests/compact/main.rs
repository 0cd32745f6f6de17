//! The compaction end to end: real RAW zones, real Parquet files, the engine that the command runs.
#![expect(clippy::unwrap_used, reason = "a test that cannot be arranged fails")]

mod books;
mod command;
mod consumers;
mod crashes;
mod history;
mod late;
mod preview;
mod rebuild;
mod resource;
mod retention;
mod runs;
mod schemas;
mod shards;
mod warehouse;
mod wide_rows;
