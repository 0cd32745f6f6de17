//! Tests of the compaction's decisions.

mod directories;
mod keys;
mod plans;
mod rows;
mod schemas;
mod winners;
