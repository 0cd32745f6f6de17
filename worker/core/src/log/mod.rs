//! The zone log: what an entry says, what the entries so far add up to, and what may come next.
//!
//! ```text
//! entry ──decode──▶ Entry ──valid(fold)──▶ fold.apply ──▶ Fold        (facts: next offsets, live files, positions)
//!                                              └────────▶ Publication (renames that make the entry visible)
//! ```
//!
//! Everything here is pure: the worker reads slots, asks, and acts. The contract is `docs/zone-protocol.md`; the numbers in the
//! comments ("rule 8") are its lines.

mod decide;
mod entry;
mod fold;
mod inspect;
pub mod layout;
mod names;
mod publication;
mod valid;
mod wire;

#[cfg(test)]
mod tests;

pub use decide::{AfterAttempt, BeforeAttempt, after_attempt, before_attempt};
pub use entry::{
    BucketRange, Data, Entry, FileEntry, FileZone, Genesis, IdentityPartition, Kind, MessageCounts, PartitionRange,
    PartitionStart, PartitionValue, ProcessedData, ProcessedGenesis, RawData, RawGenesis, RemovedFile, RunFiles,
    RunRows, RunSummary, Transform, TypedValue,
};
pub use fold::{FileKey, Fold, LiveFile, PartitionState, Run};
pub use inspect::{Inspection, ProcessedInspection, RawInspection, inspect};
pub use layout::ZonePath;
pub use names::{CommitId, Digest, Incarnation, InvalidName, LogTime, Sequence, ZoneId};
pub use publication::{Publication, Publish, Retire, due};
pub use valid::{Refusal, Refused, valid, valid_genesis};
pub use wire::{FORMAT, Unreadable, decode_entry, decode_zone_file, encode_entry, encode_zone_file};
