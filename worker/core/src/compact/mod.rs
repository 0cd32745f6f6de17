//! What a compaction decides: which rows are the same, which of them stays, and where it goes.
//!
//! ```text
//! facts of two logs ──plan_run──▶ files to read
//! rows ──ContenderReader──▶ Contender (key hash, rank, address) ──settle──▶ new rows, contested rows
//! values of partition columns ──directory──▶ where the rows of one value go
//! ```
//!
//! Everything here is pure. The engine around it reads and writes files; it never compares two rows by itself.

mod contender;
mod digest;
mod directory;
mod key;
mod plan;
mod rank;
mod schema;
mod settle;

#[cfg(test)]
mod tests;

pub use contender::{ContenderReader, Origin};
pub use digest::{RowDigest, RowDigests};
pub use directory::{DirectoryError, directory, partition_value};
pub use key::{KeyHash, KeyHasher};
pub use plan::{Plan, Refusal, RunPlan, plan_run};
pub use rank::{Rank, Source};
pub use schema::{CARRIED_COLUMNS, Conflict, Layout, conform};
pub use settle::{Contender, Contest, Place, RowAddress, Settled, Side, settle};
