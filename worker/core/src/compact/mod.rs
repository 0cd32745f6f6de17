//! What a compaction decides: which rows are the same, which of them stays, and where it goes.
//!
//! ```text
//! facts of two logs ──plan_run──▶ files to read
//! rows ──ContenderReader──▶ Contenders (key hash, rank, address) ──settle──▶ new rows, contested rows
//! contested rows ──RowDigests──▶ Versions ──differing──▶ those that are not equal to the zone's
//! values of partition columns ──directory──▶ where the rows of one value go
//! ```
//!
//! Everything here is pure. The engine around it reads and writes files; it never compares two rows by itself.

mod bucket;
mod contender;
mod digest;
mod directory;
mod key;
mod late;
mod merge;
mod plan;
mod quarantine;
mod rank;
mod reader;
mod schema;
mod settle;
mod superseded;
mod version;

#[cfg(test)]
mod tests;

pub use bucket::{Bucket, InvalidShard, Shard};
pub use contender::{Contenders, RowAddress, Side};
pub use digest::{RowDigest, RowDigests};
pub use directory::{DirectoryError, directory, partition_value};
pub use key::{KeyHash, KeyHasher};
pub use late::LateRule;
pub use merge::{Directory, FileSize, FileSizes};
pub use plan::{Plan, Rebuild, Refusal, RunPlan, complete_through, plan_rebuild, plan_run};
pub use quarantine::late_rejects;
pub use rank::Topics;
pub use reader::{ContenderReader, NullKeys, Origin};
pub use schema::{CARRIED_COLUMNS, Conflict, Layout, conform};
pub use settle::{Contest, Settled};
pub use superseded::Superseded;
pub use version::Versions;
