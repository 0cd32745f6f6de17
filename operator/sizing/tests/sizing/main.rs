//! The decisions by worked cases, by properties, and through time.

mod cases;
mod compaction;
mod properties;
mod stream;
mod through_time;
