//! The compaction end to end: real RAW zones, real Parquet files, the engine that the command runs.

mod books;
mod crashes;
mod history;
mod runs;
mod warehouse;
