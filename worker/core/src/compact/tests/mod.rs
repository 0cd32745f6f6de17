//! Tests of the compaction's decisions.

mod buckets;
mod directories;
mod keys;
mod lateness;
mod merges;
mod plans;
mod rows;
mod schemas;
mod superseded;
mod winners;
